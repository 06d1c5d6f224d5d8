//! The blobs of an image, read from the store with all their bytes verified.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};

use super::aside::Aside;
use super::fault::OutputError;
use crate::bake::built::BuiltLayer;
use crate::bake::event::Task;
use crate::bake::interrupt::Interrupt;
use crate::digest::{Mismatch, Verifying};
use crate::image::oci::Descriptor;
use crate::store::Store;

/// Bytes on their way through memory.
pub(super) const BUFFER: usize = 128 << 10;

/// Where blobs come from, and who is told of the bytes that pass.
pub(super) struct Blobs<'b> {
    pub(super) store: &'b Store,
    pub(super) interrupt: &'b Interrupt,
    pub(super) task: &'b Task<'b>,
}

impl Blobs<'_> {
    /// Copies a blob. When this succeeds, exactly the bytes of the descriptor have been written.
    pub(super) fn copy(&self, at: &Descriptor, into: &mut Aside) -> Result<(), OutputError> {
        let mut blob = self.open(at)?;
        let copied = self.pour(at, &mut blob, into, |n| self.passed(n))?;
        if copied == at.size {
            return Ok(());
        }
        let message = format!("it has {copied} bytes, the image says {}", at.size);
        Err(OutputError::Damaged { digest: at.digest, message })
    }

    /// Unpacks a layer and tells how long it is. When this succeeds, exactly the bytes of its diff id have been written.
    pub(super) fn unpack_zstd(&self, layer: &BuiltLayer, into: &mut Aside) -> Result<u64, OutputError> {
        let at = &layer.descriptor;
        let mut blob = self.open(at)?;
        let decoder = zstd::stream::read::Decoder::new(&mut blob).map_err(|error| self.unreadable(at, error))?;
        let size = self.pour(at, &mut Verifying::new(decoder, layer.diff_id, None), into, |_| ())?;
        // What may come behind the last frame has its say in the blob's digest.
        io::copy(&mut blob, &mut io::sink()).map_err(|error| self.unreadable(at, error))?;
        self.passed(at.size);
        Ok(size)
    }

    /// A blob's reader, which fails at the end unless its bytes are right.
    pub(super) fn open(&self, at: &Descriptor) -> Result<Verifying<File>, OutputError> {
        self.store.read(&at.digest)?.ok_or(OutputError::Missing { digest: at.digest })
    }

    /// Writes all that a reader has and tells how much that was.
    fn pour(
        &self,
        at: &Descriptor,
        from: &mut dyn Read,
        into: &mut Aside,
        passed: impl Fn(u64),
    ) -> Result<u64, OutputError> {
        let mut buffer = vec![0; BUFFER];
        let mut written = 0;
        loop {
            self.check_interrupt()?;
            match from.read(&mut buffer) {
                Ok(0) => return Ok(written),
                Ok(n) => {
                    into.write_all(&buffer[..n]).map_err(|error| into.failed(error))?;
                    written += n as u64;
                    passed(n as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(at, error)),
            }
        }
    }

    /// Tells of bytes that are done with.
    pub(super) fn passed(&self, bytes: u64) {
        self.task.advance(bytes);
    }

    pub(super) fn check_interrupt(&self) -> Result<(), OutputError> {
        if self.interrupt.requested() { Err(OutputError::Interrupted) } else { Ok(()) }
    }

    /// A blob with wrong bytes is dropped, so that it is made or fetched again.
    pub(super) fn unreadable(&self, at: &Descriptor, error: io::Error) -> OutputError {
        let digest = at.digest;
        let error = match error.downcast::<OutputError>() {
            Ok(known) => return known,
            Err(error) => error,
        };
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Mismatch>()) {
            Some(mismatch) if mismatch.expected() == digest => {
                // Where it cannot be dropped, reading it fails again.
                let _ = self.store.drop_blob(&digest);
                OutputError::Damaged { digest, message: mismatch.to_string() }
            }
            _ => OutputError::Layer { digest, source: error },
        }
    }
}
