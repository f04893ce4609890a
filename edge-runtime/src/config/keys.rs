//! Keys of a settings file that mean nothing, and the known one that was probably meant.

use toml::{Table, Value};

/// What is wrong with the first key of `text` that `known` lacks, in words; none when all are known.
pub(crate) fn unknown(text: &str, known: &Table) -> Option<String> {
    let table: Table = text.parse().ok()?;
    let all = paths(known);
    let found = paths(&table)
        .into_iter()
        .find(|path| !all.contains(path) && !is_below_a_value(path, known))?;
    Some(match nearest(&found, &all) {
        Some(near) => format!("the unknown key {found} (is {near} meant?)"),
        None => format!("the unknown key {found}"),
    })
}

/// Every key with its value's place, sections too: "session", "session.greeting_ms".
pub(crate) fn paths(table: &Table) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, value) in table {
        paths.push(key.clone());
        if let Value::Table(inner) = value {
            paths.extend(
                self::paths(inner)
                    .into_iter()
                    .map(|path| format!("{key}.{path}")),
            );
        }
    }
    paths
}

/// Whether a part of the path is a value already, so that the rest is the value's business.
fn is_below_a_value(path: &str, known: &Table) -> bool {
    let mut table = known;
    for part in path.split('.') {
        match table.get(part) {
            Some(Value::Table(inner)) => table = inner,
            Some(_) => return true,
            None => return false,
        }
    }
    false
}

/// The known path that is fewest slips away, in the same section or, failing that, by its last part anywhere.
fn nearest<'a>(found: &str, all: &'a [String]) -> Option<&'a str> {
    let slips = |path: &&String| strsim::damerau_levenshtein(found, path);
    let allowed = 1 + found.len() / 5;
    let near = all
        .iter()
        .min_by_key(slips)
        .filter(|path| slips(path) <= allowed);
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    near.or_else(|| all.iter().find(|path| last(path) == last(found)))
        .map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_was_meant_is_named() {
        let known: Table = "edge = 1\n[session]\ngreeting_ms = 1\n[session.consensus]\nwindow_ms = 2\n[mqtt]\nhost = ''\nport = 1"
            .parse()
            .unwrap();
        for (name, text, expected) in [
            ("all known", "edge = 2\n[session]\ngreeting_ms = 2", None),
            (
                "a slip",
                "[session]\ngreting_ms = 2",
                Some("session.greting_ms (is session.greeting_ms meant?)"),
            ),
            (
                "two letters changed places",
                "[mqtt]\nhots = 'a'",
                Some("mqtt.hots (is mqtt.host meant?)"),
            ),
            (
                "a section",
                "[sesion]\ngreeting_ms = 2",
                Some("sesion (is session meant?)"),
            ),
            (
                "deep",
                "[session.consensus]\nwindow = 2",
                Some("session.consensus.window (is session.consensus.window_ms meant?)"),
            ),
            (
                "another section's",
                "greeting_ms = 1",
                Some("greeting_ms (is session.greeting_ms meant?)"),
            ),
            ("nothing like it", "[weather]\nrain = 1", Some("weather")),
            ("a value with keys of its own", "edge = { a = 1 }", None),
        ] {
            let found = unknown(text, &known);
            let expected = expected.map(|words| format!("the unknown key {words}"));
            assert_eq!(found, expected, "{name}");
        }
    }
}
