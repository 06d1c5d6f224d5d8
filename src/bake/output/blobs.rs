//! The blobs of an image, read from the store with all their bytes verified.

use std::io::{self, ErrorKind, Read, Write};

use super::fault::OutputError;
use crate::bake::event::Task;
use crate::bake::interrupt::Interrupt;
use crate::digest::Mismatch;
use crate::image::oci::Descriptor;
use crate::store::Store;

/// Bytes on their way through memory.
const BUFFER: usize = 128 << 10;

/// Where blobs come from, and who is told of the bytes that pass.
pub(super) struct Blobs<'b> {
    pub(super) store: &'b Store,
    pub(super) interrupt: &'b Interrupt,
    pub(super) task: &'b Task<'b>,
}

impl Blobs<'_> {
    /// Copies a blob. When this succeeds, exactly the bytes of the descriptor have been written.
    pub(super) fn copy(
        &self,
        at: &Descriptor,
        into: &mut dyn Write,
        failed: &dyn Fn(io::Error) -> OutputError,
    ) -> Result<(), OutputError> {
        let mut blob = self.store.read(&at.digest)?.ok_or(OutputError::Missing { digest: at.digest })?;
        let mut buffer = vec![0; BUFFER];
        let mut copied = 0;
        loop {
            self.check_interrupt()?;
            match blob.read(&mut buffer) {
                Ok(0) if copied == at.size => return Ok(()),
                Ok(0) => {
                    let message = format!("it has {copied} bytes, the image says {}", at.size);
                    return Err(OutputError::Damaged { digest: at.digest, message });
                }
                Ok(n) => {
                    into.write_all(&buffer[..n]).map_err(failed)?;
                    copied += n as u64;
                    self.passed(n as u64);
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
        match error.downcast::<Mismatch>() {
            Ok(mismatch) => {
                // Where it cannot be dropped, reading it fails again.
                let _ = self.store.drop_blob(&at.digest);
                OutputError::Damaged { digest: at.digest, message: mismatch.to_string() }
            }
            Err(error) => OutputError::Damaged { digest: at.digest, message: error.to_string() },
        }
    }
}
