//! What stands in a layer, in the order in which it stands there.
//!
//! The order of the tree: by the bytes of each component, so that a folder stands directly before what is in it. What
//! is removed from a folder stands before all that is put into it, as the OCI image specification demands.

use super::{LayerError, Spec};
use crate::image::listing::Listing;
use crate::name::ImagePath;
use crate::tree::{Amended, Entry, Node};

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

/// What a layer does beside its tree, once it is sure that engines take it so.
pub(super) fn markers(spec: &Spec<'_>) -> Result<Listing, LayerError> {
    let tree = spec.tree.iter().map(|(path, _)| path);
    if let Some(path) = tree.chain(spec.removed).find(|path| path.components().any(|part| part.starts_with(MARKER))) {
        let why = format!("engines take names that begin with `{MARKER}` for markers of what is removed");
        return Err(LayerError::Entry { path: path.clone(), why });
    }
    let mut listing = Listing::default();
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
pub(super) fn steps<'a>(tree: &'a Amended<'a>, markers: &Listing) -> impl Iterator<Item = Step<'a>> {
    let of_removed =
        markers.removed.iter().filter_map(|path| Some((path.parent()?, format!("{MARKER}{}", path.file_name()))));
    let of_cleared = markers.cleared.iter().map(|folder| (folder.clone(), CLEARED.to_owned()));
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contents::Contents;
    use crate::image::layer::Beside;
    use crate::recipe::Compression;
    use crate::tree::{Mode, Owner, Tree};

    fn tree(entries: &[(&str, Node)]) -> Tree {
        let mut tree = Tree::default();
        for (path, node) in entries {
            let entry = Entry { mode: Mode::new(0o755), owner: Owner::default(), node: node.clone() };
            tree.insert(path.parse().unwrap(), entry);
        }
        tree
    }

    fn paths(paths: &[&str]) -> BTreeSet<ImagePath> {
        paths.iter().map(|path| path.parse().unwrap()).collect()
    }

    fn of(tree: &Tree, removed: &[&str]) -> Result<Vec<String>, LayerError> {
        let removed = paths(removed);
        let contents = Contents::default();
        let tree = &Amended::from(tree);
        let listing = markers(&Spec {
            tree,
            removed: &removed,
            contents: &contents,
            beside: Beside::NOTHING,
            compression: Compression::Gzip,
        })?;
        let steps = steps(tree, &listing).map(|step| match step {
            Step::Put(path, _) => path.to_string(),
            Step::Mark(folder, name) => format!("{folder} {name}"),
        });
        Ok(steps.collect())
    }

    #[test]
    fn markers_stand_before_their_siblings_and_after_their_folder() {
        let link = || Node::Link("x".to_owned());
        let tree = tree(&[("/a", Node::Folder), ("/a/c", link()), ("/a-b", link()), ("/b/c/d", link())]);
        assert_eq!(
            of(&tree, &["/z", "/a/x", "/a/b/y", "/b/c/old", "/b/c"]).unwrap(),
            ["/ .wh.z", "/a", "/a .wh.x", "/a/b .wh.y", "/a/c", "/a-b", "/b .wh.c", "/b/c .wh.old", "/b/c/d"]
        );
    }

    #[test]
    fn what_is_removed_and_put_is_replaced() {
        let tree = tree(&[("/d", Node::Folder), ("/d/x", Node::Folder), ("/l", Node::Link("x".to_owned()))]);
        assert_eq!(of(&tree, &["/d", "/l"]).unwrap(), ["/d", "/d .wh..wh..opq", "/d/x", "/l"]);
        let tree = self::tree(&[("/", Node::Folder)]);
        assert_eq!(of(&tree, &["/"]).unwrap(), ["/", "/ .wh..wh..opq"]);
    }

    #[test]
    fn what_engines_would_misread_is_refused_by_name() {
        let tree = tree(&[("/a/.wh.b/c", Node::Folder)]);
        assert!(of(&tree, &[]).unwrap_err().to_string().starts_with("/a/.wh.b/c cannot be in a layer: engines take"));
        let tree = Tree::default();
        assert!(of(&tree, &["/.wh.x"]).unwrap_err().to_string().starts_with("/.wh.x cannot"));
        assert!(of(&tree, &["/"]).unwrap_err().to_string().contains("the root of an image cannot be removed"));
        assert_eq!(of(&tree, &[]).unwrap(), [""; 0]);
    }
}
