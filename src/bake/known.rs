//! What is known of layers that were read: kept in the store, so that each is read once.

use crate::digest::Digest;
use crate::image::listing::Listing;
use crate::image::scan::Scanned;
use crate::store::{Store, StoreError};

/// The number of the rules by which a layer becomes a listing: other rules read all layers again.
const FORMAT: u32 = 2;

/// Longer listings than those of the largest layer that is read.
const LONGEST_LISTING: u64 = 1 << 30;

/// What is kept in the store of a layer that was read.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Known {
    pub(super) diff_id: Digest,
    /// The text of its listing.
    pub(super) listing: Digest,
}

impl Known {
    fn key(layer: Digest, whole: bool) -> Digest {
        let kind = if whole { "file system" } else { "layer" };
        Digest::of(format!("elkbake scan {FORMAT} of {kind} {layer}").as_bytes())
    }

    /// What was kept of a layer; of one that was read as a file system by itself where that is asked for.
    pub(super) fn of(layer: Digest, whole: bool, store: &Store) -> Result<Option<Self>, StoreError> {
        store.result(&Self::key(layer, whole))
    }

    /// Keeps what was read of a layer.
    pub(super) fn keep(layer: Digest, whole: bool, scanned: &Scanned, store: &Store) -> Result<Self, StoreError> {
        let (listing, _) = store.put(&mut scanned.listing.to_text().as_bytes(), None)?;
        let known = Self { diff_id: scanned.diff_id, listing };
        store.keep_lightly(&Self::key(layer, whole), &known, &[listing])?;
        Ok(known)
    }
}

/// A listing by the digest of its text; `None` where the store has it no more, or another elkbake wrote it.
pub(super) fn listing(text: &Digest, store: &Store) -> Result<Option<Listing>, StoreError> {
    let text = store.bytes(text, LONGEST_LISTING)?;
    Ok(text.and_then(|text| Listing::parse(std::str::from_utf8(&text).ok()?).ok()))
}
