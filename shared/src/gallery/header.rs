//! The first 224 bytes of a gallery file: what it is, whose, and how it opens. See [`super::format`].

use sha2::{Digest, Sha256};

use super::GalleryError;
use super::format::{FormatError, MAGIC, MAJOR, MINOR};
use super::key::{KeyParameters, SealKind, Sealing};
use super::seal::{DataKey, KEY_BYTES, SEAL_BYTES, random};
use super::search::TemplateForm;
use crate::embedding::MAX_DIMENSION;
use crate::model_id::ModelId;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 224;
const DIGEST_AT: usize = HEADER_BYTES - 32;
const WRAPPED_AT: usize = 116;

/// Everything that stands before the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Format version of the file: another minor one may be newer than this build's.
    pub minor: u16,
    /// The model whose templates these are.
    pub model: ModelId,
    /// Numbers in a template, 1 to 4096.
    pub dimension: usize,
    /// Drawn when the gallery was made; binds every record to this deployment.
    pub device: [u8; 16],
    /// Sequence number of the first record.
    pub first_sequence: u64,
    /// Length of the part that was written whole and synced before the file got its name, in bytes
    /// with the header: damage there is never an append that a power cut tore.
    pub base_bytes: u64,
    /// How templates are kept.
    pub form: TemplateForm,
    /// How the gallery is sealed.
    pub seal: SealKind,
    /// What a passphrase needs.
    pub parameters: KeyParameters,
    /// The gallery key, sealed by the root key; zeros in a plain gallery.
    pub wrapped: [u8; KEY_BYTES + SEAL_BYTES],
}

impl Header {
    /// The bytes of the file's first part.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..WRAPPED_AT].copy_from_slice(&self.associated());
        bytes[WRAPPED_AT..WRAPPED_AT + self.wrapped.len()].copy_from_slice(&self.wrapped);
        let digest = Sha256::digest(&bytes[..DIGEST_AT]);
        bytes[DIGEST_AT..].copy_from_slice(&digest);
        bytes
    }

    /// What the gallery key is sealed with: all before it.
    fn associated(&self) -> [u8; WRAPPED_AT] {
        let mut bytes = [0; WRAPPED_AT];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&MAJOR.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.minor.to_le_bytes());
        bytes[12..44].copy_from_slice(self.model.bytes());
        bytes[44..48].copy_from_slice(&(self.dimension as u32).to_le_bytes());
        bytes[48..64].copy_from_slice(&self.device);
        bytes[64..72].copy_from_slice(&self.first_sequence.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.base_bytes.to_le_bytes());
        bytes[80] = match self.form {
            TemplateForm::Full => 0,
            TemplateForm::Compact => 1,
        };
        bytes[81] = match self.seal {
            SealKind::Plain => 0,
            SealKind::KeyFile => 1,
            SealKind::Passphrase => 2,
            SealKind::Chip => 3,
        };
        bytes[84..88].copy_from_slice(&self.parameters.memory_kib.to_le_bytes());
        bytes[88..92].copy_from_slice(&self.parameters.passes.to_le_bytes());
        bytes[92..108].copy_from_slice(&self.parameters.salt);
        bytes
    }

    /// Reads the first bytes of a file.
    ///
    /// # Errors
    /// [`FormatError`] when they are no header, one of another major version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Header, FormatError> {
        if bytes.len() < 12 || bytes[..8] != MAGIC {
            return Err(FormatError::NotAGallery);
        }
        let (major, minor) = (
            u16::from_le_bytes(part(bytes, 8)),
            u16::from_le_bytes(part(bytes, 10)),
        );
        if major != MAJOR {
            return Err(FormatError::Version { major, minor });
        }
        if bytes.len() < HEADER_BYTES
            || Sha256::digest(&bytes[..DIGEST_AT])[..] != bytes[DIGEST_AT..HEADER_BYTES]
        {
            return Err(FormatError::Header);
        }
        let dimension = u32::from_le_bytes(part(bytes, 44)) as usize;
        let form = match bytes[80] {
            0 => TemplateForm::Full,
            1 => TemplateForm::Compact,
            _ => return Err(FormatError::Header),
        };
        let seal = match bytes[81] {
            0 => SealKind::Plain,
            1 => SealKind::KeyFile,
            2 => SealKind::Passphrase,
            3 => SealKind::Chip,
            _ => return Err(FormatError::Header),
        };
        let header = Header {
            minor,
            model: ModelId::from_bytes(part(bytes, 12)),
            dimension,
            device: part(bytes, 48),
            first_sequence: u64::from_le_bytes(part(bytes, 64)),
            base_bytes: u64::from_le_bytes(part(bytes, 72)),
            form,
            seal,
            parameters: KeyParameters {
                memory_kib: u32::from_le_bytes(part(bytes, 84)),
                passes: u32::from_le_bytes(part(bytes, 88)),
                salt: part(bytes, 92),
            },
            wrapped: part(bytes, WRAPPED_AT),
        };
        let sound = (1..=MAX_DIMENSION).contains(&dimension)
            && header.first_sequence > 0
            && header.base_bytes >= HEADER_BYTES as u64;
        if sound {
            Ok(header)
        } else {
            Err(FormatError::Header)
        }
    }

    /// The header's digest, which the first record continues.
    pub fn digest(&self) -> [u8; 32] {
        part(&self.encode(), DIGEST_AT)
    }

    /// Draws a gallery key and puts it into the header, sealed; `None` in a plain gallery.
    ///
    /// # Errors
    /// [`GalleryError::Randomness`] when the system has none.
    pub(super) fn seal_key(&mut self, root: &Root) -> Result<Option<DataKey>, GalleryError> {
        let Some(root) = root.key() else {
            return Ok(None);
        };
        let random = |source| GalleryError::Randomness { source };
        let key = DataKey::draw().map_err(random)?;
        let mut wrapped = Vec::with_capacity(self.wrapped.len());
        root.seal(&self.associated(), key.bytes(), &mut wrapped)
            .map_err(random)?;
        self.wrapped.copy_from_slice(&wrapped);
        Ok(Some(key))
    }

    /// Opens the gallery key; `None` in a plain gallery.
    ///
    /// # Errors
    /// [`GalleryError::WrongKey`] when the root key is another gallery's.
    pub(super) fn open_key(&self, root: &Root) -> Result<Option<DataKey>, GalleryError> {
        let Some(root) = root.key() else {
            return Ok(None);
        };
        let mut wrapped = self.wrapped;
        let opened = root.open(&self.associated(), &mut wrapped);
        let key = opened
            .ok()
            .and_then(|bytes| <[u8; KEY_BYTES]>::try_from(&*bytes).ok());
        match key {
            Some(key) => Ok(Some(DataKey::from_bytes(key))),
            None => Err(GalleryError::WrongKey {
                given: self.seal.words(),
            }),
        }
    }

    /// A fresh device id.
    pub(super) fn draw_device() -> Result<[u8; 16], GalleryError> {
        random().map_err(|source| GalleryError::Randomness { source })
    }

    /// Whether this build knows everything that may stand in the file, and so may write it.
    #[allow(
        clippy::absurd_extreme_comparisons,
        reason = "the newest minor version is 0 only until the next"
    )]
    pub fn may_be_written(&self) -> bool {
        self.minor <= MINOR
    }
}

/// A root key, and what a header says about it.
#[derive(Clone, Debug)]
pub(super) struct Root {
    kind: SealKind,
    parameters: KeyParameters,
    key: Option<DataKey>,
}

impl Root {
    /// The root key for a new file.
    ///
    /// # Errors
    /// [`GalleryError::Key`] when there is none, [`GalleryError::Randomness`] when there is no salt for it.
    pub(super) fn fresh(sealing: Sealing<'_>) -> Result<Root, GalleryError> {
        let parameters = match sealing.kind() {
            SealKind::Passphrase => {
                KeyParameters::draw().map_err(|source| GalleryError::Randomness { source })?
            }
            SealKind::Plain | SealKind::KeyFile | SealKind::Chip => KeyParameters::NONE,
        };
        Root::new(sealing, parameters)
    }

    /// The root key of the file with this header.
    ///
    /// # Errors
    /// [`GalleryError::Sealing`] when the file is sealed in another way than `sealing` opens,
    /// [`GalleryError::Key`] when there is no root key.
    pub(super) fn of(header: &Header, sealing: Sealing<'_>) -> Result<Root, GalleryError> {
        if sealing.kind() != header.seal {
            return Err(GalleryError::Sealing {
                gallery: header.seal.words(),
                given: sealing.kind().words(),
            });
        }
        Root::new(sealing, header.parameters)
    }

    fn new(sealing: Sealing<'_>, parameters: KeyParameters) -> Result<Root, GalleryError> {
        Ok(Root {
            kind: sealing.kind(),
            parameters,
            key: match sealing {
                Sealing::Plain => None,
                Sealing::By(source) => Some(source.root_key(&parameters)?),
            },
        })
    }

    pub(super) fn kind(&self) -> SealKind {
        self.kind
    }

    pub(super) fn parameters(&self) -> KeyParameters {
        self.parameters
    }

    /// None for a plain gallery.
    pub(super) fn key(&self) -> Option<&DataKey> {
        self.key.as_ref()
    }
}

/// N bytes from `at` on, which the caller knows to be there.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|place| bytes[at + place])
}
