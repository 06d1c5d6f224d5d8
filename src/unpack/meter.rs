//! How much of an archive has been read, and how much came out of it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::{MAKE_ANEW, refused, stopped};
use super::limits::Limits;

/// Is told of bytes of the archive as they are read, from any thread, and stops everything by an error.
pub type Advance<'a> = &'a (dyn Fn(u64) -> io::Result<()> + Sync);

/// Counts the archive's own bytes, and tells of them.
pub(super) struct Meter<'a> {
    packed: AtomicU64,
    advance: Advance<'a>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(advance: Advance<'a>) -> Self {
        Self { packed: AtomicU64::new(0), advance }
    }

    /// Counts bytes of the archive that were read.
    pub(super) fn add(&self, bytes: u64) -> io::Result<()> {
        self.packed.fetch_add(bytes, Ordering::Relaxed);
        (self.advance)(bytes).map_err(stopped)
    }

    /// How many it were so far.
    pub(super) fn packed(&self) -> u64 {
        self.packed.load(Ordering::Relaxed)
    }
}

/// The bytes of the archive, counted.
pub(super) struct Packed<'m, R> {
    pub(super) inner: R,
    pub(super) meter: &'m Meter<'m>,
}

impl<R: Read> Read for Packed<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.meter.add(n as u64)?;
        Ok(n)
    }
}

/// What a decompressor makes of them: it ends before a bomb has grown.
pub(super) struct Swelling<'m, R> {
    inner: R,
    meter: &'m Meter<'m>,
    limits: Limits,
    bytes: u64,
}

impl<'m, R> Swelling<'m, R> {
    pub(super) fn new(inner: R, meter: &'m Meter<'m>, limits: Limits) -> Self {
        Self { inner, meter, limits, bytes: 0 }
    }
}

impl<R: Read> Read for Swelling<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.bytes += n as u64;
        if self.bytes > self.limits.total {
            return Err(too_much(self.limits.total));
        }
        if self.limits.is_bomb(self.meter.packed(), self.bytes) {
            return Err(bomb(self.limits.ratio));
        }
        Ok(n)
    }
}

pub(super) fn too_much(total: u64) -> io::Error {
    refused(format!("with this, it unpacks to more than {total} bytes, which is the limit"), MAKE_ANEW)
}

pub(super) fn bomb(ratio: u64) -> io::Error {
    refused(format!("with this, it unpacks to more than {ratio} times its own size, as bombs do"), MAKE_ANEW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swell(packed: u64, unpacked: u64, limits: Limits) -> io::Result<u64> {
        let told = AtomicU64::new(0);
        let advance = |n| {
            told.fetch_add(n, Ordering::Relaxed);
            Ok(())
        };
        let meter = Meter::new(&advance);
        let mut inner = Packed { inner: io::repeat(0).take(packed), meter: &meter };
        io::copy(&mut inner, &mut io::sink())?;
        assert_eq!((meter.packed(), told.load(Ordering::Relaxed)), (packed, packed));
        io::copy(&mut Swelling::new(io::repeat(0).take(unpacked), &meter, limits), &mut io::sink())
    }

    #[test]
    fn what_swells_too_much_is_cut_off() {
        let limits = Limits { total: 1 << 20, ratio: 10, ratio_from: 1000, ..Limits::default() };
        assert_eq!(swell(1, 1000, limits).unwrap(), 1000);
        assert!(swell(1, 1001, limits).unwrap_err().to_string().contains("more than 10 times"));
        assert_eq!(swell(1000, 10_009, limits).unwrap(), 10_009);
        assert!(swell(1000, 10_010, limits).is_err());
        assert_eq!(swell(1 << 20, 1 << 20, limits).unwrap(), 1 << 20);
        assert!(swell(1 << 20, (1 << 20) + 1, limits).unwrap_err().to_string().contains("1048576 bytes"));
    }

    #[test]
    fn who_listens_can_stop_it() {
        let meter = Meter::new(&|_| Err(io::ErrorKind::Interrupted.into()));
        let error = Packed { inner: &b"x"[..], meter: &meter }.read(&mut [0]).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::Interrupted, "or readers would try again, for ever");
    }
}
