//! Numbers as zips have them, and the extra fields of a header.

use std::io;

use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, refused, shown};

/// Takes numbers off the front of some bytes.
pub(super) struct Fields<'b>(pub(super) &'b [u8]);

impl<'b> Fields<'b> {
    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> io::Result<&'b [u8]> {
        let (front, rest) = self.0.split_at_checked(count).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = rest;
        Ok(front)
    }

    fn number<const BYTES: usize>(&mut self) -> io::Result<u64> {
        Ok(self.bytes(BYTES)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A number of two bytes.
    pub(super) fn u16(&mut self) -> io::Result<u16> {
        Ok((self.number::<2>()? & 0xffff) as u16)
    }

    /// A number of four bytes.
    pub(super) fn u32(&mut self) -> io::Result<u32> {
        Ok((self.number::<4>()? & 0xffff_ffff) as u32)
    }

    /// A number of eight bytes.
    pub(super) fn u64(&mut self) -> io::Result<u64> {
        self.number::<8>()
    }
}

/// The field for numbers that do not fit.
const ZIP_64: u16 = 1;

/// A name in UTF-8, beside the one that was written before zips had UTF-8.
const UNICODE_NAME: u16 = 0x7075;

/// What counts of the extra fields of an entry called `name`: the one with large numbers, if there is one.
pub(super) fn large_numbers<'b>(extra: &'b [u8], name: &[u8]) -> io::Result<Option<&'b [u8]>> {
    let broken = || refused("has an extra field that cannot be read", GET_AGAIN);
    let mut fields = Fields(extra);
    let mut large = None;
    while fields.0.len() >= 4 {
        let (kind, size) = (fields.u16()?, fields.u16()?);
        let bytes = fields.bytes(size.into()).map_err(|_| broken())?;
        match kind {
            ZIP_64 if large.replace(bytes).is_some() => {
                return Err(refused("has two fields for its size, and readers take one or the other", MAKE_ANEW));
            }
            UNICODE_NAME => {
                // A version, a checksum of the other name, and the name.
                let other = bytes.get(5..).ok_or_else(broken)?;
                if other != name {
                    let message = format!("has a second name, {}, and readers take one or the other", shown(other));
                    return Err(refused(message, MAKE_ANEW));
                }
            }
            _ => {}
        }
    }
    // Some programs fill up with zeros, to put the entry's bytes where they want them.
    if fields.0.iter().all(|byte| *byte == 0) { Ok(large) } else { Err(broken()) }
}
