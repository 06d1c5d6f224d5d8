//! Why an image did not get to its target.

use std::path::PathBuf;

use crate::bake::output::OutputError;
use crate::bake::port::PortError;
use crate::digest::Digest;
use crate::image::oci::OciError;
use crate::name::NameError;
use crate::store::StoreError;

/// Why an image did not get to its target.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The tag is another image's.
    #[error("{at} is there and is another image: there it is {theirs}, here {ours}; a tag is never moved")]
    Taken {
        /// Repository and tag.
        at: String,
        /// The digest of what was to be pushed.
        ours: Digest,
        /// The digest of what is there.
        theirs: Digest,
    },
    /// The tag was pushed, and is not there, or names something else: the registry, or somebody else, has moved it.
    #[error("{at} was pushed as {ours}, and the registry answers {}", .theirs.map_or_else(|| "that there is nothing".to_owned(), |theirs| theirs.to_string()))]
    Unproven {
        /// Repository and tag.
        at: String,
        /// The digest of what was pushed.
        ours: Digest,
        /// The digest of what is there.
        theirs: Option<Digest>,
    },
    /// A part of the image is neither in the store nor anywhere else.
    #[error("{digest} of the image is not in the store")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// A document of the image to be copied cannot be read.
    #[error("{subject}: {source}")]
    Document {
        /// Which.
        subject: String,
        /// What is wrong with it.
        source: OciError,
    },
    /// A part of an image to be copied is not in its layout, or is damaged.
    #[error("{}: {message}", path.display())]
    Layout {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// An index of indexes.
    #[error("{subject} is an index of indexes, which elkbake does not make")]
    Nested {
        /// Which.
        subject: String,
    },
    /// The repository would have no name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A registry could not be reached, or refused.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A folder could not be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}
