//! Images in a store as a bake leaves them, made by hand.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use elkbake::bake::built::{Built, BuiltImage, BuiltLayer};
use elkbake::digest::Digest;
use elkbake::image::assemble::{self, Part, Parts, Written};
use elkbake::image::moment::Moment;
use elkbake::image::oci::Descriptor;
use elkbake::name::Platform;
use elkbake::plan::LayerKind;
use elkbake::store::Store;
use flate2::Compression;
use flate2::write::GzEncoder;

/// How the bytes of a layer are packed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Packed {
    Plain,
    Gzip,
    Zstd,
}

/// A tarball, entry by entry.
pub struct Tarball(tar::Builder<Vec<u8>>);

impl Tarball {
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn header(kind: tar::EntryType, mode: u32, size: usize) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(1000);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(size as u64);
        header
    }

    fn entry(mut self, mut header: tar::Header, path: &str, bytes: &[u8]) -> Self {
        self.0.append_data(&mut header, path, bytes).unwrap();
        self
    }

    pub fn file(self, path: &str, bytes: &[u8]) -> Self {
        self.entry(Self::header(tar::EntryType::Regular, 0o644, bytes.len()), path, bytes)
    }

    pub fn folder(self, path: &str) -> Self {
        self.entry(Self::header(tar::EntryType::Directory, 0o755, 0), path, b"")
    }

    pub fn link(mut self, path: &str, target: &str) -> Self {
        let mut header = Self::header(tar::EntryType::Symlink, 0o777, 0);
        self.0.append_link(&mut header, path, target).unwrap();
        self
    }

    pub fn hard_link(mut self, path: &str, target: &str) -> Self {
        let mut header = Self::header(tar::EntryType::Link, 0o644, 0);
        self.0.append_link(&mut header, path, target).unwrap();
        self
    }

    pub fn device(self, path: &str, major: u32, minor: u32) -> Self {
        let mut header = Self::header(tar::EntryType::Char, 0o666, 0);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        self.entry(header, path, b"")
    }

    /// An extended attribute for the entry to come.
    pub fn attribute(mut self, name: &str, value: &[u8]) -> Self {
        self.0.append_pax_extensions([(format!("SCHILY.xattr.{name}").as_str(), value)]).unwrap();
        self
    }

    pub fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

/// A store, and the images in it.
pub struct Bakery {
    pub folder: tempfile::TempDir,
    pub store: Store,
}

impl Bakery {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), SystemTime::UNIX_EPOCH).unwrap();
        Self { folder, store }
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a layer into the store.
    pub fn layer(&self, what: LayerKind, tarball: Tarball, packed: Packed) -> BuiltLayer {
        layer(&self.store, what, tarball, packed)
    }

    /// Puts an image of these layers into the store.
    pub fn image(&self, platforms: &[(&str, Vec<BuiltLayer>)]) -> Built {
        image(&self.store, Digest::of(b"key"), platforms)
    }
}

/// Puts a layer into a store.
pub fn layer(store: &Store, what: LayerKind, tarball: Tarball, packed: Packed) -> BuiltLayer {
    let tar = tarball.bytes();
    let diff_id = Digest::of(&tar);
    let (bytes, suffix) = match packed {
        Packed::Plain => (tar, ""),
        Packed::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(&tar).unwrap();
            (gzip.finish().unwrap(), "+gzip")
        }
        Packed::Zstd => (zstd::encode_all(&tar[..], 1).unwrap(), "+zstd"),
    };
    let (digest, size) = store.put(&mut &bytes[..], None).unwrap();
    let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
    BuiltLayer { what, descriptor: Descriptor { digest, size, media_type }, diff_id, listing: None }
}

/// What the configuration of a base says.
fn base_config() -> Vec<u8> {
    let config = serde_json::json!({
        "architecture": "any", "os": "linux",
        "config": {
            "User": "1000:0",
            "Env": ["PATH=/usr/bin:/bin", "ELASTIC_CONTAINER=true"],
            "Entrypoint": ["/bin/tini", "--", "/start me"],
            "Cmd": ["eswrapper"],
            "WorkingDir": "/usr/share/elasticsearch",
            "ExposedPorts": { "9200/tcp": {}, "9300/tcp": {} },
            "Volumes": { "/data": {} },
            "StopSignal": "SIGTERM",
            "Labels": { "org.opencontainers.image.title": "es", "evil": "a\u{1b}[2Jb" },
        },
        "rootfs": { "type": "layers", "diff_ids": [] },
        "history": [{ "created_by": "FROM scratch", "empty_layer": true }, { "created_by": "ADD rootfs.tar.gz / # buildkit" }],
    });
    config.to_string().into_bytes()
}

/// Puts an image of some layers into a store.
pub fn image(store: &Store, key: Digest, platforms: &[(&str, Vec<BuiltLayer>)]) -> Built {
    let put = |written: &Written| {
        store.put(&mut &written.bytes[..], Some(written.descriptor.digest)).unwrap();
        written.descriptor.clone()
    };
    let annotation = |name: &str, value: &str| (format!("org.opencontainers.image.{name}"), value.to_owned());
    let annotations = BTreeMap::from([
        annotation("title", "es"),
        annotation("base.name", "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"),
        annotation("base.digest", &Digest::of(b"base").to_string()),
    ]);
    let base = base_config();
    let on = |(platform, layers): &(&str, Vec<BuiltLayer>)| {
        let platform: Platform = platform.parse().unwrap();
        let made_by = |layer: &BuiltLayer| (layer.what != LayerKind::Base).then(|| "elkbake".to_owned());
        let parts: Vec<_> = layers
            .iter()
            .map(|layer| Part { descriptor: layer.descriptor.clone(), diff_id: layer.diff_id, made_by: made_by(layer) })
            .collect();
        let documents = assemble::image(Parts {
            platform: &platform,
            base: Some(&base),
            config: None,
            layers: &parts,
            created: Moment::from_epoch(1_700_000_000),
            annotations: &annotations,
        })
        .unwrap();
        let (config, manifest) = (put(&documents.config), put(&documents.manifest));
        BuiltImage { platform, manifest, config, layers: layers.clone(), plugins: Vec::new() }
    };
    let platforms: Vec<_> = platforms.iter().map(on).collect();
    let index = (platforms.len() > 1)
        .then(|| put(&assemble::index(platforms.iter().map(|one| (&one.platform, &one.manifest)), &annotations)));
    Built { key, index, platforms }
}

/// All files below a folder, with their bytes.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                found.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    found
}
