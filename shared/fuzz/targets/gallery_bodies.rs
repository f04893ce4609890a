//! The bodies of records, in a file whose digests fit: applied or refused. What opens is written anew
//! and opens again, with the same people.
//!
//! Input: minor version, dimension, form of templates, one byte each; then for each record kind, person,
//! length (u16, little-endian), body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use shared::gallery::consent::WallTime;
use shared::gallery::format::MAGIC;
use shared::gallery::frame::{self, MARK};
use shared::gallery::header::HEADER_BYTES;
use shared::gallery::store::By;
use usher_fuzz::{MemoryDisk, within_memory};

fuzz_target!(|input: &[u8]| {
    let Some(bytes) = gallery(input) else { return };
    let disk = MemoryDisk::with(&bytes);
    let Ok(mut store) = within_memory(bytes.len(), || disk.open()) else {
        return;
    };
    let before = store.gallery().clone();
    store.suspend_expired(WallTime::from_unix_seconds(1 << 40));
    for known in before.identities() {
        for template in before.embeddings(known.id()) {
            assert!(store.gallery().search(&template).best.is_some());
        }
        assert_eq!(
            before.named(known.name()).map(|known| known.id()).ok(),
            Some(known.id())
        );
    }
    let by = By {
        operator: "fuzz",
        at: WallTime::default(),
    };
    store.compact(by).expect("what was read can be written");
    drop(store);
    let again = disk.open().expect("what was written can be read");
    assert!(again.gallery().same_people(&before));
});

fn gallery(input: &[u8]) -> Option<Vec<u8>> {
    let (&[minor, dimension, form], mut rest) = input.split_first_chunk::<3>()?;
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..11].copy_from_slice(&[2, 0, minor]);
    bytes[44] = dimension;
    bytes[64] = 1;
    bytes[72] = HEADER_BYTES as u8;
    bytes[80] = form;
    let sealed: [u8; 32] = Sha256::digest(&bytes[..HEADER_BYTES - 32]).into();
    bytes[HEADER_BYTES - 32..].copy_from_slice(&sealed);
    let (mut digest, mut sequence) = (sealed, 0_u64);
    while let Some((&[kind, person, low, high], behind)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(behind.len());
        let (body, behind) = behind.split_at(length);
        (rest, sequence) = (behind, sequence + 1);
        let start = bytes.len();
        bytes.extend(MARK);
        bytes.extend((length as u32).to_le_bytes());
        bytes.extend([kind, 0, 0, 0, person, 0, 0, 0]);
        bytes.extend(sequence.to_le_bytes());
        let check = Sha256::digest(&bytes[start..]);
        bytes.extend(&check[..4]);
        bytes.extend(body);
        digest = frame::digest(&digest, &bytes[start..]);
        bytes.extend(digest);
    }
    Some(bytes)
}
