//! Why the store could not do what it should, with what a person can do about it.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Mismatch};

/// Why the store could not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No store can be in this folder.
    #[error("cannot use {} for the store: {source}; name another folder with `--store DIR` or ELKBAKE_STORE", path.display())]
    Root {
        /// The folder, or what stands in its place.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store is there, but may not be changed.
    #[error("{action} {}: {source}; this store can only be read: name another one with `--store DIR` or ELKBAKE_STORE", path.display())]
    ReadOnly {
        /// What was tried: `cannot write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// No room is left, on the disk or in a quota.
    #[error("{action} {}: {source}; free space with `elkbake store gc`, or name a store on another disk with `--store DIR` or ELKBAKE_STORE", path.display())]
    Full {
        /// What was tried: `cannot write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others are using the store, so nothing may be taken away from it.
    #[error("the store {} is in use by another elkbake; try again when that has finished", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The disk or its permissions.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried: `cannot read`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A blob is longer than anything that makes sense where it is wanted.
    #[error("{digest} has {size} bytes; where it is used, more than {limit} cannot be right")]
    Limit {
        /// The blob.
        digest: Digest,
        /// How long it is.
        size: u64,
        /// How long it may be.
        limit: u64,
    },
    /// What was to be stored could not be read.
    #[error("cannot read what is to be stored: {0}")]
    Source(#[source] io::Error),
    /// A result has no JSON form.
    #[error("the result for key {key} cannot be kept: {source}")]
    Result {
        /// Under which key it was to be kept.
        key: Digest,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Bytes given to the store are not what they were said to be.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl StoreError {
    /// What a failure to read a file means.
    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action: "cannot read", path: path.to_owned(), source }
    }

    /// What a failure to change a file or folder means.
    pub(super) fn changing(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let path = path.to_owned();
            match source.kind() {
                // A quota and the largest file that a process may write are full disks to whoever meets them.
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Self::Full { action, path, source }
                }
                _ if only_reading(&source) => Self::ReadOnly { action, path, source },
                _ => Self::Io { action, path, source },
            }
        }
    }
}

/// Whether something failed because it would have been a change.
pub(super) fn only_reading(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_quota_say_how_to_free_space() {
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT, rustix::io::Errno::FBIG] {
            let error = StoreError::changing("cannot write", Path::new("/s/v1/tmp"))(errno.into());
            assert!(matches!(error, StoreError::Full { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("/s/v1/tmp") && text.contains("`elkbake store gc`"), "{text}");
        }
    }

    #[test]
    fn a_store_that_may_not_be_changed_says_how_to_name_another() {
        for errno in [rustix::io::Errno::ROFS, rustix::io::Errno::ACCESS, rustix::io::Errno::PERM] {
            let error = StoreError::changing("cannot write", Path::new("/s/v1/tmp"))(errno.into());
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("/s/v1/tmp") && text.contains("--store DIR"), "{text}");
            assert!(text.contains("ELKBAKE_STORE"), "{text}");
        }
    }
}
