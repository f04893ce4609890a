//! The real program prepares real faces: outcomes by cause, kills and threads, changes, shards.
//!
//! Needs the detector and a few portraits; what is missing is said and skipped.
#![allow(clippy::unwrap_used, reason = "a test's panic is its report")]

#[path = "../../shared/tests/skip/mod.rs"]
mod skip;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use host_trainer::preparation::cause::Cause;
use host_trainer::preparation::report::Report;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use skip::{data_folder, skip};

/// Portraits of one person each, by whom they show.
const PORTRAITS: [(&str, &str); 6] = [
    ("obama", "obama.jpg"),
    ("obama", "obama2.jpg"),
    ("obama", "obama3.jpg"),
    ("biden", "biden.jpg"),
    ("biden", "biden2.jpg"),
    ("astronaut", "astronaut.png"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the models' folder.
fn model(name: &str) -> Option<PathBuf> {
    let folder =
        std::env::var_os("USHER_MODELS").map_or_else(|| root().join("models"), PathBuf::from);
    let path = folder.join(name);
    if path.exists() {
        return Some(path.canonicalize().unwrap());
    }
    skip(&format!("{} is missing; run scripts/setup", path.display()));
    None
}

/// A portrait at 480 pixels a side at most, from the data folder or from where scripts/setup puts them.
fn portrait(name: &str) -> Option<RgbImage> {
    let fetched = fs::read_dir(root().join(".demo/pictures"));
    let path = fetched
        .into_iter()
        .flatten()
        .flatten()
        .map(|folder| folder.path().join(name))
        .chain([data_folder().join("demo").join(name)])
        .find(|path| path.exists())?;
    Some(
        image::open(path)
            .unwrap()
            .resize(480, 480, FilterType::Triangle)
            .into_rgb8(),
    )
}

/// All portraits that are there; none, said, when they are fewer than three.
fn portraits() -> Option<Vec<(&'static str, RgbImage)>> {
    let found: Vec<_> = PORTRAITS
        .iter()
        .filter_map(|(who, name)| Some((*who, portrait(name)?)))
        .collect();
    if found.len() < 3 {
        skip(
            "fewer than three portraits in ../shared/data/demo and .demo/pictures; run scripts/setup",
        );
        return None;
    }
    Some(found)
}

fn jpeg(image: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    image.write_with_encoder(encoder).unwrap();
    bytes
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Two cuts of every portrait, far enough apart to be no duplicates; returns how many.
fn photos(folder: &Path) -> Option<usize> {
    let mut count = 0;
    for (number, (who, image)) in portraits()?.into_iter().enumerate() {
        let (width, height) = image.dimensions();
        for (cut, (left, right)) in [(0, 0), (width / 9, 0)].into_iter().enumerate() {
            let part = imageops::crop_imm(&image, left, 0, width - left - right, height);
            let name = format!("{who}/{number}-{cut}.jpg");
            write(&folder.join(name), &jpeg(&part.to_image(), 90));
            count += 1;
        }
    }
    Some(count)
}

fn command(folder: &Path, detector: &Path, out: &str, extra: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher-train"));
    command.current_dir(folder).arg("prepare");
    command.args(["--photos", "photos", "--out", out, "--detector-side", "320"]);
    command.arg("--detector").arg(detector).args(extra);
    command
}

fn prepare(folder: &Path, detector: &Path, out: &str, extra: &[&str]) -> Output {
    command(folder, detector, out, extra).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Every file below a folder but the journal, with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("prepare.journal") {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn names(folder: &Path) -> Vec<String> {
    let files = files(folder);
    files
        .keys()
        .map(|path| path.display().to_string())
        .collect()
}

/// How many faces there are, while another process writes there.
fn faces_of(folder: &Path) -> usize {
    let inside = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    inside(folder)
        .flat_map(|identity| inside(&identity.path()))
        .filter(|face| face.file_name().to_string_lossy().ends_with(".jpg"))
        .count()
}

#[test]
fn every_photo_has_its_outcome() {
    let (Some(detector), Some(portraits)) = (model("yunet.onnx"), portraits()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join("photos").join(path);
    let (first, second) = (&portraits[0].1, &portraits[1].1);
    let whole = jpeg(first, 90);
    write(&at("ada/1.jpg"), &whole);
    second.save(at("ada/1.png")).unwrap();
    // A PNG by name, a JPEG by content.
    write(&at("ada/misnamed.png"), &jpeg(&portraits[2].1, 90));
    let half = |image: &RgbImage, by: u32| {
        let (width, height) = image.dimensions();
        imageops::resize(image, width / by, height / by, FilterType::Triangle)
    };
    write(&at("ada/copy.jpg"), &jpeg(&half(first, 2), 80));
    write(&at("bob/mislabeled.jpg"), &jpeg(first, 70));
    write(&at("bob/small.jpg"), &jpeg(&half(first, 6), 95));
    write(
        &at("bob/blurred.jpg"),
        &jpeg(&imageops::blur(first, 8.0), 95),
    );
    let mut both = RgbImage::new(2 * first.width(), first.height());
    imageops::replace(&mut both, first, 0, 0);
    imageops::replace(&mut both, first, i64::from(first.width()), 0);
    write(&at("bob/both.jpg"), &jpeg(&both, 90));
    write(&at("bob/nobody.jpg"), &jpeg(&RgbImage::new(320, 240), 90));
    write(&at("bad/empty.jpg"), b"");
    write(&at("bad/cut.jpg"), &whole[..whole.len() / 2]);
    write(&at("bad/text.jpg"), b"no picture at all");
    let bomb = fs::read(root().join("shared/tests/data/bomb.png")).unwrap();
    write(&at("bad/bomb.png"), &bomb);
    write(&at("bad/deep/1.jpg"), &whole);
    write(&at("loose.jpg"), &whole);
    write(&at("bad/notes.txt"), b"none of it");

    let output = prepare(
        folder.path(),
        &detector,
        "out",
        &["--max-bad", "1", "--json"],
    );
    let report: Report = serde_json::from_str(&done(output)).unwrap();
    let out = folder.path().join("out");
    assert_eq!(Report::read(&out).unwrap(), report);
    let expected: BTreeMap<Cause, usize> = [
        Cause::NoFace,
        Cause::SeveralFaces,
        Cause::TooSmall,
        Cause::Blurred,
        Cause::Duplicate,
        Cause::Empty,
        Cause::Truncated,
        Cause::NotAPicture,
        Cause::TooLarge,
        Cause::TooDeep,
        Cause::NoIdentity,
    ]
    .map(|cause| (cause, 1))
    .into();
    assert_eq!(report.left_out, expected, "{:#?}", report.photos_left_out);
    assert_eq!((report.photos, report.kept, report.other_files), (15, 4, 1));
    let kept = [
        "ada/1.jpg.jpg",
        "ada/1.png.jpg",
        "ada/misnamed.png.jpg",
        "bob/mislabeled.jpg.jpg",
    ];
    assert_eq!(names(&out), [&kept[..], &["report.json"]].concat());
    assert_eq!(report.too_few, ["bad", "bob"]);
    assert_eq!(report.misnamed[0].photo, "ada/misnamed.png");
    assert_eq!(
        report.alike_across_identities,
        [["ada/1.jpg", "bob/mislabeled.jpg"]]
    );
    let face = image::open(out.join(kept[0])).unwrap();
    assert_eq!((face.width(), face.height()), (128, 128));

    // Another policy: the picture of two has a face now. Other settings are refused by name.
    let extra = ["--max-bad", "1", "--faces", "largest"];
    let refused = prepare(folder.path(), &detector, "out", &extra);
    assert_eq!(refused.status.code(), Some(1));
    let message = said(&refused);
    assert!(
        message.contains("faces \"one\", now \"largest\""),
        "{message}"
    );
    fs::write(out.join("ada/mine.txt"), b"kept").unwrap();
    let anew = [&extra[..], &["--overwrite", "--keep-duplicates"]].concat();
    let table = done(prepare(folder.path(), &detector, "out", &anew));
    assert!(
        !table.contains("several faces") && table.contains("left out: blurred"),
        "{table}"
    );
    assert!(out.join("bob/both.jpg.jpg").exists() && out.join("ada/copy.jpg.jpg").exists());
    assert_eq!(fs::read(out.join("ada/mine.txt")).unwrap(), b"kept");
}

#[test]
fn threads_and_kills_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(detector) = model("yunet.onnx") else {
        return;
    };
    let Some(count) = photos(&folder.path().join("photos")) else {
        return;
    };
    done(prepare(
        folder.path(),
        &detector,
        "one",
        &["--threads", "1"],
    ));
    let expected = files(&folder.path().join("one"));
    let kept = expected.len() - 1;
    assert!(kept + 2 >= count, "{kept} of {count} kept");
    done(prepare(
        folder.path(),
        &detector,
        "three",
        &["--threads", "3"],
    ));
    assert!(files(&folder.path().join("three")) == expected);

    // Killed ever later, in one folder, until a run comes through.
    let out = folder.path().join("killed");
    for faces in [2, kept / 2] {
        let mut child = command(folder.path(), &detector, "killed", &["--threads", "2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while faces_of(&out) < faces {
            assert!(
                child.try_wait().unwrap().is_none(),
                "it ended before {faces} faces"
            );
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!out.join("report.json").exists());
        for (name, bytes) in files(&out) {
            let is_temporary = name.to_string_lossy().contains(".writing-");
            assert!(
                is_temporary || expected[&name] == bytes,
                "{}",
                name.display()
            );
        }
    }
    // What a crash may leave besides: a torn line.
    let journal = out.join("prepare.journal");
    let lines = fs::read(&journal).unwrap();
    let done_before = lines.iter().filter(|byte| **byte == b'\n').count() - 1;
    fs::write(
        &journal,
        [&lines[..], b"{\"photo\":{\"identity\":\"oba"].concat(),
    )
    .unwrap();
    done(prepare(folder.path(), &detector, "killed", &[]));
    assert!(files(&out) == expected);
    // A line for each photo: what was done before a kill was not done again after it.
    let lines = fs::read_to_string(&journal).unwrap();
    assert!(lines.starts_with(std::str::from_utf8(&fs::read(&journal).unwrap()[..20]).unwrap()));
    assert_eq!(
        lines.lines().count(),
        count + 1,
        "{done_before} were done before"
    );
}

#[test]
fn changes_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let Some(detector) = model("yunet.onnx") else {
        return;
    };
    if photos(&at("photos")).is_none() {
        return;
    }
    done(prepare(folder.path(), &detector, "out", &[]));
    let before = files(&at("out"));
    let lines = || {
        fs::read_to_string(at("out/prepare.journal"))
            .unwrap()
            .lines()
            .count()
    };
    let lines_before = lines();

    // Nothing changed: nothing is done.
    done(prepare(folder.path(), &detector, "out", &[]));
    assert!(files(&at("out")) == before);
    assert_eq!(lines(), lines_before);

    // One changed to another face, one to none, one removed, one of the faces lost.
    let other = fs::read(at("photos/obama/1-0.jpg")).unwrap();
    write(
        &at("photos/obama/0-0.jpg"),
        &jpeg(&RgbImage::new(320, 240), 90),
    );
    fs::remove_file(at("photos/obama/1-0.jpg")).unwrap();
    write(&at("photos/obama/0-1.jpg"), &other);
    fs::remove_file(at("out/obama/2-0.jpg.jpg")).unwrap();
    done(prepare(folder.path(), &detector, "out", &[]));
    assert_eq!(lines(), lines_before + 3);
    let mut expected = before.clone();
    let face = |name: &str| PathBuf::from(format!("obama/{name}.jpg"));
    expected.remove(&face("0-0.jpg"));
    let moved = expected.remove(&face("1-0.jpg")).unwrap();
    expected.insert(face("0-1.jpg"), moved);
    let mut after = files(&at("out"));
    let report = Path::new("report.json");
    assert!(after.remove(report) != expected.remove(report));
    assert!(after == expected);
}

#[test]
fn shards_hold_the_same_faces() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let Some(detector) = model("yunet.onnx") else {
        return;
    };
    if photos(&at("photos")).is_none() {
        return;
    }
    done(prepare(folder.path(), &detector, "plain", &[]));
    done(prepare(
        folder.path(),
        &detector,
        "tars",
        &["--shards", "1"],
    ));
    assert_eq!(names(&at("tars")), ["report.json", "shard-000000.tar"]);
    let mut plain = files(&at("plain"));
    plain.remove(Path::new("report.json"));
    let mut packed = BTreeMap::new();
    let mut archive = tar::Archive::new(fs::File::open(at("tars/shard-000000.tar")).unwrap());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        packed.insert(entry.path().unwrap().into_owned(), bytes);
    }
    assert!(packed == plain);

    // A photo more: the others come out of the shard and are not cut again.
    let lines = || {
        fs::read_to_string(at("tars/prepare.journal"))
            .unwrap()
            .lines()
            .count()
    };
    let before = lines();
    done(prepare(
        folder.path(),
        &detector,
        "tars",
        &["--shards", "1"],
    ));
    assert_eq!(lines(), before);
    fs::copy(at("photos/obama/0-0.jpg"), at("photos/biden/new.jpg")).unwrap();
    done(prepare(
        folder.path(),
        &detector,
        "tars",
        &["--shards", "1"],
    ));
    assert_eq!(lines(), before + 1);
    done(prepare(
        folder.path(),
        &detector,
        "anew",
        &["--shards", "1"],
    ));
    assert!(files(&at("tars")) == files(&at("anew")));
}

#[test]
fn a_wrong_label_is_told_and_left_out_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let (Some(detector), Some(usher_small)) = (model("yunet.onnx"), model("usher-small.toml"))
    else {
        return;
    };
    if photos(&at("photos")).is_none() {
        return;
    }
    let Some(wrong) = portrait("grace_hopper.jpg") else {
        skip("no portrait of somebody else; run scripts/setup");
        return;
    };
    write(&at("photos/obama/wrong.jpg"), &jpeg(&wrong, 90));
    let model = usher_small.to_str().unwrap();
    let extra = ["--keep-duplicates", "--model", model, "--json"];
    let run = |out: &str, extra: &[&str]| -> Report {
        serde_json::from_str(&done(prepare(folder.path(), &detector, out, extra))).unwrap()
    };
    let told = run("told", &extra);
    let unlike: Vec<&str> = told
        .unlike_their_identity
        .iter()
        .map(|one| &one.photo[..])
        .collect();
    assert_eq!(unlike, ["obama/wrong.jpg"]);
    assert!(at("told/obama/wrong.jpg.jpg").exists());
    let dropping = [&extra[..], &["--drop-outliers"]].concat();
    let dropped = run("dropped", &dropping);
    assert_eq!(dropped.left_out[&Cause::Outlier], 1);
    assert!(!at("dropped/obama/wrong.jpg.jpg").exists());
    // Gone on with, nothing is embedded or cut again.
    let journal = || fs::read(at("dropped/prepare.journal")).unwrap();
    let before = journal();
    assert_eq!(run("dropped", &dropping), dropped);
    assert!(journal() == before);
}

#[cfg(unix)]
#[test]
fn too_many_bad_ones_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    write(&at("detector.onnx"), b"never loaded");
    fs::create_dir_all(at("photos/ada/deep")).unwrap();
    for number in 0..19 {
        let link = at(&format!("photos/ada/{number:02}.jpg"));
        std::os::unix::fs::symlink("/nowhere", link).unwrap();
    }
    let output = prepare(folder.path(), &at("detector.onnx"), "out", &[]);
    let message = said(&output);
    assert_eq!(output.status.code(), Some(1));
    for part in [
        "at most 20 % of 20",
        "found 20",
        "symbolic link 19 (e.g. ada/00.jpg)",
        "--max-bad",
    ] {
        assert!(message.contains(part), "{part} in {message}");
    }
    // One fewer than a share is told of: nothing is kept, which is another error.
    fs::remove_dir(at("photos/ada/deep")).unwrap();
    let message = said(&prepare(folder.path(), &at("detector.onnx"), "out", &[]));
    assert!(message.contains("could be aligned"), "{message}");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    write(&at("detector.onnx"), b"never loaded");
    write(&at("photos/ada/notes.txt"), b"");
    write(&at("out/thesis.txt"), b"years");
    for (out, part) in [
        ("out", "found thesis.txt"),
        ("photos/aligned", "outside of the photos"),
    ] {
        let output = prepare(folder.path(), &at("detector.onnx"), out, &["--overwrite"]);
        let message = said(&output);
        assert!(
            !output.status.success() && message.contains(part),
            "{message}"
        );
    }
    assert_eq!(
        names(&at("")),
        ["detector.onnx", "out/thesis.txt", "photos/ada/notes.txt"]
    );
    assert!(!at("photos/aligned").exists());
}
