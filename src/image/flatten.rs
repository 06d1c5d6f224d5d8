//! All layers of an image as one tarball: the file system that a container would see.
//!
//! The layers are read twice. First to learn what is left when all lie on each other, without any file's bytes; then to
//! copy the bytes of what is left, as they come. So memory grows with the number of files and not with their sizes, and
//! hard links, devices, extended attributes, times and names that are no text stay as they were. Folders come first, in
//! the order of their names, then everything else in the order of the layers: the same layers make the same bytes.

mod graph;
mod header;

use std::io::{self, Read, Write};

use super::scan::{Bounds, Head, Promise, ScanError, walk};
use crate::digest::Digest;
use crate::parallel;
use graph::Graph;

/// A layer that is one of several.
pub trait Packed: Sync {
    /// The tar stream that the image's configuration promises.
    fn diff_id(&self) -> Digest;

    /// How much may come out of it.
    fn bounds(&self) -> Bounds {
        Bounds::FOREIGN
    }

    /// The compressed bytes; reading fails at the end unless they are right.
    ///
    /// # Errors
    /// When they cannot be had.
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>>;
}

/// Why layers cannot be made one.
#[derive(Debug, thiserror::Error)]
pub enum FlattenError {
    /// A layer is refused.
    #[error("{source}")]
    Layer {
        /// Its number, from the bottom up, beginning with 0.
        number: usize,
        /// Why.
        source: ScanError,
    },
    /// What was made cannot be written.
    #[error("{0}")]
    Write(#[source] io::Error),
}

/// Writes the files of layers, from the bottom up, as one tar stream.
///
/// # Errors
/// When a layer is damaged or does not fit on those below; when the stream cannot be written.
pub fn flatten(layers: &[&dyn Packed], to: &mut dyn Write) -> Result<(), FlattenError> {
    let mut graph = Graph::default();
    let heads = parallel::map(layers, |layer| heads(*layer));
    for (number, heads) in heads.into_iter().enumerate() {
        let refused = |source| FlattenError::Layer { number, source };
        graph.put(number, heads.map_err(refused)?).map_err(|message| refused(ScanError::Refused(message)))?;
    }
    let mut copy = Copy { to, buffer: vec![0; 128 << 10] };
    let left = graph.left();
    for (path, head) in &left.folders {
        copy.write(&header::header(path, head, b""))?;
    }
    for (number, layer) in layers.iter().enumerate() {
        let Some(entries) = left.entries.get(&number) else { continue };
        let mut at = 0;
        let mut failed = None;
        let read = each(*layer, &mut |head, bytes| {
            if let Some(names) = entries.get(&at) {
                copy.entry(head, names, bytes, &mut failed)?;
            }
            at += 1;
            Ok(())
        });
        match (read, failed) {
            (_, Some(error)) => return Err(FlattenError::Write(error)),
            (read, None) => read.map_err(|source| FlattenError::Layer { number, source })?,
        }
    }
    copy.write(&[0; 2 * header::BLOCK])
}

/// What stands in a layer, but for the bytes.
fn heads(layer: &dyn Packed) -> Result<Vec<Head>, ScanError> {
    let (mut heads, mut names) = (Vec::new(), 0);
    each(layer, &mut |head, _| {
        names +=
            head.name.len() + head.link.len() + head.attributes.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>();
        if heads.len() == graph::MOST_ENTRIES || names > graph::MOST_NAMES {
            return Err(ScanError::Refused("it has more names than any image has".to_owned()));
        }
        heads.push(head);
        Ok(())
    })?;
    Ok(heads)
}

/// Reads a layer to its end, and holds it against its digests.
fn each(
    layer: &dyn Packed,
    show: &mut dyn FnMut(Head, &mut dyn Read) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    let promise = Promise { packing: None, diff_id: Some(layer.diff_id()), bounds: layer.bounds(), packed: None };
    walk(layer.open().map_err(ScanError::Read)?, &promise, show).map(drop)
}

/// Writes entries.
struct Copy<'t> {
    to: &'t mut dyn Write,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), FlattenError> {
        self.to.write_all(bytes).map_err(FlattenError::Write)
    }

    /// Writes an entry under its first name, and hard links to it under all others. Where writing fails, that is put
    /// into `failed`.
    fn entry(
        &mut self,
        head: Head,
        names: &[Vec<u8>],
        bytes: &mut dyn Read,
        failed: &mut Option<io::Error>,
    ) -> Result<(), ScanError> {
        let Some((first, others)) = names.split_first() else { return Ok(()) };
        let mut write = |bytes: &[u8]| {
            self.to.write_all(bytes).map_err(|error| {
                *failed = Some(error);
                ScanError::Refused(String::new())
            })
        };
        write(&header::header(first, &head, &head.link))?;
        loop {
            match bytes.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(n) => write(&self.buffer[..n])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ScanError::Read(error)),
            }
        }
        write(&[0; header::BLOCK][..header::padding(&head)])?;
        let link = Head { kind: b'1', size: 0, attributes: Vec::new(), ..head };
        others.iter().try_for_each(|name| write(&header::header(name, &link, first)))
    }
}

#[cfg(test)]
mod tests;
