//! What may be a person's name: short, printable, not empty.

use super::GalleryError;

/// Longest name, in characters.
pub const MAX_CHARS: usize = 100;

/// The name without white space around it.
///
/// # Errors
/// [`GalleryError::Name`] when it is empty, longer than [`MAX_CHARS`] or holds a control character
/// or one that turns the direction of text, which could make a name read as another's.
pub fn checked(name: &str) -> Result<String, GalleryError> {
    let name = name.trim();
    let found = name.chars().count();
    let refuse = |found| Err(GalleryError::Name { found });
    if found == 0 {
        return refuse("an empty one".to_owned());
    }
    if found > MAX_CHARS {
        return refuse(format!("{found} characters"));
    }
    if let Some(place) = name.chars().position(is_unprintable) {
        return refuse(format!("a control character at position {}", place + 1));
    }
    Ok(name.to_owned())
}

fn is_unprintable(c: char) -> bool {
    // Beside control characters: marks, overrides and isolates of the bidirectional algorithm
    // (Unicode UAX 9), line and paragraph separator.
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_kept() {
        for (given, kept) in [
            ("Ada", "Ada"),
            ("  Ada Lovelace\n", "Ada Lovelace"),
            ("陳方安生", "陳方安生"),
            ("Zoë Ω’Brien", "Zoë Ω’Brien"),
        ] {
            assert_eq!(checked(given).unwrap(), kept);
        }
        assert!(checked(&"é".repeat(MAX_CHARS)).is_ok());
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (name, given) in [
            ("empty", ""),
            ("white space", " \t\n"),
            ("too long", &"é".repeat(MAX_CHARS + 1)),
            ("line feed inside", "Ada\nLovelace"),
            ("escape", "Ada\u{1b}[31m"),
            ("zero", "Ada\0"),
            ("turned around", "\u{202e}adA"),
            ("isolate", "A\u{2066}da"),
        ] {
            let message = checked(given).unwrap_err().to_string();
            assert!(message.contains("1 to 100"), "{name}: {message}");
        }
    }
}
