//! From an image that was published to its record in the manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Order;
use super::built::{Built, BuiltImage};
use super::smoke;
use crate::image::oci;
use crate::lock::{Input, LockedFile, wants};
use crate::moment::Moment;
use crate::name::{Platform, Reference};
use crate::product::PluginFacts;
use crate::recipe::{From, ImageRecipe, ProjectPath, Region};
use crate::record::{
    Needs, Record, RecordKind, RecordedBase, RecordedFile, RecordedPlatform, RecordedTest, SourceRevision,
};
use crate::store::{Store, StoreError};

/// Where an image was published.
#[derive(Clone, Copy, Debug)]
pub enum Published<'p> {
    /// In an OCI layout, by its path from the project's folder.
    Layout(&'p ProjectPath),
    /// In a repository of a registry.
    Repository(&'p Reference),
    /// In a repository in each of some regions, of which the first is the one that counts.
    Regions(&'p [(Region, Reference)]),
}

/// When it was published, from what, and by whom.
#[derive(Clone, Debug)]
pub struct Occasion<'o> {
    /// The state of the sources, where they are under version control.
    pub source: Option<SourceRevision>,
    /// The version of elkbake.
    pub elkbake: &'o str,
    /// When.
    pub pushed_at: Moment,
}

/// The record of an image; `None` of one that has no platform, which nobody builds.
///
/// # Errors
/// When the store, which holds the image's configuration, cannot be read.
pub fn recorded(
    order: &Order<'_>,
    built: &Built,
    published: Published<'_>,
    occasion: &Occasion<'_>,
    store: &Store,
) -> Result<Option<Record>, StoreError> {
    let Some(top) = built.top() else { return Ok(None) };
    let at = |reference: &Reference| reference.at(top.digest);
    let (reference, layout, regions) = match published {
        Published::Layout(path) => (None, Some(path.clone()), BTreeMap::new()),
        Published::Repository(reference) => (Some(at(reference)), None, BTreeMap::new()),
        Published::Regions(all) => {
            let regions = all.iter().map(|(region, reference)| (region.clone(), at(reference)));
            (all.first().map(|(_, first)| at(first)), None, regions.collect())
        }
    };
    let image = order.image;
    Ok(Some(Record {
        kind: RecordKind::Image,
        product: Some(image.product),
        reference,
        layout,
        digest: Some(top.digest),
        tag: order.plan.tag().clone(),
        key: built.key,
        version: image.version.clone(),
        platforms: built.platforms.iter().map(platform).collect(),
        amis: Vec::new(),
        base: base(order),
        plugins: plugins(order, built),
        archives: archives(order),
        inputs: order.plan.inputs().clone(),
        needs: Needs::of(image),
        tests: tests(built, store)?,
        regions,
        source: occasion.source.clone(),
        elkbake: occasion.elkbake.to_owned(),
        created: created(order, built, store)?.to_string(),
        pushed_at: occasion.pushed_at.to_string(),
    }))
}

fn platform(image: &BuiltImage) -> RecordedPlatform {
    let size = image.layers.iter().map(|layer| layer.descriptor.size).sum();
    RecordedPlatform { name: image.platform.clone(), digest: image.manifest.digest, size }
}

fn tests(built: &Built, store: &Store) -> Result<Vec<RecordedTest>, StoreError> {
    let each = built.platforms.iter().map(|image| smoke::passed(&image.manifest.digest, store));
    Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// As the image itself says, and of several platforms the newest, as their index does.
fn created(order: &Order<'_>, built: &Built, store: &Store) -> Result<Moment, StoreError> {
    let mut newest = order.stamps.epoch.map_or(Moment::NONE, Moment::from_epoch);
    for image in &built.platforms {
        let bytes = store.bytes(&image.config.digest, oci::LONGEST_CONFIG)?;
        let said = bytes.and_then(|bytes| oci::config(&bytes).ok()?.created);
        newest = newest.max(said.and_then(|said| Moment::parse(&said)).unwrap_or(Moment::NONE));
    }
    Ok(newest)
}

fn base(order: &Order<'_>) -> Option<RecordedBase> {
    let digest = match &order.parent {
        Some(parent) => parent.built.top().map(|top| top.digest),
        None => order.lock.base.as_ref().and_then(|base| base.digest),
    };
    (order.image.from != From::Scratch).then(|| RecordedBase { name: order.image.from.to_string(), digest })
}

fn plugins(order: &Order<'_>, built: &Built) -> Vec<RecordedFile> {
    let (image, wants) = (order.image, wants(&order.recipe.value));
    let mut recorded = Vec::new();
    for (i, plugin) in image.plugin.iter().enumerate() {
        let input = Input::Plugin(plugin.name.clone());
        recorded.extend(on_platforms(image, &plugin.platforms, |platform| {
            let locked = order.lock.answer(&wants, &input, platform)?;
            let facts = facts(image, built, i, platform);
            // What is in it counts more than what was asked for: of an official plugin nothing need be said.
            let version = facts.and_then(|facts| facts.version.parse().ok()).or_else(|| plugin.version.clone());
            let permissions = facts.map_or_else(Vec::new, |facts| facts.permissions.clone());
            Some(RecordedFile { version, permissions, ..file(locked) })
        }));
    }
    recorded
}

/// What the n-th plugin of a recipe says of itself on a platform.
fn facts<'b>(image: &ImageRecipe, built: &'b Built, n: usize, platform: &Platform) -> Option<&'b PluginFacts> {
    let on = built.platforms.iter().find(|on| on.platform == *platform)?;
    let before = image.plugin[..n].iter().filter(|plugin| is_for(&plugin.platforms, platform)).count();
    on.plugins.get(before)
}

fn archives(order: &Order<'_>) -> Vec<RecordedFile> {
    let (image, wants) = (order.image, wants(&order.recipe.value));
    let each = image.archive.iter().flat_map(|archive| {
        let input = Input::Archive(archive.name.clone());
        on_platforms(image, &archive.platforms, |platform| order.lock.answer(&wants, &input, platform).map(file))
    });
    each.collect()
}

fn file(locked: &LockedFile) -> RecordedFile {
    let (name, digest) = (locked.name.clone(), locked.sha256);
    RecordedFile { name, version: None, platform: None, digest, permissions: Vec::new() }
}

/// One file where all platforms have the same, else one for each platform that has any.
fn on_platforms(
    image: &ImageRecipe,
    only: &BTreeSet<Platform>,
    find: impl Fn(&Platform) -> Option<RecordedFile>,
) -> Vec<RecordedFile> {
    let wanted = image.platforms.iter().filter(|platform| is_for(only, platform));
    let found: Vec<_> = wanted.filter_map(|platform| Some((platform, find(platform)?))).collect();
    match found.first() {
        Some((_, first)) if found.len() == image.platforms.len() && found.iter().all(|(_, file)| file == first) => {
            vec![first.clone()]
        }
        _ => {
            let each = found.into_iter();
            each.map(|(platform, file)| RecordedFile { platform: Some(platform.clone()), ..file }).collect()
        }
    }
}

fn is_for(only: &BTreeSet<Platform>, platform: &Platform) -> bool {
    only.is_empty() || only.contains(platform)
}

#[cfg(test)]
mod tests;
