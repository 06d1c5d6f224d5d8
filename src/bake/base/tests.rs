//! Bases in a made-up world: a registry in memory, a project and a store in temporary folders.

mod local;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::bake::event::{Listener, SILENT};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{RawManifest, Registry};
use crate::image::scan::fixture::{Tarball, gzip, zstd};
use crate::store::Store;

const DOCKER: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
pub(in crate::bake) const GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
const PLAIN: &str = "application/vnd.oci.image.layer.v1.tar";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(in crate::bake) struct Fake {
    pub(in crate::bake) project: TempDir,
    pub(in crate::bake) cache: TempDir,
    pub(in crate::bake) store: Store,
    manifests: BTreeMap<Digest, Vec<u8>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    interrupt: Interrupt,
    asked: Mutex<Vec<Digest>>,
}

impl Fake {
    pub(in crate::bake) fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        Self {
            project: tempfile::tempdir().unwrap(),
            store: Store::open(cache.path(), SystemTime::UNIX_EPOCH).unwrap(),
            cache,
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
            interrupt: Interrupt::default(),
            asked: Mutex::default(),
        }
    }

    pub(in crate::bake) fn world(&self) -> World<'_> {
        World {
            project: self.project.path(),
            registry: Some(self),
            fetch: None,
            ami: None,
            engines: None,
            maven: None,
            store: &self.store,
            tell: SILENT,
            interrupt: &self.interrupt,
        }
    }

    /// Puts an image into the registry: for each layer what it is called, the tar stream, and its compressed bytes.
    pub(in crate::bake) fn serve(&mut self, layers: &[(&str, Vec<u8>, Vec<u8>)]) -> LockedPlatform {
        let config = config(&layers.iter().map(|(_, tar, _)| Digest::of(tar)).collect::<Vec<_>>());
        let manifest = manifest(&config, layers);
        for bytes in layers.iter().map(|(_, _, bytes)| bytes).chain([&config]) {
            self.blobs.insert(Digest::of(bytes), bytes.clone());
        }
        self.manifests.insert(Digest::of(&manifest), manifest.clone());
        locked(Digest::of(&manifest), Some(Digest::of(&config)), layers)
    }

    pub(in crate::bake) fn asked(&self) -> Vec<Digest> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    fn project_file(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

impl Registry for Fake {
    fn manifest(&self, reference: &Reference, _: Listener<'_>) -> Result<RawManifest, PortError> {
        let digest = reference.digest.unwrap();
        self.asked.lock().unwrap().push(digest);
        let bytes = self.manifests[&digest].clone();
        Ok(RawManifest { digest, media_type: MANIFEST.to_owned(), bytes })
    }

    fn blob(&self, from: &Reference, digest: Digest, _: u64, store: &Store, _: Listener<'_>) -> Result<(), PortError> {
        self.asked.lock().unwrap().push(digest);
        let bytes = self
            .blobs
            .get(&digest)
            .ok_or_else(|| PortError::NotFound { subject: format!("{from} {digest}"), message: String::new() })?;
        store.put(&mut bytes.as_slice(), Some(digest))?;
        Ok(())
    }
}

fn config(diff_ids: &[Digest]) -> Vec<u8> {
    let config = json!({ "architecture": "amd64", "os": "linux", "config": { "User": "1000" },
        "rootfs": { "type": "layers", "diff_ids": diff_ids } });
    config.to_string().into_bytes()
}

fn manifest(config: &[u8], layers: &[(&str, Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() });
    let layers: Vec<Value> = layers.iter().map(|(kind, _, bytes)| descriptor(kind, bytes)).collect();
    let config = descriptor("application/vnd.oci.image.config.v1+json", config);
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers }).to_string().into_bytes()
}

fn locked(manifest: Digest, config: Option<Digest>, layers: &[(&str, Vec<u8>, Vec<u8>)]) -> LockedPlatform {
    let layer = |(kind, _, bytes): &(&str, Vec<u8>, Vec<u8>)| LockedLayer {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        media_type: (*kind).to_owned(),
    };
    LockedPlatform {
        name: "linux/amd64".parse().unwrap(),
        manifest,
        config,
        created: None,
        user: None,
        product_version: None,
        java_version: None,
        read_for: None,
        modules: BTreeSet::new(),
        there: BTreeMap::new(),
        layer: layers.iter().map(layer).collect(),
    }
}

pub(in crate::bake) fn from() -> From {
    "a.example/es:8".parse().unwrap()
}

fn path(text: &str) -> ImagePath {
    text.parse().unwrap()
}

const NOTHING: Wanted<'static> = &|_, _| false;

/// A system and a program on it, in layers of every kind.
fn layers() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let system = Tarball::new().folder("usr").folder("usr/lib").file("usr/lib/release", "one").link("lib", "usr/lib");
    let program =
        Tarball::new().folder("opt").file("opt/version", "8.19.3").file("lib/x", "x").file("opt/big", vec![7; 5000]);
    let patch = Tarball::new().hard("opt/linked", "usr/lib/release").file("usr/lib/.wh.x", "").file("empty", "");
    let [system, program, patch] = [system, program, patch].map(Tarball::end);
    vec![
        (DOCKER, system.clone(), gzip(&system)),
        (ZSTD, program.clone(), zstd(&program)),
        (PLAIN, patch.clone(), patch),
    ]
}

fn text(base: &Base<'_>, at: &str) -> Option<String> {
    base.bytes(&path(at), 100).unwrap_or_else(|error| panic!("{error}")).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn nothing_is_nothing() {
    let fake = Fake::new();
    let base = Base::scratch(&fake.world());
    assert_eq!((base.config(), base.layers().len()), (None, 0));
    assert!(base.entry(&path("/")).unwrap().is_none() && base.names(&path("/")).unwrap().is_empty());
    assert!(base.bytes(&path("/a"), 1).unwrap().is_none());
    base.fetch_layers().unwrap();
}

#[test]
fn a_base_in_a_registry_stays_there_until_somebody_asks_what_is_in_it() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let base = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap();
    assert_eq!(fake.asked(), [lock.manifest, lock.config.unwrap()]);
    assert_eq!(Digest::of(base.config().unwrap()), lock.config.unwrap());
    let made = base.layers();
    assert_eq!(made.iter().map(|l| l.descriptor.media_type.as_str()).collect::<Vec<_>>(), [GZIP, ZSTD, PLAIN]);
    assert_eq!(
        made.iter().map(|l| l.diff_id).collect::<Vec<_>>(),
        layers().iter().map(|l| Digest::of(&l.1)).collect::<Vec<_>>()
    );
    assert!(made.iter().all(|layer| layer.listing.is_none() && layer.what == LayerKind::Base));
    assert!(fake.asked().is_empty(), "nothing of that is in a layer");

    let entry = base.entry(&path("/usr/lib/release")).unwrap().unwrap();
    assert_eq!(entry.node, Node::File { digest: Digest::of(b"one"), size: 3 });
    assert_eq!(base.entry(&path("/lib")).unwrap().unwrap().node, Node::Link("usr/lib".into()));
    assert_eq!(base.entry(&path("/usr/lib/x")).unwrap(), None, "it was removed");
    assert_eq!(base.names(&path("/opt")).unwrap(), ["big", "linked", "version"]);
    assert_eq!(fake.asked().len(), 3, "each layer once");

    let again = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap();
    assert_eq!(again.names(&path("/")).unwrap(), ["empty", "lib", "opt", "usr"]);
    assert!(again.layers().iter().all(|layer| layer.listing.is_some()));
    assert!(fake.asked().is_empty(), "what is in a layer is remembered");
}

#[test]
fn bytes_are_had_from_what_was_kept_or_from_the_layer_again() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let interest = |path: &ImagePath, size: u64| path.as_str() == "/opt/version" && size < 10;
    let base = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), &interest).unwrap();
    assert!(base.entry(&path("/opt")).unwrap().is_some());
    assert!(fake.store.size(&Digest::of(b"8.19.3")).is_some(), "what is of interest is kept on the way");
    assert!(fake.store.size(&Digest::of(b"one")).is_none());
    assert_eq!(text(&base, "/opt/version").as_deref(), Some("8.19.3"));
    assert_eq!(text(&base, "/opt/linked").as_deref(), Some("one"), "from the layer that it is linked to");
    fake.store.drop_blob(&Digest::of(b"8.19.3")).unwrap();
    assert_eq!(base.bytes(&path("/opt/big"), 5000).unwrap().unwrap().len(), 5000);
    assert!(fake.store.size(&Digest::of(b"8.19.3")).is_some(), "what lies beside it comes along");
    assert_eq!(text(&base, "/usr/lib/release").as_deref(), Some("one"));
    assert_eq!(text(&base, "/empty").as_deref(), Some(""));
    for nothing in ["/opt", "/lib", "/none", "/lib/release"] {
        assert_eq!(text(&base, nothing), None, "{nothing}");
    }
    let error = base.bytes(&path("/opt/big"), 100).unwrap_err().to_string();
    assert!(error.contains("/opt/big") && error.contains("up to 100"), "{error}");
}

#[test]
fn all_layers_are_fetched_for_who_wants_them() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap().fetch_layers().unwrap();
    assert!(lock.layer.iter().all(|layer| fake.store.size(&layer.digest) == Some(layer.size)));
    fake.asked();
    let offline = World { registry: None, ..fake.world() };
    let base = Base::locked(&from(), Compression::Gzip, &lock, &offline, NOTHING).unwrap();
    base.fetch_layers().unwrap();
    assert!(base.entry(&path("/opt")).unwrap().is_some(), "and can be read without a registry then");
    assert!(fake.asked().is_empty());
}

fn fault(error: BelowError) -> Fault {
    *error.downcast::<Fault>().unwrap()
}

#[test]
fn what_cannot_be_had_says_so_in_the_ports_own_words() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let offline = World { registry: None, ..fake.world() };
    let missing = Base::locked(&from(), Compression::Gzip, &lock, &offline, NOTHING).err().unwrap();
    assert!(matches!(missing, Fault::Port(PortError::Offline { .. })), "{missing}");
    drop(Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap());
    let base = Base::locked(&from(), Compression::Gzip, &lock, &offline, NOTHING).unwrap();
    let error = fault(base.entry(&path("/opt")).unwrap_err());
    assert!(matches!(error, Fault::Port(PortError::Offline { .. })), "{error}");
    let error = base.fetch_layers().unwrap_err();
    assert!(matches!(error, Fault::Port(PortError::Offline { .. })), "{error}");
    fake.blobs.clear();
    let base = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap();
    let error = fault(base.names(&path("/opt")).unwrap_err());
    assert!(matches!(error, Fault::Port(PortError::NotFound { .. })), "{error}");
    fake.interrupt.request();
    let error = fault(base.names(&path("/opt")).unwrap_err());
    assert!(matches!(error, Fault::Port(PortError::Interrupted)), "{error}");
}

#[test]
fn a_layer_that_is_not_what_its_configuration_says_is_refused_and_not_kept() {
    let mut fake = Fake::new();
    let (honest, other) = (Tarball::new().file("a", "1").end(), Tarball::new().file("a", "2").end());
    let lock = fake.serve(&[(GZIP, honest.clone(), gzip(&honest)), (GZIP, honest.clone(), gzip(&other))]);
    let interest = |_: &ImagePath, _: u64| true;
    let base = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), &interest).unwrap();
    for _ in 0..2 {
        let error = fault(base.entry(&path("/a")).unwrap_err());
        assert!(matches!(error, Fault::Wrong { .. }), "{error}");
        let told = error.to_string();
        for part in ["a.example/es:8", &lock.layer[1].digest.to_string(), &Digest::of(&honest).to_string()] {
            assert!(told.contains(part), "{told} should hold {part}");
        }
        assert!(told.contains(&Digest::of(&other).to_string()), "{told}");
    }
    assert!(fake.store.size(&lock.layer[1].digest).is_none() && fake.store.size(&Digest::of(b"2")).is_none());
}

#[test]
fn what_a_disk_has_spoilt_is_fetched_again() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let base = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap();
    base.fetch_layers().unwrap();
    let hex = lock.layer[0].digest.hex();
    let blob = fake.cache.path().join("v1/blobs/sha256").join(&hex[..2]).join(&hex);
    let size = fs::metadata(&blob).unwrap().len();
    fs::remove_file(&blob).unwrap();
    fs::write(&blob, vec![1; usize::try_from(size).unwrap()]).unwrap();
    assert!(base.entry(&path("/usr")).unwrap().is_some());
}

#[test]
fn a_configuration_that_does_not_fit_its_lock_is_refused() {
    let mut fake = Fake::new();
    let mut lock = fake.serve(&layers());
    lock.layer.pop();
    let error = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).err().unwrap().to_string();
    assert!(error.contains("its lock has 2 layers, its configuration 3"), "{error}");
    lock.config = Some(Digest::of(b"other"));
    let error = Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).err().unwrap().to_string();
    assert!(error.contains("has not the configuration"), "{error}");
    lock.config = None;
    assert!(
        Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING)
            .err()
            .unwrap()
            .to_string()
            .contains("run `elkbake lock`")
    );
}

/// An image with a layer of its own.
fn image_on(fake: &Fake, under: &Base<'_>) -> BuiltImage {
    let own = Tarball::new().file("opt/own", "mine").end();
    let (digest, size) = fake.store.put(&mut gzip(&own).as_slice(), None).unwrap();
    let mut layers = under.layers();
    layers.push(BuiltLayer {
        what: LayerKind::Files,
        descriptor: Descriptor { digest, size, media_type: GZIP.into() },
        diff_id: Digest::of(&own),
        listing: None,
    });
    let config = config(&layers.iter().map(|layer| layer.diff_id).collect::<Vec<_>>());
    let (config, size) = fake.store.put(&mut config.as_slice(), None).unwrap();
    let descriptor = |digest, size| Descriptor { digest, size, media_type: String::new() };
    BuiltImage {
        platform: "linux/amd64".parse().unwrap(),
        manifest: descriptor(config, size),
        config: descriptor(config, size),
        layers,
        plugins: Vec::new(),
    }
}

#[test]
fn an_image_that_was_built_stands_on_what_that_was_built_on() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let under = Arc::new(Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap());
    let image = image_on(&fake, &under);
    let base = Base::built(&image, Some(Arc::clone(&under)), &fake.world(), NOTHING).unwrap();
    assert_eq!(base.names(&path("/opt")).unwrap(), ["big", "linked", "own", "version"]);
    assert_eq!(text(&base, "/opt/own").as_deref(), Some("mine"));
    assert!(base.layers().iter().all(|layer| layer.what == LayerKind::Base));
    base.fetch_layers().unwrap();
    let alone = Base::built(&image, None, &fake.world(), NOTHING).unwrap();
    assert!(alone.entry(&path("/opt/own")).unwrap().is_some(), "the store has all of it by now");
    fake.store.drop_blob(&image.layers.last().unwrap().descriptor.digest).unwrap();
    let error = Base::built(&image, Some(Arc::clone(&under)), &fake.world(), NOTHING).unwrap().fetch_layers();
    assert!(error.unwrap_err().to_string().contains("build the recipe again"));
    fake.store.drop_blob(&image.config.digest).unwrap();
    assert!(Base::built(&image, None, &fake.world(), NOTHING).is_err());
}

/// What a lock knows of the base is enough for whoever builds on what was built on it.
#[test]
fn what_the_layers_of_an_image_do_not_say_is_asked_of_what_it_was_built_on() {
    let mut fake = Fake::new();
    let lock = fake.serve(&layers());
    let image = image_on(&fake, &Base::locked(&from(), Compression::Gzip, &lock, &fake.world(), NOTHING).unwrap());
    fake.manifests.clear();
    fake.blobs.clear();
    let answers = |listing: &str| {
        let text = format!("elkbake listing 1\n{listing}");
        let (listing, _) = fake.store.put(&mut text.as_bytes(), None).unwrap();
        let mut image = image.clone();
        image.layers.last_mut().unwrap().listing = Some(listing);
        let world = World { registry: None, ..fake.world() };
        let mut under = Base::locked(&from(), Compression::Gzip, &lock, &world, NOTHING).unwrap();
        let known = |text: &str| text.parse::<Found>().unwrap();
        under.learn(&BTreeMap::from([(path("/opt"), known("folder 0700 1:2")), (path("/srv"), known("nothing"))]));
        let base = Base::built(&image, Some(Arc::new(under)), &world, NOTHING).unwrap();
        ["/opt", "/opt/own", "/srv", "/srv/x", "/opt/big"].map(|at| match base.entry(&path(at)) {
            Ok(entry) => entry.map_or("nothing".to_owned(), |entry| Found::Entry(entry).to_string()),
            Err(_) => "unknown".to_owned(),
        })
    };
    let file = format!("file 0644 0:0 4 {}", Digest::of(b"mine"));
    let own = answers(&format!("f\t0644\t0:0\t/opt/own\t4\t{}\n", Digest::of(b"mine").hex()));
    assert_eq!(own, ["folder 0700 1:2", &file, "nothing", "nothing", "unknown"]);
    let own = answers("d\t0755\t0:0\t/srv\nw\t/opt\n");
    assert_eq!(own, ["nothing", "nothing", "folder 0755 0:0", "nothing", "nothing"]);
}
