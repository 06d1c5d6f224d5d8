//! From a tar stream to its entries, one after the other.
//!
//! The `tar` crate reads extended headers whole, however long they say they are, and stops at the first end mark. Here
//! they have a limit, and whatever stands behind the end must be zeros: nobody may see another image there.

use std::io::{self, Read};

use super::error::ScanError;
use super::head::{BLOCK, Extension, Head, LONGEST_EXTENSION, extension_size};
use super::refusal::Refusal;
use super::stream::Stream;

/// The entries of a tar stream.
pub(super) struct Entries<R> {
    stream: Stream<R>,
    /// What is left of the bytes of the entry that was given last, and of what fills its last block.
    rest: u64,
    padding: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Entries<R> {
    pub(super) fn new(stream: Stream<R>) -> Self {
        Self { stream, rest: 0, padding: 0, buffer: vec![0; 64 << 10] }
    }

    /// The next entry, its bytes still to come; `None` at the end, when all of the stream has passed.
    pub(super) fn next(&mut self) -> Result<Option<Head>, ScanError> {
        let mut said = Extension::default();
        let mut extended = false;
        loop {
            self.skip()?;
            let mut block = [0; BLOCK];
            let filled = self.stream.fill(&mut block).map_err(ScanError::Read)?;
            if filled == 0 || (filled == BLOCK && block == [0; BLOCK]) {
                if extended {
                    return Err(cut_short().into());
                }
                self.finish()?;
                return Ok(None);
            }
            if filled < BLOCK {
                return Err(cut_short().into());
            }
            let kind = block[156];
            if !matches!(kind, b'L' | b'K' | b'x' | b'X' | b'g') {
                let head = Head::new(&block, said)?;
                // Only files have bytes, whatever others say of their size; who says something all the same is obeyed,
                // as the usual programs do, but for links, of which many a program states the size of their target.
                self.rest = if matches!(head.kind, b'1'..=b'6') { 0 } else { head.size };
                self.padding = self.rest.wrapping_neg() % BLOCK as u64;
                return Ok(Some(head));
            }
            let bytes = self.extension(extension_size(&block)?)?;
            said.add(kind, bytes)?;
            extended |= kind != b'g';
        }
    }

    /// The bytes of an extended header.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, ScanError> {
        if size > LONGEST_EXTENSION {
            let message = format!("it has an extended header of {size} bytes");
            return Err(Refusal::new(message).into());
        }
        self.rest = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(ScanError::Read)?;
        Ok(bytes)
    }

    /// Passes over what is left of an entry.
    fn skip(&mut self) -> Result<(), ScanError> {
        let mut left = self.rest.saturating_add(self.padding);
        (self.rest, self.padding) = (0, 0);
        while left > 0 {
            let most = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let filled = self.stream.fill(&mut self.buffer[..most]).map_err(ScanError::Read)?;
            if filled < most {
                return Err(cut_short().into());
            }
            left -= filled as u64;
        }
        Ok(())
    }

    /// Passes over the zeros that fill up a tarball.
    fn finish(&mut self) -> Result<(), ScanError> {
        loop {
            let filled = self.stream.fill(&mut self.buffer).map_err(ScanError::Read)?;
            if filled == 0 {
                return Ok(());
            }
            if self.buffer[..filled].iter().any(|&byte| byte != 0) {
                return Err(Refusal::new("there is something behind its end").into());
            }
        }
    }

    pub(super) fn into_stream(self) -> Stream<R> {
        self.stream
    }
}

/// The bytes of the entry that was given last.
impl<R: Read> Read for Entries<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(usize::try_from(self.rest).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let n = self.stream.read(&mut into[..most])?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is cut short"));
        }
        self.rest -= n as u64;
        Ok(n)
    }
}

fn cut_short() -> Refusal {
    Refusal::new("it is cut short")
}
