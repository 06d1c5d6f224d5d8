//! Packages, users, units, clock and firewall, and what belongs to them.

use std::collections::BTreeMap;

use super::rules::{
    CLOUDWATCH_PACKAGE, CONTROL_CHARACTER, FIREWALL_EMPTY, MDADM_PACKAGE, NFTABLES_PACKAGE, NO_COMMAND,
    OTHER_PROCESSOR, PACKAGE_KIND, PATH_TAKEN, RUN_NOWHERE, TIME_SERVER, UNIT_TWICE, USER_NUMBER,
};
use super::{storage, tuning};
use crate::product::subject::{Found, Scene};
use crate::recipe::{AmiRecipe, Architecture, Engine, PackageFile};
use crate::tree::Node;

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    check_lines(scene, ami, found);
    check_packages(scene, ami, found);
    check_users(scene, ami, found);
    check_commands(scene, ami, found);
    check_processors(scene, ami, found);
    for (i, _) in ami.firewall.iter().enumerate().filter(|(_, rule)| rule.ports.is_empty() || rule.from.is_empty()) {
        found.add(&FIREWALL_EMPTY, scene.key(&format!("firewall.{i}")), "it names no port, or nobody who may connect");
    }
    if let Some(host) = &ami.host {
        for unit in host.enable.intersection(&host.disable) {
            found.add(&UNIT_TWICE, scene.key("host.disable"), format!("`{unit}`"));
        }
        for (i, server) in host.time_servers.iter().enumerate() {
            let is_name = |c: u8| c.is_ascii_alphanumeric() || b".:-".contains(&c);
            if server.is_empty() || !server.bytes().all(is_name) || server.starts_with('-') {
                found.add(&TIME_SERVER, scene.key(&format!("host.time_servers.{i}")), format!("`{server}`"));
            }
        }
    }
    let tree = &scene.subject.local.tree;
    for path in tuning::paths(ami) {
        if tree.get(&path).is_some_and(|entry| entry.node != Node::Folder) {
            found.add(&PATH_TAKEN, scene.file(&path), format!("`{path}` is written by elkbake for this recipe"));
        }
    }
}

/// Values that become one line of a file each.
fn check_lines(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let mut values: Vec<(String, &str)> = Vec::new();
    values.extend(ami.sysctl.iter().filter_map(|(key, value)| Some((format!("sysctl.{key}"), value.as_str()?))));
    values.extend(ami.ecs.iter().map(|(key, value)| (format!("ecs.{key}"), value.as_str())));
    for (i, flag) in ami.docker.iter().flat_map(|docker| &docker.flags).enumerate() {
        values.push((format!("docker.flags.{i}"), flag));
    }
    for (key, value) in ami.host.iter().flat_map(|host| &host.journal) {
        values.push((format!("host.journal.{key}"), value));
    }
    for (key, value) in values {
        if value.contains(|c: char| c.is_control() && c != '\t') {
            found.add(&CONTROL_CHARACTER, scene.key(&key), format!("`{}`", value.escape_debug()));
        }
    }
}

fn check_packages(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let is_there = |package: &str| {
        let file = |url: &str| url.rsplit('/').next().is_some_and(|name| name.starts_with(package));
        ami.packages.contains_key(package) || ami.package.iter().any(|of| of.name == package || file(of.url.as_str()))
    };
    if !ami.cloudwatch.is_empty() && !is_there("amazon-cloudwatch-agent") {
        found.add(&CLOUDWATCH_PACKAGE, scene.key("cloudwatch"), "`[cloudwatch]` configures it");
    }
    if !ami.firewall.is_empty() && !is_there("nftables") {
        found.add(&NFTABLES_PACKAGE, scene.key("firewall.0"), "`[[firewall]]` needs `nftables`");
    }
    for (i, package) in ami.package.iter().enumerate() {
        let ending = package.url.file_name().rsplit_once('.').map_or("", |(_, ending)| ending);
        if !kind_of_packages(ami).map_or(matches!(ending, "rpm" | "deb"), |kind| kind == ending) {
            let message = format!("`{}`", package.url.file_name());
            found.add(&PACKAGE_KIND, scene.key(&format!("package.{i}.url")), message);
        }
    }
    if storage::packages(ami).contains(&"mdadm") && !is_there("mdadm") {
        let joined = ami.volume.iter().position(|volume| volume.raid0).unwrap_or_default();
        found.add(&MDADM_PACKAGE, scene.key(&format!("volume.{joined}.raid0")), "`raid0` needs `mdadm`");
    }
}

/// What is said for processors beside those that an image is made for.
fn check_processors(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let mut said: Vec<(String, Architecture)> = Vec::new();
    let types = ami.bake.iter().flat_map(|bake| bake.instance_types.keys());
    said.extend(types.map(|of| (format!("bake.instance_types.{of}"), *of)));
    for (region, output) in ami.ami.iter().flat_map(|output| &output.regions) {
        let key = |of: &Architecture| (format!("ami.regions.{region}.launch_templates.{of}"), *of);
        said.extend(output.launch_templates.keys().map(key));
    }
    let of_package =
        |(i, package): (usize, &PackageFile)| Some((format!("package.{i}.architecture"), package.architecture?));
    said.extend(ami.package.iter().enumerate().filter_map(of_package));
    for (key, of) in said.iter().filter(|(_, of)| !ami.architectures.contains(of)) {
        found.add(&OTHER_PROCESSOR, scene.key(key), format!("`{of}`"));
    }
}

/// The ending of the packages that a base installs, where its name tells.
fn kind_of_packages(ami: &AmiRecipe) -> Option<&'static str> {
    let base = ami.base.ssm.values().chain(&ami.base.name).map(|name| name.to_ascii_lowercase()).collect::<String>();
    let is = |names: &[&str]| names.iter().any(|name| base.contains(name));
    if is(&["debian", "ubuntu"]) { Some("deb") } else { is(&["amazon-linux", "amzn2", "al2023"]).then_some("rpm") }
}

fn check_users(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let mut numbers = BTreeMap::from([(0, "root"), (1000, "the user that the base itself makes for people")]);
    for (i, user) in ami.user.iter().enumerate() {
        if let Some(other) = numbers.insert(user.uid, &user.name) {
            let message = format!("`{}` is number {}, and so is {other}", user.name, user.uid);
            found.add(&USER_NUMBER, scene.key(&format!("user.{i}.uid")), message);
        }
    }
}

fn check_commands(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    for (i, run) in ami.run.iter().enumerate() {
        if run.command.first().is_none_or(String::is_empty) {
            found.add(&NO_COMMAND, scene.key(&format!("run.{i}.command")), format!("`{}` runs nothing", run.name));
        }
        if ami.engine == Engine::UserData {
            found.add(&RUN_NOWHERE, scene.key(&format!("run.{i}")), format!("`{}`", run.name));
        }
    }
}
