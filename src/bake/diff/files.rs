//! What differs between the files of two images.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::digest::Digest;
use crate::image::listing::{Listing, Special};
use crate::image::stack::{Stack, StackError, There};
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner};

/// A file, folder, link or device that is not the same in both images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Where it lies.
    pub path: ImagePath,
    /// What of it differs, where it is in both.
    pub changed: Vec<What>,
    /// What it is in the first image; nothing where that has none.
    pub from: Option<Side>,
    /// What it is in the second.
    pub to: Option<Side>,
}

crate::text::word! {
    /// What can differ.
    pub enum What {
        /// What kind of thing it is.
        Kind = "kind",
        /// Its bytes, or where a link leads.
        Content = "content",
        /// Its permissions.
        Mode = "mode",
        /// Its owner.
        Owner = "owner",
    }
}

/// A file, folder, link or device in one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// `file`, `folder`, `link`, `device` or `pipe`.
    pub kind: &'static str,
    /// Its permissions.
    #[serde(serialize_with = "text")]
    pub mode: Mode,
    /// Its owner.
    #[serde(serialize_with = "text")]
    pub owner: Owner,
    /// The bytes of a file.
    pub size: Option<u64>,
    /// Their digest.
    pub digest: Option<Digest>,
    /// Where a link leads.
    pub target: Option<String>,
}

fn text<T: std::fmt::Display, S: serde::Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl Side {
    fn of(there: &There) -> Self {
        let side = |kind, mode, owner| Self { kind, mode, owner, size: None, digest: None, target: None };
        match there {
            There::Entry(Entry { mode, owner, node: Node::Folder }) => side("folder", *mode, *owner),
            There::Entry(Entry { mode, owner, node: Node::File { digest, size } }) => {
                Self { size: Some(*size), digest: Some(*digest), ..side("file", *mode, *owner) }
            }
            There::Entry(Entry { mode, owner, node: Node::Link(target) }) => {
                Self { target: Some(target.clone()), ..side("link", *mode, *owner) }
            }
            There::Special(Special { mode, owner, kind }) => {
                let kind = match kind {
                    'p' => "pipe",
                    'l' => "link",
                    _ => "device",
                };
                side(kind, *mode, *owner)
            }
        }
    }

    fn differs(&self, other: &Self) -> Vec<What> {
        let mut what = Vec::new();
        if self.kind != other.kind {
            what.push(What::Kind);
        } else if (self.digest, &self.target) != (other.digest, &other.target) {
            what.push(What::Content);
        }
        // What permissions a link has differs from tool to tool, and means nothing.
        if self.mode != other.mode && self.kind != "link" && other.kind != "link" {
            what.push(What::Mode);
        }
        if self.owner != other.owner {
            what.push(What::Owner);
        }
        what
    }
}

/// Each path that differs, in the order of paths.
pub(super) fn compare(a: &[Listing], b: &[Listing]) -> Result<Vec<FileChange>, StackError> {
    let (mut from, to) = (flat(a)?, flat(b)?);
    let mut changes = Vec::new();
    for (path, there) in to {
        let change = match from.remove(&path) {
            None => FileChange { path, changed: Vec::new(), from: None, to: Some(Side::of(&there)) },
            Some(before) if before == there => continue,
            Some(before) => {
                let (from, to) = (Side::of(&before), Side::of(&there));
                FileChange { path, changed: from.differs(&to), from: Some(from), to: Some(to) }
            }
        };
        if change.from.is_none() || !change.changed.is_empty() {
            changes.push(change);
        }
    }
    let gone = |(path, there): (ImagePath, There)| {
        let from = Some(Side::of(&there));
        FileChange { path, changed: Vec::new(), from, to: None }
    };
    changes.extend(from.into_iter().map(gone));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changes)
}

fn flat(listings: &[Listing]) -> Result<BTreeMap<ImagePath, There>, StackError> {
    let mut stack = Stack::default();
    listings.iter().try_for_each(|listing| stack.add(listing))?;
    let mut files = BTreeMap::new();
    // The root is there in any image, whether a layer says so or not.
    stack.each(|path, there, _| {
        if !path.is_root() {
            files.insert(path.clone(), there.clone());
        }
    });
    Ok(files)
}
