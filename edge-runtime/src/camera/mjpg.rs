//! What a camera's JPEG says of itself before it is decoded: whether it is whole, its size, and whether the Huffman
//! tables were left out, as the AVI form of motion JPEG allows and many USB cameras do.

use super::decode::FrameFault;

/// The four tables of the JPEG standard's annex K.3 as one DHT segment, which a decoder assumes when none is given.
const STANDARD_TABLES: [(u8, [u8; 16], &[u8]); 4] = [
    (
        0x00,
        [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    ),
    (
        0x10,
        [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D],
        &[
            0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51,
            0x61, 0x07, 0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xA1, 0x08, 0x23, 0x42, 0xB1, 0xC1,
            0x15, 0x52, 0xD1, 0xF0, 0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0A, 0x16, 0x17, 0x18,
            0x19, 0x1A, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39,
            0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56, 0x57,
            0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74, 0x75,
            0x76, 0x77, 0x78, 0x79, 0x7A, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x92,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7,
            0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA, 0xC2, 0xC3,
            0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8,
            0xD9, 0xDA, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF1, 0xF2,
            0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
        ],
    ),
    (
        0x01,
        [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
    ),
    (
        0x11,
        [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77],
        &[
            0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07,
            0x61, 0x71, 0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xA1, 0xB1, 0xC1, 0x09,
            0x23, 0x33, 0x52, 0xF0, 0x15, 0x62, 0x72, 0xD1, 0x0A, 0x16, 0x24, 0x34, 0xE1, 0x25,
            0xF1, 0x17, 0x18, 0x19, 0x1A, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x35, 0x36, 0x37, 0x38,
            0x39, 0x3A, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x53, 0x54, 0x55, 0x56,
            0x57, 0x58, 0x59, 0x5A, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x73, 0x74,
            0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
            0x8A, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0xA2, 0xA3, 0xA4, 0xA5,
            0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xB2, 0xB3, 0xB4, 0xB5, 0xB6, 0xB7, 0xB8, 0xB9, 0xBA,
            0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6,
            0xD7, 0xD8, 0xD9, 0xDA, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7, 0xE8, 0xE9, 0xEA, 0xF2,
            0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA,
        ],
    ),
];

/// Bytes after the end of a picture that are looked through for that end: cameras fill up packets with anything.
const TRAILING_BYTES: usize = 4096;

/// What the head of a JPEG says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Width in pixels.
    pub(super) width_px: u32,
    /// Height in pixels.
    pub(super) height_px: u32,
    /// Where its scan begins (the SOS marker).
    scan: usize,
    /// Whether it brings its own Huffman tables.
    has_tables: bool,
}

/// Reads the head of a whole JPEG.
///
/// # Errors
/// [`FrameFault`] when the bytes are no JPEG, or one that was cut short.
pub(super) fn head(bytes: &[u8]) -> Result<Head, FrameFault> {
    if bytes.is_empty() {
        return Err(FrameFault::Empty);
    }
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(FrameFault::Garbage {
            reason: "no JPEG begins like this".to_owned(),
        });
    }
    let cut_short = || FrameFault::CutShort { found: bytes.len() };
    let mut at = 2;
    let (mut size, mut has_tables) = (None, false);
    loop {
        if *bytes.get(at).ok_or_else(cut_short)? != 0xFF {
            return Err(FrameFault::Garbage {
                reason: format!("no JPEG marker at byte {at}"),
            });
        }
        let marker = *bytes.get(at + 1).ok_or_else(cut_short)?;
        if marker == 0xFF {
            at += 1; // fill byte
            continue;
        }
        let segment = bytes.get(at + 2..).ok_or_else(cut_short)?;
        let [high, low, ..] = *segment else {
            return Err(cut_short());
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length < 2 {
            return Err(FrameFault::Garbage {
                reason: format!("a JPEG segment of {length} bytes"),
            });
        }
        match marker {
            // Start of frame: baseline, extended or progressive.
            0xC0..=0xC2 => {
                let [_, _, _, h1, h0, w1, w0, ..] = *segment else {
                    return Err(cut_short());
                };
                size = Some((
                    u32::from(u16::from_be_bytes([w1, w0])),
                    u32::from(u16::from_be_bytes([h1, h0])),
                ));
            }
            0xC4 => has_tables = true,
            0xDA => break,
            0xD8 | 0xD9 | 0x00 | 0x01 => {
                return Err(FrameFault::Garbage {
                    reason: format!("JPEG marker {marker:02x} where a segment belongs"),
                });
            }
            _ => {}
        }
        at += 2 + length;
    }
    let (width_px, height_px) = size.ok_or_else(|| FrameFault::Garbage {
        reason: "a JPEG scan before its size".to_owned(),
    })?;
    if !ends(bytes) {
        return Err(cut_short());
    }
    Ok(Head {
        width_px,
        height_px,
        scan: at,
        has_tables,
    })
}

/// Whether an end marker stands at the end, or among what fills up the last packet.
fn ends(bytes: &[u8]) -> bool {
    let padding = bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[..bytes.len() - padding];
    bytes.ends_with(&[0xFF, 0xD9])
        || bytes[bytes.len().saturating_sub(TRAILING_BYTES)..]
            .windows(2)
            .any(|pair| pair == [0xFF, 0xD9])
}

/// Walks through the compressed part, where no marker may stand but those of the format: at any other, and at an end
/// that comes early, the decoder would fill the rest of the picture with grey and say nothing.
///
/// # Errors
/// [`FrameFault::Garbage`] for such a marker. Bytes that are wrong but no marker go unnoticed here.
pub(super) fn check_scan(bytes: &[u8], head: &Head) -> Result<(), FrameFault> {
    let garbage = |reason: String| Err(FrameFault::Garbage { reason });
    let mut at = head.scan;
    loop {
        // `at` is at a segment: the scan's head, or tables between two scans.
        let Some(&[high, low]) = bytes.get(at + 2..at + 4) else {
            return garbage("a JPEG segment beyond the end".to_owned());
        };
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(found) = rest.iter().position(|byte| *byte == 0xFF) else {
                return garbage("a JPEG scan beyond the end".to_owned());
            };
            at += found;
            match bytes.get(at + 1) {
                Some(0x00 | 0xD0..=0xD7) => at += 2,
                Some(0xFF) => at += 1,
                Some(0xD9) if is_padding(&bytes[at + 2..]) => return Ok(()),
                Some(0xC4 | 0xDA | 0xDB | 0xDD | 0xE0..=0xEF | 0xFE) => break,
                Some(marker) => {
                    return garbage(format!("JPEG marker {marker:02x} within its picture"));
                }
                None => return garbage("a JPEG scan beyond the end".to_owned()),
            }
        }
    }
}

/// Whether what comes after an end marker only fills up a packet, and is not the picture going on to its real end.
fn is_padding(after: &[u8]) -> bool {
    let zeros = after.iter().rev().take_while(|byte| **byte == 0).count();
    let after = &after[..after.len() - zeros];
    let ends_again = after.ends_with(&[0xFF, 0xD9]);
    // Some cameras write the end twice.
    let only_ends = after.chunks(2).all(|pair| pair == [0xFF, 0xD9]);
    after.len() <= TRAILING_BYTES && (!ends_again || only_ends)
}

/// The JPEG with tables: itself, or where it has none a copy in `scratch` with the standard ones before its scan.
pub(super) fn with_tables<'a>(bytes: &'a [u8], head: &Head, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if head.has_tables {
        return bytes;
    }
    scratch.clear();
    scratch.extend_from_slice(&bytes[..head.scan]);
    let length: usize = STANDARD_TABLES
        .iter()
        .map(|(_, counts, symbols)| 1 + counts.len() + symbols.len())
        .sum();
    scratch.extend_from_slice(&[0xFF, 0xC4]);
    // 2 for the length itself: 420 in all.
    scratch.extend_from_slice(&((length + 2) as u16).to_be_bytes());
    for (class, counts, symbols) in STANDARD_TABLES {
        scratch.push(class);
        scratch.extend_from_slice(&counts);
        scratch.extend_from_slice(symbols);
    }
    scratch.extend_from_slice(&bytes[head.scan..]);
    scratch
}

#[cfg(test)]
pub(super) mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    /// A JPEG with tables, as a camera would give one.
    pub(in crate::camera) fn jpeg(width: u32, height: u32, shift: u32) -> Vec<u8> {
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([(x * 3 + shift) as u8, (y * 5) as u8, ((x + y) * 2) as u8])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90)
            .encode_image(&picture)
            .unwrap();
        bytes
    }

    /// The same with its Huffman tables left out.
    pub(in crate::camera) fn without_tables(bytes: &[u8]) -> Vec<u8> {
        let mut kept = bytes[..2].to_vec();
        let mut at = 2;
        loop {
            let length = 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            let marker = bytes[at + 1];
            if marker != 0xC4 {
                kept.extend_from_slice(&bytes[at..at + length]);
            }
            at += length;
            if marker == 0xDA {
                kept.extend_from_slice(&bytes[at..]);
                return kept;
            }
        }
    }

    #[test]
    fn the_head_tells_size_and_tables() {
        let whole = jpeg(64, 48, 0);
        let head_of_whole = head(&whole).unwrap();
        assert_eq!((head_of_whole.width_px, head_of_whole.height_px), (64, 48));
        assert!(head_of_whole.has_tables);
        let bare = without_tables(&whole);
        let head_of_bare = head(&bare).unwrap();
        assert!(!head_of_bare.has_tables);
        let mut scratch = Vec::new();
        let filled = with_tables(&bare, &head_of_bare, &mut scratch);
        assert_eq!(filled.len(), bare.len() + 420);
        assert!(head(filled).unwrap().has_tables);
        let mut padded = whole.clone();
        padded.extend([0; 5000]);
        assert!(head(&padded).is_ok());
    }

    #[test]
    fn what_is_cut_short_or_no_jpeg_is_told_apart() {
        let whole = jpeg(64, 48, 0);
        assert!(matches!(head(&[]), Err(FrameFault::Empty)));
        for length in 2..whole.len() {
            assert!(
                matches!(head(&whole[..length]), Err(FrameFault::CutShort { .. })),
                "{length}"
            );
        }
        for garbage in [&[0; 100][..], b"GIF89a", &[0xFF, 0xD8, 0, 0, 0, 0, 0]] {
            assert!(matches!(head(garbage), Err(FrameFault::Garbage { .. })));
        }
    }
}
