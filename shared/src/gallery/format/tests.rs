//! The specification above, byte by byte: a file built by hand from its tables is the file that is read.

use sha2::{Digest, Sha256};

use super::super::Gallery;
use super::super::tests::{NOON, enrollee, model, unit};
use super::*;

/// A plain gallery of dimension 2 with Ada, who has one template at (1, 0).
fn by_hand() -> Vec<u8> {
    // At second 5, operator "a", variant 0, no rotation.
    let settings = [5, 1, b'a', 0, 0];

    // 1,800,000,000 as LEB128; a year later is 1,831,536,000.
    let noon = [0x80, 0xA4, 0xA7, 0xDA, 0x06];
    let year = [0x80, 0x8B, 0xAC, 0xE9, 0x06];
    let mut enroll = Vec::new();
    enroll.extend(noon); // written at
    enroll.extend([1, b'a']); // operator
    enroll.push(1); // variant: enroll
    enroll.extend(noon); // enrolled at
    enroll.extend([3, b'A', b'd', b'a']);
    enroll.extend(Sha256::digest(b"I agree.")); // consent: text
    enroll.extend(noon); // given at
    enroll.extend([10]);
    enroll.extend(b"front desk");
    enroll.extend(year); // expires at
    enroll.push(1); // one template
    enroll.push(0); // no label
    enroll.extend(noon); // taken at
    enroll.extend([8, 0, 0, 0x80, 0x3F, 0, 0, 0, 0]); // 8 bytes: 1.0, 0.0
    enroll.push(0); // no negative anchor

    let base = 224 + 28 + settings.len() + 32;
    let mut file = Vec::new();
    file.extend(b"USHERGAL");
    file.extend([2, 0, 0, 0]);
    file.extend([0x3F; 32]);
    file.extend([2, 0, 0, 0]);
    file.extend([7; 16]);
    file.extend(1_u64.to_le_bytes());
    file.extend((base as u64).to_le_bytes());
    file.extend([0; 192 - 80]); // f32, plain, no passphrase, no key
    let digest = Sha256::digest(&file);
    file.extend(digest);
    assert_eq!(file.len(), 224);

    let mut previous = digest.to_vec();
    let records: [(u8, u32, &[u8]); 2] = [(0, 0, &settings), (1, 1, &enroll)];
    for (sequence, (kind, person, body)) in (1_u64..).zip(records) {
        let mut record = Vec::new();
        record.extend(b"uRec");
        record.extend((body.len() as u32).to_le_bytes());
        record.extend([kind, 0, 0, 0]);
        record.extend(person.to_le_bytes());
        record.extend(sequence.to_le_bytes());
        let check = Sha256::digest(&record);
        record.extend(&check[..4]);
        record.extend(body);
        let digest = Sha256::digest([&previous[..], &record].concat());
        record.extend(digest);
        previous = digest.to_vec();
        file.extend(record);
    }
    file
}

fn loaded(bytes: &[u8]) -> Result<Loaded, GalleryError> {
    let damaged = |source| GalleryError::Unreadable { source };
    load(&mut bytes.to_vec(), |_header| Ok(None), damaged)
}

#[test]
fn a_file_built_by_the_tables_is_read() {
    let read = loaded(&by_hand()).unwrap();
    let mut expected = Gallery::new(model(), 2);
    expected
        .enroll(&enrollee("Ada", &[unit(&[1.0, 0.0])]))
        .unwrap();
    assert!(read.gallery.same_people(&expected));
    assert_eq!(
        (read.end.sequence, read.torn_bytes, read.header.device),
        (2, 0, [7; 16])
    );
    let consent = read.gallery.named("Ada").unwrap().consent();
    assert_eq!(consent.expires_at(), NOON.plus_days(365));
}

#[test]
fn a_record_is_written_as_it_is_read() {
    let file = by_hand();
    let read = loaded(&file).unwrap();
    // The same change once more, from the state before it.
    let before = loaded(&file[..read.header.base_bytes as usize]).unwrap();
    let ada = enrollee("Ada", &[unit(&[1.0, 0.0])]);
    let record = Record {
        at: NOON,
        operator: "a".into(),
        change: before.gallery.enrollment(&ada).unwrap(),
    };
    let body = postcard::to_stdvec(&record).unwrap();
    let mut end = before.end;
    let mut written = file[..read.header.base_bytes as usize].to_vec();
    let place = (FrameKind::Enrollment, Some(IdentityId(1)));
    append(
        &mut written,
        &read.header,
        &mut end,
        &Keys::Plain,
        place,
        &body,
    )
    .unwrap();
    assert_eq!(written, file);
    assert_eq!(read.header.encode()[..], file[..HEADER_BYTES]);
}

#[test]
fn a_sealed_record_is_bound_to_its_place() {
    // What the associated data are made of, by the specification: a record sealed for another
    // device, person, sequence, kind or predecessor does not open here.
    let header = loaded(&by_hand()).unwrap().header;
    let key = DataKey::from_bytes([1; 32]);
    let head = Head {
        payload_bytes: 0,
        kind: FrameKind::Person,
        person: Some(IdentityId(4)),
        sequence: 9,
    };
    let mut out = Vec::new();
    frame::write(
        &mut out,
        &header,
        &[3; 32],
        head,
        &Keys::Person(&key),
        b"body",
    )
    .unwrap();
    let written = Head::decode(&out).unwrap();
    let payload = &out[HEAD_BYTES..HEAD_BYTES + written.payload_bytes];
    let opens = |header: &Header, previous: &[u8; 32], head: &Head| {
        let keys = Keys::Person(&key);
        frame::open(header, previous, head, &keys, &mut payload.to_vec()).is_ok()
    };
    assert!(opens(&header, &[3; 32], &written));
    assert!(!opens(&header, &[4; 32], &written));
    let elsewhere = Header {
        device: [8; 16],
        ..header.clone()
    };
    assert!(!opens(&elsewhere, &[3; 32], &written));
    for other in [
        Head {
            person: Some(IdentityId(5)),
            ..written
        },
        Head {
            sequence: 10,
            ..written
        },
        Head {
            sequence: 9 + (1 << 40),
            ..written
        },
        Head {
            kind: FrameKind::Enrollment,
            ..written
        },
    ] {
        assert!(!opens(&header, &[3; 32], &other), "{other:?}");
    }
}

#[test]
fn a_length_that_lies_is_damage() {
    let file = by_hand();
    // The head's check holds, its length does not: more than there is.
    let base = loaded(&file).unwrap().header.base_bytes as usize;
    let mut lying = file.clone();
    lying[base + 4..base + 8].copy_from_slice(&(MAX_PAYLOAD_BYTES as u32).to_le_bytes());
    let check = Sha256::digest(&lying[base..base + 24]);
    lying[base + 24..base + 28].copy_from_slice(&check[..4]);
    let read = loaded(&lying).unwrap();
    assert_eq!(
        (read.gallery.people(), read.torn_bytes),
        (0, (file.len() - base) as u64)
    );
}
