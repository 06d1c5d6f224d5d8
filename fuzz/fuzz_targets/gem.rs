//! Gems are tars in which everything is compressed on its own. The first byte says where what is fuzzed is put.
#![no_main]

use std::fs::File;

use elkbake::unpack::{Limits, gem};

const LIMITS: Limits = Limits {
    entries: 1000,
    names: 1 << 16,
    total: 1 << 22,
    ratio: 100,
    ratio_from: 1 << 20,
    set_id: false,
    absolute_links: false,
};

fn spool() -> File {
    let path = std::env::temp_dir().join(format!("elkbake-fuzz-gem-{}", std::process::id()));
    let file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

/// A tar with one entry, whose header is right.
fn tar(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = b'0';
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    let mut tar = [&header[..], bytes].concat();
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    tar
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((place, bytes)) = bytes.split_first() else { return };
    let bytes = match place % 4 {
        0 => bytes.to_vec(),
        1 => tar("metadata.gz", bytes),
        2 => tar("data.tar.gz", bytes),
        _ => tar("checksums.yaml", bytes),
    };
    if let Err(error) = gem("fuzzed.gem", &bytes[..], spool(), &LIMITS) {
        assert!(error.to_string().len() < 2000, "an error as long as what it complains about");
    }
});
