//! A lock is a file in a checkout: merged by hand, cut off, or of another version.
#![no_main]

use std::path::Path;

use elkbake::{lock, text};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("recipes/fuzzed.lock");
    let Ok(decoded) = text::decode(path, bytes.to_vec()) else { return };
    if let Err(error) = lock::parse(path, &decoded) {
        assert!(!error.problems.is_empty(), "an error that names no mistake");
        let _ = error.to_string();
    }
});
