//! What an image is built on: its configuration, its layers, and what is in them.
//!
//! Nothing is fetched without need. A base in a registry is a list of digests that the lock has already: its
//! configuration is small and always fetched, its layers only when somebody asks what is in them, or wants their bytes.
//! What a layer holds is kept in the store under the layer's digest, so that each is read once.

mod facts;
mod held;
mod local;
mod read;
mod repack;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::bake::built::{BuiltImage, BuiltLayer};
use crate::bake::known;
use crate::bake::port::PortError;
use crate::bake::resolve::base::Remote;
use crate::bake::resolve::{Fault, World};
use crate::digest::Digest;
use crate::image::below::{Below, BelowError};
use crate::image::listing::Listing;
use crate::image::oci::{self, Descriptor, Document};
use crate::image::scan::Wanted;
use crate::image::stack::{Stack, There};
use crate::lock::{Found, LockedLayer, LockedPlatform};
use crate::name::{ImagePath, Reference};
use crate::plan::LayerKind;
use crate::recipe::{Compression, From};
use crate::tree::{Entry, Node};

use held::{Held, Origin};

pub use facts::Remembered;
pub(in crate::bake) use held::Watched;

/// What an image is built on, on one platform. What its lock says of its files is believed: the lock is part of the
/// project, and was made from the layers.
pub struct Base<'w> {
    world: World<'w>,
    interest: Wanted<'w>,
    config: Option<Vec<u8>>,
    layers: Vec<Held>,
    facts: BTreeMap<ImagePath, Found>,
    /// Of an image that was built: what on, and the texts of what its own layers do, from the bottom up.
    under: Option<(Arc<Self>, Vec<Digest>)>,
    own: OnceLock<Option<Vec<Listing>>>,
    view: Mutex<Option<Arc<Stack>>>,
}

impl<'w> Base<'w> {
    /// Nothing.
    #[must_use]
    pub fn scratch(world: &World<'w>) -> Self {
        Self::new(world, &|_, _| false, None, Vec::new())
    }

    /// What a lock has pinned. A root file system becomes a layer of our own, packed as layers are `compressed`, unless
    /// it is so already, or with gzip, which everything reads. `interest` says which files' bytes will be asked for, so
    /// that a layer that is read is read once.
    ///
    /// # Errors
    /// When what is needed cannot be had, or is not what was pinned.
    pub fn locked(
        from: &From,
        compressed: Compression,
        locked: &LockedPlatform,
        world: &World<'w>,
        interest: Wanted<'w>,
    ) -> Result<Self, Fault> {
        let subject = from.to_string();
        let (config, layers) = match from {
            From::Scratch => (None, Vec::new()),
            From::Recipe(_) => return Err(Fault::wrong(&subject, "a recipe is built, and not looked up")),
            From::Rootfs(path) => {
                let at = locked.layer.first().map(descriptor).ok_or_else(|| Fault::wrong(&subject, NO_LAYER))?;
                let from = (path, compressed);
                (None, vec![local::rootfs(from, at, &subject, interest, world)?])
            }
            From::Registry(reference) => {
                let bytes = registry_config(reference, locked.manifest, config_of(locked, &subject)?, world)?;
                let layers = registry(&reference.at(locked.manifest), pair(locked, &bytes, &subject)?, &subject);
                (Some(bytes), layers)
            }
            From::Oci(path, _) => {
                let bytes = local::layout_config(path, config_of(locked, &subject)?, world)?;
                let layers = local::layout(path, pair(locked, &bytes, &subject)?, &subject, interest, world)?;
                (Some(bytes), layers)
            }
            From::DockerArchive(path) => {
                let bytes = local::archive_config(path, config_of(locked, &subject)?, world)?;
                let layers = local::archive(path, pair(locked, &bytes, &subject)?, &subject, interest, world)?;
                (Some(bytes), layers)
            }
        };
        Ok(Self { facts: locked.there.clone(), ..Self::new(world, interest, config, layers) })
    }

    /// An image that was built before. `under` is what that was built on: layers that it shares with that can be had
    /// from there, all others are in the store.
    ///
    /// # Errors
    /// When its configuration is not in the store any more.
    pub fn built(
        image: &BuiltImage,
        under: Option<Arc<Self>>,
        world: &World<'w>,
        interest: Wanted<'w>,
    ) -> Result<Self, Fault> {
        let config = world.store.bytes(&image.config.digest, oci::LONGEST_CONFIG)?;
        let config = config.ok_or_else(|| {
            Fault::wrong(
                &image.config.digest,
                "the configuration of the image below is not in the store: build it again",
            )
        })?;
        let below = under.as_ref().map_or(&[][..], |under| &under.layers[..]);
        let layer = |layer: &BuiltLayer| {
            let mut held = match below.iter().find(|held| held.layer.descriptor.digest == layer.descriptor.digest) {
                Some(held) => held.clone(),
                None => Held::new(
                    layer.descriptor.clone(),
                    layer.diff_id,
                    Origin::Store,
                    &image.manifest.digest.to_string(),
                ),
            };
            held.layer = BuiltLayer { what: LayerKind::Base, ..layer.clone() };
            held
        };
        let layers = image.layers.iter().map(layer).collect();
        let own = image.layers.iter().skip(below.len()).map(|layer| layer.listing).collect::<Option<Vec<_>>>();
        let under = under.zip(own);
        Ok(Self { under, ..Self::new(world, interest, Some(config), layers) })
    }

    /// Adds what another lock says of the files of what this one has pinned.
    pub fn learn(&mut self, there: &BTreeMap<ImagePath, Found>) {
        self.facts.extend(there.iter().map(|(path, found)| (path.clone(), found.clone())));
    }

    fn new(world: &World<'w>, interest: Wanted<'w>, config: Option<Vec<u8>>, layers: Vec<Held>) -> Self {
        let facts = BTreeMap::new();
        Self {
            world: *world,
            interest,
            config,
            layers,
            facts,
            under: None,
            own: OnceLock::new(),
            view: Mutex::new(None),
        }
    }

    /// The bytes of its OCI configuration. `scratch` and a root file system have none.
    #[must_use]
    pub fn config(&self) -> Option<&[u8]> {
        self.config.as_deref()
    }

    /// Its layers, from the bottom up, with their listings where the store has them.
    #[must_use]
    pub fn layers(&self) -> Vec<BuiltLayer> {
        let layer = |held: &Held| {
            let listing = held.layer.listing.or_else(|| read::kept(held, &self.world).ok()?);
            BuiltLayer { listing, ..held.layer.clone() }
        };
        self.layers.iter().map(layer).collect()
    }

    /// Puts the compressed bytes of all its layers into the store.
    ///
    /// # Errors
    /// When they cannot be had, or are not what was pinned.
    pub fn fetch_layers(&self) -> Result<(), Fault> {
        read::fetch(&self.layers, &self.world)
    }

    /// What all its layers make together, fetched and read where nobody has done that before.
    ///
    /// # Errors
    /// When they cannot be had, are not what was pinned, or do not fit on each other.
    pub fn view(&self) -> Result<Arc<Stack>, Fault> {
        // Held all the while: others who ask wait for the answer, and do not look for it a second time.
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = &*view {
            return Ok(Arc::clone(view));
        }
        let mut stack = Stack::default();
        let listings = read::listings(&self.layers, self.interest, &self.world)?;
        for (held, listing) in self.layers.iter().zip(&listings) {
            stack.add(listing).map_err(|error| held.wrong(&error.to_string()))?;
        }
        Ok(Arc::clone(view.insert(Arc::new(stack))))
    }

    /// What is at a path by the layers that were built on something, or else by that; `None` where it is not known what
    /// the layers do.
    fn by_layers(&self, path: &ImagePath) -> Option<Result<Option<Entry>, BelowError>> {
        let (under, texts) = self.under.as_ref()?;
        let read = || texts.iter().map(|text| known::listing(text, self.world.store).ok()?).collect();
        let own = self.own.get_or_init(read).as_ref()?;
        Some(match own.iter().rev().find_map(|listing| listing.says(path)) {
            Some(said) => Ok(said.cloned()),
            None => under.entry(path),
        })
    }

    /// Reads the layer again that holds a file, with all that is of interest in it, and what lies beside the file: who
    /// asks for one jar of a folder asks for the next one too.
    fn read_again(&self, layer: usize, file: &ImagePath, digest: Digest, limit: u64) -> Result<(), Fault> {
        let Some(held) = self.layers.get(layer) else { return Ok(()) };
        let listing = read::kept_listing(held, &self.world)?.unwrap_or_default();
        let is_it = |node: &Node| matches!(node, Node::File { digest: there, .. } if *there == digest);
        let places: BTreeSet<_> =
            listing.tree.iter().filter(|(_, entry)| is_it(&entry.node)).map(|(path, _)| path).collect();
        let folder = file.parent();
        let beside = |path: &ImagePath, size: u64| size <= limit && path.parent() == folder;
        let wanted =
            |path: &ImagePath, size: u64| places.contains(path) || (self.interest)(path, size) || beside(path, size);
        read::read(held, Some(held.layer.diff_id), &wanted, &self.world).map(drop)
    }
}

impl Below for Base<'_> {
    fn entry(&self, path: &ImagePath) -> Result<Option<Entry>, BelowError> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        if let Some(known) = Remembered(&self.facts).answer(path) {
            return Ok(known);
        }
        if let Some(answer) = self.by_layers(path) {
            return answer;
        }
        Ok(match self.view()?.get(path) {
            Some(There::Entry(entry)) => Some(entry.clone()),
            Some(There::Special(_)) | None => None,
        })
    }

    fn names(&self, folder: &ImagePath) -> Result<Vec<String>, BelowError> {
        Ok(self.view()?.names(folder).map(str::to_owned).collect())
    }

    fn bytes(&self, path: &ImagePath, limit: u64) -> Result<Option<Vec<u8>>, BelowError> {
        let view = self.view()?;
        let (Some(There::Entry(Entry { node: Node::File { digest, size }, .. })), Some(layer)) =
            (view.get(path), view.layer(path))
        else {
            return Ok(None);
        };
        if *size > limit {
            return Err(Fault::wrong(path, format!("it has {size} bytes; up to {limit} are read")).into());
        }
        if *size == 0 {
            return Ok(Some(Vec::new()));
        }
        let get = || self.world.store.bytes(digest, limit).map_err(|error| Fault::from(PortError::from(error)));
        if let Some(bytes) = get()? {
            return Ok(Some(bytes));
        }
        self.read_again(layer, path, *digest, limit)?;
        let lost = || Fault::wrong(path, "its bytes were read and are not in the store");
        Ok(Some(get()?.ok_or_else(lost)?))
    }
}

const NO_LAYER: &str = "its lock has no layer: run `elkbake lock`";

fn config_of(locked: &LockedPlatform, subject: &str) -> Result<Digest, Fault> {
    locked.config.ok_or_else(|| Fault::wrong(&subject, "its lock has no configuration: run `elkbake lock`"))
}

/// The configuration of a base in a registry, from the store where it is there.
fn registry_config(from: &Reference, manifest: Digest, digest: Digest, world: &World<'_>) -> Result<Vec<u8>, Fault> {
    if let Some(bytes) = world.store.bytes(&digest, oci::LONGEST_CONFIG)? {
        return Ok(bytes);
    }
    let reference = from.at(manifest);
    let remote = Remote { reference: reference.clone(), world };
    match remote.read(&remote.get(&reference)?)? {
        Document::Manifest(manifest) if manifest.config.digest == digest => remote.config_bytes(&manifest.config),
        _ => Err(Fault::wrong(&reference, format!("it has not the configuration {digest} that is locked"))),
    }
}

/// The layers of a base in a registry, which stay there.
fn registry(reference: &Reference, pairs: local::Pairs, subject: &str) -> Vec<Held> {
    let held = |(at, diff_id)| Held::new(at, diff_id, Origin::Registry(reference.clone()), subject);
    pairs.into_iter().map(held).collect()
}

/// The layers of a lock with the tar streams that a configuration says are in them.
fn pair(locked: &LockedPlatform, config: &[u8], subject: &str) -> Result<local::Pairs, Fault> {
    let diff_ids = oci::config(config).map_err(Fault::oci(&subject))?.diff_ids;
    let (layers, unpacked) = (locked.layer.len(), diff_ids.len());
    if layers != unpacked {
        let message = format!("its lock has {layers} layers, its configuration {unpacked}: run `elkbake lock`");
        return Err(Fault::wrong(&subject, message));
    }
    Ok(locked.layer.iter().map(descriptor).zip(diff_ids).collect())
}

/// A layer as OCI manifests call it: Docker's names for the same bytes do not belong into one.
fn descriptor(layer: &LockedLayer) -> Descriptor {
    let media_type = match layer.media_type.strip_prefix("application/vnd.docker.image.rootfs.diff.tar") {
        Some(packing) => format!("{}{}", oci::LAYER_TAR, packing.replace('.', "+")),
        None => layer.media_type.clone(),
    };
    Descriptor { digest: layer.digest, size: layer.size, media_type }
}

#[cfg(test)]
pub(in crate::bake) mod tests;
