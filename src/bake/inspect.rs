//! What there is to say about an image, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::found::{Found, FoundImage, FoundLayer};
use crate::digest::Digest;
use crate::image::listing::Listing;
use crate::image::oci::Config;
use crate::image::stack::{Stack, There};
use crate::name::ImagePath;
use crate::plan::LayerKind;
use crate::product::PluginFacts;
use crate::tree::{Entry, Node};

/// The annotations that say what an image was built on.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// And which one that was.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// An image, looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// What was asked for.
    pub name: String,
    /// Repository and tag, where elkbake built it.
    pub reference: Option<String>,
    /// Its index or manifest; an archive has none.
    pub digest: Option<Digest>,
    /// The image on each platform.
    pub images: Vec<Inspected>,
}

/// An image on one platform.
#[derive(Clone, Debug, Serialize)]
pub struct Inspected {
    /// Which platform.
    pub platform: String,
    /// Its OCI manifest; an archive has none.
    pub manifest: Option<Digest>,
    /// What it is started with.
    pub config: Settings,
    /// What its manifest says beside.
    pub annotations: BTreeMap<String, String>,
    /// Its layers, from the bottom up.
    pub layers: Vec<InspectedLayer>,
    /// The plugins that elkbake put in.
    pub plugins: Vec<PluginFacts>,
    /// The biggest files that are seen in the end, of the layers whose files are known.
    pub biggest: Vec<Big>,
    /// The bytes of all layers as registries hold them.
    pub size: u64,
    /// Whether the files of all layers are known.
    pub complete: bool,
}

/// A configuration.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// Its own digest.
    pub digest: Digest,
    /// When the image was made.
    pub created: Option<String>,
    /// The user that it runs as.
    pub user: Option<String>,
    /// The folder that it starts in.
    pub workdir: Option<String>,
    /// What is started.
    pub entrypoint: Vec<String>,
    /// The arguments when nobody gives others.
    pub cmd: Vec<String>,
    /// The environment, `NAME=VALUE`, in its own order.
    pub env: Vec<String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The ports that it says it listens on.
    pub ports: BTreeSet<String>,
    /// The folders that are to be kept outside of the container.
    pub volumes: BTreeSet<String>,
    /// The signal that asks it to stop.
    pub stop_signal: Option<String>,
}

/// A layer.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedLayer {
    /// What elkbake put in: `base`, `archive`, `plugin`, `files` and so on; nothing where somebody else made the image.
    #[serde(flatten)]
    pub what: Option<LayerKind>,
    /// What made it, in the image's own words.
    pub created_by: Option<String>,
    /// Its compressed bytes.
    pub digest: Digest,
    /// How many.
    pub size: u64,
    /// What they are.
    pub media_type: String,
    /// The tar stream inside.
    pub diff_id: Digest,
    /// How many files it holds, where that is known.
    pub files: Option<usize>,
    /// The bytes of those files, where that is known.
    pub content: Option<u64>,
}

/// A big file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Big {
    /// Where it is.
    pub path: ImagePath,
    /// How many bytes it has.
    pub size: u64,
    /// The number of its layer, from the bottom up, beginning with 0.
    pub layer: usize,
}

/// Looks at an image. `listings` are those of its layers, platform by platform, as far as they are known; `most` is how
/// many of the biggest files are named.
#[must_use]
pub fn inspect(
    name: &str,
    reference: Option<String>,
    found: &Found,
    listings: &[Vec<Option<Listing>>],
    most: usize,
) -> Inspection {
    let images = found.images.iter().zip(listings).map(|(image, listings)| one(image, listings, most));
    Inspection { name: name.to_owned(), reference, digest: found.digest, images: images.collect() }
}

fn one(image: &FoundImage, listings: &[Option<Listing>], most: usize) -> Inspected {
    Inspected {
        platform: image.platform.to_string(),
        manifest: image.manifest,
        config: settings(image.config_digest, &image.config),
        annotations: image.annotations.clone(),
        layers: image.layers.iter().zip(listings).map(|(layer, listing)| inspected(layer, listing.as_ref())).collect(),
        plugins: image.plugins.clone(),
        biggest: biggest(listings, most),
        size: image.layers.iter().map(|layer| layer.descriptor.size).fold(0, u64::saturating_add),
        complete: listings.iter().all(Option::is_some),
    }
}

pub(super) fn settings(digest: Digest, config: &Config) -> Settings {
    Settings {
        digest,
        created: config.created.clone(),
        user: config.user.clone(),
        workdir: config.workdir.clone(),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        env: config.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        labels: config.labels.clone(),
        ports: config.ports.clone(),
        volumes: config.volumes.clone(),
        stop_signal: config.stop_signal.clone(),
    }
}

fn inspected(layer: &FoundLayer, listing: Option<&Listing>) -> InspectedLayer {
    let sizes = listing.map(|listing| {
        let size = |node: &Node| if let Node::File { size, .. } = node { Some(*size) } else { None };
        listing.tree.iter().filter_map(|(_, entry)| size(&entry.node)).collect::<Vec<u64>>()
    });
    InspectedLayer {
        what: layer.what.clone(),
        created_by: layer.created_by.clone(),
        digest: layer.descriptor.digest,
        size: layer.descriptor.size,
        media_type: layer.descriptor.media_type.clone(),
        diff_id: layer.diff_id,
        files: sizes.as_ref().map(Vec::len),
        content: sizes.map(|sizes| sizes.into_iter().fold(0, u64::saturating_add)),
    }
}

fn biggest(listings: &[Option<Listing>], most: usize) -> Vec<Big> {
    let mut stack = Stack::default();
    for listing in listings {
        // What does not fit on the others may need a layer that is not known; the rest can be shown all the same.
        let _ = stack.add(listing.as_ref().unwrap_or(&Listing::default()));
    }
    let mut files = Vec::new();
    stack.each(|path, there, layer| match there {
        There::Entry(Entry { node: Node::File { size, .. }, .. }) if *size > 0 => {
            files.push(Big { path: path.clone(), size: *size, layer });
        }
        _ => {}
    });
    files.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    files.truncate(most);
    files
}
