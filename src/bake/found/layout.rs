//! An image in an OCI layout folder, anywhere on the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::documents::{self, Documents};
use crate::bake::found::{Found, Holder};
use crate::bake::resolve::Fault;
use crate::digest::{Digest, Mismatch, Verifying};
use crate::image::oci::{self, Descriptor, IndexEntry, OciError};
use crate::name::Platform;

/// Which image of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The only one.
    Only,
    /// The one of a tag.
    Tag(String),
    /// The one of a digest, which may have any tag or none.
    Digest(Digest),
}

/// A layout, and which of its images.
#[derive(Clone, Debug)]
pub struct Layout {
    path: PathBuf,
    shown: String,
    which: Which,
}

impl Layout {
    /// An image of a layout. `shown` is how people call it.
    #[must_use]
    pub fn new(path: PathBuf, shown: String, which: Which) -> Self {
        Self { path, shown, which }
    }

    fn wrong(&self, message: impl Into<String>) -> Fault {
        Fault::Wrong { subject: self.shown.clone(), message: message.into() }
    }

    fn top(&self) -> Result<Descriptor, Fault> {
        let file = self.path.join("index.json");
        let bytes = small(&file, oci::LONGEST_MANIFEST)?;
        let index = oci::layout_index(&bytes).map_err(|error| self.wrong(format!("index.json: {error}")))?;
        let fits = |entry: &&IndexEntry| match &self.which {
            Which::Only => true,
            Which::Tag(tag) => entry.ref_name.as_ref() == Some(tag),
            Which::Digest(digest) => entry.descriptor.digest == *digest,
        };
        let mut fitting = index.entries.iter().filter(fits);
        match (fitting.next(), fitting.next()) {
            (Some(one), None) => Ok(one.descriptor.clone()),
            // Under two tags it is still the same image.
            (Some(one), Some(_)) if matches!(self.which, Which::Digest(_)) => Ok(one.descriptor.clone()),
            (Some(_), Some(_)) if self.which != Which::Only => Err(self.wrong("it has two images of that tag")),
            (found, _) => {
                let tags: Vec<_> = index.entries.iter().filter_map(|entry| entry.ref_name.as_deref()).collect();
                let has = if tags.is_empty() { "none with a tag".to_owned() } else { tags.join(", ") };
                let lacks = match (&self.which, found) {
                    (Which::Tag(tag), _) => format!("it has no image `{tag}`"),
                    (Which::Digest(digest), _) => format!("it has no image {digest}"),
                    (Which::Only, Some(_)) => format!("it has several images: say which, as in `{}:TAG`", self.shown),
                    (Which::Only, None) => return Err(self.wrong("it has no image")),
                };
                Err(self.wrong(format!("{lacks}; it has {has}")))
            }
        }
    }

    fn bytes(&self, at: &Descriptor, limit: u64) -> Result<Vec<u8>, Fault> {
        let path = self.blob(&at.digest);
        let bytes = small(&path, limit)?;
        match Digest::of(&bytes) {
            got if got == at.digest => Ok(bytes),
            got => Err(Fault::Wrong {
                subject: path.display().to_string(),
                message: Mismatch::Digest { expected: at.digest, got }.to_string(),
            }),
        }
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs/sha256").join(digest.hex())
    }
}

impl Documents for Layout {
    fn subject(&self) -> String {
        self.shown.clone()
    }

    fn document(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        self.bytes(at, oci::LONGEST_MANIFEST)
    }

    fn config(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        self.bytes(at, oci::LONGEST_CONFIG)
    }

    fn wrong(&self, at: &Descriptor, error: OciError) -> Fault {
        self.wrong(format!("{}: {error}", at.digest))
    }
}

impl Holder for Layout {
    fn find(&self, only: Option<&Platform>) -> Result<Found, Fault> {
        documents::find(self, &self.top()?, only)
    }

    fn layer(&self, at: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Fault> {
        let file = open(&self.blob(&at.digest))?;
        Ok(Box::new(Verifying::new(file, at.digest, Some(at.size))))
    }
}

/// Opens a regular file. Looked at before it is opened: to open a pipe would wait for its writer.
pub(super) fn open(path: &Path) -> Result<File, Fault> {
    let failed = |source| Fault::Io { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")));
    }
    File::open(path).map_err(failed)
}

fn small(path: &Path, limit: u64) -> Result<Vec<u8>, Fault> {
    let failed = |source| Fault::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    open(path)?.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        let message = format!("it has more than {limit} bytes");
        return Err(Fault::Wrong { subject: path.display().to_string(), message });
    }
    Ok(bytes)
}
