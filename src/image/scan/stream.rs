//! The bytes of a tar stream, hashed and counted as they pass.

use std::io::{self, Read};

use super::bounds::{Bounds, PackedBytes};
use crate::digest::{Digest, Hasher};

/// What all of a tar stream passes through.
pub(super) struct Stream<R> {
    inner: R,
    hasher: Hasher,
    bounds: Bounds,
    packed: PackedBytes,
}

impl<R: Read> Stream<R> {
    /// `packed` counts what it is unpacked from.
    pub(super) fn new(inner: R, bounds: Bounds, packed: PackedBytes) -> Self {
        Self { inner, hasher: Hasher::default(), bounds, packed }
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
        self.bounds.check(self.packed.read(), self.hasher.size())?;
        Ok(n)
    }
}
