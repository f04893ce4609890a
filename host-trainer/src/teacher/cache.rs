//! Teacher embeddings on disk: a folder for each teacher and data set, in it a file for each part.
//!
//! A file is little-endian: [`MAGIC`], 32 bytes of model id, 32 bytes of data digest, u64 first
//! picture, u64 pictures, u64 dimension, the rows as f32, and the SHA-256 of everything before it.
//! Folder and files are their owner's alone.

use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use shared::ModelId;
use shared::atomic_file::{self, Readers};

use super::TeacherError;

/// The last byte is the version: of this format, and of the crop that the teacher sees.
const MAGIC: &[u8; 16] = b"usher teacher \0\x01";
const CHECKSUM_BYTES: usize = 32;

/// Where the parts of one teacher and one data set are kept.
pub(super) struct Cache {
    folder: PathBuf,
    /// What every part begins with: magic, model id, digest of the data digest.
    head: Vec<u8>,
    dimension: usize,
}

/// What the cache has of a part.
#[derive(Debug, PartialEq)]
pub(super) enum Kept {
    /// Its rows.
    Whole(Vec<f32>),
    /// Nothing.
    Absent,
    /// A file that is not this part's, and why.
    Damaged(&'static str),
}

impl Cache {
    /// The cache under `folder`; nothing is read or made yet.
    pub(super) fn new(folder: &Path, model: ModelId, data: &str, dimension: usize) -> Self {
        let data_digest: [u8; 32] = Sha256::digest(data.as_bytes()).into();
        let mut head = MAGIC.to_vec();
        head.extend(model.bytes());
        head.extend(data_digest);
        let short = shared::model_id::hex(&data_digest[..4]);
        Self {
            folder: folder.join(format!("{model}-{short}")),
            head,
            dimension,
        }
    }

    /// The file of a part.
    pub(super) fn path(&self, part: &Range<usize>) -> PathBuf {
        self.folder.join(format!("{:09}.embeddings", part.start))
    }

    fn head(&self, part: &Range<usize>) -> Vec<u8> {
        let mut head = self.head.clone();
        for number in [part.start, part.len(), self.dimension] {
            head.extend((number as u64).to_le_bytes());
        }
        head
    }

    /// What there is of a part.
    ///
    /// # Errors
    /// [`TeacherError::Cache`] if a file that is there cannot be read.
    pub(super) fn read(&self, part: &Range<usize>) -> Result<Kept, TeacherError> {
        let path = self.path(part);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Kept::Absent),
            Err(source) => return Err(TeacherError::Cache { path, source }),
        };
        let head = self.head(part);
        let length = head.len() + part.len() * self.dimension * 4 + CHECKSUM_BYTES;
        if bytes.len() != length {
            return Ok(Kept::Damaged("has another length than it should"));
        }
        let (content, checksum) = bytes.split_at(length - CHECKSUM_BYTES);
        if Sha256::digest(content)[..] != *checksum {
            return Ok(Kept::Damaged("does not fit its checksum"));
        }
        if content[..head.len()] != head {
            return Ok(Kept::Damaged("belongs to another teacher, set or part"));
        }
        let rows = content[head.len()..].as_chunks::<4>().0;
        Ok(Kept::Whole(
            rows.iter()
                .map(|bytes| f32::from_le_bytes(*bytes))
                .collect(),
        ))
    }

    /// Keeps a part's rows, whole or not at all.
    ///
    /// # Errors
    /// [`TeacherError::Cache`].
    pub(super) fn write(&self, part: &Range<usize>, rows: &[f32]) -> Result<(), TeacherError> {
        let path = self.path(part);
        let mut bytes = self.head(part);
        bytes.extend(rows.iter().flat_map(|value| value.to_le_bytes()));
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        atomic_file::private_folder(&self.folder)
            .and_then(|()| atomic_file::replace(&path, &bytes, Readers::Owner))
            .map_err(|source| TeacherError::Cache { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::Preprocessing;

    fn cache(folder: &Path, data: &str) -> Cache {
        let model = ModelId::of("00", &Preprocessing::usher(16));
        Cache::new(folder, model, data, 2)
    }

    #[test]
    fn a_part_comes_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "set");
        let rows = [1.0, -0.0, f32::MIN_POSITIVE, 0.1, 0.6, 0.8];
        assert_eq!(cache.read(&(4..7)).unwrap(), Kept::Absent);
        cache.write(&(4..7), &rows).unwrap();
        let Kept::Whole(kept) = cache.read(&(4..7)).unwrap() else {
            panic!("kept");
        };
        let bits = |rows: &[f32]| rows.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&kept), bits(&rows));
    }

    #[test]
    fn every_broken_byte_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(folder.path(), "set");
        cache.write(&(0..2), &[1.0, 0.0, 0.0, 1.0]).unwrap();
        let path = cache.path(&(0..2));
        let whole = std::fs::read(&path).unwrap();
        for index in 0..whole.len() {
            let mut broken = whole.clone();
            broken[index] ^= 1;
            for bytes in [&broken[..], &whole[..index]] {
                std::fs::write(&path, bytes).unwrap();
                let found = cache.read(&(0..2)).unwrap();
                assert!(matches!(found, Kept::Damaged(_)), "byte {index}: {found:?}");
            }
        }
    }

    #[test]
    fn a_file_from_elsewhere_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (cache(folder.path(), "ours"), cache(folder.path(), "theirs"));
        theirs.write(&(0..1), &[1.0, 0.0]).unwrap();
        assert_eq!(ours.read(&(0..1)).unwrap(), Kept::Absent);
        ours.write(&(0..1), &[0.0, 1.0]).unwrap();
        std::fs::copy(theirs.path(&(0..1)), ours.path(&(0..1))).unwrap();
        let moved = ours.read(&(0..1)).unwrap();
        assert_eq!(
            moved,
            Kept::Damaged("belongs to another teacher, set or part")
        );
        std::fs::copy(theirs.path(&(0..1)), theirs.path(&(1..2))).unwrap();
        assert!(matches!(theirs.read(&(1..2)).unwrap(), Kept::Damaged(_)));
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let cache = cache(&folder.path().join(".teacher"), "set");
        cache.write(&(0..1), &[1.0, 0.0]).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&cache.path(&(0..1))), 0o600);
        assert_eq!(mode(&cache.folder), 0o700);
        assert_eq!(mode(&folder.path().join(".teacher")), 0o700);
    }
}
