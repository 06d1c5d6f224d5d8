//! References come from recipes, command lines and registries.
#![no_main]

use elkbake::name::{ImagePath, Platform, RecipeName, Reference, Registry, Repository, Tag};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        let full = reference.to_string();
        assert_eq!(full.parse::<Reference>().unwrap(), reference, "the full form reads back as another");
    }
    if let Ok(path) = text.parse::<ImagePath>() {
        assert_eq!(path.as_str(), text, "a path has one spelling");
        assert!(path.components().all(|part| part != ".."), "a path that leaves its root");
    }
    let _ = text.parse::<Registry>();
    let _ = text.parse::<Repository>();
    let _ = text.parse::<Tag>();
    let _ = text.parse::<RecipeName>();
    let _ = text.parse::<Platform>();
});
