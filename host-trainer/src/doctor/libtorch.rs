//! The libtorch in use, the device asked for, threads, and the settings of its environment.

use crate::config::device::DeviceChoice;
use crate::torch::device::CudaState;
use crate::torch::environment::Setting;
use crate::torch::library::{Library, WANTED};

use super::Check;

/// Version and place of libtorch.
pub fn version(library: &Library) -> Check {
    let place = match &library.folder {
        Some(folder) => folder.display().to_string(),
        None => "a place this system does not tell".to_owned(),
    };
    let build = if library.cuda_there {
        "CUDA build"
    } else {
        "CPU build"
    };
    let version = library.version.as_deref().unwrap_or("of unknown version");
    let found = format!("{version}, {build}, in {place}");
    if library.is_wanted() {
        Check::ok("libtorch", found)
    } else {
        let remedy = format!("put libtorch {WANTED} at .libtorch and build usher-train again");
        Check::problem("libtorch", found, remedy)
    }
}

/// Whether the device asked for can be used; and, where the CPU is asked for, whether a GPU lies idle.
pub fn device(state: &CudaState, asked: DeviceChoice) -> Check {
    let reasons = state.why_not().join("; ");
    match (asked, state.available) {
        (_, true) => Check::ok("device", format!("{} CUDA GPUs can be used", state.devices)),
        (DeviceChoice::Cuda, false) => {
            Check::problem("device", "CUDA was asked for and cannot be used", reasons)
        }
        (DeviceChoice::Cpu, false) if state.gpu_there => Check::warning(
            "device",
            "a GPU is there, but training would not see it",
            reasons,
        ),
        (DeviceChoice::Cpu, false) => {
            Check::ok("device", format!("the CPU; no CUDA here: {reasons}"))
        }
    }
}

/// Threads of libtorch against the cores that this process may use.
pub fn threads(threads: usize, cores: usize, asked: Option<&str>) -> Check {
    let found = format!("libtorch uses {threads} threads, this process may use {cores} cores");
    if threads > cores {
        let remedy = format!("threads in each other's way are slow: set OMP_NUM_THREADS={cores}");
        return Check::warning("threads", found, remedy);
    }
    // Half is what libtorch takes where each core shows as two.
    match asked.filter(|_| threads * 2 < cores) {
        Some(asked) => {
            let found = format!("{found} (OMP_NUM_THREADS={asked})");
            Check::warning("threads", found, "unset OMP_NUM_THREADS to use them all")
        }
        None => Check::ok("threads", found),
    }
}

/// Whether the settings that halve the time of a step are in force.
pub fn settings(settings: &[Setting]) -> Check {
    let other: Vec<&Setting> = settings
        .iter()
        .filter(|setting| {
            setting
                .found
                .as_ref()
                .is_some_and(|found| found != setting.wanted)
        })
        .collect();
    if other.is_empty() {
        let names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
        return Check::ok(
            "settings",
            format!("`train` sets {} itself", names.join(", ")),
        );
    }
    let list = |value: fn(&Setting) -> &str| -> String {
        let each = other
            .iter()
            .map(|setting| format!("{}={}", setting.name, value(setting)));
        each.collect::<Vec<_>>().join(", ")
    };
    Check::warning(
        "settings",
        format!(
            "yours stay: {}",
            list(|setting| setting.found.as_deref().unwrap_or(""))
        ),
        format!(
            "training was fastest with {}",
            list(|setting| setting.wanted)
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn library(version: &str, cuda_there: bool) -> Library {
        Library {
            folder: Some("/torch/lib".into()),
            version: Some(version.to_owned()),
            cuda_there,
            cuda_loaded: cuda_there,
            driver_loaded: cuda_there,
        }
    }

    #[test]
    fn another_version_is_a_problem() {
        let check = version(&library("2.13.0+cu130", true));
        assert_eq!(check.level, Level::Ok);
        assert_eq!(check.found, "2.13.0+cu130, CUDA build, in /torch/lib");
        assert_eq!(version(&library("2.12.0", false)).level, Level::Problem);
    }

    #[test]
    fn cuda_is_a_problem_only_where_it_is_wanted() {
        let state = |available, gpu_there| CudaState {
            available,
            devices: i64::from(available),
            gpu_there,
            visible: None,
            library: library("2.13.0", available),
        };
        for (asked, available, gpu_there, level) in [
            (DeviceChoice::Cuda, true, true, Level::Ok),
            (DeviceChoice::Cuda, false, true, Level::Problem),
            (DeviceChoice::Cuda, false, false, Level::Problem),
            (DeviceChoice::Cpu, true, true, Level::Ok),
            (DeviceChoice::Cpu, false, true, Level::Warning),
            (DeviceChoice::Cpu, false, false, Level::Ok),
        ] {
            let check = device(&state(available, gpu_there), asked);
            assert_eq!(
                check.level, level,
                "{asked:?} {available} {gpu_there}: {check}"
            );
            if !available {
                let text = check.to_string();
                assert!(text.contains("no libtorch_cuda.so"), "it says why: {text}");
            }
        }
    }

    #[test]
    fn too_many_and_too_few_threads_are_said() {
        for (count, cores, asked, level) in [
            (2, 2, None, Level::Ok),
            (8, 16, None, Level::Ok),
            (16, 2, None, Level::Warning),
            (1, 16, Some("1"), Level::Warning),
            (2, 2, Some("2"), Level::Ok),
        ] {
            let check = threads(count, cores, asked);
            assert_eq!(check.level, level, "{check}");
        }
    }

    #[test]
    fn a_setting_of_ones_own_is_said_not_changed() {
        let setting = |found: Option<&str>| Setting {
            name: "OMP_WAIT_POLICY",
            wanted: "passive",
            found: found.map(str::to_owned),
        };
        assert_eq!(settings(&[setting(None)]).level, Level::Ok);
        assert_eq!(settings(&[setting(Some("passive"))]).level, Level::Ok);
        let check = settings(&[setting(Some("active"))]);
        assert_eq!(check.level, Level::Warning);
        assert!(check.found.contains("OMP_WAIT_POLICY=active"), "{check}");
    }
}
