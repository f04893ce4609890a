//! What the desk says: English, unless a language file says it otherwise.

use serde::{Deserialize, Serialize};

/// The desk's sentences. `{name}`, `{chance}` and such stand for what is put in there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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

impl Default for Words {
    fn default() -> Self {
        let own = str::to_owned;
        Self {
            menu: own("What would you like to do?"),
            menu_body: own("Signed in as {operator}"),
            enroll: own("Enroll somebody"),
            add: own("Add an appearance"),
            lock: own("Lock"),
            cancel: own("Cancel"),
            yes: own("Yes"),
            no: own("No"),
            date: own("Is today {date}?"),
            date_body: own(
                "The device has not been used since {newest}. How long a consent lasts depends on the date.",
            ),
            name_taken: own("Somebody of this name is enrolled already"),
            name_unfit: own("Type a name of 1 to 100 letters"),
            alike: own("This looks like {name}"),
            alike_body: own("{chance}Is it the same person?"),
            same_person: own("Same person: add this appearance"),
            different: own("Somebody else, perhaps a twin"),
            confirm: own("Is this {name}?"),
            confirm_body: own("What is taken now is added to {name}."),
            from_list: own("No, choose from the list"),
            who: own("Who is it?"),
            who_body: own("Page {page} of {pages}"),
            nobody_so_called: own("Nobody's name has these letters"),
            more: own("More names"),
            before: own("Names before"),
            what_is_new: own("What is different?"),
            what_is_new_body: own("It is noted with the new appearance of {name}."),
            nothing_special: own("Nothing special"),
            glasses: own("Glasses"),
            no_glasses: own("No glasses"),
            beard: own("Beard or hair"),
            headwear: own("Hat or scarf"),
            mask: own("Mask"),
        }
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
