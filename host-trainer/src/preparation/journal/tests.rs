//! What a journal keeps through kills, and whom it refuses.

use super::*;
use crate::preparation::settings::{Faces, Limits};

fn settings() -> Settings {
    Settings {
        recipe: 1,
        photos: "/photos".into(),
        detector_sha256: "ab".into(),
        detector_side: 640,
        faces: Faces::One,
        follow_symlinks: false,
        limits: Limits {
            min_eye_px: 16.0,
            min_sharpness: 15.0,
        },
        duplicate_bits: Some(20),
        outliers: None,
        shard_mib: None,
    }
}

fn record(photo: &str, cause: Cause) -> Record {
    Record {
        identity: "ada\n\"1\"".into(),
        photo: photo.into(),
        bytes: 5,
        modified_ns: 6,
        found: Found::LeftOut {
            cause,
            detail: String::new(),
        },
    }
}

fn open(folder: &Path) -> Result<Journal, JournalError> {
    Journal::open(folder, &settings(), false, |_| Ok(()))
}

fn photos(journal: &Journal) -> Vec<String> {
    let done = journal.done();
    done.records
        .keys()
        .map(|(_, photo)| photo.clone())
        .collect()
}

#[test]
fn cut_anywhere_it_keeps_its_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let journal = open(folder.path()).unwrap();
    for photo in ["1.jpg", "2.jpg", "3.jpg"] {
        journal.photo(record(photo, Cause::NoFace)).unwrap();
    }
    drop(journal);
    let whole = std::fs::read(&path).unwrap();
    for length in (0..=whole.len()).step_by(3).chain([whole.len()]) {
        std::fs::write(&path, &whole[..length]).unwrap();
        let journal = open(folder.path()).unwrap();
        let lines = whole[..length]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        assert_eq!(
            photos(&journal).len(),
            lines.saturating_sub(1),
            "{length} bytes"
        );
        journal.photo(record("4.jpg", Cause::NoFace)).unwrap();
        drop(journal);
        let journal = open(folder.path()).unwrap();
        assert!(
            photos(&journal).contains(&"4.jpg".to_owned()),
            "{length} bytes"
        );
    }
}

#[test]
fn the_later_line_counts() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    journal.photo(record("1.jpg", Cause::NoFace)).unwrap();
    journal.photo(record("1.jpg", Cause::Blurred)).unwrap();
    drop(journal);
    let journal = open(folder.path()).unwrap();
    let records: Vec<Record> = journal.done().records.values().cloned().collect();
    assert_eq!(records, [record("1.jpg", Cause::Blurred)]);
}

#[test]
fn others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path()).unwrap();
    assert!(matches!(
        open(folder.path()),
        Err(JournalError::InUse { .. })
    ));
    drop(journal);

    let mut other = settings();
    other.limits.min_eye_px = 20.5;
    other.shard_mib = Some(4);
    let refused = Journal::open(folder.path(), &other, false, |_| Ok(()));
    let message = refused.unwrap_err().to_string();
    let expected = "(min_eye_px 16.0, now 20.5; shard_mib null, now 4)";
    assert!(message.contains(expected), "{message}");
    let cleared = Journal::open(folder.path(), &other, true, |_| Ok(())).unwrap();
    assert!(photos(&cleared).is_empty());
    drop(cleared);
    assert!(Journal::open(folder.path(), &other, false, |_| Ok(())).is_ok());

    // A journal that is none hides no foreign file.
    std::fs::write(folder.path().join(NAME), b"dear diary\n").unwrap();
    std::fs::write(folder.path().join("thesis.txt"), b"").unwrap();
    assert!(matches!(
        open(folder.path()),
        Err(JournalError::NotOurs { .. })
    ));
}

#[test]
fn a_photo_is_done_while_it_is_as_it_was() {
    let photo = |bytes, modified_ns| Photo {
        identity: "ada".into(),
        name: "1.jpg".into(),
        path: PathBuf::new(),
        bytes,
        modified_ns,
    };
    let done = record("1.jpg", Cause::Truncated);
    assert!(done.is_of(&photo(5, 6)));
    assert!(!done.is_of(&photo(4, 6)) && !done.is_of(&photo(5, 7)));
    // Permissions may have been given since.
    assert!(!record("1.jpg", Cause::Unreadable).is_of(&photo(5, 6)));
}
