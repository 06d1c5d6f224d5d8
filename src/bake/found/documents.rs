//! From a manifest or an index to images, wherever the documents are kept.

use crate::bake::found::{Found, FoundImage, FoundLayer};
use crate::bake::resolve::Fault;
use crate::digest::Digest;
use crate::image::oci::{self, Config, Descriptor, Document, History, IndexPlatform, Manifest, OciError};
use crate::name::Platform;

/// Indexes in indexes: builders nest one level at most.
const DEEPEST: usize = 3;

/// More images than anybody makes of one thing.
const MOST_IMAGES: usize = 64;

/// Where documents are kept by digest.
pub(super) trait Documents {
    /// How people call the whole.
    fn subject(&self) -> String;

    /// All bytes of a manifest or an index, verified.
    fn document(&self, at: &Descriptor) -> Result<Vec<u8>, Fault>;

    /// All bytes of a configuration, verified.
    fn config(&self, at: &Descriptor) -> Result<Vec<u8>, Fault>;

    /// What it means that a document is wrong.
    fn wrong(&self, at: &Descriptor, error: OciError) -> Fault;
}

/// The image that a descriptor leads to.
pub(super) fn find(from: &dyn Documents, top: &Descriptor, only: Option<&Platform>) -> Result<Found, Fault> {
    let mut search = Search { from, only, images: Vec::new(), others: Vec::new() };
    search.add(top, 0)?;
    if let (Some(wanted), true) = (only, search.images.is_empty()) {
        let there = search.others.iter().map(ToString::to_string).collect();
        return Err(Fault::Platform { subject: from.subject(), wanted: wanted.clone(), there });
    }
    Ok(Found { digest: Some(top.digest), images: search.images })
}

struct Search<'d> {
    from: &'d dyn Documents,
    only: Option<&'d Platform>,
    images: Vec<FoundImage>,
    others: Vec<IndexPlatform>,
}

impl Search<'_> {
    fn add(&mut self, at: &Descriptor, depth: usize) -> Result<(), Fault> {
        let bytes = self.from.document(at)?;
        let index = match oci::document(&at.media_type, &bytes).map_err(|error| self.from.wrong(at, error))? {
            Document::Manifest(manifest) => return self.add_image(at, &manifest),
            Document::Index(index) => index,
        };
        if depth == DEEPEST {
            return Err(self.maze());
        }
        for entry in index.entries {
            match &entry.platform {
                // What the index says of a platform spares looking at all the others.
                Some(platform) if !entry.is_index() && !self.wants(platform) => self.others.push(platform.clone()),
                _ => self.add(&entry.descriptor, depth + 1)?,
            }
        }
        Ok(())
    }

    fn wants(&self, platform: &IndexPlatform) -> bool {
        self.only.is_none_or(|only| {
            platform.os == Platform::OS && only.accepts(&platform.architecture, platform.variant.as_deref())
        })
    }

    fn add_image(&mut self, at: &Descriptor, manifest: &Manifest) -> Result<(), Fault> {
        if self.images.len() + self.others.len() == MOST_IMAGES {
            return Err(self.maze());
        }
        let bytes = self.from.config(&manifest.config)?;
        let config = oci::config(&bytes).map_err(|error| self.from.wrong(&manifest.config, error))?;
        if !self.wants(&config.platform()) {
            self.others.push(config.platform());
            return Ok(());
        }
        let layers = layers(&manifest.layers, &config)
            .map_err(|message| Fault::Wrong { subject: format!("{} ({})", self.from.subject(), at.digest), message })?;
        self.images.push(FoundImage {
            platform: config.platform(),
            manifest: Some(at.digest),
            config_digest: manifest.config.digest,
            annotations: manifest.annotations.clone(),
            plugins: Vec::new(),
            layers,
            config,
        });
        Ok(())
    }

    fn maze(&self) -> Fault {
        let message = "its index leads to too many further ones".to_owned();
        Fault::Wrong { subject: self.from.subject(), message }
    }
}

/// Layers with what the configuration says of each.
pub(super) fn layers(descriptors: &[Descriptor], config: &Config) -> Result<Vec<FoundLayer>, String> {
    let (layers, unpacked) = (descriptors.len(), config.diff_ids.len());
    if layers != unpacked {
        return Err(format!("its manifest has {layers} layers, its configuration {unpacked}"));
    }
    let mut steps = config.history.iter().filter(|step| !step.empty_layer);
    let layer = |(descriptor, diff_id): (&Descriptor, &Digest)| FoundLayer {
        what: None,
        created_by: steps.next().and_then(|step: &History| step.created_by.clone()),
        descriptor: descriptor.clone(),
        diff_id: *diff_id,
        listing: None,
    };
    Ok(descriptors.iter().zip(&config.diff_ids).map(layer).collect())
}
