//! All that has to be in a repository for an image to be there.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::PushError;
use crate::bake::built::{Built, BuiltImage};
use crate::bake::event::Listener;
use crate::bake::port::{Freight, RawManifest, Registry};
use crate::digest::Digest;
use crate::image::oci::{self, Descriptor, Document};
use crate::name::{Reference, Tag};
use crate::store::Store;

/// An image with its tag, on its way.
#[derive(Clone, Debug)]
pub struct Cargo {
    tag: Tag,
    /// What is pointed to before what points to it; the last is the one that gets the tag.
    manifests: Vec<RawManifest>,
    /// Each once, the largest first: the last to arrive decides how long it takes.
    blobs: Vec<Descriptor>,
    origins: BTreeMap<Digest, Reference>,
    may_move: bool,
}

impl Cargo {
    /// An image of the store. Where layers can be had that it does not have, `origins` tells.
    ///
    /// # Errors
    /// When the store does not have the image's documents.
    pub fn of_built(
        built: &Built,
        tag: &Tag,
        origins: BTreeMap<Digest, Reference>,
        store: &Store,
    ) -> Result<Self, PushError> {
        let documents = built.platforms.iter().map(|image| &image.manifest).chain(&built.index);
        let manifests = documents.map(|at| document(at, store)).collect::<Result<_, _>>()?;
        let parts = |image: &BuiltImage| {
            let layers = image.layers.iter().map(|layer| layer.descriptor.clone());
            layers.chain([image.config.clone()]).collect::<Vec<_>>()
        };
        let blobs = built.platforms.iter().flat_map(parts);
        Ok(Self { tag: tag.clone(), manifests, blobs: each_once(blobs), origins, may_move: false })
    }

    /// An image of a registry, by its digest.
    ///
    /// # Errors
    /// When its documents cannot be had.
    pub fn of_registry(
        reference: &Reference,
        digest: Digest,
        tag: &Tag,
        registry: &dyn Registry,
        tell: Listener<'_>,
    ) -> Result<Self, PushError> {
        let mut manifests = Vec::new();
        let mut blobs = Vec::new();
        let get = |digest: Digest| -> Result<(RawManifest, Document), PushError> {
            let at = reference.at(digest);
            let raw = registry.manifest(&at, tell)?;
            let read = oci::document(&raw.media_type, &raw.bytes);
            let read = read.map_err(|source| PushError::Document { subject: at.to_string(), source })?;
            Ok((raw, read))
        };
        let (top, read) = get(digest)?;
        let images = match read {
            Document::Manifest(image) => vec![image],
            Document::Index(index) => {
                let mut images = Vec::new();
                for entry in &index.entries {
                    match get(entry.descriptor.digest)? {
                        (raw, Document::Manifest(image)) => {
                            manifests.push(raw);
                            images.push(image);
                        }
                        (_, Document::Index(_)) => {
                            return Err(PushError::Nested { subject: reference.at(digest).to_string() });
                        }
                    }
                }
                images
            }
        };
        manifests.push(top);
        for image in images {
            blobs.push(image.config);
            blobs.extend(image.layers);
        }
        let blobs = each_once(blobs);
        let origins = blobs.iter().map(|at| (at.digest, reference.clone())).collect();
        Ok(Self { tag: tag.clone(), manifests, blobs, origins, may_move: false })
    }

    /// An artifact that is no image, with blobs of the store. Its tag says which is the newest, and moves.
    #[must_use]
    pub fn of_artifact(manifest: RawManifest, blobs: Vec<Descriptor>, tag: &Tag) -> Self {
        let (manifests, blobs) = (vec![manifest], each_once(blobs));
        Self { tag: tag.clone(), manifests, blobs, origins: BTreeMap::new(), may_move: true }
    }

    /// The tag that it gets.
    #[must_use]
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// What gets the tag.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.manifests.last().map(|top| top.digest)
    }

    /// Whether its tag may be another's now.
    pub(super) fn may_move(&self) -> bool {
        self.may_move
    }

    /// Its documents, the one that gets the tag last.
    pub(super) fn manifests(&self) -> &[RawManifest] {
        &self.manifests
    }

    /// Its layers and configurations.
    pub(super) fn blobs(&self) -> &[Descriptor] {
        &self.blobs
    }

    /// The layers that a store lacks and that come from a registry, with where that is.
    pub fn elsewhere<'c>(&'c self, store: &'c Store) -> impl Iterator<Item = (&'c Descriptor, &'c Reference)> {
        let lacks = |at: &&Descriptor| store.size(&at.digest) != Some(at.size);
        self.blobs.iter().filter(lacks).filter_map(|at| Some((at, self.origins.get(&at.digest)?)))
    }

    /// A blob as a registry is asked to take it.
    pub(super) fn freight(&self, at: &Descriptor) -> Freight<'_> {
        Freight { digest: at.digest, size: at.size, origin: self.origins.get(&at.digest) }
    }
}

fn document(at: &Descriptor, store: &Store) -> Result<RawManifest, PushError> {
    let bytes = store.bytes(&at.digest, oci::LONGEST_MANIFEST)?.ok_or(PushError::Missing { digest: at.digest })?;
    Ok(RawManifest { digest: at.digest, media_type: at.media_type.clone(), bytes })
}

fn each_once(blobs: impl IntoIterator<Item = Descriptor>) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    let mut blobs: Vec<_> = blobs.into_iter().filter(|at| seen.insert(at.digest)).collect();
    blobs.sort_by(|a, b| (b.size, a.digest).cmp(&(a.size, b.digest)));
    blobs
}
