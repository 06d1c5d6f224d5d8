//! What a host checks about itself, and the program that does so.
//!
//! What follows from the tuning is a file of the host. What a recipe expects in `[test]` is not: it says nothing about
//! what is baked, and reaches a host that is tested by its user data.

use serde_json::Value;

use super::storage;
use super::user_data::shell::command;
use crate::recipe::{AmiRecipe, HostExpect, Volume};
use crate::tree::Mode;

const PROGRAM: &str = include_str!("host/check.sh");

/// Settings of the daemon that it can be asked for.
const ASKED: [&str; 4] = ["data-root", "live-restore", "log-driver", "storage-driver"];

/// The program and its list: path, mode and bytes.
pub(in crate::ami) fn files(ami: &AmiRecipe) -> [(&'static str, Mode, Vec<u8>); 2] {
    [
        ("/usr/libexec/elkbake/check", Mode::new(0o755), PROGRAM.into()),
        ("/etc/elkbake/checks", Mode::new(0o644), checks(ami).into_bytes()),
    ]
}

/// Calls of the program's functions, one a line.
fn checks(ami: &AmiRecipe) -> String {
    let mut calls = Vec::new();
    kernel(ami, &mut calls);
    volumes(ami, &mut calls);
    docker(ami, &mut calls);
    host(ami, &mut calls);
    lines(&calls)
}

/// What a recipe expects of a host that is tested, in the same form.
pub(in crate::ami) fn expectations(expects: &[HostExpect]) -> String {
    lines(&expects.iter().filter_map(expectation).collect::<Vec<_>>())
}

fn lines(calls: &[Vec<String>]) -> String {
    calls.iter().map(|call| format!("{}\n", command(call))).collect()
}

fn call<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).into()
}

fn expectation(expect: &HostExpect) -> Option<Vec<String>> {
    let text = expect.contains.as_deref().unwrap_or_default();
    if !expect.command.is_empty() {
        let mut words = call(["is_command", text]);
        words.extend(expect.command.iter().cloned());
        return Some(words);
    }
    if let Some(url) = &expect.http {
        return Some(call(["is_answer", text, url.as_str()]));
    }
    let mode = expect.mode.map_or("-".to_owned(), |mode| format!("{:o}", mode.bits()));
    let owner = expect.owner.map_or("-".to_owned(), |owner| owner.to_string());
    expect.file.as_ref().map(|file| call(["is_file", file.as_str(), &mode, &owner]))
}

fn kernel(ami: &AmiRecipe, calls: &mut Vec<Vec<String>>) {
    // A pattern stands for settings that only the host knows.
    for (key, value) in ami.sysctl.iter().filter(|(key, _)| !key.contains('*')) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        calls.push(call(["is_sysctl", key, &value]));
    }
    if let Some(when) = ami.host.as_ref().and_then(|host| host.huge_pages) {
        calls.push(call(["is_huge_pages", &when.to_string()]));
    }
}

fn volumes(ami: &AmiRecipe, calls: &mut Vec<Vec<String>>) {
    let mount =
        |volume: &'_ Volume| volume.mount.as_ref().is_some_and(|mount| storage::volume_of(ami, mount).is_some());
    let mounted: Vec<_> = ami.volume.iter().filter(|volume| mount(volume)).collect();
    if !mounted.is_empty() {
        calls.push(call(["is_active", "elkbake-storage.service"]));
    }
    for volume in &mounted {
        let mount = volume.mount.iter();
        calls.extend(mount.map(|at| call(["is_mounted", at.as_str(), &volume.filesystem.to_string()])));
    }
    for folder in &ami.folder {
        let function =
            if storage::volume_of(ami, &folder.path).is_some() { "is_folder_on_volume" } else { "is_folder" };
        let mode = format!("{:o}", folder.mode.bits());
        calls.push(call([function, folder.path.as_str(), &mode, &folder.owner.to_string()]));
    }
}

fn docker(ami: &AmiRecipe, calls: &mut Vec<Vec<String>>) {
    if let Some(docker) = &ami.docker {
        calls.push(call(["is_active", "docker.service"]));
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        for (key, value) in docker.daemon.iter().filter(|(key, _)| ASKED.contains(&key.as_str())) {
            calls.push(call(["is_docker", key, &text(value)]));
        }
        let limits = docker.daemon.get("default-ulimits").and_then(Value::as_object);
        for (name, limit) in limits.into_iter().flatten() {
            let side = |side: &str| limit.get(side).map_or("-1".to_owned(), Value::to_string);
            calls.push(call(["is_limit", name, &side("Soft"), &side("Hard")]));
        }
        for flag in docker.flags.iter().flat_map(|flag| flag.split_whitespace()) {
            calls.extend(flag_call(flag));
        }
    }
    calls.push(call(["is_agent_running"]));
}

/// What a flag of the daemon comes to, where it can be seen.
fn flag_call(flag: &str) -> Option<Vec<String>> {
    let (name, value) = flag.strip_prefix("--")?.split_once('=')?;
    if ASKED.contains(&name) {
        return Some(call(["is_docker", name, value]));
    }
    let (limit, sides) = (name == "default-ulimit").then(|| value.split_once('='))??;
    let (soft, hard) = sides.split_once(':').unwrap_or((sides, sides));
    Some(call(["is_limit", limit, soft, hard]))
}

fn host(ami: &AmiRecipe, calls: &mut Vec<Vec<String>>) {
    for unit in ami.host.iter().flat_map(|host| &host.enable) {
        calls.push(call(["is_enabled", unit]));
    }
    for unit in ami.host.iter().flat_map(|host| &host.disable) {
        calls.push(call(["is_disabled", unit]));
    }
    for user in &ami.user {
        let mut words = call(["is_user", &user.name, &user.uid.to_string()]);
        words.extend(user.groups.iter().cloned());
        calls.push(words);
    }
    if !ami.firewall.is_empty() {
        calls.push(call(["is_table", "inet", "elkbake"]));
    }
    if !ami.cloudwatch.is_empty() {
        calls.push(call(["is_active", "amazon-cloudwatch-agent.service"]));
    }
}
