//! Files made to exhaust a device: each is refused or read within 4 times its size and 16 MiB of memory.
//!
//! The fuzz targets watch the same limit on small inputs; these are as large as a file may be. Alone
//! in this program, one after another: what is counted is the whole process's memory.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use peak_alloc::PeakAlloc;
use sha2::{Digest, Sha256};
use shared::gallery::format::{MAGIC, MAX_PAYLOAD_BYTES};
use shared::gallery::frame::{self, MARK};
use shared::gallery::header::HEADER_BYTES;
use shared::gallery::{Gallery, Sealing};
use shared::{ModelId, ModelManifest};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most memory for an input of so many bytes.
fn most(bytes: usize) -> usize {
    4 * bytes + (16 << 20)
}

/// The most memory that a piece of work takes at once, in bytes.
fn peak(work: impl FnOnce()) -> usize {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    work();
    MEMORY.peak_usage().saturating_sub(before)
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A plain gallery of these bodies, each with its kind and person.
fn gallery(dimension: u32, records: &[(u8, u32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8] = 2;
    bytes[12..44].fill(0x3F);
    bytes[44..48].copy_from_slice(&dimension.to_le_bytes());
    bytes[64] = 1;
    bytes[72] = HEADER_BYTES as u8;
    let mut digest: [u8; 32] = Sha256::digest(&bytes[..HEADER_BYTES - 32]).into();
    bytes[HEADER_BYTES - 32..].copy_from_slice(&digest);
    for (sequence, (kind, person, body)) in (1_u64..).zip(records) {
        let start = bytes.len();
        bytes.extend(MARK);
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend([*kind, 0, 0, 0]);
        bytes.extend(person.to_le_bytes());
        bytes.extend(sequence.to_le_bytes());
        let check = Sha256::digest(&bytes[start..]);
        bytes.extend(&check[..4]);
        bytes.extend(body);
        digest = frame::digest(&digest, &bytes[start..]);
        bytes.extend(digest);
    }
    bytes
}

/// A body: time 0, operator "x", this change.
fn body(change: &[&[u8]]) -> Vec<u8> {
    [&[0, 1, b'x'], &change.concat()[..]].concat()
}

fn settings(rotation: Option<[u8; 32]>) -> (u8, u32, Vec<u8>) {
    match rotation {
        None => (0, 0, body(&[&[0, 0]])),
        Some(seed) => (0, 0, body(&[&[0, 1], &seed])),
    }
}

/// As many of these as a record holds, behind their count.
fn many(item: &[u8]) -> Vec<u8> {
    let count = (MAX_PAYLOAD_BYTES - 200) / item.len();
    [varint(count as u64), item.repeat(count)].concat()
}

fn enrollment(templates: &[u8]) -> Vec<u8> {
    let consent = [&[7; 32][..], &[1, 1, b'x', 9]].concat();
    body(&[&[1, 0, 1, b'A'], &consent, templates, &[0]])
}

#[test]
fn a_hostile_file_takes_no_more_memory_than_an_honest_one() {
    let one = [1, 0, 0, 4, 0, 0, 0x80, 0x3F];
    let mut failed = Vec::new();
    let mut look = |name: &str, bytes: usize, taken: usize| {
        let most = most(bytes);
        println!("{name}: {bytes} bytes took {taken}, at most {most}");
        if taken > most {
            failed.push(format!("{name}: {taken} bytes for {bytes}, at most {most}"));
        }
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    for (name, dimension, records) in [
        (
            "a person of empty templates",
            1,
            vec![settings(None), (1, 1, enrollment(&many(&[0, 0, 0])))],
        ),
        (
            "a cohort of empty strangers",
            1,
            vec![settings(None), (0, 0, body(&[&[9], &many(&[0, 0, 0])]))],
        ),
        (
            "places of templates to keep",
            1,
            vec![
                settings(None),
                (1, 1, enrollment(&one)),
                (2, 1, body(&[&[3], &many(&[0])])),
            ],
        ),
        (
            "a ledger of removals",
            1,
            vec![
                settings(None),
                (0, 0, body(&[&[12, 1, 0], &many(&[1, 0, 0, 0]), &[0, 0]])),
            ],
        ),
        (
            "a ledger of backups",
            1,
            vec![
                settings(None),
                (0, 0, body(&[&[12, 1, 0, 0], &many(&[0, 0, 0, 0]), &[0]])),
            ],
        ),
        (
            "a ledger of history",
            1,
            vec![
                settings(None),
                (0, 0, body(&[&[12, 1, 0, 0, 0], &many(&[0, 0, 0, 0, 0])])),
            ],
        ),
        (
            "a rotation of 4096 numbers",
            4096,
            vec![settings(Some([1; 32]))],
        ),
    ] {
        let bytes = gallery(dimension, &records);
        fs::write(&path, &bytes).unwrap();
        let model = ModelId::from_bytes([0x3F; 32]);
        let taken = peak(|| {
            let error = Gallery::read(&path, &model, Sealing::Plain).unwrap_err();
            assert!(
                error.to_string().contains("expected record"),
                "{name}: {error}"
            );
        });
        look(name, bytes.len(), taken);
    }
    for (name, line) in [
        ("a manifest of numbers", "1,"),
        ("a manifest of line feeds", "\n"),
        ("a manifest of tables", "[[a]]\n"),
    ] {
        let longest = shared::manifest::MAX_FILE_BYTES as usize;
        let (front, back) = if line == "1," { ("x=[", "]") } else { ("", "") };
        let count = (longest - front.len() - back.len()) / line.len();
        let text = [front, &line.repeat(count), back].concat();
        let taken = peak(|| {
            assert!(ModelManifest::from_toml(&text, Path::new("m")).is_err());
        });
        look(name, text.len(), taken);
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
