//! How much may come out of a layer: bombs end before they have grown.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::ScanError;
use super::refusal::Refusal;
use crate::unpack;

/// How much may come out of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    total: u64,
    ratio: u64,
    ratio_from: u64,
}

impl Bounds {
    /// Of what was made or read here before: a disk full of zeros may be among a recipe's own files.
    pub const OWN: Self = Self { total: 256 << 30, ratio: u64::MAX, ratio_from: u64::MAX };

    /// Of what comes from outside: in all more than of an archive, whose files are held on a disk, in proportion as much.
    pub const FOREIGN: Self = Self { ratio: unpack::RATIO, ratio_from: unpack::RATIO_FROM, ..Self::OWN };

    /// Stops where more has come out than may come out of so many packed bytes.
    pub(super) fn check(&self, packed: u64, unpacked: u64) -> io::Result<()> {
        let Self { total, ratio, ratio_from } = self;
        let message = if unpacked > *total {
            format!("it unpacks to more than {total} bytes, which is the limit")
        } else if unpacked > *ratio_from && unpacked / ratio > packed {
            format!("it unpacks to more than {ratio} times its own size, as bombs do")
        } else {
            return Ok(());
        };
        Err(io::Error::other(Swollen(message)))
    }
}

/// More came out than may.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Swollen(String);

/// What is wrong with a layer that cannot be read further than an entry: one that swells is refused by its name.
pub(super) fn at_entry(error: ScanError, name: Option<&[u8]>) -> ScanError {
    let ScanError::Read(error) = error else { return error };
    match (error.downcast::<Swollen>(), name) {
        (Ok(Swollen(message)), Some(name)) => Refusal::of(name, &format!("with this, {message}")).into(),
        (Ok(Swollen(message)), None) => Refusal::new(message).into(),
        (Err(error), _) => ScanError::Read(error),
    }
}

/// How many packed bytes have been read.
#[derive(Clone, Debug, Default)]
pub struct PackedBytes(Arc<AtomicU64>);

impl PackedBytes {
    pub(super) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts packed bytes as they are read.
pub struct Counted<R> {
    inner: R,
    packed: PackedBytes,
}

impl<R> Counted<R> {
    /// Counts into `packed`.
    pub fn new(inner: R, packed: &PackedBytes) -> Self {
        Self { inner, packed: packed.clone() }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.packed.0.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Spool;
    use crate::digest::Digest;
    use crate::image::scan::fixture::{Tarball, gzip, xz, zstd};
    use crate::image::scan::{NOTHING, Packing, Scan, scan};

    const SMALL: Bounds = Bounds { total: 1 << 20, ratio: 10, ratio_from: 100_000 };

    fn refusal(bytes: &[u8], bounds: Bounds) -> Option<String> {
        let what = Scan { diff_id: None, wanted: NOTHING, packing: None, whole: false, bounds, packed: None };
        scan(&what, bytes, Spool::new(tempfile::tempfile().unwrap())).err().map(|error| error.to_string())
    }

    #[test]
    fn a_layer_that_swells_is_refused_by_the_entry() {
        let zeros = Tarball::new().file("small", "x").file("zeros", vec![0; 300_000]).end();
        let noise = (0..10_000_u32).flat_map(|i| *Digest::of(&i.to_le_bytes()).as_bytes()).collect::<Vec<_>>();
        let noise = Tarball::new().file("noise", noise).end();
        let why = "entry `zeros`: with this, it unpacks to more than 10 times its own size, as bombs do";
        for pack in [gzip, zstd, xz] {
            assert_eq!(refusal(&pack(&zeros), SMALL).as_deref(), Some(why));
            assert_eq!(refusal(&pack(&noise), SMALL), None);
            assert_eq!(refusal(&pack(&zeros), Bounds { ratio_from: 400_000, ..SMALL }), None);
            assert_eq!(refusal(&pack(&zeros), Bounds::FOREIGN), None);
        }
        assert_eq!(refusal(&zeros, SMALL), None, "what is not packed is no bomb");
        let total = Bounds { total: 200_000, ..SMALL };
        let why = "entry `zeros`: with this, it unpacks to more than 200000 bytes, which is the limit";
        assert_eq!(refusal(&zeros, total).as_deref(), Some(why));
        let tail = gzip(&[vec![0; 1024], vec![0; 300_000]].concat());
        let why = "it unpacks to more than 10 times its own size, as bombs do";
        assert_eq!(refusal(&tail, SMALL).as_deref(), Some(why));
    }

    #[test]
    fn what_was_unpacked_before_counts_as_it_was_packed() {
        let (plain, packed) = (Tarball::new().file("zeros", vec![0; 300_000]).end(), PackedBytes::default());
        let what = Scan {
            diff_id: None,
            wanted: NOTHING,
            packing: Some(Packing::Plain),
            whole: false,
            bounds: SMALL,
            packed: Some(&packed),
        };
        io::copy(&mut Counted::new(io::repeat(0).take(300), &packed), &mut io::sink()).unwrap();
        let error = scan(&what, &plain[..], Spool::new(tempfile::tempfile().unwrap())).unwrap_err();
        assert!(error.to_string().starts_with("entry `zeros`: with this, it unpacks to more than 10 times"), "{error}");
    }
}
