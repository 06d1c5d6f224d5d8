//! The Docker daemon's options, wherever they are said: under `[docker]`, in `/etc/sysconfig/docker`, in `daemon.json`.

use std::collections::BTreeMap;

use super::rules::{DEVICEMAPPER, FLAG_AND_KEY, OLD_DRIVER, SHELL_SYNTAX, UNIT_FLAG};
use crate::product::subject::{Found, Place, Scene, TextFile};
use crate::recipe::AmiRecipe;

/// Flags that have another name in daemon.json; all others have the same.
const PLURALS: [(&str, &str); 22] = [
    ("H", "hosts"),
    ("host", "hosts"),
    ("D", "debug"),
    ("G", "group"),
    ("b", "bridge"),
    ("g", "data-root"),
    ("graph", "data-root"),
    ("l", "log-level"),
    ("p", "pidfile"),
    ("s", "storage-driver"),
    ("add-runtime", "runtimes"),
    ("authorization-plugin", "authorization-plugins"),
    ("cdi-spec-dir", "cdi-spec-dirs"),
    ("default-address-pool", "default-address-pools"),
    ("default-ulimit", "default-ulimits"),
    ("dns-opt", "dns-opts"),
    ("exec-opt", "exec-opts"),
    ("insecure-registry", "insecure-registries"),
    ("label", "labels"),
    ("log-opt", "log-opts"),
    ("registry-mirror", "registry-mirrors"),
    ("storage-opt", "storage-opts"),
];

/// The options of devicemapper, without their `dm.`.
const DM_OPTIONS: [&str; 18] = [
    "basesize",
    "loopdatasize",
    "loopmetadatasize",
    "fs",
    "mkfsarg",
    "mountopt",
    "thinpooldev",
    "datadev",
    "metadatadev",
    "blocksize",
    "blkdiscard",
    "override_udev_sync_check",
    "use_deferred_removal",
    "use_deferred_deletion",
    "libdm_log_level",
    "directlvm_device",
    "min_free_space",
    "thinp_percent",
];

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    check_devicemapper(scene, ami, found);
    check_shell_syntax(scene, ami, found);
    check_driver(scene, ami, found);
    let mut keys: BTreeMap<String, Place> = BTreeMap::new();
    let mut flags: Vec<(String, Place)> = Vec::new();
    if let Some(docker) = &ami.docker {
        keys.extend(docker.daemon.keys().map(|key| (key.clone(), scene.key(&format!("docker.daemon.{key}")))));
        for (i, flag) in docker.flags.iter().enumerate() {
            let place = scene.key(&format!("docker.flags.{i}"));
            flags.extend(key_names(flag).into_iter().map(|key| (key, place.clone())));
        }
    }
    for file in scene.scripts() {
        if file.path.as_str() == "/etc/docker/daemon.json" {
            keys.extend(daemon_keys(file));
        } else if is_options_file(file) {
            let options = file.live_lines().filter(|(_, line)| line.contains('-'));
            flags.extend(
                options
                    .flat_map(|(number, line)| key_names(line).into_iter().map(move |key| (key, file.place(number)))),
            );
        }
    }
    for key in ["hosts", "containerd"] {
        if let Some(place) = keys.get(key) {
            found.add(&UNIT_FLAG, place.clone(), format!("`{key}` is a key of daemon.json"));
        }
    }
    for (flag, place) in flags {
        if keys.contains_key(&flag) {
            found.add(&FLAG_AND_KEY, place, format!("`{flag}` is a flag here and a key of daemon.json too"));
        }
    }
}

/// The files of the host that options of the daemon are read from.
fn is_options_file(file: &TextFile<'_>) -> bool {
    let path = file.path.as_str();
    matches!(path, "/etc/sysconfig/docker" | "/etc/sysconfig/docker-storage" | "/etc/default/docker")
        || path.starts_with("/etc/systemd/system/docker.service")
}

/// All flags that stand for a key of daemon.json, without their dashes.
pub(super) fn flags_of(key: &str) -> impl Iterator<Item = &str> {
    PLURALS.iter().filter(move |(_, of)| *of == key).map(|(flag, _)| *flag).chain([key])
}

/// The keys in daemon.json that the flags of a line stand for.
pub(super) fn key_names(line: &str) -> Vec<String> {
    let words = line.split(|c: char| c.is_whitespace() || matches!(c, '"' | '\''));
    let flags = words.filter_map(|word| {
        let long = word.strip_prefix("--").map(|name| name.split('=').next().unwrap_or(name));
        let short = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| rest.get(..1));
        long.or(short).filter(|name| !name.is_empty())
    });
    let key = |flag: &str| PLURALS.iter().find(|(name, _)| *name == flag).map_or(flag, |(_, key)| *key).to_owned();
    flags.map(key).collect()
}

/// The keys of a daemon.json, with the lines they seem to stand on.
fn daemon_keys(file: &TextFile<'_>) -> Vec<(String, Place)> {
    let line = |key: &str| file.text.lines().position(|line| line.contains(key)).map_or(1, |i| i + 1);
    keys_of(&file.text).into_iter().map(|key| (key.clone(), file.place(line(&key)))).collect()
}

/// The keys that a daemon.json says something about.
pub(super) fn keys_of(text: &str) -> Vec<String> {
    let Ok(serde_json::Value::Object(keys)) = serde_json::from_str(text) else { return Vec::new() };
    keys.into_iter().map(|(key, _)| key).collect()
}

fn check_devicemapper(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let message = |option: &str| format!("`{option}`");
    if let Some(docker) = &ami.docker {
        for (i, flag) in docker.flags.iter().enumerate() {
            if let Some(option) = devicemapper(flag) {
                found.add(&DEVICEMAPPER, scene.key(&format!("docker.flags.{i}")), message(&option));
            }
        }
        for (key, value) in &docker.daemon {
            if let Some(option) = devicemapper(&value.to_string()) {
                found.add(&DEVICEMAPPER, scene.key(&format!("docker.daemon.{key}")), message(&option));
            }
        }
    }
    for file in scene.scripts() {
        for (number, line) in file.live_lines() {
            if let Some(option) = devicemapper(line) {
                found.add(&DEVICEMAPPER, file.place(number), message(&option));
            }
        }
    }
}

/// Drivers that Docker has had and has no more; devicemapper has a rule of its own.
fn check_driver(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let Some(docker) = &ami.docker else { return };
    let is_gone = |driver: &str| matches!(driver, "aufs" | "overlay");
    let key = docker.daemon.get("storage-driver").and_then(serde_json::Value::as_str);
    if let Some(driver) = key.filter(|driver| is_gone(driver)) {
        found.add(&OLD_DRIVER, scene.key("docker.daemon.storage-driver"), format!("`{driver}`"));
    }
    for (i, flag) in docker.flags.iter().enumerate() {
        let said = ["--storage-driver", "-s"].iter().find_map(|name| flag.strip_prefix(name));
        let driver = said.map(|rest| rest.trim_start_matches(['=', ' ']).trim_matches('"'));
        if let Some(driver) = driver.filter(|driver| is_gone(driver)) {
            found.add(&OLD_DRIVER, scene.key(&format!("docker.flags.{i}")), format!("`{driver}`"));
        }
    }
}

/// The first option of devicemapper, or its name, in a text.
fn devicemapper(text: &str) -> Option<String> {
    let option = text.match_indices("dm.").find_map(|(at, _)| {
        let alone = !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-'));
        let rest = &text[at + 3..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        (alone && DM_OPTIONS.contains(&&rest[..end])).then(|| format!("dm.{}", &rest[..end]))
    });
    let driver = || text.contains("devicemapper").then(|| "devicemapper".to_owned());
    option.or_else(driver)
}

fn check_shell_syntax(scene: &Scene<'_>, ami: &AmiRecipe, found: &mut Found) {
    let shell = |text: &str| text.contains(['$', '`']);
    for (i, flag) in ami.docker.iter().flat_map(|docker| &docker.flags).enumerate() {
        if shell(flag) {
            found.add(&SHELL_SYNTAX, scene.key(&format!("docker.flags.{i}")), format!("`{flag}`"));
        }
    }
    for file in scene.scripts() {
        let whole = matches!(file.path.as_str(), "/etc/sysconfig/docker" | "/etc/sysconfig/docker-storage");
        for (number, line) in file.live_lines() {
            // A script that adds such a line to the file, quoted so that the shell leaves it alone.
            let written = line.contains("/etc/sysconfig/docker") && line.contains("OPTIONS}");
            if written || (whole && shell(line)) {
                found.add(&SHELL_SYNTAX, file.place(number), format!("`{}`", line.trim()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_matched_with_the_keys_they_stand_for() {
        assert_eq!(key_names("--default-ulimit nofile=1024:4096"), ["default-ulimits"]);
        assert_eq!(
            key_names("OPTIONS=\"--log-driver=awslogs --log-opt a=b -H fd:// --storage-opt=x --label a -D\""),
            ["log-driver", "log-opts", "hosts", "storage-opts", "labels", "debug"]
        );
        assert_eq!(
            key_names("--insecure-registry a --registry-mirror b --dns 1.1.1.1"),
            ["insecure-registries", "registry-mirrors", "dns"]
        );
        assert_eq!(key_names("- -- plain"), [""; 0]);
        assert_eq!(key_names("-ä"), [""; 0]);
    }

    #[test]
    fn options_of_devicemapper_are_known_in_any_text() {
        for text in
            ["--storage-opt dm.basesize=250G", "\"dm.thinpooldev=/dev/x\"", "-s devicemapper", "[\"dm.fs=xfs\"]"]
        {
            assert!(devicemapper(text).is_some(), "{text}");
        }
        for text in ["overlay2", "gdm.service", "dm.example.com", "/etc/dm.fs", "systemd.basesize"] {
            assert!(devicemapper(text).is_none(), "{text}");
        }
    }
}
