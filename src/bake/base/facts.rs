//! What a lock says of a base's files, as answers.

use std::collections::BTreeMap;

use crate::image::below::{Below, BelowError};
use crate::lock::Found;
use crate::name::ImagePath;
use crate::tree::{Entry, Node};

/// What a lock says of a base's files. Whoever asks for more gets an error.
pub struct Remembered<'l>(pub &'l BTreeMap<ImagePath, Found>);

impl Remembered<'_> {
    /// What lies at a path, as far as is known: where nothing is, or a file, nothing lies below it.
    #[must_use]
    pub fn answer(&self, path: &ImagePath) -> Option<Option<Entry>> {
        match self.0.get(path) {
            Some(Found::Nothing) => return Some(None),
            Some(Found::Entry(entry)) => return Some(Some(entry.clone())),
            None => {}
        }
        let mut above = path.parent().filter(|_| !self.0.is_empty());
        while let Some(folder) = above {
            match self.0.get(&folder) {
                Some(Found::Entry(Entry { node: Node::Folder, .. })) => return None,
                Some(_) => return Some(None),
                None => above = folder.parent(),
            }
        }
        None
    }

    /// Leaves out what follows from the rest.
    #[must_use]
    pub fn prune(facts: BTreeMap<ImagePath, Found>) -> BTreeMap<ImagePath, Found> {
        let mut kept = BTreeMap::new();
        // Folders come before what is in them.
        for (path, found) in facts {
            if Remembered(&kept).answer(&path).is_none() {
                kept.insert(path, found);
            }
        }
        kept
    }
}

impl Below for Remembered<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError> {
        self.answer(path).ok_or_else(|| format!("the lock does not say what {path} is").into())
    }

    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError> {
        Err(format!("the lock does not say what is in {folder}").into())
    }

    fn bytes(&self, path: &ImagePath, _: u64) -> Result<Option<Vec<u8>>, BelowError> {
        Err(format!("the lock does not say what is in {path}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(lines: &[(&str, &str)]) -> BTreeMap<ImagePath, Found> {
        lines.iter().map(|(path, found)| (path.parse().unwrap(), found.parse().unwrap())).collect()
    }

    #[test]
    fn what_is_in_nothing_is_nothing() {
        let facts = facts(&[
            ("/opt", "folder 0755 0:0"),
            ("/opt/a", "nothing"),
            ("/bin", "link 0777 0:0 usr/bin"),
            ("/usr", "folder 0750 0:0"),
        ]);
        let answer = |path: &str| Remembered(&facts).answer(&path.parse().unwrap());
        for absent in ["/opt/a", "/opt/a/b/c", "/bin/sh"] {
            assert_eq!(answer(absent), Some(None), "{absent}");
        }
        for unknown in ["/opt/b", "/usr/bin/sh", "/etc", "/"] {
            assert_eq!(answer(unknown), None, "{unknown}");
        }
        assert_eq!(answer("/usr").unwrap().unwrap().mode.bits(), 0o750);
        assert_eq!(Remembered(&BTreeMap::new()).answer(&"/a".parse().unwrap()), None);
        let remembered = Remembered(&facts);
        assert!(remembered.entry(&"/etc".parse().unwrap()).is_err() && remembered.names(&ImagePath::root()).is_err());
        assert!(remembered.bytes(&"/usr".parse().unwrap(), 1).is_err());
    }

    #[test]
    fn what_follows_is_left_out() {
        let all = facts(&[
            ("/a", "folder 0755 0:0"),
            ("/a/b", "nothing"),
            ("/a/b/c", "nothing"),
            ("/a/b/c/d", "nothing"),
            ("/b", "nothing"),
        ]);
        let pruned = Remembered::prune(all.clone());
        assert_eq!(pruned.keys().map(ImagePath::as_str).collect::<Vec<_>>(), ["/a", "/a/b", "/b"]);
        assert!(all.keys().all(|path| Remembered(&all).answer(path) == Remembered(&pruned).answer(path)));
    }
}
