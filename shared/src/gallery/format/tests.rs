//! What the gallery file promises: exact bytes, and no damage goes unseen.

use super::*;
use crate::gallery::tests::{family, unit};
use crate::model_id::sha256_hex;

fn tiny() -> Gallery {
    let mut gallery = Gallery::new(ModelId::from_bytes([0xAB; 32]), 2);
    gallery
        .enroll("Zoë", vec![unit(&[3.0, 4.0]), unit(&[-1.0, 0.0])])
        .unwrap();
    gallery
}

#[test]
fn golden_bytes() {
    let mut expected = Vec::new();
    expected.extend(b"USHERGAL");
    expected.extend([1, 0, 0, 0]);
    expected.extend([0xAB; 32]);
    expected.extend([2, 0, 0, 0]);
    expected.extend([27, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([2]); // next id
    expected.extend([1]); // identities
    expected.extend([1]); // id
    expected.extend([4, b'Z', b'o', 0xC3, 0xAB]);
    expected.extend([2]); // templates
    expected.extend([2, 0x9A, 0x99, 0x19, 0x3F, 0xCD, 0xCC, 0x4C, 0x3F]); // 0.6, 0.8
    expected.extend([2, 0x00, 0x00, 0x80, 0xBF, 0x00, 0x00, 0x00, 0x00]); // -1, 0
    let checksum = Sha256::digest(&expected);
    expected.extend(checksum);

    let bytes = encode(&tiny()).unwrap();
    assert_eq!(bytes, expected);
    // The same once more as one number, should this test's own arithmetic change with the code.
    assert_eq!(
        sha256_hex(&bytes),
        "eb50c77ada9c5b99de0de2e337f2ccb4ae05a84b3a6891f627f6752be7266389"
    );
    assert_eq!(decode(&bytes).unwrap(), tiny());
}

#[test]
fn every_truncation_is_found() {
    let bytes = encode(&family()).unwrap();
    for length in 0..bytes.len() {
        let error = decode(&bytes[..length]).unwrap_err();
        if length < MAGIC.len() {
            assert_eq!(error, FormatError::NotAGallery, "{length} bytes");
        } else {
            assert!(
                matches!(error, FormatError::Length { found, .. } if found == length as u64),
                "{length} bytes: {error}"
            );
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let sound = encode(&family()).unwrap();
    let mut bytes = sound.clone();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(bytes, sound);
}

#[test]
fn every_byte_appended_is_found() {
    let mut bytes = encode(&family()).unwrap();
    bytes.push(0);
    assert!(decode(&bytes).is_err());
}

/// The bytes with a header field or body replaced and a checksum that fits again.
fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Result<Gallery, FormatError> {
    let mut bytes = encode(&tiny()).unwrap();
    bytes.truncate(bytes.len() - CHECKSUM_BYTES);
    change(&mut bytes);
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    decode(&bytes)
}

fn with_body(body: &Body) -> Result<Gallery, FormatError> {
    let body = postcard::to_stdvec(body).unwrap();
    resealed(|bytes| {
        bytes.truncate(HEADER_BYTES);
        bytes[48..56].copy_from_slice(&(body.len() as u64).to_le_bytes());
        bytes.extend(body);
    })
}

#[test]
fn a_sealed_header_still_must_be_right() {
    assert!(resealed(|_| {}).is_ok());
    assert_eq!(
        resealed(|bytes| bytes[8] = 2).unwrap_err(),
        FormatError::Version { found: 2 }
    );
    for (name, offset, value) in [
        ("dimension of zero", 44, 0),
        ("other dimension", 44, 3),
        ("huge dimension", 47, 0xFF),
        ("shorter body", 48, 26),
        ("longer body", 48, 28),
        ("huge body", 55, 0xFF),
    ] {
        assert!(resealed(|bytes| bytes[offset] = value).is_err(), "{name}");
    }
    // A byte between body and checksum, counted in the length.
    let error = resealed(|bytes| {
        bytes[48] += 1;
        bytes.push(0);
    })
    .unwrap_err();
    assert!(error.to_string().contains("nothing behind"), "{error}");
}

fn person(id: u32, name: &str, templates: Vec<Vec<f32>>) -> StoredIdentity {
    StoredIdentity {
        id,
        name: name.to_owned(),
        templates,
    }
}

#[test]
fn a_sealed_body_still_must_keep_the_rules() {
    let one = || vec![vec![1.0, 0.0]];
    let body = |next_id, identities| Body {
        next_id,
        identities,
    };
    assert!(with_body(&body(9, vec![person(3, "A", one()), person(5, "B", one())])).is_ok());
    for (name, body) in [
        ("id of zero", body(9, vec![person(0, "A", one())])),
        (
            "id not below the next",
            body(3, vec![person(3, "A", one())]),
        ),
        (
            "one id twice",
            body(9, vec![person(3, "A", one()), person(3, "B", one())]),
        ),
        (
            "one name twice",
            body(9, vec![person(3, "A", one()), person(4, "A", one())]),
        ),
        (
            "name with space around",
            body(9, vec![person(3, "A ", one())]),
        ),
        ("no name", body(9, vec![person(3, "", one())])),
        (
            "name too long",
            body(9, vec![person(3, &"A".repeat(101), one())]),
        ),
        (
            "control character",
            body(9, vec![person(3, "A\u{7}", one())]),
        ),
        ("no template", body(9, vec![person(3, "A", vec![])])),
        (
            "too many templates",
            body(9, vec![person(3, "A", vec![vec![1.0, 0.0]; 101])]),
        ),
        (
            "other dimension",
            body(9, vec![person(3, "A", vec![vec![1.0]])]),
        ),
        (
            "not of unit length",
            body(9, vec![person(3, "A", vec![vec![1.0, 0.1]])]),
        ),
        (
            "not a number",
            body(9, vec![person(3, "A", vec![vec![1.0, f32::NAN]])]),
        ),
        (
            "too many people",
            body(
                20_000,
                (1..=10_001)
                    .map(|id| person(id, &id.to_string(), one()))
                    .collect(),
            ),
        ),
    ] {
        assert!(
            matches!(with_body(&body), Err(FormatError::Content { .. })),
            "{name}"
        );
    }
}

#[test]
fn hostile_lengths_are_refused_without_being_believed() {
    for claimed in [
        [0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        [0x80, 0x80, 0x80, 0x80, 0x08],
    ] {
        let result = resealed(|bytes| {
            bytes.truncate(HEADER_BYTES);
            bytes.push(9); // next id
            bytes.extend(claimed); // identities: billions
            bytes[48..56].copy_from_slice(&6_u64.to_le_bytes());
        });
        assert!(matches!(result, Err(FormatError::Content { .. })));
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 3_u64;
    let mut draw = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..3000 {
        // A sealed gallery with a few bytes of its body replaced at random.
        let result = resealed(|bytes| {
            for _ in 0..1 + draw() % 4 {
                let place = HEADER_BYTES + draw() % (bytes.len() - HEADER_BYTES);
                bytes[place] = draw() as u8;
            }
        });
        // Whatever is still accepted keeps the rules and so can be written again.
        if let Ok(gallery) = result {
            assert_eq!(decode(&encode(&gallery).unwrap()).unwrap(), gallery);
        }
    }
}
