//! A place for bytes that come in one order and are read in another.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use super::Contents;
use crate::digest::{Digest, Hasher};

/// Contents on their way to a temporary file, one after the other, hashed as they come.
pub struct Spool {
    file: BufWriter<File>,
    len: u64,
    parts: Vec<(Digest, u64, u64)>,
    buffer: Vec<u8>,
}

impl Spool {
    /// Spools to a file, which should be a temporary one without a name.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self { file: BufWriter::with_capacity(1 << 16, file), len: 0, parts: Vec::new(), buffer: vec![0; 1 << 16] }
    }

    /// Takes all of a content, and tells its digest and size.
    ///
    /// # Errors
    /// `FileTooLarge` when it has more than `limit` bytes; when it cannot be read or written.
    pub fn take(&mut self, from: &mut dyn Read, limit: u64) -> io::Result<(Digest, u64)> {
        let mut hasher = Hasher::default();
        loop {
            let n = match from.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&self.buffer[..n]);
            if hasher.size() > limit {
                let message = format!("it has more than {limit} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            self.file.write_all(&self.buffer[..n])?;
            self.len += n as u64;
        }
        let (digest, size) = hasher.finish();
        self.parts.push((digest, self.len - size, size));
        Ok((digest, size))
    }

    /// Drops the content that was taken last: the next one takes its place.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn take_back(&mut self) -> io::Result<()> {
        if let Some((_, offset, _)) = self.parts.pop() {
            self.file.seek(SeekFrom::Start(offset))?;
            self.len = offset;
        }
        Ok(())
    }

    /// Ends spooling; the contents can be read from now on.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub fn finish(self) -> io::Result<Contents> {
        let file = Arc::new(self.file.into_inner().map_err(io::IntoInnerError::into_error)?);
        let mut contents = Contents::default();
        contents.add_parts(file, self.parts);
        Ok(contents)
    }
}
