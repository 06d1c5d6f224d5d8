//! The end mark of a zip, which says where its directory is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::extra::Fields;
use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, refused};

const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: usize = 22;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LENGTH: usize = 20;
const END_64: [u8; 4] = *b"PK\x06\x06";
const END_64_LENGTH: usize = 56;

/// Where the directory is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Where it begins.
    pub(super) directory: u64,
    /// How many bytes it has.
    pub(super) size: u64,
    /// How many entries.
    pub(super) entries: u64,
}

/// Finds the end mark. It is the last thing in the file, and nothing else may look like it.
pub(super) fn find(file: &File, length: u64) -> io::Result<End> {
    let most = (END_LENGTH + usize::from(u16::MAX) + LOCATOR_LENGTH) as u64;
    let start = length.saturating_sub(most);
    let mut tail = vec![0; usize::try_from(length - start).unwrap_or_default()];
    file.read_exact_at(&mut tail, start)?;

    let at = last(&tail)?;
    let mut fields = Fields(&tail[at + 4..]);
    let disks = [fields.u16()?, fields.u16()?];
    let counts = [fields.u16()?, fields.u16()?];
    let (size, directory) = (fields.u32()?, fields.u32()?);
    let said = Said {
        disks: disks.map(u32::from),
        counts: counts.map(u64::from),
        size: size.into(),
        directory: directory.into(),
    };

    let at = start + at as u64;
    let before = at.checked_sub(LOCATOR_LENGTH as u64);
    let locator = before.map(|before| read_at::<LOCATOR_LENGTH>(file, before)).transpose()?;
    match (before, locator) {
        (Some(before), Some(locator)) if locator.starts_with(&LOCATOR) => {
            let (said, at) = said.with_64(file, &locator, before)?;
            said.end(at)
        }
        _ => said.end(at),
    }
}

/// Where the one end mark begins that ends with the file.
fn last(tail: &[u8]) -> io::Result<usize> {
    let marks: Vec<_> = (0..tail.len()).filter(|at| tail[*at..].starts_with(&END)).collect();
    let ends = |at: &usize| {
        let comment = tail.get(at + 20..at + 22).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
        comment.map(|comment| at + END_LENGTH + comment)
    };
    let fitting: Vec<_> = marks.iter().filter(|at| ends(at) == Some(tail.len())).collect();
    match (fitting.as_slice(), marks.last()) {
        ([one], Some(last)) if *one == last => Ok(**one),
        ([], Some(last)) if ends(last).is_some_and(|end| end < tail.len()) => {
            Err(refused("has something behind its end", MAKE_ANEW))
        }
        ([], _) => Err(refused("has no end mark: the rest of the archive is missing", GET_AGAIN)),
        _ => Err(refused("has two end marks, and readers take one or the other", MAKE_ANEW)),
    }
}

/// What an end mark says, once or twice.
#[derive(Debug)]
struct Said {
    disks: [u32; 2],
    counts: [u64; 2],
    size: u64,
    directory: u64,
}

impl Said {
    /// What the larger mark says that stands before the small one. Where the small one has a number and not just ones
    /// in all bits, it has to be the same.
    fn with_64(self, file: &File, locator: &[u8], locator_at: u64) -> io::Result<(Self, u64)> {
        let contradiction = || refused("has two end marks that contradict each other", MAKE_ANEW);
        let mut fields = Fields(&locator[4..]);
        let (disk, at, disks) = (fields.u32()?, fields.u64()?, fields.u32()?);
        if disk != 0 || disks > 1 {
            return Err(split());
        }
        if at.checked_add(END_64_LENGTH as u64).is_none_or(|end| end > locator_at) {
            return Err(contradiction());
        }
        let mark = read_at::<END_64_LENGTH>(file, at)?;
        let mut fields = Fields(&mark[4..]);
        let length = fields.u64()?;
        if !mark.starts_with(&END_64) || at.checked_add(12).and_then(|at| at.checked_add(length)) != Some(locator_at) {
            return Err(contradiction());
        }
        fields.u32()?;
        let large = Self {
            disks: [fields.u32()?, fields.u32()?],
            counts: [fields.u64()?, fields.u64()?],
            size: fields.u64()?,
            directory: fields.u64()?,
        };
        let same = |small: u64, ones: u64, large: u64| small == ones || small == large;
        let (u16s, u32s) = (u64::from(u16::MAX), u64::from(u32::MAX));
        let agree = (0..2).all(|n| same(self.counts[n], u16s, large.counts[n]))
            && (0..2).all(|n| same(self.disks[n].into(), u16s, large.disks[n].into()))
            && same(self.size, u32s, large.size)
            && same(self.directory, u32s, large.directory);
        if agree { Ok((large, at)) } else { Err(contradiction()) }
    }

    /// Whether the directory is there and nothing stands between it and its end mark.
    fn end(self, at: u64) -> io::Result<End> {
        if self.disks != [0, 0] || self.counts[0] != self.counts[1] {
            return Err(split());
        }
        if self.directory.checked_add(self.size) != Some(at) {
            let message = "has a directory that is not where its end mark says: something was put before or into it";
            return Err(refused(message, MAKE_ANEW));
        }
        Ok(End { directory: self.directory, size: self.size, entries: self.counts[0] })
    }
}

fn split() -> io::Error {
    refused("is one part of a zip in several parts", "join the parts, and use the whole")
}

fn read_at<const LENGTH: usize>(file: &File, at: u64) -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
