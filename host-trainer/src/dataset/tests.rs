//! What is read of each layout, and what is refused.

use std::path::Path;

use super::*;

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_folder_is_read_in_the_order_of_names_without_lone_pictures() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "b/2.jpg",
        "b/1.PNG",
        "a/1.jpg",
        "a/2.jpg",
        "lone/1.jpg",
        "b/notes.txt",
    ] {
        write(&folder.path().join(name), name.as_bytes());
    }
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.identities, ["a", "b"]);
    let held: Vec<_> = (0..4).map(|it| dataset.bytes(it).unwrap()).collect();
    assert_eq!(held, [&b"a/1.jpg"[..], b"a/2.jpg", b"b/1.PNG", b"b/2.jpg"]);
    let whose: Vec<usize> = dataset.pictures.iter().map(|it| it.identity).collect();
    assert_eq!(whose, [0, 0, 1, 1]);
    let before = dataset.digest();
    write(&folder.path().join("a/2.jpg"), b"another");
    assert_ne!(Dataset::open(folder.path()).unwrap().digest(), before);
}

/// Two tars with two identities in common, and a manifest that lists `listed` of the first.
fn tars(folder: &Path, listed: &[&str]) {
    let mut manifest = "tar\tpath\tidentity\tsource\tlicence\n".to_owned();
    for (tar, paths) in [("one.tar", listed), ("two.tar", &["a/3.jpg", "b/1.jpg"])] {
        let mut archive = tar::Builder::new(std::fs::File::create(folder.join(tar)).unwrap());
        for path in ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.jpg"] {
            let mut header = tar::Header::new_gnu();
            header.set_size(path.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, path, path.as_bytes())
                .unwrap();
        }
        archive.finish().unwrap();
        for path in paths {
            let identity = &path[..1];
            manifest += &format!("{tar}\t{path}\t{identity}\tset of {tar}\tresearch\n");
        }
    }
    write(&folder.join("manifest.tsv"), manifest.as_bytes());
}

#[test]
fn tars_give_what_their_manifest_lists() {
    let folder = tempfile::tempdir().unwrap();
    tars(folder.path(), &["a/1.jpg", "b/1.jpg"]);
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.pictures.len(), 4);
    let names: Vec<&str> = dataset
        .sources
        .iter()
        .map(|source| &source.name[..])
        .collect();
    assert_eq!(names, ["set of one.tar", "set of two.tar"]);
    assert_eq!(
        (dataset.sources[0].pictures, dataset.sources[0].identities),
        (2, 2)
    );
}

#[test]
fn a_tar_without_a_listed_picture_is_named() {
    let folder = tempfile::tempdir().unwrap();
    tars(folder.path(), &["a/1.jpg", "a/9.jpg"]);
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("one.tar") && error.contains("a/9.jpg"),
        "{error}"
    );
}

#[test]
fn a_manifest_line_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("manifest.tsv"), b"head\nonly\ttwo\n");
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("manifest.tsv, line 2"), "{error}");
}

#[test]
fn one_identity_is_nothing_to_learn_from() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("a/1.jpg"), b"1");
    write(&folder.path().join("a/2.jpg"), b"2");
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds 1 identities"), "{error}");
}
