//! An import file's document, any bytes: read or refused. What is read is written and read again, the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::gallery::transfer;
use usher_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = within_memory(bytes.len(), || transfer::read(bytes)) else {
        return;
    };
    let mut written = Vec::new();
    document.write(&mut written).expect("what was read can be written");
    let again = transfer::read(&written).expect("what was written can be read");
    assert!(again == document);
});
