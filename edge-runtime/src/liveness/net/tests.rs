//! The slot with a network of two operators, whose three outputs are the mean of each color plane.

use shared::detector::Detection;
use shared::geometry::Point;
use shared::landmarks::Landmarks;

use super::*;

/// A field of a protobuf message that holds bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    assert!(bytes.len() < 1 << 14);
    let mut message = vec![number << 3 | 2];
    match bytes.len() {
        short @ 0..128 => message.push(short as u8),
        long => message.extend([(long & 127) as u8 | 128, (long >> 7) as u8]),
    }
    message.extend(bytes);
    message
}

/// A field that holds a small number.
fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

/// An ONNX file: GlobalAveragePool, then Flatten, of an input 1 x 3 x side x side.
fn onnx(side: u8) -> Vec<u8> {
    let node = |input: &str, output: &str, operator: &str| {
        field(
            1,
            &[
                field(1, input.as_bytes()),
                field(2, output.as_bytes()),
                field(4, operator.as_bytes()),
            ]
            .concat(),
        )
    };
    let value = |name: &str, dims: &[u8]| {
        let dims: Vec<u8> = dims
            .iter()
            .flat_map(|dim| field(1, &number(1, *dim)))
            .collect();
        let tensor = [number(1, 1), field(2, &dims)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let graph = [
        node("face", "pooled", "GlobalAveragePool"),
        node("pooled", "classes", "Flatten"),
        field(2, b"means"),
        field(11, &value("face", &[1, 3, side, side])),
        field(12, &value("classes", &[1, 3])),
    ]
    .concat();
    let operators = [field(1, b""), number(2, 13)].concat();
    [number(1, 8), field(7, &graph), field(8, &operators)].concat()
}

/// A folder with the network and this manifest, in which `change` was made.
fn place(change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bytes = onnx(32);
    std::fs::write(folder.path().join("means.onnx"), &bytes).unwrap();
    let manifest = format!(
        "format = 1\nname = \"means\"\nonnx = \"means.onnx\"\nsha256 = \"{}\"\nlicence = \"MIT\"\n\
         [input]\nside_px = 32\ncrop_scale = 2.7\ncolor_order = \"bgr\"\nmean = 0.0\nscale = 0.00392156862745098\n\
         [output]\nclasses = 3\nlive_class = 2\nsoftmax = false\n[decision]\nthreshold = 0.6\nframes = 3\n",
        sha256_hex(&bytes)
    );
    std::fs::write(folder.path().join("means.toml"), change(&manifest)).unwrap();
    folder
}

fn load(folder: &tempfile::TempDir) -> Result<NetCheck, LivenessError> {
    let rules = NetRules {
        manifests: vec!["means.toml".into()],
    };
    NetCheck::load(&rules, folder.path())
}

fn looked(check: &mut NetCheck, color: [u8; 3]) -> Finding {
    let frame = Frame::new(200, 100, color.repeat(200 * 100)).unwrap();
    let detection = Detection {
        bounds: Rect {
            left: 80.0,
            top: 20.0,
            width: 40.0,
            height: 50.0,
        },
        score: 0.9,
        landmarks: Landmarks([Point::new(0.0, 0.0); 5]),
    };
    let at = Timestamp::default();
    check.look(
        at,
        &Look {
            frame: &frame,
            detection: &detection,
            aligned: None,
            at,
            track: 1,
        },
    )
}

#[test]
fn a_network_decides_over_its_frames() {
    let folder = place(str::to_owned);
    let mut check = load(&folder).unwrap();
    for (name, red, passes, score) in [("live", 204, true, 0.75), ("not", 102, false, 1.0 / 3.0)] {
        check.begin(Timestamp::default());
        // The third class is the third plane: red, as the manifest says blue goes first.
        let finding = looked(&mut check, [red, 0, 255]);
        assert_eq!(finding.progress, Progress::Waiting, "{name}");
        looked(&mut check, [red, 0, 255]);
        let finding = looked(&mut check, [red, 0, 255]);
        let expected = if passes {
            Progress::Passed
        } else {
            Progress::Failed(Reason::Picture)
        };
        assert_eq!(finding.progress, expected, "{name}");
        assert!(
            (finding.score.unwrap() - score).abs() < 1e-3,
            "{name}: {finding:?}"
        );
    }
}

#[test]
fn an_ensemble_averages() {
    let folder = place(str::to_owned);
    let text = std::fs::read_to_string(folder.path().join("means.toml")).unwrap();
    let other = text
        .replace("live_class = 2", "live_class = 0")
        .replace("crop_scale = 2.7", "crop_scale = 4.0");
    std::fs::write(folder.path().join("other.toml"), other).unwrap();
    let rules = NetRules {
        manifests: vec!["means.toml".into(), "other.toml".into()],
    };
    let mut check = NetCheck::load(&rules, folder.path()).unwrap();
    assert_eq!(check.manifests().count(), 2);
    let mut last = looked(&mut check, [255, 0, 51]);
    for _ in 0..2 {
        last = looked(&mut check, [255, 0, 51]);
    }
    // (1 + 0.2) / 2 is just the threshold.
    assert!((last.score.unwrap() - 0.5).abs() < 1e-3, "{last:?}");
}

#[test]
fn softmax_turns_logits_into_probabilities() {
    let folder = place(|text| {
        text.replace("softmax = false", "softmax = true")
            .replace("frames = 3", "frames = 1")
    });
    let mut check = load(&folder).unwrap();
    let finding = looked(&mut check, [255, 0, 0]);
    let probability = std::f32::consts::E / (std::f32::consts::E + 2.0);
    assert!(
        (finding.score.unwrap() - score(probability, 0.6)).abs() < 1e-3,
        "{finding:?}"
    );
}

#[test]
fn what_is_wrong_is_named() {
    type Change = fn(&str) -> String;
    let cases: [(&str, Change, &str); 11] = [
        (
            "another format",
            |t| t.replace("format = 1", "format = 2"),
            "format = 2",
        ),
        ("an unknown key", |t| format!("{t}\nspeed = 1"), "speed"),
        (
            "a path",
            |t| t.replace("means.onnx", "../means.onnx"),
            "no bare file name",
        ),
        (
            "another digest",
            |t| {
                t.replace("sha256 = \"", "sha256 = \"0")
                    .replace("0\"\nlicence", "\"\nlicence")
            },
            "sha256",
        ),
        (
            "no network",
            |t| t.replace("means.onnx", "missing.onnx"),
            "missing.onnx",
        ),
        (
            "a class that is not there",
            |t| t.replace("live_class = 2", "live_class = 3"),
            "output.live_class = 3",
        ),
        (
            "other classes",
            |t| t.replace("classes = 3", "classes = 4"),
            "output.classes = 4",
        ),
        (
            "a threshold of all",
            |t| t.replace("0.6", "1.0"),
            "decision.threshold = 1",
        ),
        (
            "no number",
            |t| t.replace("scale = 0.0039", "scale = nan #"),
            "input.scale",
        ),
        ("no licence", |t| t.replace("\"MIT\"", "\"\""), "licence"),
        (
            "a report that is not there",
            |t| {
                format!(
                    "{t}\n[report]\nfile = \"report.json\"\nsha256 = \"{}\"",
                    "0".repeat(64)
                )
            },
            "report.json",
        ),
    ];
    for (name, change, named) in cases {
        let folder = place(change);
        let message = load(&folder)
            .err()
            .unwrap_or_else(|| panic!("{name}"))
            .to_string();
        assert!(
            message.contains(named) && message.contains("; "),
            "{name}: {message}"
        );
    }
    // The network's file was exchanged.
    let folder = place(str::to_owned);
    std::fs::write(folder.path().join("means.onnx"), onnx(16)).unwrap();
    assert!(matches!(
        load(&folder).err().unwrap(),
        LivenessError::Digest { .. }
    ));
    // It is none at all, and the digest says so rightly.
    let folder = place(|text| {
        let digest = sha256_hex(b"none");
        let line = text
            .lines()
            .find(|line| line.starts_with("sha256"))
            .unwrap()
            .to_owned();
        text.replace(&line, &format!("sha256 = \"{digest}\""))
    });
    std::fs::write(folder.path().join("means.onnx"), b"none").unwrap();
    assert!(matches!(
        load(&folder).err().unwrap(),
        LivenessError::Network { .. }
    ));
}

#[test]
fn table_of_crops() {
    let bounds = |left, top, width, height| Rect {
        left,
        top,
        width,
        height,
    };
    for (name, bounds, scale, expected) in [
        (
            "room enough",
            bounds(90.0, 90.0, 20.0, 20.0),
            2.0,
            Some([80.0, 80.0, 40.0, 40.0]),
        ),
        (
            "moved inside at the corner",
            bounds(0.0, 0.0, 20.0, 20.0),
            2.0,
            Some([0.0, 0.0, 40.0, 40.0]),
        ),
        (
            "no larger than the frame",
            bounds(50.0, 50.0, 100.0, 80.0),
            4.0,
            Some([0.0, 10.0, 200.0, 160.0]),
        ),
        (
            "beyond the frame",
            bounds(300.0, 0.0, 20.0, 20.0),
            2.0,
            None,
        ),
        ("empty", bounds(10.0, 10.0, 0.0, 20.0), 2.0, None),
        ("no number", bounds(f32::NAN, 10.0, 20.0, 20.0), 2.0, None),
    ] {
        let found = crop(&bounds, scale, (200, 200));
        let close = match (found, expected) {
            (Some(found), Some(expected)) => found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-3),
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(close, "{name}: {found:?}");
    }
}

#[test]
fn a_face_that_cannot_be_cut_does_not_pass() {
    let folder = place(str::to_owned);
    let mut check = load(&folder).unwrap();
    let frame = Frame::new(10, 10, vec![255; 300]).unwrap();
    let detection = Detection {
        bounds: Rect {
            left: 80.0,
            top: 20.0,
            width: 40.0,
            height: 50.0,
        },
        score: 0.9,
        landmarks: Landmarks([Point::new(0.0, 0.0); 5]),
    };
    let at = Timestamp::default();
    let finding = check.look(
        at,
        &Look {
            frame: &frame,
            detection: &detection,
            aligned: None,
            at,
            track: 1,
        },
    );
    assert_eq!(finding.progress, Progress::Inconclusive(Reason::NetFailed));
}
