//! One archive of any kind.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use super::error::{UnpackError, refused};
use super::guard::Guard;
use super::inflate;
use super::limits::Limits;
use super::meter::{Advance, Meter, Packed, Swelling};
use super::tar;
use super::unpacked::Unpacked;
use super::zip;
use crate::contents::Spool;

/// The least that is read of a file at once.
const BUFFER: usize = 1 << 16;

/// What an archive is packed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    Gzip,
    Xz,
    Zstd,
}

impl Format {
    /// What the first bytes of a file say. A tarball has no sign at its beginning, so it is what nothing else is.
    fn of(head: &[u8]) -> io::Result<Self> {
        match head {
            [] => Err(refused("is empty", "see that it is the right file")),
            // An entry, the end of a zip without any, or the mark of one in several parts.
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Ok(Self::Zip),
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Self::Xz),
            // A frame, or one that is to be skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [b'B', b'Z', b'h', ..] => Err(refused("is compressed with bzip2, which is not read", REPACK)),
            [b'7', b'z', 0xbc, 0xaf, ..] => Err(refused("is a 7z archive, which is not read", REPACK)),
            _ => Ok(Self::Tar),
        }
    }
}

const REPACK: &str = "pack it anew as zip, tar, tar.gz, tar.xz or tar.zst, and use that by `path`; or say \
                      `unpack = false` to put it into the image as it is";

/// Unpacks a zip, or a tar, plain or compressed with gzip, xz or zstd: whatever the file's first bytes say. Files' bytes
/// go to the spool. `advance` is told how many bytes of the archive were read since it was last told, and ends it all
/// by an error.
///
/// # Errors
/// When the archive is not whole, holds what no archive may hold, or shows one thing to some readers and another to
/// others; when it cannot be read, or the spool not be written; when `advance` says so.
pub fn unpack(
    name: &str,
    file: File,
    spool: File,
    limits: &Limits,
    advance: Advance<'_>,
) -> Result<Unpacked, UnpackError> {
    let meter = Meter::new(advance);
    open(file, spool, limits, &meter).map_err(|error| UnpackError::of(name, error))
}

fn open(mut file: File, spool: File, limits: &Limits, meter: &Meter<'_>) -> io::Result<Unpacked> {
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    file.rewind()?;
    let format = Format::of(&head)?;
    if format == Format::Zip {
        return zip::unpack(&file, spool, limits, meter);
    }
    let packed = BufReader::with_capacity(BUFFER, Packed { inner: file, meter });
    let from: Box<dyn Read> = match format {
        Format::Zip | Format::Tar => Box::new(packed),
        Format::Gzip => Box::new(inflate::gzip(packed)),
        Format::Xz => Box::new(inflate::xz(packed)),
        Format::Zstd => Box::new(inflate::zstd(packed)?),
    };
    let mut guard = Guard::new(limits);
    let mut spool = Spool::new(spool);
    let mut from = BufReader::with_capacity(BUFFER, Swelling::new(from, meter, *limits));
    tar::unpack(&mut from, &mut guard, &mut spool, meter)?;
    Ok(Unpacked { tree: guard.finish()?, contents: spool.finish()? })
}
