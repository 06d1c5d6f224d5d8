//! A recipe is whatever somebody saved under that name.
#![no_main]

use std::path::Path;

use elkbake::{recipe, text};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let path = Path::new("recipes/fuzzed.toml");
    let Ok(decoded) = text::decode(path, bytes.to_vec()) else { return };
    match recipe::parse(path, &decoded) {
        // What it means has to be the same on a second look: keys are made of it.
        Ok(document) => assert_eq!(recipe::parse(path, &decoded).unwrap().canonical, document.canonical),
        Err(error) => {
            assert!(!error.problems.is_empty(), "an error that names no mistake");
            let _ = error.to_string();
        }
    }
});
