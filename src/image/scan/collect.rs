//! From the entries of a layer to what it does.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::error::ScanError;
use super::head::Head;
use super::place::{Place, link_target, place};
use super::refusal::Refusal;
use crate::contents::{Contents, Spool};
use crate::digest::Hasher;
use crate::image::listing::{Listing, Special};
use crate::name::ImagePath;
use crate::tree::{Entry, Node};

/// Which files' bytes are wanted, by path and size.
pub type Wanted<'a> = &'a (dyn Fn(&ImagePath, u64) -> bool + Sync);

/// More entries than any image has.
const MOST_ENTRIES: u64 = 2_000_000;

/// More bytes of names than any image has: they are kept in memory.
const MOST_NAMES: u64 = 256 << 20;

/// What begins the name of an entry that removes something below.
const WHITEOUT: &str = ".wh.";

/// The name of an entry that removes all that its folder has below.
const OPAQUE: &str = ".wh..wh..opq";

/// What begins the names of other things that an old engine kept for itself.
const ENGINES_OWN: &str = ".wh..wh.";

pub(super) struct Collector<'a> {
    wanted: Wanted<'a>,
    whole: bool,
    spool: Spool,
    entries: BTreeMap<ImagePath, Entry>,
    listing: Listing,
    count: u64,
    names: u64,
    unnamed: u64,
    buffer: Vec<u8>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(wanted: Wanted<'a>, whole: bool, spool: Spool) -> Self {
        Self {
            wanted,
            whole,
            spool,
            entries: BTreeMap::new(),
            listing: Listing::default(),
            count: 0,
            names: 0,
            unnamed: 0,
            buffer: vec![0; 128 << 10],
        }
    }

    /// Takes in an entry, with its bytes.
    pub(super) fn add(&mut self, head: &Head, bytes: &mut impl Read) -> Result<(), ScanError> {
        self.count += 1;
        self.names += (head.name.len() + head.link.len()) as u64;
        if self.count > MOST_ENTRIES {
            return Err(Refusal::new(format!("it has more than {MOST_ENTRIES} entries")).into());
        }
        if self.names > MOST_NAMES {
            return Err(Refusal::new(format!("the names in it have more than {MOST_NAMES} bytes")).into());
        }
        let Place::At(path) = place(&head.name)? else {
            self.unnamed += 1;
            return Ok(());
        };
        if path.is_root() && head.kind != b'5' {
            return Err(Refusal::of(&head.name, "it stands for the root and is no folder").into());
        }
        if path.file_name().starts_with(WHITEOUT) {
            return Ok(self.remove(head, &path)?);
        }
        let node = match head.kind {
            b'0' => self.file(head, &path, bytes)?,
            b'1' => return Ok(self.hard_link(head, path)?),
            b'2' => match std::str::from_utf8(&head.link) {
                Ok("") => return Err(Refusal::of(&head.name, "it is a link to nothing").into()),
                Ok(target) => Node::Link(target.to_owned()),
                // A link that cannot be told is there all the same, and nothing else may be taken for it.
                Err(_) => {
                    self.unnamed += 1;
                    return Ok(self.special(head, path, 'l')?);
                }
            },
            b'3' => return Ok(self.special(head, path, 'c')?),
            b'4' => return Ok(self.special(head, path, 'b')?),
            b'5' => Node::Folder,
            b'6' => return Ok(self.special(head, path, 'p')?),
            // The label of a volume.
            b'V' => return Ok(()),
            kind => {
                let message = format!("it is of the kind `{}`, which layers have none of", kind.escape_ascii());
                return Err(Refusal::of(&head.name, &message).into());
            }
        };
        Ok(self.put(head, path, Entry { mode: head.mode, owner: head.owner, node })?)
    }

    /// Reads a file's bytes, and keeps them where they are wanted.
    fn file(&mut self, head: &Head, path: &ImagePath, bytes: &mut impl Read) -> Result<Node, ScanError> {
        if (self.wanted)(path, head.size) {
            let mut failed = None;
            let mut watched = Watched { inner: bytes, failed: &mut failed };
            return match self.spool.take(&mut watched, head.size) {
                Ok((digest, size)) => Ok(Node::File { digest, size }),
                Err(error) => Err(failed.map_or(ScanError::Keep(error), ScanError::Read)),
            };
        }
        let mut hasher = Hasher::default();
        loop {
            match bytes.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => hasher.update(&self.buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ScanError::Read(error)),
            }
        }
        let (digest, size) = hasher.finish();
        Ok(Node::File { digest, size })
    }

    fn put(&mut self, head: &Head, path: ImagePath, entry: Entry) -> Result<(), Refusal> {
        self.check_parent(head, &path)?;
        self.forget(&path, entry.node == Node::Folder);
        self.entries.insert(path, entry);
        Ok(())
    }

    fn special(&mut self, head: &Head, path: ImagePath, kind: char) -> Result<(), Refusal> {
        self.check_parent(head, &path)?;
        self.forget(&path, false);
        self.listing.special.insert(path, Special { mode: head.mode, owner: head.owner, kind });
        Ok(())
    }

    /// A hard link is one more name of a file: of one that came before it, or else of one in a layer below.
    fn hard_link(&mut self, head: &Head, path: ImagePath) -> Result<(), Refusal> {
        let Place::At(target) = link_target(&head.name, &head.link)? else {
            return Err(Refusal::of(&head.name, "it is a hard link to a name that no path can hold"));
        };
        self.check_parent(head, &path)?;
        if target == path {
            return Err(Refusal::of(&head.name, "it is a hard link to itself"));
        }
        if let Some(entry) = self.entries.get(&target).cloned() {
            if entry.node == Node::Folder {
                return Err(Refusal::of(&head.name, "it is a hard link to a folder"));
            }
            self.forget(&path, false);
            self.entries.insert(path, entry);
        } else if let Some(special) = self.listing.special.get(&target).copied() {
            self.forget(&path, false);
            self.listing.special.insert(path, special);
        } else {
            let target = self.listing.linked.get(&target).cloned().unwrap_or(target);
            if self.whole {
                return Err(Refusal::of(&head.name, "it is a hard link to something that does not stand before it"));
            }
            self.forget(&path, false);
            self.listing.linked.insert(path, target);
        }
        Ok(())
    }

    fn remove(&mut self, head: &Head, path: &ImagePath) -> Result<(), Refusal> {
        if self.whole {
            return Err(Refusal::of(&head.name, "it removes something below, and there is nothing below"));
        }
        let name = path.file_name();
        let parent = path.parent().unwrap_or_else(ImagePath::root);
        if name == OPAQUE {
            self.listing.cleared.insert(parent);
        } else if !name.starts_with(ENGINES_OWN) {
            let removed = name.strip_prefix(WHITEOUT).unwrap_or(name);
            let removed = parent.join(removed).map_err(|_| Refusal::of(&head.name, "it removes no file by name"))?;
            self.listing.removed.insert(removed);
        }
        Ok(())
    }

    /// What a later entry of one layer puts somewhere replaces what an earlier one put there, with all that is in it.
    fn forget(&mut self, path: &ImagePath, folder: bool) {
        self.entries.remove(path);
        self.listing.special.remove(path);
        self.listing.linked.remove(path);
        // A folder that no entry describes has something in it all the same.
        if !folder {
            drop_within(&mut self.entries, path);
            drop_within(&mut self.listing.special, path);
            drop_within(&mut self.listing.linked, path);
        }
    }

    fn check_parent(&self, head: &Head, path: &ImagePath) -> Result<(), Refusal> {
        if !self.whole {
            return Ok(());
        }
        match path.parent() {
            Some(parent) if !parent.is_root() => match self.entries.get(&parent).map(|entry| &entry.node) {
                Some(Node::Folder | Node::Link(_)) => Ok(()),
                Some(Node::File { .. }) => {
                    Err(Refusal::of(&head.name, &format!("{parent}, which it is in, is a file")))
                }
                None => {
                    let message = format!("the folder {parent}, which it is in, does not stand before it");
                    Err(Refusal::of(&head.name, &message))
                }
            },
            _ => Ok(()),
        }
    }

    /// What the layer does, how many entries have no name, and the wanted bytes.
    pub(super) fn finish(mut self) -> Result<(Listing, u64, Contents), ScanError> {
        self.listing.tree = self.entries.into_iter().collect();
        Ok((self.listing, self.unnamed, self.spool.finish().map_err(ScanError::Keep)?))
    }
}

/// Forgets what lies in a folder.
fn drop_within<T>(map: &mut BTreeMap<ImagePath, T>, folder: &ImagePath) {
    let within = map.range(folder..).map(|(path, _)| path).take_while(|path| path.is_within(folder));
    let within: Vec<_> = within.cloned().collect();
    within.iter().for_each(|path| drop(map.remove(path)));
}

/// Remembers that it was reading that failed, and not writing.
struct Watched<'w, R> {
    inner: &'w mut R,
    failed: &'w mut Option<io::Error>,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.inner.read(into).map_err(|error| {
            let kind = error.kind();
            if kind != io::ErrorKind::Interrupted {
                *self.failed = Some(error);
            }
            kind.into()
        })
    }
}
