//! One archive of any kind.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};

use super::error::{UnpackError, refused};
use super::guard::Guard;
use super::inflate;
use super::limits::Limits;
use super::meter::{Meter, Packed, Swelling};
use super::tar;
use super::unpacked::Unpacked;
use crate::contents::Spool;

/// The least that is read of a file at once.
const BUFFER: usize = 1 << 16;

/// What an archive is packed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
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

/// Unpacks a tar, plain or compressed with gzip, xz or zstd: whatever the file's first bytes say. Files' bytes
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
    advance: &dyn Fn(u64) -> io::Result<()>,
) -> Result<Unpacked, UnpackError> {
    let meter = Meter::new(advance);
    open(file, Spool::new(spool), limits, &meter).map_err(|error| UnpackError::of(name, error))
}

fn open(mut file: File, mut spool: Spool, limits: &Limits, meter: &Meter<'_>) -> io::Result<Unpacked> {
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    file.rewind()?;
    let format = Format::of(&head)?;
    let mut guard = Guard::new(limits);
    let packed = BufReader::with_capacity(BUFFER, Packed { inner: file, meter });
    let mut swelling = |from: &mut dyn Read| {
        let swelling = Swelling::new(from, meter, *limits);
        tar::unpack(&mut BufReader::with_capacity(BUFFER, swelling), &mut guard, &mut spool, meter)
    };
    match format {
        Format::Tar => swelling(&mut { packed }),
        Format::Gzip => swelling(&mut inflate::gzip(packed)),
        Format::Xz => swelling(&mut inflate::xz(packed)),
        Format::Zstd => swelling(&mut inflate::zstd(packed)?),
    }?;
    Ok(Unpacked { tree: guard.finish()?, contents: spool.finish()? })
}
