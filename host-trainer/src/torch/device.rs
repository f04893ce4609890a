//! Where tensors live: the CPU, or a CUDA GPU; never the one in place of the other.

use std::path::Path;

use anyhow::bail;
use tch::{Cuda, Device};

use super::library::{Library, WANTED};
use crate::config::device::DeviceChoice;

/// The device asked for.
///
/// # Errors
/// Why there is no CUDA where it is asked for: a run that took the CPU instead would look slow,
/// not wrong.
pub fn pick(choice: DeviceChoice) -> anyhow::Result<Device> {
    match choice {
        DeviceChoice::Cpu => Ok(Device::Cpu),
        DeviceChoice::Cuda => {
            let state = CudaState::here();
            if !state.available {
                bail!(
                    "expected a CUDA device, found none: {}; or choose the device cpu",
                    state.why_not().join("; ")
                );
            }
            Ok(Device::Cuda(0))
        }
    }
}

/// Threads that one operator is spread over.
pub fn threads() -> usize {
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// What decides whether CUDA can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CudaState {
    /// Whether libtorch can use it.
    pub available: bool,
    /// GPUs that libtorch sees.
    pub devices: i64,
    /// Whether the driver's kernel part shows a GPU: /dev/nvidia0 or, on WSL, /dev/dxg.
    pub gpu_there: bool,
    /// CUDA_VISIBLE_DEVICES, if set.
    pub visible: Option<String>,
    /// The libtorch in use.
    pub library: Library,
}

impl CudaState {
    /// Of this machine and process.
    pub fn here() -> Self {
        // Asked first: libtorch loads the driver's library when it is asked.
        let available = Cuda::is_available();
        Self {
            available,
            devices: if available { Cuda::device_count() } else { 0 },
            gpu_there: ["/dev/nvidia0", "/dev/dxg"]
                .iter()
                .any(|node| Path::new(node).exists()),
            visible: std::env::var("CUDA_VISIBLE_DEVICES").ok(),
            library: Library::loaded(),
        }
    }

    /// Every reason that stands in the way of CUDA, each with what to do; none where it works.
    pub fn why_not(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.available {
            return reasons;
        }
        let folder = match &self.library.folder {
            Some(folder) => folder.display().to_string(),
            None => "its folder".to_owned(),
        };
        if !self.library.cuda_there && !self.library.cuda_loaded {
            reasons.push(format!(
                "libtorch in {folder} is a CPU build (no libtorch_cuda.so): put a CUDA build of \
                 libtorch {WANTED} at .libtorch and build usher-train again"
            ));
        } else if !self.library.cuda_loaded {
            reasons.push(format!(
                "usher-train was built without {folder}/libtorch_cuda.so: build it again \
                 (cargo clean -p usher-train, then cargo build --workspace)"
            ));
        }
        if !self.gpu_there {
            reasons.push(
                "no GPU shows (no /dev/nvidia0): install the NVIDIA driver, or pass the GPU into \
                 the container"
                    .to_owned(),
            );
        }
        if let Some(visible) = self
            .visible
            .as_ref()
            .filter(|list| ["", "-1"].contains(&list.trim()))
        {
            reasons.push(format!(
                "CUDA_VISIBLE_DEVICES={visible} hides every GPU: unset it"
            ));
        }
        if reasons.is_empty() && !self.library.driver_loaded {
            reasons.push(
                "libcuda.so.1 does not load: install the user part of the NVIDIA driver (nvidia-smi \
                 must run)"
                    .to_owned(),
            );
        }
        if reasons.is_empty() {
            reasons.push(
                "libtorch can use no GPU, though driver and libraries are there: update the driver \
                 to one that fits libtorch's CUDA (nvidia-smi shows both), and see whether the GPU is \
                 free"
                    .to_owned(),
            );
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usable() -> CudaState {
        CudaState {
            available: false,
            devices: 0,
            gpu_there: true,
            visible: None,
            library: Library {
                folder: Some("/torch/lib".into()),
                version: Some(WANTED.to_owned()),
                cuda_there: true,
                cuda_loaded: true,
                driver_loaded: true,
            },
        }
    }

    #[test]
    fn each_cause_is_told_apart() {
        type Change = fn(&mut CudaState);
        let cases: [(Change, &[&str]); 8] = [
            (|_| {}, &["update the driver"]),
            (|state| state.available = true, &[]),
            (|state| state.gpu_there = false, &["/dev/nvidia0"]),
            (|state| state.visible = Some("-1".into()), &["=-1 hides"]),
            (|state| state.visible = Some(String::new()), &["= hides"]),
            (
                |state| state.library.driver_loaded = false,
                &["libcuda.so.1"],
            ),
            (
                |state| state.library.cuda_loaded = false,
                &["built without"],
            ),
            (
                |state| {
                    state.library.cuda_there = false;
                    state.library.cuda_loaded = false;
                    state.gpu_there = false;
                },
                &["/torch/lib is a CPU build", "/dev/nvidia0"],
            ),
        ];
        for (index, (change, expected)) in cases.into_iter().enumerate() {
            let mut state = usable();
            change(&mut state);
            let found = state.why_not();
            assert_eq!(found.len(), expected.len(), "case {index}: {found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "case {index}: {found}");
            }
        }
    }

    #[test]
    fn cuda_asked_for_is_cuda_or_an_error() {
        assert_eq!(pick(DeviceChoice::Cpu).unwrap(), Device::Cpu);
        match pick(DeviceChoice::Cuda) {
            Ok(device) => assert_eq!(device, Device::Cuda(0)),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains("expected a CUDA device, found none: "),
                    "{error}"
                );
                assert!(!CudaState::here().why_not().is_empty());
            }
        }
    }

    #[test]
    fn a_config_names_it_in_lower_case() {
        assert_eq!(
            serde_json::to_string(&DeviceChoice::Cuda).unwrap(),
            "\"cuda\""
        );
    }
}
