//! What the desk says, in a language: one sentence for each key, read from a file.

use serde::{Deserialize, Serialize};

use crate::screen;

/// The desk's sentences. `{name}`, `{chance}` and such stand for what is put in there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is its own sentence")]
pub struct Words {
    pub menu: String,
    pub menu_body: String,
    pub enroll: String,
    pub add: String,
    pub lock: String,
    pub cancel: String,
    pub yes: String,
    pub no: String,
    pub date: String,
    pub date_body: String,
    pub name_taken: String,
    pub name_unfit: String,
    pub alike: String,
    pub alike_body: String,
    pub same_person: String,
    pub different: String,
    pub confirm: String,
    pub confirm_body: String,
    pub from_list: String,
    pub who: String,
    pub who_body: String,
    pub nobody_so_called: String,
    pub more: String,
    pub before: String,
    pub what_is_new: String,
    pub what_is_new_body: String,
    pub nothing_special: String,
    pub glasses: String,
    pub no_glasses: String,
    pub beard: String,
    pub headwear: String,
    pub mask: String,
}

/// A language file whose desk does not say everything, or says too much.
#[derive(Debug, thiserror::Error)]
#[error(
    "expected each sentence of the desk in the table [desk] of the words, found: {0}; correct the file that screen.words names"
)]
pub struct DeskWordsError(String);

impl Words {
    /// The desk's sentences among all words of a language.
    ///
    /// # Errors
    /// [`DeskWordsError`] when one is missing, or there is one that nobody says.
    pub fn of(words: &screen::words::Words) -> Result<Self, DeskWordsError> {
        let table = words.desk().clone();
        table
            .try_into()
            .map_err(|error| DeskWordsError(error.message().to_owned()))
    }

    /// The desk's own sentences in a language.
    #[cfg(test)]
    pub(crate) fn standard(language: screen::words::Language) -> Self {
        Self::of(&screen::words::Words::read(language, None).unwrap()).unwrap()
    }
}

/// The sentence with what is put in.
pub(super) fn fill(sentence: &str, parts: &[(&str, &str)]) -> String {
    // One pass, so that a name with braces in it stays a name.
    let mut filled = String::new();
    let mut rest = sentence;
    while let Some(at) = rest.find('{') {
        let (head, tail) = rest.split_at(at);
        filled.push_str(head);
        let found = parts.iter().find_map(|(key, value)| {
            let tail = tail[1..].strip_prefix(key)?.strip_prefix('}')?;
            Some((value, tail))
        });
        match found {
            Some((value, tail)) => {
                filled.push_str(value);
                rest = tail;
            }
            None => {
                filled.push('{');
                rest = &tail[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::screen::words::Language;

    #[test]
    fn every_language_puts_the_same_things_in() {
        let placeholders = |text: &str| -> Vec<Vec<String>> {
            let table: toml::Table = toml::from_str(text).unwrap();
            let of = |sentence: &str| {
                let mut found: Vec<String> = sentence
                    .split('{')
                    .skip(1)
                    .map(|rest| rest.split('}').next().unwrap_or_default().to_owned())
                    .collect();
                found.sort();
                found
            };
            table
                .values()
                .map(|value| of(value.as_str().unwrap()))
                .collect()
        };
        let text = |language| toml::to_string(&Words::standard(language)).unwrap();
        let english = placeholders(&text(Language::En));
        for language in Language::ALL {
            assert_eq!(placeholders(&text(language)), english, "{language:?}");
        }
    }

    #[test]
    fn names_stay_names() {
        let parts = [("name", "{page} Ada {name}"), ("page", "3")];
        for (sentence, expected) in [
            ("{name}, {page}.", "{page} Ada {name}, 3."),
            ("{other} {", "{other} {"),
            ("", ""),
        ] {
            assert_eq!(fill(sentence, &parts), expected);
        }
    }
}
