//! The directory of a zip.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::end::End;
use super::extra::{Fields, large_numbers};
use super::packing::{Packing, packing};
use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, about, refused};
use crate::unpack::limits::Limits;

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const LENGTH: usize = 46;

/// Bits of the flags.
pub(super) const ENCRYPTED: u16 = 1;
pub(super) const SIZES_BEHIND: u16 = 1 << 3;
const PATCH: u16 = 1 << 5;
const STRONGLY_ENCRYPTED: u16 = 1 << 6;
const HIDDEN_HEADERS: u16 = 1 << 13;

/// Systems whose zips have modes of Unix: Unix itself, and macOS.
const UNIX: [u8; 2] = [3, 19];

/// One entry of the directory.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its name, as it stands there.
    pub(super) name: Vec<u8>,
    /// What holds for it.
    pub(super) flags: u16,
    /// How it is packed.
    pub(super) packing: Packing,
    /// The checksum of its bytes.
    pub(super) crc: u32,
    /// How many bytes it has in the zip.
    pub(super) packed: u64,
    /// How many bytes it has.
    pub(super) size: u64,
    /// Where its header is.
    pub(super) offset: u64,
    /// Kind and permissions, where a system of that kind wrote it.
    pub(super) unix_mode: Option<u16>,
}

/// Reads the directory, and nothing but it.
pub(super) fn read(file: &File, end: &End, limits: &Limits) -> io::Result<Vec<Entry>> {
    if end.entries > limits.entries {
        let message = format!("has {} entries: {} are the limit", end.entries, limits.entries);
        return Err(refused(message, MAKE_ANEW));
    }
    let mut file = file;
    file.seek(SeekFrom::Start(end.directory))?;
    let mut from = BufReader::with_capacity(1 << 16, file).take(end.size);
    let mut entries = Vec::new();
    let mut names = 0;
    for _ in 0..end.entries {
        let entry = entry(&mut from)?;
        names += entry.name.len() as u64;
        if names > limits.names {
            let message = format!("with it, the names have more than {} bytes, the limit", limits.names);
            return Err(about(&entry.name)(refused(message, MAKE_ANEW)));
        }
        entries.push(entry);
    }
    if from.read(&mut [0])? > 0 {
        return Err(refused("has more in its directory than entries", MAKE_ANEW));
    }
    Ok(entries)
}

fn entry(from: &mut impl Read) -> io::Result<Entry> {
    let mut header = [0; LENGTH];
    from.read_exact(&mut header)?;
    if !header.starts_with(&SIGNATURE) {
        return Err(refused("has something in its directory that is no entry", GET_AGAIN));
    }
    let mut lengths = Fields(&header[28..]);
    let mut bytes = |length: u16| {
        let mut bytes = vec![0; length.into()];
        from.read_exact(&mut bytes).map(|()| bytes)
    };
    let (name, extra, comment) = (lengths.u16()?, lengths.u16()?, lengths.u16()?);
    let name = bytes(name)?;
    let (extra, _) = (bytes(extra)?, bytes(comment)?);
    parse(&header, &name, &extra).map_err(about(&name))
}

fn parse(header: &[u8], name: &[u8], extra: &[u8]) -> io::Result<Entry> {
    let mut fields = Fields(&header[4..]);
    let (made_by, _, flags, method) = (fields.u16()?, fields.u16()?, fields.u16()?, fields.u16()?);
    fields.u32()?;
    let (crc, packed, size) = (fields.u32()?, fields.u32()?, fields.u32()?);
    let mut fields = Fields(&header[34..]);
    let (disk, _, attributes, offset) = (fields.u16()?, fields.u16()?, fields.u32()?, fields.u32()?);

    if flags & (ENCRYPTED | STRONGLY_ENCRYPTED | HIDDEN_HEADERS) != 0 {
        return Err(refused("is encrypted", "use an archive without a password"));
    }
    if flags & PATCH != 0 {
        return Err(refused("is a patch for another file", MAKE_ANEW));
    }
    let packing = packing(method)?;
    let mut large = Fields(large_numbers(extra, name)?.unwrap_or_default());
    let mut number = |small: u32| {
        if small == u32::MAX {
            large.u64().map_err(|_| refused("has a size that is nowhere said", GET_AGAIN))
        } else {
            Ok(small.into())
        }
    };
    let (size, packed, offset) = (number(size)?, number(packed)?, number(offset)?);
    let disk = if disk == u16::MAX { large.u32()? } else { disk.into() };
    if disk != 0 {
        return Err(refused("lies in another part of the zip", "join the parts, and use the whole"));
    }
    if !large.0.is_empty() {
        return Err(refused("has two sizes, and readers take one or the other", MAKE_ANEW));
    }
    if packing == Packing::Stored && packed != size {
        return Err(refused("is not packed, and yet has another size packed than unpacked", MAKE_ANEW));
    }
    let is_unix = UNIX.contains(&(made_by >> 8).to_le_bytes()[0]);
    let unix_mode = is_unix.then_some((attributes >> 16 & 0xffff) as u16);
    Ok(Entry { name: name.to_vec(), flags, packing, crc, packed, size, offset, unix_mode })
}
