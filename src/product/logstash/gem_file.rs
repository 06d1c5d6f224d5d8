//! A gem as a file: a tar with the metadata and the files in it.

use std::fs::File;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use crate::contents::Spool;
use crate::name::ImagePath;
use crate::tree::{self, Mode, Node, Owner, Tree};
use crate::unpack::Unpacked;

/// A gem's metadata, as YAML, and its files.
pub(super) struct GemFile {
    pub(super) metadata: String,
    pub(super) unpacked: Unpacked,
}

/// The biggest gem that is known has 60 MB.
const LIMIT: u64 = 1 << 30;
const METADATA_LIMIT: u64 = 16 << 20;

/// Reads a gem; its files go into the spool.
pub(super) fn open(gem: impl Read, spool: File) -> io::Result<GemFile> {
    let mut spool = Spool::new(spool);
    let (mut metadata, mut tree) = (None, None);
    for entry in Archive::new(gem.take(LIMIT)).entries()? {
        let entry = entry?;
        match &*entry.path_bytes() {
            b"metadata.gz" if metadata.is_none() => {
                let mut text = String::new();
                GzDecoder::new(entry).take(METADATA_LIMIT).read_to_string(&mut text)?;
                metadata = Some(text);
            }
            b"data.tar.gz" if tree.is_none() => {
                let mut files = Tree::default();
                for file in Archive::new(GzDecoder::new(entry).take(LIMIT)).entries()? {
                    add(&mut files, &mut spool, file?)?;
                }
                tree = Some(files);
            }
            _ => {}
        }
    }
    match (metadata, tree) {
        (Some(metadata), Some(tree)) => {
            Ok(GemFile { metadata, unpacked: Unpacked { tree, contents: spool.finish()? } })
        }
        _ => Err(wrong("it is no gem: it does not hold one `metadata.gz` and one `data.tar.gz`")),
    }
}

fn add(tree: &mut Tree, spool: &mut Spool, mut entry: Entry<'_, impl Read>) -> io::Result<()> {
    let bytes = entry.path_bytes().into_owned();
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("a name in it is no UTF-8"))?;
    let text = text.strip_prefix("./").unwrap_or(text).trim_end_matches('/');
    let path: ImagePath = format!("/{text}").parse().map_err(|error| wrong(format!("{error}")))?;
    let node = match entry.header().entry_type() {
        EntryType::Directory => Node::Folder,
        EntryType::Regular => {
            let (digest, size) = spool.take(&mut entry, LIMIT)?;
            Node::File { digest, size }
        }
        _ => return Err(wrong(format!("{path} is neither a file nor a folder"))),
    };
    let mode = Mode::new(u16::try_from(entry.header().mode()? & 0o777).unwrap_or(0o644));
    match tree.insert(path.clone(), tree::Entry { mode, owner: Owner::default(), node }) {
        None => Ok(()),
        Some(_) => Err(wrong(format!("{path} is in it twice"))),
    }
}

fn wrong(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
