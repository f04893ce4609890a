//! Gallery files as released versions wrote them, and as later ones might.
//!
//! A golden file is written once, by `UPDATE_GOLDEN=1 cargo test -p usher-shared golden`, where it is
//! not there yet: it holds fresh keys and nonces, so it is never the same twice, and it is never written over.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shared::atomic_file::{self, Readers};
use shared::gallery::frame::{HEAD_BYTES, Head, MARK};
use shared::gallery::header::HEADER_BYTES;
use shared::gallery::key::SealKind;
use shared::gallery::search::TemplateForm;
use shared::gallery::store::{Making, Opening};
use shared::gallery::{
    Act, Consent, Enrollee, Gallery, GalleryError, GalleryStore, KeyFile, NewTemplate, Passphrase,
    RemovalReason, Sealing,
};
use shared::{Embedding, SquaredL2};

use crate::kiosk::{DESK, NOON, model};

const ADA: [f32; 4] = [0.8, 0.6, 0.0, 0.0];
const ADA_WITH_GLASSES: [f32; 4] = [0.6, 0.8, 0.0, 0.0];
const BO: [f32; 4] = [0.0, 0.0, 1.0, 0.0];
const NOT_BO: [f32; 4] = [0.0, 0.6, 0.8, 0.0];
const STRANGER: [f32; 4] = [0.0, 0.0, 0.0, 1.0];

/// A golden file's place in the repository.
fn golden(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    data.join(name)
}

/// The key file that seals the golden file: 32 times 0x42.
fn key_file(folder: &Path) -> KeyFile {
    let path = folder.join("key");
    let text = format!("usher-gallery-key-1 {}\n", "42".repeat(32));
    atomic_file::replace(&path, text.as_bytes(), Readers::Owner).unwrap();
    KeyFile::at(&path)
}

fn passphrase() -> Passphrase {
    Passphrase::new("a golden passphrase").unwrap()
}

fn template(values: [f32; 4], label: Option<&str>) -> NewTemplate {
    NewTemplate {
        embedding: Embedding::from_raw(values.to_vec()).unwrap(),
        label: label.map(str::to_owned),
        taken_at: NOON,
    }
}

fn enrollee(name: &str, templates: Vec<NewTemplate>) -> Enrollee {
    Enrollee {
        name: name.to_owned(),
        consent: Consent::given("I agree.", NOON, "front desk", 365).unwrap(),
        templates,
    }
}

/// Writes a golden file where there is none: every kind of record is in it, most behind the base.
fn write_once(path: &Path, sealing: Sealing<'_>) {
    if path.exists() || std::env::var_os("UPDATE_GOLDEN").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("people.gallery");
    let making = Making {
        sealing,
        model: model(),
        dimension: 4,
        form: TemplateForm::Full,
        rotated: sealing.kind() != SealKind::Plain,
    };
    let mut store = GalleryStore::create(&made, &making, DESK).unwrap();
    let ada = enrollee("Ada", vec![template(ADA, None)]);
    let ada = store.enroll(&ada, DESK).unwrap();
    let cy = enrollee("Cy", vec![template(STRANGER, None)]);
    let cy = store.enroll(&cy, DESK).unwrap();
    store.back_up(&folder.path().join("monday"), DESK).unwrap();
    store.remove(cy, RemovalReason::Asked, DESK).unwrap();
    let bo = enrollee("Bo", vec![template(STRANGER, None), template(BO, None)]);
    let bo = store.enroll(&bo, DESK).unwrap();
    let glasses = template(ADA_WITH_GLASSES, Some("glasses"));
    store.add_templates(ada, &[glasses], DESK).unwrap();
    store.rename(ada, "Ada Lovelace", DESK).unwrap();
    store.keep_templates(bo, &[1], DESK).unwrap();
    let longer = Consent::given("I agree to more.", NOON, "desk 2", 730).unwrap();
    store.renew_consent(bo, &longer, DESK).unwrap();
    store
        .add_negative_anchors(bo, &[template(NOT_BO, None)], DESK)
        .unwrap();
    store.set_cohort(&[template(STRANGER, None)], DESK).unwrap();
    fs::copy(&made, path).unwrap();
}

fn check(gallery: &Gallery, ada_is: &str) {
    let (ada, bo) = (gallery.named(ada_is).unwrap(), gallery.named("Bo").unwrap());
    assert_eq!((ada.id().number(), bo.id().number()), (1, 3));
    assert_eq!((gallery.people(), gallery.templates()), (2, 3));
    for (known, text, operator, days) in [
        (ada, "I agree.", "front desk", 365),
        (bo, "I agree to more.", "desk 2", 730),
    ] {
        let consent = known.consent();
        assert_eq!(consent.text_sha256()[..], Sha256::digest(text)[..]);
        assert_eq!((consent.operator(), consent.given_at()), (operator, NOON));
        assert_eq!(consent.expires_at(), NOON.plus_days(days));
        assert_eq!(known.enrolled_at(), NOON);
    }
    let labels = |known: &shared::Identity| -> Vec<_> {
        let labels = known.templates().iter().map(|template| template.label());
        labels.map(|label| label.map(str::to_owned)).collect()
    };
    assert_eq!(labels(ada), [None, Some("glasses".to_owned())]);
    assert_eq!(labels(bo), [None]);
    for (known, expected) in [(ada, &[ADA, ADA_WITH_GLASSES][..]), (bo, &[BO])] {
        let stored = gallery.embeddings(known.id());
        assert_eq!(stored.len(), expected.len());
        for (stored, expected) in stored.iter().zip(expected) {
            let expected = Embedding::from_raw(expected.to_vec()).unwrap();
            assert!(SquaredL2::between(stored, &expected).value() < 1e-12);
        }
    }
    let probe = Embedding::from_raw(BO.to_vec()).unwrap();
    assert_eq!(gallery.nearest(&probe).unwrap().identity, bo.id());
    assert_eq!((bo.negative_anchors(), gallery.cohort()), (1, 1));
    let [removal] = gallery.removals() else {
        panic!("one removal")
    };
    assert_eq!(
        (removal.person().number(), removal.reason),
        (2, RemovalReason::Asked)
    );
    assert_eq!(gallery.backups_with(removal.person()).len(), 1);
    let acts: Vec<Act> = gallery.history().map(|entry| entry.act).take(5).collect();
    let expected = [
        Act::Wrote,
        Act::Enrolled,
        Act::Enrolled,
        Act::BackedUp,
        Act::Removed,
    ];
    assert_eq!(acts, expected);
}

/// Reads a golden file, then opens a copy, changes it and reads that.
fn read_and_write(name: &str, sealing: Sealing<'_>) {
    write_once(&golden(name), sealing);
    let gallery = Gallery::read(&golden(name), &model(), sealing).unwrap();
    check(&gallery, "Ada Lovelace");
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("people.gallery");
    fs::copy(golden(name), &copy).unwrap();
    let opening = Opening {
        sealing,
        model: Some(&model()),
        accept_loss: false,
    };
    let (mut store, report) = GalleryStore::open(&copy, &opening).unwrap();
    assert!(
        report.without_counter && report.cut_bytes == 0,
        "{report:?}"
    );
    let ada = store.gallery().named("Ada Lovelace").unwrap().id();
    store.rename(ada, "Ada", DESK).unwrap();
    store.compact(DESK).unwrap();
    drop(store);
    check(&Gallery::read(&copy, &model(), sealing).unwrap(), "Ada");
}

#[test]
fn golden_2_0_plain_is_read() {
    read_and_write("gallery-2.0-plain.gallery", Sealing::Plain);
}

#[test]
fn golden_2_0_sealed_by_a_key_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let key = key_file(folder.path());
    read_and_write("gallery-2.0-key.gallery", Sealing::By(&key));
}

#[test]
fn golden_2_0_sealed_by_a_passphrase_is_read() {
    let passphrase = passphrase();
    read_and_write("gallery-2.0-passphrase.gallery", Sealing::By(&passphrase));
}

/// The golden plain file, changed, in a folder of its own.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.gallery");
    let mut bytes = fs::read(golden("gallery-2.0-plain.gallery")).unwrap();
    change(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    (folder, path)
}

#[test]
fn golden_of_another_major_version_is_refused() {
    for (major, words) in [
        (
            1,
            "found format 1.0; that was before consents were kept and files sealed: enroll again",
        ),
        (3, "found format 3.0; update usher"),
    ] {
        let (_folder, path) = changed(|bytes| bytes[8] = major);
        let error = Gallery::read(&path, &model(), Sealing::Plain).unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

#[test]
fn golden_of_a_newer_minor_version_is_read_and_never_written() {
    let (_folder, path) = changed(|bytes| {
        bytes[10] = 1;
        seal_header(bytes);
        chain(bytes);
        // A change that this build does not know, one with more fields than it knows, one that it knows.
        append(bytes, 0, 0, &[13, 1, 2, 3]);
        append(bytes, 2, 1, b"\x04\x05Ada L and more fields");
        append(bytes, 2, 3, &[200, 1, 9, 9]);
        append(bytes, 2, 1, b"\x04\x03Ada");
    });
    let before = fs::read(&path).unwrap();
    check(
        &Gallery::read(&path, &model(), Sealing::Plain).unwrap(),
        "Ada",
    );
    let opening = Opening {
        sealing: Sealing::Plain,
        model: None,
        accept_loss: false,
    };
    let error = GalleryStore::open(&path, &opening).err().unwrap();
    assert!(
        matches!(
            error,
            GalleryError::Newer {
                major: 2,
                minor: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("update usher"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
    // The same in a file that says it is of this version is no gallery of this build's.
    let (_folder, path) = changed(|bytes| append(bytes, 0, 0, &[13, 1, 2, 3]));
    let error = Gallery::read(&path, &model(), Sealing::Plain).unwrap_err();
    assert!(
        error.to_string().contains("a body that is no record"),
        "{error}"
    );
}

/// Makes the header's digest fit again.
fn seal_header(bytes: &mut [u8]) {
    let digest = Sha256::digest(&bytes[..HEADER_BYTES - 32]);
    bytes[HEADER_BYTES - 32..HEADER_BYTES].copy_from_slice(&digest);
}

/// Makes every record's digest fit again; returns the last one and its number.
fn chain(bytes: &mut [u8]) -> ([u8; 32], u64) {
    let mut digest: [u8; 32] = bytes[HEADER_BYTES - 32..HEADER_BYTES].try_into().unwrap();
    let (mut at, mut sequence) = (HEADER_BYTES, 0);
    while at < bytes.len() {
        let head = Head::decode(&bytes[at..]).unwrap();
        let end = at + head.frame_bytes();
        digest = shared::gallery::frame::digest(&digest, &bytes[at..end - 32]);
        bytes[end - 32..end].copy_from_slice(&digest);
        (at, sequence) = (end, head.sequence);
    }
    (digest, sequence)
}

/// Appends a record by the front desk.
fn append(bytes: &mut Vec<u8>, kind: u8, person: u32, change: &[u8]) {
    let (previous, sequence) = chain(bytes);
    // Time 1, operator "desk".
    let payload = [&[1, 4], &b"desk"[..], change].concat();
    let mut frame = MARK.to_vec();
    frame.extend((payload.len() as u32).to_le_bytes());
    frame.extend([kind, 0, 0, 0]);
    frame.extend(person.to_le_bytes());
    frame.extend((sequence + 1).to_le_bytes());
    let check = Sha256::digest(&frame);
    frame.extend(&check[..4]);
    frame.extend(payload);
    let digest = shared::gallery::frame::digest(&previous, &frame);
    bytes.extend(frame);
    bytes.extend(digest);
}

/// The golden plain file as the fuzz target `gallery_bodies` takes it: bodies without heads and digests.
#[test]
fn golden_bodies_are_a_seed_of_the_fuzz_target() {
    let bytes = fs::read(golden("gallery-2.0-plain.gallery")).unwrap();
    let mut seed = vec![bytes[10], bytes[44], bytes[80]];
    let mut at = HEADER_BYTES;
    while at < bytes.len() {
        let head = Head::decode(&bytes[at..]).unwrap();
        let body = &bytes[at + HEAD_BYTES..][..head.payload_bytes];
        seed.extend([bytes[at + 8], bytes[at + 12]]);
        seed.extend((body.len() as u16).to_le_bytes());
        seed.extend(body);
        at += head.frame_bytes();
    }
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    let path = seeds.join("gallery_bodies/gallery-2.0");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &seed).unwrap();
    }
    assert_eq!(fs::read(&path).unwrap(), seed);
}
