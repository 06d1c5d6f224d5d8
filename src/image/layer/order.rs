//! What stands in a layer, in the order in which it stands there.
//!
//! The order of the tree: by the bytes of each component, so that a folder stands directly before what is in it. What
//! is removed from a folder stands before all that is put into it, as the OCI image specification demands.

use std::collections::BTreeSet;

use super::{LayerError, Spec};
use crate::image::listing::Listing;
use crate::name::ImagePath;
use crate::tree::{Entry, Node, Tree};

/// What the names of markers begin with; engines take no such name for a file's.
const MARKER: &str = ".wh.";

/// The marker in a folder whose content below is removed.
const CLEARED: &str = ".wh..wh..opq";

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// Something is put.
    Put(&'a ImagePath, &'a Entry),
    /// A marker is put: a name in a folder.
    Mark(ImagePath, String),
}

/// What a layer does, once it is sure that engines take it so.
pub(super) fn listing(spec: &Spec<'_>) -> Result<Listing, LayerError> {
    let tree = spec.tree.iter().map(|(path, _)| path);
    if let Some(path) = tree.chain(spec.removed).find(|path| path.components().any(|part| part.starts_with(MARKER))) {
        let why = format!("engines take names that begin with `{MARKER}` for markers of what is removed");
        return Err(LayerError::Entry { path: path.clone(), why });
    }
    let mut listing = Listing { tree: spec.tree.clone(), ..Listing::default() };
    for path in spec.removed {
        match spec.tree.get(path).map(|entry| &entry.node) {
            // The entry takes the place of what is below, whatever that is; only folders are merged.
            Some(Node::File { .. } | Node::Link(_)) => {}
            Some(Node::Folder) => drop(listing.cleared.insert(path.clone())),
            None if path.parent().is_none() => {
                let why = "the root of an image cannot be removed".to_owned();
                return Err(LayerError::Entry { path: path.clone(), why });
            }
            None => drop(listing.removed.insert(path.clone())),
        }
    }
    Ok(listing)
}

/// The steps of a layer.
pub(super) fn steps<'a>(
    tree: &'a Tree,
    removed: &BTreeSet<ImagePath>,
    cleared: &BTreeSet<ImagePath>,
) -> impl Iterator<Item = Step<'a>> {
    let of_removed = removed.iter().filter_map(|path| Some((path.parent()?, format!("{MARKER}{}", path.file_name()))));
    let of_cleared = cleared.iter().map(|folder| (folder.clone(), CLEARED.to_owned()));
    let mut markers: Vec<_> = of_removed.chain(of_cleared).collect();
    markers.sort_unstable();
    let mut markers = markers.into_iter().peekable();
    let mut puts = tree.iter().peekable();
    std::iter::from_fn(move || {
        let marker_first = match (markers.peek(), puts.peek()) {
            (Some((folder, _)), Some((path, _))) => folder < *path,
            (marker, _) => marker.is_some(),
        };
        if marker_first {
            return markers.next().map(|(folder, name)| Step::Mark(folder, name));
        }
        puts.next().map(|(path, entry)| Step::Put(path, entry))
    })
}
