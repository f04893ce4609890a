//! The gallery file, byte by byte.
//!
//! All numbers of the header are little-endian.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 8 | magic: `USHERGAL` in ASCII |
//! | 8 | 4 | format version, u32: 1 |
//! | 12 | 32 | [`ModelId`] of the model that made the templates |
//! | 44 | 4 | dimension D of a template, u32, 1 to 4096 |
//! | 48 | 8 | length L of the body, u64, at most [`MAX_BODY_BYTES`] |
//! | 56 | L | body |
//! | 56 + L | 32 | SHA-256 of all bytes before it |
//!
//! The body is in postcard (wire format 1: integers as LEB128 varints, lengths before sequences
//! and strings, f32 as 4 bytes little-endian):
//!
//! | field | type | range |
//! |---|---|---|
//! | next_id | u32 | greater than every id |
//! | identities | sequence | at most [`super::MAX_IDENTITIES`] |
//! | — id | u32 | 1 and up, rising |
//! | — name | string, UTF-8 | 1 to 100 printable characters, trimmed, no other's |
//! | — templates | sequence | 1 to [`super::MAX_TEMPLATES`] |
//! | —— numbers | sequence of f32 | exactly D, of unit length |
//!
//! The checksum finds every truncation and every flipped bit; it is no seal against somebody who
//! may write the file. Every later version keeps magic, version and trailing checksum in place.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Gallery, Identity, IdentityId, MAX_IDENTITIES, MAX_TEMPLATES, name};
use crate::embedding::{Embedding, MAX_DIMENSION};
use crate::model_id::ModelId;

/// First bytes of every gallery file.
pub const MAGIC: [u8; 8] = *b"USHERGAL";
/// The format version that this build reads and writes.
pub const VERSION: u32 = 1;
/// Longest body: 130,000 templates of 128 numbers.
pub const MAX_BODY_BYTES: u64 = 64 << 20;
/// Longest gallery file.
pub const MAX_FILE_BYTES: u64 = HEADER_BYTES as u64 + MAX_BODY_BYTES + CHECKSUM_BYTES as u64;

const HEADER_BYTES: usize = 56;
const CHECKSUM_BYTES: usize = 32;

/// What is wrong with the bytes of a gallery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// The first bytes are not a gallery's.
    #[error("expected a gallery, found other content; check the path of --gallery")]
    NotAGallery,
    /// There are fewer or more bytes than the header says.
    #[error(
        "expected a gallery of {expected} bytes, found {found}; restore it from a copy or enroll again"
    )]
    Length {
        /// Header, body and checksum together.
        expected: u64,
        /// Bytes there are.
        found: u64,
    },
    /// The checksum does not fit the bytes.
    #[error(
        "expected a gallery with a fitting checksum, found damaged bytes; restore it from a copy or enroll again"
    )]
    Checksum,
    /// The file is of another format version.
    #[error(
        "expected a gallery of format {VERSION}, found format {found}; update usher or enroll again"
    )]
    Version {
        /// The version in the header.
        found: u32,
    },
    /// The gallery is larger than a file may be.
    #[error(
        "expected a gallery body of at most {MAX_BODY_BYTES} bytes, found {found}; remove people or templates"
    )]
    TooLarge {
        /// Bytes of the body.
        found: u64,
    },
    /// The checksum fits, but the content breaks the format's own rules.
    #[error(
        "expected {expected} in a gallery, found {found}; it was not written by usher, enroll again"
    )]
    Content {
        /// The rule.
        expected: &'static str,
        /// What breaks it.
        found: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Body {
    next_id: u32,
    identities: Vec<StoredIdentity>,
}

#[derive(Serialize, Deserialize)]
struct StoredIdentity {
    id: u32,
    name: String,
    templates: Vec<Vec<f32>>,
}

/// The bytes of a gallery file; the same gallery gives the same bytes.
///
/// # Errors
/// [`FormatError::TooLarge`] when the body exceeds [`MAX_BODY_BYTES`].
pub fn encode(gallery: &Gallery) -> Result<Vec<u8>, FormatError> {
    let body = postcard::to_stdvec(&stored(gallery)).map_err(|error| FormatError::Content {
        expected: "a body that can be written",
        found: error.to_string(),
    })?;
    if body.len() as u64 > MAX_BODY_BYTES {
        return Err(FormatError::TooLarge {
            found: body.len() as u64,
        });
    }
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len() + CHECKSUM_BYTES);
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(gallery.model.bytes());
    bytes.extend((gallery.dimension as u32).to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(body);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    Ok(bytes)
}

fn stored(gallery: &Gallery) -> Body {
    Body {
        next_id: gallery.next_id,
        identities: gallery
            .identities
            .iter()
            .map(|identity| StoredIdentity {
                id: identity.id.0,
                name: identity.name.clone(),
                templates: identity
                    .templates
                    .iter()
                    .map(|template| template.values().to_vec())
                    .collect(),
            })
            .collect(),
    }
}

/// The gallery in the bytes of a file.
///
/// # Errors
/// [`FormatError`] when the bytes are not exactly what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Gallery, FormatError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(FormatError::NotAGallery);
    }
    let length_error = |expected| FormatError::Length {
        expected,
        found: bytes.len() as u64,
    };
    let least = HEADER_BYTES + CHECKSUM_BYTES;
    if bytes.len() < least {
        return Err(length_error(least as u64));
    }
    let version = u32::from_le_bytes(field(bytes, 8));
    let body_bytes = u64::from_le_bytes(field(bytes, 48));
    let (covered, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    if Sha256::digest(covered)[..] != *checksum {
        // A cut file is the likelier cause where the length disagrees.
        let expected = (least as u64).saturating_add(body_bytes);
        let likely_cut = version == VERSION && expected > bytes.len() as u64;
        return Err(if likely_cut {
            length_error(expected)
        } else {
            FormatError::Checksum
        });
    }
    if version != VERSION {
        return Err(FormatError::Version { found: version });
    }
    if body_bytes > MAX_BODY_BYTES {
        return Err(FormatError::TooLarge { found: body_bytes });
    }
    if body_bytes != (covered.len() - HEADER_BYTES) as u64 {
        return Err(length_error(least as u64 + body_bytes));
    }
    let (body, rest) =
        postcard::take_from_bytes::<Body>(&covered[HEADER_BYTES..]).map_err(|error| {
            FormatError::Content {
                expected: "a whole postcard body",
                found: error.to_string(),
            }
        })?;
    expect(rest.is_empty(), "nothing behind the last identity", || {
        format!("{} bytes", rest.len())
    })?;
    let dimension = u32::from_le_bytes(field(bytes, 44)) as usize;
    expect(
        (1..=MAX_DIMENSION).contains(&dimension),
        "a dimension from 1 to 4096",
        || dimension.to_string(),
    )?;
    restored(body, ModelId::from_bytes(field(bytes, 12)), dimension)
}

/// `N` bytes of the header, whose length the caller has checked.
fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[offset + i])
}

fn restored(body: Body, model: ModelId, dimension: usize) -> Result<Gallery, FormatError> {
    expect(
        body.identities.len() <= MAX_IDENTITIES,
        "at most 10000 identities",
        || body.identities.len().to_string(),
    )?;
    let mut gallery = Gallery::new(model, dimension);
    gallery.next_id = body.next_id;
    let mut names = std::collections::HashSet::new();
    let mut last_id = 0;
    for stored in body.identities {
        let id = stored.id;
        expect(
            id > last_id && id < body.next_id,
            "rising ids below the next one",
            || format!("{id} after {last_id}, next {}", body.next_id),
        )?;
        last_id = id;
        expect(
            name::checked(&stored.name).is_ok_and(|checked| checked == stored.name)
                && names.insert(stored.name.clone()),
            "a printable name of its own",
            || format!("another at identity {id}"),
        )?;
        expect(
            (1..=MAX_TEMPLATES).contains(&stored.templates.len()),
            "1 to 100 templates of a person",
            || format!("{} at identity {id}", stored.templates.len()),
        )?;
        let templates = stored
            .templates
            .into_iter()
            .map(|numbers| template(numbers, dimension, id))
            .collect::<Result<_, _>>()?;
        gallery.identities.push(Identity {
            id: IdentityId(id),
            name: stored.name,
            templates,
        });
    }
    Ok(gallery)
}

fn template(numbers: Vec<f32>, dimension: usize, id: u32) -> Result<Embedding, FormatError> {
    let found = numbers.len();
    expect(
        found == dimension,
        "templates of the header's dimension",
        || format!("{found} numbers at identity {id}"),
    )?;
    Embedding::from_unit(numbers).map_err(|error| FormatError::Content {
        expected: "templates of unit length",
        found: format!("at identity {id}: {error}"),
    })
}

fn expect(
    holds: bool,
    expected: &'static str,
    found: impl FnOnce() -> String,
) -> Result<(), FormatError> {
    if holds {
        Ok(())
    } else {
        Err(FormatError::Content {
            expected,
            found: found(),
        })
    }
}

#[cfg(test)]
mod tests;
