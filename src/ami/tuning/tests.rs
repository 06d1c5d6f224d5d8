use std::path::Path;

use super::*;
use crate::digest::Digest;
use crate::recipe::{self, Recipe};
use crate::tree::Node;

fn ami(lines: &str) -> Box<AmiRecipe> {
    let text = format!(
        "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
    );
    let text = if lines.starts_with("kind") { lines.to_owned() } else { text };
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

/// A host that says something in every table that becomes a file.
const EVERYTHING: &str = include_str!("../../../tests/host/everything.toml");

/// A tuning as one text: every file with its mode, and links.
fn listed(tuning: &Tuning) -> String {
    let entry = |(path, entry): (&ImagePath, &crate::tree::Entry)| match &entry.node {
        Node::Folder => format!("{path}/ {} {}\n", entry.mode, entry.owner),
        Node::Link(target) => format!("{path} -> {target}\n"),
        // Programs are read where they are.
        Node::File { digest, .. } if entry.mode.bits() & 0o111 != 0 => format!("{path} {} {digest}\n", entry.mode),
        Node::File { digest, .. } => {
            let bytes = tuning.contents().bytes(digest, 1 << 20).unwrap();
            let text = String::from_utf8(bytes).unwrap();
            let indented = text.lines().map(|line| format!("    {line}\n")).collect::<String>();
            format!("{path} {} {}\n{indented}", entry.mode, entry.owner)
        }
    };
    tuning.tree().iter().filter(|(path, _)| path.as_str() != release::PATH).map(entry).collect()
}

#[test]
fn what_is_written_into_a_host_changes_only_with_the_number_of_its_format() {
    let written = format!("format {}\n{}", crate::plan::HOST_FORMAT, listed(&tuning(EVERYTHING)));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/host-format.txt");
    #[expect(clippy::disallowed_methods, reason = "UPDATE=1 renews golden texts")]
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &written).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    let why =
        "hosts get other files than before under the same key: raise HOST_FORMAT in src/plan/key.rs, then UPDATE=1";
    assert!(golden == written, "{why}\n{written}");
}

#[test]
fn nothing_is_written_that_the_recipe_does_not_need() {
    let paths: Vec<_> = tuning("").tree().iter().map(|(path, _)| path.to_string()).collect();
    let programs = ["/usr/libexec/elkbake/apply", "/usr/libexec/elkbake/check"];
    assert_eq!(paths, [&["/etc/elkbake/checks", "/etc/elkbake/release"], &programs[..]].concat());
}

/// User data that writes `ecs.config` anew comes after everything else that is applied.
#[test]
fn the_agent_starts_with_the_recipes_settings_whatever_was_written_over_them() {
    let host = tuning("ecs.ECS_CONTAINER_STOP_TIMEOUT = \"120s\"");
    let unit = "/etc/systemd/system/elkbake-apply.service";
    let text = text(&host, unit).unwrap();
    assert!(text.contains("\nAfter=cloud-final.service\nBefore=ecs.service\n"), "{text}");
    assert!(
        listed(&host).contains(&format!("/etc/systemd/system/ecs.service.wants/elkbake-apply.service -> {unit}\n"))
    );
}

#[test]
fn flags_of_the_base_go_under_each_of_their_names() {
    let host = tuning("docker.flags = [\"-l debug\"]\ndocker.daemon = { default-ulimits = {}, live-restore = true }");
    let flags = text(&host, "/etc/elkbake/docker-flags").unwrap();
    for name in ["l", "log-level", "default-ulimit", "live-restore"] {
        assert!(flags.contains(&format!("drop {name}\n")), "{name}: {flags}");
    }
    assert!(flags.ends_with("flag -l debug\n"), "{flags}");
}

#[test]
fn the_recipes_own_files_are_in_it_and_take_no_path_of_elkbakes() {
    let project = tempfile::tempdir().unwrap();
    let own = |files: &[(&str, &str)]| {
        let folder = project.path().join("ami/ecs-host");
        let _ = std::fs::remove_dir_all(&folder);
        for (path, content) in files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let rules = ami("files.\"etc/es/\" = { mode = \"0750\" }").files;
        let local = crate::local::read(project.path(), "ami/ecs-host", &rules).unwrap();
        tuning_with("sysctl.\"vm.swappiness\" = 1", &local, project.path())
    };
    let host = own(&[("etc/es/es.yml", "a: 1"), ("etc/docker/daemon.json", "{\"debug\": true}")]).unwrap();
    assert_eq!(text(&host, "/etc/es/es.yml").as_deref(), Some("a: 1"));
    assert!(text(&host, "/etc/elkbake/docker-flags").unwrap().contains("drop D\ndrop debug\n"));
    let folders = host.tree().iter().filter(|(_, entry)| entry.node == Node::Folder);
    let folders: Vec<_> = folders.map(|(path, entry)| (path.as_str(), entry.mode.bits())).collect();
    assert_eq!(folders, [("/etc/es", 0o750)], "a folder of which nothing is said is as the base has it");
    let error = own(&[("etc/sysctl.d/90-elkbake.conf", "")]).unwrap_err();
    assert!(error.to_string().starts_with("/etc/sysctl.d/90-elkbake.conf is written by elkbake"), "{error}");
}

#[test]
fn paths_are_read_by_systemd_as_they_are_meant() {
    assert_eq!(tmpfiles::quoted("/a b/100%"), "\"/a b/100%%\"");
    assert_eq!(tmpfiles::quoted("/\"\\\n"), "\"/\\\"\\\\\\x0a\"");
}
