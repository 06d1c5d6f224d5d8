//! From a tree to a layer in the store, in one pass.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use super::order::{Step, markers, steps};
use super::{Beside, Layer, LayerError, Spec};
use crate::contents::Contents;
use crate::image::compress::{Advance, compress};
use crate::image::tar::{AddError, Head, Kind, TarWriter};
use crate::name::ImagePath;
use crate::recipe::Compression;
use crate::store::{Store, StoreError};
use crate::tree::{Entry, Mode, Node, Owner, Tree};

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
    let listing = markers(spec)?;
    let mut blob = store.write()?;
    let plain = compress(spec.compression, threads, &mut blob, advance, |to| {
        entries(steps(spec.tree, &listing), spec.contents, spec.beside, to)
    })
    .map_err(ended)??;
    // A disk takes as long for one as for both.
    let ((digest, size), listing) = std::thread::scope(|scope| {
        let layer = scope.spawn(|| blob.commit(None));
        let mut text = store.write()?;
        listing.write_with(spec.tree.iter(), &mut text).map_err(ended)?;
        let (listing, _) = text.commit(None)?;
        let failed = |_| ended(io::Error::other("the thread that waits for the disk has failed"));
        Ok::<_, LayerError>((layer.join().map_err(failed)??, listing))
    })?;
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

/// Writes a tree as a plain tar stream, the same one every time.
///
/// # Errors
/// When no stream can hold something of it; when bytes cannot be had or are others than the tree says; when `to` fails.
pub fn write_plain(tree: &Tree, contents: &Contents, to: &mut dyn Write) -> Result<(), LayerError> {
    entries(tree.iter().map(|(path, entry)| Step::Put(path, entry)), contents, Beside::NOTHING, to)
}

fn entries<'s>(
    steps: impl Iterator<Item = Step<'s>>,
    contents: &Contents,
    beside: &Beside,
    to: &mut dyn Write,
) -> Result<(), LayerError> {
    let mut tar = TarWriter::new(to);
    for step in steps {
        match step {
            Step::Mark(folder, name) => {
                let name = if folder.is_root() { name } else { format!("{}/{name}", relative(&folder)) };
                let (mode, owner) = (Mode::new(0o644), Owner::default());
                let head = Head { name: &name, mode, owner, kind: Kind::File(0), attributes: &[] };
                tar.add(&head).map_err(ended)?;
            }
            Step::Put(path, entry) => put(path, entry, contents, beside, &mut tar).map_err(|error| match error {
                AddError::Head(error) => LayerError::Entry { path: path.clone(), why: error.to_string() },
                AddError::Read(source) => LayerError::Content { path: path.clone(), source },
                AddError::Write(error) => ended(error),
            })?,
        }
    }
    tar.finish().map(drop).map_err(ended)
}

fn put<W: Write>(
    path: &ImagePath,
    entry: &Entry,
    contents: &Contents,
    beside: &Beside,
    tar: &mut TarWriter<W>,
) -> Result<(), AddError> {
    let attributes = beside.attributes.get(path).map_or(&[][..], Vec::as_slice);
    let head = |kind| Head { name: relative(path), mode: entry.mode, owner: entry.owner, kind, attributes };
    match (&entry.node, beside.twins.get(path)) {
        (_, Some(first)) => tar.add_from(&head(Kind::Twin(relative(first))), &mut io::empty()),
        (Node::Folder, None) => tar.add_from(&head(Kind::Folder), &mut io::empty()),
        (Node::Link(target), None) => tar.add_from(&head(Kind::Link(target)), &mut io::empty()),
        (Node::File { digest, size }, None) => {
            let mut content = contents.open(digest).map_err(AddError::Read)?;
            tar.add_from(&head(Kind::File(*size)), &mut content)
        }
    }
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

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::image::listing::Listing;

    struct Bench {
        tree: Tree,
        contents: Contents,
        removed: BTreeSet<ImagePath>,
        store: Store,
        root: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let store = Store::open(root.path(), SystemTime::UNIX_EPOCH).unwrap();
            let (tree, contents, removed) = Default::default();
            Self { tree, contents, removed, store, root }
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
            let tree = &tree.into();
            let spec = Spec { tree, removed, contents, beside: Beside::NOTHING, compression };
            write_on(threads, &spec, store, &|_| Ok(()))
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
            assert_eq!(Digest::of(&plain), layer.diff_id);
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

    /// A tree with all that a layer can have in it, longer than some blocks.
    fn golden() -> Bench {
        let mut bench = Bench::new();
        let long = format!("/{}/{}/{}", "a".repeat(90), "b".repeat(90), "c".repeat(90));
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .take(150_000)
        .collect();
        let text: Vec<u8> = (0..200_000_u32).flat_map(|i| format!("{i} ").into_bytes()).collect();
        bench.put("/", 0o755, "0:0", Node::Folder);
        bench.put("/etc", 0o1777, "1000:4294967295", Node::Folder);
        bench.file("/etc/empty", b"");
        bench.file("/etc/text", &text);
        bench.file("/jar", &noise);
        bench.file("/jar.text", &[&noise[..70_000], &text[..70_000], &noise].concat());
        bench.file("/ümläut", b"utf-8");
        bench.file(&long, b"long");
        bench.put("/set-id", 0o6755, "0:0", Node::File { digest: Digest::of(b"long"), size: 4 });
        bench.put("/link", 0o777, "0:0", Node::Link(long));
        bench.removed = ["/etc", "/old/file", "/gone"].map(|path| path.parse().unwrap()).into();
        bench
    }

    /// Other digests here mean other layers for every recipe of every user: they need another `KEY_FORMAT`.
    #[test]
    fn layers_are_the_same_for_ever_on_any_number_of_threads() {
        assert_eq!(crate::plan::KEY_FORMAT, 1);
        let bench = golden();
        let diff_id = "sha256:37d70997727d967b11eea7fa0e02591ba4ca3ef85c27a13de1f3224dbbdb1096";
        let listing = "sha256:158edb626c8d7555cc88365b2b9bb523c183e44bf53940d614599939d3e53f64";
        for (compression, digest) in [
            (Compression::Gzip, "sha256:b5de28adf99c3b03a7da750e3000b017a15c9446ed842c1ba90e6c77f677613e"),
            (Compression::Zstd, "sha256:6178565184f3ac125f721166733557e95864bc48aa278564e896dcea6ee9a6df"),
        ] {
            for threads in [1, 2, 3, 5] {
                let layer = bench.write_on(threads, compression).unwrap();
                let got = [layer.diff_id, layer.digest, layer.listing].map(|digest| digest.to_string());
                assert_eq!(got, [diff_id, digest, listing]);
            }
        }
    }

    #[test]
    fn a_plain_stream_is_the_same_without_markers() {
        let mut bench = golden();
        bench.removed.clear();
        let layer = bench.write_on(2, Compression::Zstd).unwrap();
        let mut plain = Vec::new();
        write_plain(&bench.tree, &bench.contents, &mut plain).unwrap();
        assert_eq!((Digest::of(&plain), plain.len() as u64), (layer.diff_id, layer.unpacked));
    }

    fn blobs(bench: &Bench) -> usize {
        let files = |path: std::path::PathBuf| std::fs::read_dir(path).into_iter().flatten().count();
        let root = bench.root.path().join("v1");
        files(root.join("blobs/sha256")) + files(root.join("tmp"))
    }

    #[test]
    fn a_file_that_changed_is_named_and_nothing_is_kept() {
        let mut bench = Bench::new();
        bench.file("/a", b"fine");
        let path = bench.root.path().join("file");
        let node = Node::File { digest: Digest::of(b"before"), size: 6 };
        bench.put("/etc/changed", 0o644, "0:0", node);
        bench.contents.add_file(Digest::of(b"before"), path.clone());
        for (now, why) in [
            (Some("after!"), "expected sha256:"),
            (Some("short"), "expected sha256:"),
            (Some("longer than it was"), "more than the 6 bytes"),
            (None, "No such file"),
        ] {
            now.map_or_else(|| std::fs::remove_file(&path), |now| std::fs::write(&path, now)).unwrap();
            let error = bench.write_on(2, Compression::Gzip).unwrap_err();
            assert!(matches!(&error, LayerError::Content { path, .. } if path.as_str() == "/etc/changed"), "{error:?}");
            let text = error.to_string();
            assert!(text.starts_with("/etc/changed cannot be put into a layer: ") && text.contains(why), "{text}");
            assert_eq!(blobs(&bench), 0);
        }
    }

    #[test]
    fn whoever_is_told_can_stop_it() {
        let bench = golden();
        let Bench { tree, contents, removed, store, .. } = &bench;
        let tree = &tree.into();
        let spec = Spec { tree, removed, contents, beside: Beside::NOTHING, compression: Compression::Gzip };
        for kind in [io::ErrorKind::Interrupted, io::ErrorKind::TimedOut] {
            let error = write(&spec, store, &|_| Err(io::Error::new(kind, "enough"))).unwrap_err();
            assert!(matches!(&error, LayerError::Ended(error) if error.to_string() == "enough"), "{error:?}");
        }
        assert_eq!(blobs(&bench), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_tree_is_read_back(names in prop::collection::btree_set("[a-cä]{1,70}(/[a-c]{1,70}){0,4}", 1..20)) {
            let mut bench = Bench::new();
            for (i, name) in names.iter().enumerate() {
                match i % 3 {
                    0 => bench.put(&format!("/{name}"), 0o750, "1:2", Node::Folder),
                    1 => bench.file(&format!("/{name}"), name.as_bytes()),
                    _ => bench.put(&format!("/{name}"), 0o777, "0:0", Node::Link(name.clone())),
                }
            }
            let layer = bench.write_on(1, Compression::Gzip).unwrap();
            let plain = bench.plain(&layer);
            let mut tree = Tree::default();
            for entry in tar::Archive::new(&plain[..]).entries().unwrap() {
                let mut entry = entry.unwrap();
                let path = format!("/{}", entry.path().unwrap().to_str().unwrap());
                let node = match entry.header().entry_type() {
                    tar::EntryType::Directory => Node::Folder,
                    tar::EntryType::Symlink => {
                        Node::Link(entry.link_name().unwrap().unwrap().to_str().unwrap().to_owned())
                    }
                    _ => {
                        let mut bytes = Vec::new();
                        entry.read_to_end(&mut bytes).unwrap();
                        Node::File { digest: Digest::of(&bytes), size: bytes.len() as u64 }
                    }
                };
                let header = entry.header();
                let id = |id: io::Result<u64>| u32::try_from(id.unwrap()).unwrap();
                let owner = Owner { uid: id(header.uid()), gid: id(header.gid()) };
                let mode = Mode::new(u16::try_from(header.mode().unwrap()).unwrap());
                tree.insert(path.trim_end_matches('/').parse().unwrap(), Entry { mode, owner, node });
            }
            prop_assert_eq!(tree, bench.tree);
        }
    }
}
