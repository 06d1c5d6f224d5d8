//! Zips come from anywhere, and say everything twice. The first byte says whether what is fuzzed is the zip, or what is in it.
#![no_main]

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
    let path = std::env::temp_dir().join(format!("elkbake-fuzz-zip-{}", std::process::id()));
    let mut file = File::options().create(true).truncate(true).read(true).write(true).open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// What is left of an input, taken from its beginning.
struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn bytes(&mut self, length: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or_default()
    }

    fn two(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

/// A zip of up to four entries around the input, in which everything fits together; names, modes and bytes are the input's.
fn zip(input: &mut Input<'_>) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    let entries = u16::from(input.byte() % 4 + 1);
    for _ in 0..entries {
        let (method, mode, length) = (input.byte(), input.two(), input.byte());
        let name = input.bytes(usize::from(length % 32));
        let length = usize::from(input.byte());
        let bytes = input.bytes(length);
        let size = u16::try_from(bytes.len()).unwrap();
        let (method, packed) = match method % 3 {
            0 => (0_u16, bytes.to_vec()),
            // One block of deflate that is not compressed.
            1 => (8, [&[1][..], &size.to_le_bytes(), &(!size).to_le_bytes(), bytes].concat()),
            // The input as deflate: most of it is none, and what it holds has another checksum.
            _ => (8, bytes.to_vec()),
        };
        let mut both = Vec::new();
        for two in [20, 0, method, 0, 0x21] {
            both.extend(two.to_le_bytes());
        }
        for four in [crc(bytes), packed.len().try_into().unwrap(), u32::from(size)] {
            both.extend(four.to_le_bytes());
        }
        both.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        both.extend([0; 2]);
        let at = u32::try_from(zip.len()).unwrap();
        directory.extend(b"PK\x01\x02\x14\x03".iter().chain(&both));
        // No comment, the first disk; what kind of file it is stands above its permissions.
        directory.extend([0; 8]);
        directory.extend(mode.to_le_bytes());
        directory.extend(at.to_le_bytes().iter().chain(name));
        zip.extend(b"PK\x03\x04".iter().chain(&both).chain(name).chain(&packed));
    }
    let (at, size) = (u32::try_from(zip.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    zip.extend(directory);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend(entries.to_le_bytes().iter().chain(&entries.to_le_bytes()));
    zip.extend(size.to_le_bytes().iter().chain(&at.to_le_bytes()).chain(&[0; 2]));
    zip
}

/// Any bytes, or a zip around them, of which a few are overwritten.
fn made_of(bytes: &[u8]) -> Vec<u8> {
    let mut input = Input(bytes);
    let first = input.byte();
    if first % 4 == 0 {
        return [b"PK\x03\x04", input.0].concat();
    }
    let changes: Vec<_> =
        (1..first % 4).flat_map(|_| [(input.two(), input.byte()), (input.two(), input.byte())]).collect();
    let mut zip = zip(&mut input);
    for (at, byte) in changes {
        let at = usize::from(at) % zip.len();
        zip[at] = byte;
    }
    zip
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bytes = made_of(bytes);
    match unpack("fuzzed.zip", file(&bytes), file(b""), &LIMITS, &|_| Ok(())) {
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
