//! What every entry of every archive has to pass.

use std::io;

use super::claims::{Claims, Clash};
use super::error::{MAKE_ANEW, about, refused};
use super::limits::Limits;
use super::links::{Astray, astray};
use super::meter::{bomb, too_much};
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// What an entry says it is, before its bytes have been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A folder.
    Folder,
    /// A file of so many bytes.
    File(u64),
    /// A symbolic link.
    Link,
}

/// Set-user-id and set-group-id.
const SET_ID: u16 = 0o6000;

/// What was admitted so far, and how much more may come.
pub(super) struct Guard<'a> {
    limits: &'a Limits,
    claims: Claims,
    entries: u64,
    names: u64,
    bytes: u64,
}

impl<'a> Guard<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits, claims: Claims::new(Owner::default()), entries: 0, names: 0, bytes: 0 }
    }

    /// Where an entry goes, if it may; nowhere, if it is the root itself. To be asked before its bytes are read, and
    /// to be answered by [`Guard::put`] before the next one is asked for.
    pub(super) fn admit(&mut self, name: &[u8], shape: Shape, mode: u16) -> io::Result<Option<ImagePath>> {
        self.judge(name, shape, mode).map_err(about(name))
    }

    fn judge(&mut self, name: &[u8], shape: Shape, mode: u16) -> io::Result<Option<ImagePath>> {
        self.count(name.len())?;
        let path = path(name)?;
        if shape != Shape::Link && mode & SET_ID != 0 && !self.limits.set_id {
            let message = "is set-user-id or set-group-id: who uses it becomes somebody else";
            return Err(refused(message, "where that is meant, say `set_id = true` under `[[archive]]`"));
        }
        if path.is_root() {
            let message = "is called like the root of the archive, and is no folder";
            return if shape == Shape::Folder { Ok(None) } else { Err(refused(message, MAKE_ANEW)) };
        }
        if let Shape::File(size) = shape {
            self.grow(size)?;
        }
        let folders = self.claims.check(&path, shape == Shape::Folder).map_err(clash)?;
        folders.into_iter().try_for_each(|length| self.count(length))?;
        Ok(Some(path))
    }

    /// Puts what was admitted to its place.
    pub(super) fn put(&mut self, path: ImagePath, mode: u16, node: Node) {
        self.claims.put(path, Entry { mode: Mode::new(mode), owner: Owner::default(), node });
    }

    /// A symbolic link's text, if it can be one.
    pub(super) fn target(&mut self, name: &[u8], text: Vec<u8>) -> io::Result<Node> {
        let wrong = |why: &str| about(name)(refused(format!("is a link to {why}"), MAKE_ANEW));
        self.count_names(text.len()).map_err(about(name))?;
        match String::from_utf8(text) {
            Ok(text) if text.is_empty() => Err(wrong("nothing")),
            Ok(text) if text.contains('\0') => Err(wrong("a name with a NUL in it")),
            Ok(text) if text.len() > LONGEST_TARGET => Err(wrong("a name of more than 4095 bytes")),
            Ok(text) => Ok(Node::Link(text)),
            Err(_) => Err(wrong("a name that is not UTF-8")),
        }
    }

    /// A second name for an earlier entry. It becomes a second file: so it counts like one.
    pub(super) fn hard_link(&mut self, name: &[u8], target: &[u8], packed: u64) -> io::Result<()> {
        let entry = self.linked(target).map_err(about(name))?;
        let shape = match &entry.node {
            Node::File { size, .. } => Shape::File(*size),
            _ => Shape::Link,
        };
        if let Some(path) = self.admit(name, shape, entry.mode.bits())? {
            if self.limits.is_bomb(packed, self.bytes) {
                return Err(about(name)(bomb(self.limits.ratio)));
            }
            if let Node::Link(text) = &entry.node {
                self.count_names(text.len()).map_err(about(name))?;
            }
            self.claims.put(path, entry);
        }
        Ok(())
    }

    fn linked(&self, target: &[u8]) -> io::Result<Entry> {
        let shown = super::error::shown(target);
        let wrong = |why: &str| refused(format!("is a hard link to {shown}, {why}"), MAKE_ANEW);
        let target = path(target).map_err(|error| wrong(&format!("which {error}")))?;
        match self.claims.tree().get(&target) {
            Some(entry) if entry.node == Node::Folder => Err(wrong("which is a folder")),
            Some(entry) => Ok(entry.clone()),
            None => Err(wrong("which is not in the archive before it")),
        }
    }

    /// Whether so many more bytes of files may come.
    fn grow(&mut self, size: u64) -> io::Result<()> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.total { Err(too_much(self.limits.total)) } else { Ok(()) }
    }

    fn count(&mut self, name: usize) -> io::Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            let message = format!("is one entry too many: {} are the limit", self.limits.entries);
            return Err(refused(message, MAKE_ANEW));
        }
        self.count_names(name)
    }

    fn count_names(&mut self, length: usize) -> io::Result<()> {
        self.names += length as u64;
        if self.names > self.limits.names {
            let message = format!("with it, the names have more than {} bytes, the limit", self.limits.names);
            return Err(refused(message, MAKE_ANEW));
        }
        Ok(())
    }

    /// All that was admitted, once it is sure that no link leads out.
    pub(super) fn finish(self) -> io::Result<Tree> {
        let tree = self.claims.into_tree();
        let found = astray(&tree, &ImagePath::root(), self.limits.absolute_links);
        found.map_err(|(path, target, why)| about(&path.as_str().as_bytes()[1..])(stray(target, &why)))?;
        Ok(tree)
    }
}

const LONGEST_TARGET: usize = 4095;

/// A path from an archive's root. `./a`, `a//b` and `a/` are other ways to say `a`, `a/b` and `a`; nothing else is.
fn path(name: &[u8]) -> io::Result<ImagePath> {
    let wrong = |why: &str| Err(refused(why, MAKE_ANEW));
    let Ok(name) = std::str::from_utf8(name) else { return wrong("has a name that is not UTF-8") };
    let bad = |part: &str| part == "..";
    match name {
        "" => wrong("has an empty name"),
        _ if name.contains('\0') => wrong("has a NUL in its name, where some readers stop"),
        _ if name.contains('\\') => wrong("has a backslash in its name, which some readers take for a slash"),
        _ if name.starts_with('/') => wrong("has an absolute name, which leads out of the archive"),
        _ if name.split('/').any(bad) => wrong("has a `..` in its name, which leads out of the archive"),
        _ => {
            let parts: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            format!("/{}", parts.join("/"))
                .parse()
                .map_err(|error: crate::name::NameError| refused(format!("has a wrong name: {}", error.why), MAKE_ANEW))
        }
    }
}

fn clash(clash: Clash) -> io::Error {
    let inside = |path: &ImagePath| super::error::shown(&path.as_str().as_bytes()[1..]);
    let message = match clash {
        Clash::Twice => "is in the archive twice, and readers disagree about which one counts".to_owned(),
        Clash::NoFolder(path) => format!("cannot be there: {} is a file and a folder at once", inside(&path)),
        Clash::Through(path) => format!("would be written through the link {}", inside(&path)),
        Clash::Case(other) => format!("differs by case only from {}, and is the same to some systems", inside(&other)),
    };
    refused(message, MAKE_ANEW)
}

pub(super) fn stray(target: &str, why: &Astray) -> io::Error {
    let target = super::error::shown(target.as_bytes());
    let message = match why {
        Astray::Out => format!("is a link to {target}, which leads out of the archive"),
        Astray::Round => format!("is a link to {target}, which leads through links without an end"),
    };
    refused(message, MAKE_ANEW)
}
