//! From an index to the images of some platforms, wherever the documents are kept.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Fault;
use crate::digest::Digest;
use crate::image::oci::{self, Config, Descriptor, Document, IndexPlatform, Manifest};
use crate::lock::{LockedLayer, LockedPlatform};
use crate::name::Platform;

/// Indexes in indexes: builders nest one level at most.
const DEEPEST: usize = 3;

/// Documents looked at to find a platform: a maze of indexes is no image.
const MOST_DOCUMENTS: usize = 64;

/// Where documents are kept by digest.
pub(super) trait Documents {
    /// How people call the whole.
    fn subject(&self) -> String;

    /// A manifest or index.
    fn document(&self, at: &Descriptor) -> Result<Document, Fault>;

    /// A configuration.
    fn config(&self, at: &Descriptor) -> Result<Config, Fault>;

    /// Refuses a layer that is not there, where that can be told without fetching it.
    fn check_layer(&self, at: &Descriptor) -> Result<(), Fault>;
}

/// An image among others.
struct Candidate {
    platform: IndexPlatform,
    digest: Digest,
    manifest: Option<(Manifest, Config)>,
    descriptor: Option<Descriptor>,
}

/// What each of some platforms has in a document and all below it.
pub(super) fn pick(
    from: &dyn Documents,
    top: Digest,
    document: Document,
    platforms: &BTreeSet<Platform>,
) -> Result<Vec<LockedPlatform>, Fault> {
    let mut search = Search { from, looked: 0, found: Vec::new() };
    search.add(top, document, 0)?;
    platforms.iter().map(|platform| search.locked(platform)).collect()
}

struct Search<'d> {
    from: &'d dyn Documents,
    looked: usize,
    found: Vec<Candidate>,
}

impl Search<'_> {
    fn add(&mut self, digest: Digest, document: Document, depth: usize) -> Result<(), Fault> {
        let index = match document {
            Document::Manifest(manifest) => {
                let config = self.from.config(&manifest.config)?;
                let platform = config.platform();
                self.found.push(Candidate { platform, digest, manifest: Some((manifest, config)), descriptor: None });
                return Ok(());
            }
            Document::Index(index) => index,
        };
        for entry in index.entries {
            let digest = entry.descriptor.digest;
            if let Some(platform) = entry.platform.clone().filter(|_| !entry.is_index()) {
                let descriptor = Some(entry.descriptor);
                self.found.push(Candidate { platform, digest, manifest: None, descriptor });
                continue;
            }
            self.looked += 1;
            if depth == DEEPEST || self.looked > MOST_DOCUMENTS {
                return Err(Fault::wrong(&self.from.subject(), "its index leads to too many further ones"));
            }
            let inner = self.from.document(&entry.descriptor)?;
            self.add(digest, inner, depth + 1)?;
        }
        Ok(())
    }

    fn locked(&self, wanted: &Platform) -> Result<LockedPlatform, Fault> {
        let fits = |c: &&Candidate| {
            c.platform.os == Platform::OS && wanted.accepts(&c.platform.architecture, c.platform.variant.as_deref())
        };
        // Where two fit, engines take the first, and so do we.
        let Some(candidate) = self.found.iter().find(fits) else {
            let there: BTreeSet<String> = self.found.iter().map(|c| c.platform.to_string()).collect();
            let (wanted, there) = (wanted.clone(), there.into_iter().collect());
            return Err(Fault::Platform { subject: self.from.subject(), wanted, there });
        };
        let read;
        let (manifest, config) = match (&candidate.manifest, &candidate.descriptor) {
            (Some(read), _) => read,
            (None, Some(at)) => {
                read = self.read(at)?;
                &read
            }
            (None, None) => return Err(Fault::wrong(&self.from.subject(), "it has an entry without a digest")),
        };
        let subject = format!("{} ({})", self.from.subject(), candidate.digest);
        if !config.is_for(wanted) {
            let message = format!("its index says {}, it says of itself {}", candidate.platform, config.platform());
            return Err(Fault::wrong(&subject, message));
        }
        let (layers, unpacked) = (manifest.layers.len(), config.diff_ids.len());
        if layers != unpacked {
            let message = format!("its manifest has {layers} layers, its configuration {unpacked}");
            return Err(Fault::wrong(&subject, message));
        }
        manifest.layers.iter().try_for_each(|layer| self.from.check_layer(layer))?;
        Ok(facts(wanted, candidate.digest, Some(manifest.config.digest), config, layer_list(manifest)))
    }

    fn read(&self, at: &Descriptor) -> Result<(Manifest, Config), Fault> {
        match self.from.document(at)? {
            Document::Manifest(manifest) => {
                let config = self.from.config(&manifest.config)?;
                Ok((manifest, config))
            }
            Document::Index(_) => Err(Fault::wrong(&self.from.subject(), "its index has an index for one platform")),
        }
    }
}

fn layer_list(manifest: &Manifest) -> Vec<LockedLayer> {
    let layer = |at: &Descriptor| LockedLayer { digest: at.digest, size: at.size, media_type: at.media_type.clone() };
    manifest.layers.iter().map(layer).collect()
}

/// What a lock keeps of an image.
pub(super) fn facts(
    name: &Platform,
    manifest: Digest,
    config_digest: Option<Digest>,
    config: &oci::Config,
    layer: Vec<LockedLayer>,
) -> LockedPlatform {
    LockedPlatform {
        name: name.clone(),
        manifest,
        config: config_digest,
        created: config.created.clone(),
        user: config.user.clone(),
        product_version: config.product_version().map(|version| version.to_string()),
        java_version: config.java_version().map(str::to_owned),
        read_for: None,
        modules: BTreeSet::new(),
        there: BTreeMap::new(),
        layer,
    }
}
