//! Tars come from anywhere, plain or compressed, and every reader of them forgives something else.
#![no_main]

mod mend;

use std::fs::File;
use std::io::{Seek, Write};

use elkbake::unpack::{Limits, unpack};

/// Whatever the bytes say, this is enough to find out what is wrong with them.
const LIMITS: Limits = Limits {
    entries: 1000,
    names: 1 << 16,
    total: 1 << 22,
    ratio: 100,
    ratio_from: 1 << 20,
    set_id: false,
    absolute_links: false,
};

fn file(bytes: &[u8]) -> File {
    let path = std::env::temp_dir().join(format!("elkbake-fuzz-tar-{}", std::process::id()));
    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let bytes = if first % 2 == 0 { mend::mended(bytes) } else { bytes.to_vec() };
    match unpack("fuzzed.tar", file(&bytes), file(b""), &LIMITS, &|_| Ok(())) {
        Ok(unpacked) => {
            for (path, entry) in unpacked.tree.iter() {
                assert!(path.components().all(|part| part != ".."), "{path}");
                if let elkbake::tree::Node::File { digest, size } = &entry.node {
                    assert_eq!(unpacked.contents.bytes(digest, *size).unwrap().len() as u64, *size);
                }
            }
        }
        Err(error) => assert!(error.to_string().len() < 2000, "an error as long as what it complains about"),
    }
});
