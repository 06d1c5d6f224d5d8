//! Deflate in blocks that know nothing of each other's making, so that many threads make the bytes that one would.
//!
//! The stream is cut into blocks of one fixed size. Each is compressed by fresh compressors, in one call each, with the
//! 32 KiB before as dictionary, and ends on a byte boundary (a sync flush): joined they are a single deflate stream
//! in a single gzip member, which every reader takes, SOCI's indexer included. The size of calls and the history of a
//! used compressor are known to change what zlib-rs writes; neither exists here.
//!
//! What is compressed already is the dearest to compress again: zlib-rs needs twice the time for random bytes that it
//! needs for programs, and wins nothing. So a block is looked through first, and stretches that are [`dense`] are
//! stored as they are.
//!
//! # Why this level
//!
//! Measured in November 2026, processor time of one thread, in MiB/s, with the size beside that of `pigz -6`:
//!
//! | | 100 MiB like a plugin, half of it random | 168 MiB of jars, programs and Rust |
//! |---|---|---|
//! | `pigz -6` | 32, 0 % | 29, 0 % |
//! | level 6, all compressed | 40, 0 % | 50, +0.9 % |
//! | level 4, dense stored | 114, +0.9 % | 67, +1.8 % |
//! | **level 5, dense stored** | **103, +0.7 %** | **67, +1.3 %** |
//! | level 6, dense stored | 73, -0.1 % | 59, +1.2 % |
//!
//! The size of blocks does not matter to the ratio (256 KiB to 4 MiB differ by 0.05 %), so small ones are taken, which
//! share out better. libdeflate is faster still at the same ratio, but cannot leave a stream open, and of many members
//! in one file older SOCI indexers make wrong indexes.

mod dense;

use std::io;

use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// What is compressed at a time. Like all constants here it decides on the bytes: a change needs another
/// [`crate::plan::KEY_FORMAT`].
pub(super) const BLOCK: usize = 512 << 10;

/// How far deflate looks back.
pub(super) const WINDOW: usize = 32 << 10;

const LEVEL: Compression = Compression::new(5);

/// What stands before the first block: no name, no time, no flags, and no operating system.
pub(super) const HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// What a stored block can hold.
const LONGEST_STORED: usize = 0xffff;

/// The gzip member around the blocks.
#[derive(Default)]
pub(super) struct Member(Crc);

impl Member {
    /// Takes the checksum of the next block.
    pub(super) fn add(&mut self, block: &Crc) {
        self.0.combine(block);
    }

    /// What stands after the last block: the checksum, and the length as far as it fits.
    pub(super) fn trailer(&self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.0.sum().to_le_bytes());
        bytes[4..].copy_from_slice(&self.0.amount().to_le_bytes());
        bytes
    }
}

/// Compresses the block that begins at `start` of `bytes`; what is before is known to the reader. The last one ends
/// the stream.
pub(super) fn block(bytes: &[u8], start: usize, last: bool) -> io::Result<(Vec<u8>, Crc)> {
    let mut crc = Crc::new();
    crc.update(&bytes[start..]);
    let mut made = Vec::with_capacity(longest(bytes.len() - start));
    let mut at = start;
    for (len, is_dense) in dense::stretches(&bytes[start..]) {
        let (stretch, end) = (&bytes[at..at + len], last && at + len == bytes.len());
        if is_dense {
            store(stretch, end, &mut made);
        } else {
            deflate(&bytes[at.saturating_sub(WINDOW)..at], stretch, end, &mut made)?;
        }
        at += len;
    }
    Ok((made, crc))
}

/// More than deflate ever makes of so many bytes: it stores what does not get shorter, a few bytes more for each 8 KiB
/// or more.
const fn longest(len: usize) -> usize {
    len + len / 256 + 1024
}

fn store(bytes: &[u8], last: bool, to: &mut Vec<u8>) {
    let pieces = bytes.chunks(LONGEST_STORED);
    let before_last = pieces.len().saturating_sub(1);
    for (i, piece) in pieces.enumerate() {
        let len = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        to.push(u8::from(last && i == before_last));
        to.extend(len.to_le_bytes());
        to.extend((!len).to_le_bytes());
        to.extend(piece);
    }
}

fn deflate(before: &[u8], bytes: &[u8], last: bool, to: &mut Vec<u8>) -> io::Result<()> {
    let mut compress = Compress::new(LEVEL, false);
    if !before.is_empty() {
        compress.set_dictionary(before).map_err(io::Error::other)?;
    }
    to.reserve(longest(bytes.len()));
    let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
    let status = compress.compress_vec(bytes, to, flush).map_err(io::Error::other)?;
    // With room left, nothing is kept back.
    let whole = if last { status == Status::StreamEnd } else { to.len() < to.capacity() };
    if !whole || compress.total_in() != bytes.len() as u64 {
        return Err(io::Error::other("a compressed block is longer than it can be"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    /// Text and noise by turns, in pieces of all sizes.
    fn mixed(pieces: &[(bool, usize)]) -> Vec<u8> {
        let mut state = 1_u32;
        let mut bytes = Vec::new();
        for &(noise, len) in pieces {
            bytes.extend((0..len).map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [.., high] = state.to_le_bytes();
                if noise { high } else { high & 3 }
            }));
        }
        bytes
    }

    fn gzip(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut made = HEADER.to_vec();
        let mut member = Member::default();
        let mut at = 0;
        loop {
            let end = bytes.len().min(at + size);
            let from = at.saturating_sub(WINDOW);
            let (block, crc) = block(&bytes[from..end], at - from, end == bytes.len()).unwrap();
            made.extend(block);
            member.add(&crc);
            at = end;
            if at == bytes.len() {
                made.extend(member.trailer());
                return made;
            }
        }
    }

    fn gunzip(made: &[u8]) -> Vec<u8> {
        let mut reader = GzDecoder::new(made);
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert!(reader.into_inner().is_empty(), "one member and no more");
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn blocks_are_one_member(pieces in prop::collection::vec((any::<bool>(), 0..50_000_usize), 0..6)) {
            let bytes = mixed(&pieces);
            prop_assert_eq!(&gunzip(&gzip(&bytes, 48 << 10)), &bytes);
        }
    }

    #[test]
    fn noise_is_stored_and_ends_a_stream_too() {
        for len in [0, 1, 4096, 16 << 10, 65_535, 65_536, 200_000] {
            let bytes = mixed(&[(true, len)]);
            let made = gzip(&bytes, 100_000);
            assert_eq!(gunzip(&made), bytes);
            assert!(made.len() <= len + len / 1000 + 60, "{len}: {}", made.len());
        }
    }

    #[test]
    fn a_dictionary_is_used() {
        let once: Vec<u8> = mixed(&[(true, 20_000)]).iter().map(|byte| byte & 63).collect();
        let twice = once.repeat(2);
        let (alone, _) = block(&twice[20_000..], 0, true).unwrap();
        let (after, _) = block(&twice, 20_000, true).unwrap();
        assert!(after.len() * 50 < alone.len(), "{} of {}", after.len(), alone.len());
    }
}
