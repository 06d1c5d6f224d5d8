//! The pinned compressor of documents: one small stream at the best ratio, the same bytes everywhere.

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// No name, no time, no flags but "best ratio", and no operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];

/// Compresses in one call by a fresh compressor: how calls are cut, and what was compressed before, would show.
pub(super) fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut made = HEADER.to_vec();
    // What does not get shorter is stored, a few bytes more for every 8 KiB.
    made.reserve(plain.len() + plain.len() / 256 + 1024);
    let mut compress = Compress::new(Compression::best(), false);
    let status = compress.compress_vec(plain, &mut made, FlushCompress::Finish).map_err(io::Error::other)?;
    if status != Status::StreamEnd {
        return Err(io::Error::other("a compressed document is longer than it can be"));
    }
    let mut crc = Crc::new();
    crc.update(plain);
    made.extend(crc.sum().to_le_bytes());
    made.extend(crc.amount().to_le_bytes());
    Ok(made)
}
