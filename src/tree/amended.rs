//! A tree that is another one but for some entries.
//!
//! Of a layer with very many files, what is to be put into it and what is put in the end are two trees, and mostly the
//! same. So the second is kept as what differs from the first.

use std::collections::BTreeMap;

use super::{Entry, Node, Tree};
use crate::name::ImagePath;

/// A tree, and what is different in another.
#[derive(Clone, Debug)]
pub struct Amended<'t> {
    tree: &'t Tree,
    /// What lies somewhere instead; none where nothing does.
    amendments: BTreeMap<ImagePath, Option<Entry>>,
}

impl<'t> From<&'t Tree> for Amended<'t> {
    fn from(tree: &'t Tree) -> Self {
        Self { tree, amendments: BTreeMap::new() }
    }
}

impl PartialEq for Amended<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Amended<'_> {}

impl Amended<'_> {
    /// Puts an entry at a path, in place of what lies there.
    pub fn insert(&mut self, path: ImagePath, entry: Entry) {
        self.amendments.insert(path, Some(entry));
    }

    /// Leaves out what the tree has at a path. What was put there instead stays.
    pub fn leave_out(&mut self, path: &ImagePath) {
        self.amendments.entry(path.clone()).or_insert(None);
    }

    /// Takes what the tree has at a path, in place of what lies there.
    pub fn restore(&mut self, path: &ImagePath) {
        self.amendments.remove(path);
    }

    /// What lies at a path.
    #[must_use]
    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.amendments.get(path).map_or_else(|| self.tree.get(path), Option::as_ref)
    }

    /// All entries, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        let mut plain = self.tree.iter().peekable();
        let mut amended = self.amendments.iter().peekable();
        std::iter::from_fn(move || {
            loop {
                let plain_first = match (plain.peek(), amended.peek()) {
                    (Some((plain, _)), Some((amended, _))) => plain < amended,
                    (_, amended) => amended.is_none(),
                };
                if plain_first {
                    return plain.next();
                }
                let (path, entry) = amended.next()?;
                plain.next_if(|(replaced, _)| *replaced == path);
                if let Some(entry) = entry {
                    return Some((path, entry));
                }
            }
        })
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The bytes of all files together.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.iter().map(|(_, entry)| if let Node::File { size, .. } = entry.node { size } else { 0 }).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::tree::{Mode, Owner};

    fn file(size: u64) -> Entry {
        let node = Node::File { digest: Digest::of(&size.to_le_bytes()), size };
        Entry { mode: Mode::new(0o644), owner: Owner::default(), node }
    }

    fn path(name: &str) -> ImagePath {
        format!("/{name}").parse().unwrap()
    }

    #[test]
    fn what_is_left_out_was_not_put_by_others() {
        let tree: Tree = [(path("a"), file(1)), (path("b"), file(2))].into_iter().collect();
        let mut amended = Amended::from(&tree);
        amended.insert(path("a"), file(3));
        amended.leave_out(&path("a"));
        assert_eq!(amended.get(&path("a")), Some(&file(3)));
        amended.restore(&path("a"));
        assert_eq!(amended, Amended::from(&tree));
        amended.leave_out(&path("a"));
        amended.leave_out(&path("b"));
        assert!(amended.is_empty() && !tree.is_empty());
    }

    proptest! {
        #[test]
        fn it_is_as_if_a_copy_were_changed(
            names in prop::collection::btree_set("[abc](/[abc]){0,1}", 0..6),
            acts in prop::collection::vec((0..3, "[abc](/[abc]){0,1}", 10..20_u64), 0..12),
        ) {
            let tree: Tree = (0..).zip(&names).map(|(size, name)| (path(name), file(size))).collect();
            let mut amended = Amended::from(&tree);
            let mut copy = tree.clone();
            for (act, name, size) in acts {
                let path = path(&name);
                match act {
                    0 => {
                        amended.insert(path.clone(), file(size));
                        copy.insert(path, file(size));
                    }
                    1 => {
                        amended.leave_out(&path);
                        if copy.get(&path) == tree.get(&path) {
                            copy.remove(&path);
                        }
                    }
                    _ => {
                        amended.restore(&path);
                        copy.remove(&path);
                        tree.get(&path).and_then(|entry| copy.insert(path, entry.clone()));
                    }
                }
            }
            prop_assert!(amended.iter().eq(copy.iter()));
            prop_assert_eq!(amended.is_empty(), copy.is_empty());
            prop_assert_eq!(amended.size(), copy.size());
            for name in &names {
                prop_assert_eq!(amended.get(&path(name)), copy.get(&path(name)));
            }
        }
    }
}
