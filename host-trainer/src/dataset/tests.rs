//! What is read of each layout, and what is refused.

use std::path::Path;

use super::layout::FolderStyle;
use super::*;

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Sets written as tar files, a folder per identity inside: (tar's name, its identities and
/// how many pictures of each). A picture is a small BMP whose color is its own.
pub(super) fn set(
    tars: &[(&str, &[(String, usize)])],
    memory_bytes: u64,
) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let mut color = 0_u32;
    for (name, identities) in tars {
        let members = identities.iter().flat_map(|(identity, count)| {
            (0..*count).map(move |number| format!("{identity}/{number:03}.bmp"))
        });
        let members: Vec<(String, Vec<u8>)> = members
            .map(|path| {
                color += 1;
                (path, bmp(color))
            })
            .collect();
        write_tar(&folder.path().join(format!("{name}.tar")), &members);
    }
    let dataset = Dataset::open_within(folder.path(), memory_bytes).unwrap();
    (folder, dataset)
}

/// A set of `shards` shards with 30 pictures each, of `identities` identities one after another,
/// so that some span two shards; a BMP takes 102 bytes.
pub(super) fn in_shards(
    shards: usize,
    identities: usize,
    memory_bytes: u64,
) -> (tempfile::TempDir, Dataset) {
    let pictures = shards * 30;
    let each = pictures / identities;
    let folder = tempfile::tempdir().unwrap();
    let members: Vec<(String, Vec<u8>)> = (0..pictures)
        .map(|number| {
            let identity = number / each;
            (format!("{identity:04}/{number:05}.bmp"), bmp(number as u32))
        })
        .collect();
    for (shard, members) in members.chunks(30).enumerate() {
        write_tar(&folder.path().join(format!("set-{shard:06}.tar")), members);
    }
    let dataset = Dataset::open_within(folder.path(), memory_bytes).unwrap();
    (folder, dataset)
}

/// Four by four pixels of one color.
pub(super) fn bmp(color: u32) -> Vec<u8> {
    let [_, red, green, blue] = (color * 77_777).to_be_bytes();
    let picture = image::RgbImage::from_pixel(4, 4, image::Rgb([red, green, blue]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Bmp)
        .unwrap();
    bytes.into_inner()
}

pub(super) fn write_tar(path: &Path, members: &[(String, Vec<u8>)]) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).unwrap());
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, &bytes[..]).unwrap();
    }
    archive.finish().unwrap();
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
        let members = ["a/1.jpg", "a/2.jpg", "a/3.jpg", "b/1.jpg"];
        let members = members.map(|path| (path.to_owned(), path.as_bytes().to_vec()));
        write_tar(&folder.join(tar), &members);
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

/// Empty files, two of each identity, where only names matter.
fn files(folder: &Path, names: &[&str]) -> Layout {
    for name in names {
        write(&folder.join(name), name.as_bytes());
    }
    Dataset::open(folder).unwrap().layout
}

#[test]
fn layouts_of_folders_are_told_apart() {
    let vgg = [
        "train/n000001/0001_01.jpg",
        "train/n000001/0002_01.jpg",
        "train/n000007/0001_01.jpg",
        "train/n000007/0003_02.jpg",
        "test/n000009/0001_01.jpg",
        "test/n000009/0002_01.jpg",
    ];
    let casia = [
        "0000045/001.jpg",
        "0000045/002.jpg",
        "0000099/001.jpg",
        "0000099/002.jpg",
    ];
    let lfw = [
        "lfw/Ada_L/Ada_L_0001.jpg",
        "lfw/Ada_L/Ada_L_0002.jpg",
        "lfw/Bob/Bob_0001.jpg",
        "lfw/Bob/Bob_0002.jpg",
    ];
    let plain = ["Ada/1.jpg", "Ada/2.jpg", "train/1.jpg", "train/2.jpg"];
    for (names, style, inside, said) in [
        (
            &vgg[..],
            FolderStyle::VggFace2,
            Some("train"),
            "VGGFace2, in train/",
        ),
        (&casia[..], FolderStyle::CasiaWebFace, None, "CASIA-WebFace"),
        (&lfw[..], FolderStyle::Lfw, Some("lfw"), "LFW, in lfw/"),
        (
            &plain[..],
            FolderStyle::Plain,
            None,
            "a folder per identity",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let layout = files(folder.path(), names);
        let inside = inside.map(str::to_owned);
        assert_eq!(layout, Layout::Folders { style, inside });
        assert!(layout.to_string().ends_with(said), "{layout}");
        let dataset = Dataset::open(folder.path()).unwrap();
        assert_eq!(dataset.identities.len(), 2);
        assert_eq!(dataset.name(0), folder.path().join(names[0]));
    }
}

#[test]
fn shards_have_identities_by_folder_or_by_label() {
    let folder = tempfile::tempdir().unwrap();
    let text = |path: &str, content: &str| (path.to_owned(), content.as_bytes().to_vec());
    let by_folder = ["x/ada/1.jpg", "x/ada/2.jpg", "x/bob/1.jpg", "x/readme.txt"];
    let by_folder = by_folder.map(|path| text(path, path));
    write_tar(&folder.path().join("set-0.tar"), &by_folder);
    let by_label = [
        text("000.cls", "bob\n"),
        text("000.jpg", "bob 2"),
        text("001.jpg", "cleo"),
        text("001.cls", "cleo"),
    ];
    write_tar(&folder.path().join("set-1.tar"), &by_label);
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.layout, Layout::Shards);
    assert_eq!(dataset.identities, ["ada", "bob"]);
    assert_eq!(dataset.groups, ["set"]);
    assert_eq!(dataset.bytes(3).unwrap(), &b"bob 2"[..]);
    assert_eq!(dataset.name(3), folder.path().join("set-1.tar/000.jpg"));
    let streamed = Dataset::open_within(folder.path(), 4).unwrap();
    for picture in 0..4 {
        assert_eq!(
            streamed.bytes(picture).unwrap(),
            dataset.bytes(picture).unwrap()
        );
    }
    assert!(streamed.digest().starts_with("index-"));

    write_tar(&folder.path().join("set-2.tar"), &[text("7.jpg", "whose?")]);
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("set-2.tar") && error.contains("7.jpg"),
        "{error}"
    );
}

#[test]
fn what_a_dot_hides_is_no_data() {
    let folder = tempfile::tempdir().unwrap();
    // A sharded `prepare` that is not done: faces of it wait, and there is no shard yet.
    let waiting = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"];
    for name in waiting {
        write(&folder.path().join(".faces").join(name), b"face");
    }
    let error = Dataset::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("holds 0 identities"), "{error}");
    // Beside folders of identities, alone in one folder or not.
    for inside in ["set", ""] {
        let at = folder.path().join(inside);
        for name in [&waiting[..], &[".trash/1.jpg", ".trash/2.jpg", "a/._1.jpg"]].concat() {
            write(&at.join(name), b"face");
        }
        if inside.is_empty() {
            std::fs::remove_dir_all(folder.path().join("set")).unwrap();
        }
        let dataset = Dataset::open(folder.path()).unwrap();
        assert_eq!(dataset.identities, ["a", "b"], "in {inside:?}");
        assert_eq!(dataset.pictures.len(), 4, "in {inside:?}");
    }
    // In a shard, whose paths may begin with `./`, and beside one.
    let members = [&waiting[..], &["a/._1.jpg", ".trash/1.jpg", "._b.cls"]].concat();
    let members = members.iter().map(|path| (format!("./{path}"), vec![0xff]));
    write_tar(&folder.path().join("set.tar"), &members.collect::<Vec<_>>());
    write(&folder.path().join("._set.tar"), b"no tar");
    assert_eq!(Dataset::open(folder.path()).unwrap().pictures.len(), 4);
}

#[test]
fn a_tar_cut_short_is_named() {
    let (folder, _) = in_shards(2, 6, u64::MAX);
    let path = folder.path().join("set-000001.tar");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..512 * 29 * 2 + 512 + 50]).unwrap();
    // Streamed, so that no picture is read: the headers alone tell.
    let error = Dataset::open_within(folder.path(), 1_000)
        .unwrap_err()
        .to_string();
    assert!(error.contains("set-000001.tar"), "{error}");
}

#[test]
fn a_share_is_of_whole_identities_and_held_by_a_larger_one() {
    let identities: Vec<(String, usize)> = (0..40)
        .map(|it| (format!("{it:02}"), 2 + it % 5))
        .chain([("lone".to_owned(), 1)])
        .collect();
    let (folder, all) = set(
        &[("one", &identities[..20]), ("two", &identities[20..])],
        MEMORY_BYTES,
    );
    let open = |share, seed| Dataset::open_share(folder.path(), share, seed, MEMORY_BYTES).unwrap();
    let total = all.pictures.len();
    assert_eq!(total, 160);
    let [eighth, half] = [(0.125, 20), (0.5, 80)].map(|(share, wanted)| {
        let part = open(share, 7);
        let count = part.pictures.len();
        // Rounded up to a whole identity, of six pictures at most.
        assert!((wanted..wanted + 6).contains(&count), "{share}: {count}");
        for name in &part.identities {
            let of = |set: &Dataset| {
                let whose = set.identities.iter().position(|it| it == name).unwrap();
                let pictures = set.pictures.iter();
                pictures.filter(|it| it.identity == whose).count()
            };
            assert_eq!(of(&part), of(&all), "{name}");
        }
        assert_eq!(
            part.sources.iter().map(|it| it.pictures).sum::<u64>(),
            count as u64
        );
        assert_eq!(part.digest(), open(share, 7).digest());
        assert_ne!(part.identities, open(share, 8).identities);
        part
    });
    assert!(
        eighth
            .identities
            .iter()
            .all(|it| half.identities.contains(it))
    );
    assert_eq!(open(1.0, 7).digest(), all.digest());
    // A share of nothing but one identity is too small a set.
    let error = Dataset::open_share(folder.path(), 0.007, 7, MEMORY_BYTES).unwrap_err();
    assert!(error.to_string().contains("holds 1 identities"), "{error}");
}
