//! What the screen says, in a language: one sentence for each key, read from a file.
//!
//! The files in `assets/words` are compiled in. A file of one's own may say any of the sentences otherwise; what it
//! does not say stays. A key that does not exist, a sentence that is missing or a `{placeholder}` that nothing fills
//! is an error when the words are read, not on the screen. The table `[desk]` belongs to the desk, whose sentences come
//! with its views; it is kept as it is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Which words are compiled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// German.
    De,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::De];

    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::En => ("en.toml", include_str!("../../assets/words/en.toml")),
            Self::De => ("de.toml", include_str!("../../assets/words/de.toml")),
        }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $key:literal [$($placeholder:literal),*],)*) => {
        /// One sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Word { $(#[doc = $key] $word,)* }

        impl Word {
            /// Every sentence.
            pub const ALL: &[Self] = &[$(Self::$word,)*];

            /// Its key in a file of words, `table.key`.
            pub fn key(self) -> &'static str {
                match self { $(Self::$word => $key,)* }
            }

            /// What may be filled in.
            pub fn placeholders(self) -> &'static [&'static str] {
                match self { $(Self::$word => &[$($placeholder),*],)* }
            }
        }
    };
}

words! {
    IdleTitle = "idle.title" [],
    IdleInvitation = "idle.invitation" [],
    IdlePromise = "idle.promise" [],
    HoldStill = "looking.hold_still" [],
    HoldStillMore = "looking.hold_still_more" [],
    ComeCloser = "looking.come_closer" [],
    ComeCloserMore = "looking.come_closer_more" [],
    StepBack = "looking.step_back" [],
    StepBackMore = "looking.step_back_more" [],
    MoveToCenter = "looking.move_to_center" [],
    MoveToCenterMore = "looking.move_to_center_more" [],
    LookHere = "looking.look_here" [],
    LookHereMore = "looking.look_here_more" [],
    MoreLight = "looking.more_light" [],
    MoreLightMore = "looking.more_light_more" [],
    LessLight = "looking.less_light" [],
    LessLightMore = "looking.less_light_more" [],
    UncoverFace = "looking.uncover_face" [],
    UncoverFaceMore = "looking.uncover_face_more" [],
    OnePerson = "looking.one_person" [],
    OnePersonMore = "looking.one_person_more" [],
    Welcome = "greeting.welcome" [],
    OneIn = "greeting.one_in" ["count"],
    Unknown = "unknown.title" [],
    UnknownMore = "unknown.more" [],
    NotSure = "not_sure.title" [],
    NotSureMore = "not_sure.more" [],
    CheckMore = "check.more" [],
    Blink = "check.blink" [],
    TurnLeft = "check.turn_left" [],
    TurnRight = "check.turn_right" [],
    FlashSoon = "check.flash_soon" [],
    FlashSoonMore = "check.flash_soon_more" [],
    FlashNow = "check.flash_now" [],
    Recording = "recording.title" [],
    RecordingMore = "recording.more" ["time"],
    RecordingMark = "recording.mark" [],
    Enrolling = "enrolling.title" [],
    EnrollingMore = "enrolling.more" [],
    Enrolled = "enrolled.title" [],
    EnrolledMore = "enrolled.more" [],
    FaultTitle = "fault.title" [],
    FaultMore = "fault.more" [],
    FaultCause = "fault.cause" [],
    FaultRemedy = "fault.remedy" [],
    Updating = "updating.title" [],
    UpdatingMore = "updating.more" [],
    LivenessOff = "badge.liveness_off" [],
    ClockNotSet = "badge.clock_not_set" [],
    Operator = "badge.operator" [],
    Cancel = "button.cancel" [],
    Done = "button.done" [],
    Next = "button.next" [],
    Agree = "button.agree" [],
    Close = "button.close" [],
    PinTitle = "pin.title" [],
    PinMore = "pin.more" [],
    PinWrong = "pin.wrong" ["tries"],
    PinWrongOne = "pin.wrong_one" [],
    PinWait = "pin.wait" ["time"],
    NameTitle = "name.title" [],
    NameHint = "name.hint" [],
    ConsentTitle = "consent.title" ["name"],
    ConsentPage = "consent.page" ["page", "pages"],
    PoseStraight = "guided.straight" [],
    PoseLeft = "guided.left" [],
    PoseRight = "guided.right" [],
    PoseUp = "guided.up" [],
    PoseDown = "guided.down" [],
    GuidedFor = "guided.for" ["name"],
    GuidedLeft = "guided.seconds_left" ["seconds"],
    FailedTitle = "failed.title" [],
    FailedMore = "failed.more" [],
}

/// The letters of the keyboard on the screen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyboard {
    /// Three rows of small letters, at most 11 each; the third leaves room for shift and backspace, so at most 9.
    pub rows: [String; 3],
    /// Rows of digits and signs, the same.
    pub signs: [String; 3],
    /// What the space bar says.
    pub space: String,
}

/// Words that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected the words of the screen in {place}, found {found}; {remedy}")]
pub struct WordsError {
    place: String,
    found: String,
    remedy: String,
}

/// Every sentence of the screen.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    sentences: BTreeMap<Word, String>,
    keyboard: Keyboard,
    desk: toml::Table,
}

#[derive(Deserialize)]
struct File {
    keyboard: Option<Keyboard>,
    #[serde(default)]
    desk: toml::Table,
    #[serde(flatten)]
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl Words {
    /// The words of `language`, some of them said otherwise by the file at `own`, if there is one.
    ///
    /// # Errors
    /// [`WordsError`] names the file, the key and what to do.
    pub fn read(language: Language, own: Option<&Path>) -> Result<Self, WordsError> {
        let (name, text) = language.file();
        let Parsed {
            mut sentences,
            keyboard,
            mut desk,
        } = parse(name, text)?;
        let mut keyboard = keyboard.ok_or_else(|| WordsError {
            place: name.to_owned(),
            found: "no keyboard".to_owned(),
            remedy: "add [keyboard]".to_owned(),
        })?;
        if let Some(path) = own {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path).map_err(|error| WordsError {
                place: place.clone(),
                found: error.to_string(),
                remedy: "name a file that can be read, or none".to_owned(),
            })?;
            let others = parse(&place, &text)?;
            sentences.extend(others.sentences);
            desk.extend(others.desk);
            keyboard = others.keyboard.unwrap_or(keyboard);
        }
        match Word::ALL.iter().find(|word| !sentences.contains_key(word)) {
            Some(missing) => Err(WordsError {
                place: name.to_owned(),
                found: format!("no {}", missing.key()),
                remedy: "add it".to_owned(),
            }),
            None => Ok(Self {
                sentences,
                keyboard,
                desk,
            }),
        }
    }

    /// The sentence, which has no placeholder.
    pub fn say(&self, word: Word) -> &str {
        self.sentences.get(&word).map_or("", String::as_str)
    }

    /// The sentence with its placeholders filled in.
    pub fn fill(&self, word: Word, values: &[(&str, &str)]) -> String {
        let mut filled = String::new();
        // What is filled in is never looked at again: a name may hold braces.
        let mut rest = self.say(word);
        while let Some((before, behind)) = rest.split_once('{') {
            let (placeholder, after) = behind.split_once('}').unwrap_or((behind, ""));
            let value = values.iter().find(|(name, _)| *name == placeholder);
            filled.push_str(before);
            filled.push_str(value.map_or("", |(_, value)| value));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The letters of the keyboard.
    pub fn keyboard(&self) -> &Keyboard {
        &self.keyboard
    }

    /// What the files say for the desk, key by key; the desk checks it.
    pub fn desk(&self) -> &toml::Table {
        &self.desk
    }

    /// Every sentence, and every row of keys, for a test of the fonts.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let keys = self.keyboard.rows.iter().chain(&self.keyboard.signs);
        self.sentences
            .values()
            .chain(keys)
            .map(String::as_str)
            .chain([self.keyboard.space.as_str()])
            .chain(self.desk.values().filter_map(toml::Value::as_str))
    }
}

struct Parsed {
    sentences: BTreeMap<Word, String>,
    keyboard: Option<Keyboard>,
    desk: toml::Table,
}

fn parse(place: &str, text: &str) -> Result<Parsed, WordsError> {
    let wrong = |found: String, remedy: &str| WordsError {
        place: place.to_owned(),
        found,
        remedy: remedy.to_owned(),
    };
    let file: File = toml::from_str(text).map_err(|error| {
        wrong(
            error.message().to_owned(),
            "write key = \"sentence\" below [table]",
        )
    })?;
    let mut sentences = BTreeMap::new();
    for (table, entries) in file.tables {
        for (entry, sentence) in entries {
            let key = format!("{table}.{entry}");
            let word = Word::ALL
                .iter()
                .find(|word| word.key() == key)
                .ok_or_else(|| wrong(format!("the unknown key {key}"), "correct or remove it"))?;
            check(*word, &sentence)
                .map_err(|found| wrong(format!("{found} in {key}"), &fillable(*word)))?;
            sentences.insert(*word, sentence);
        }
    }
    if let Some(keyboard) = &file.keyboard {
        check_keyboard(keyboard).map_err(|found| {
            wrong(
                format!("{found} in keyboard"),
                "write rows of at most 10, 11 and 9 different keys",
            )
        })?;
    }
    Ok(Parsed {
        sentences,
        keyboard: file.keyboard,
        desk: file.desk,
    })
}

fn fillable(word: Word) -> String {
    match word.placeholders() {
        [] => "nothing is filled in there, so write no braces".to_owned(),
        names => format!("what is filled in there is {{{}}}", names.join("}, {")),
    }
}

/// Each brace must belong to a placeholder of `word`, and a sentence must say something.
fn check(word: Word, sentence: &str) -> Result<(), String> {
    if sentence.trim().is_empty() {
        return Err("nothing".to_owned());
    }
    let mut rest = sentence;
    while let Some(at) = rest.find(['{', '}']) {
        let behind = &rest[at..];
        let end = behind.find('}').filter(|_| behind.starts_with('{'));
        let Some(end) = end else {
            return Err("a brace that stands alone".to_owned());
        };
        let placeholder = &behind[1..end];
        if !word.placeholders().contains(&placeholder) {
            return Err(format!("the unknown placeholder {{{placeholder}}}"));
        }
        rest = &behind[end + 1..];
    }
    Ok(())
}

fn check_keyboard(keyboard: &Keyboard) -> Result<(), String> {
    for rows in [&keyboard.rows, &keyboard.signs] {
        let mut seen = Vec::new();
        for (row, most) in rows.iter().zip([11, 11, 9]) {
            let keys = row.chars().count();
            if !(1..=most).contains(&keys) {
                return Err(format!("a row of {keys} keys"));
            }
            for key in row.chars() {
                if key.is_whitespace() || key.is_control() || seen.contains(&key) {
                    return Err(format!("the key {key:?} twice or empty"));
                }
                seen.push(key);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::text::Fonts;
    use super::*;

    #[test]
    fn every_language_says_everything_in_letters_that_the_fonts_have() {
        let fonts = Fonts::new();
        for language in Language::ALL {
            let words = Words::read(language, None).unwrap();
            for sentence in words.all() {
                for letter in sentence
                    .chars()
                    .flat_map(char::to_uppercase)
                    .chain(sentence.chars())
                {
                    assert!(
                        fonts.covers(letter),
                        "{language:?}: {letter:?} in {sentence}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_language_fills_in_the_same() {
        for word in Word::ALL {
            for language in Language::ALL {
                let words = Words::read(language, None).unwrap();
                for placeholder in word.placeholders() {
                    let sentence = words.say(*word);
                    let braced = format!("{{{placeholder}}}");
                    assert!(sentence.contains(&braced), "{language:?}: {}", word.key());
                }
            }
        }
    }

    #[test]
    fn what_is_filled_in_is_left_alone() {
        let words = Words::read(Language::En, None).unwrap();
        let filled = words.fill(Word::ConsentTitle, &[("name", "{name} }{")]);
        assert!(filled.contains("{name} }{"), "{filled}");
    }

    #[test]
    fn a_file_of_ones_own_changes_what_it_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.toml");
        std::fs::write(&path, "[greeting]\nwelcome = \"Moin,\"").unwrap();
        let words = Words::read(Language::De, Some(&path)).unwrap();
        assert_eq!(words.say(Word::Welcome), "Moin,");
        let german = Words::read(Language::De, None).unwrap();
        assert_eq!(words.say(Word::Unknown), german.say(Word::Unknown));
        let absent = Words::read(Language::En, Some(&folder.path().join("none.toml")));
        assert!(absent.unwrap_err().to_string().contains("none.toml"));
    }

    #[test]
    fn words_that_cannot_be_shown_are_named() {
        let keyboard = |rows: &str| {
            format!("[keyboard]\nspace = \"s\"\nsigns = [\"1\", \"2\", \"3\"]\nrows = {rows}")
        };
        for (text, named) in [
            ("greeting = 1".to_owned(), "own.toml"),
            ("[greeting]\nwelcom = \"x\"".to_owned(), "greeting.welcom"),
            (
                "[greeting]\nwelcome = \"\"".to_owned(),
                "nothing in greeting.welcome",
            ),
            (
                "[greeting]\nwelcome = \"Hi {name}\"".to_owned(),
                "placeholder {name}",
            ),
            (
                "[greeting]\none_in = \"{cuont}\"".to_owned(),
                "filled in there is {count}",
            ),
            (
                "[greeting]\none_in = \"1 in }{count}\"".to_owned(),
                "stands alone",
            ),
            (
                keyboard("[\"qwertzuiopüx\", \"a\", \"b\"]"),
                "a row of 12 keys",
            ),
            (keyboard("[\"a\", \"a\", \"b\"]"), "'a' twice"),
            (keyboard("[\"a\", \"b\"]"), "own.toml"),
        ] {
            let found = parse("own.toml", &text).err().unwrap().to_string();
            assert!(
                found.contains(named) && found.contains("; "),
                "{text}: {found}"
            );
        }
    }
}
