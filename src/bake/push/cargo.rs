//! All that has to be in a repository for an image to be there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use super::fault::PushError;
use crate::bake::built::{Built, BuiltImage};
use crate::bake::event::Listener;
use crate::bake::output::blob_name;
use crate::bake::port::{RawManifest, Registry};
use crate::digest::Digest;
use crate::image::oci::{self, Descriptor, Document};
use crate::name::{Reference, Repository, Tag};
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
    /// Repositories of whichever registry it goes to that have some of the blobs.
    beside: BTreeMap<Digest, Repository>,
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
        Ok(Self {
            tag: tag.clone(),
            manifests,
            blobs: each_once(blobs),
            origins,
            beside: BTreeMap::new(),
            may_move: false,
        })
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
        let get = |digest: Digest| Ok(registry.manifest(&reference.at(digest), tell)?);
        let mut cargo = Self::of_documents(&get, &reference.to_string(), digest, tag)?;
        cargo.origins = cargo.blobs.iter().map(|at| (at.digest, reference.clone())).collect();
        Ok(cargo)
    }

    /// An image of an OCI layout, by its digest. All of it is put into the store, from where it goes on.
    ///
    /// # Errors
    /// When a part of it is missing or damaged, or the store cannot take it.
    pub fn of_layout(layout: &Path, digest: Digest, tag: &Tag, store: &Store) -> Result<Self, PushError> {
        let subject = format!("oci:{}", layout.display());
        let take = |digest: Digest| {
            if store.size(&digest).is_some() {
                return Ok(());
            }
            let path = layout.join(blob_name(&digest));
            let wrong = |message: String| PushError::Layout { path: path.clone(), message };
            let mut file = File::open(&path).map_err(|error| wrong(error.to_string()))?;
            store.put(&mut file, Some(digest)).map(drop).map_err(|error| wrong(error.to_string()))
        };
        let get = |digest: Digest| {
            take(digest)?;
            let bytes = store.bytes(&digest, oci::LONGEST_MANIFEST)?.ok_or(PushError::Missing { digest })?;
            let said: Said = serde_json::from_slice(&bytes).unwrap_or_default();
            Ok(RawManifest { digest, media_type: said.media_type, bytes })
        };
        let cargo = Self::of_documents(&get, &subject, digest, tag)?;
        cargo.blobs.iter().try_for_each(|at| take(at.digest))?;
        Ok(cargo)
    }

    fn of_documents(
        get: &dyn Fn(Digest) -> Result<RawManifest, PushError>,
        subject: &str,
        digest: Digest,
        tag: &Tag,
    ) -> Result<Self, PushError> {
        let read = |digest: Digest| {
            let raw = get(digest)?;
            let document = oci::document(&raw.media_type, &raw.bytes);
            let wrong = |source| PushError::Document { subject: format!("{subject}@{digest}"), source };
            Ok::<_, PushError>((raw, document.map_err(wrong)?))
        };
        let (top, document) = read(digest)?;
        let (mut manifests, mut images) = (Vec::new(), Vec::new());
        match document {
            Document::Manifest(image) => images.push(image),
            Document::Index(index) => {
                for entry in &index.entries {
                    let (raw, Document::Manifest(image)) = read(entry.descriptor.digest)? else {
                        return Err(PushError::Nested { subject: format!("{subject}@{digest}") });
                    };
                    manifests.push(raw);
                    images.push(image);
                }
            }
        }
        manifests.push(top);
        let blobs = images.into_iter().flat_map(|image| image.layers.into_iter().chain([image.config]));
        let blobs = each_once(blobs.collect::<Vec<_>>());
        let (origins, beside) = Default::default();
        Ok(Self { tag: tag.clone(), manifests, blobs, origins, beside, may_move: false })
    }

    /// An artifact that is no image, with blobs of the store. Its tag says which is the newest, and moves.
    #[must_use]
    pub fn of_artifact(manifest: RawManifest, blobs: Vec<Descriptor>, tag: &Tag) -> Self {
        let (manifests, blobs) = (vec![manifest], each_once(blobs));
        let (origins, beside) = Default::default();
        Self { tag: tag.clone(), manifests, blobs, origins, beside, may_move: true }
    }

    /// The same, to where another image is in another repository: what they share can be had from there.
    #[must_use]
    pub fn beside(mut self, other: &Self, repository: &Repository) -> Self {
        self.beside.extend(other.blobs.iter().map(|at| (at.digest, repository.clone())));
        self
    }

    /// Whether a registry may take a blob from another repository of its own, if it does that.
    #[must_use]
    pub fn may_mount(&self, at: &Descriptor, into: &Reference) -> bool {
        let is_elsewhere = |from: &Reference| from.registry == into.registry && from.repository != into.repository;
        self.origin(at, into).is_some_and(|from| is_elsewhere(&from))
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
    #[must_use]
    pub fn may_move(&self) -> bool {
        self.may_move
    }

    /// Its documents, the one that gets the tag last.
    pub(super) fn manifests(&self) -> &[RawManifest] {
        &self.manifests
    }

    /// Its layers and configurations, the largest first.
    #[must_use]
    pub fn blobs(&self) -> &[Descriptor] {
        &self.blobs
    }

    /// The layers that a store lacks and that come from a registry, with where that is.
    pub fn elsewhere<'c>(&'c self, store: &'c Store) -> impl Iterator<Item = (&'c Descriptor, &'c Reference)> {
        let lacks = |at: &&Descriptor| store.size(&at.digest) != Some(at.size);
        self.blobs.iter().filter(lacks).filter_map(|at| Some((at, self.origins.get(&at.digest)?)))
    }

    /// Where a blob can be had for a repository: in the same registry rather than far away.
    pub(super) fn origin(&self, at: &Descriptor, into: &Reference) -> Option<Cow<'_, Reference>> {
        let near = self.beside.get(&at.digest).filter(|near| **near != into.repository);
        let near = near.map(|near| Reference { repository: near.clone(), tag: None, digest: None, ..into.clone() });
        near.map(Cow::Owned).or_else(|| self.origins.get(&at.digest).map(Cow::Borrowed))
    }
}

/// What a document says of itself.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    media_type: String,
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
