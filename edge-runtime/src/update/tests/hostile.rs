//! What must be refused, each in words with what to do, and with nothing changed.

use super::*;

/// Installs the file on a device where `net-5` is in use; what is said, after nothing was found changed.
fn refusal(device: &Device, file: &Path) -> String {
    let before = tree(device.models());
    let error = device.install(file).unwrap_err();
    assert_eq!(device.in_use().as_deref(), Some("net-5"));
    assert_eq!(tree(device.models()), before, "{error}");
    let message = error.to_string();
    assert!(message.contains("; "), "no remedy: {message}");
    assert!(message.contains("found"), "{message}");
    message
}

fn device() -> Device {
    let device = Device::new();
    device.install(&device.send_model(5)).unwrap();
    device
}

/// Every file and link below a folder, with its content.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for name in names(folder) {
        let path = folder.join(name);
        match fs::read_link(&path) {
            Ok(target) => found.push((path, target.to_str().unwrap().as_bytes().to_vec())),
            Err(_) if path.is_dir() => found.extend(tree(&path)),
            Err(_) => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found
}

const NEXT: &str = "usher model net serial=6 board=any";

#[test]
fn signatures_that_do_not_count() {
    let device = device();
    let (bytes, other) = (model("net", 6), Signer::new(2));
    let file = device.send_by(&other, "sent", &bytes, NEXT);
    assert!(refusal(&device, &file).contains("signed by one of the keys"));

    // Another key under the trusted one's number.
    let file = device.send_by(&device.signer.impostor(), "sent", &bytes, NEXT);
    assert!(refusal(&device, &file).contains("as it was signed"));

    let file = device.send("sent", &bytes, NEXT);
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    for wrong in [
        changed,
        bytes[..bytes.len() - 1].to_vec(),
        [&bytes[..], b"x"].concat(),
        vec![],
    ] {
        fs::write(&file, wrong).unwrap();
        assert!(refusal(&device, &file).contains("as it was signed"));
    }

    // Every bit of the signature's file that is not its first comment.
    let signature = device.signer.sign(&bytes, NEXT);
    fs::write(&file, &bytes).unwrap();
    let begin = signature.find('\n').unwrap() + 1;
    for place in begin..signature.trim_end().len() {
        let mut changed = signature.clone().into_bytes();
        changed[place] ^= 1;
        fs::write(beside(&file), changed).unwrap();
        refusal(&device, &file);
    }

    // A comment of another signature, of the same key.
    let other = device
        .signer
        .sign(b"others", "usher model net serial=900 board=any");
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let mixed = [&lines(&signature)[..2], &lines(&other)[2..]]
        .concat()
        .join("\n");
    fs::write(beside(&file), mixed).unwrap();
    assert!(refusal(&device, &file).contains("as it was signed"));

    for (text, said) in [
        (device.signer.sign_unhashed(&bytes, NEXT), "old kind"),
        (String::new(), "signature by minisign"),
        ("x".repeat(100_000), "signature by minisign"),
        (
            "untrusted comment: a\nAAAA\ntrusted comment: b\nAAAA".to_owned(),
            "signature by minisign",
        ),
        (
            "untrusted comment: a\n\ntrusted\n\n".to_owned(),
            "signature by minisign",
        ),
    ] {
        fs::write(beside(&file), text).unwrap();
        assert!(refusal(&device, &file).contains(said), "{said}");
    }
    fs::remove_file(beside(&file)).unwrap();
    assert!(refusal(&device, &file).contains("minisig"));
}

#[test]
fn keys_that_cannot_be_used() {
    let device = device();
    let file = device.send("sent", &model("net", 6), NEXT);
    let key = device.path("trusted/vendor.pub");
    fs::write(
        device.path("trusted/broken.pub"),
        "untrusted comment: x\nnot base64!\n",
    )
    .unwrap();
    assert!(refusal(&device, &file).contains("broken.pub"));
    fs::remove_file(device.path("trusted/broken.pub")).unwrap();
    fs::rename(&key, device.path("trusted/vendor.old")).unwrap();
    assert!(refusal(&device, &file).contains("without one nothing is taken"));
    // Of several keys each one counts.
    fs::write(device.path("trusted/a.pub"), Signer::new(2).public()).unwrap();
    fs::write(&key, device.signer.public()).unwrap();
    device.install(&file).unwrap();
}

#[test]
fn what_is_for_another_board_or_says_nothing() {
    let device = device();
    let send = |comment: &str| device.send("sent", &model("net", 6), comment);
    let file = send("usher model net serial=6 board=orin");
    assert!(refusal(&device, &file).contains("for the board any"));
    fs::write(device.path("board"), "rpi5\n").unwrap();
    assert!(refusal(&device, &file).contains("for the board rpi5"));
    let file = send("timestamp:1\tfile:sent\thashed");
    assert!(refusal(&device, &file).contains("trusted comment like"));
    let file = send("usher model other serial=6 board=any");
    assert!(refusal(&device, &file).contains("manifest of other"));
    fs::write(device.path("board"), "..\n").unwrap();
    assert!(refusal(&device, &send(NEXT)).contains("board's name"));
    fs::write(device.path("board"), "orin\n").unwrap();
    device
        .install(&send("usher model net serial=6 board=orin"))
        .unwrap();
}

#[test]
fn files_that_are_none() {
    let device = device();
    let missing = device.path("missing");
    fs::write(beside(&missing), device.signer.sign(b"", NEXT)).unwrap();
    assert!(refusal(&device, &missing).contains("missing"));
    fs::create_dir(&missing).unwrap();
    assert!(refusal(&device, &missing).contains("no file"));
}

#[test]
fn archives_that_reach_out_or_hold_the_wrong_things() {
    use tar::EntryType;
    let device = device();
    let network = b"network".to_vec();
    let toml = manifest("net", &network)
        .to_toml(Path::new("m"))
        .unwrap()
        .into_bytes();
    let sound: [(&str, &[u8]); 2] = [("model.toml", &toml), ("net.onnx", &network)];
    let with = |name: &str, bytes: &[u8]| {
        let mut files = sound.to_vec();
        files.push((name, bytes));
        raw_archive(&files, EntryType::Regular)
    };
    let many: Vec<(String, Vec<u8>)> = (0..9).map(|n| (format!("{n}.md"), vec![])).collect();
    let many: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(n, b)| (n.as_str(), b.as_slice()))
        .collect();
    let mut table = vec![
        ("above", with("../net.md", b"x")),
        ("absolute", with("/etc/passwd", b"x")),
        ("in a folder", with("a/net.md", b"x")),
        ("here", with("./net.md", b"x")),
        ("dots", with("..", b"x")),
        ("hidden", with(".net.md", b"x")),
        ("no name", with("", b"x")),
        ("control signs", with("net\n.md", b"x")),
        ("a program", with("run.sh", b"x")),
        ("another manifest", with("other.toml", b"x")),
        ("twice", with("net.onnx", b"other")),
        ("a long card", with("net.md", &vec![b'x'; (1 << 20) + 1])),
        (
            "a long reference",
            with("model.selftest.toml", &[b'x'; 4097]),
        ),
        ("nine files", raw_archive(&many, EntryType::Regular)),
        ("empty", raw_archive(&[], EntryType::Regular)),
        ("nothing at all", Vec::new()),
        ("no tar", b"x".repeat(2000)),
        ("no manifest", raw_archive(&sound[1..], EntryType::Regular)),
        ("no network", raw_archive(&sound[..1], EntryType::Regular)),
        (
            "a broken manifest",
            raw_archive(&[("model.toml", b"format = 1")], EntryType::Regular),
        ),
    ];
    for kind in [
        EntryType::Symlink,
        EntryType::Link,
        EntryType::Directory,
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::GNULongName,
        EntryType::GNULongLink,
        EntryType::GNUSparse,
        EntryType::XHeader,
        EntryType::XGlobalHeader,
        EntryType::new(b'V'),
    ] {
        let mut bytes = raw_archive(&[("net.md", b"../../../etc/passwd")], kind);
        bytes.truncate(1024);
        bytes.extend(raw_archive(&sound, EntryType::Regular));
        table.push(("another kind of entry", bytes));
    }
    let whole = raw_archive(&sound, EntryType::Regular);
    for cut in [whole.len() - 1024 - 600, 700, 511, 100] {
        table.push(("cut short", whole[..cut].to_vec()));
    }
    // A size that is not the archive's.
    let mut huge = tar::Header::new_ustar();
    huge.as_mut_bytes()[..8].copy_from_slice(b"net.onnx");
    huge.set_entry_type(EntryType::Regular);
    for size in [1 << 20, (512 << 20) + 1, u64::MAX / 2] {
        huge.set_size(size);
        huge.set_cksum();
        table.push(("a false size", [&huge.as_bytes()[..], b"network"].concat()));
    }
    for (name, bytes) in table {
        let file = device.send("sent", &bytes, NEXT);
        let said = refusal(&device, &file);
        assert!(
            said.contains("archive of a model") || said.contains("manifest"),
            "{name}: {said}"
        );
        assert!(!device.path("net.md").exists(), "{name}");
    }
    // The same sound files are taken, so it was not for them.
    device.install(&device.send("sent", &whole, NEXT)).unwrap();
}

/// An archive with names and kinds that a builder refuses to write.
fn raw_archive(files: &[(&str, &[u8])], kind: tar::EntryType) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

#[test]
fn a_gallery_of_another_model_keeps_its_model() {
    use super::super::trial::fits;
    use shared::gallery::search::TemplateForm;
    use shared::gallery::store::{By, Making};
    use shared::gallery::{GalleryStore, Sealing};
    let device = device();
    let (old, new) = (manifest("net", b"old"), manifest("net", b"new"));
    let gallery = &device.config.kiosk.gallery;
    assert!(fits(gallery, &new).is_ok(), "nobody is enrolled yet");
    let making = Making {
        sealing: Sealing::Plain,
        model: old.model_id(),
        dimension: old.dimension,
        form: TemplateForm::Full,
        rotated: false,
    };
    let by = By {
        operator: "desk",
        at: now(),
    };
    drop(GalleryStore::create(gallery, &making, by).unwrap());
    assert!(fits(gallery, &old).is_ok());
    let error = fits(gallery, &new).unwrap_err().to_string();
    assert!(
        error.contains("was made by model") && error.contains("; enroll again"),
        "{error}"
    );
    fs::write(gallery, b"no gallery").unwrap();
    assert!(fits(gallery, &old).is_err());
}

#[test]
fn a_full_disk_is_seen_before() {
    let device = device();
    let file = device.path("sent");
    // Sparse: as long as can be, without taking room for it.
    let sparse = fs::File::create(&file).unwrap();
    sparse
        .set_len(super::super::archive::MAX_BYTES + 1)
        .unwrap();
    fs::write(beside(&file), device.signer.sign(b"", NEXT)).unwrap();
    assert!(refusal(&device, &file).contains("bytes, which are more than"));
}
