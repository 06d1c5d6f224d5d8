//! Reading a layer: its bytes once through, with nothing kept of them but what is wanted.
//!
//! Layers of bases come from registries and files that nobody vouches for. The compressed bytes are held against their
//! digest by whoever hands them in, the tar stream inside is held against what the image's configuration promises, and
//! names that would lead out of an image, and what swells without bounds, are refused with the entry's name. What ordinary programs write is taken: GNU
//! and PAX names, hard links, devices, extended attributes, names that are no text.

mod bounds;
mod collect;
mod compare;
mod entries;
mod error;
mod head;
mod inflate;
mod place;
mod refusal;
mod stream;
mod walk;

use std::io::Read;

use crate::contents::{Contents, Spool};
use crate::digest::Digest;
use crate::image::listing::Listing;

use collect::Collector;

pub use bounds::{Bounds, Counted, PackedBytes};
pub use collect::Wanted;
pub use compare::{TarDifference, first_difference};
pub use error::ScanError;
pub(super) use head::Head;
pub use inflate::{Inflated, Packing};
pub(super) use place::{Place, link_target, place};
pub(super) use walk::{Promise, walk};

/// Wants nothing.
pub const NOTHING: Wanted<'static> = &|_, _| false;

/// What a layer is held against.
#[derive(Clone, Copy)]
pub struct Scan<'a> {
    /// The tar stream that the image's configuration promises; `None` where nobody promised one.
    pub diff_id: Option<Digest>,
    /// Which files' bytes are kept.
    pub wanted: Wanted<'a>,
    /// How it is compressed, where that is not to be seen from its first bytes.
    pub packing: Option<Packing>,
    /// Whether this is a file system by itself, in which nothing lies in a folder that is not there.
    pub whole: bool,
    /// How much may come out of it.
    pub bounds: Bounds,
    /// How much was read of what it was packed in, where it comes unpacked.
    pub packed: Option<&'a PackedBytes>,
}

/// A layer that was read to its end.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// What it does.
    pub listing: Listing,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// How long that is.
    pub unpacked: u64,
    /// Entries whose names no path can hold: they are in the layer, and in no listing.
    pub unnamed: u64,
    /// The bytes of the files that are wanted.
    pub contents: Contents,
}

/// Reads a layer to its end, plain or compressed with gzip, zstd or xz. `compressed` has to fail where its bytes are
/// not the promised ones, as [`crate::digest::Verifying`] does. What is wanted goes to `spool`.
///
/// # Errors
/// Whatever is wrong with it; what went to the spool until then is nobody's.
pub fn scan(what: &Scan<'_>, compressed: impl Read, spool: Spool) -> Result<Scanned, ScanError> {
    let mut collector = Collector::new(what.wanted, what.whole, spool);
    let Scan { packing, diff_id, bounds, packed, .. } = *what;
    let promise = Promise { packing, diff_id, bounds, packed };
    let (diff_id, unpacked) = walk(compressed, &promise, &mut |head, mut bytes| collector.add(&head, &mut bytes))?;
    let (listing, unnamed, contents) = collector.finish()?;
    Ok(Scanned { listing, diff_id, unpacked, unnamed, contents })
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
