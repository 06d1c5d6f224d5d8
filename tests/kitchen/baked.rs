//! What a build left in the store, as the tests look at it: with crates of others, not with our own readers.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;

use super::project::Kitchen;

/// An image on one platform.
pub struct Baked {
    pub manifest: Value,
    pub config: Value,
    pub layers: Vec<BTreeMap<String, Item>>,
}

/// An entry of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub mode: u32,
    pub owner: (u64, u64),
    pub kind: char,
    /// The bytes of a file, the target of a link.
    pub content: Vec<u8>,
}

impl Item {
    pub fn text(&self) -> String {
        format!(
            "{} {:04o} {}:{} {}",
            self.kind,
            self.mode,
            self.owner.0,
            self.owner.1,
            String::from_utf8_lossy(&self.content)
        )
        .trim_end()
        .to_owned()
    }
}

impl Kitchen {
    /// Builds a recipe and returns what `--json` says of it.
    pub fn build(&self, name: &str) -> Value {
        let report = self.run(&["build", name, "--json"]).success().json();
        report["builds"][0].clone()
    }

    /// The image that a build reported, on its n-th platform.
    pub fn baked(&self, build: &Value, platform: usize) -> Baked {
        let document = |digest: &Value| serde_json::from_slice(&self.blob(digest.as_str().unwrap())).unwrap();
        let manifest: Value = document(&build["platforms"][platform]["manifest"]);
        let config = document(&manifest["config"]["digest"]);
        let own = |layer: &&Value| self.blob_path(layer["digest"].as_str().unwrap()).exists();
        let layers = manifest["layers"].as_array().unwrap().iter().filter(own).map(|layer| {
            let bytes = self.blob(layer["digest"].as_str().unwrap());
            items(&unpacked(layer["mediaType"].as_str().unwrap(), &bytes))
        });
        let layers = layers.collect();
        Baked { manifest, config, layers }
    }

    /// A blob of the store.
    pub fn blob(&self, digest: &str) -> Vec<u8> {
        std::fs::read(self.blob_path(digest)).unwrap_or_else(|error| panic!("{digest}: {error}"))
    }

    pub fn blob_path(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.store().join("v1/blobs/sha256").join(&hex[..2]).join(hex)
    }
}

/// The tar stream of a layer.
pub fn unpacked(media_type: &str, bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    match media_type.rsplit('+').next().unwrap() {
        "gzip" => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut tar).unwrap()),
        "zstd" => tar = zstd::stream::decode_all(bytes).unwrap(),
        _ => tar.extend_from_slice(bytes),
    }
    tar
}

/// The entries of a tar stream by their names.
pub fn items(tar: &[u8]) -> BTreeMap<String, Item> {
    let mut items = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let header = entry.header();
        let kind = match header.entry_type() {
            tar::EntryType::Directory => 'd',
            tar::EntryType::Regular => 'f',
            tar::EntryType::Symlink => 'l',
            tar::EntryType::Link => 'h',
            tar::EntryType::Char => 'c',
            other => panic!("{name}: {other:?}"),
        };
        let (mode, owner) = (header.mode().unwrap(), (header.uid().unwrap(), header.gid().unwrap()));
        let mut content = Vec::new();
        if matches!(kind, 'l' | 'h') {
            content.extend_from_slice(&entry.link_name_bytes().unwrap());
        } else {
            entry.read_to_end(&mut content).unwrap();
        }
        let before = items.insert(name.clone(), Item { mode, owner, kind, content });
        assert!(before.is_none(), "{name} is there twice");
    }
    items
}

/// A tarball of `(name, mode, content)`; a name that ends with a slash is a folder, content that begins with `->` a link.
pub fn tarball<C: AsRef<[u8]>>(entries: &[(&str, u32, C)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, mode, content) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        let content = content.as_ref();
        if let Some(target) = content.strip_prefix(b"->") {
            let target = std::str::from_utf8(target).unwrap();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
            continue;
        }
        header.set_entry_type(if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The same bytes in gzip.
pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tarball with a file of 1.1 GiB of zeros. A megabyte is packed by itself, over and over: nobody has to compress a
/// gigabyte for it.
pub fn bomb(pack: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path("zeros").unwrap();
    header.set_size(1100 << 20);
    header.set_cksum();
    [pack(header.as_bytes()), pack(&vec![0; 1 << 20]).repeat(1100), pack(&[0; 1024])].concat()
}
