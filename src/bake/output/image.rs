//! The image that is to be written, with its name.

use std::collections::BTreeSet;

use super::fault::OutputError;
use crate::bake::built::{Built, BuiltImage};
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::{Platform, Repository, Tag};

/// A built image with its name, on all its platforms or on one.
#[derive(Clone, Copy, Debug)]
pub struct Image<'i> {
    built: &'i Built,
    repository: &'i Repository,
    tag: &'i Tag,
    only: Option<&'i BuiltImage>,
}

impl<'i> Image<'i> {
    /// The image on all its platforms.
    #[must_use]
    pub fn new(built: &'i Built, repository: &'i Repository, tag: &'i Tag) -> Self {
        Self { built, repository, tag, only: None }
    }

    /// The same image on one of its platforms.
    ///
    /// # Errors
    /// When it is not made for that platform.
    pub fn on(self, platform: &Platform) -> Result<Self, OutputError> {
        let fits = |image: &&BuiltImage| image.platform.accepts(&platform.architecture, platform.variant.as_deref());
        match self.built.platforms.iter().find(fits) {
            Some(image) => Ok(Self { only: Some(image), ..self }),
            None => Err(OutputError::Platform { wanted: Some(platform.clone()), there: self.there() }),
        }
    }

    /// The one platform that a place for one platform gets: the only one that there is, or else that of the machine.
    ///
    /// # Errors
    /// When there are several, none of them the machine's.
    pub fn one(&self, host: &Platform) -> Result<&'i BuiltImage, OutputError> {
        match (self.only, &self.built.platforms[..]) {
            (Some(image), _) | (None, [image]) => Ok(image),
            (None, several) => {
                let fits = |image: &&BuiltImage| image.platform.accepts(&host.architecture, host.variant.as_deref());
                let there = || OutputError::Platform { wanted: None, there: self.there() };
                several.iter().find(fits).ok_or_else(there)
            }
        }
    }

    fn there(&self) -> Vec<Platform> {
        self.built.platforms.iter().map(|image| image.platform.clone()).collect()
    }

    pub(super) fn repository(&self) -> &'i Repository {
        self.repository
    }

    pub(super) fn tag(&self) -> &'i Tag {
        self.tag
    }

    /// Every blob once, what is pointed to before what points to it.
    pub(super) fn blobs(&self) -> Vec<&'i Descriptor> {
        let mut seen = BTreeSet::new();
        let images = match self.only {
            Some(image) => std::slice::from_ref(image),
            None => &self.built.platforms[..],
        };
        let parts = images.iter().flat_map(|image| {
            let layers = image.layers.iter().map(|layer| &layer.descriptor);
            layers.chain([&image.config, &image.manifest])
        });
        let all = parts.chain(self.built.index.as_ref().filter(|_| self.only.is_none()));
        all.filter(|at| seen.insert(at.digest)).collect()
    }

    /// The bytes of all blobs.
    pub(super) fn size(&self) -> u64 {
        self.blobs().iter().map(|at| at.size).sum()
    }
}

/// A digest as blobs are called in a layout.
pub(in crate::bake) fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
