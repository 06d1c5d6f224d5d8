//! The decompressors, each read to its very end.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

use super::error::{MAKE_ANEW, refused};

/// What `xz -9` needs is 65 MiB.
const XZ_MEMORY_KIB: u32 = 96 << 10;

/// The largest window that `zstd` itself takes unless it is told otherwise: 128 MiB.
const ZSTD_WINDOW_LOG: u32 = 27;

/// What is in a gzip file of any number of members.
pub(super) fn gzip(from: impl BufRead) -> impl Read {
    Gunzip { decoder: Some(GzDecoder::new(from)) }
}

/// What is in an xz file.
pub(super) fn xz(from: impl BufRead) -> impl Read {
    XzReader::new_mem_limit(from, true, XZ_MEMORY_KIB)
}

/// What is in a zstd file of any number of frames.
pub(super) fn zstd<'a>(from: impl BufRead + 'a) -> io::Result<impl Read + 'a> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(from)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

struct Gunzip<R: BufRead> {
    decoder: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while let Some(decoder) = &mut self.decoder {
            let n = decoder.read(into)?;
            if n > 0 {
                return Ok(n);
            }
            let Some(mut rest) = self.decoder.take().map(GzDecoder::into_inner) else { break };
            match rest.fill_buf()? {
                [] => break,
                [0x1f, ..] => self.decoder = Some(GzDecoder::new(rest)),
                _ => return Err(refused("has something behind its compressed bytes", MAKE_ANEW)),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn all(mut from: impl Read) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn gzip_members_follow_each_other_and_nothing_else_does() {
        let two = [gz(b"one"), gz(b""), gz(b"two")].concat();
        assert_eq!(all(gzip(&two[..])).unwrap(), b"onetwo");
        for garbage in [&b"x"[..], b"\0", b"\x1f", b"\x1f\x8c", b"\x1f\x8b\x08"] {
            assert!(all(gzip(&[&two, garbage].concat()[..])).is_err(), "{}", garbage.escape_ascii());
        }
        for cut in 1..two.len() {
            let member = gz(b"one").len();
            let whole = cut == member || cut == member + gz(b"").len();
            assert_eq!(all(gzip(&two[..cut])).is_ok(), whole, "{cut}");
        }
    }

    #[test]
    fn zstd_and_xz_are_read_to_their_ends() {
        let frame = zstd::encode_all(&b"one"[..], 3).unwrap();
        let two = [frame.clone(), frame.clone()].concat();
        assert_eq!(all(zstd(&two[..]).unwrap()).unwrap(), b"oneone");
        assert!(all(zstd(&[&two[..], b"x"].concat()[..]).unwrap()).is_err());
        assert!(all(zstd(&two[..two.len() - 1]).unwrap()).is_err());

        let xz_file = crate::unpack::fixture::xz(b"one\n");
        assert_eq!(all(xz(&xz_file[..])).unwrap(), b"one\n");
        let two = [xz_file.clone(), xz_file.clone()].concat();
        assert_eq!(all(xz(&two[..])).unwrap(), b"one\none\n");
        assert!(all(xz(&[&xz_file[..], b"x"].concat()[..])).is_err());
        for cut in 0..xz_file.len() {
            assert!(all(xz(&xz_file[..cut])).is_err(), "{cut}");
        }
    }
}
