//! The entries of a tar stream, one after the other.

use std::io::{self, ErrorKind, Read};

use super::extension::Extension;
use super::header::{BLOCK, Header};
use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, about, refused};

/// Headers before an entry are held in memory. Names have 4095 bytes at most.
const LONGEST_EXTENSION: u64 = 1 << 20;

/// One entry, without its bytes.
#[derive(Debug)]
pub(in crate::unpack) struct Head {
    /// Its name, as it stands there.
    pub(in crate::unpack) name: Vec<u8>,
    /// What it leads to, if it is a link.
    pub(in crate::unpack) link: Vec<u8>,
    /// How many bytes it has.
    pub(in crate::unpack) size: u64,
    /// Its permissions.
    pub(in crate::unpack) mode: u16,
    /// What it is.
    pub(in crate::unpack) kind: Kind,
}

/// What an entry of a tar is; all else is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::unpack) enum Kind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A second name of an earlier entry.
    HardLink,
}

/// Reads entries. Between two of them it is the reader of the first one's bytes.
pub(in crate::unpack) struct Members<R> {
    from: R,
    left: u64,
    padding: u64,
}

impl<R: Read> Members<R> {
    pub(in crate::unpack) fn new(from: R) -> Self {
        Self { from, left: 0, padding: 0 }
    }

    /// The next entry, unless that was the last one. What was not read of the one before is skipped.
    pub(in crate::unpack) fn next(&mut self) -> io::Result<Option<Head>> {
        let mut extension = Extension::default();
        loop {
            self.skip()?;
            let Some(block) = self.block()? else {
                return Err(refused("ends without an end mark: the rest of the archive is missing", GET_AGAIN));
            };
            if block.iter().all(|byte| *byte == 0) {
                if !extension.is_empty() {
                    return Err(refused("ends with a header that belongs to no entry", GET_AGAIN));
                }
                self.end()?;
                return Ok(None);
            }
            let header = Header::new(&block)?;
            let name = extension.name().map_or_else(|| header.name(), <[u8]>::to_vec);
            match header.kind() {
                kind @ (b'x' | b'L' | b'K') => {
                    let bytes = self.extension(&header).map_err(about(&name))?;
                    extension.add(kind, &bytes).map_err(about(&name))?;
                }
                b'g' => {
                    let bytes = self.extension(&header).map_err(about(&name))?;
                    extension.check_global(&bytes).map_err(about(&name))?;
                }
                _ => return self.head(&header, extension).map(Some).map_err(about(&name)),
            }
        }
    }

    fn head(&mut self, header: &Header<'_>, mut extension: Extension) -> io::Result<Head> {
        if extension.is_sparse() {
            return Err(refused("is a sparse file, which readers disagree about", MAKE_ANEW));
        }
        let name = extension.take_name().unwrap_or_else(|| header.name());
        let link = extension.take_link().unwrap_or_else(|| header.link());
        let size = extension.size(header.size()?)?;
        let kind = kind(header.kind(), &name)?;
        if size > 0 && kind != Kind::File {
            return Err(refused("has bytes, and is no file: readers disagree about what follows", MAKE_ANEW));
        }
        self.begin(size);
        Ok(Head { name, link, size, mode: header.mode()?, kind })
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        let block = BLOCK as u64;
        self.padding = (block - size % block) % block;
    }

    /// The bytes of a header that is longer than a block.
    fn extension(&mut self, header: &Header<'_>) -> io::Result<Vec<u8>> {
        let size = header.size()?;
        if size > LONGEST_EXTENSION {
            return Err(refused(format!("has a header of {size} bytes before it"), MAKE_ANEW));
        }
        self.begin(size);
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn skip(&mut self) -> io::Result<()> {
        io::copy(self, &mut io::sink())?;
        let skipped = io::copy(&mut (&mut self.from).take(self.padding), &mut io::sink())?;
        if skipped < self.padding {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.padding = 0;
        Ok(())
    }

    /// The next block, unless there is nothing any more.
    fn block(&mut self) -> io::Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.from.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(block))
    }

    /// After a block of zeros nothing but zeros may come, however many: tapes are written in large pieces.
    fn end(&mut self) -> io::Result<()> {
        while let Some(block) = self.block()? {
            if block.iter().any(|byte| *byte != 0) {
                return Err(refused("has something behind its end, which some readers would see", MAKE_ANEW));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(into.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.from.read(&mut into[..most])?;
        if n == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        Ok(n)
    }
}

/// What a letter means. Before there was one for folders, they were files with a slash at the end.
fn kind(letter: u8, name: &[u8]) -> io::Result<Kind> {
    let what = match letter {
        b'0' | 0 | b'7' if name.ends_with(b"/") => return Ok(Kind::Folder),
        b'0' | 0 | b'7' => return Ok(Kind::File),
        b'5' => return Ok(Kind::Folder),
        b'2' => return Ok(Kind::Link),
        b'1' => return Ok(Kind::HardLink),
        b'3' | b'4' => "is a device".to_owned(),
        b'6' => "is a pipe".to_owned(),
        b'S' => "is a sparse file, which readers disagree about".to_owned(),
        other => format!("is of the unknown kind `{}`", other.escape_ascii()),
    };
    Err(refused(format!("{what}: only files, folders and links are taken from archives"), MAKE_ANEW))
}
