//! The page against a strict parser of Prometheus' text format.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A metric's type, its help, and each of its lines: name, labels, value.
#[derive(Debug, Default)]
struct Family {
    kind: String,
    lines: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Takes a page apart; whatever the format does not allow is an error that names the line.
fn parse(page: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut helped = BTreeSet::new();
    if !page.ends_with('\n') {
        return Err("the last line has no line feed".to_owned());
    }
    for text in page.lines() {
        let wrong = |what: &str| format!("{what}: {text}");
        if let Some(rest) = text.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').ok_or_else(|| wrong("no help"))?;
            if help.is_empty() || !helped.insert(name.to_owned()) {
                return Err(wrong("helped twice, or not at all"));
            }
        } else if let Some(rest) = text.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or_else(|| wrong("no type"))?;
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return Err(wrong("no such type"));
            }
            let family = Family {
                kind: kind.to_owned(),
                ..Family::default()
            };
            if families.insert(name.to_owned(), family).is_some() {
                return Err(wrong("a family twice"));
            }
            current = name.to_owned();
        } else {
            let (name, labels, value) = sample(text).map_err(|what| wrong(&what))?;
            let family = families
                .get_mut(&current)
                .ok_or_else(|| wrong("no type before"))?;
            let suffixes: &[&str] = match family.kind.as_str() {
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[""],
            };
            if !suffixes
                .iter()
                .any(|suffix| name == format!("{current}{suffix}"))
            {
                return Err(wrong("of another family"));
            }
            if family.kind == "counter" && !(name.ends_with("_total") && value >= 0.0) {
                return Err(wrong("no counter"));
            }
            if family
                .lines
                .iter()
                .any(|(n, l, _)| (n, l) == (&name, &labels))
            {
                return Err(wrong("a line twice"));
            }
            family.lines.push((name, labels, value));
        }
    }
    match families.keys().all(|name| helped.contains(name)) {
        true => Ok(families),
        false => Err("a family without help".to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn sample(text: &str) -> Result<(String, BTreeMap<String, String>, f64), String> {
    let end = text.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = text.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        let mut inside = inside;
        loop {
            let (label, value) = inside.split_once("=\"").ok_or("no label")?;
            let mut text = String::new();
            let mut chars = value.char_indices();
            let end = loop {
                match chars.next().ok_or("a label without end")? {
                    (at, '"') => break at,
                    (_, '\\') => text.push(match chars.next().ok_or("half an escape")?.1 {
                        'n' => '\n',
                        char @ ('\\' | '"') => char,
                        _ => return Err("no such escape".to_owned()),
                    }),
                    (_, char) => text.push(char),
                }
            };
            if !is_name(label) || labels.insert(label.to_owned(), text).is_some() {
                return Err("a label twice, or no name".to_owned());
            }
            inside = &value[end + 1..];
            match inside.strip_prefix(',') {
                Some(more) => inside = more,
                None => break,
            }
        }
        rest = inside.strip_prefix('}').ok_or("labels without end")?;
    }
    let value = rest.strip_prefix(' ').ok_or("no space before the value")?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        number if number.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            number.parse().map_err(|_error| "no number")?
        }
        _ => return Err("no number".to_owned()),
    };
    match is_name(name) {
        true => Ok((name.to_owned(), labels, value)),
        false => Err("no name".to_owned()),
    }
}

fn process() -> Process {
    Process {
        resident_bytes: Some(80 << 20),
        threads: Some(7),
        open_files: Some(31),
        temperatures: vec![
            ("cpu \"a\\b\"\n/0".to_owned(), 48.312),
            ("gpu/1".to_owned(), -5.0),
        ],
    }
}

/// The value of the line with this name and label.
fn value(families: &BTreeMap<String, Family>, name: &str, label: Option<(&str, &str)>) -> f64 {
    let family = ["_bucket", "_sum", "_count", ""]
        .iter()
        .find_map(|suffix| families.get(name.strip_suffix(suffix)?))
        .unwrap();
    let mut lines = family.lines.iter().filter(|(found, labels, _)| {
        found == name
            && label.is_none_or(|(key, value)| labels.get(key).is_some_and(|v| v == value))
    });
    let found = lines
        .next()
        .unwrap_or_else(|| panic!("no {name} {label:?}"))
        .2;
    assert!(lines.next().is_none(), "{name} {label:?} twice");
    found
}

#[test]
fn the_page_is_what_prometheus_reads() {
    let metrics = Metrics::default();
    let mut faulty = [0; FAULT_KINDS.len()];
    faulty[FAULT_KINDS
        .iter()
        .position(|kind| *kind == "garbage")
        .unwrap()] = 1;
    metrics.camera(&Counts {
        arrived: 1000,
        skipped: 1,
        faulty,
        ..Counts::default()
    });
    metrics.decided(DecisionKind::NotLive);
    metrics.decided(DecisionKind::NotLive);
    metrics.people.set(12);
    metrics.set_info(Info {
        version: "1.2.3".to_owned(),
        model: "usher-small".to_owned(),
        model_sha256: "ab".repeat(32),
        gallery_sha256: String::new(),
    });
    let page = metrics.to_text(Duration::from_millis(1500), &process());
    let families = parse(&page).unwrap();
    for (name, label, expected) in [
        ("usher_frames_total", None, 1000.0),
        ("usher_frames_dropped_total", None, 1.0),
        ("usher_frames_faulty_total", Some(("kind", "garbage")), 1.0),
        ("usher_frames_faulty_total", Some(("kind", "short")), 0.0),
        ("usher_decisions_total", Some(("kind", "not_live")), 2.0),
        ("usher_people", None, 12.0),
        ("usher_uptime_seconds", None, 1.5),
        ("usher_resident_memory_bytes", None, 83_886_080.0),
        (
            "usher_temperature_celsius",
            Some(("zone", "cpu \"a\\b\"\n/0")),
            48.312,
        ),
        ("usher_info", Some(("model", "usher-small")), 1.0),
    ] {
        assert_eq!(value(&families, name, label), expected, "{name} {label:?}");
    }
    let table = include_str!("../metrics.rs");
    for name in families.keys() {
        assert!(
            table.contains(&format!("`{name}`")),
            "{name} is not in the table"
        );
    }
}

#[test]
fn histograms_are_cumulative() {
    let metrics = Metrics::default();
    for micros in [999, 1000, 1001, 35_000, 40_000, 2_000_000] {
        metrics.took(Stage::Embed, Duration::from_micros(micros));
    }
    let page = metrics.to_text(Duration::ZERO, &Process::default());
    let families = parse(&page).unwrap();
    let lines = &families["usher_stage_seconds"].lines;
    let embed: Vec<_> = lines
        .iter()
        .filter(|(_, labels, _)| labels["stage"] == "embed")
        .collect();
    let buckets: Vec<(f64, f64)> = embed
        .iter()
        .filter_map(|(_, labels, count)| {
            let bound = labels.get("le")?;
            let bound = if bound == "+Inf" {
                f64::INFINITY
            } else {
                bound.parse().unwrap()
            };
            Some((bound, *count))
        })
        .collect();
    assert!(
        buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1),
        "{buckets:?}"
    );
    assert_eq!(buckets[0], (0.001, 2.0));
    assert_eq!(buckets[6], (0.04, 5.0));
    assert_eq!(buckets.last(), Some(&(f64::INFINITY, 6.0)));
    let of = |name: &str| embed.iter().find(|line| line.0.ends_with(name)).unwrap().2;
    assert_eq!((of("_count"), of("_sum")), (6.0, 2.078));
    assert_eq!(lines.len(), Stage::ALL.len() * (BUCKETS_MS.len() + 3));
}

#[test]
fn the_parser_is_strict() {
    for (name, page) in [
        ("no type", "a_total 1\n"),
        ("no line feed", "# HELP a x\n# TYPE a gauge\na 1"),
        ("no help", "# TYPE a gauge\na 1\n"),
        ("another family", "# HELP a x\n# TYPE a gauge\nb 1\n"),
        ("twice", "# HELP a x\n# TYPE a gauge\na 1\na 1\n"),
        ("no number", "# HELP a x\n# TYPE a gauge\na x\n"),
        ("two spaces", "# HELP a x\n# TYPE a gauge\na  1\n"),
        (
            "a counter that is not called one",
            "# HELP a x\n# TYPE a counter\na 1\n",
        ),
        ("a quote", "# HELP a x\n# TYPE a gauge\na{b=\"c\"d\"} 1\n"),
        (
            "a wrong escape",
            "# HELP a x\n# TYPE a gauge\na{b=\"\\c\"} 1\n",
        ),
    ] {
        assert!(parse(page).is_err(), "{name}");
    }
}

#[test]
fn a_path_that_is_no_socket_is_refused() {
    assert!(MetricsConfig::default().check().is_ok());
    let config = MetricsConfig {
        socket: "x".repeat(108).into(),
        tcp_port: 0,
    };
    assert!(config.check().unwrap_err().starts_with("metrics.socket"));
}
