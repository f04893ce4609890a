//! Signs as minisign does, so that tests can say anything in a trusted comment; the real tool is tried in tests/update.rs.

use blake2::{Blake2b512, Digest};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// Who signs.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Signer {
    /// The signer drawn by this seed.
    pub(super) fn new(seed: u8) -> Self {
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            id: [seed; 8],
        }
    }

    /// Another signer who claims to be this one.
    pub(super) fn impostor(&self) -> Self {
        Self {
            id: self.id,
            ..Self::new(99)
        }
    }

    /// The public key's file.
    pub(super) fn public(&self) -> String {
        let key = [b"Ed", &self.id[..], self.pair.public_key().as_ref()].concat();
        format!("untrusted comment: minisign public key\n{}\n", base64(&key))
    }

    /// The signature's file, prehashed.
    pub(super) fn sign(&self, bytes: &[u8], comment: &str) -> String {
        self.signed(b"ED", &Blake2b512::digest(bytes), comment)
    }

    /// The same of the old kind.
    pub(super) fn sign_unhashed(&self, bytes: &[u8], comment: &str) -> String {
        self.signed(b"Ed", bytes, comment)
    }

    fn signed(&self, algorithm: &[u8; 2], signed: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(signed);
        let whole = [signature.as_ref(), comment.as_bytes()].concat();
        format!(
            "untrusted comment: signature\n{}\ntrusted comment: {comment}\n{}\n",
            base64(&[&algorithm[..], &self.id, signature.as_ref()].concat()),
            base64(self.pair.sign(&whole).as_ref())
        )
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three
            .iter()
            .chain([&0, &0])
            .take(3)
            .fold(0usize, |number, &byte| number << 8 | usize::from(byte));
        for place in 0..4 {
            match place <= three.len() {
                true => text.push(char::from(DIGITS[number >> (18 - 6 * place) & 63])),
                false => text.push('='),
            }
        }
    }
    text
}
