//! Where the bytes of a tree's files can be read, by digest.
//!
//! A tree says which content lies where; this says where that content is: in a file of the project, in a part of a
//! spool that an archive was unpacked to, or in memory. So trees can be moved, cut and joined without touching a byte,
//! and whoever reads a content gets exactly what the tree promises, or an error.

mod spool;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Cursor, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::digest::{Digest, Verifying};
use crate::name::ImagePath;
use crate::tree::Node;

pub use spool::Spool;

/// Contents by digest.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    places: BTreeMap<Digest, Place>,
    /// Places that came many at a time.
    folders: Vec<Folder>,
    spools: Vec<Spooled>,
}

/// Where a content is.
#[derive(Clone, Debug)]
enum Place {
    Memory(Arc<[u8]>),
    File(PathBuf),
    Part { file: Arc<File>, offset: u64, size: u64 },
}

/// Files below a folder, sorted: of very many, a list takes half of what a map does.
#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    files: Vec<(Digest, ImagePath)>,
}

/// Stretches of one file, with their beginnings and sizes, sorted.
#[derive(Clone, Debug)]
struct Spooled {
    file: Arc<File>,
    parts: Vec<(Digest, u64, u64)>,
}

impl Contents {
    /// Adds bytes made by elkbake itself, and tells what a tree calls them.
    pub fn add_bytes(&mut self, bytes: impl Into<Arc<[u8]>>) -> Node {
        let bytes = bytes.into();
        let (digest, size) = (Digest::of(&bytes), bytes.len() as u64);
        self.places.insert(digest, Place::Memory(bytes));
        Node::File { digest, size }
    }

    /// Adds a file that is known to have a content. Should it have changed by the time it is read, reading fails.
    pub fn add_file(&mut self, digest: Digest, path: PathBuf) {
        self.places.insert(digest, Place::File(path));
    }

    /// The same for files that lie at their paths below a folder.
    pub fn add_folder<'f>(&mut self, path: PathBuf, files: impl Iterator<Item = (&'f ImagePath, &'f Digest)>) {
        let mut files: Vec<_> = files.map(|(path, digest)| (*digest, path.clone())).collect();
        files.sort_unstable();
        self.folders.push(Folder { path, files });
    }

    /// Adds a stretch of an open file.
    pub fn add_part(&mut self, digest: Digest, file: Arc<File>, offset: u64, size: u64) {
        self.places.insert(digest, Place::Part { file, offset, size });
    }

    /// Adds all that others hold.
    pub fn extend(&mut self, others: Self) {
        self.places.extend(others.places);
        self.folders.extend(others.folders);
        self.spools.extend(others.spools);
    }

    /// Adds stretches of an open file.
    fn add_parts(&mut self, file: Arc<File>, mut parts: Vec<(Digest, u64, u64)>) {
        parts.sort_unstable();
        self.spools.push(Spooled { file, parts });
    }

    fn place(&self, digest: &Digest) -> Option<Place> {
        let in_folder = |folder: &Folder| {
            let at = folder.files.binary_search_by_key(digest, |(digest, _)| *digest).ok()?;
            Some(Place::File(folder.path.join(folder.files[at].1.as_str().trim_start_matches('/'))))
        };
        let in_spool = |spool: &Spooled| {
            let at = spool.parts.binary_search_by_key(digest, |(digest, ..)| *digest).ok()?;
            let (_, offset, size) = spool.parts[at];
            Some(Place::Part { file: Arc::clone(&spool.file), offset, size })
        };
        let place = self.places.get(digest).cloned();
        place.or_else(|| self.folders.iter().find_map(in_folder)).or_else(|| self.spools.iter().find_map(in_spool))
    }

    /// Opens a content; the reader fails at the end unless the bytes are right.
    ///
    /// # Errors
    /// `NotFound` when nobody added it; when its file cannot be opened.
    pub fn open(&self, digest: &Digest) -> io::Result<Verifying<Box<dyn Read + Send>>> {
        let place = self.place(digest).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("nobody knows where the bytes of {digest} are"))
        })?;
        let (reader, size): (Box<dyn Read + Send>, _) = match place {
            Place::Memory(bytes) => {
                let size = bytes.len() as u64;
                (Box::new(Cursor::new(bytes)), Some(size))
            }
            Place::File(path) => (Box::new(open(&path)?), None),
            Place::Part { file, offset, size } => (Box::new(Part { file, offset, end: offset + size }), Some(size)),
        };
        Ok(Verifying::new(reader, *digest, size))
    }

    /// All bytes of a small content.
    ///
    /// # Errors
    /// When it is longer than `limit`, and as [`Contents::open`].
    pub fn bytes(&self, digest: &Digest, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut reader = self.open(digest)?;
        reader.by_ref().take(limit).read_to_end(&mut bytes)?;
        // At the limit the reader has not been asked yet whether this was all, and whether it was right.
        if reader.read(&mut [0])? > 0 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
        }
        Ok(bytes)
    }
}

/// Opens a file that was seen to be one. Should a link or a pipe have taken its place since, it fails, and at once.
fn open(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Reads a stretch of a file that others read at the same time.
struct Part {
    file: Arc<File>,
    offset: u64,
    end: u64,
}

impl Read for Part {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let most = into.len().min(rest);
        let n = self.file.read_at(&mut into[..most], self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn spooled(texts: &[&str]) -> (Contents, Vec<Digest>) {
        let mut spool = Spool::new(tempfile::tempfile().unwrap());
        let digests = texts.iter().map(|text| spool.take(&mut text.as_bytes(), 100).unwrap().0).collect();
        (spool.finish().unwrap(), digests)
    }

    #[test]
    fn contents_are_read_from_wherever_they_are() {
        let (mut contents, digests) = spooled(&["one", "", "three"]);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("f"), "file").unwrap();
        contents.add_file(Digest::of(b"file"), folder.path().join("f"));
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b"), "below").unwrap();
        let below = [("/a/b", "below"), ("/f", "file"), ("/a/c", "below")];
        let below = below.map(|(path, text)| (path.parse().unwrap(), Digest::of(text.as_bytes())));
        fs::write(folder.path().join("a/c"), "below").unwrap();
        contents.add_folder(folder.path().to_owned(), below.iter().map(|(path, digest)| (path, digest)));
        let memory = contents.add_bytes(*b"memory");
        assert_eq!(memory, Node::File { digest: Digest::of(b"memory"), size: 6 });
        for (digest, text) in digests.iter().zip(["one", "", "three"]) {
            assert_eq!(contents.bytes(digest, 5).unwrap(), text.as_bytes());
        }
        assert_eq!(contents.bytes(&Digest::of(b"file"), 4).unwrap(), b"file");
        assert_eq!(contents.bytes(&Digest::of(b"below"), 5).unwrap(), b"below");
        assert_eq!(contents.bytes(&Digest::of(b"memory"), 6).unwrap(), b"memory");
        assert!(contents.bytes(&Digest::of(b"memory"), 5).is_err());
        assert_eq!(contents.bytes(&Digest::of(b"?"), 5).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_changed_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        fs::write(&path, "other").unwrap();
        let mut contents = Contents::default();
        contents.add_file(Digest::of(b"file"), path.clone());
        let error = contents.bytes(&Digest::of(b"file"), 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(contents.open(&Digest::of(b"file")).is_err(), "a link is not followed");
    }
}
