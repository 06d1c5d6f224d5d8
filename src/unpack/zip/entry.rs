//! The bytes of one entry.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::local::Located;
use super::packing::Packing;
use crate::digest::{Digest, Hasher};
use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, refused};
use crate::unpack::meter::Meter;

/// Links have no longer targets.
pub(super) const LONGEST_TARGET: u64 = 4095;

const BUFFER: usize = 1 << 16;

/// Unpacks an entry to a stretch of the spool, and tells its digest.
pub(super) fn to_spool(
    located: &Located,
    file: &File,
    spool: &File,
    mut at: u64,
    meter: &Meter<'_>,
) -> io::Result<Digest> {
    let mut hasher = Hasher::default();
    each_piece(located, file, meter, &mut |piece| {
        hasher.update(piece);
        spool.write_all_at(piece, at)?;
        at += piece.len() as u64;
        Ok(())
    })?;
    Ok(hasher.finish().0)
}

/// Unpacks a small entry.
pub(super) fn to_memory(located: &Located, file: &File, meter: &Meter<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    each_piece(located, file, meter, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

/// Sees that an entry without bytes has none: some programs deflate even nothing.
pub(super) fn check_empty(located: &Located, file: &File, meter: &Meter<'_>) -> io::Result<()> {
    each_piece(located, file, meter, &mut |_| Ok(()))
}

/// Hands on all bytes of an entry, which are those that were promised: so many, with that checksum, packed in so many.
fn each_piece(
    located: &Located,
    file: &File,
    meter: &Meter<'_>,
    hand_on: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let entry = &located.entry;
    let stretch = Stretch { file, at: located.data, end: located.data + entry.packed, meter };
    let room = usize::try_from(entry.packed).unwrap_or(BUFFER).clamp(1, BUFFER);
    let mut packed = BufReader::with_capacity(room, stretch);
    match entry.packing {
        Packing::Stored => check(entry.size, entry.crc, &mut packed, hand_on)?,
        Packing::Deflated => check(entry.size, entry.crc, &mut Inflate::new(&mut packed), hand_on)?,
    }
    if packed.fill_buf()?.is_empty() {
        Ok(())
    } else {
        Err(refused("has something behind its packed bytes", MAKE_ANEW))
    }
}

fn check(size: u64, crc: u32, from: &mut dyn Read, hand_on: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    // One more than is promised, to see that there is none; and no more than is needed, because there may be many.
    let mut buffer = vec![0; usize::try_from(size + 1).unwrap_or(BUFFER).min(BUFFER)];
    let (mut sum, mut passed) = (Crc::new(), 0);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        passed += n as u64;
        if passed > size {
            return Err(refused("has more bytes than its size says", MAKE_ANEW));
        }
        sum.update(&buffer[..n]);
        hand_on(&buffer[..n])?;
    }
    if passed < size {
        return Err(refused("has fewer bytes than its size says", GET_AGAIN));
    }
    if sum.sum() == crc { Ok(()) } else { Err(refused("is damaged: its checksum is wrong", GET_AGAIN)) }
}

/// Deflated bytes, unpacked. The crate's own reader takes the end of its input for the end of the stream.
struct Inflate<'r, R> {
    from: &'r mut R,
    state: Decompress,
    ended: bool,
}

impl<'r, R: BufRead> Inflate<'r, R> {
    fn new(from: &'r mut R) -> Self {
        Self { from, state: Decompress::new(false), ended: false }
    }
}

impl<R: BufRead> Read for Inflate<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !into.is_empty() {
            let input = self.from.fill_buf()?;
            let (before, after) = (self.state.total_in(), self.state.total_out());
            let result = self.state.decompress(input, into, FlushDecompress::None);
            let taken = usize::try_from(self.state.total_in() - before).unwrap_or_default();
            let given = usize::try_from(self.state.total_out() - after).unwrap_or_default();
            let stuck = input.is_empty() || taken == 0;
            self.from.consume(taken);
            match result {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if given == 0 && stuck => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error.to_string())),
            }
            if given > 0 {
                return Ok(given);
            }
        }
        Ok(0)
    }
}

/// A stretch of the zip, read beside others.
struct Stretch<'a> {
    file: &'a File,
    at: u64,
    end: u64,
    meter: &'a Meter<'a>,
}

impl Read for Stretch<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.file.read_at(&mut into[..most], self.at)?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.at += n as u64;
        self.meter.add(n as u64)?;
        Ok(n)
    }
}
