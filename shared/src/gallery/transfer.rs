//! People on their way to another gallery, or to themselves: one JSON document.
//!
//! ```json
//! {
//!   "format": "usher-people",
//!   "version": 1,
//!   "model": "c8b98181...",
//!   "dimension": 128,
//!   "exported_at": "2026-11-24T09:30:00Z",
//!   "people": [
//!     {
//!       "name": "Ada Lovelace",
//!       "number": 3,
//!       "enrolled_at": "2026-11-24T09:30:00Z",
//!       "consent": {
//!         "text_sha256": "5e1f...",
//!         "given_at": "2026-11-24T09:30:00Z",
//!         "operator": "front desk",
//!         "expires_at": "2027-11-24T09:30:00Z"
//!       },
//!       "templates": [
//!         { "label": "glasses", "taken_at": "2026-11-24T09:30:00Z", "numbers": [0.0625, -0.03125] }
//!       ],
//!       "negative_anchors": []
//!     }
//!   ]
//! }
//! ```
//!
//! Times are RFC 3339 in whole seconds of UTC, digests lower-case hex, numbers of unit length and as
//! the model made them: a gallery's rotation is undone, so that another gallery can turn them by its own.
//! `label`, `negative_anchors` and `exported_at` may be missing. Unknown fields are refused: a
//! later version says so by its number.
//!
//! Reading holds at most about three bytes for each byte of the document beside the document itself.

use std::io::{self, Write};
use std::marker::PhantomData;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use super::consent::{Consent, WallTime};
use super::{Enrollee, Gallery, Identity, NewTemplate};
use super::{MAX_ANCHORS, MAX_IDENTITIES, MAX_TEMPLATES, check_label, name};
use crate::embedding::{Embedding, MAX_DIMENSION};
use crate::model_id::{ModelId, hex};

/// What the document calls itself.
pub const FORMAT: &str = "usher-people";
/// The version that this build reads and writes.
pub const VERSION: u32 = 1;
/// Longest document that is read, in bytes: about 700,000 templates of 128 numbers.
pub const MAX_BYTES: u64 = 1 << 30;

/// People, with the model that made their templates.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    format: String,
    version: u32,
    #[serde(serialize_with = "write_model", deserialize_with = "read_model")]
    model: ModelId,
    dimension: usize,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_time")]
    exported_at: Option<WallTime>,
    #[serde(deserialize_with = "read_people")]
    people: Vec<Person>,
}

/// A person in a document.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The number in the gallery that the person comes from.
    pub number: u32,
    /// When the person was enrolled there.
    #[serde(with = "time")]
    pub enrolled_at: WallTime,
    /// What the person agreed to.
    #[serde(with = "consent")]
    pub consent: Consent,
    /// The stored references, 1 to [`MAX_TEMPLATES`].
    #[serde(deserialize_with = "read_templates")]
    pub templates: Vec<Face>,
    /// Faces that are noted as not this person, at most [`MAX_ANCHORS`]. They are other people's:
    /// they are left out of what a person is given.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "read_anchors"
    )]
    pub negative_anchors: Vec<Face>,
}

/// A template in a document.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Face {
    /// What sets it apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// When it was taken.
    #[serde(with = "time")]
    pub taken_at: WallTime,
    /// The numbers, of unit length.
    #[serde(rename = "numbers", with = "numbers")]
    pub embedding: Embedding,
}

/// Why bytes are no such document.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// They are too many.
    #[error(
        "expected at most {MAX_BYTES} bytes of exported people, found {found}; export fewer at once"
    )]
    TooLong {
        /// Bytes given.
        found: u64,
    },
    /// They are no such JSON.
    #[error(
        "expected people as usher gallery export writes them, found at line {line}, column {column}: {found}; export them again"
    )]
    Json {
        /// Line, from 1.
        line: usize,
        /// Byte in the line, from 1.
        column: usize,
        /// What is wrong there.
        found: String,
    },
    /// They are of another version.
    #[error("expected exported people of version {VERSION}, found version {found}; update usher")]
    Version {
        /// The version found.
        found: u32,
    },
    /// A person cannot be enrolled as it stands.
    #[error(
        "expected people who can be enrolled, found as entry {place}: {found}; export them again"
    )]
    Person {
        /// Place in the document, from 1.
        place: usize,
        /// What is unfit.
        found: String,
    },
}

/// Reads a document and checks it through and through.
///
/// # Errors
/// [`TransferError`], with line and column or the person's place.
pub fn read(bytes: &[u8]) -> Result<Document, TransferError> {
    let found = bytes.len() as u64;
    if found > MAX_BYTES {
        return Err(TransferError::TooLong { found });
    }
    let wrong = |error: serde_json::Error| TransferError::Json {
        line: error.line(),
        column: error.column(),
        found: without_place(&error),
    };
    // The version alone first, so that a later one is not blamed for its new fields.
    let about: About = serde_json::from_slice(bytes).map_err(wrong)?;
    if about.format != FORMAT {
        return Err(TransferError::Json {
            line: 1,
            column: 1,
            found: "another format".to_owned(),
        });
    }
    if about.version != VERSION {
        return Err(TransferError::Version {
            found: about.version,
        });
    }
    let document: Document = serde_json::from_slice(bytes).map_err(wrong)?;
    document.check()?;
    Ok(document)
}

/// Reads format and version, and skips over the rest.
#[derive(Deserialize)]
struct About {
    #[serde(deserialize_with = "read_word")]
    format: String,
    version: u32,
}

impl Document {
    /// A document of these people of a gallery, with their negative anchors.
    pub fn of<'a>(
        gallery: &Gallery,
        people: impl IntoIterator<Item = &'a Identity>,
        exported_at: WallTime,
    ) -> Document {
        Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            model: gallery.model(),
            dimension: gallery.dimension(),
            exported_at: Some(exported_at),
            people: people
                .into_iter()
                .map(|known| Person::of(gallery, known))
                .collect(),
        }
    }

    /// Without other people's faces: what a person may be given as that person's own data.
    pub fn without_anchors(mut self) -> Document {
        for person in &mut self.people {
            person.negative_anchors.clear();
        }
        self
    }

    /// Writes it, readable.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut out = out;
        serde_json::to_writer_pretty(&mut out, self).map_err(io::Error::from)?;
        out.write_all(b"\n")
    }

    /// The model that made the templates.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// Numbers in a template.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The people, in the order of their numbers.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    fn check(&self) -> Result<(), TransferError> {
        for (place, person) in self.people.iter().enumerate() {
            person
                .check(self.dimension)
                .map_err(|found| TransferError::Person {
                    place: place + 1,
                    found,
                })?;
        }
        Ok(())
    }
}

impl Person {
    fn of(gallery: &Gallery, known: &Identity) -> Person {
        let embeddings = gallery.embeddings(known.id());
        let templates = embeddings.into_iter().zip(known.templates());
        Person {
            name: known.name().to_owned(),
            number: known.id().number(),
            enrolled_at: known.enrolled_at(),
            consent: known.consent().clone(),
            templates: templates
                .map(|(embedding, template)| Face {
                    label: template.label().map(str::to_owned),
                    taken_at: template.taken_at(),
                    embedding,
                })
                .collect(),
            negative_anchors: gallery
                .negative_anchors(known.id())
                .into_iter()
                .map(|embedding| Face {
                    label: None,
                    taken_at: WallTime::default(),
                    embedding,
                })
                .collect(),
        }
    }

    /// The person as another gallery enrolls one.
    pub fn enrollee(&self) -> Enrollee {
        Enrollee {
            name: self.name.clone(),
            consent: self.consent.clone(),
            templates: self.templates.iter().map(Face::template).collect(),
        }
    }

    fn check(&self, dimension: usize) -> Result<(), String> {
        let kept = name::checked(&self.name).map_err(|_error| "a name that is none".to_owned())?;
        if kept != self.name {
            return Err("a name with white space around it".to_owned());
        }
        if self.number == 0 {
            return Err("the number 0".to_owned());
        }
        if self.templates.is_empty() {
            return Err("no template".to_owned());
        }
        for face in self.templates.iter().chain(&self.negative_anchors) {
            if let Some(label) = &face.label {
                check_label(label).map_err(|_error| "a label that is none".to_owned())?;
            }
            let found = face.embedding.dimension();
            if found != dimension {
                return Err(format!(
                    "{found} numbers where the document says {dimension}"
                ));
            }
        }
        Ok(())
    }
}

impl Face {
    /// As a gallery stores one.
    pub fn template(&self) -> NewTemplate {
        NewTemplate {
            embedding: self.embedding.clone(),
            label: self.label.clone(),
            taken_at: self.taken_at,
        }
    }
}

impl std::fmt::Debug for Document {
    /// Counts alone, so that nobody's name reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Document({}, {} people)", self.model, self.people.len())
    }
}

/// The message without the place, which is a field of its own.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&place).unwrap_or(&text);
    text.chars().take(200).collect()
}

/// A list of at most so many, refused at the first one too many.
struct Capped<T> {
    most: usize,
    what: &'static str,
    _of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Capped<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {} {}", self.most, self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            if values.len() == self.most {
                return Err(de::Error::invalid_length(self.most + 1, &self));
            }
            values.push(value);
        }
        values.shrink_to_fit();
        Ok(values)
    }
}

fn read_list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
    most: usize,
    what: &'static str,
) -> Result<Vec<T>, D::Error> {
    from.deserialize_seq(Capped {
        most,
        what,
        _of: PhantomData,
    })
}

fn read_people<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Person>, D::Error> {
    read_list(from, MAX_IDENTITIES, "people")
}

fn read_templates<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Face>, D::Error> {
    read_list(from, MAX_TEMPLATES, "templates of a person")
}

fn read_anchors<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Face>, D::Error> {
    read_list(from, MAX_ANCHORS, "negative anchors of a person")
}

/// A short text: a long one is not copied into a message.
fn read_word<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let word = String::deserialize(from)?;
    match word.len() {
        0..=100 => Ok(word),
        found => Err(de::Error::invalid_length(found, &"at most 100 bytes")),
    }
}

fn write_model<S: Serializer>(model: &ModelId, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&model.hex())
}

fn read_model<'de, D: Deserializer<'de>>(from: D) -> Result<ModelId, D::Error> {
    digest(&read_word(from)?).map(ModelId::from_bytes)
}

/// 32 bytes from 64 lower-case hex digits.
fn digest<E: de::Error>(digits: &str) -> Result<[u8; 32], E> {
    let mut bytes = [0; 32];
    let sound = digits.len() == 64
        && bytes
            .iter_mut()
            .zip(digits.as_bytes().chunks_exact(2))
            .all(|(byte, pair)| {
                let value = std::str::from_utf8(pair)
                    .ok()
                    .and_then(|pair| u8::from_str_radix(pair, 16).ok());
                *byte = value.unwrap_or(0);
                value.is_some()
            })
        && hex(&bytes) == digits;
    if sound {
        Ok(bytes)
    } else {
        Err(E::custom("expected 64 lower-case hex digits"))
    }
}

/// Times as RFC 3339.
mod time {
    use super::*;

    pub(super) fn serialize<S: Serializer>(time: &WallTime, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.to_rfc3339())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<WallTime, D::Error> {
        WallTime::from_rfc3339(&read_word(from)?)
            .ok_or_else(|| de::Error::custom("expected a time such as 2026-11-24T09:30:00Z"))
    }
}

/// The same, where there may be none.
mod maybe_time {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        time: &Option<WallTime>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::time::serialize(time, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<WallTime>, D::Error> {
        super::time::deserialize(from).map(Some)
    }
}

/// A consent as its four fields.
mod consent {
    use super::*;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        text_sha256: String,
        #[serde(with = "super::time")]
        given_at: WallTime,
        operator: String,
        #[serde(with = "super::time")]
        expires_at: WallTime,
    }

    pub(super) fn serialize<S: Serializer>(consent: &Consent, to: S) -> Result<S::Ok, S::Error> {
        let fields = Fields {
            text_sha256: hex(consent.text_sha256()),
            given_at: consent.given_at(),
            operator: consent.operator().to_owned(),
            expires_at: consent.expires_at(),
        };
        fields.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Consent, D::Error> {
        let fields = Fields::deserialize(from)?;
        let text = digest(&fields.text_sha256)?;
        Consent::as_recorded(text, fields.given_at, &fields.operator, fields.expires_at)
            .map_err(|_error| de::Error::custom("a consent that no enrollment records"))
    }
}

/// A unit vector as its numbers.
mod numbers {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        embedding: &Embedding,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut list = to.serialize_seq(Some(embedding.dimension()))?;
        for value in embedding.values() {
            list.serialize_element(value)?;
        }
        list.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Embedding, D::Error> {
        let values = read_list(from, MAX_DIMENSION, "numbers")?;
        Embedding::from_unit(values)
            .map_err(|_error| de::Error::custom("numbers that are no unit vector"))
    }
}

#[cfg(test)]
mod tests;
