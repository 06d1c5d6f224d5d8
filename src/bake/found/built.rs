//! What a bake left in the store.

use std::io::Read;

use super::documents::{self, Documents};
use crate::bake::built::{Built, BuiltImage};
use crate::bake::found::{Found, Holder};
use crate::bake::resolve::Fault;
use crate::digest::Digest;
use crate::image::oci::{Descriptor, LONGEST_CONFIG, LONGEST_MANIFEST, OciError};
use crate::name::Platform;
use crate::store::Store;

/// A built image and the store that it is in.
#[derive(Clone, Copy, Debug)]
pub struct InStore<'s> {
    /// What was built.
    pub built: &'s Built,
    /// Where.
    pub store: &'s Store,
    /// How people call it.
    pub name: &'s str,
}

impl InStore<'_> {
    fn missing(&self, digest: &Digest) -> Fault {
        let message = format!("{digest} is not in the store; build it again");
        Fault::Wrong { subject: self.name.to_owned(), message }
    }

    fn on(&self, manifest: Digest) -> Option<&BuiltImage> {
        self.built.platforms.iter().find(|image| image.manifest.digest == manifest)
    }
}

impl Documents for InStore<'_> {
    fn subject(&self) -> String {
        self.name.to_owned()
    }

    fn document(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        self.store.bytes(&at.digest, LONGEST_MANIFEST)?.ok_or_else(|| self.missing(&at.digest))
    }

    fn config(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        self.store.bytes(&at.digest, LONGEST_CONFIG)?.ok_or_else(|| self.missing(&at.digest))
    }

    fn wrong(&self, at: &Descriptor, error: OciError) -> Fault {
        Fault::Wrong { subject: format!("{} ({})", self.name, at.digest), message: error.to_string() }
    }
}

impl Holder for InStore<'_> {
    fn find(&self, only: Option<&Platform>) -> Result<Found, Fault> {
        let nothing = || Fault::Wrong { subject: self.name.to_owned(), message: "nothing was built of it".to_owned() };
        let mut found = documents::find(self, self.built.top().ok_or_else(nothing)?, only)?;
        for image in &mut found.images {
            if let Some(built) = image.manifest.and_then(|manifest| self.on(manifest)) {
                image.learn(built);
            }
        }
        Ok(found)
    }

    fn layer(&self, at: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Fault> {
        Ok(Box::new(self.store.read(&at.digest)?.ok_or_else(|| self.missing(&at.digest))?))
    }
}
