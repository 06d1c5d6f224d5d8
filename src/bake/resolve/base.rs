//! What an image is built on.

use std::collections::BTreeSet;

use super::fault::Fault;
use super::image::{Documents, pick};
use super::{World, docker_archive, layout, rootfs};
use crate::bake::port::RawManifest;
use crate::digest::Digest;
use crate::image::oci::{self, Config, Descriptor, Document};
use crate::lock::{LockedBase, LockedPlatform, Want};
use crate::name::{Platform, Reference};
use crate::recipe::{From, ImageRecipe};

pub(super) fn resolve(
    want: &Want,
    image: &ImageRecipe,
    earlier: Option<&LockedBase>,
    world: &World<'_>,
) -> Result<LockedBase, Fault> {
    let kept = earlier.map_or_else(Vec::new, |base| kept(base, &want.platforms));
    let is_kept = |platform: &Platform| kept.iter().any(|locked| locked.name == *platform);
    let missing: BTreeSet<_> = want.platforms.iter().filter(|platform| !is_kept(platform)).cloned().collect();
    let (digest, found) = if missing.is_empty() && earlier.is_some() {
        (earlier.and_then(|base| base.digest), Vec::new())
    } else {
        find(image, earlier.and_then(|base| base.digest), &missing, world)?
    };
    let platform = kept.into_iter().chain(found).collect();
    Ok(LockedBase { from: want.text.clone(), digest, platform, below: Vec::new() })
}

fn kept(base: &LockedBase, wanted: &BTreeSet<Platform>) -> Vec<LockedPlatform> {
    base.platform.iter().filter(|locked| wanted.contains(&locked.name)).cloned().collect()
}

/// Looks at the base itself. Where it was pinned before (only a platform is new), it is looked at under its pin.
fn find(
    image: &ImageRecipe,
    pinned: Option<Digest>,
    platforms: &BTreeSet<Platform>,
    world: &World<'_>,
) -> Result<(Option<Digest>, Vec<LockedPlatform>), Fault> {
    let (digest, found) = match &image.from {
        From::Scratch | From::Recipe(_) => return Ok((None, Vec::new())),
        From::Registry(reference) => {
            let reference = pinned.map_or_else(|| reference.clone(), |digest| reference.at(digest));
            Remote { reference, world }.resolve(platforms)?
        }
        From::Oci(path, tag) => layout::resolve(path, tag.as_ref(), platforms, world)?,
        From::DockerArchive(path) => docker_archive::resolve(path, platforms, world)?,
        From::Rootfs(path) => rootfs::resolve(path, platforms, world)?,
    };
    Ok((Some(digest), found))
}

/// An image in a registry.
pub(in crate::bake) struct Remote<'w> {
    pub(in crate::bake) reference: Reference,
    pub(in crate::bake) world: &'w World<'w>,
}

impl Remote<'_> {
    fn resolve(&self, platforms: &BTreeSet<Platform>) -> Result<(Digest, Vec<LockedPlatform>), Fault> {
        let raw = self.get(&self.reference)?;
        let document = self.read(&raw)?;
        Ok((raw.digest, pick(self, raw.digest, document, platforms)?))
    }

    pub(in crate::bake) fn get(&self, reference: &Reference) -> Result<RawManifest, Fault> {
        let raw = self.world.registry(reference)?.manifest(reference, self.world.tell)?;
        let got = Digest::of(&raw.bytes);
        let wanted = reference.digest.unwrap_or(raw.digest);
        if got != raw.digest || got != wanted {
            return Err(Fault::wrong(&reference, format!("the manifest should be {wanted}, it is {got}")));
        }
        Ok(raw)
    }

    pub(in crate::bake) fn read(&self, raw: &RawManifest) -> Result<Document, Fault> {
        oci::document(&raw.media_type, &raw.bytes).map_err(Fault::oci(&self.reference.at(raw.digest)))
    }
}

impl Remote<'_> {
    fn config_subject(&self, at: &Descriptor) -> String {
        format!("{} (configuration {})", self.reference, at.digest)
    }

    /// The bytes of a configuration, which are in the store from then on.
    pub(in crate::bake) fn config_bytes(&self, at: &Descriptor) -> Result<Vec<u8>, Fault> {
        let subject = self.config_subject(at);
        if at.size > oci::LONGEST_CONFIG {
            let (size, limit) = (at.size, oci::LONGEST_CONFIG);
            return Err(Fault::oci(&subject)(oci::OciError::TooLong { kind: "OCI configuration", size, limit }));
        }
        let store = self.world.store;
        let mut bytes = store.bytes(&at.digest, oci::LONGEST_CONFIG)?;
        if bytes.is_none() {
            let registry = self.world.registry(&self.reference)?;
            registry.blob(&self.reference, at.digest, at.size, store, self.world.tell)?;
            bytes = store.bytes(&at.digest, oci::LONGEST_CONFIG)?;
        }
        bytes.ok_or_else(|| Fault::wrong(&subject, "it was fetched and is not in the store"))
    }
}

impl Documents for Remote<'_> {
    fn subject(&self) -> String {
        self.reference.to_string()
    }

    fn document(&self, at: &Descriptor) -> Result<Document, Fault> {
        self.read(&self.get(&self.reference.at(at.digest))?)
    }

    fn config(&self, at: &Descriptor) -> Result<Config, Fault> {
        oci::config(&self.config_bytes(at)?).map_err(Fault::oci(&self.config_subject(at)))
    }

    fn check_layer(&self, _: &Descriptor) -> Result<(), Fault> {
        Ok(())
    }
}
