use std::path::Path;

use super::*;
use crate::digest::Digest;
use crate::recipe::{self, Recipe};
use crate::tree::Node;

fn ami(lines: &str) -> Box<AmiRecipe> {
    let text = format!(
        "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
    );
    match recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}")).value {
        Recipe::Ami(ami) => ami,
        Recipe::Image(_) => panic!("{text}"),
    }
}

fn tuning_with(lines: &str, local: &Local, project: &Path) -> Result<Tuning, TuningError> {
    let (recipe, version) = ("ecs-host".parse().unwrap(), "2026.1".parse().unwrap());
    let tag = "2026.1-0123456789ab".parse().unwrap();
    let identity = Identity { recipe: &recipe, version: &version, tag: &tag, key: Digest::of(b"key") };
    Tuning::of(&ami(lines), local, project, &identity)
}

fn tuning(lines: &str) -> Tuning {
    tuning_with(lines, &Local::default(), Path::new("/nowhere")).unwrap()
}

fn text(tuning: &Tuning, path: &str) -> Option<String> {
    let entry = tuning.tree().get(&path.parse().unwrap())?;
    let Node::File { digest, .. } = &entry.node else { panic!("{path} is no file") };
    Some(String::from_utf8(tuning.contents().bytes(digest, 1 << 20).unwrap()).unwrap())
}

#[test]
fn settings_of_the_kernel_are_a_file() {
    let host = tuning("sysctl.\"vm.max_map_count\" = 1048576\nsysctl.\"kernel.core_pattern\" = \"/c/%e\"");
    let expected = "kernel.core_pattern = /c/%e\nvm.max_map_count = 1048576\n";
    assert_eq!(text(&host, "/etc/sysctl.d/90-elkbake.conf").as_deref(), Some(expected));
    assert_eq!(text(&tuning(""), "/etc/sysctl.d/90-elkbake.conf"), None);
}

#[test]
fn settings_of_docker_are_json() {
    let host = tuning("docker.daemon = { log-opts = { max-size = \"5m\", a = [1] }, debug = true }");
    let json = text(&host, "/etc/docker/daemon.json").unwrap();
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read, serde_json::json!({"debug": true, "log-opts": {"a": [1], "max-size": "5m"}}));
    assert_eq!(text(&tuning("docker.flags = [\"--debug\"]"), "/etc/docker/daemon.json"), None);
}

#[test]
fn a_host_says_what_it_is() {
    let key = Digest::of(b"key").hex();
    let expected = format!("RECIPE=ecs-host\nVERSION=2026.1\nTAG=2026.1-0123456789ab\nKEY={key}\n");
    assert_eq!(text(&tuning(""), "/etc/elkbake/release"), Some(expected));
}
