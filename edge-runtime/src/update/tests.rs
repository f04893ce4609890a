//! Installations on real folders: what is refused, what is taken, and the power cut at every step.

mod hostile;
mod power;
mod signer;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use shared::gallery::consent::WallTime;
use shared::manifest::{FORMAT, ModelManifest};
use shared::model_id::sha256_hex;
use shared::operating_point::{OperatingPoint, Threshold};
use shared::preprocessing::Preprocessing;

use super::disk::{Disk, RealDisk};
use super::install::{GalleryOrder, Installation, Installed};
use super::shelf;
use super::*;
use crate::config::Config;
use signer::Signer;

/// A device in a folder of its own, and who signs for it.
struct Device {
    folder: tempfile::TempDir,
    config: Config,
    signer: Signer,
}

impl Device {
    fn new() -> Self {
        let folder = in_memory();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("trusted")).unwrap();
        fs::create_dir(at("run")).unwrap();
        let signer = Signer::new(1);
        fs::write(at("trusted/vendor.pub"), signer.public()).unwrap();
        let mut config = Config {
            update: UpdateConfig {
                folder: at("models"),
                trusted: at("trusted"),
                board: at("board"),
                mark: at("run/updating"),
            },
            ..Config::default()
        };
        config.kiosk.gallery = at("people.gallery");
        config.kiosk.model = at("usual/usher-small.toml");
        Self {
            folder,
            config,
            signer,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn models(&self) -> &Path {
        &self.config.update.folder
    }

    /// Signs a file and puts both where they would have been sent to.
    fn send(&self, name: &str, bytes: &[u8], comment: &str) -> PathBuf {
        self.send_by(&self.signer, name, bytes, comment)
    }

    fn send_by(&self, signer: &Signer, name: &str, bytes: &[u8], comment: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        fs::write(beside(&path), signer.sign(bytes, comment)).unwrap();
        path
    }

    /// A sound model `net` of this serial.
    fn send_model(&self, serial: u64) -> PathBuf {
        let comment = format!("usher model net serial={serial} board=any");
        self.send("sent", &model("net", serial), &comment)
    }

    fn install(&self, file: &Path) -> Result<Installed, UpdateError> {
        self.install_on(&RealDisk, file)
    }

    fn install_on(&self, disk: &dyn Disk, file: &Path) -> Result<Installed, UpdateError> {
        let files = (file, beside(file));
        Installation::new(&self.config, now()).install_on(
            disk,
            &tried,
            (files.0, &files.1),
            &GalleryOrder::default(),
        )
    }

    fn roll_back_on(&self, disk: &dyn Disk) -> Result<Option<Label>, UpdateError> {
        Installation::new(&self.config, now()).roll_back_on(disk)
    }

    /// What is in use, after its files were compared with what they should be.
    fn in_use(&self) -> Option<String> {
        in_use(self.models())
    }

    /// What lies in the folder of models, without the lock.
    fn names(&self) -> Vec<String> {
        names(self.models())
    }
}

/// A folder in memory where the system has one: a thousand devices on a disk that discards take minutes to remove.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn now() -> WallTime {
    crate::command::now()
}

fn beside(path: &Path) -> PathBuf {
    path.with_extension("minisig")
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".lock")
        .collect();
    names.sort();
    names
}

/// What is in use in this folder; it must be whole.
fn in_use(folder: &Path) -> Option<String> {
    let in_use = shelf::in_use(folder).unwrap()?;
    tried(&in_use.manifest).unwrap();
    Some(in_use.label.to_string())
}

/// Stands in for the real trial: the digest alone, as these networks are none.
fn tried(manifest: &Path) -> Result<&'static str, UpdateError> {
    let path = manifest;
    let manifest = ModelManifest::read(path)?;
    let network = fs::read(path.with_file_name(&manifest.onnx)).unwrap();
    assert_eq!(sha256_hex(&network), manifest.sha256, "{}", path.display());
    Ok("passed")
}

fn manifest(name: &str, network: &[u8]) -> ModelManifest {
    ModelManifest {
        format: FORMAT,
        name: name.to_owned(),
        network: "mobilefacenet".to_owned(),
        onnx: format!("{name}.onnx"),
        sha256: sha256_hex(network),
        dimension: 128,
        parameters: 1,
        multiply_adds: 1,
        licence: "for tests".to_owned(),
        preprocessing: Preprocessing::usher(112),
        operating_points: vec![OperatingPoint {
            name: "greet".to_owned(),
            threshold: Threshold::new(1.1).unwrap(),
            fmr: Some(0.001),
            fnmr: None,
            impostor_pairs: 1000,
            genuine_pairs: 1000,
            fmr_interval: None,
            fnmr_interval: None,
            data_sha256: None,
            data: "none".to_owned(),
        }],
        training_data: Vec::new(),
    }
}

/// An archive of a model whose network differs from serial to serial.
fn model(name: &str, serial: u64) -> Vec<u8> {
    let network = format!("network {serial} of {name}")
        .repeat(40)
        .into_bytes();
    let text = manifest(name, &network)
        .to_toml(Path::new("model.toml"))
        .unwrap();
    archive(&[
        ("model.toml", text.as_bytes()),
        (&format!("{name}.onnx"), &network),
        (&format!("{name}.md"), b"# A card"),
    ])
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn the_new_one_counts_and_the_old_one_is_kept() {
    let device = Device::new();
    assert_eq!(device.in_use(), None);
    for (serial, names) in [
        (3, vec!["current", "net-3", "serials.toml"]),
        (
            5,
            vec!["current", "net-3", "net-5", "previous", "serials.toml"],
        ),
        (
            9,
            vec!["current", "net-5", "net-9", "previous", "serials.toml"],
        ),
    ] {
        let installed = device.install(&device.send_model(serial)).unwrap();
        let label = Label::new("net", serial).unwrap();
        assert_eq!(
            installed,
            Installed::Model {
                label,
                self_test: "passed"
            }
        );
        assert_eq!(device.in_use(), Some(format!("net-{serial}")));
        assert_eq!(device.names(), names);
        assert!(!device.config.update.mark.exists());
    }
    // Back, and forward again.
    for expected in ["net-5", "net-9"] {
        let back = device.roll_back_on(&RealDisk).unwrap();
        assert_eq!(back.unwrap().to_string(), expected);
        assert_eq!(device.in_use().as_deref(), Some(expected));
    }
}

#[test]
fn the_first_one_gives_way_to_that_of_the_settings() {
    let device = Device::new();
    assert!(matches!(
        device.roll_back_on(&RealDisk),
        Err(UpdateError::NothingBefore { .. })
    ));
    device.install(&device.send_model(1)).unwrap();
    assert_eq!(device.roll_back_on(&RealDisk).unwrap(), None);
    assert_eq!(device.in_use(), None);
    assert_eq!(device.roll_back_on(&RealDisk).unwrap().unwrap().serial(), 1);
    assert_eq!(device.in_use().as_deref(), Some("net-1"));
    // What was rolled back to the settings' is not gone back to after the next one either.
    device.roll_back_on(&RealDisk).unwrap();
    device.install(&device.send_model(2)).unwrap();
    assert_eq!(device.names(), ["current", "net-2", "serials.toml"]);
    assert_eq!(device.roll_back_on(&RealDisk).unwrap(), None);
}

#[test]
fn the_settings_model_counts_unless_one_is_installed() {
    let device = Device::new();
    let mut config = device.config.clone();
    assert_eq!(config.use_installed().unwrap(), None);
    assert_eq!(config, device.config);
    device.install(&device.send_model(4)).unwrap();
    let in_use = config.use_installed().unwrap().unwrap();
    assert_eq!(in_use.label.to_string(), "net-4");
    assert_eq!(config.kiosk.model, device.path("models/net-4/model.toml"));
    assert_eq!(config.kiosk.detector(), device.path("usual/yunet.onnx"));
    // Where the settings name a detector, it stays that one.
    let mut config = device.config.clone();
    config.kiosk.detector = "/elsewhere.onnx".into();
    config.use_installed().unwrap();
    assert_eq!(config.kiosk.detector(), Path::new("/elsewhere.onnx"));
    // A folder that is switched off, and a link that leads nowhere.
    let mut config = device.config.clone();
    config.update.folder = PathBuf::new();
    assert_eq!(config.use_installed().unwrap(), None);
    fs::remove_dir_all(device.path("models/net-4")).unwrap();
    let error = device.config.clone().use_installed().unwrap_err();
    assert!(
        error.to_string().contains("usher update rollback"),
        "{error}"
    );
    for target in ["../elsewhere", "/etc", "net-4/..", "net"] {
        let link = device.path("models/current");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(target, &link).unwrap();
        let refused = device.config.clone().use_installed();
        assert!(matches!(refused, Err(UpdateError::Link { .. })), "{target}");
    }
}

#[test]
fn serials_only_rise() {
    let device = Device::new();
    device.install(&device.send_model(5)).unwrap();
    device.install(&device.send_model(7)).unwrap();
    let refused = |serial| {
        let error = device.install(&device.send_model(serial)).unwrap_err();
        assert!(
            matches!(error, UpdateError::Serial { last: 7, .. }),
            "{error}"
        );
    };
    [1, 5, 6, 7].into_iter().for_each(&refused);
    // Another name has no serials of its own.
    let other = device.send(
        "sent",
        &model("other", 6),
        "usher model other serial=6 board=any",
    );
    assert!(device.install(&other).is_err());
    // A lost record lowers nothing, and neither does a rollback.
    fs::remove_file(device.path("models/serials.toml")).unwrap();
    [5, 7].into_iter().for_each(&refused);
    device.roll_back_on(&RealDisk).unwrap();
    assert_eq!(device.in_use().as_deref(), Some("net-5"));
    [6, 7].into_iter().for_each(&refused);
    fs::write(device.path("models/serials.toml"), "model = 'x'").unwrap();
    let error = device.install(&device.send_model(8)).unwrap_err();
    assert!(matches!(error, UpdateError::Record { .. }), "{error}");
    fs::write(device.path("models/serials.toml"), "model = 20").unwrap();
    assert!(device.install(&device.send_model(20)).is_err());
    device.install(&device.send_model(21)).unwrap();
}

#[test]
fn the_mark_is_there_meanwhile_and_gone_after_a_failure() {
    let device = Device::new();
    let seen = RefCell::new(String::new());
    let trial = |_manifest: &Path| {
        *seen.borrow_mut() = fs::read_to_string(&device.config.update.mark).unwrap();
        Err(UpdateError::NoFolder)
    };
    let file = device.send_model(2);
    let failed = Installation::new(&device.config, now()).install_on(
        &RealDisk,
        &trial,
        (&file, &beside(&file)),
        &GalleryOrder::default(),
    );
    assert!(failed.is_err());
    assert_eq!(*seen.borrow(), "model net-2\n40\n");
    assert!(!device.config.update.mark.exists());
    assert_eq!((device.in_use(), device.names()), (None, vec![]));
    // The serial of what failed is not used up.
    device.install(&file).unwrap();
}

#[test]
fn one_installation_at_a_time() {
    let device = Device::new();
    let shelf = shelf::Shelf::open(device.models(), &RealDisk).unwrap();
    let error = device.install(&device.send_model(1)).unwrap_err();
    assert!(matches!(error, UpdateError::Held { .. }), "{error}");
    drop(shelf);
    device.install(&device.send_model(1)).unwrap();
}
