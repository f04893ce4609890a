//! People to be imported, any JSON: read or refused. What is read is written and read again, the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::gallery::transfer;
use usher_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = within_memory(bytes.len(), || transfer::read(bytes)) else {
        return;
    };
    let mut text = Vec::new();
    document.write(&mut text).expect("what was read can be written");
    let again = transfer::read(&text).expect("what was written can be read");
    assert!(again == document);
});
