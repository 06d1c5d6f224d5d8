//! The file system of an image as one tarball, plain or compressed, as its name says.

use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::Path;

use super::aside::Aside;
use super::blobs::Blobs;
use super::fault::OutputError;
use super::image::Image;
use crate::bake::built::BuiltLayer;
use crate::digest::Digest;
use crate::image::compress::compress;
use crate::image::flatten::{FlattenError, Packed, flatten};
use crate::image::scan::{Bounds, ScanError};
use crate::name::Platform;
use crate::recipe::Compression;

pub(super) fn write(image: &Image<'_>, path: &Path, host: &Platform, blobs: &Blobs<'_>) -> Result<(), OutputError> {
    let how = compression(path)?;
    let layers = &image.one(host)?.layers;
    let stored: Vec<_> = layers.iter().map(|layer| Stored { layer, blobs }).collect();
    let packed: Vec<_> = stored.iter().map(|layer| layer as &dyn Packed).collect();
    let mut file = Aside::beside(path)?;
    let written = match how {
        None => flatten(&packed, &mut file),
        Some(how) => {
            let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            match compress(how, threads, &mut file, &|_| Ok(()), |to| flatten(&packed, to)) {
                Ok(written) => written.map(drop),
                Err(error) => Err(FlattenError::Write(error)),
            }
        }
    };
    blobs.check_interrupt()?;
    written.map_err(|error| match error {
        FlattenError::Write(error) => file.failed(error),
        FlattenError::Layer { number, source } => failed(&layers[number], source, blobs),
    })?;
    file.finish()
}

/// How a file of this name is compressed.
pub(super) fn compression(path: &Path) -> Result<Option<Compression>, OutputError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    match () {
        () if ends(&[".tar.gz", ".tgz"]) => Ok(Some(Compression::Gzip)),
        () if ends(&[".tar.zst"]) => Ok(Some(Compression::Zstd)),
        () if ends(&[".tar"]) => Ok(None),
        () => Err(OutputError::taken(path, "the name of a root file system ends in .tar, .tar.gz, .tgz or .tar.zst")),
    }
}

fn failed(layer: &BuiltLayer, source: ScanError, blobs: &Blobs<'_>) -> OutputError {
    let error = match source {
        ScanError::Read(error) => error,
        other => io::Error::other(other),
    };
    blobs.unreadable(&layer.descriptor, error)
}

/// A layer in the store.
struct Stored<'l> {
    layer: &'l BuiltLayer,
    blobs: &'l Blobs<'l>,
}

impl Packed for Stored<'_> {
    fn diff_id(&self) -> Digest {
        self.layer.diff_id
    }

    fn bounds(&self) -> Bounds {
        // Whose listing is known was made here, or has been read before.
        if self.layer.listing.is_some() { Bounds::OWN } else { Bounds::FOREIGN }
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        let blob = self.blobs.open(&self.layer.descriptor).map_err(io::Error::other)?;
        Ok(Box::new(Watched { inner: blob, blobs: self.blobs }))
    }
}

/// Tells of the bytes that pass, and fails once somebody asked to stop.
struct Watched<'w, R> {
    inner: R,
    blobs: &'w Blobs<'w>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.blobs.check_interrupt().map_err(io::Error::other)?;
        let n = self.inner.read(into)?;
        self.blobs.passed(n as u64);
        Ok(n)
    }
}
