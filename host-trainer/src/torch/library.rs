//! Which libtorch this process has loaded, and from where.

use std::path::{Path, PathBuf};

/// The only version whose C++ interface torch-sys 0.26 fits.
pub const WANTED: &str = "2.13.0";

/// The libtorch in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// The folder of its libraries; absent where the system does not tell what a process loaded.
    pub folder: Option<PathBuf>,
    /// Its version, as the files beside it say: "2.13.0", "2.13.0+cu130".
    pub version: Option<String>,
    /// Whether its CUDA half lies in that folder.
    pub cuda_there: bool,
    /// Whether its CUDA half is loaded.
    pub cuda_loaded: bool,
    /// Whether the driver's library, libcuda.so.1, is loaded.
    pub driver_loaded: bool,
}

impl Library {
    /// The libtorch of this process.
    pub fn loaded() -> Self {
        // Linux alone has this file; elsewhere nothing is known but that the program started.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
        Self::of_maps(&maps)
    }

    fn of_maps(maps: &str) -> Self {
        let folder =
            mapped(maps, "libtorch_cpu.so").and_then(|path| path.parent().map(Path::to_path_buf));
        Self {
            version: folder.as_deref().and_then(version),
            cuda_there: folder
                .as_ref()
                .is_some_and(|folder| folder.join("libtorch_cuda.so").exists()),
            cuda_loaded: mapped(maps, "libtorch_cuda.so").is_some(),
            driver_loaded: mapped(maps, "libcuda.so.1").is_some(),
            folder,
        }
    }

    /// Whether the version is [`WANTED`], whatever it was built for; unknown counts as right.
    pub fn is_wanted(&self) -> bool {
        self.version
            .as_ref()
            .is_none_or(|version| version.split('+').next() == Some(WANTED))
    }
}

/// The file of that name, in the list of what is mapped into a process.
fn mapped(maps: &str, name: &str) -> Option<PathBuf> {
    let paths = maps.lines().filter_map(|line| {
        let path = &line[line.find('/')?..];
        Some(Path::new(path.strip_suffix(" (deleted)").unwrap_or(path)))
    });
    let mut named = paths.filter(|path| path.file_name().is_some_and(|found| found == name));
    named.next().map(Path::to_path_buf)
}

/// The version, from `build-version` of a libtorch archive or `version.py` of a Python wheel.
fn version(folder: &Path) -> Option<String> {
    let beside = folder.parent()?;
    if let Ok(text) = std::fs::read_to_string(beside.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = std::fs::read_to_string(beside.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    Some(line.split(['\'', '"']).nth(1)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_among_what_is_mapped() {
        let maps = "7f00-7f10 r-xp 00000000 fd:01 12  /opt/my torch/lib/libtorch_cpu.so\n\
                    7f10-7f20 rw-p 00000000 00:00 0\n\
                    7f20-7f30 r-xp 00000000 fd:01 13  /usr/lib/libcuda.so.1 (deleted)\n\
                    7f30-7f40 rw-p 00000000 00:00 0  [heap]\n";
        let library = Library::of_maps(maps);
        assert_eq!(
            library.folder.as_deref(),
            Some(Path::new("/opt/my torch/lib"))
        );
        assert!(library.driver_loaded && !library.cuda_loaded);
    }

    #[test]
    fn the_version_stands_beside_the_libraries() {
        for (file, text, found) in [
            ("build-version", "2.13.0\n", "2.13.0"),
            ("build-version", "2.13.0+cu130", "2.13.0+cu130"),
            (
                "version.py",
                "debug = False\n__version__ = '2.12.1+cpu'\n",
                "2.12.1+cpu",
            ),
        ] {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join(file), text).unwrap();
            let folder = place.path().join("lib");
            assert_eq!(version(&folder).as_deref(), Some(found));
            let library = Library {
                folder: None,
                version: version(&folder),
                cuda_there: false,
                cuda_loaded: false,
                driver_loaded: false,
            };
            assert_eq!(library.is_wanted(), found.starts_with("2.13.0"), "{found}");
        }
    }

    #[test]
    fn this_process_has_loaded_the_wanted_one() {
        let threads = tch::get_num_threads(); // so that the library is linked into the test at all
        assert!(threads > 0);
        let library = Library::loaded();
        assert!(library.is_wanted(), "{library:?}");
        if cfg!(target_os = "linux") {
            assert!(library.folder.is_some(), "{library:?}");
        }
    }
}
