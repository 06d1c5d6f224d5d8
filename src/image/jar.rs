//! Classes taken out of jars that the image has from elsewhere: the usual remedy for a class that must not be there,
//! before there is a release without it. The layer holds the changed jars and nothing else, and of each jar all that
//! stays keeps its bytes.

mod directory;
mod find;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;

use super::below::{Below, BelowError};
use crate::contents::{Contents, Spool};
use crate::name::ImagePath;
use crate::recipe::Jar;
use crate::tree::{Entry, Node, Tree};

use directory::Directory;

/// Bigger jars are read by nobody here: a jar is held in memory while it is changed.
pub const LARGEST_JAR: u64 = 256 << 20;

/// Why jars are not changed.
#[derive(Debug, thiserror::Error)]
pub enum JarError {
    /// There is no such jar.
    #[error("no file of the image matches `{0}`")]
    NoJar(String),
    /// There is nothing to take out.
    #[error("no jar that matches `{pattern}` holds `{entry}`; there {}: {}", if .jars.len() == 1 { "is" } else { "are" }, shown(.jars))]
    NoEntry {
        /// Which jars.
        pattern: String,
        /// What is in none of them.
        entry: String,
        /// All that match.
        jars: Vec<ImagePath>,
    },
    /// A jar is not changed.
    #[error("{path}: {what}")]
    Jar {
        /// Which jar.
        path: ImagePath,
        /// Why.
        what: Refusal,
    },
    /// The image so far cannot be read.
    #[error("the jars of the image cannot be read: {0}")]
    Below(#[from] BelowError),
    /// The changed jar cannot be put anywhere.
    #[error("a changed jar cannot be kept: {0}")]
    Spool(#[from] io::Error),
}

/// Why one jar is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no jar, or a damaged one.
    #[error("{0}")]
    Damaged(String),
    /// Java may refuse what is left of it.
    #[error("it is signed by {0}, and Java may refuse it without what was signed")]
    Signed(String),
    /// It holds the same class once more.
    #[error("it holds `{0}`, which newer versions of Java would load in its place")]
    Variant(String),
}

impl JarError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoJar(_) => {
                "correct the step's `path`, or remove the step if the base has no such jar any more".to_owned()
            }
            Self::NoEntry { .. } => "correct its name, or remove it from the step if it is gone already".to_owned(),
            Self::Jar { what: Refusal::Signed(name), .. } => {
                format!("take out the signature too: add `{name}` to `remove`")
            }
            Self::Jar { what: Refusal::Variant(name), .. } => format!("add `{name}` to `remove`"),
            Self::Jar { what: Refusal::Damaged(_), .. } => "let the step's `path` match whole jars only".to_owned(),
            Self::Below(_) | Self::Spool(_) => return None,
        })
    }
}

fn shown(jars: &[ImagePath]) -> String {
    let first: Vec<_> = jars.iter().take(3).map(ToString::to_string).collect();
    match jars.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The jars of the image that a step changes, with the modes and owners they have.
///
/// # Errors
/// When no jar matches, when what is to be taken out is in none of them, and when a jar is not as jars are.
pub fn step(jar: &Jar, below: &dyn Below, mut spool: Spool) -> Result<(Tree, Contents), JarError> {
    let pattern = jar.path.to_string();
    let found = find::files(&jar.path, below)?;
    if found.is_empty() {
        return Err(JarError::NoJar(pattern));
    }
    let mut tree = Tree::default();
    let mut missing: BTreeSet<&str> = jar.remove.iter().map(String::as_str).collect();
    for (path, entry) in &found {
        let refuse = |what| JarError::Jar { path: path.clone(), what };
        let lost = || refuse(Refusal::Damaged("it cannot be read".to_owned()));
        let bytes = below.bytes(path, LARGEST_JAR)?.ok_or_else(lost)?;
        let Some(cut) = remove(&bytes, &jar.remove).map_err(refuse)? else { continue };
        for name in &cut.removed {
            missing.remove(name.as_str());
        }
        let (digest, size) = spool.take(&mut cut.bytes.as_slice(), LARGEST_JAR)?;
        tree.insert(path.clone(), Entry { node: Node::File { digest, size }, ..entry.clone() });
    }
    if let Some(entry) = missing.first() {
        let jars = found.into_iter().map(|(path, _)| path).collect();
        return Err(JarError::NoEntry { pattern, entry: (*entry).to_owned(), jars });
    }
    Ok((tree, spool.finish()?))
}

/// A jar without some of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The jar.
    pub bytes: Vec<u8>,
    /// What was taken out.
    pub removed: BTreeSet<String>,
}

/// Takes entries out of a jar; `None` where it has none of them. What stays keeps its bytes and its order.
///
/// # Errors
/// When it is no jar, and when Java would not take what is left, or not miss what is gone.
pub fn remove(jar: &[u8], names: &BTreeSet<String>) -> Result<Option<Cut>, Refusal> {
    let directory = Directory::read(jar).map_err(Refusal::Damaged)?;
    let (gone, kept): (BTreeSet<&str>, BTreeSet<&str>) =
        directory.entries.iter().map(|entry| entry.name).partition(|name| names.contains(*name));
    if gone.is_empty() {
        return Ok(None);
    }
    if let Some(signature) = kept.iter().find(|name| is_signature(name)) {
        return Err(Refusal::Signed((*signature).to_owned()));
    }
    if let Some(variant) = kept.iter().find(|name| variant_of(name).is_some_and(|of| gone.contains(of))) {
        return Err(Refusal::Variant((*variant).to_owned()));
    }
    let bytes = directory.without(&gone);
    Ok(Some(Cut { bytes, removed: gone.into_iter().map(str::to_owned).collect() }))
}

/// Whether an entry is a part of a jar's signature, as Java's specification of jars says.
fn is_signature(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let Some(file) = name.strip_prefix("META-INF/").filter(|file| !file.contains('/')) else { return false };
    file.starts_with("SIG-") || [".SF", ".RSA", ".DSA", ".EC"].iter().any(|ending| file.ends_with(ending))
}

/// Which entry another is a variant of, for a newer version of Java.
fn variant_of(name: &str) -> Option<&str> {
    let (version, rest) = name.strip_prefix("META-INF/versions/")?.split_once('/')?;
    version.bytes().all(|c| c.is_ascii_digit()).then_some(rest)
}
