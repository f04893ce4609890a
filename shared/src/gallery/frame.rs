//! One record as it lies in the file: head, sealed body, digest. See [`super::format`].

use sha2::{Digest, Sha256};

use super::IdentityId;
use super::format::{MAJOR, MAX_PAYLOAD_BYTES};
use super::header::Header;
use super::seal::{DataKey, KEY_BYTES, SEAL_BYTES, SealBroken};

/// First bytes of every record.
pub const MARK: [u8; 4] = *b"uRec";
/// Bytes before the payload.
pub const HEAD_BYTES: usize = 28;
/// Bytes behind the payload.
pub const DIGEST_BYTES: usize = 32;
/// Bytes of a sealed data key.
const WRAPPED_BYTES: usize = KEY_BYTES + SEAL_BYTES;

/// Which key seals a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The gallery key.
    Gallery,
    /// A new person's data key, which lies before the body, sealed by the gallery key.
    Enrollment,
    /// The data key of a person enrolled before.
    Person,
}

/// What stands in front of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the payload.
    pub payload_bytes: usize,
    /// Which key seals it.
    pub kind: FrameKind,
    /// Whom it is about; none in a record about the gallery.
    pub person: Option<IdentityId>,
    /// Its number, one more than that of the record before.
    pub sequence: u64,
}

impl Head {
    fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&(self.payload_bytes as u32).to_le_bytes());
        bytes[8] = match self.kind {
            FrameKind::Gallery => 0,
            FrameKind::Enrollment => 1,
            FrameKind::Person => 2,
        };
        let person = self.person.map_or(0, |person| person.0);
        bytes[12..16].copy_from_slice(&person.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        let check = Sha256::digest(&bytes[..24]);
        bytes[24..].copy_from_slice(&check[..4]);
        bytes
    }

    /// The head that `bytes` begin with, if they do.
    pub fn decode(bytes: &[u8]) -> Option<Head> {
        let head = bytes.first_chunk::<HEAD_BYTES>()?;
        if head[..4] != MARK || Sha256::digest(&head[..24])[..4] != head[24..] {
            return None;
        }
        let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
        let payload_bytes = number(4) as usize;
        let kind = match head[8] {
            0 => FrameKind::Gallery,
            1 => FrameKind::Enrollment,
            2 => FrameKind::Person,
            _ => return None,
        };
        let person = (number(12) > 0).then_some(IdentityId(number(12)));
        let sound = payload_bytes <= MAX_PAYLOAD_BYTES
            && head[9..12] == [0; 3]
            && person.is_some() != (kind == FrameKind::Gallery);
        sound.then_some(Head {
            payload_bytes,
            kind,
            person,
            sequence: u64::from_le_bytes(std::array::from_fn(|i| head[16 + i])),
        })
    }

    /// Bytes of the whole record.
    pub fn frame_bytes(&self) -> usize {
        HEAD_BYTES + self.payload_bytes + DIGEST_BYTES
    }
}

/// A person's data key beside the record it seals.
pub(super) enum Keys<'a> {
    /// Nothing is sealed.
    Plain,
    /// By the gallery key.
    Gallery(&'a DataKey),
    /// By the data key, which goes with the record, sealed by the gallery key.
    Enrollment {
        gallery: &'a DataKey,
        data: &'a DataKey,
    },
    /// By the data key.
    Person(&'a DataKey),
}

/// Bytes of a whole record with a body of that length.
pub(super) fn bytes_of(body: usize, kind: FrameKind, sealed: bool) -> usize {
    let seal = match (sealed, kind) {
        (false, _) => 0,
        (true, FrameKind::Gallery | FrameKind::Person) => SEAL_BYTES,
        (true, FrameKind::Enrollment) => SEAL_BYTES + WRAPPED_BYTES,
    };
    HEAD_BYTES + seal + body + DIGEST_BYTES
}

/// Appends a record to `out` and returns its digest.
///
/// # Errors
/// What the system says when it has no randomness to give.
pub(super) fn write(
    out: &mut Vec<u8>,
    header: &Header,
    previous: &[u8; 32],
    head: Head,
    keys: &Keys<'_>,
    body: &[u8],
) -> std::io::Result<[u8; 32]> {
    let start = out.len();
    let sealed = !matches!(keys, Keys::Plain);
    let head = Head {
        payload_bytes: bytes_of(body.len(), head.kind, sealed) - HEAD_BYTES - DIGEST_BYTES,
        ..head
    };
    if head.payload_bytes > MAX_PAYLOAD_BYTES {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            "a record longer than a gallery takes",
        ));
    }
    out.extend_from_slice(&head.encode());
    let associated = associated(header, &head, previous);
    match keys {
        Keys::Plain => out.extend_from_slice(body),
        Keys::Gallery(key) | Keys::Person(key) => key.seal(&associated, body, out)?,
        Keys::Enrollment { gallery, data } => {
            gallery.seal(&associated, data.bytes(), out)?;
            data.seal(&associated, body, out)?;
        }
    }
    let digest = digest(previous, &out[start..]);
    out.extend_from_slice(&digest);
    Ok(digest)
}

/// The digest of a record: SHA-256 over that of the record before, head and payload.
pub fn digest(previous: &[u8; 32], head_and_payload: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(head_and_payload);
    hash.finalize().into()
}

/// What every seal of a record is bound to: format, device, kind, person, sequence and the digest
/// of the record before it.
fn associated(header: &Header, head: &Head, previous: &[u8; 32]) -> [u8; 65] {
    let mut bytes = [0; 65];
    bytes[..2].copy_from_slice(&MAJOR.to_le_bytes());
    bytes[2..4].copy_from_slice(&header.minor.to_le_bytes());
    bytes[4..20].copy_from_slice(&header.device);
    let encoded = head.encode();
    bytes[20] = encoded[8];
    bytes[21..33].copy_from_slice(&encoded[12..24]);
    bytes[33..].copy_from_slice(previous);
    bytes
}

/// Opens the payload of a record in place.
///
/// # Errors
/// [`SealBroken`] unless key, place and every byte are those of the sealing.
pub(super) fn open<'a>(
    header: &Header,
    previous: &[u8; 32],
    head: &Head,
    keys: &Keys<'_>,
    payload: &'a mut [u8],
) -> Result<&'a mut [u8], SealBroken> {
    match keys {
        Keys::Plain => Ok(payload),
        Keys::Gallery(key) | Keys::Person(key) => {
            key.open(&associated(header, head, previous), payload)
        }
        Keys::Enrollment { data, .. } => data.open(
            &associated(header, head, previous),
            payload.get_mut(WRAPPED_BYTES..).ok_or(SealBroken)?,
        ),
    }
}

/// Opens the data key that goes with an enrollment; the payload stays as it is.
///
/// # Errors
/// [`SealBroken`] as [`open`].
pub(super) fn data_key(
    header: &Header,
    previous: &[u8; 32],
    head: &Head,
    gallery: &DataKey,
    payload: &[u8],
) -> Result<DataKey, SealBroken> {
    let mut wrapped = *payload.first_chunk::<WRAPPED_BYTES>().ok_or(SealBroken)?;
    let bytes = gallery.open(&associated(header, head, previous), &mut wrapped)?;
    let bytes = <[u8; KEY_BYTES]>::try_from(&*bytes).map_err(|_length| SealBroken)?;
    Ok(DataKey::from_bytes(bytes))
}
