//! Against registries in memory that take nothing which registries refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::SystemTime;

use super::*;
use crate::bake::built::{Built, BuiltImage, BuiltLayer};
use crate::bake::event::{Listener, SILENT};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Arrival, Freight, PortError, Publish, RawManifest, Registry};
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::Reference;
use crate::plan::LayerKind;
use crate::store::Store;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a registry holds, and how it behaves.
#[derive(Default)]
struct Shelves {
    blobs: BTreeSet<Digest>,
    manifests: BTreeMap<Digest, RawManifest>,
    tags: BTreeMap<String, Digest>,
    /// A tag is put once, the same manifest included: ECR's rule.
    immutable: bool,
    /// Somebody else puts a manifest under the tag right after it was asked for so many times.
    rival: Option<(u32, Digest)>,
    /// Somebody else puts this under each tag right after it was put, so many times.
    mover: Option<(u32, Digest)>,
    /// This blob never gets there.
    unlucky: Option<Digest>,
    asked: u32,
    sent: Vec<Digest>,
    put: Vec<String>,
}

struct Fake(Mutex<Shelves>);

fn unreachable(subject: &Reference) -> PortError {
    PortError::Unreachable { subject: subject.to_string(), message: "cut".to_owned() }
}

impl Publish for Fake {
    fn held(&self, reference: &Reference, _: Listener<'_>) -> Result<Option<Digest>, PortError> {
        let mut shelves = self.0.lock().unwrap();
        let tag = reference.tag.as_ref().unwrap().to_string();
        let held = shelves.tags.get(&tag).copied();
        shelves.asked += 1;
        if let Some((after, digest)) = shelves.rival
            && shelves.asked == after
        {
            shelves.tags.insert(tag, digest);
        }
        Ok(held)
    }

    fn missing(&self, _: &Reference, blobs: &[Digest], _: Listener<'_>) -> Result<BTreeSet<Digest>, PortError> {
        let shelves = self.0.lock().unwrap();
        Ok(blobs.iter().filter(|digest| !shelves.blobs.contains(digest)).copied().collect())
    }

    fn send(
        &self,
        into: &Reference,
        freight: Freight<'_>,
        store: &Store,
        _: Listener<'_>,
    ) -> Result<Arrival, PortError> {
        let mut shelves = self.0.lock().unwrap();
        if shelves.unlucky == Some(freight.digest) {
            return Err(unreachable(into));
        }
        assert!(freight.origin.is_some() || store.size(&freight.digest) == Some(freight.size));
        shelves.blobs.insert(freight.digest);
        shelves.sent.push(freight.digest);
        Ok(if freight.origin.is_some() { Arrival::Mounted } else { Arrival::Sent(freight.size) })
    }

    fn publish(&self, at: &Reference, manifest: &RawManifest, _: Listener<'_>) -> Result<(), PortError> {
        let mut shelves = self.0.lock().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap();
        let digest = |at: &serde_json::Value| at["digest"].as_str().unwrap().parse::<Digest>().unwrap();
        let list = |key: &str| json[key].as_array().cloned().unwrap_or_default();
        for part in list("layers").iter().chain(json.get("config")) {
            assert!(shelves.blobs.contains(&digest(part)), "a manifest comes before its blobs");
        }
        for part in list("manifests") {
            assert!(shelves.manifests.contains_key(&digest(&part)), "an index comes before its manifests");
        }
        if let Some(tag) = &at.tag {
            if shelves.immutable && shelves.tags.contains_key(tag.as_str()) {
                return Err(PortError::Immutable { subject: at.to_string(), message: "TAG_INVALID".to_owned() });
            }
            let moved = match &mut shelves.mover {
                Some((left, theirs)) if *left > 0 => {
                    *left -= 1;
                    *theirs
                }
                _ => manifest.digest,
            };
            shelves.tags.insert(tag.to_string(), moved);
        } else {
            assert_eq!(at.digest, Some(manifest.digest));
        }
        shelves.manifests.insert(manifest.digest, manifest.clone());
        shelves.put.push(at.to_string());
        Ok(())
    }
}

impl Registry for Fake {
    fn manifest(&self, reference: &Reference, _: Listener<'_>) -> Result<RawManifest, PortError> {
        let shelves = self.0.lock().unwrap();
        shelves.manifests.get(&reference.digest.unwrap()).cloned().ok_or_else(|| unreachable(reference))
    }

    fn blob(&self, from: &Reference, _: Digest, _: u64, _: &Store, _: Listener<'_>) -> Result<(), PortError> {
        Err(unreachable(from))
    }
}

/// An image for some platforms, with a base layer that only a registry has.
struct Kit {
    _folder: tempfile::TempDir,
    store: Store,
    built: Built,
    base: Digest,
}

impl Kit {
    fn new(platforms: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), SystemTime::UNIX_EPOCH).unwrap();
        let put = |bytes: &[u8], media_type: &str| {
            let (digest, size) = store.put(&mut &bytes[..], None).unwrap();
            Descriptor { digest, size, media_type: media_type.to_owned() }
        };
        let json =
            |at: &Descriptor| serde_json::json!({ "mediaType": at.media_type, "digest": at.digest, "size": at.size });
        let base = Descriptor { digest: Digest::of(b"base"), size: 1 << 30, media_type: LAYER.to_owned() };
        let image = |platform: &&str| {
            let own = put(format!("own layer for {platform}").as_bytes(), LAYER);
            let config = put(format!("{{\"of\":\"{platform}\"}}").as_bytes(), CONFIG);
            let manifest = serde_json::json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": json(&config), "layers": [json(&base), json(&own)],
            });
            let manifest = put(manifest.to_string().as_bytes(), MANIFEST);
            let layer = |what, descriptor: &Descriptor| BuiltLayer {
                what,
                descriptor: descriptor.clone(),
                diff_id: descriptor.digest,
                listing: None,
            };
            let layers = vec![layer(LayerKind::Base, &base), layer(LayerKind::Files, &own)];
            BuiltImage { platform: platform.parse().unwrap(), manifest, config, layers, plugins: Vec::new() }
        };
        let images: Vec<_> = platforms.iter().map(image).collect();
        let index = (images.len() > 1).then(|| {
            let entries: Vec<_> = images.iter().map(|image| json(&image.manifest)).collect();
            let index = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
            put(index.to_string().as_bytes(), INDEX)
        });
        let base = base.digest;
        let built = Built { key: Digest::of(b"key"), index, platforms: images };
        Self { _folder: folder, store, built, base }
    }

    fn cargo(&self) -> Cargo {
        let origins = BTreeMap::from([(self.base, "docker.elastic.co/es".parse().unwrap())]);
        Cargo::of_built(&self.built, &"1-a".parse().unwrap(), origins, &self.store).unwrap()
    }

    fn push(&self, to: &Fake) -> Result<Shipped, PushError> {
        self.push_cargo(&self.cargo(), to)
    }

    fn push_cargo(&self, cargo: &Cargo, to: &Fake) -> Result<Shipped, PushError> {
        let into = "registry.corp/elk/es".parse().unwrap();
        let interrupt = Interrupt::default();
        let desk = Desk { publish: to, store: &self.store, interrupt: &interrupt, tell: SILENT };
        ship(&look(cargo, &into, desk)?, cargo, &into, desk)
    }
}

fn fake(shelves: Shelves) -> Fake {
    Fake(Mutex::new(shelves))
}

#[test]
fn all_of_an_image_gets_there_once_and_the_tag_last() {
    let kit = Kit::new(&["linux/amd64", "linux/arm64"]);
    let registry = fake(Shelves::default());
    let shipped = kit.push(&registry).unwrap();
    assert_eq!((shipped.sent, shipped.mounted, shipped.present, shipped.was_there), (4, 1, 0, false));
    let put = registry.0.lock().unwrap().put.clone();
    assert_eq!(put.len(), 3);
    assert!(put[..2].iter().all(|at| at.contains('@')), "children have no tag: {put:?}");
    assert!(put[2].ends_with("elk/es:1-a"));
    let again = kit.push(&registry).unwrap();
    assert!(again.was_there);
    let shelves = registry.0.lock().unwrap();
    assert_eq!((shelves.put.len(), shelves.sent.len()), (3, 5), "nothing is sent twice");
}

#[test]
fn what_is_there_is_not_sent() {
    let kit = Kit::new(&["linux/amd64"]);
    let registry = fake(Shelves { blobs: BTreeSet::from([kit.base]), ..Shelves::default() });
    let shipped = kit.push(&registry).unwrap();
    assert_eq!((shipped.sent, shipped.mounted, shipped.present), (2, 0, 1));
}

#[test]
fn another_images_tag_is_refused_before_anything_is_sent() {
    let kit = Kit::new(&["linux/amd64"]);
    let theirs = Digest::of(b"theirs");
    let registry = fake(Shelves { tags: BTreeMap::from([("1-a".to_owned(), theirs)]), ..Shelves::default() });
    let error = kit.push(&registry).unwrap_err();
    let ours = kit.cargo().digest().unwrap();
    assert!(matches!(&error, PushError::Taken { .. }), "{error:?}");
    assert!(
        error.to_string().contains(&theirs.to_string()) && error.to_string().contains(&ours.to_string()),
        "{error}"
    );
    let shelves = registry.0.lock().unwrap();
    assert_eq!((shelves.sent.len(), shelves.put.len()), (0, 0));
}

#[test]
fn a_tag_that_somebody_takes_on_the_way_is_not_moved() {
    // Asked for when we look (1), before it is put (2) and after (3).
    for (after, immutable) in [(1, false), (1, true), (2, true)] {
        let kit = Kit::new(&["linux/amd64"]);
        let theirs = Digest::of(b"theirs");
        let registry = fake(Shelves { rival: Some((after, theirs)), immutable, ..Shelves::default() });
        let error = kit.push(&registry).unwrap_err();
        assert!(matches!(error, PushError::Taken { theirs: taken, .. } if taken == theirs), "{after}: {error:?}");
        assert_eq!(registry.0.lock().unwrap().tags["1-a"], theirs);
    }
}

#[test]
fn the_same_image_that_somebody_else_has_just_put_is_success_where_tags_are_immutable() {
    let kit = Kit::new(&["linux/amd64"]);
    let ours = kit.cargo().digest().unwrap();
    for after in [1, 2] {
        let registry = fake(Shelves { rival: Some((after, ours)), immutable: true, ..Shelves::default() });
        kit.push(&registry).unwrap();
    }
}

#[test]
fn a_blob_that_does_not_get_there_leaves_the_tag_where_it_was_and_the_next_push_goes_on() {
    let kit = Kit::new(&["linux/amd64", "linux/arm64"]);
    let unlucky = kit.built.platforms[1].config.digest;
    let registry = fake(Shelves { unlucky: Some(unlucky), ..Shelves::default() });
    let error = kit.push(&registry).unwrap_err();
    assert!(matches!(error, PushError::Port(PortError::Unreachable { .. })), "{error:?}");
    assert!(registry.0.lock().unwrap().put.is_empty(), "no manifest before all blobs");
    registry.0.lock().unwrap().unlucky = None;
    kit.push(&registry).unwrap();
    let sent = registry.0.lock().unwrap().sent.clone();
    let once: BTreeSet<_> = sent.iter().collect();
    assert_eq!(once.len(), sent.len(), "no blob is sent twice");
}

#[test]
fn a_blob_that_is_nowhere_is_named() {
    let kit = Kit::new(&["linux/amd64"]);
    let cargo = Cargo::of_built(&kit.built, &"1-a".parse().unwrap(), BTreeMap::new(), &kit.store).unwrap();
    let error = kit.push_cargo(&cargo, &fake(Shelves::default())).unwrap_err();
    assert!(matches!(error, PushError::Missing { digest } if digest == kit.base), "{error:?}");
}

#[test]
fn an_image_is_copied_from_one_registry_to_another_by_its_digest() {
    let kit = Kit::new(&["linux/amd64", "linux/arm64"]);
    let (from, to) = (fake(Shelves::default()), fake(Shelves::default()));
    kit.push(&from).unwrap();
    let digest = kit.cargo().digest().unwrap();
    let reference = "registry.corp/elk/es".parse().unwrap();
    let cargo = Cargo::of_registry(&reference, digest, &"1-a".parse().unwrap(), &from, SILENT).unwrap();
    kit.push_cargo(&cargo, &to).unwrap();
    let shelves = to.0.lock().unwrap();
    assert_eq!(shelves.tags["1-a"], digest);
    assert_eq!(shelves.manifests.len(), 3);
}

fn artifact(text: &str) -> Cargo {
    let digest = Digest::of(text.as_bytes());
    let manifest = RawManifest { digest, media_type: MANIFEST.to_owned(), bytes: text.as_bytes().to_vec() };
    Cargo::of_artifact(manifest, Vec::new(), &"current".parse().unwrap())
}

#[test]
fn an_artifacts_tag_moves() {
    let kit = Kit::new(&["linux/amd64"]);
    let registry = fake(Shelves::default());
    for text in ["{\"a\":1}", "{\"a\":2}"] {
        kit.push_cargo(&artifact(text), &registry).unwrap();
        assert_eq!(registry.0.lock().unwrap().tags["current"], Digest::of(text.as_bytes()));
    }
}

#[test]
fn a_tag_that_moves_is_moved_again_when_somebody_moves_it_meanwhile_and_no_other_is() {
    let kit = Kit::new(&["linux/amd64"]);
    let before = Digest::of(b"before");
    let moved = |times| fake(Shelves { mover: Some((times, before)), ..Shelves::default() });
    let registry = moved(2);
    kit.push_cargo(&artifact("{}"), &registry).unwrap();
    assert_eq!(registry.0.lock().unwrap().tags["current"], Digest::of(b"{}"));
    let error = kit.push_cargo(&artifact("{}"), &moved(u32::MAX)).unwrap_err();
    assert!(matches!(error, PushError::Unproven { theirs: Some(theirs), .. } if theirs == before), "{error:?}");
    let error = kit.push(&moved(1)).unwrap_err();
    assert!(matches!(error, PushError::Unproven { .. }), "{error:?}");
}

#[test]
fn a_folder_keeps_its_tags_too() {
    let kit = Kit::new(&["linux/amd64"]);
    let folder = tempfile::tempdir().unwrap();
    let layout = layout_of(folder.path(), &"elk/es".parse().unwrap());
    // The base's layer is fetched first; here it is made.
    let base = Descriptor { digest: kit.base, size: 4, media_type: LAYER.to_owned() };
    kit.store.put(&mut &b"base"[..], Some(kit.base)).unwrap();
    let mut built = kit.built.clone();
    built.platforms[0].layers[0].descriptor = base;
    let (tag, host) = ("1-a".parse().unwrap(), "linux/amd64".parse().unwrap());
    let interrupt = Interrupt::default();
    let (store, folder) = (&kit.store, folder.path());
    let desk = crate::bake::output::Desk { store, interrupt: &interrupt, tell: SILENT, host: &host, folder };
    let push = |built: &Built| {
        let cargo = Cargo::of_built(built, &tag, BTreeMap::new(), &kit.store)?;
        into_folder(&look_in_folder(&cargo, &layout)?, &cargo, &layout, desk)
    };
    assert_eq!(push(&built).unwrap().sent, 3);
    assert!(push(&built).unwrap().was_there);
    let mut other = built.clone();
    let (digest, size) = kit.store.put(&mut &b"{}"[..], None).unwrap();
    other.platforms[0].manifest = Descriptor { digest, size, media_type: MANIFEST.to_owned() };
    let error = push(&other).unwrap_err();
    assert!(matches!(error, PushError::Taken { .. }), "{error:?}");
}
