//! What an image holds when all its layers lie on each other.

use std::collections::BTreeMap;

use super::listing::{Listing, Special};
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner};

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A folder, file or link.
    Entry(Entry),
    /// A device or a pipe.
    Special(Special),
}

/// A thing and the layer that put it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What it is.
    pub thing: Thing,
    /// The number of the layer, from the bottom up.
    pub layer: usize,
}

/// The files of an image, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flat(BTreeMap<ImagePath, Held>);

impl Thing {
    /// Its permissions.
    #[must_use]
    pub fn mode(&self) -> Mode {
        match self {
            Self::Entry(entry) => entry.mode,
            Self::Special(special) => special.mode,
        }
    }

    /// Its owner.
    #[must_use]
    pub fn owner(&self) -> Owner {
        match self {
            Self::Entry(entry) => entry.owner,
            Self::Special(special) => special.owner,
        }
    }

    /// The bytes of its content.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Entry(Entry { node: Node::File { size, .. }, .. }) => *size,
            _ => 0,
        }
    }

    /// Whether things can lie in it.
    #[must_use]
    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Entry(Entry { node: Node::Folder, .. }))
    }
}

impl Flat {
    /// Puts a layer on what is there.
    pub fn put(&mut self, layer: usize, listing: &Listing) {
        // What a layer removes lies below it, whatever the order of its entries.
        for path in &listing.removed {
            self.drop_within(path);
            self.0.remove(path);
        }
        listing.cleared.iter().for_each(|path| self.drop_within(path));
        let entries = listing.tree.iter().map(|(path, entry)| (path, Thing::Entry(entry.clone())));
        let special = listing.special.iter().map(|(path, special)| (path, Thing::Special(*special)));
        for (path, thing) in entries.chain(special) {
            if !thing.is_folder() {
                self.drop_within(path);
            }
            self.0.insert(path.clone(), Held { thing, layer });
        }
    }

    /// What lies at a path.
    #[must_use]
    pub fn get(&self, path: &ImagePath) -> Option<&Held> {
        self.0.get(path)
    }

    /// All of it, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Held)> {
        self.0.iter()
    }

    /// Drops what lies below a path, not the path itself.
    fn drop_within(&mut self, folder: &ImagePath) {
        // Usually nothing does, and then nothing is copied.
        let below: Vec<_> = self
            .0
            .range(folder.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.is_within(folder))
            .filter(|path| *path != folder)
            .cloned()
            .collect();
        below.iter().for_each(|path| drop(self.0.remove(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn listing(entries: &[(&str, Node)]) -> Listing {
        let mut listing = Listing::default();
        for (path, node) in entries {
            let entry = Entry { mode: Mode::new(0o644), owner: Owner::default(), node: node.clone() };
            listing.tree.insert(path.parse().unwrap(), entry);
        }
        listing
    }

    fn file(text: &str) -> Node {
        Node::File { digest: Digest::of(text.as_bytes()), size: text.len() as u64 }
    }

    fn paths(flat: &Flat) -> Vec<(String, usize)> {
        flat.iter().map(|(path, held)| (path.to_string(), held.layer)).collect()
    }

    #[test]
    fn layers_lie_on_each_other_and_take_away() {
        let mut flat = Flat::default();
        flat.put(0, &listing(&[("/a", Node::Folder), ("/a/x", file("x")), ("/a/y", file("y")), ("/ab", file("z"))]));
        flat.put(1, &listing(&[("/a", Node::Folder), ("/a/x", file("other"))]));
        assert_eq!(paths(&flat), [("/a".into(), 1), ("/a/x".into(), 1), ("/a/y".into(), 0), ("/ab".into(), 0)]);
        let mut gone = Listing { removed: ["/a".parse().unwrap()].into(), ..Listing::default() };
        let mut without = flat.clone();
        without.put(2, &gone);
        assert_eq!(paths(&without), [("/ab".into(), 0)]);
        // An opaque folder takes away what was in it before, and not what its own layer puts there.
        gone = listing(&[("/a/new", file("new"))]);
        gone.cleared.insert("/a".parse().unwrap());
        flat.put(2, &gone);
        assert_eq!(paths(&flat), [("/a".into(), 1), ("/a/new".into(), 2), ("/ab".into(), 0)]);
    }

    #[test]
    fn what_is_no_folder_has_nothing_in_it() {
        let mut flat = Flat::default();
        flat.put(0, &listing(&[("/lib", Node::Folder), ("/lib/x", file("x"))]));
        flat.put(1, &listing(&[("/lib", Node::Link("usr/lib".to_owned()))]));
        assert_eq!(paths(&flat), [("/lib".into(), 1)]);
    }
}
