//! How Elasticsearch's nodes find each other.

use super::base::is_elastics;
use super::environment::{Placed, settings};
use super::rules::{EC2_ADDRESS, EC2_AWSVPC, EC2_PLUGIN_MISSING, INITIAL_MASTERS, SINGLE_NODE};
use super::subject::{Found, Scene};
use crate::recipe::{ImageRecipe, NetworkMode, Product};

const PLUGIN: &str = "discovery-ec2";

pub(super) fn check(scene: &Scene<'_>, image: &ImageRecipe, found: &mut Found) {
    if image.product != Product::Elasticsearch {
        return;
    }
    let settings = settings(scene, image);
    let clustered = settings.iter().find(|setting| names_others(setting));
    let single = |setting: &&Placed| setting.key == "discovery.type" && setting.value == "single-node";
    if let (Some(single), Some(other)) = (settings.iter().find(single), clustered) {
        let message = format!("`discovery.type: single-node` stands beside `{}`", other.key);
        found.add(&SINGLE_NODE, single.place.clone(), message);
    }
    // What a task definition fills is not baked in, and what is empty is not there.
    let baked = |value: &str| !matches!(value.trim(), "" | "[]") && !value.contains("${");
    let masters = |setting: &&Placed| setting.key == "cluster.initial_master_nodes" && baked(&setting.value);
    if let Some(masters) = settings.iter().find(masters) {
        found.add(&INITIAL_MASTERS, masters.place.clone(), "`cluster.initial_master_nodes` is baked in");
    }
    check_plugin(scene, image, &settings, found);
    if image.runtime.as_ref().is_some_and(|runtime| runtime.network_mode == Some(NetworkMode::Awsvpc)) {
        check_awsvpc(scene, image, &settings, found);
    }
}

/// Whether a setting says where other nodes are.
fn names_others(setting: &Placed) -> bool {
    const KEYS: [&str; 5] = [
        "discovery.seed_providers",
        "discovery.seed_hosts",
        "discovery.zen.hosts_provider",
        "discovery.zen.ping.unicast.hosts",
        "cluster.initial_master_nodes",
    ];
    KEYS.contains(&setting.key.as_str()) && !matches!(setting.value.trim(), "" | "[]")
}

/// Whether a setting turns on discovery by EC2.
fn asks_ec2(setting: &Placed) -> bool {
    let provider = matches!(setting.key.as_str(), "discovery.seed_providers" | "discovery.zen.hosts_provider");
    let words = |c: char| !c.is_ascii_alphanumeric();
    provider && setting.value.split(words).any(|word| word == "ec2")
}

fn check_plugin(scene: &Scene<'_>, image: &ImageRecipe, settings: &[Placed], found: &mut Found) {
    let official = is_elastics(&image.from);
    let brought = image.plugin.iter().any(|plugin| plugin.name == PLUGIN) || !image.run.is_empty();
    let needs = |setting: &&Placed| asks_ec2(setting) || setting.key.starts_with("discovery.ec2.");
    let baked = scene.subject.local.tree.iter().any(|(path, _)| path.file_name() == PLUGIN);
    if let Some(setting) = settings.iter().find(needs).filter(|_| official && !brought && !baked) {
        let message = format!("`{}` needs `{PLUGIN}`, which the recipe does not add", setting.key);
        found.add(&EC2_PLUGIN_MISSING, setting.place.clone(), message);
    }
}

fn check_awsvpc(scene: &Scene<'_>, image: &ImageRecipe, settings: &[Placed], found: &mut Found) {
    if let Some(i) = image.plugin.iter().position(|plugin| plugin.name == PLUGIN) {
        let message = format!("`{PLUGIN}` cannot find the nodes of awsvpc tasks");
        found.add(&EC2_AWSVPC, scene.key(&format!("plugin.{i}.name")), message);
    }
    for setting in settings {
        if asks_ec2(setting) {
            let message = format!("`{}: ec2` cannot find the nodes of awsvpc tasks", setting.key);
            found.add(&EC2_AWSVPC, setting.place.clone(), message);
        }
        if setting.value.contains("_ec2:") || setting.value.contains("_ec2_") {
            let message = format!("`{}` is `{}`", setting.key, setting.value);
            found.add(&EC2_ADDRESS, setting.place.clone(), message);
        }
    }
}
