//! A tar stream, however it is compressed. What a manifest calls it does not count: engines look at the bytes, too.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// What xz may keep of what it has unpacked: its highest preset asks for 65 MiB.
const XZ_MEMORY_KIB: u32 = 96 << 10;

/// How much zstd may look back, as a power of two: what its ordinary levels do.
const ZSTD_WINDOW: u32 = 27;

/// How bytes are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// With gzip.
    Gzip,
    /// With zstd.
    Zstd,
    /// With xz, which no layer may be.
    Xz,
    /// With bzip2, which is not read.
    Bzip2,
}

impl Packing {
    /// What the first bytes of a stream say.
    #[must_use]
    pub const fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A zstd frame, or one that is to be skipped and stands before others.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', ..] => Self::Xz,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            _ => Self::Plain,
        }
    }
}

/// The bytes inside.
pub enum Inflated<R: BufRead> {
    /// As they are.
    Plain(R),
    /// From gzip, of any number of members.
    Gzip(Box<MultiGzDecoder<R>>),
    /// From zstd, of any number of frames.
    Zstd(zstd::Decoder<'static, R>),
    /// From xz, of any number of streams.
    Xz(Box<XzReader<R>>),
}

impl<R: BufRead> Inflated<R> {
    /// Looks at the first bytes; `None` where they are compressed in a way that is not read.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(from: R) -> io::Result<Option<Self>> {
        Self::packed(from, None)
    }

    /// The same where it may be known how they are compressed.
    pub(super) fn packed(mut from: R, packing: Option<Packing>) -> io::Result<Option<Self>> {
        let packing = match packing {
            Some(packing) => packing,
            None => Packing::of(from.fill_buf()?),
        };
        Ok(Some(match packing {
            Packing::Plain => Self::Plain(from),
            Packing::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(from))),
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(from)?;
                decoder.window_log_max(ZSTD_WINDOW)?;
                Self::Zstd(decoder)
            }
            Packing::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(from, true, XZ_MEMORY_KIB))),
            Packing::Bzip2 => return Ok(None),
        }))
    }

    /// The compressed bytes, as far as they are not used up.
    pub fn into_inner(self) -> R {
        match self {
            Self::Plain(from) => from,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Xz(decoder) => decoder.into_inner(),
        }
    }
}

impl<R: BufRead> Read for Inflated<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(from) => from.read(into),
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
            Self::Xz(decoder) => decoder.read(into),
        }
    }
}
