//! From a tree to a layer in the store, in one pass.

use std::io;
use std::num::NonZeroUsize;

use super::order::{Step, listing, steps};
use super::{Layer, LayerError, Spec};
use crate::image::compress::{Advance, Blocks, compress};
use crate::image::tar::{AddError, Head, Kind, TarWriter};
use crate::name::ImagePath;
use crate::recipe::Compression;
use crate::store::{Store, StoreError};
use crate::tree::{Mode, Node, Owner};

/// Makes a layer and puts it, and the text of its listing, into the store. `advance` is told of more bytes, before
/// they are compressed; its error ends the work.
///
/// # Errors
/// When something can be in no layer; when bytes cannot be had, are others than the tree says, or cannot be stored.
pub fn write(spec: &Spec<'_>, store: &Store, advance: Advance<'_>) -> Result<Layer, LayerError> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    write_on(threads, spec, store, advance)
}

/// The same on so many threads, which the layer does not show.
pub(super) fn write_on(
    threads: usize,
    spec: &Spec<'_>,
    store: &Store,
    advance: Advance<'_>,
) -> Result<Layer, LayerError> {
    let listing = listing(spec)?;
    let mut blob = store.write()?;
    let plain = compress(spec.compression, threads, &mut blob, advance, |to| {
        entries(spec, steps(spec.tree, &listing.removed, &listing.cleared), to)
    })
    .map_err(ended)??;
    let (digest, size) = blob.commit(None)?;
    let (listing, _) = store.put(&mut listing.to_text().as_bytes(), None)?;
    let media_type = media_type(spec.compression).to_owned();
    Ok(Layer { digest, size, diff_id: plain.digest, unpacked: plain.size, media_type, listing })
}

/// What a layer is called in manifests.
fn media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
        Compression::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
    }
}

fn entries<'s>(spec: &Spec<'_>, steps: impl Iterator<Item = Step<'s>>, to: &mut Blocks<'_>) -> Result<(), LayerError> {
    let mut tar = TarWriter::new(to);
    for step in steps {
        match step {
            Step::Mark(folder, name) => {
                let name = if folder == ImagePath::root() { name } else { format!("{}/{name}", relative(&folder)) };
                let head = Head { name: &name, mode: Mode::new(0o644), owner: Owner::default(), kind: Kind::File(0) };
                tar.add(&head).map_err(ended)?;
            }
            Step::Put(path, entry) => {
                let kind = match &entry.node {
                    Node::Folder => Kind::Folder,
                    Node::File { size, .. } => Kind::File(*size),
                    Node::Link(target) => Kind::Link(target),
                };
                let head = Head { name: relative(path), mode: entry.mode, owner: entry.owner, kind };
                let added = match &entry.node {
                    Node::File { digest, .. } => match spec.contents.open(digest) {
                        Ok(mut content) => tar.add_from(&head, &mut content),
                        Err(error) => Err(AddError::Read(error)),
                    },
                    Node::Folder | Node::Link(_) => tar.add_from(&head, &mut io::empty()),
                };
                added.map_err(|error| match error {
                    AddError::Head(error) => LayerError::Entry { path: path.clone(), why: error.to_string() },
                    AddError::Read(source) => LayerError::Content { path: path.clone(), source },
                    AddError::Write(error) => ended(error),
                })?;
            }
        }
    }
    tar.finish().map(drop).map_err(ended)
}

/// A path as archives spell it.
fn relative(path: &ImagePath) -> &str {
    match path.as_str().trim_start_matches('/') {
        "" => ".",
        relative => relative,
    }
}

/// The store's own words, where it is the store that failed.
fn ended(error: io::Error) -> LayerError {
    error.downcast::<StoreError>().map_or_else(LayerError::Ended, LayerError::Store)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::Read;
    use std::time::SystemTime;

    use super::*;
    use crate::contents::Contents;
    use crate::image::listing::Listing;
    use crate::tree::{Entry, Tree};

    struct Bench {
        tree: Tree,
        contents: Contents,
        removed: BTreeSet<ImagePath>,
        store: Store,
        _root: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
            let (tree, contents, removed) = Default::default();
            Self { tree, contents, removed, store, _root: root }
        }

        fn put(&mut self, path: &str, mode: u16, owner: &str, node: Node) {
            let entry = Entry { mode: Mode::new(mode), owner: owner.parse().unwrap(), node };
            self.tree.insert(path.parse().unwrap(), entry);
        }

        fn file(&mut self, path: &str, bytes: &[u8]) {
            let node = self.contents.add_bytes(bytes);
            self.put(path, 0o644, "0:0", node);
        }

        fn write_on(&self, threads: usize, compression: Compression) -> Result<Layer, LayerError> {
            let Self { tree, contents, removed, store, .. } = self;
            write_on(threads, &Spec { tree, removed, contents, compression }, store, &|_| Ok(()))
        }

        fn plain(&self, layer: &Layer) -> Vec<u8> {
            let blob = self.store.bytes(&layer.digest, u64::MAX).unwrap().unwrap();
            assert_eq!(blob.len() as u64, layer.size);
            let mut plain = Vec::new();
            match layer.media_type.rsplit_once('+').unwrap().1 {
                "gzip" => flate2::read::GzDecoder::new(&blob[..]).read_to_end(&mut plain).unwrap(),
                _ => zstd::Decoder::new(&blob[..]).unwrap().read_to_end(&mut plain).unwrap(),
            };
            assert_eq!(plain.len() as u64, layer.unpacked);
            plain
        }
    }

    #[test]
    fn a_layer_is_what_its_record_says() {
        let mut bench = Bench::new();
        bench.put("/a", 0o755, "1000:0", Node::Folder);
        bench.file("/a/b", b"bytes");
        bench.put("/a/l", 0o777, "0:0", Node::Link("b".to_owned()));
        bench.removed = ["/a/old", "/gone", "/a"].map(|path| path.parse().unwrap()).into();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let layer = bench.write_on(2, compression).unwrap();
            let plain = bench.plain(&layer);
            assert_eq!(crate::digest::Digest::of(&plain), layer.diff_id);
            let names: Vec<_> = tar::Archive::new(&plain[..])
                .entries()
                .unwrap()
                .map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned())
                .collect();
            assert_eq!(names, [".wh.gone", "a/", "a/.wh..wh..opq", "a/.wh.old", "a/b", "a/l"]);
            let text = bench.store.bytes(&layer.listing, 1 << 20).unwrap().unwrap();
            let listing = Listing::parse(std::str::from_utf8(&text).unwrap()).unwrap();
            assert_eq!(listing.tree, bench.tree);
            assert_eq!(listing.cleared, ["/a".parse().unwrap()].into());
            assert_eq!(listing.removed, ["/a/old", "/gone"].map(|path| path.parse().unwrap()).into());
            assert_eq!(listing.special, BTreeMap::new());
        }
    }

    #[test]
    fn threads_do_not_show() {
        let mut bench = Bench::new();
        let mut state = 1_u32;
        let bytes: Vec<u8> = (0..3_000_000)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if i / 300_000 % 2 == 0 { (state >> 24) as u8 } else { (state >> 30) as u8 }
            })
            .collect();
        bench.file("/big", &bytes);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let layer = bench.write_on(1, compression).unwrap();
            assert_eq!(bench.plain(&layer).len(), 3_000_320 + 512 + 1024);
            for threads in [2, 3, 5] {
                assert_eq!(bench.write_on(threads, compression).unwrap(), layer);
            }
        }
    }
}
