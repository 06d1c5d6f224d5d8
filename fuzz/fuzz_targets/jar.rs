//! Jars are zip files from anywhere, and what is written of them has to be one that other readers read.
#![no_main]

use std::collections::BTreeSet;

use elkbake::image::jar;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let names = BTreeSet::from(["a".to_owned(), "META-INF/A.SF".to_owned()]);
    if let Ok(Some(cut)) = jar::remove(bytes, &names) {
        assert!(cut.bytes.len() < bytes.len());
        assert_eq!(jar::remove(&cut.bytes, &names), Ok(None), "what is left can be read, and holds none of them");
    }
});
