//! A gallery's file, any bytes: opened or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use usher_fuzz::{MemoryDisk, within_memory};

fuzz_target!(|bytes: &[u8]| {
    let disk = MemoryDisk::with(bytes);
    let opened = within_memory(bytes.len(), || disk.open());
    drop(opened);
});
