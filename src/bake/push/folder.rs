//! An image into a folder of layouts.

use std::path::{Path, PathBuf};

use super::cargo::Cargo;
use super::fault::PushError;
use super::ship::{Look, Shipped};
use crate::bake::output::{self, Desk, OutputError};
use crate::image::oci::Descriptor;
use crate::name::Repository;
use crate::store::Store;

/// Where a repository is in a target's folder.
#[must_use]
pub fn layout_of(folder: &Path, repository: &Repository) -> PathBuf {
    folder.join(repository.as_str())
}

/// Looks whether a layout has an image under its tag. What it lacks else is found out when it is written.
///
/// # Errors
/// When its tag is another image's, or the layout cannot be read.
pub fn look_in_folder(cargo: &Cargo, layout: &Path) -> Result<Look, PushError> {
    match (output::tagged(layout, cargo.tag())?, cargo.digest()) {
        (Some(theirs), Some(ours)) if theirs == ours => Ok(Look::There),
        (Some(theirs), Some(ours)) => {
            Err(PushError::Taken { at: format!("oci:{}:{}", layout.display(), cargo.tag()), ours, theirs })
        }
        _ => Ok(Look::Lacks(cargo.blobs().to_vec())),
    }
}

/// Brings an image into a layout. All its blobs are in the store.
///
/// # Errors
/// When a blob is missing, the tag is another image's, or the layout cannot be written.
pub fn into_folder(look: &Look, cargo: &Cargo, layout: &Path, desk: Desk<'_>) -> Result<Shipped, PushError> {
    let Look::Lacks(blobs) = look else { return Ok(Shipped { was_there: true, ..Shipped::default() }) };
    let documents = documents(cargo, desk.store)?;
    let parts: Vec<&Descriptor> = blobs.iter().chain(&documents).collect();
    match output::publish(&parts, cargo.tag(), layout, desk) {
        Err(OutputError::Tagged { at, ours, theirs }) => Err(PushError::Taken { at, ours, theirs }),
        Err(OutputError::Missing { digest }) => Err(PushError::Missing { digest }),
        written => {
            let written = written?;
            let sent: Vec<_> =
                blobs.iter().zip(written).filter(|(_, written)| *written).map(|(at, _)| at.size).collect();
            let present = blobs.len() - sent.len();
            Ok(Shipped { sent: sent.len(), bytes: sent.iter().sum(), present, ..Shipped::default() })
        }
    }
}

/// The documents as blobs of the store: those of a registry are not there yet.
fn documents(cargo: &Cargo, store: &Store) -> Result<Vec<Descriptor>, PushError> {
    let put = |raw: &crate::bake::port::RawManifest| {
        let (digest, size) = store.put(&mut &raw.bytes[..], Some(raw.digest))?;
        Ok(Descriptor { digest, size, media_type: raw.media_type.clone() })
    };
    cargo.manifests().iter().map(put).collect()
}
