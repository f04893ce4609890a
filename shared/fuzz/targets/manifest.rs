//! A model's manifest, any text: read or refused. What is read is written and read again, the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use shared::ModelManifest;
use usher_fuzz::within_memory;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("model.toml");
    let read = within_memory(bytes.len(), || ModelManifest::from_toml(text, path));
    let Ok(manifest) = read else { return };
    let text = manifest
        .to_toml(path)
        .expect("what was read can be written");
    let again = ModelManifest::from_toml(&text, path).expect("what was written can be read");
    assert_eq!(again, manifest);
});
