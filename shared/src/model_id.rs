//! Which model made an embedding: the digest that ties galleries to weights and recipe.

use std::fmt;
use std::io::{self, Read};

use sha2::{Digest, Sha256};

use crate::preprocessing::Preprocessing;

/// SHA-256 over a network's weights and its preprocessing recipe.
///
/// Embeddings compare only if both are the same, so every gallery holds the id of its model.
/// Threshold, name and licence are left out: recalibration leaves galleries valid.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModelId([u8; 32]);

impl ModelId {
    /// The id of the network whose ONNX file has this SHA-256 (64 lower-case hex digits).
    ///
    /// Digested are the digits as text, a line feed, and [`Preprocessing::canonical_text`].
    pub fn of(onnx_sha256: &str, recipe: &Preprocessing) -> ModelId {
        let mut hash = Sha256::new();
        hash.update(onnx_sha256.as_bytes());
        hash.update(b"\n");
        hash.update(recipe.canonical_text().as_bytes());
        ModelId(hash.finalize().into())
    }

    /// The id with these bytes, as a gallery file holds them.
    pub fn from_bytes(bytes: [u8; 32]) -> ModelId {
        ModelId(bytes)
    }

    /// All 32 bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// All 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl fmt::Display for ModelId {
    /// The first 8 hex digits: enough to tell the models of one device apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0[..4]))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({})", self.hex())
    }
}

/// A file that is digested as it is read.
pub struct Digested<R> {
    source: R,
    hash: Sha256,
    bytes: u64,
}

impl<R: Read> Digested<R> {
    /// Digests what this source will hand out.
    pub fn new(source: R) -> Digested<R> {
        Digested {
            source,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// Reads what is left; the SHA-256 of all, as [`sha256_hex`] has it, and how many bytes there were.
    ///
    /// # Errors
    /// When reading fails.
    pub fn finish(mut self) -> io::Result<(String, u64)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((hex(&self.hash.finalize()), self.bytes))
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(to)?;
        self.hash.update(&to[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// The SHA-256 of bytes, as 64 lower-case hex digits: how a manifest names its ONNX file.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex digits, two each.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_known_bytes() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn golden_id() {
        let id = ModelId::of(&sha256_hex(b"abc"), &Preprocessing::usher(112));
        assert_eq!(
            id.hex(),
            "c8b98181a168be20535a7d2306a1b420532eb9e33b8f18d125471a41c1ee0cac"
        );
        assert_eq!(id.to_string(), id.hex()[..8]);
        assert_eq!(ModelId::from_bytes(*id.bytes()), id);
    }

    #[test]
    fn weights_and_recipe_both_count() {
        let weights = sha256_hex(b"abc");
        let recipe = Preprocessing::usher(112);
        let id = ModelId::of(&weights, &recipe);
        assert_ne!(ModelId::of(&sha256_hex(b"abd"), &recipe), id);
        assert_ne!(ModelId::of(&weights, &Preprocessing::usher(96)), id);
        let darker = Preprocessing {
            mean: f32::from_bits(recipe.mean.to_bits() + 1),
            ..recipe
        };
        assert_ne!(ModelId::of(&weights, &darker), id);
    }
}
