//! Deflate in blocks that know nothing of each other's making, so that many threads make the bytes that one would.
//!
//! The stream is cut into blocks of one fixed size. Each is compressed by a fresh compressor, in one call, with the
//! 32 KiB before it as dictionary, and ends on a byte boundary (a sync flush): joined they are a single deflate stream
//! in a single gzip member, which every reader takes, SOCI's indexer included. The size of calls and the history of a
//! used compressor are known to change what zlib-rs writes; neither exists here.

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What is compressed at a time. Like all constants of this file it decides on the bytes: a change needs another
/// [`crate::plan::KEY_FORMAT`].
pub(super) const BLOCK: usize = 1 << 20;

/// How far deflate looks back.
pub(super) const WINDOW: usize = 32 << 10;

const LEVEL: Compression = Compression::new(6);

/// No name, no time, no flags, and no operating system.
pub(super) const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// The gzip member around the blocks.
#[derive(Default)]
pub(super) struct Member(Crc);

impl Member {
    /// Takes the checksum of the next block.
    pub(super) fn add(&mut self, block: &Crc) {
        self.0.combine(block);
    }

    /// What stands after the last block.
    pub(super) fn trailer(&self) -> [u8; 8] {
        let [a, b, c, d] = self.0.sum().to_le_bytes();
        let [e, f, g, h] = self.0.amount().to_le_bytes();
        [a, b, c, d, e, f, g, h]
    }
}

/// Compresses one block; the last one ends the stream.
pub(super) fn block(before: &[u8], bytes: &[u8], last: bool) -> io::Result<(Vec<u8>, Crc)> {
    let mut crc = Crc::new();
    crc.update(bytes);
    let mut compress = Compress::new(LEVEL, false);
    if !before.is_empty() {
        compress.set_dictionary(before).map_err(io::Error::other)?;
    }
    // Stored blocks are the worst that can happen: five bytes for each, and none is shorter than 8 KiB.
    let mut made = Vec::with_capacity(bytes.len() + bytes.len() / 1024 + 64);
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let status = compress.compress_vec(bytes, &mut made, flush).map_err(io::Error::other)?;
    let whole = if last { status == Status::StreamEnd } else { made.len() < made.capacity() };
    if !whole || compress.total_in() != bytes.len() as u64 {
        return Err(io::Error::other("a compressed block is longer than it can be"));
    }
    Ok((made, crc))
}
