//! A plan, with all that is said about it.

use std::path::PathBuf;

use crate::cli::world::AtHand;
use crate::lock::Moved;
use crate::plan::{Change, Plan};

/// A plan with all that is said about it.
pub(super) struct Planned {
    /// The plan itself.
    pub(super) plan: Plan,
    /// What the store holds already.
    pub(super) at_hand: AtHand,
    /// What changed, where that was asked for.
    pub(super) why: Option<Why>,
}

/// What a plan was compared with, and what differs.
#[derive(serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Why {
    /// There is nothing to compare with.
    NoRecord,
    /// The key that was recorded, and the inputs that differ.
    SinceRecord {
        /// The recorded key.
        key: String,
        /// What differs.
        changes: Vec<Change>,
    },
    /// The pins that differ from another lock.
    SinceLock {
        /// The other lock.
        lock: PathBuf,
        /// What differs.
        moved: Vec<Moved>,
    },
}
