//! Whether a JPEG file reaches its end marker.
//!
//! The decoder in use accepts a file cut short and fills the missing rows with grey, which would
//! enroll half a face. So the markers are walked first (ITU-T T.81, annex B).

/// End of image.
const EOI: u8 = 0xD9;
/// Start of scan: entropy-coded data follows its header.
const SOS: u8 = 0xDA;

/// Whether the markers lead from the start of the first picture to its end.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2; // past the start of image
    loop {
        let Some(marker) = next_marker(bytes, &mut at) else {
            return false;
        };
        match marker {
            EOI => return true,
            // Markers without a segment: restart, start of image, temporary.
            0xD0..=0xD8 | 0x01 => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == SOS {
                    skip_entropy_coded(bytes, &mut at);
                }
            }
        }
    }
}

/// The next marker's code; moves behind it. Any number of fill bytes 0xFF may precede it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    while *bytes.get(*at)? != 0xFF {
        *at += 1;
    }
    while *bytes.get(*at)? == 0xFF {
        *at += 1;
    }
    let marker = bytes[*at];
    *at += 1;
    Some(marker)
}

/// Moves to the marker that ends entropy-coded data: 0xFF 0x00 is a stuffed byte, restarts belong in.
fn skip_entropy_coded(bytes: &[u8], at: &mut usize) {
    while let Some(pair) = bytes.get(*at..*at + 2) {
        if pair[0] == 0xFF && !matches!(pair[1], 0x00 | 0xFF | 0xD0..=0xD7) {
            return;
        }
        *at += 1;
    }
    *at = bytes.len();
}
