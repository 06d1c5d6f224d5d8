//! A made-up world: registries, sites and regions in memory, a project and a store in temporary folders.

mod files;
mod local;
mod registry;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::bake::event::{Event, Listener};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{AmiFacts, AmiLookup, Download, Fetch, PortError, RawManifest, Registry};
use crate::digest::Digest;
use crate::lock::{self, stale};
use crate::name::Reference;
use crate::recipe::{self, AmiBase, Architecture, Region, Url};
use crate::store::{Store, StoreError};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

struct Fake {
    project: TempDir,
    _cache: TempDir,
    store: Store,
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    amis: BTreeMap<String, &'static str>,
    maven: Url,
    interrupt: Interrupt,
    asked: Mutex<Vec<String>>,
    notes: Mutex<Vec<String>>,
}

impl Fake {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        Self {
            project: tempfile::tempdir().unwrap(),
            store: Store::open(cache.path(), SystemTime::UNIX_EPOCH).unwrap(),
            _cache: cache,
            manifests: BTreeMap::new(),
            blobs: BTreeMap::new(),
            files: BTreeMap::new(),
            amis: BTreeMap::new(),
            maven: "https://maven.example/".parse().unwrap(),
            interrupt: Interrupt::default(),
            asked: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    fn project_file(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Puts a document under a reference and under its digest.
    fn serve(&mut self, reference: &str, media_type: &str, document: &Value) -> Digest {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        let reference: Reference = reference.parse().unwrap();
        for name in [reference.to_string(), reference.at(digest).to_string()] {
            self.manifests.insert(name, (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// Puts an image for one platform into a repository and returns its entry for an index.
    fn image(&mut self, reference: &str, architecture: &str, version: &str) -> Value {
        let config = config(architecture, version, &[b"one", b"two"]);
        self.blobs.insert(Digest::of(&config), config.clone());
        let document = manifest(&config, &[b"one", b"two"]);
        let digest = self.serve(reference, MANIFEST, &document);
        let size = document.to_string().len();
        let platform = json!({ "os": "linux", "architecture": architecture });
        json!({ "mediaType": MANIFEST, "digest": digest, "size": size, "platform": platform })
    }

    /// Elasticsearch for two platforms under a tag, with an attestation among them.
    fn elasticsearch(&mut self, version: &str) -> Digest {
        let repository = "docker.elastic.co/elasticsearch/elasticsearch";
        let mut attestation = self.image(repository, "riscv64", version);
        attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
        let images = [self.image(repository, "arm64", version), attestation, self.image(repository, "amd64", version)];
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": images });
        self.serve(&format!("{repository}:8.19.3"), INDEX, &index)
    }

    fn lock(&self, recipe: &str, earlier: Option<&Lock>, update: &Update) -> Result<Lock, ResolveError> {
        let tell: Listener<'_> = &|event| {
            if let Event::Note(note) = event {
                self.notes.lock().unwrap().push(note.to_owned());
            }
        };
        let world = World { tell, ..self.world() };
        Self::resolve(recipe, earlier, update, &world)
    }

    fn world(&self) -> World<'_> {
        World {
            project: self.project.path(),
            registry: Some(self),
            fetch: Some(self),
            ami: Some(self),
            engines: None,
            maven: Some(&self.maven),
            store: &self.store,
            tell: crate::bake::event::SILENT,
            interrupt: &self.interrupt,
        }
    }

    fn offline(&self, recipe: &str, earlier: Option<&Lock>) -> Result<Lock, ResolveError> {
        let world = World { registry: None, fetch: None, ami: None, ..self.world() };
        Self::resolve(recipe, earlier, &Update::Nothing, &world)
    }

    /// Resolves, and holds what every lock has to be: an answer to its recipe, and readable.
    fn resolve(recipe: &str, earlier: Option<&Lock>, update: &Update, world: &World<'_>) -> Result<Lock, ResolveError> {
        let recipe = recipe::parse(Path::new("r.toml"), recipe).unwrap_or_else(|error| panic!("{error}")).value;
        let lock = super::resolve(&"es".parse().unwrap(), &recipe, earlier, update, world)?;
        assert_eq!(stale(&recipe, &lock), []);
        let text = lock.write().unwrap();
        assert_eq!(lock::parse(Path::new("r.lock"), &text).unwrap_or_else(|e| panic!("{e}\n{text}")).value, lock);
        Ok(lock)
    }

    fn first(&self, recipe: &str) -> Lock {
        self.lock(recipe, None, &Update::Nothing).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refusal(&self, recipe: &str) -> String {
        self.lock(recipe, None, &Update::Nothing).unwrap_err().to_string()
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }

    fn note_question(&self, what: &impl ToString) {
        self.asked.lock().unwrap().push(what.to_string());
    }
}

fn nothing_there(subject: &dyn ToString) -> PortError {
    PortError::NotFound { subject: subject.to_string(), message: String::new() }
}

impl Registry for Fake {
    fn manifest(&self, reference: &Reference, _: Listener<'_>) -> Result<RawManifest, PortError> {
        self.note_question(reference);
        let (media_type, bytes) = self.manifests.get(&reference.to_string()).ok_or_else(|| nothing_there(reference))?;
        Ok(RawManifest { digest: Digest::of(bytes), media_type: media_type.clone(), bytes: bytes.clone() })
    }

    fn blob(&self, _: &Reference, digest: Digest, _: u64, store: &Store, _: Listener<'_>) -> Result<(), PortError> {
        self.note_question(&digest);
        let bytes = self.blobs.get(&digest).ok_or_else(|| nothing_there(&digest))?;
        store.put(&mut bytes.as_slice(), Some(digest))?;
        Ok(())
    }
}

impl Fetch for Fake {
    fn fetch(&self, what: &Download, store: &Store, _: Listener<'_>) -> Result<(Digest, u64), PortError> {
        self.note_question(&what.url);
        let bytes = self.files.get(what.url.as_str()).ok_or_else(|| nothing_there(&what.url))?;
        Ok(store.put(&mut bytes.as_slice(), what.expected).map_err(|error: StoreError| error)?)
    }
}

impl AmiLookup for Fake {
    fn find(&self, base: &AmiBase, architecture: Architecture, region: &Region) -> Result<AmiFacts, PortError> {
        let question = format!("{} {architecture} {region}", base.ssm.get(&architecture).map_or("", String::as_str));
        self.note_question(&question);
        let id = self.amis.get(&question).ok_or_else(|| nothing_there(&question))?;
        Ok(AmiFacts {
            id: (*id).to_owned(),
            name: "ecs".to_owned(),
            owner: "591542846629".to_owned(),
            snapshot: "snap-1".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            deprecated: None,
        })
    }
}

fn config(architecture: &str, version: &str, layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    let labels = json!({ "org.label-schema.version": version });
    json!({
        "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": { "User": "1000:0", "Env": ["JAVA_VERSION=jdk-21.0.2+13"], "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    })
    .to_string()
    .into_bytes()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}

fn manifest(config: &[u8], layers: &[&[u8]]) -> Value {
    let layers: Vec<_> = layers.iter().map(|layer| descriptor(LAYER, layer)).collect();
    json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config), "layers": layers })
}

const HOST: &str = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\narchitectures = [\"x86_64\", \"arm64\"]\n\
    [base]\nssm = { x86_64 = \"/aws/ecs\", arm64 = \"/aws/ecs\" }\n";

#[test]
fn a_host_is_locked_by_processor_and_moves_only_when_told() {
    let mut fake = Fake::new();
    fake.amis.insert("/aws/ecs x86_64 eu-west-1".into(), "ami-1");
    assert!(fake.refusal(HOST).contains("ami arm64: /aws/ecs arm64 eu-west-1: not found"));
    fake.amis.insert("/aws/ecs arm64 eu-west-1".into(), "ami-2");
    let first = fake.first(HOST);
    assert_eq!(first.ami.iter().map(|ami| ami.id.as_str()).collect::<Vec<_>>(), ["ami-1", "ami-2"]);
    fake.asked();
    fake.amis.insert("/aws/ecs arm64 eu-west-1".into(), "ami-3");
    assert_eq!(fake.offline(HOST, Some(&first)).unwrap(), first);
    let arm = Update::Inputs(BTreeSet::from(["ami arm64".to_owned()]));
    let second = fake.lock(HOST, Some(&first), &arm).unwrap();
    assert_eq!(fake.asked(), ["/aws/ecs arm64 eu-west-1"]);
    assert_eq!(lock::moved(&first, &second).len(), 1);
    let away = fake.lock(&HOST.replace("eu-west-1", "eu-west-2"), Some(&first), &Update::Nothing).unwrap_err();
    assert!(away.to_string().contains("/aws/ecs x86_64 eu-west-2"), "{away}");
}

#[test]
fn an_input_that_the_recipe_does_not_have_cannot_move() {
    let update = Update::Inputs(BTreeSet::from(["discovery-ec3".to_owned()]));
    let error = Fake::new().lock(HOST, None, &update).unwrap_err().to_string();
    assert_eq!(error, "recipe es has no input `discovery-ec3`; it has: ami x86_64, ami arm64");
}
