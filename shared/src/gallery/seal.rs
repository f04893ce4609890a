//! The seal of one record: XChaCha20-Poly1305, a fresh nonce each time.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{Key, KeyInit, Tag, XChaCha20Poly1305, XNonce};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce: long enough to be drawn at random for every record.
pub const NONCE_BYTES: usize = 24;
/// Bytes of an authentication tag.
pub const TAG_BYTES: usize = 16;
/// What sealing adds to a text.
pub const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// 32 random bytes that seal records; wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_BYTES]);

/// A sealed text that does not open: another key, another place, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealBroken;

impl DataKey {
    /// A key drawn from the system's generator.
    ///
    /// # Errors
    /// What the system says when it has no randomness to give.
    pub fn draw() -> std::io::Result<DataKey> {
        random().map(DataKey)
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> DataKey {
        DataKey(bytes)
    }

    /// The key's bytes.
    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Appends nonce, sealed text and tag to `out`.
    ///
    /// # Errors
    /// What the system says when it has no randomness to give.
    pub(super) fn seal(
        &self,
        associated: &[u8],
        text: &[u8],
        out: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        let nonce = XNonce::from(random::<NONCE_BYTES>()?);
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(text);
        let tag = self
            .cipher()
            .encrypt_inout_detached(&nonce, associated, (&mut out[start..]).into())
            .map_err(|_broken| std::io::Error::other("a record too long to seal"))?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens what [`DataKey::seal`] wrote, in place.
    ///
    /// # Errors
    /// [`SealBroken`] unless key, associated data and every byte are those of the sealing.
    pub(super) fn open<'a>(
        &self,
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], SealBroken> {
        let (nonce, rest) = sealed
            .split_first_chunk_mut::<NONCE_BYTES>()
            .ok_or(SealBroken)?;
        let (text, tag) = rest.split_last_chunk_mut::<TAG_BYTES>().ok_or(SealBroken)?;
        self.cipher()
            .decrypt_inout_detached(
                &XNonce::from(*nonce),
                associated,
                (&mut *text).into(),
                &Tag::from(*tag),
            )
            .map_err(|_broken| SealBroken)?;
        Ok(text)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.0))
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(..)")
    }
}

/// Bytes from the system's generator.
pub(super) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_its_key_at_its_place_alone() {
        let key = DataKey::draw().unwrap();
        let mut sealed = Vec::new();
        key.seal(b"place 1", b"text", &mut sealed).unwrap();
        assert_eq!(sealed.len(), 4 + SEAL_BYTES);
        assert!(!sealed.windows(4).any(|part| part == b"text"));
        assert_eq!(key.open(b"place 1", &mut sealed.clone()).unwrap(), b"text");
        assert_eq!(key.open(b"place 2", &mut sealed.clone()), Err(SealBroken));
        let other = DataKey::draw().unwrap();
        assert_eq!(other.open(b"place 1", &mut sealed.clone()), Err(SealBroken));
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"place 1", &mut flipped), Err(SealBroken), "{bit}");
        }
        for length in 0..sealed.len() {
            let mut cut = sealed[..length].to_vec();
            assert_eq!(key.open(b"place 1", &mut cut), Err(SealBroken), "{length}");
        }
    }

    #[test]
    fn agrees_with_a_published_vector() {
        // draft-irtf-cfrg-xchacha-03, appendix A.3.1.
        let key = DataKey(std::array::from_fn(|i| 0x80 + i as u8));
        let associated = [
            80, 81, 82, 83, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let text: &[u8] =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the \
            future, sunscreen would be it.";
        let mut sealed: Vec<u8> = (0x40..0x58).collect();
        let mut body = text.to_vec();
        let nonce: [u8; 24] = std::array::from_fn(|i| 0x40 + i as u8);
        let tag = key
            .cipher()
            .encrypt_inout_detached(&nonce.into(), &associated[..], (&mut body[..]).into())
            .unwrap();
        assert_eq!(body[..4], [0xbd, 0x6d, 0x17, 0x9d]);
        assert_eq!(tag[..4], [0xc0, 0x87, 0x59, 0x24]);
        sealed.extend(body);
        sealed.extend_from_slice(&tag);
        assert_eq!(key.open(&associated, &mut sealed).unwrap(), text);
    }
}
