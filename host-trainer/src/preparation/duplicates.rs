//! Photos that show the same, by the Hamming distance of their difference hashes.
//!
//! The hash is the whole photo's: the aligned face's hangs on the landmarks, which move when a
//! photo is scaled (half of the copies at half size were 55 bits away, by the whole photo 2).

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use shared::model_id::hex;

/// Bits that copies of one photo are at most apart, by default.
///
/// Measured on 406 pictures of 60 people of LFW: copies at half and double size, at JPEG quality
/// 50, brighter by 30 are 18 bits apart at most, at quality 25 or cut by 2 pixels 26; different
/// pictures of one person 41 at least, of two people 47, but for one pair at 20, a photo cut twice.
/// A copy cut by a tenth is not told. Portraits alike in pose before one plain wall may come closer.
pub const DEFAULT_WITHIN: u32 = 20;

/// Bits of a hash.
pub const BITS: u32 = 256;

/// Difference hash of a photo: for each of 16 x 16 cells, whether the next to the right is
/// brighter.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DifferenceHash([u64; 4]);

impl DifferenceHash {
    /// The hash of these bytes; missing ones are zero.
    pub fn from_bytes(bytes: &[u8]) -> DifferenceHash {
        let mut words = [0u64; 4];
        for (index, byte) in bytes.iter().take(32).enumerate() {
            words[index / 8] |= u64::from(*byte) << (8 * (index % 8));
        }
        DifferenceHash(words)
    }

    /// Bits that differ, 0 to [`BITS`].
    pub fn distance(&self, other: &DifferenceHash) -> u32 {
        let pairs = self.0.iter().zip(other.0);
        pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
    }

    /// `length` bits from bit `from` on; `length` is at most 64.
    fn bits(&self, from: u32, length: u32) -> u64 {
        let (word, shift) = ((from / 64) as usize, from % 64);
        let low = self.0[word] >> shift;
        let high = match (self.0.get(word + 1), shift) {
            (Some(next), 1..) => next << (64 - shift),
            _ => 0,
        };
        (low | high) & (u64::MAX >> (64 - length))
    }

    fn to_bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

impl fmt::Debug for DifferenceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DifferenceHash(256 bits)")
    }
}

impl Serialize for DifferenceHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(&self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for DifferenceHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes();
        let byte = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        };
        let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
        match bytes {
            Some(bytes) if digits.len() == 64 => Ok(DifferenceHash::from_bytes(&bytes)),
            _ => Err(de::Error::custom("expected a hash of 64 hex digits")),
        }
    }
}

/// For each of an identity's pictures, best first, the earlier kept one that it repeats.
///
/// O(pictures x kept): an identity of a video's thousand equal frames keeps few.
pub fn repeats(hashes: &[DifferenceHash], within: u32) -> Vec<Option<usize>> {
    let mut kept: Vec<usize> = Vec::new();
    let mut repeats = Vec::with_capacity(hashes.len());
    for (index, hash) in hashes.iter().enumerate() {
        let of = kept
            .iter()
            .copied()
            .find(|&other| hash.distance(&hashes[other]) <= within);
        if of.is_none() {
            kept.push(index);
        }
        repeats.push(of);
    }
    repeats
}

/// Pairs at most `within` bits apart, in order, that `wanted` accepts; at most `most` of them.
///
/// Cut into `within + 1` bands, two such hashes agree in one band at least (the pigeonhole
/// principle), so that only those which share a band are compared. `within` is at most 31, so that
/// a band has 8 bits and more.
///
/// # Panics
/// If `within` is above 31.
pub fn pairs(
    hashes: &[DifferenceHash],
    within: u32,
    most: usize,
    wanted: impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    assert!(within < 32, "expected at most 31 bits, found {within}");
    let bands = within + 1;
    let length = (BITS / bands).min(64);
    let mut found = BTreeSet::new();
    for band in 0..bands {
        let mut alike: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, hash) in hashes.iter().enumerate() {
            let others = alike.entry(hash.bits(band * length, length)).or_default();
            for &other in others.iter() {
                if hash.distance(&hashes[other]) <= within && wanted(other, index) {
                    found.insert((other, index));
                    // The greatest goes, so that which ones are told does not hang on the bands.
                    if found.len() > most {
                        found.pop_last();
                    }
                }
            }
            others.push(index);
        }
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Clusters of hashes up to some bits apart.
    fn hashes(count: usize) -> Vec<DifferenceHash> {
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let mut hashes = vec![DifferenceHash([random.random(), 1, 2, random.random()])];
        while hashes.len() < count {
            let mut next = hashes[random.random_range(0..hashes.len())];
            for _ in 0..random.random_range(0..20) {
                let bit = random.random_range(0..BITS);
                next.0[(bit / 64) as usize] ^= 1 << (bit % 64);
            }
            hashes.push(next);
        }
        hashes
    }

    #[test]
    fn bands_miss_no_pair() {
        let hashes = hashes(300);
        for within in [0, 1, 3, 10, 12, 31] {
            let mut expected = Vec::new();
            for a in 0..hashes.len() {
                for b in a + 1..hashes.len() {
                    if hashes[a].distance(&hashes[b]) <= within && !(a + b).is_multiple_of(3) {
                        expected.push((a, b));
                    }
                }
            }
            let wanted = |a: usize, b: usize| !(a + b).is_multiple_of(3);
            assert_eq!(
                pairs(&hashes, within, usize::MAX, wanted),
                expected,
                "{within}"
            );
            expected.truncate(5);
            assert_eq!(
                pairs(&hashes, within, 5, wanted),
                expected,
                "{within}, five"
            );
        }
    }

    #[test]
    fn the_first_stays_and_its_likes_go() {
        let at = |bits: u64| DifferenceHash([bits, 0, 0, 0]);
        let hashes = [at(0), at(0b111), at(0b1), at(0b1111)];
        assert_eq!(repeats(&hashes, 2), [None, None, Some(0), Some(1)]);
        assert_eq!(repeats(&hashes, 0), [None; 4]);
        assert_eq!(repeats(&hashes, 4), [None, Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn hex_there_and_back() {
        for hash in hashes(20) {
            let text = serde_json::to_string(&hash).unwrap();
            assert_eq!(text.len(), 66);
            assert_eq!(serde_json::from_str::<DifferenceHash>(&text).unwrap(), hash);
        }
        for bad in ["\"\"", "\"0g\"", "\"é\"", "7"] {
            assert!(
                serde_json::from_str::<DifferenceHash>(bad).is_err(),
                "{bad}"
            );
        }
    }
}
