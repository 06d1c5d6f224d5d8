//! Why an image could not be written.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::name::Platform;
use crate::store::StoreError;

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// A blob of the image is not in the store.
    #[error("{digest} of the image is not in the store")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// A blob has other bytes than it should, and was dropped.
    #[error("{digest} in the store was damaged: {message}; it was dropped, build the image again")]
    Damaged {
        /// Which.
        digest: Digest,
        /// What is wrong with it.
        message: String,
    },
    /// A layer is what its digest says, and still cannot be read, or not to what the image says is in it.
    #[error("the layer {digest} cannot be unpacked: {source}")]
    Layer {
        /// Which.
        digest: Digest,
        /// What is wrong.
        source: io::Error,
    },
    /// What is at the place is not what could be added to or replaced.
    #[error("{}: {message}", path.display())]
    Taken {
        /// The place.
        path: PathBuf,
        /// What is there.
        message: String,
    },
    /// A tag that does not move is another image's.
    #[error("{at} is there and is another image: there it is {theirs}, here {ours}")]
    Tagged {
        /// Folder and tag.
        at: String,
        /// What was to get the tag.
        ours: Digest,
        /// What has it.
        theirs: Digest,
    },
    /// The place cannot be written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `cannot write`.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The image is not made for a platform, or for several and the place takes one.
    #[error("{}", platform_message(.wanted.as_ref(), .there))]
    Platform {
        /// The platform that was asked for, where one was.
        wanted: Option<Platform>,
        /// The platforms that there are.
        there: Vec<Platform>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl OutputError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    pub(super) fn taken(path: &Path, message: impl Into<String>) -> Self {
        Self::Taken { path: path.to_owned(), message: message.into() }
    }
}

fn platform_message(wanted: Option<&Platform>, there: &[Platform]) -> String {
    let there: Vec<_> = there.iter().map(ToString::to_string).collect();
    let there = there.join(", ");
    match wanted {
        Some(wanted) => format!("the image is not made for {wanted}; it is for {there}"),
        None => format!("the image is for {there}, and one platform is taken here: say which with --platform"),
    }
}
