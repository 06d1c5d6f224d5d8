//! Bases that are files of the project, or nothing.

use elkbake::digest::Digest;
use serde_json::json;

use super::generic;
use crate::kitchen::project::Kitchen;

fn tarball(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn config(layer: &[u8]) -> Vec<u8> {
    let diff = Digest::of(layer);
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "rootfs": { "type": "layers", "diff_ids": [diff] },
    });
    config.to_string().into_bytes()
}

/// Locks without any socket, and tells what the lock says.
fn locked(kitchen: &Kitchen) -> String {
    kitchen.run(&["lock", "--offline"]).success().says("recipes/app.lock made");
    kitchen.run(&["lock", "--check"]).success();
    kitchen.read("recipes/app.lock")
}

#[test]
fn nothing_needs_no_pin() {
    let lock = locked(&Kitchen::new().recipe("app", &generic("scratch")));
    assert!(lock.contains("from = \"scratch\"") && !lock.contains("sha256"), "{lock}");
}

#[test]
fn a_root_file_system_is_pinned_by_its_bytes() {
    let tar = tarball(&[("etc/passwd", b"root")]);
    let kitchen = Kitchen::new().recipe("app", &generic("rootfs:base/root.tar")).file("base/root.tar", &tar);
    assert!(locked(&kitchen).contains(&Digest::of(&tar).to_string()));
    kitchen.write("base/root.tar", "no tarball at all");
    kitchen.run(&["lock", "--update", "--offline"]).code(3).complains("base: base/root.tar: it is no tarball");
}

#[test]
fn an_oci_layout_is_pinned_by_its_manifest() {
    let layer = tarball(&[("etc/kitchen", b"salt")]);
    let config = config(&layer);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(&config), "size": config.len() },
        "layers": [{ "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": Digest::of(&layer), "size": layer.len() }],
    });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": Digest::of(&manifest), "size": manifest.len(),
    }] });
    let kitchen = Kitchen::new()
        .recipe("app", &generic("oci:base"))
        .file("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)
        .file("base/index.json", index.to_string());
    for blob in [&layer, &config, &manifest] {
        kitchen.write(&format!("base/blobs/sha256/{}", Digest::of(blob).hex()), blob);
    }
    assert!(locked(&kitchen).contains(&Digest::of(&manifest).to_string()));
}

#[test]
fn what_docker_saved_is_pinned_by_its_bytes() {
    let layer = tarball(&[("etc/kitchen", b"salt")]);
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["a:1"], "Layers": ["1/layer.tar"] }]).to_string();
    let archive =
        tarball(&[("1/layer.tar", &layer), ("config.json", &config(&layer)), ("manifest.json", manifest.as_bytes())]);
    let kitchen = Kitchen::new().recipe("app", &generic("docker-archive:base.tar")).file("base.tar", &archive);
    let lock = locked(&kitchen);
    assert!(
        lock.contains(&Digest::of(&archive).to_string()) && lock.contains(&Digest::of(&layer).to_string()),
        "{lock}"
    );
}

#[test]
fn a_base_that_is_not_there_is_named_with_its_path() {
    for from in ["rootfs:none.tar", "oci:none", "docker-archive:none.tar"] {
        let path = from.split_once(':').unwrap().1;
        let kitchen = Kitchen::new().recipe("app", &generic(from));
        kitchen.run(&["lock"]).code(3).complains(&format!("base: cannot read {path}"));
        assert!(!kitchen.has("recipes/app.lock"));
    }
}

#[cfg(not(feature = "aws"))]
#[test]
fn a_build_without_aws_says_so_where_an_ami_is_looked_up() {
    let recipe = "kind = \"ami\"\nversion = \"1.0\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-12345678\"\n";
    let kitchen = Kitchen::new().recipe("host", recipe);
    kitchen.run(&["lock"]).code(5).complains("ami x86_64: ").complains("built without AWS");
    assert!(!kitchen.has("recipes/host.lock"));
}
