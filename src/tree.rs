//! What lies where: the files that become an image's layer or a host's change, without their bytes.

mod amended;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::name::ImagePath;

pub use amended::Amended;

/// The permission bits of an entry, set-id and sticky bits included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(u16);

/// Why a text is no [`Mode`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no file mode: it is three or four octal digits, as in \"0644\"")]
pub struct ModeError(String);

impl Mode {
    /// The mode with these bits; higher bits do not count.
    #[must_use]
    pub const fn new(bits: u16) -> Self {
        Self(bits & 0o7777)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
}

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        let octal = matches!(text.len(), 3 | 4) && text.bytes().all(|c| (b'0'..=b'7').contains(&c));
        match u16::from_str_radix(text, 8) {
            Ok(bits) if octal => Ok(Self(bits)),
            _ => Err(ModeError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Who owns an entry, in numbers: names mean nothing outside one machine.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// Why a text is no [`Owner`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no owner: it is `UID:GID` in numbers, as in \"1000:0\"")]
pub struct OwnerError(String);

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        text.split_once(':')
            .and_then(|(uid, gid)| Some(Self { uid: number(uid)?, gid: number(gid)? }))
            .ok_or_else(|| OwnerError(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What of a folder is meant, and no default that an image may have otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its owner.
    pub owner: bool,
    /// Its mode.
    pub mode: bool,
}

/// One thing in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its permissions.
    pub mode: Mode,
    /// Its owner.
    pub owner: Owner,
    /// What it is.
    pub node: Node,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A folder.
    Folder,
    /// A file, by its content.
    File {
        /// Which bytes.
        digest: Digest,
        /// How many.
        size: u64,
    },
    /// A symbolic link, with the text it holds.
    Link(String),
}

/// Paths with what lies there, in the order in which they are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<ImagePath, Entry>);

impl FromIterator<(ImagePath, Entry)> for Tree {
    fn from_iter<I: IntoIterator<Item = (ImagePath, Entry)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl IntoIterator for Tree {
    type Item = (ImagePath, Entry);
    type IntoIter = std::collections::btree_map::IntoIter<ImagePath, Entry>;

    /// Takes it apart: what has been taken out needs no memory any more.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Tree {
    /// Puts an entry at a path and returns the one that was there.
    pub fn insert(&mut self, path: ImagePath, entry: Entry) -> Option<Entry> {
        self.0.insert(path, entry)
    }

    /// What lies at a path.
    #[must_use]
    pub fn get(&self, path: &ImagePath) -> Option<&Entry> {
        self.0.get(path)
    }

    /// All entries, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&ImagePath, &Entry)> {
        self.0.iter()
    }

    /// Takes an entry out. What lies below it stays.
    pub fn remove(&mut self, path: &ImagePath) -> Option<Entry> {
        self.0.remove(path)
    }

    /// The entries of a folder and of all below it, itself included.
    pub fn within<'t>(&'t self, folder: &'t ImagePath) -> impl Iterator<Item = (&'t ImagePath, &'t Entry)> {
        self.0.range(folder..).take_while(move |(path, _)| path.is_within(folder))
    }

    /// The names directly in a folder, sorted; a name counts that only leads to something further down.
    pub fn names<'t>(&'t self, folder: &'t ImagePath) -> impl Iterator<Item = &'t str> {
        let depth = folder.components().count();
        let mut last = None;
        self.within(folder).filter_map(move |(path, _)| {
            let name = path.components().nth(depth)?;
            (last.replace(name) != Some(name)).then_some(name)
        })
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bytes of all files together.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.values().map(|entry| if let Node::File { size, .. } = entry.node { size } else { 0 }).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_folder() {
        let mut tree = Tree::default();
        let folder = || Entry { mode: Mode::new(0o755), owner: Owner::default(), node: Node::Folder };
        for path in ["/a", "/a-b/x/y", "/a/b", "/a/c/d", "/a/c/e", "/ab"] {
            tree.insert(path.parse().unwrap(), folder());
        }
        let names = |path: &str| tree.names(&path.parse().unwrap()).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(names("/"), ["a", "a-b", "ab"]);
        assert_eq!(names("/a"), ["b", "c"]);
        assert_eq!(names("/a/b"), [""; 0]);
        assert_eq!(tree.within(&"/a".parse().unwrap()).count(), 4);
    }

    #[test]
    fn modes() {
        assert_eq!("0644".parse::<Mode>().unwrap(), Mode::new(0o644));
        assert_eq!("755".parse::<Mode>().unwrap().to_string(), "0755");
        assert_eq!("4755".parse::<Mode>().unwrap().bits(), 0o4755);
        for wrong in ["", "0", "64", "0o644", "0888", "+755", "00644", "rw-"] {
            assert!(wrong.parse::<Mode>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn owners() {
        assert_eq!("1000:0".parse::<Owner>().unwrap(), Owner { uid: 1000, gid: 0 });
        for wrong in ["", "root", "0", ":", "0:", "-1:0", "+1:0", "0:0:0", "4294967296:0", "root:root"] {
            assert!(wrong.parse::<Owner>().is_err(), "{wrong}");
        }
    }
}
