//! Images as people point at them, wherever they are: what a bake left in the store, an OCI layout, an archive of
//! `docker save`, a registry; all in one shape, so that they can be looked at and compared.

mod built;
mod docker_archive;
mod documents;
mod earlier;
mod layout;
mod listings;
mod remote;

use std::collections::BTreeMap;
use std::io::Read;

use super::built::BuiltImage;
use super::resolve::Fault;
use crate::digest::Digest;
use crate::image::oci::{Config, Descriptor, IndexPlatform};
use crate::name::Platform;
use crate::plan::LayerKind;
use crate::product::PluginFacts;

pub use built::InStore;
pub use docker_archive::DockerArchive;
pub use earlier::built_as;
pub use layout::{Layout, Which};
pub use listings::{Reader, known};
pub use remote::Remote;

/// An image on the platforms that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its index or manifest; an archive has none.
    pub digest: Option<Digest>,
    /// The image on each platform.
    pub images: Vec<FoundImage>,
}

/// An image on one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundImage {
    /// Which platform, in the image's own words.
    pub platform: IndexPlatform,
    /// Its OCI manifest; an archive has none.
    pub manifest: Option<Digest>,
    /// Its configuration.
    pub config_digest: Digest,
    /// What that says.
    pub config: Config,
    /// What its manifest says beside.
    pub annotations: BTreeMap<String, String>,
    /// Its layers, from the bottom up.
    pub layers: Vec<FoundLayer>,
    /// The plugins that elkbake put in, where that is known.
    pub plugins: Vec<PluginFacts>,
}

/// A layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLayer {
    /// What elkbake put in, where that is known.
    pub what: Option<LayerKind>,
    /// What made it, in the image's own words.
    pub created_by: Option<String>,
    /// Where its bytes are.
    pub descriptor: Descriptor,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// The text of its listing, where the store is known to have it.
    pub listing: Option<Digest>,
}

/// Where an image is.
pub trait Holder: Sync {
    /// The image, on all its platforms or on one.
    ///
    /// # Errors
    /// When it is not there, not for that platform, or wrong.
    fn find(&self, only: Option<&Platform>) -> Result<Found, Fault>;

    /// The bytes of a layer, as they are packed; reading fails at the end unless they are right.
    ///
    /// # Errors
    /// When they cannot be had.
    fn layer(&self, at: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Fault>;
}

impl FoundImage {
    /// Adds what only the bake that made it knows.
    pub fn learn(&mut self, built: &BuiltImage) {
        self.plugins.clone_from(&built.plugins);
        for (layer, built) in self.layers.iter_mut().zip(&built.layers) {
            layer.what = Some(built.what.clone());
            layer.listing = built.listing;
        }
    }

    /// Whether it runs on a platform.
    #[must_use]
    pub fn is_for(&self, platform: &Platform) -> bool {
        self.config.is_for(platform)
    }
}
