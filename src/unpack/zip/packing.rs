//! How entries are packed.

use std::io;

use crate::unpack::error::{MAKE_ANEW, refused};

/// How an entry is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// As it is.
    Stored,
    /// Deflated.
    Deflated,
}

/// How the bytes of an entry are packed; what else there is, is refused by name.
pub(super) fn packing(method: u16) -> io::Result<Packing> {
    let name = match method {
        0 => return Ok(Packing::Stored),
        8 => return Ok(Packing::Deflated),
        1..=6 => "an old method of PKZIP",
        9 => "Deflate64",
        12 => "bzip2",
        14 => "LZMA",
        93 => "zstd",
        95 => "xz",
        99 => "AES encryption",
        _ => "a method that nobody knows",
    };
    let message = format!("is packed with {name} (method {method}), and only stored and deflated entries are read");
    Err(refused(message, MAKE_ANEW))
}
