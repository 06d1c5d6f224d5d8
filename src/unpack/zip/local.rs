//! The headers before the entries' bytes, which have to say what the directory says.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;

use super::central::{Entry, SIZES_BEHIND};
use super::extra::{Fields, large_numbers};
use super::packing::packing;
use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, about, refused};

const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
const LENGTH: usize = 30;
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";

/// Flags that change what an entry is: encryption, sizes behind it, the language of its name. Others are hints.
const TELLING_FLAGS: u16 = 1 | SIZES_BEHIND | 1 << 6 | 1 << 11 | 1 << 13;

/// An entry whose header was seen.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) entry: Entry,
    /// Where its bytes begin.
    pub(super) data: u64,
}

/// Finds all entries' bytes. Sorted by their places, they and their headers fill the file up to the directory.
pub(super) fn locate(file: &File, entries: Vec<Entry>, directory: u64) -> io::Result<Vec<Located>> {
    let mut at = 0;
    let mut located = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter().peekable();
    while let Some(entry) = entries.next() {
        let next = entries.peek().map_or(directory, |next| next.offset);
        let data = locate_one(file, &entry, at, next).map_err(about(&entry.name))?;
        at = next;
        located.push(Located { entry, data });
    }
    if at == directory { Ok(located) } else { Err(refused("has bytes that belong to no entry", MAKE_ANEW)) }
}

/// Where the bytes of one begin that starts at `at` and has to end at `next`.
fn locate_one(file: &File, entry: &Entry, at: u64, next: u64) -> io::Result<u64> {
    if entry.offset != at {
        // Only the first can be elsewhere: `next` is where the one behind it is.
        return Err(refused("has bytes before it that belong to no entry", MAKE_ANEW));
    }
    let mut header = [0; LENGTH];
    read_at(file, &mut header, at)?;
    if !header.starts_with(&SIGNATURE) {
        return Err(refused("is not where the directory says", GET_AGAIN));
    }
    let mut lengths = Fields(&header[26..]);
    let (name_length, extra_length) = (usize::from(lengths.u16()?), usize::from(lengths.u16()?));
    let mut names = vec![0; name_length + extra_length];
    read_at(file, &mut names, at + LENGTH as u64)?;
    let (name, extra) = names.split_at(name_length);
    compare(entry, &header, name, extra)?;

    let data = at + (LENGTH + name_length + extra_length) as u64;
    let end = data.checked_add(entry.packed).ok_or_else(overlap)?;
    let behind = next.checked_sub(end).ok_or_else(overlap)?;
    match (entry.flags & SIZES_BEHIND != 0, behind) {
        (false, 0) => Ok(data),
        (true, 12 | 16 | 20 | 24) => check_behind(file, entry, end, behind).map(|()| data),
        _ => Err(refused("has bytes behind it that belong to no entry", MAKE_ANEW)),
    }
}

fn overlap() -> io::Error {
    refused("overlaps with what comes behind it, as bombs do", MAKE_ANEW)
}

/// Whether the header says what the directory says. Where the sizes come behind the bytes, it may say nothing of them.
fn compare(entry: &Entry, header: &[u8], name: &[u8], extra: &[u8]) -> io::Result<()> {
    let differs = |what: &str| {
        let message = format!("has another {what} in the directory than before its bytes");
        Err(refused(message, MAKE_ANEW))
    };
    let mut fields = Fields(&header[6..]);
    let (flags, method) = (fields.u16()?, fields.u16()?);
    fields.u32()?;
    let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
    if name != entry.name {
        let message = format!("is called {} before its bytes", crate::unpack::error::shown(name));
        return Err(refused(message, MAKE_ANEW));
    }
    if (flags ^ entry.flags) & TELLING_FLAGS != 0 {
        return differs("set of flags");
    }
    if packing(method)? != entry.packing {
        return differs("method");
    }
    let unsaid = |number: u64| number == 0 && flags & SIZES_BEHIND != 0;
    if crc != entry.crc && !unsaid(crc.into()) {
        return differs("checksum");
    }
    // Here the field for large numbers has both, or it is not there.
    let mut large = Fields(large_numbers(extra, name)?.unwrap_or_default());
    let large = if large.0.is_empty() { None } else { Some((large.u64()?, large.u64()?)) };
    for (small, large, said) in
        [(size, large.map(|large| large.0), entry.size), (packed, large.map(|large| large.1), entry.packed)]
    {
        let small = (small != u32::MAX || large.is_none()).then_some(u64::from(small));
        if [small, large].into_iter().flatten().any(|number| number != said && !unsaid(number)) {
            return differs("size");
        }
    }
    Ok(())
}

/// What stands behind an entry whose sizes its writer did not know before: with or without a signature, in four or
/// eight bytes each.
fn check_behind(file: &File, entry: &Entry, at: u64, length: u64) -> io::Result<()> {
    let mut bytes = [0; 24];
    let bytes = &mut bytes[..usize::try_from(length).unwrap_or_default()];
    read_at(file, bytes, at)?;
    let wrong = || refused("has another size or checksum behind its bytes than in the directory", MAKE_ANEW);
    let mut fields = Fields(bytes);
    if matches!(length, 16 | 24) && fields.bytes(4)? != DESCRIPTOR {
        return Err(wrong());
    }
    let crc = fields.u32()?;
    let (packed, size) =
        if length > 16 { (fields.u64()?, fields.u64()?) } else { (fields.u32()?.into(), fields.u32()?.into()) };
    if (crc, packed, size) == (entry.crc, entry.packed, entry.size) { Ok(()) } else { Err(wrong()) }
}

/// The end of the file was found: whoever reads beyond it was lied to.
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    file.read_exact_at(into, at).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => refused("is not where the directory says", GET_AGAIN),
        _ => error,
    })
}
