//! Made-up archives: written byte by byte, so that they can lie.

mod tar_file;
mod zip_file;

use std::fs::File;
use std::io::{Seek, Write};

use flate2::{Compression, Crc, write::GzEncoder};

pub(crate) use tar_file::{Member, TarFile, pax};
pub(crate) use zip_file::{Item, ZipFile};

use super::archive::unpack;
use super::error::UnpackError;
use super::limits::Limits;
use super::unpacked::Unpacked;
use crate::tree::Node;

/// A file for one test, with these bytes.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// Unpacks with these limits; the archive is called `a`.
pub(crate) fn unpacked(bytes: &[u8], limits: &Limits) -> Result<Unpacked, UnpackError> {
    unpack("a", file(bytes), tempfile::tempfile().unwrap(), limits, &|_| Ok(()))
}

/// What came out, a line for each entry.
pub(crate) fn listing(unpacked: &Unpacked) -> Vec<String> {
    unpacked.tree.iter().map(|(path, entry)| format!("{} {path}{}", entry.mode, what(unpacked, &entry.node))).collect()
}

/// What stands behind an entry's path there.
pub(crate) fn what(unpacked: &Unpacked, node: &Node) -> String {
    match node {
        Node::Folder => "/".to_owned(),
        Node::Link(target) => format!(" -> {target}"),
        Node::File { digest, .. } => {
            let bytes = unpacked.contents.bytes(digest, 1 << 20).unwrap();
            format!(" {}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)]))
        }
    }
}

/// The error's text, after a look at whether it says what to do.
pub(crate) fn refusal(bytes: &[u8], limits: &Limits) -> String {
    let error = unpacked(bytes, limits).map(|unpacked| listing(&unpacked)).unwrap_err();
    assert!(matches!(&error, UnpackError::Refused { help, .. } if !help.is_empty()), "{error:?}");
    error.to_string()
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An xz file that compresses nothing: one block of up to 64 KiB, as the format's specification has it.
pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let crc = |bytes: &[u8]| {
        let mut crc = Crc::new();
        crc.update(bytes);
        crc.sum().to_le_bytes()
    };
    let flags = [0, 1];
    let mut file = [&b"\xfd7zXZ\0"[..], &flags, &crc(&flags)].concat();
    // Block header: its size, no further fields, one filter (LZMA2) with the smallest dictionary, padding.
    let header = [2, 0, 0x21, 1, 0, 0, 0, 0];
    let mut block = [&header[..], &crc(&header)].concat();
    for (n, chunk) in bytes.chunks(1 << 16).enumerate() {
        block.push(if n == 0 { 1 } else { 2 });
        block.extend(u16::try_from(chunk.len() - 1).unwrap().to_be_bytes());
        block.extend(chunk);
    }
    block.push(0);
    let unpadded = block.len() + 4;
    block.resize(block.len().next_multiple_of(4), 0);
    block.extend(crc(bytes));
    let mut index = vec![0, 1];
    for mut number in [unpadded, bytes.len()] {
        while number >= 0x80 {
            index.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        index.push(u8::try_from(number).unwrap());
    }
    index.resize(index.len().next_multiple_of(4), 0);
    let checksum = crc(&index);
    index.extend(checksum);
    let backward = u32::try_from(index.len() / 4 - 1).unwrap().to_le_bytes();
    let footer = [&backward[..], &flags].concat();
    file.extend(block);
    file.extend(index);
    file.extend(crc(&footer));
    file.extend(footer);
    file.extend(b"YZ");
    file
}
