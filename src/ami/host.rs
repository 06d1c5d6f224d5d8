//! The host itself: kernel settings, and the scripts that run at boot.

use super::rules::{
    AGENT_IDENTITY, IMDS_V1_ALLOWED, MAP_COUNT_LOW, MAP_COUNT_MISSING, MAP_COUNT_OLD, NETWORK_SYSCTL, OLD_AMAZON_LINUX,
    PER_ONCE, START_ECS, SYSCTL_SCRIPT,
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
        }
    }
    if runs_containers(ami) {
        for key in ami.sysctl.keys().filter(|key| is_of_one_network(key)) {
            let message = format!("`{key}` counts for one network namespace");
            found.add(&NETWORK_SYSCTL, scene.key(&format!("sysctl.{key}")), message);
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

/// Whether tasks run on the host; otherwise its own network is all there is.
fn runs_containers(ami: &AmiRecipe) -> bool {
    let ecs_optimized = |base: &String| base.contains("/ecs/") || base.contains("-ecs-");
    ami.docker.is_some()
        || !ami.ecs.is_empty()
        || ami.base.ssm.values().chain(&ami.base.name).any(ecs_optimized)
        || ami.packages.keys().any(|name| name.contains("docker") || name.contains("ecs-init"))
}

/// Whether a setting steers the sockets of one network namespace. What was in each was read in namespaces of Linux 6.18;
/// settings of interfaces and of routing are as well in each, but the host's are what its containers' packets meet.
fn is_of_one_network(key: &str) -> bool {
    const WHOLE: [&str; 7] = [
        "net.ipv4.tcp_available_ulp",
        "net.ipv4.tcp_low_latency",
        "net.ipv4.tcp_max_orphans",
        "net.ipv4.tcp_mem",
        "net.ipv4.udp_mem",
        "net.ipv4.tcp_available_congestion_control",
        "net.ipv4.tcp_allowed_congestion_control",
    ];
    const OWN: [&str; 8] = [
        "net.core.optmem_max",
        "net.core.somaxconn",
        "net.ipv4.ip_default_ttl",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.unix.max_dgram_qlen",
    ];
    let of_sockets = key.starts_with("net.ipv4.tcp_") || key.starts_with("net.ipv4.udp_");
    OWN.contains(&key) || (of_sockets && !WHOLE.contains(&key))
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
