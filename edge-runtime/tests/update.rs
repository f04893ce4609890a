//! Updates as somebody makes them: signed by the real minisign, installed by the real program, seen by a running kiosk.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use place::{Place, skip};
use serde_json::Value;
use shared::manifest::ModelManifest;
use shared::model_id::sha256_hex;

/// A place whose keys are trusted; none where minisign is missing.
struct Signing {
    place: Place,
}

impl Signing {
    fn new() -> Option<Self> {
        let place = Place::new()?;
        if Command::new("minisign").arg("-v").output().is_err() {
            skip("minisign is missing; apt-get install minisign");
            return None;
        }
        place.folder("trusted");
        let (public, secret) = (place.path("trusted/vendor.pub"), place.path("vendor.key"));
        let made = Command::new("minisign")
            .args(["-G", "-W", "-p"])
            .arg(public)
            .arg("-s")
            .arg(secret)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        place.folder("run");
        let settings = "\
[kiosk]
camera = 'replay:visit'
model = 'models/usher-small.toml'
gallery = 'people.gallery'
[metrics]
socket = 'run/usher.sock'
[screen]
backend = 'none'
[events]
path = 'events.jsonl'
[desk]
pin_file = 'operators.toml'
[update]
folder = 'installed'
trusted = 'trusted'
board = 'board'
mark = 'run/updating'
";
        fs::write(place.path("kiosk.toml"), settings).unwrap();
        Some(Self { place })
    }

    fn sign(&self, file: &Path, comment: &str) {
        let signed = Command::new("minisign")
            .arg("-S")
            .arg("-s")
            .arg(self.place.path("vendor.key"))
            .arg("-m")
            .arg(file)
            .args(["-t", comment])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    /// The repository's model by scripts/sign, under this serial.
    fn packed(&self, serial: u64) -> PathBuf {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/sign");
        let output = Command::new("bash")
            .arg(script)
            .arg(self.place.manifest())
            .args(["--serial", &serial.to_string(), "--key"])
            .arg(self.place.path("vendor.key"))
            .arg("--out")
            .arg(self.place.path("out"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        self.place.path(&format!("out/usher-small-{serial}.model"))
    }

    fn usher(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(
            &self
                .place
                .usher(&[arguments, &["--config", "kiosk.toml"]].concat()),
        )
    }

    fn install(&self, file: &Path) -> (Option<i32>, String) {
        self.usher(&["update", "install", file.to_str().unwrap()])
    }

    fn status(&self) -> Value {
        let (_, told) = self.usher(&["update", "status", "--json"]);
        serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_model_is_installed_and_counts_everywhere() {
    let Some(signing) = Signing::new() else {
        return;
    };
    assert_eq!(signing.status()["trusted_keys"], 1);
    let (code, told) = signing.install(&signing.packed(7));
    assert_eq!(code, Some(0), "{told}");
    assert!(
        told.contains("model usher-small-7, self-test passed"),
        "{told}"
    );
    let status = signing.status();
    assert_eq!(
        (&status["current"], &status["model_serial"]),
        (&"usher-small-7".into(), &7.into())
    );
    assert_eq!(status["model"], "installed/usher-small-7/model.toml");
    let (_, told) = signing.usher(&["doctor"]);
    assert!(told.contains("installed: usher-small, serial 7"), "{told}");
    let (code, told) = signing.install(&signing.packed(6));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("serial above 7"), "{told}");
    let (code, told) = signing.usher(&["update", "rollback"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(signing.status()["model"], "models/usher-small.toml");
}

#[test]
fn what_does_not_run_or_fit_is_refused() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let place = &signing.place;
    let mut manifest = ModelManifest::read(&place.manifest()).unwrap();
    // A gallery of the model that is there, then a model with other weights.
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));
    let network = fs::read(place.network()).unwrap();
    let pack = |manifest: &ModelManifest, network: &[u8], serial: u64| {
        let text = manifest.to_toml(Path::new("m")).unwrap();
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in [("model.toml", text.as_bytes()), (&manifest.onnx, network)] {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        let file = place.path("packed.model");
        fs::write(&file, builder.into_inner().unwrap()).unwrap();
        let comment = format!("usher model {} serial={serial} board=any", manifest.name);
        signing.sign(&file, &comment);
        file
    };
    // Digest.
    let mut damaged = network.clone();
    damaged[network.len() / 2] ^= 1;
    let (code, told) = signing.install(&pack(&manifest, &damaged, 1));
    assert_eq!((code, told.contains("sha256")), (Some(1), true), "{told}");
    // No network at all, with a right digest.
    manifest.sha256 = sha256_hex(b"no network");
    let (code, told) = signing.install(&pack(&manifest, b"no network", 1));
    assert_eq!(
        (code, told.contains("network that runs")),
        (Some(1), true),
        "{told}"
    );
    // Another recipe is another model, and the gallery is not its.
    manifest.sha256 = sha256_hex(&network);
    manifest.preprocessing.mean = 100.0;
    let (code, told) = signing.install(&pack(&manifest, &network, 1));
    assert_eq!(
        (code, told.contains("was made by model")),
        (Some(1), true),
        "{told}"
    );
    // Without a gallery it is taken.
    fs::remove_file(place.path("people.gallery")).unwrap();
    let (code, told) = signing.install(&pack(&manifest, &network, 1));
    assert_eq!(code, Some(0), "{told}");
    // No operating point: the kiosk would not start with it.
    manifest.operating_points.clear();
    let (code, told) = signing.install(&pack(&manifest, &network, 2));
    assert_eq!(
        (code, told.contains("operating point")),
        (Some(1), true),
        "{told}"
    );
    assert_eq!(signing.status()["model_serial"], 1);
}

#[test]
fn a_gallery_goes_the_way_of_a_restore() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let place = &signing.place;
    let manifest = ModelManifest::read(&place.manifest()).unwrap();
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));
    drop(place.gallery("other.gallery", manifest.model_id(), manifest.dimension));
    let sent = |of: &str, serial: u64| {
        let name = format!("sent-{serial}.gallery");
        let backup = place.usher(&["gallery", "backup", &name, "--gallery", of]);
        assert!(backup.status.success(), "{backup:?}");
        let file = place.path(&name);
        signing.sign(
            &file,
            &format!("usher gallery lobby serial={serial} board=any"),
        );
        file
    };
    let first = sent("people.gallery", 1);
    let (code, told) = signing.install(&first);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("gallery lobby-1: 0 people"), "{told}");
    assert_eq!(signing.status()["gallery_serial"], 1);
    assert!(signing.install(&first).1.contains("serial above 1"));
    let (code, told) = signing.install(&sent("other.gallery", 2));
    assert_eq!(
        (code, told.contains("one of another gallery")),
        (Some(1), true),
        "{told}"
    );
    // A running kiosk holds its gallery.
    let third = sent("people.gallery", 3);
    let lock = fs::File::options()
        .write(true)
        .open(place.path("people.gallery.lock"))
        .unwrap();
    lock.lock().unwrap();
    let (code, told) = signing.install(&third);
    assert_eq!(
        (code, told.contains("end it first")),
        (Some(1), true),
        "{told}"
    );
    drop(lock);
    assert_eq!(signing.install(&third).0, Some(0));
}

/// A kiosk that runs until this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_running_kiosk_is_well_and_says_when_it_is_updated() {
    let Some(signing) = Signing::new() else {
        return;
    };
    let place = &signing.place;
    let manifest = ModelManifest::read(&place.manifest()).unwrap();
    drop(place.gallery("people.gallery", manifest.model_id(), manifest.dimension));
    let visit = place.folder("visit");
    image::RgbImage::new(160, 120)
        .save(visit.join("0.png"))
        .unwrap();
    for frame in 1..1500 {
        fs::hard_link(visit.join("0.png"), visit.join(format!("{frame}.png"))).unwrap();
    }
    let (code, told) = signing.usher(&["health", "--wait", "1"]);
    assert_eq!(
        (code, told.contains("found none")),
        (Some(1), true),
        "{told}"
    );
    let child = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["run", "--config", "kiosk.toml"])
        .current_dir(place.path(""))
        .env("USHER_KEY", place.key())
        .stdout(Stdio::null())
        .stderr(fs::File::create(place.path("log")).unwrap())
        .spawn()
        .unwrap();
    let _running = Running(child);
    let (code, told) = signing.usher(&["health", "--wait", "60"]);
    let log = || fs::read_to_string(place.path("log")).unwrap();
    assert_eq!(code, Some(0), "{told}\n{}", log());
    assert!(
        told.starts_with("well: usher ") && told.contains("usher-small"),
        "{told}"
    );

    let state = |expected: &str| {
        let begin = Instant::now();
        loop {
            let (_, told) = said(&place.usher(&["status", "--json", "--socket", "run/usher.sock"]));
            let status: Value = serde_json::from_str(&told).unwrap();
            if status["state"] == expected {
                return status;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(20),
                "{expected}: {told}\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    };
    let status = state("idle");
    assert_eq!(status["model"]["source"], "models/usher-small.toml");
    assert_eq!(status["parts"].as_array().unwrap().len(), 3);
    fs::write(place.path("run/updating"), "usher 2.0\n30\n").unwrap();
    state("updating");
    let (code, told) = signing.usher(&["health", "--wait", "1"]);
    assert_eq!(
        (code, told.contains("being updated")),
        (Some(1), true),
        "{told}"
    );
    fs::remove_file(place.path("run/updating")).unwrap();
    state("idle");
    let begin = Instant::now();
    while fs::read_to_string(place.path("events.jsonl"))
        .unwrap()
        .matches("\"updating\"")
        .count()
        < 2
    {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(100));
    }
    let events = fs::read_to_string(place.path("events.jsonl")).unwrap();
    assert!(
        events.contains(r#""event":"updating","active":true,"what":"usher 2.0""#),
        "{events}"
    );
}
