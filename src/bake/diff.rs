//! What differs from one image to another.

mod files;
mod settings;

use std::collections::BTreeMap;

use serde::Serialize;

use super::found::FoundImage;
use crate::image::listing::Listing;
use crate::image::stack::StackError;
use crate::product::PluginFacts;

pub use files::{FileChange, Side, What};
pub use settings::Changed;

/// What differs between two images for one platform.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// The platform of the first image, and of the second where that is another.
    pub platform: String,
    /// Whether there is no difference at all.
    pub same: bool,
    /// Their manifests, or their configurations where one has no manifest; nothing where they are one.
    pub digest: Option<Changed>,
    /// What the images were built on, where that differs.
    pub base: Option<Changed>,
    /// Settings, labels and annotations that differ.
    pub config: Vec<Changed>,
    /// Plugins that differ; nothing where nobody knows of one of the images.
    pub plugins: Option<Vec<Changed>>,
    /// Files that differ.
    pub files: Vec<FileChange>,
    /// The bytes of all layers as registries hold them, of the first image and of the second.
    pub sizes: (u64, u64),
}

/// Whether the files of two images can differ at all.
#[must_use]
pub fn has_other_layers(a: &FoundImage, b: &FoundImage) -> bool {
    !a.layers.iter().map(|layer| layer.diff_id).eq(b.layers.iter().map(|layer| layer.diff_id))
}

/// Compares two images; their layers hold what `listings` say, which may be empty where the layers are the same.
///
/// # Errors
/// When the layers of an image do not fit on each other.
pub fn diff(a: &FoundImage, b: &FoundImage, listings: (&[Listing], &[Listing])) -> Result<Difference, StackError> {
    let (platform_a, platform_b) = (a.platform.to_string(), b.platform.to_string());
    // An archive has no manifest; its configuration names all its layers just as well.
    let has_manifests = a.manifest.is_some() && b.manifest.is_some();
    let digest =
        |image: &FoundImage| image.manifest.filter(|_| has_manifests).unwrap_or(image.config_digest).to_string();
    let size = |image: &FoundImage| image.layers.iter().map(|layer| layer.descriptor.size).fold(0, u64::saturating_add);
    let files = if has_other_layers(a, b) { files::compare(listings.0, listings.1)? } else { Vec::new() };
    let mut difference = Difference {
        platform: if platform_a == platform_b { platform_a } else { format!("{platform_a} -> {platform_b}") },
        same: false,
        digest: Changed::of("digest", Some(digest(a)), Some(digest(b))),
        base: Changed::of("base", settings::base(a), settings::base(b)).filter(|_| has_manifests),
        config: settings::compare(a, b, has_manifests),
        plugins: plugins(a, b),
        files,
        sizes: (size(a), size(b)),
    };
    difference.same = difference.digest.is_none();
    Ok(difference)
}

/// Plugins by name and version; only what elkbake built says which it has.
fn plugins(a: &FoundImage, b: &FoundImage) -> Option<Vec<Changed>> {
    let known = |image: &FoundImage| image.layers.iter().any(|layer| layer.what.is_some());
    if !known(a) || !known(b) {
        return None;
    }
    let by_name = |image: &FoundImage| -> BTreeMap<String, String> {
        let said = |facts: &PluginFacts| {
            let may = facts.permissions.iter().map(|permission| format!("; may {permission}")).collect::<String>();
            (facts.name.clone(), format!("{}{may}", facts.version))
        };
        image.plugins.iter().map(said).collect()
    };
    Some(settings::changes("", &by_name(a), &by_name(b)))
}
