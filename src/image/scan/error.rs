//! Why a layer is refused.

use std::io;

use super::refusal::Refusal;
use crate::digest::{Digest, Mismatch};

/// Why a layer is refused.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Its bytes cannot be read, are not those of its digest, or cannot be unpacked.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// What is kept of it cannot be written.
    #[error("what is kept of it cannot be written: {0}")]
    Keep(#[source] io::Error),
    /// It holds what no layer may hold, or is none.
    #[error("{0}")]
    Refused(String),
    /// It is another tar stream than its image's configuration says.
    #[error("its image's configuration says that it unpacks to {expected}, and it unpacks to {got}")]
    DiffId {
        /// What was promised.
        expected: Digest,
        /// What it is.
        got: Digest,
    },
}

impl From<Refusal> for ScanError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.into_message())
    }
}

impl ScanError {
    /// Whether the compressed bytes were not those that were promised, so that it may help to get them again.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        let Self::Read(error) = self else { return false };
        error.get_ref().is_some_and(|inner| inner.downcast_ref::<Mismatch>().is_some())
    }
}
