//! What an image stands on: base, version, plugins' versions.

use super::rules::{BASE_VERSION, LATEST_BASE, MUTABLE_BASE, PLUGIN_VERSION, VERSION_FORM};
use super::subject::{Found, Scene};
use crate::name::Reference;
use crate::recipe::{From, ImageRecipe, Plugin, Product, Version};

/// Elastic's own registry: what it calls 8.19.3 is 8.19.3.
const ELASTIC_REGISTRY: &str = "docker.elastic.co";

/// Whether a base is what Elastic publishes, whose contents are known: in its own registry, or in Docker's, which has the
/// same images.
pub(super) fn is_elastics(from: &From) -> bool {
    let From::Registry(reference) = from else { return false };
    let name = reference.repository.as_str().strip_prefix("library/");
    let docker = name.is_some_and(|name| matches!(name, "elasticsearch" | "kibana" | "logstash"));
    reference.registry.as_str() == ELASTIC_REGISTRY || (reference.registry.as_str() == "docker.io" && docker)
}

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if let From::Registry(reference) = &image.from {
        check_reference(scene, reference, found);
        check_version(scene, image, reference, found);
    }
    let elastic = !matches!(image.product, Product::Generic | Product::FluentBit);
    if elastic && image.version.triple().is_none() {
        found.add(&VERSION_FORM, scene.key("version"), format!("the version is `{}`", image.version));
    }
    if matches!(image.product, Product::Elasticsearch | Product::Kibana) {
        check_plugins(scene, image, found);
    }
}

fn check_reference(scene: &Scene<'_>, reference: &Reference, found: &mut Found) {
    if !reference.is_mutable() {
        return;
    }
    match &reference.tag {
        None => found.add(&LATEST_BASE, scene.key("from"), format!("`{reference}` has no tag, which means `latest`")),
        Some(tag) if tag.as_str() == "latest" => {
            found.add(&LATEST_BASE, scene.key("from"), format!("`{reference}` is whatever is newest"));
        }
        Some(_) => {}
    }
    if scene.subject.lock.is_none() {
        found.add(&MUTABLE_BASE, scene.key("from"), format!("`{reference}` is a tag, and there is no lock"));
    }
}

fn check_version(scene: &Scene<'_>, image: &ImageRecipe, reference: &Reference, found: &mut Found) {
    let elastic = is_elastics(&image.from) && image.product != Product::Generic;
    let tag = reference.tag.as_ref().and_then(|tag| tag.as_str().parse::<Version>().ok());
    let tag = tag.filter(|tag| elastic && tag.triple().is_some() && tag.triple() != image.version.triple());
    if let Some(tag) = tag {
        let message = format!("the base is {tag}, the recipe says {}", image.version);
        return found.add(&BASE_VERSION, scene.key("version"), message);
    }
    // A lock of another base says nothing about this one: it is stale, and `plan` and `lock` say so.
    let locked =
        scene.subject.lock.and_then(|lock| lock.base.as_ref()).filter(|base| base.from == image.from.to_string());
    for platform in locked.map_or(&[][..], |base| &base.platform[..]) {
        let inside = platform.product_version.as_ref().filter(|inside| inside.as_str() != image.version.as_str());
        if let (Some(inside), true) = (inside, image.product != Product::Generic) {
            let message = format!("the base for {} holds {inside}, the recipe says {}", platform.name, image.version);
            found.add(&BASE_VERSION, scene.key("version"), message);
        }
    }
}

/// Official plugins only: one from elsewhere may count its versions in its own way.
fn check_plugins(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    for (i, plugin) in image.plugin.iter().enumerate() {
        let official = plugin.url.is_none() && plugin.path.is_none() && plugin.maven.is_none();
        let (said, key) = match &plugin.version {
            Some(version) if official => (Some(version.clone()), "version"),
            _ => (version_in_url(plugin), "url"),
        };
        if let Some(version) = said.filter(|version| *version != image.version) {
            let message = format!("`{}` is {version}, {} is {}", plugin.name, image.product, image.version);
            found.add(&PLUGIN_VERSION, scene.key(&format!("plugin.{i}.{key}")), message);
        }
    }
}

/// The version in the name of a file on Elastic's download site.
fn version_in_url(plugin: &Plugin) -> Option<Version> {
    let url = plugin.url.as_ref().filter(|url| url.authority() == "artifacts.elastic.co")?;
    let version: Version = url.file_name().strip_suffix(".zip")?.rsplit('-').next()?.parse().ok()?;
    version.triple().map(|_| version)
}
