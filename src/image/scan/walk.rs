//! Through a layer, entry by entry, to its end.

use std::io::{self, BufReader, Read};

use super::entries::Entries;
use super::error::ScanError;
use super::head::Head;
use super::inflate::{Inflated, Packing};
use super::refusal::Refusal;
use super::stream::Stream;
use crate::digest::Digest;

/// What is shown of each entry: its head, and a reader of its bytes.
pub(in crate::image) type Show<'s> = &'s mut dyn FnMut(Head, &mut dyn Read) -> Result<(), ScanError>;

/// Shows every entry of a layer, holds the tar stream against what was promised, and tells its digest and length.
pub(in crate::image) fn walk(
    compressed: impl Read,
    packing: Option<Packing>,
    diff_id: Option<Digest>,
    show: Show<'_>,
) -> Result<(Digest, u64), ScanError> {
    let compressed = BufReader::with_capacity(128 << 10, compressed);
    let Some(inflated) = Inflated::packed(compressed, packing).map_err(ScanError::Read)? else {
        return Err(Refusal::new("it is compressed with bzip2, which is not read: use gzip, zstd or xz").into());
    };
    let mut entries = Entries::new(Stream::new(inflated));
    let read = (|| {
        while let Some(head) = entries.next()? {
            show(head, &mut entries)?;
        }
        Ok(())
    })();
    let ((got, unpacked), inflated) = match read {
        Ok(()) => entries.into_stream().finish(),
        // What does not unpack may be what does not have its digest: then that is what is wrong.
        Err(error) => return Err(drain(entries.into_stream().finish().1.into_inner()).err().unwrap_or(error)),
    };
    drain(inflated.into_inner())?;
    match diff_id {
        Some(expected) if expected != got => Err(ScanError::DiffId { expected, got }),
        _ => Ok((got, unpacked)),
    }
}

/// Reads compressed bytes to their end, where it shows whether they are right.
fn drain(mut compressed: impl Read) -> Result<(), ScanError> {
    io::copy(&mut compressed, &mut io::sink()).map(drop).map_err(ScanError::Read)
}
