//! User data: one document of several parts, as cloud-init takes it, in the 16 KiB that EC2 has for it.
//!
//! The files of a host travel as they are inside a program of bash that puts them at their places: a document is
//! compressed whole, and text in it comes out smaller than any encoding of it. What is no text has its escapes there,
//! so that all of a document is printable ASCII with line feeds, which no mail parser changes.

mod gzip;
pub(in crate::ami) mod shell;
pub(in crate::ami) mod unpack;

use std::io;

use crate::digest::Digest;

/// What EC2 takes, before it is encoded for the wire.
pub const MOST: usize = 16_384;

/// How many of a document's items are named when it is too big.
const NAMED: usize = 8;

/// A document, compressed, in the size that EC2 takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    bytes: Vec<u8>,
    plain: usize,
    items: Vec<Item>,
}

/// Something that is in a document.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Item {
    /// A path on the host, or what else it is for.
    pub name: String,
    /// Its bytes in the document, before that is compressed.
    pub plain: usize,
    /// How much smaller the document is without it.
    pub share: usize,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum UserDataError {
    /// EC2 takes no more.
    #[error("the user data has {size} bytes, and EC2 takes {MOST}; the most of it: {}", largest(items))]
    TooBig {
        /// What it has.
        size: usize,
        /// What it has before it is compressed.
        plain: usize,
        /// What is in it, the largest first.
        items: Vec<Item>,
    },
    /// Commands are for an instance that becomes an image.
    #[error("{0} [[run]] commands are run on the instance that is made into an image, and user data makes none")]
    Run(usize),
    /// A file cannot be read.
    #[error("cannot read {0}")]
    Unreadable(#[from] io::Error),
}

fn largest(items: &[Item]) -> String {
    let named: Vec<_> = items.iter().take(NAMED).map(|item| format!("{} {}", item.name, item.share)).collect();
    named.join(", ")
}

/// What cloud-init does with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ami) enum Kind {
    /// Runs it at every boot, early.
    Boothook,
    /// Reads it as settings.
    Config,
    /// Runs it once on an instance, late.
    Script,
}

/// A stretch of a part: what is counted as one when sizes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ami) struct Chunk {
    /// A path on the host, or what else it is; none for what every document has.
    pub(in crate::ami) name: Option<String>,
    pub(in crate::ami) text: String,
}

impl Chunk {
    /// A stretch that every document has.
    pub(in crate::ami) fn own(text: impl Into<String>) -> Self {
        Self { name: None, text: text.into() }
    }

    /// A stretch that comes of something in the recipe.
    pub(in crate::ami) fn of(name: &str, text: impl Into<String>) -> Self {
        Self { name: Some(name.to_owned()), text: text.into() }
    }
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ami) struct Part {
    pub(in crate::ami) kind: Kind,
    /// What cloud-init calls its file.
    pub(in crate::ami) name: &'static str,
    pub(in crate::ami) chunks: Vec<Chunk>,
}

impl UserData {
    /// The document of some parts.
    pub(in crate::ami) fn of(parts: &[Part]) -> Result<Self, UserDataError> {
        let plain = mime(parts, None);
        let bytes = gzip::gzip(&plain)?;
        let size = bytes.len();
        let items = items(parts, size)?;
        if size > MOST {
            Err(UserDataError::TooBig { size, plain: plain.len(), items })
        } else {
            Ok(Self { bytes, plain: plain.len(), items })
        }
    }

    /// The bytes that an instance is given.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes it has before it is compressed.
    #[must_use]
    pub fn plain(&self) -> usize {
        self.plain
    }

    /// What is in it, the largest first.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }
}

/// What is in a document, with what each adds to its size.
fn items(parts: &[Part], size: usize) -> io::Result<Vec<Item>> {
    let chunks = || parts.iter().flat_map(|part| &part.chunks);
    let mut items = Vec::new();
    for (i, chunk) in chunks().enumerate() {
        let Some(name) = &chunk.name else { continue };
        let without = gzip::gzip(&mime(parts, Some(i)))?.len();
        items.push(Item { name: name.clone(), plain: chunk.text.len(), share: size.saturating_sub(without) });
    }
    let own = chunks().filter(|chunk| chunk.name.is_none()).map(|chunk| chunk.text.len()).sum();
    let rest = size.saturating_sub(items.iter().map(|item| item.share).sum());
    items.push(Item { name: "what puts it there".to_owned(), plain: own, share: rest });
    items.sort_by(|a, b| b.share.cmp(&a.share).then_with(|| a.name.cmp(&b.name)));
    Ok(items)
}

/// The document before it is compressed, without one of its chunks.
fn mime(parts: &[Part], without: Option<usize>) -> Vec<u8> {
    let mut at = 0;
    let mut texts = Vec::new();
    for part in parts {
        let mut text = String::new();
        for chunk in &part.chunks {
            if without != Some(at) {
                text.push_str(&chunk.text);
            }
            at += 1;
        }
        texts.push(text);
    }
    let boundary = boundary(&texts);
    let mut made = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n");
    for (part, text) in parts.iter().zip(texts) {
        let (kind, name) = (kind(part.kind), part.name);
        made += &format!(
            "--{boundary}\nContent-Type: text/{kind}; charset=\"us-ascii\"\nMIME-Version: 1.0\n\
             Content-Transfer-Encoding: 7bit\nContent-Disposition: attachment; filename=\"{name}\"\n\n{text}\n"
        );
    }
    made += &format!("--{boundary}--\n");
    made.into_bytes()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Boothook => "cloud-boothook",
        Kind::Config => "cloud-config",
        Kind::Script => "x-shellscript",
    }
}

/// A line that is in none of the texts, and follows from them.
fn boundary(texts: &[String]) -> String {
    let mut number = 0_u32;
    loop {
        let digest = Digest::of(format!("{number} {}", texts.concat()).as_bytes());
        let boundary = format!("elkbake-{}", &digest.hex()[..16]);
        if !texts.iter().any(|text| text.contains(&boundary)) {
            return boundary;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn part(chunks: Vec<Chunk>) -> Part {
        Part { kind: Kind::Script, name: "a", chunks }
    }

    #[test]
    fn a_document_is_gzip_of_mime() {
        let made = UserData::of(&[part(vec![Chunk::own("#!/bin/sh\n"), Chunk::of("/x", "true\n")])]).unwrap();
        assert_eq!(&made.bytes()[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
        let mut plain = String::new();
        flate2::read::GzDecoder::new(made.bytes()).read_to_string(&mut plain).unwrap();
        assert_eq!(plain.len(), made.plain());
        let boundary = plain.split('"').nth(1).unwrap();
        let expected = format!(
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\nMIME-Version: 1.0\n\n--{boundary}\nContent-Type: \
             text/x-shellscript; charset=\"us-ascii\"\nMIME-Version: 1.0\nContent-Transfer-Encoding: 7bit\n\
             Content-Disposition: attachment; filename=\"a\"\n\n#!/bin/sh\ntrue\n\n--{boundary}--\n"
        );
        assert_eq!(plain, expected);
        let names: Vec<_> = made.items().iter().map(|item| (item.name.as_str(), item.plain)).collect();
        assert_eq!(names, [("what puts it there", 10), ("/x", 5)]);
    }

    #[test]
    fn too_much_is_refused_with_the_largest_first() {
        // Noise, so that nothing is won by compressing it.
        let noise = |len: usize, seed: u32| -> String {
            let digits = (0..).flat_map(|i: u32| Digest::of(format!("{seed} {i}").as_bytes()).hex().into_bytes());
            digits.take(len).map(char::from).collect()
        };
        let chunks =
            |len| vec![Chunk::own("x"), Chunk::of("/small", noise(2_000, 1)), Chunk::of("/big", noise(len, 2))];
        UserData::of(&[part(chunks(20_000))]).unwrap();
        let UserDataError::TooBig { size, plain, items } = UserData::of(&[part(chunks(32_000))]).unwrap_err() else {
            panic!()
        };
        assert!(size > MOST);
        assert_eq!(items[0].name, "/big");
        assert!((14_000..20_000).contains(&items[0].share), "{items:?}");
        let error = UserDataError::TooBig { size, plain, items }.to_string();
        assert!(error.contains("EC2 takes 16384; the most of it: /big 1"), "{error}");
    }
}
