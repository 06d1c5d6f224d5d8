//! From the file system of a container to the entries that changed, with their bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::report::{ChangedError, Report};
use crate::contents::{Contents, Spool};
use crate::image::below::{Below, BelowError};
use crate::image::scan::{Bounds, Head, Place, Promise, ScanError, link_target, place, walk};
use crate::image::tar::Attribute;
use crate::name::ImagePath;
use crate::tree::{Entry, Node};

/// What begins the key of an extended attribute. Others speak of the same ones in their own ways.
const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

/// Nobody promises what a container has left; it is on a disk already.
const OWN: Promise<'static> = Promise { packing: None, diff_id: None, bounds: Bounds::OWN, packed: None };

/// What changed, before it is held against what lies below.
pub(super) struct Gathered {
    pub(super) entries: BTreeMap<ImagePath, Entry>,
    /// Further names of files, by the first that was met.
    pub(super) twins: BTreeMap<ImagePath, ImagePath>,
    pub(super) attributes: BTreeMap<ImagePath, Vec<Attribute>>,
    pub(super) contents: Contents,
    /// What is there and no entry, and is so below too: devices, pipes.
    pub(super) others: BTreeSet<ImagePath>,
    /// Files that did not change, and whose bytes are needed because something new is one more name of them.
    pub(super) missing: BTreeSet<ImagePath>,
}

struct Gatherer<'g> {
    report: &'g Report<'g>,
    below: &'g dyn Below,
    also: &'g BTreeSet<ImagePath>,
    spool: Spool,
    entries: BTreeMap<ImagePath, Entry>,
    twins: BTreeMap<ImagePath, ImagePath>,
    attributes: BTreeMap<ImagePath, Vec<Attribute>>,
    /// The nodes of files that did not change.
    known: BTreeMap<ImagePath, Node>,
    others: BTreeSet<ImagePath>,
    /// Files whose bytes were read and not kept, because they are as they were.
    forgotten: BTreeSet<ImagePath>,
    missing: BTreeSet<ImagePath>,
    refused: Option<ChangedError>,
}

/// Reads a file system to its end. `also` are files whose bytes are kept though they did not change.
pub(super) fn gather(
    report: &Report<'_>,
    below: &dyn Below,
    also: &BTreeSet<ImagePath>,
    export: impl Read,
    spool: Spool,
) -> Result<Gathered, ChangedError> {
    let mut gatherer = Gatherer {
        report,
        below,
        also,
        spool,
        entries: BTreeMap::new(),
        twins: BTreeMap::new(),
        attributes: BTreeMap::new(),
        known: BTreeMap::new(),
        others: BTreeSet::new(),
        forgotten: BTreeSet::new(),
        missing: BTreeSet::new(),
        refused: None,
    };
    let read = walk(export, &OWN, &mut |head, bytes| gatherer.add(&head, bytes));
    if let Some(refused) = gatherer.refused {
        return Err(refused);
    }
    read?;
    let Gatherer { entries, twins, attributes, others, missing, .. } = gatherer;
    let contents = gatherer.spool.finish().map_err(ScanError::Keep)?;
    Ok(Gathered { entries, twins, attributes, contents, others, missing })
}

impl Gatherer<'_> {
    fn add(&mut self, head: &Head, bytes: &mut dyn Read) -> Result<(), ScanError> {
        let Place::At(path) = place(&head.name)? else {
            return self.unnamed(head);
        };
        if path.is_root() {
            return Ok(());
        }
        if !self.report.is_touched(&path) {
            if head.kind == b'0' && self.also.contains(&path) {
                let node = self.file(head, bytes)?;
                self.known.insert(path, node);
            }
            return Ok(());
        }
        let is_entry = matches!(head.kind, b'0' | b'1' | b'5') || head.kind == b'2' && is_text(&head.link);
        if !is_entry && self.report.touched.is_none() && self.is_other_below(&path).map_err(Gatherer::below)? {
            self.others.insert(path);
            return Ok(());
        }
        let node = match head.kind {
            b'0' => self.file(head, bytes)?,
            b'1' => return self.twin(head, path),
            b'2' => match std::str::from_utf8(&head.link) {
                Ok(target) if !target.is_empty() => Node::Link(target.to_owned()),
                _ => return self.refuse(path.as_str(), "a link whose text is none"),
            },
            b'3' | b'4' => return self.refuse(path.as_str(), "a device"),
            b'5' => Node::Folder,
            b'6' => return self.refuse(path.as_str(), "a pipe"),
            _ => return self.refuse(path.as_str(), "of a strange kind"),
        };
        let attributes: BTreeMap<_, _> =
            head.attributes.iter().filter(|(key, _)| key.starts_with(ATTRIBUTE)).cloned().collect();
        if !attributes.is_empty() {
            self.attributes.insert(path.clone(), attributes.into_iter().collect());
        }
        let entry = Entry { mode: head.mode, owner: head.owner, node };
        if self.report.touched.is_none() && head.kind == b'0' {
            self.forget(&path, &entry).map_err(Gatherer::below)?;
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    /// Drops the bytes of the file that was read last, where it is as it was.
    fn forget(&mut self, path: &ImagePath, entry: &Entry) -> Result<(), BelowError> {
        let is_needed = self.also.contains(path) || self.attributes.contains_key(path);
        if !is_needed && self.below.entry(path)?.as_ref() == Some(entry) {
            self.spool.take_back()?;
            self.forgotten.insert(path.clone());
        }
        Ok(())
    }

    /// Whether the image has something at a path that is no entry of a tree.
    fn is_other_below(&self, path: &ImagePath) -> Result<bool, BelowError> {
        let folder = path.parent().unwrap_or_else(ImagePath::root);
        Ok(self.below.entry(path)?.is_none() && self.below.names(&folder)?.iter().any(|name| name == path.file_name()))
    }

    /// An image below that cannot be read is told as what it is.
    fn below(error: BelowError) -> ScanError {
        ScanError::Keep(io::Error::other(error))
    }

    /// A name that is no text, or too long for a path, is of no matter where it was there before.
    fn unnamed(&mut self, head: &Head) -> Result<(), ScanError> {
        let shown = format!("/{}", String::from_utf8_lossy(&head.name).trim_matches('/'));
        // Where the engine does not tell, nobody knows whether it is new.
        let is_new = shown.parse().is_ok_and(|path| self.report.touched.is_some_and(|touched| touched.contains(&path)));
        if is_new { self.refuse(&shown, "under a name that is no text") } else { Ok(()) }
    }

    fn refuse(&mut self, path: &str, what: &'static str) -> Result<(), ScanError> {
        self.refused = Some(ChangedError::Kind { path: path.to_owned(), what });
        Err(ScanError::Refused(String::new()))
    }

    fn file(&mut self, head: &Head, bytes: &mut dyn Read) -> Result<Node, ScanError> {
        let mut failed = None;
        let mut watched = Watched { inner: bytes, failed: &mut failed };
        match self.spool.take(&mut watched, head.size) {
            Ok((digest, size)) => Ok(Node::File { digest, size }),
            Err(error) => Err(failed.map_or(ScanError::Keep(error), ScanError::Read)),
        }
    }

    /// One more name: of a file that changed too, or else of one whose bytes have to be had.
    fn twin(&mut self, head: &Head, path: ImagePath) -> Result<(), ScanError> {
        let Place::At(target) = link_target(&head.name, &head.link)? else {
            return self.refuse(path.as_str(), "one more name of something without one");
        };
        let first = self.twins.get(&target).cloned().unwrap_or(target);
        if self.forgotten.contains(&first) {
            // As it was, if this is one more name that it had before too.
            let entry = self.entries.get(&first).cloned();
            if self.below.entry(&path).map_err(Gatherer::below)? != entry {
                self.missing.insert(first.clone());
            }
        }
        if let Some(entry) = self.entries.get(&first).cloned() {
            self.entries.insert(path.clone(), entry);
            self.twins.insert(path, first);
        } else if let Some(node) = self.known.get(&first).cloned() {
            self.entries.insert(path, Entry { mode: head.mode, owner: head.owner, node });
        } else {
            self.missing.insert(first);
        }
        Ok(())
    }
}

/// Whether a link's text is one.
fn is_text(link: &[u8]) -> bool {
    std::str::from_utf8(link).is_ok_and(|text| !text.is_empty())
}

/// Remembers that it was reading that failed, and not writing.
struct Watched<'w> {
    inner: &'w mut dyn Read,
    failed: &'w mut Option<io::Error>,
}

impl Read for Watched<'_> {
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
