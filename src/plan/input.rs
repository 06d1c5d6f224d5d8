//! The inputs of a key, by name; and what they are called, there and in `plan --why`.

use std::collections::BTreeMap;

use serde::ser::{Serialize, Serializer};

use crate::digest::{Digest, Hasher};
use crate::name::ImagePath;

/// The name of the key's format number among the inputs.
pub(super) const FORMAT: &str = "format";

/// The name of the number of what elkbake itself writes into a host.
pub(super) const HOST_FORMAT: &str = "format host";

/// What begins the name of the order of an array of tables.
pub(super) const ORDER: &str = "order ";

/// What begins the name of a file of the recipe's own.
pub(super) const FILE: &str = "file ";

/// What begins the name of what the recipe says.
pub(super) const RECIPE: &str = "recipe";

/// Every input of a key, by name, with its digest.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Inputs {
    /// All but the recipe's own files.
    pub(super) said: BTreeMap<String, Digest>,
    /// The files, which may be very many: their names are made of paths that others hold too.
    files: Vec<(ImagePath, Digest)>,
}

impl Inputs {
    pub(super) fn new(said: BTreeMap<String, Digest>, mut files: Vec<(ImagePath, Digest)>) -> Self {
        // As names sort, and not as paths do.
        files.sort_unstable_by(|(one, _), (other, _)| one.as_str().cmp(other.as_str()));
        Self { said, files }
    }

    /// All of them, sorted by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, Digest)> {
        self.parts().map(|(name, digest)| (name.concat(), *digest))
    }

    /// The digest of all of them.
    pub(super) fn key(&self) -> Digest {
        key(self.parts())
    }

    /// The digest of the recipe's own files.
    pub(super) fn of_files(&self) -> Digest {
        key(self.parts_of_files())
    }

    /// All of them, with the two parts of their names, which come to the name without being put together.
    fn parts(&self) -> impl Iterator<Item = ([&str; 2], &Digest)> {
        let said = |(name, digest)| (["", String::as_str(name)], digest);
        let before = self.said.range(..FILE.to_owned()).map(said);
        before.chain(self.parts_of_files()).chain(self.said.range(FILE.to_owned()..).map(said))
    }

    fn parts_of_files(&self) -> impl Iterator<Item = ([&str; 2], &Digest)> {
        self.files.iter().map(|(path, digest)| ([FILE, path.as_str()], digest))
    }
}

/// Lengths stand before names, so that no two lists have the same bytes.
fn key<'i>(inputs: impl Iterator<Item = ([&'i str; 2], &'i Digest)>) -> Digest {
    let mut hasher = Hasher::default();
    for (name, digest) in inputs {
        let len: usize = name.iter().map(|part| part.len()).sum();
        hasher.update(&(len as u64).to_le_bytes());
        name.iter().for_each(|part| hasher.update(part.as_bytes()));
        hasher.update(digest.as_bytes());
    }
    hasher.finish().0
}

impl Serialize for Inputs {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_among_the_others_as_their_names_sort() {
        let digest = Digest::of(b"");
        let said = ["exec", "fil", "file", "files", "format"].map(|name| (name.to_owned(), digest));
        let files = ["/a/b", "/a-b", "/a"].map(|path| (path.parse().unwrap(), digest));
        let inputs = Inputs::new(said.into(), files.into());
        let names: Vec<_> = inputs.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["exec", "fil", "file", "file /a", "file /a-b", "file /a/b", "files", "format"]);
    }
}
