//! The gallery file, byte by byte: format 2.0.
//!
//! A header, then records one behind another, written once and never changed; a compaction writes
//! a new file. All numbers outside the bodies are little-endian.
//!
//! # Header
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | magic: `USHERGAL` in ASCII |
//! | 8 | 2 | major version, u16: 2 |
//! | 10 | 2 | minor version, u16: 0 |
//! | 12 | 32 | [`ModelId`](crate::ModelId) of the model that made the templates |
//! | 44 | 4 | dimension D of a template, u32, 1 to 4096 |
//! | 48 | 16 | device: random, drawn when the gallery was made, kept by compaction, rekey and restore |
//! | 64 | 8 | sequence number of the first record, u64, 1 and up |
//! | 72 | 8 | base: bytes of the part that was written whole before the file got its name, u64 |
//! | 80 | 1 | templates: 0 f32, 1 int8 |
//! | 81 | 1 | sealed by: 0 nothing, 1 a key file, 2 a passphrase, 3 a chip |
//! | 82 | 2 | zero |
//! | 84 | 4 | Argon2id memory in KiB, u32; zero without a passphrase |
//! | 88 | 4 | Argon2id passes, u32; one lane; zero without a passphrase |
//! | 92 | 16 | Argon2id salt; zero without a passphrase |
//! | 108 | 8 | zero |
//! | 116 | 72 | the gallery key, sealed by the root key with bytes 0 to 115 as associated data; zero in a plain gallery |
//! | 188 | 4 | zero |
//! | 192 | 32 | SHA-256 of all bytes before it |
//!
//! # Record
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 4 | mark: `uRec` in ASCII |
//! | 4 | 4 | length P of the payload, u32, at most [`MAX_PAYLOAD_BYTES`] |
//! | 8 | 1 | kind: 0 about the gallery, 1 an enrollment, 2 about a person |
//! | 9 | 3 | zero |
//! | 12 | 4 | the person's number, u32, 1 and up; 0 in a record about the gallery |
//! | 16 | 8 | sequence number, u64: one more than that of the record before |
//! | 24 | 4 | first four bytes of SHA-256 of bytes 0 to 23 |
//! | 28 | P | payload |
//! | 28 + P | 32 | digest: SHA-256 over the digest before (of the record before, or of the header) and bytes 0 to 27 + P |
//!
//! The payload is the body in a plain gallery. In a sealed one it is
//! - about the gallery: the body, sealed by the gallery key;
//! - an enrollment: 72 bytes, the person's data key sealed by the gallery key, then the body sealed
//!   by the data key;
//! - about a person: the body, sealed by that person's data key.
//!
//! A seal is XChaCha20-Poly1305: 24 bytes nonce (random), the sealed text, 16 bytes tag. Its
//! associated data are 65 bytes: major and minor version (u16 each), device (16 bytes), kind
//! (u8), person (u32), sequence (u64), the digest before (32 bytes). So no record can be moved,
//! left out or taken from another gallery without its key.
//!
//! # Body
//!
//! Postcard, wire format 1 (integers as LEB128 varints, lengths before sequences, strings and
//! bytes): time (u64, seconds since 1970), operator (string), change (varint of the variant, then its
//! fields):
//!
//! | variant | kind | fields |
//! |---|---|---|
//! | 0 settings | gallery | rotation seed: option of 32 bytes |
//! | 1 enroll | enrollment | enrolled at, name (string), consent, templates, negative anchors |
//! | 2 add templates | person | sequence of templates |
//! | 3 keep templates | person | sequence of u32: places from 0, rising |
//! | 4 rename | person | string |
//! | 5 consent | person | consent |
//! | 6 add negative anchors | person | sequence of templates |
//! | 7 remove | gallery | person u32, enrolled at, removed at, reason (0 asked, 1 consent expired, 2 merged) |
//! | 8 operating point | gallery | string: TOML as in a model's manifest, at most 4,096 bytes |
//! | 9 cohort | gallery | sequence of templates |
//! | 10 key rotation | gallery | |
//! | 11 backup | gallery | name (string), made at, last sequence u64, next person u32 |
//! | 12 ledger | gallery | next person u32, newest time, removals, backups, history: what a compaction keeps |
//!
//! A sequence longer than it may be is refused before it is read: 100 templates, places or negative anchors,
//! 1,000 strangers, 200,000 removals, 5,000 backups, 10,000 lines of history. A rotation goes with up to
//! 1,024 numbers.
//!
//! A record with an empty operator is carried over by a compaction and is no history. A consent is: SHA-256 of the text (32 bytes), given at, operator (string), expires at. A template is: label
//! (option of string), taken at, numbers (bytes: 4 x D, f32 of unit length, or D, i8 from -127 to 127, the direction). Variant 0 is the
//! first record of a file and stands nowhere else. An enrollment is one record, so a person is enrolled
//! whole or not at all.
//!
//! # What counts as damage
//!
//! The header does not fit its digest, or a record within the base does not: the file is refused
//! and the record named. A record behind the base does not fit, and a later one has a sound head:
//! likewise. No later one is there: an append was cut short (a power cut), the file is cut back to the last
//! whole record, and that is reported; unless the counter beside it knows that the record was acknowledged.
//!
//! # Versions
//!
//! A file of another major version is refused. Format 1 (usher before the seal; no release had it) held
//! templates without consent and is not carried over: enroll again. A file of a newer minor version
//! is read, leaving out variants and trailing fields that this build does not know, and never
//! written; a change that an older build must not leave out makes a new major version.

use super::GalleryError;
use super::frame::{self, DIGEST_BYTES, FrameKind, HEAD_BYTES, Head, Keys, MARK};
use super::header::{HEADER_BYTES, Header};
use super::record::Record;
use super::seal::DataKey;
use super::{Gallery, IdentityId};

/// First bytes of every gallery file.
pub const MAGIC: [u8; 8] = *b"USHERGAL";
/// The major format version that this build reads and writes.
pub const MAJOR: u16 = 2;
/// The newest minor format version that this build writes.
pub const MINOR: u16 = 0;
/// Longest payload of a record: 100 templates of 4,096 numbers with as many negative anchors.
pub const MAX_PAYLOAD_BYTES: usize = 8 << 20;
/// Longest gallery file: 1.5 million templates of 128 numbers.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// What is wrong with the bytes of a gallery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not a gallery's.
    #[error("expected a gallery, found other content; check the path of --gallery")]
    NotAGallery,
    /// The file is of another major version.
    #[error(
        "expected a gallery of format {MAJOR}, found format {major}.{minor}; {}",
        if *major < MAJOR { "that was before consents were kept and files sealed: enroll again" } else { "update usher" }
    )]
    Version {
        /// The file's major version.
        major: u16,
        /// The file's minor version.
        minor: u16,
    },
    /// The header is damaged or cut short.
    #[error("expected a sound header, found damaged bytes; restore a backup or enroll again")]
    Header,
    /// The file is longer than a gallery may be.
    #[error("expected at most {MAX_FILE_BYTES} bytes, found more; this is no gallery of usher's")]
    TooLong,
    /// A record is damaged, and it is not the end of the file.
    #[error(
        "expected a sound record {sequence} at byte {offset}, found damaged bytes; restore a backup"
    )]
    Record {
        /// The damaged record's number.
        sequence: u64,
        /// Where it begins.
        offset: u64,
    },
    /// A record's digest fits, but its seal does not open.
    #[error(
        "expected record {sequence} at byte {offset} to open by the gallery's key, found that it does not: somebody without the key wrote it; restore a backup"
    )]
    Seal {
        /// The record's number.
        sequence: u64,
        /// Where it begins.
        offset: u64,
    },
    /// A record opens, but what it says cannot be.
    #[error(
        "expected record {sequence} at byte {offset} to fit those before it, found {found}; restore a backup, and report this"
    )]
    Content {
        /// The record's number.
        sequence: u64,
        /// Where it begins.
        offset: u64,
        /// What does not fit.
        found: String,
    },
}

/// Where the next record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Bytes of the file up to there.
    pub(super) offset: u64,
    /// Digest of the record before.
    pub(super) digest: [u8; 32],
    /// Number of the record before.
    pub(super) sequence: u64,
}

/// A gallery's bytes, read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) header: Header,
    /// The gallery key; none in a plain gallery.
    pub(super) key: Option<DataKey>,
    pub(super) gallery: Gallery,
    pub(super) end: End,
    /// Bytes behind the last whole record.
    pub(super) torn_bytes: u64,
    /// Records of a newer minor version that were left out.
    pub(super) left_out: u64,
}

/// Reads a gallery's bytes; the bodies are opened in place. `open` gives the gallery key for a header.
pub(super) fn load(
    bytes: &mut [u8],
    open: impl FnOnce(&Header) -> Result<Option<DataKey>, GalleryError>,
    damaged: impl Fn(FormatError) -> GalleryError,
) -> Result<Loaded, GalleryError> {
    let header = Header::decode(bytes).map_err(&damaged)?;
    let key = open(&header)?;
    let mut loaded = Loaded {
        gallery: Gallery::with_form(header.model, header.dimension, header.form),
        end: End {
            offset: HEADER_BYTES as u64,
            digest: header.digest(),
            sequence: header.first_sequence - 1,
        },
        header,
        key,
        torn_bytes: 0,
        left_out: 0,
    };
    loop {
        let offset = loaded.end.offset as usize;
        if offset == bytes.len() && offset as u64 >= loaded.header.base_bytes {
            return Ok(loaded);
        }
        let Some(head) = sound(&bytes[offset..], &loaded.end) else {
            let sequence = loaded.end.sequence + 1;
            let within_base = (offset as u64) < loaded.header.base_bytes;
            if within_base || later_head(&bytes[offset..], sequence) {
                return Err(damaged(FormatError::Record {
                    sequence,
                    offset: offset as u64,
                }));
            }
            loaded.torn_bytes = (bytes.len() - offset) as u64;
            return Ok(loaded);
        };
        loaded
            .take(&head, &mut bytes[offset..offset + head.frame_bytes()])
            .map_err(&damaged)?;
    }
}

/// The head of the record that `bytes` begin with, if it is whole, fits its digest and is the next.
fn sound(bytes: &[u8], end: &End) -> Option<Head> {
    let head = Head::decode(bytes)?;
    let frame = bytes.get(..head.frame_bytes())?;
    let (content, digest) = frame.split_last_chunk::<DIGEST_BYTES>()?;
    let next = head.sequence == end.sequence + 1;
    (next && frame::digest(&end.digest, content) == *digest).then_some(head)
}

/// Whether the bytes behind a damaged record hold the head of a later one.
fn later_head(bytes: &[u8], sequence: u64) -> bool {
    (1..bytes.len().saturating_sub(HEAD_BYTES - 1)).any(|at| {
        bytes[at..].starts_with(&MARK)
            && Head::decode(&bytes[at..]).is_some_and(|head| head.sequence > sequence)
    })
}

impl Loaded {
    /// Opens a sound record and applies it.
    fn take(&mut self, head: &Head, frame: &mut [u8]) -> Result<(), FormatError> {
        let (sequence, offset) = (head.sequence, self.end.offset);
        let sealed = |_broken| FormatError::Seal { sequence, offset };
        let previous = self.end.digest;
        let digest = std::array::from_fn(|i| frame[HEAD_BYTES + head.payload_bytes + i]);
        let payload = &mut frame[HEAD_BYTES..HEAD_BYTES + head.payload_bytes];
        let data = match (&self.key, head.kind, head.person) {
            (Some(gallery), FrameKind::Enrollment, _) => Some(
                frame::data_key(&self.header, &previous, head, gallery, payload).map_err(sealed)?,
            ),
            (Some(_), FrameKind::Person, Some(person)) => {
                let identity = self.gallery.identity(person);
                Some(
                    identity
                        .ok_or(FormatError::Seal { sequence, offset })?
                        .key
                        .clone(),
                )
            }
            _ => None,
        };
        let keys = match (&self.key, &data) {
            (None, _) => Keys::Plain,
            (Some(gallery), None) => Keys::Gallery(gallery),
            (Some(gallery), Some(data)) if head.kind == FrameKind::Enrollment => {
                Keys::Enrollment { gallery, data }
            }
            (Some(_), Some(data)) => Keys::Person(data),
        };
        let body = frame::open(&self.header, &previous, head, &keys, payload).map_err(sealed)?;
        let newer = !self.header.may_be_written();
        match postcard::take_from_bytes::<Record<'_>>(body) {
            Ok((record, rest)) if rest.is_empty() || newer => {
                let unfit = |found: String| FormatError::Content {
                    sequence,
                    offset,
                    found,
                };
                if (sequence == self.header.first_sequence) != record.change.is_settings() {
                    return Err(unfit("settings elsewhere than at the start".to_owned()));
                }
                self.gallery
                    .check(head.kind, head.person, &record)
                    .map_err(|error| unfit(error.to_string()))?;
                self.gallery.apply(sequence, head.person, record, data);
            }
            _ if newer => self.left_out += 1,
            _ => {
                return Err(FormatError::Content {
                    sequence,
                    offset,
                    found: "a body that is no record".to_owned(),
                });
            }
        }
        self.end = End {
            offset: offset + head.frame_bytes() as u64,
            digest,
            sequence,
        };
        Ok(())
    }
}

/// Appends a record with this body to `out`.
///
/// # Errors
/// What the system says when it has no randomness to give, or the record is too long.
pub(super) fn append(
    out: &mut Vec<u8>,
    header: &Header,
    end: &mut End,
    keys: &Keys<'_>,
    (kind, person): (FrameKind, Option<IdentityId>),
    body: &[u8],
) -> std::io::Result<()> {
    let head = Head {
        payload_bytes: 0,
        kind,
        person,
        sequence: end.sequence + 1,
    };
    let before = out.len();
    let digest = frame::write(out, header, &end.digest, head, keys, body)?;
    *end = End {
        offset: end.offset + (out.len() - before) as u64,
        digest,
        sequence: head.sequence,
    };
    Ok(())
}

#[cfg(test)]
mod tests;
