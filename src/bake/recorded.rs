//! From what was published to its record in the manifest.

mod host;

use std::collections::{BTreeMap, BTreeSet};

use super::build::Order;
use super::built::{BASE_DIGEST, Built, BuiltImage, KEY};
use super::found::{Found, FoundImage};
use super::smoke;
use crate::digest::Digest;
use crate::image::oci;
use crate::lock::{Input, LockedFile, wants};
use crate::moment::Moment;
use crate::name::{Platform, Reference};
use crate::plan::Work;
use crate::product::PluginFacts;
use crate::recipe::{From, ImageRecipe, ProjectPath, Region};
use crate::record::{
    Needs, Record, RecordKind, RecordedBase, RecordedFile, RecordedPlatform, RecordedTest, SourceRevision,
};
use crate::store::{Store, StoreError};

pub use host::{recorded_host, unfinished_host};

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

/// What is known of an image that was made, here or elsewhere.
struct Made {
    top: Digest,
    platforms: Vec<RecordedPlatform>,
    /// Of what it was built on.
    base: Option<Digest>,
    plugins: Vec<RecordedFile>,
    created: Moment,
    tests: Vec<RecordedTest>,
}

/// The record of an image that was built; `None` of one that has no platform, which nobody builds.
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
    let base = match &order.parent {
        Some(parent) => parent.built.top().map(|top| top.digest),
        None => locked_base(order),
    };
    let made = Made {
        top: top.digest,
        platforms: built.platforms.iter().map(platform).collect(),
        base,
        plugins: plugins(order, built),
        created: created(order, built, store)?,
        tests: tests(built, store)?,
    };
    Ok(Some(record(order, made, published, occasion)))
}

/// The record of an image that was found where it would be published, without what it is built from. `known` is what
/// earlier records say of plugins, which an image does not.
///
/// `None` where it is not an image of this plan's key, or where not all of its record can be known.
#[must_use]
pub fn found(
    order: &Order<'_>,
    found: &Found,
    known: &[RecordedFile],
    published: Published<'_>,
    occasion: &Occasion<'_>,
) -> Option<Record> {
    let Work::Image(work) = order.plan.work() else { return None };
    let (top, key) = (found.digest?, order.plan.key().to_string());
    let is_ours = |image: &FoundImage| image.annotations.get(KEY) == Some(&key);
    let is_index = found.images.iter().all(|image| image.manifest != Some(top));
    if found.images.len() != work.platforms.len() || is_index != (found.images.len() > 1) {
        return None;
    }
    let on = |platform: &Platform| found.images.iter().find(|image| image.is_for(platform) && is_ours(image));
    let platforms = work.platforms.iter().map(|planned| found_on(&planned.platform, on(&planned.platform)?));
    let platforms = platforms.collect::<Option<Vec<_>>>()?;
    let base = match &order.image.from {
        From::Recipe(_) => Some(stated_base(order, found.images.first()?)?),
        _ => locked_base(order),
    };
    let nothing = |_: usize, _: &Platform| None;
    let plugins = plugins_by(order, &nothing).into_iter().map(|file| told(file, known)).collect::<Option<_>>()?;
    let created = newest(order, found.images.iter().map(|image| image.config.created.as_deref()));
    Some(record(order, Made { top, platforms, base, plugins, created, tests: Vec::new() }, published, occasion))
}

fn record(order: &Order<'_>, made: Made, published: Published<'_>, occasion: &Occasion<'_>) -> Record {
    let at = |reference: &Reference| reference.at(made.top);
    let (reference, layout, regions) = match published {
        Published::Layout(path) => (None, Some(path.clone()), BTreeMap::new()),
        Published::Repository(reference) => (Some(at(reference)), None, BTreeMap::new()),
        Published::Regions(all) => {
            let regions = all.iter().map(|(region, reference)| (region.clone(), at(reference)));
            (all.first().map(|(_, first)| at(first)), None, regions.collect())
        }
    };
    let image = order.image;
    Record {
        kind: RecordKind::Image,
        product: Some(image.product),
        reference,
        layout,
        digest: Some(made.top),
        tag: order.plan.tag().clone(),
        key: order.plan.key(),
        version: image.version.clone(),
        platforms: made.platforms,
        amis: Vec::new(),
        host: None,
        base: (image.from != From::Scratch).then(|| RecordedBase { name: image.from.to_string(), digest: made.base }),
        plugins: made.plugins,
        archives: archives(order),
        inputs: order.plan.inputs(),
        needs: Needs::of(image),
        tests: made.tests,
        boots: Vec::new(),
        nondeterminism: None,
        regions,
        source: occasion.source.clone(),
        elkbake: occasion.elkbake.to_owned(),
        created: made.created.to_string(),
        pushed_at: occasion.pushed_at.to_string(),
    }
}

fn platform(image: &BuiltImage) -> RecordedPlatform {
    let size = image.layers.iter().map(|layer| layer.descriptor.size).sum();
    RecordedPlatform { name: image.platform.clone(), digest: image.manifest.digest, size }
}

fn tests(built: &Built, store: &Store) -> Result<Vec<RecordedTest>, StoreError> {
    let each = built.platforms.iter().map(|image| smoke::passed(&image.manifest.digest, store));
    Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn found_on(platform: &Platform, image: &FoundImage) -> Option<RecordedPlatform> {
    let size = image.layers.iter().map(|layer| layer.descriptor.size).sum();
    Some(RecordedPlatform { name: platform.clone(), digest: image.manifest?, size })
}

fn created(order: &Order<'_>, built: &Built, store: &Store) -> Result<Moment, StoreError> {
    let mut stated = Vec::new();
    for image in &built.platforms {
        let bytes = store.bytes(&image.config.digest, oci::LONGEST_CONFIG)?;
        stated.push(bytes.and_then(|bytes| oci::config(&bytes).ok()?.created));
    }
    Ok(newest(order, stated.iter().map(Option::as_deref)))
}

/// As the image itself says, and of several platforms the newest, as their index does.
fn newest<'s>(order: &Order<'_>, stated: impl Iterator<Item = Option<&'s str>>) -> Moment {
    let epoch = order.stamps.epoch.map_or(Moment::NONE, Moment::from_epoch);
    stated.flatten().filter_map(Moment::parse).fold(epoch, Moment::max)
}

fn locked_base(order: &Order<'_>) -> Option<Digest> {
    order.lock.base.as_ref().and_then(|base| base.digest)
}

/// The digest of the image that a found one was built on, as its bake has annotated it, unless the recipe says what is
/// to be annotated.
fn stated_base(order: &Order<'_>, image: &FoundImage) -> Option<Digest> {
    let said = order.image.config.as_ref().is_some_and(|config| config.annotations.contains_key(BASE_DIGEST));
    image.annotations.get(BASE_DIGEST).filter(|_| !said)?.parse().ok()
}

fn plugins(order: &Order<'_>, built: &Built) -> Vec<RecordedFile> {
    plugins_by(order, &|n, platform| facts(order.image, built, n, platform))
}

fn plugins_by<'f>(order: &Order<'_>, facts: &dyn Fn(usize, &Platform) -> Option<&'f PluginFacts>) -> Vec<RecordedFile> {
    let (image, wants) = (order.image, wants(&order.recipe.value));
    let mut recorded = Vec::new();
    for (i, plugin) in image.plugin.iter().enumerate() {
        let input = Input::Plugin(plugin.name.clone());
        recorded.extend(on_platforms(image, &plugin.platforms, |platform| {
            let locked = order.lock.answer(&wants, &input, platform)?;
            let facts = facts(i, platform);
            // What is in it counts more than what was asked for: of an official plugin nothing need be said.
            let version = facts.and_then(|facts| facts.version.parse().ok()).or_else(|| plugin.version.clone());
            let permissions = facts.map_or_else(Vec::new, |facts| facts.permissions.clone());
            Some(RecordedFile { version, permissions, ..file(locked) })
        }));
    }
    recorded
}

/// A plugin with what an earlier record says of the same bytes.
fn told(plugin: RecordedFile, known: &[RecordedFile]) -> Option<RecordedFile> {
    let before = known.iter().find(|known| (&known.name, known.digest) == (&plugin.name, plugin.digest))?;
    Some(RecordedFile { version: before.version.clone(), permissions: before.permissions.clone(), ..plugin })
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
