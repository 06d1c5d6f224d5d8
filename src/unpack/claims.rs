//! Which paths are taken, and by what.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// A tree that grows entry by entry, and in which no two of them claim one place.
///
/// Every entry's folders are in it. The root is not: it is there without being made.
#[derive(Debug, Default)]
pub(super) struct Claims {
    tree: Tree,
    /// Folders that nothing but a path of something in them speaks of.
    implied: BTreeSet<ImagePath>,
    /// Paths that are not all lower case, by what they are in lower case. All others are their own lower case.
    cased: BTreeMap<String, ImagePath>,
    owner: Owner,
}

/// Why a path cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// Something is there.
    Twice,
    /// What should be a folder, for this or for others, is something else.
    NoFolder(ImagePath),
    /// It would lie behind a link.
    Through(ImagePath),
    /// There is a path that differs from this by case only.
    Case(ImagePath),
}

impl Claims {
    /// No paths yet; folders that have to be made belong to `owner`.
    pub(super) fn new(owner: Owner) -> Self {
        Self { owner, ..Self::default() }
    }

    /// What is claimed so far.
    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// All that was claimed.
    pub(super) fn into_tree(self) -> Tree {
        self.tree
    }

    /// Whether a path is free for a folder, or for something else. Makes the folders that lead to it, and tells how
    /// long the paths are of those that were not there.
    pub(super) fn check(&mut self, path: &ImagePath, folder: bool) -> Result<Vec<usize>, Clash> {
        let made = self.make_parents(path)?;
        match self.tree.get(path) {
            Some(_) if folder && self.implied.contains(path) => {}
            Some(entry) if !folder && entry.node == Node::Folder => return Err(Clash::NoFolder(path.clone())),
            Some(entry) if folder && entry.node != Node::Folder => return Err(Clash::NoFolder(path.clone())),
            Some(_) => return Err(Clash::Twice),
            None => self.check_case(path)?,
        }
        Ok(made)
    }

    /// Puts something at a path that was found free.
    pub(super) fn put(&mut self, path: ImagePath, entry: Entry) {
        self.implied.remove(&path);
        self.remember_case(&path);
        self.tree.insert(path, entry);
    }

    fn make_parents(&mut self, path: &ImagePath) -> Result<Vec<usize>, Clash> {
        let mut missing = Vec::new();
        let mut at = path.parent();
        while let Some(folder) = at.filter(|folder| !folder.is_root()) {
            match self.tree.get(&folder).map(|entry| &entry.node) {
                // Its own folders were made when it came.
                Some(Node::Folder) => break,
                Some(Node::Link(_)) => return Err(Clash::Through(folder)),
                Some(Node::File { .. }) => return Err(Clash::NoFolder(folder)),
                None => self.check_case(&folder)?,
            }
            at = folder.parent();
            missing.push(folder);
        }
        let lengths = missing.iter().map(|folder| folder.as_str().len()).collect();
        for folder in missing {
            self.put(folder.clone(), Entry { mode: Mode::new(0o755), owner: self.owner, node: Node::Folder });
            self.implied.insert(folder);
        }
        Ok(lengths)
    }

    fn check_case(&self, path: &ImagePath) -> Result<(), Clash> {
        let lower = lower(path);
        if let Some(other) = self.cased.get(&lower).filter(|other| *other != path) {
            return Err(Clash::Case(other.clone()));
        }
        match lower.parse::<ImagePath>() {
            Ok(lower) if lower != *path && self.tree.get(&lower).is_some() => Err(Clash::Case(lower)),
            _ => Ok(()),
        }
    }

    fn remember_case(&mut self, path: &ImagePath) {
        let lower = lower(path);
        if lower != path.as_str() {
            self.cased.insert(lower, path.clone());
        }
    }
}

/// Letter by letter, so that it is the same wherever a letter stands.
fn lower(path: &ImagePath) -> String {
    let text = path.as_str();
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn claim(claims: &mut Claims, path: &str, node: Node) -> Result<Vec<usize>, Clash> {
        let path: ImagePath = path.parse().unwrap();
        let made = claims.check(&path, node == Node::Folder)?;
        claims.put(path, Entry { mode: Mode::new(0o700), owner: Owner::default(), node });
        Ok(made)
    }

    fn file() -> Node {
        Node::File { digest: Digest::of(b""), size: 0 }
    }

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn folders_on_the_way_are_made_and_may_be_stated_once() {
        let mut claims = Claims::new(Owner { uid: 7, gid: 8 });
        assert_eq!(claim(&mut claims, "/a/b/c", file()), Ok(vec![4, 2]));
        assert_eq!(claim(&mut claims, "/a/b/d", file()), Ok(vec![]));
        let made = claims.tree().get(&path("/a/b")).unwrap();
        assert_eq!((made.mode, made.owner), (Mode::new(0o755), Owner { uid: 7, gid: 8 }));
        assert_eq!(claim(&mut claims, "/a/b", Node::Folder), Ok(vec![]));
        assert_eq!(claims.tree().get(&path("/a/b")).unwrap().mode, Mode::new(0o700));
        assert_eq!(claim(&mut claims, "/a/b", Node::Folder), Err(Clash::Twice));
        assert_eq!(claims.into_tree().len(), 4);
    }

    #[test]
    fn one_place_is_claimed_once_and_as_one_thing() {
        let mut claims = Claims::default();
        claim(&mut claims, "/d/f", file()).unwrap();
        claim(&mut claims, "/l", Node::Link("d".to_owned())).unwrap();
        for (wrong, node, clash) in [
            ("/d/f", file(), Clash::Twice),
            ("/l", file(), Clash::Twice),
            ("/d", file(), Clash::NoFolder(path("/d"))),
            ("/l", Node::Folder, Clash::NoFolder(path("/l"))),
            ("/d/f/x", file(), Clash::NoFolder(path("/d/f"))),
            ("/d/f/x/y", Node::Folder, Clash::NoFolder(path("/d/f"))),
            ("/l/x", file(), Clash::Through(path("/l"))),
            ("/l/x/y", file(), Clash::Through(path("/l"))),
        ] {
            assert_eq!(claim(&mut claims, wrong, node), Err(clash), "{wrong}");
        }
    }

    #[test]
    fn paths_that_differ_by_case_only_clash_whichever_comes_first() {
        for (one, other, clash) in [
            ("/a/B", "/a/b", "/a/B"),
            ("/a/b", "/a/B", "/a/b"),
            ("/A/x", "/a/y", "/A"),
            ("/a/x", "/A/y", "/a"),
            ("/aB", "/Ab", "/aB"),
            ("/Ä", "/ä", "/Ä"),
            ("/ΑΣ", "/ας/x", "/ΑΣ"),
        ] {
            let mut claims = Claims::default();
            claim(&mut claims, one, file()).unwrap();
            if one == "/ΑΣ" {
                // The final sigma is another letter.
                assert_eq!(claim(&mut claims, other, file()), Ok(vec!["/ας".len()]));
                assert_eq!(claim(&mut claims, "/ασ", file()), Err(Clash::Case(path(clash))));
            } else {
                assert_eq!(claim(&mut claims, other, file()), Err(Clash::Case(path(clash))), "{one} {other}");
            }
        }
        let mut claims = Claims::default();
        claim(&mut claims, "/A/x", file()).unwrap();
        assert_eq!(claim(&mut claims, "/A/y", file()), Ok(vec![]));
        assert_eq!(claim(&mut claims, "/A", Node::Folder), Ok(vec![]));
    }
}
