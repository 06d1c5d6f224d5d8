//! A tar header: a block of 512 bytes.

use std::io;

use crate::unpack::error::{GET_AGAIN, refused};

/// What tar counts in.
pub(super) const BLOCK: usize = 512;

/// Where the checksum is, which counts itself as blanks.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// A header whose checksum is right.
pub(super) struct Header<'b>(&'b [u8; BLOCK]);

impl<'b> Header<'b> {
    pub(super) fn new(block: &'b [u8; BLOCK]) -> io::Result<Self> {
        let blanks = CHECKSUM.len() as u64 * u64::from(b' ');
        let outside = block.iter().enumerate().filter(|(at, _)| !CHECKSUM.contains(at));
        let sum = blanks + outside.map(|(_, byte)| u64::from(*byte)).sum::<u64>();
        if number(&block[CHECKSUM]) == Some(sum) {
            Ok(Self(block))
        } else {
            let help = "see that it is a tar file, and that it was not changed on its way";
            Err(refused("is no tar file, or is damaged: a header has the wrong checksum", help))
        }
    }

    /// The name, with its first part where the format has one. In GNU's own format times are in that place.
    pub(super) fn name(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { &[] };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    /// What a link leads to.
    pub(super) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    /// How many bytes follow.
    pub(super) fn size(&self) -> io::Result<u64> {
        number(&self.0[124..136]).ok_or_else(|| refused("has a size that is no number", GET_AGAIN))
    }

    /// The permissions. Some programs put the kind of the file into the bits above.
    pub(super) fn mode(&self) -> io::Result<u16> {
        let mode = number(&self.0[100..108]).ok_or_else(|| refused("has a mode that is no number", GET_AGAIN))?;
        Ok((mode & 0o7777) as u16)
    }

    /// The letter that says what it is.
    pub(super) fn kind(&self) -> u8 {
        self.0[156]
    }
}

/// Up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits between blanks and NULs; or, where the first bit is set, the number itself.
fn number(field: &[u8]) -> Option<u64> {
    if let [0x80, digits @ ..] = field {
        return digits.iter().try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? | u64::from(*byte)));
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let start = field.iter().position(|byte| *byte != b' ').unwrap_or(field.len());
    let digits = field[start..].split(blank).next().unwrap_or_default();
    if !field[start + digits.len()..].iter().all(blank) {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| match digit {
        b'0'..=b'7' => Some(sum.checked_mul(8)? | u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers() {
        for (field, expected) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"    644 ", Some(0o644)),
            (b"644 \0\0\0\0", Some(0o644)),
            (b"77777777777\0", Some(0o77_777_777_777)),
            (b"777777777777", Some(0o777_777_777_777)),
            (b"\0\0\0\0", Some(0)),
            (b"    ", Some(0)),
            (b"\x80\0\0\0\0\0\0\x02\0\0\0\0", Some(1 << 33)),
            (b"\x80\x01\0\0\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff", None),
            (b"0000648\0", None),
            (b"64 4", None),
            (b"-1\0", None),
            (b"0x1\0", None),
        ] {
            assert_eq!(number(field), expected, "{}", field.escape_ascii());
        }
    }
}
