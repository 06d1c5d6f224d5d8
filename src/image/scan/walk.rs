//! Through a layer, entry by entry, to its end.

use std::io::{self, BufReader, Read};

use super::bounds::{Bounds, Counted, PackedBytes, at_entry};
use super::entries::Entries;
use super::error::ScanError;
use super::head::Head;
use super::inflate::{Inflated, Packing};
use super::refusal::Refusal;
use super::stream::Stream;
use crate::digest::Digest;

/// What is shown of each entry: its head, and a reader of its bytes.
pub(in crate::image) type Show<'s> = &'s mut dyn FnMut(Head, &mut dyn Read) -> Result<(), ScanError>;

/// What a tar stream is held against.
pub(in crate::image) struct Promise<'p> {
    /// How it is compressed, where that is not to be seen from its first bytes.
    pub(in crate::image) packing: Option<Packing>,
    /// What it is, where somebody promised that.
    pub(in crate::image) diff_id: Option<Digest>,
    /// How much it may be.
    pub(in crate::image) bounds: Bounds,
    /// What it was packed in, where it was unpacked before.
    pub(in crate::image) packed: Option<&'p PackedBytes>,
}

/// Shows every entry of a layer, holds the tar stream against what was promised, and tells its digest and length.
pub(in crate::image) fn walk(
    compressed: impl Read,
    what: &Promise<'_>,
    show: Show<'_>,
) -> Result<(Digest, u64), ScanError> {
    let counted = PackedBytes::default();
    let compressed = BufReader::with_capacity(128 << 10, Counted::new(compressed, &counted));
    let Some(inflated) = Inflated::packed(compressed, what.packing).map_err(ScanError::Read)? else {
        return Err(Refusal::new("it is compressed with bzip2, which is not read: use gzip, zstd or xz").into());
    };
    let mut entries = Entries::new(Stream::new(inflated, what.bounds, what.packed.unwrap_or(&counted).clone()));
    let mut at = None;
    let read = (|| {
        while let Some(head) = entries.next()? {
            let name: &mut Vec<u8> = at.get_or_insert_default();
            name.clone_from(&head.name);
            show(head, &mut entries)?;
        }
        Ok(())
    })();
    let ((got, unpacked), inflated) = match read {
        Ok(()) => entries.into_stream().finish(),
        // What does not unpack may be what does not have its digest: then that is what is wrong.
        Err(error) => {
            let error = at_entry(error, at.as_deref());
            return Err(drain(entries.into_stream().finish().1.into_inner()).err().unwrap_or(error));
        }
    };
    drain(inflated.into_inner())?;
    match what.diff_id {
        Some(expected) if expected != got => Err(ScanError::DiffId { expected, got }),
        _ => Ok((got, unpacked)),
    }
}

/// Reads compressed bytes to their end, where it shows whether they are right.
fn drain(mut compressed: impl Read) -> Result<(), ScanError> {
    io::copy(&mut compressed, &mut io::sink()).map(drop).map_err(ScanError::Read)
}
