//! What lies at a path of a base, in the words of a lock.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::text::read_as_text;
use crate::tree::{Entry, Node};

/// What lies at a path of a base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing, and so nothing below it either.
    Nothing,
    /// Something.
    Entry(Entry),
}

/// Why a text is no [`Found`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say what lies there: it is `nothing`, or an entry as `elkbake lock` writes it")]
pub struct FoundError(String);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Entry(Entry { mode, owner, node }) = self else { return f.write_str("nothing") };
        match node {
            Node::Folder => write!(f, "folder {mode} {owner}"),
            Node::File { digest, size } => write!(f, "file {mode} {owner} {size} {digest}"),
            Node::Link(target) => write!(f, "link {mode} {owner} {target}"),
        }
    }
}

impl FromStr for Found {
    type Err = FoundError;

    fn from_str(text: &str) -> Result<Self, FoundError> {
        parse(text).ok_or_else(|| FoundError(text.chars().take(100).collect()))
    }
}

fn parse(text: &str) -> Option<Found> {
    if text == "nothing" {
        return Some(Found::Nothing);
    }
    // The text of a link may hold anything, spaces too.
    let mut words = text.splitn(4, ' ');
    let kind = words.next()?;
    let (mode, owner) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let node = match (kind, words.next()) {
        ("folder", None) => Node::Folder,
        ("link", Some(target)) if !target.is_empty() => Node::Link(target.to_owned()),
        ("file", Some(rest)) => {
            let (size, digest): (&str, &str) = rest.split_once(' ')?;
            let digest: Digest = digest.parse().ok()?;
            Node::File { digest, size: size.parse().ok()? }
        }
        _ => return None,
    };
    Some(Found::Entry(Entry { mode, owner, node }))
}

impl serde::Serialize for Found {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

read_as_text!(Found);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_lies_there_is_read_as_it_is_written() {
        let file = format!("file 4755 0:0 12 {}", Digest::of(b"a"));
        for text in ["nothing", "folder 0775 1000:0", "link 0777 0:0 ../a b", &file] {
            assert_eq!(text.parse::<Found>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "Nothing",
            "nothing 0755 0:0",
            "folder",
            "folder 0755",
            "folder 0755 0:0 x",
            "link 0777 0:0",
            "link 0777 0:0 ",
            "file 0644 0:0 12",
            "file 0644 0:0 x sha256:00",
            "pipe 0644 0:0",
        ] {
            assert!(wrong.parse::<Found>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_says_what_lies_there_or_is_refused(text in "(folder|file|link|nothing)( [0-7]{3,4})?( [0-9]:[0-9])?.{0,9}") {
            if let Ok(found) = text.parse::<Found>() {
                prop_assert_eq!(found.to_string().parse::<Found>().unwrap(), found);
            }
        }
    }
}
