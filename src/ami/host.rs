//! The host itself: kernel settings, the ECS agent, and the scripts that run at boot.

use super::rules::{
    AGENT_IDENTITY, BACKEND_HOST, CLUSTER_BAKED, IMDS_V1_ALLOWED, MAP_COUNT_LOW, MAP_COUNT_MISSING, MAP_COUNT_OLD,
    NETWORK_SYSCTL, OLD_AMAZON_LINUX, PER_ONCE, START_ECS, SYSCTL_SCRIPT,
};
use crate::product::rules::MUTABLE_BASE;
use crate::product::subject::{Found, Place, Scene, TextFile};
use crate::recipe::AmiRecipe;

const MAP_COUNT: &str = "vm.max_map_count";

/// What Elasticsearch's bootstrap check asks for, and what Elastic recommends.
const MAP_COUNT_LEAST: u64 = 262_144;
const MAP_COUNT_BEST: u64 = 1_048_576;

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    check_sysctl(scene, ami, found);
    check_agent(scene, ami, found);
    for file in &scene.files {
        check_script(file, found);
    }
    for (path, _) in scene.subject.local.tree.iter() {
        if path.as_str().starts_with("/var/lib/ecs/data/") {
            found.add(&AGENT_IDENTITY, scene.file(path), format!("`{path}` is baked in"));
        }
    }
    if ami.ami.as_ref().is_some_and(|output| !output.imds_v2) {
        found.add(&IMDS_V1_ALLOWED, scene.key("ami.imds_v2"), "`imds_v2` is off");
    }
    if ami.base.id.is_none() && scene.subject.lock.is_none() {
        found.add(&MUTABLE_BASE, scene.key("base"), "the base is looked up, and there is no lock");
    }
    for (architecture, base) in ami.base.ssm.iter().filter(|(_, base)| base.contains("/amazon-linux-2/")) {
        found.add(&OLD_AMAZON_LINUX, scene.key(&format!("base.ssm.{architecture}")), format!("`{base}`"));
    }
}

/// Key, value and place of every kernel setting that a file or the recipe makes.
fn sysctls(scene: &Scene<'_>, ami: &AmiRecipe) -> Vec<(String, String, Place)> {
    let mut all = Vec::new();
    for (key, value) in &ami.sysctl {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.push((key.replace('/', "."), text, scene.key(&format!("sysctl.{key}"))));
    }
    for file in scene.files.iter().filter(|file| is_sysctl_file(file)) {
        for (number, line) in file.live_lines() {
            if let Some((key, value)) = line.split_once('=') {
                let key = key.trim().trim_start_matches('-').replace('/', ".");
                all.push((key, value.trim().to_owned(), file.place(number)));
            }
        }
    }
    all
}

fn is_sysctl_file(file: &TextFile<'_>) -> bool {
    let path = file.path.as_str();
    path == "/etc/sysctl.conf" || path.contains("/sysctl.d/")
}

fn check_sysctl(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let mut said = false;
    for (key, value, place) in sysctls(scene, ami) {
        if key == MAP_COUNT {
            said = true;
            check_map_count(&value, place, found);
        } else if key.starts_with("net.ipv4.") || key.starts_with("net.ipv6.") || key == "net.core.somaxconn" {
            found.add(&NETWORK_SYSCTL, place, format!("`{key}` counts for one network namespace"));
        }
    }
    for file in &scene.files {
        for (number, line) in file.live_lines() {
            let by_hand = line.contains("sysctl -w") || line.contains("sysctl --write") || assigns(line);
            if by_hand || (line.contains('>') && line.contains("/proc/sys/")) || tees(line) {
                found.add(&SYSCTL_SCRIPT, file.place(number), format!("`{}`", line.trim()));
                let value = line.split_once(MAP_COUNT).and_then(|(_, rest)| rest.strip_prefix('='));
                if let Some(value) = value.map(digits) {
                    said = true;
                    check_map_count(value, file.place(number), found);
                }
            }
        }
    }
    if !said {
        found.add(&MAP_COUNT_MISSING, scene.key("sysctl"), format!("`{MAP_COUNT}` is set nowhere"));
    }
}

fn digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

/// `sysctl vm.max_map_count=262144`, which needs no `-w`.
fn assigns(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    words.windows(2).any(|pair| pair[0].rsplit('/').next() == Some("sysctl") && pair[1].contains('='))
}

/// `echo 5 | sudo tee /proc/sys/…`
fn tees(line: &str) -> bool {
    line.contains("tee ") && line.contains("/proc/sys/")
}

fn check_map_count(value: &str, place: Place, found: &mut Found) {
    let message = format!("`{MAP_COUNT}` is {value}");
    match value.parse::<u64>() {
        Ok(count) if count >= MAP_COUNT_BEST => {}
        Ok(count) if count >= MAP_COUNT_LEAST => found.add(&MAP_COUNT_OLD, place, message),
        _ => found.add(&MAP_COUNT_LOW, place, message),
    }
}

fn check_agent(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let mut said = |key: &str, place: Place| match key {
        "ECS_BACKEND_HOST" => found.add(&BACKEND_HOST, place, "`ECS_BACKEND_HOST` is set"),
        "ECS_CLUSTER" => found.add(&CLUSTER_BAKED, place, "`ECS_CLUSTER` is set"),
        _ => {}
    };
    for key in ami.ecs.keys() {
        said(key, scene.key(&format!("ecs.{key}")));
    }
    for file in &scene.files {
        for (number, line) in file.live_lines() {
            for key in ["ECS_BACKEND_HOST", "ECS_CLUSTER"] {
                let set = line.find(key).is_some_and(|at| line[at + key.len()..].starts_with('='));
                if set {
                    said(key, file.place(number));
                }
            }
        }
    }
}

fn check_script(file: &TextFile<'_>, found: &mut Found) {
    for (number, line) in file.live_lines() {
        let shown = || format!("`{}`", line.trim());
        let agent = |word: &str| matches!(word.trim_end_matches(';'), "ecs" | "ecs.service");
        let starts = ["systemctl start ", "systemctl restart ", "systemctl enable --now "];
        let waits = starts
            .iter()
            .any(|start| line.split_once(start).is_some_and(|(_, rest)| rest.split_whitespace().any(agent)));
        let old = line.contains("service ecs start") || line.contains("service ecs restart");
        if (waits || old) && !line.contains("--no-block") {
            found.add(&START_ECS, file.place(number), shown());
        }
        if line.contains("cloud-init-per once") {
            found.add(&PER_ONCE, file.place(number), shown());
        }
    }
}
