//! What a layer does to the files below it, without their bytes.
//!
//! Kept in the store for each layer that was read or written, as lines of text: whoever asks what an image holds does
//! not unpack it again.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::io;

use crate::digest::Digest;
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// The first line of the text form; another form gets another number.
const HEAD: &str = "elkbake listing 1";

/// What a layer does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// What it puts where. Hard links are files with the content of what they link to.
    pub tree: Tree,
    /// Paths below that it removes.
    pub removed: BTreeSet<ImagePath>,
    /// Folders whose content below it removes.
    pub cleared: BTreeSet<ImagePath>,
    /// Devices, pipes, and links whose texts are no UTF-8: bases may have them.
    pub special: BTreeMap<ImagePath, Special>,
    /// Hard links, which bases may have, to what is not in this layer but below it: from where to where.
    pub linked: BTreeMap<ImagePath, ImagePath>,
}

/// A device or a pipe, or a link whose text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Special {
    /// Its permissions.
    pub mode: Mode,
    /// Its owner.
    pub owner: Owner,
    /// `b`, `c`, `p` or `l`, as `ls -l` shows it.
    pub kind: char,
}

/// A listing that cannot be read: another elkbake's, or damaged. It can always be made again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of a layer's listing cannot be read")]
pub struct ListingError(usize);

impl Listing {
    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.lines(self.tree.iter(), |line| text.write_fmt(line));
        text
    }

    /// Writes the text form as it would be with these entries in place of its own: whoever has a big tree elsewhere need
    /// not copy it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_with<'e>(
        &self,
        entries: impl Iterator<Item = (&'e ImagePath, &'e Entry)>,
        to: &mut dyn io::Write,
    ) -> io::Result<()> {
        self.lines(entries, |line| to.write_fmt(line))
    }

    fn lines<'e, E>(
        &self,
        entries: impl Iterator<Item = (&'e ImagePath, &'e Entry)>,
        mut line: impl FnMut(fmt::Arguments<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        line(format_args!("{HEAD}\n"))?;
        for (path, Entry { mode, owner, node }) in entries {
            let path = escape(path.as_str());
            match node {
                Node::Folder => line(format_args!("d\t{mode}\t{owner}\t{path}\n"))?,
                Node::File { digest, size } => {
                    line(format_args!("f\t{mode}\t{owner}\t{path}\t{size}\t{}\n", digest.hex()))?;
                }
                Node::Link(target) => line(format_args!("l\t{mode}\t{owner}\t{path}\t{}\n", escape(target)))?,
            }
        }
        for (path, Special { mode, owner, kind }) in &self.special {
            line(format_args!("s\t{mode}\t{owner}\t{}\t{kind}\n", escape(path.as_str())))?;
        }
        for (path, target) in &self.linked {
            line(format_args!("h\t{}\t{}\n", escape(path.as_str()), escape(target.as_str())))?;
        }
        let mut paths = |kind: char, paths: &BTreeSet<ImagePath>| {
            paths.iter().try_for_each(|path| line(format_args!("{kind}\t{}\n", escape(path.as_str()))))
        };
        paths('w', &self.removed)?;
        paths('o', &self.cleared)
    }

    /// What a layer of our own making says of a path: what it puts there, or that nothing is there any more; `None` where
    /// that is left to what lies below.
    #[must_use]
    pub fn says(&self, path: &ImagePath) -> Option<Option<&Entry>> {
        match self.tree.get(path) {
            Some(entry) => Some(Some(entry)),
            None => self.hides(path).then_some(None),
        }
    }

    /// Whether what lies at a path below is not to be seen any more: it, or a folder it is in, was removed or replaced.
    fn hides(&self, path: &ImagePath) -> bool {
        let mut at = Some(path.clone());
        while let Some(this) = at {
            let replaced = this != *path && self.tree.get(&this).is_some_and(|entry| entry.node != Node::Folder);
            let cleared = this != *path && self.cleared.contains(&this);
            if replaced || cleared || self.removed.contains(&this) {
                return true;
            }
            at = this.parent();
        }
        false
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The first line that is no such text.
    pub fn parse(text: &str) -> Result<Self, ListingError> {
        let mut listing = Self::default();
        let mut entries = Vec::new();
        let mut lines = text.lines().enumerate();
        if lines.next() != Some((0, HEAD)) {
            return Err(ListingError(1));
        }
        for (i, line) in lines {
            listing.add(line, &mut entries).ok_or(ListingError(i + 1))?;
        }
        listing.tree = entries.into_iter().collect();
        Ok(listing)
    }

    /// Takes in a line. What the tree has to take goes to `entries`: all at once it takes them much faster.
    fn add(&mut self, line: &str, entries: &mut Vec<(ImagePath, Entry)>) -> Option<()> {
        let mut fields = line.split('\t');
        let kind = fields.next()?;
        if kind == "h" {
            self.linked.insert(unescape(fields.next()?)?.parse().ok()?, unescape(fields.next()?)?.parse().ok()?);
            return fields.next().is_none().then_some(());
        }
        if matches!(kind, "w" | "o") {
            let path = unescape(fields.next()?)?.parse().ok()?;
            if kind == "w" { &mut self.removed } else { &mut self.cleared }.insert(path);
            return fields.next().is_none().then_some(());
        }
        let (mode, owner) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let path = unescape(fields.next()?)?.parse().ok()?;
        let node = match kind {
            "d" => Node::Folder,
            "f" => Node::File { size: fields.next()?.parse().ok()?, digest: Digest::from_hex(fields.next()?).ok()? },
            "l" => Node::Link(unescape(fields.next()?)?.into_owned()),
            "s" => {
                let kind = fields.next()?.parse().ok().filter(|kind| matches!(kind, 'b' | 'c' | 'p' | 'l'))?;
                self.special.insert(path, Special { mode, owner, kind });
                return fields.next().is_none().then_some(());
            }
            _ => return None,
        };
        entries.push((path, Entry { mode, owner, node }));
        fields.next().is_none().then_some(())
    }
}

fn escape(text: &str) -> String {
    if text.contains(['\\', '\t', '\n', '\r']) {
        text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
    } else {
        text.to_owned()
    }
}

fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                't' => '\t',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            c => c,
        });
    }
    Some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(names: &[String]) -> Listing {
        let mut listing = Listing::default();
        for (i, name) in names.iter().enumerate() {
            let Ok(path) = format!("/{name}").parse::<ImagePath>() else { continue };
            let (mode, owner) = (Mode::new(0o640), Owner { uid: 1000, gid: 0 });
            let node = match i % 7 {
                0 => Node::Folder,
                1 => Node::File { digest: Digest::of(name.as_bytes()), size: u64::MAX },
                2 => Node::Link(format!("../{name}")),
                3 => {
                    listing.special.insert(path, Special { mode, owner, kind: 'c' });
                    continue;
                }
                6 => {
                    listing.linked.insert(path.clone(), path);
                    continue;
                }
                n => {
                    if n == 4 { &mut listing.removed } else { &mut listing.cleared }.insert(path);
                    continue;
                }
            };
            listing.tree.insert(path, Entry { mode, owner, node });
        }
        listing
    }

    proptest! {
        #[test]
        fn a_listing_is_read_as_it_was_written(names: Vec<String>) {
            let listing = listing(&names);
            prop_assert_eq!(Listing::parse(&listing.to_text()).unwrap(), listing);
        }

        #[test]
        fn no_text_breaks_the_reader(text: String) {
            let _ = Listing::parse(&format!("{HEAD}\n{text}"));
        }
    }

    #[test]
    fn what_is_no_listing_is_refused_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("elkbake listing 2\n", 1),
            ("elkbake listing 1\nd\t0755\t0:0\n", 2),
            ("elkbake listing 1\nw\t/a\nd\t0755\t0:0\t/a\tmore\n", 3),
            ("elkbake listing 1\nw\t/a\\q\n", 2),
            ("elkbake listing 1\nh\t/a\n", 2),
            ("elkbake listing 1\nh\t/a\t/b\tmore\n", 2),
        ] {
            assert_eq!(Listing::parse(text), Err(ListingError(line)), "{text}");
        }
    }
}
