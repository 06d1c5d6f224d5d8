//! The bytes of a tar stream, hashed and counted as they pass.

use std::io::{self, Read};

use crate::digest::{Digest, Hasher};

/// Unpacked, no image is larger: a stream that goes on behind this is a bomb.
pub(super) const LONGEST: u64 = 256 << 30;

/// What all of a tar stream passes through.
pub(super) struct Stream<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, hasher: Hasher::default() }
    }

    /// Fills a buffer, as far as there are bytes.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read(&mut into[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// What has passed, and what it passed from.
    pub(super) fn finish(self) -> ((Digest, u64), R) {
        (self.hasher.finish(), self.inner)
    }
}

impl<R: Read> Read for Stream<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.hasher.update(&into[..n]);
        if self.hasher.size() > LONGEST {
            let message = format!("it has more than {LONGEST} bytes when it is unpacked");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(n)
    }
}
