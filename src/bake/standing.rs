//! Whether what is recorded still stands: under its tag, with all its parts.

use std::fmt;
use std::io;
use std::path::Path;

use super::event::Listener;
use super::found::{Holder as _, Layout, Which};
use super::output;
use super::port::{PortError, Publish, Registry};
use super::push::{Cargo, PushError};
use crate::digest::{Digest, Verifying};
use crate::name::{Reference, Tag};

/// What is wrong with a published image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Nothing has its tag.
    NoTag,
    /// Something else has its tag.
    OtherTag(Digest),
    /// A document cannot be had, or is not what it should be.
    Document(String),
    /// Blobs are not there, or are damaged.
    Blobs(Vec<Digest>),
    /// Its tag could be moved, and should not be.
    Mutable,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTag => f.write_str("nothing has the tag"),
            Self::OtherTag(digest) => write!(f, "the tag is {digest} now"),
            Self::Document(message) => f.write_str(message),
            Self::Blobs(blobs) => {
                let (first, more) = (blobs.first().map(ToString::to_string).unwrap_or_default(), blobs.len());
                match more {
                    0 | 1 => write!(f, "the blob {first} is not there"),
                    more => write!(f, "{first} and {} more blobs are not there", more - 1),
                }
            }
            Self::Mutable => f.write_str("its repository lets tags be moved"),
        }
    }
}

/// Looks whether a registry has an image as it was recorded.
///
/// # Errors
/// When the registry does not answer, or does not let us: then nobody knows.
pub fn in_registry(
    at: &Reference,
    tag: &Tag,
    digest: Digest,
    (registry, publish): (&dyn Registry, &dyn Publish),
    tell: Listener<'_>,
) -> Result<Vec<Flaw>, PortError> {
    let tagged = Reference { tag: Some(tag.clone()), digest: None, ..at.clone() };
    let mut flaws = Vec::new();
    match publish.held(&tagged, tell)? {
        None => flaws.push(Flaw::NoTag),
        Some(held) if held != digest => flaws.push(Flaw::OtherTag(held)),
        Some(_) => {}
    }
    match Cargo::of_registry(at, digest, tag, registry, tell) {
        Ok(cargo) => {
            let blobs: Vec<_> = cargo.blobs().iter().map(|at| at.digest).collect();
            let missing = publish.missing(at, &blobs, tell)?;
            if !missing.is_empty() {
                flaws.push(Flaw::Blobs(missing.into_iter().collect()));
            }
        }
        Err(PushError::Port(error @ (PortError::NotFound { .. } | PortError::Wrong { .. }))) => {
            flaws.push(Flaw::Document(error.to_string()));
        }
        Err(PushError::Port(error)) => return Err(error),
        Err(error) => flaws.push(Flaw::Document(error.to_string())),
    }
    Ok(flaws)
}

/// Looks whether an OCI layout has an image as it was recorded, all its bytes included.
#[must_use]
pub fn in_folder(layout: &Path, tag: &Tag, digest: Digest) -> Vec<Flaw> {
    match output::tagged(layout, tag) {
        Err(error) => return vec![Flaw::Document(error.to_string())],
        Ok(None) => return vec![Flaw::NoTag],
        Ok(Some(held)) if held != digest => return vec![Flaw::OtherTag(held)],
        Ok(Some(_)) => {}
    }
    let name = format!("oci:{}:{tag}", layout.display());
    let found = match Layout::new(layout.to_owned(), name, Which::Tag(tag.to_string())).find(None) {
        Ok(found) => found,
        Err(fault) => return vec![Flaw::Document(fault.to_string())],
    };
    let parts = found.images.iter().flat_map(|image| image.layers.iter().map(|layer| layer.descriptor.digest));
    let damaged: Vec<_> = parts.filter(|digest| !is_sound(layout, digest)).collect();
    if damaged.is_empty() { Vec::new() } else { vec![Flaw::Blobs(damaged)] }
}

fn is_sound(layout: &Path, digest: &Digest) -> bool {
    let Ok(file) = std::fs::File::open(layout.join(output::blob_name(digest))) else { return false };
    io::copy(&mut Verifying::new(file, *digest, None), &mut io::sink()).is_ok()
}
