//! What images are built on, and what of that is fetched.

use std::path::{Path, PathBuf};

use elkbake::digest::Digest;
use serde_json::json;

use super::{recipe, rootfs};
use crate::kitchen::baked::{bomb, gzipped, items, tarball, unpacked};
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::{Fault, Registry};

const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// A recipe with files of its own on a base of a registry.
fn on_registry(registry: &Registry) -> Kitchen {
    let text = recipe(&registry.reference("elk/base:1").to_string(), "");
    let text = text.replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]");
    Kitchen::new().recipe("app", &text).file("images/app/etc/app/conf", "a = 1")
}

#[test]
fn a_fresh_machine_bakes_files_onto_a_base_without_fetching_a_layer_of_it() {
    for docker in [false, true] {
        let registry = Registry::start();
        let image = if docker {
            registry.docker_image("elk/base", "1", &PLATFORMS)
        } else {
            registry.image("elk/base", "1", &PLATFORMS)
        };
        let kitchen = on_registry(&registry);
        kitchen.run(&["lock"]).success();
        let here = kitchen.build("app");

        registry.forget();
        for platform in [0, 1] {
            registry.fault(&image.blob_path(platform), 9, Fault::Status(500, None));
        }
        let store = kitchen.project().join("other-store");
        let there = kitchen.run(&["build", "app", "--json", "--store", store.to_str().unwrap()]).success().json();
        assert_eq!(there["builds"][0]["digest"], here["digest"]);
        assert!([0, 1].iter().all(|platform| registry.requests_to(&image.blob_path(*platform)).is_empty()));
        let baked = kitchen.baked(&here, 1);
        assert_eq!(baked.manifest["layers"][0]["digest"], json!(image.layers[1].0));
        assert_eq!(baked.manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        assert_eq!(baked.config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    }
}

/// What the base of a recipe below holds is asked when the recipe is locked, too, however many lie between.
#[test]
fn a_fresh_machine_bakes_recipes_on_recipes_without_fetching_a_layer_of_the_base() {
    let registry = Registry::start();
    let image = registry.image("elk/base", "1", &PLATFORMS);
    let on = |parent: &str| {
        recipe(&format!("recipe:{parent}"), "").replace("[\"linux/amd64\"]", "[\"linux/amd64\", \"linux/arm64\"]")
    };
    let kitchen = on_registry(&registry)
        // By their names the last comes first.
        .recipe("a-grandchild", &on("child"))
        .file("images/a-grandchild/etc/app/conf", "a = 3")
        .file("images/a-grandchild/var/lib/new/file", "new")
        .recipe("child", &on("app"))
        .file("images/child/etc/app/conf", "a = 2")
        .file("images/child/srv/child", "child");
    kitchen.run(&["lock"]).success();
    let locks = ["app", "child", "a-grandchild"].map(|name| kitchen.read(&format!("recipes/{name}.lock")));
    assert!(locks[2].contains("\"/var\" = ") && !locks[1].contains("\"/var\" = "), "{}", locks[2]);
    kitchen.run(&["lock"]).success();
    assert_eq!(["app", "child", "a-grandchild"].map(|name| kitchen.read(&format!("recipes/{name}.lock"))), locks);
    kitchen.run(&["lock", "--check"]).success();
    let here = kitchen.build("a-grandchild");

    registry.forget();
    let store = kitchen.project().join("other-store");
    let store = ["--store", store.to_str().unwrap()];
    let there = kitchen.run(&[&["build", "a-grandchild", "--json"], &store[..]].concat()).success().json();
    assert_eq!(there["builds"][0]["digest"], here["digest"]);
    assert!([0, 1].iter().all(|platform| registry.requests_to(&image.blob_path(*platform)).is_empty()));
    // A lock that knows less makes the same, and has to look.
    for name in ["child", "a-grandchild"] {
        let lock = kitchen.read(&format!("recipes/{name}.lock"));
        kitchen.write(&format!("recipes/{name}.lock"), lock.split("\n[[base.below]]").next().unwrap());
    }
    let store = kitchen.project().join("third-store");
    let store = ["--store", store.to_str().unwrap()];
    let there = kitchen.run(&[&["build", "a-grandchild", "--json"], &store[..]].concat()).success().json();
    assert_eq!(there["builds"][0]["digest"], here["digest"]);
    assert!(!registry.requests_to(&image.blob_path(0)).is_empty());
}

#[test]
fn a_layer_that_was_damaged_on_its_way_is_fetched_again() {
    let registry = Registry::start();
    let image = registry.image("elk/base", "1", &PLATFORMS);
    registry.fault(&image.blob_path(0), 1, Fault::Cut(50));
    let kitchen = on_registry(&registry);
    kitchen.run(&["lock"]).success();
    assert!(kitchen.read("recipes/app.lock").contains("\"/etc/app\" = \"nothing\""));
}

#[test]
fn a_root_file_system_may_be_packed_in_any_way() {
    let files = [("etc/", 0o755, ""), ("etc/motd", 0o644, "welcome\n")];
    let tar = tarball(&files);
    let packed =
        [("a.tar", tar.clone()), ("a.tar.gz", gzipped(&tar)), ("a.tar.zst", zstd::encode_all(&tar[..], 1).unwrap())];
    let packed = packed.map(|(name, bytes)| (name, bytes, "gzip"));
    let zstd = ("a.tar.zst", zstd::encode_all(&tar[..], 1).unwrap(), "zstd");
    for (name, bytes, compression) in packed.into_iter().chain([zstd]) {
        let text = recipe(&format!("rootfs:{name}"), &format!("compression = \"{compression}\"\n"));
        let kitchen = Kitchen::new().recipe("app", &text).file(name, bytes);
        let baked = kitchen.baked(&kitchen.write_and_build("images/app/etc/own", "own"), 0);
        assert_eq!(baked.config["rootfs"]["diff_ids"][0], json!(Digest::of(&tar)), "{name}");
        // What is packed already as it should be is taken as it is, and not even copied.
        let packed_anew = name == "a.tar" || name == "a.tar.zst" && compression == "gzip";
        assert_eq!(baked.layers.len(), if packed_anew { 2 } else { 1 }, "{name}");
        assert_eq!(baked.layers[0].contains_key("etc/motd"), packed_anew);
        assert!(baked.manifest["layers"][0]["mediaType"].as_str().unwrap().ends_with(compression), "{name}");
    }
}

impl Kitchen {
    /// Writes a file of the project, and builds the recipe `app`.
    fn write_and_build(&self, path: &str, content: &str) -> serde_json::Value {
        self.write(path, content);
        self.build("app")
    }
}

#[test]
fn a_root_file_system_with_a_missing_parent_is_refused_by_the_entry() {
    let tar = tarball(&[("etc/passwd", 0o644, "root")]);
    let kitchen = Kitchen::new().recipe("app", &recipe("rootfs:a.tar", "")).file("a.tar", &tar);
    let kitchen = kitchen.file("images/app/etc/own", "own");
    let ran = kitchen.run(&["lock"]).code(3).complains("rootfs:a.tar");
    ran.complains("entry `etc/passwd`: the folder /etc, which it is in, does not stand before it");
    assert_eq!(kitchen.stored().keys().map(PathBuf::as_path).collect::<Vec<_>>(), [Path::new("v1/lock")]);
    assert!(!kitchen.has("recipes/app.lock"));
}

/// What an image with one layer says of itself, and how its bytes are called.
fn config(diff_id: Digest) -> Vec<u8> {
    let config = json!({ "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z",
        "config": { "Env": ["A=1"], "Cmd": ["sh"] }, "rootfs": { "type": "layers", "diff_ids": [diff_id] } });
    config.to_string().into_bytes()
}

/// An OCI layout in the project's folder `base`.
fn layout(mut kitchen: Kitchen, layer: &[u8], config: &[u8]) -> Kitchen {
    let at = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len() });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind,
        "config": at("application/vnd.oci.image.config.v1+json", config),
        "layers": [at("application/vnd.oci.image.layer.v1.tar+gzip", layer)] });
    let manifest = manifest.to_string().into_bytes();
    let index = json!({ "schemaVersion": 2, "manifests": [at(kind, &manifest)] });
    for blob in [layer, config, &manifest] {
        kitchen = kitchen.file(&format!("base/blobs/sha256/{}", Digest::of(blob).hex()), blob);
    }
    kitchen.file("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#).file("base/index.json", index.to_string())
}

/// What `docker save` writes; before version 25 each layer had a folder of its own.
fn saved(tar: &[u8], config: &[u8], layer: &str) -> Vec<u8> {
    let name = format!("{}.json", Digest::of(config).hex());
    let manifest = json!([{ "Config": name, "RepoTags": ["elk/base:1"], "Layers": [layer] }]).to_string();
    tarball(&[(layer, 0o644, tar), (&name, 0o644, config), ("manifest.json", 0o644, manifest.as_bytes())])
}

#[test]
fn a_layout_and_what_docker_saved_are_built_on_as_a_registrys_image_is() {
    let packed = rootfs();
    let tar = unpacked("+gzip", &packed);
    let config = config(Digest::of(&tar));
    let blob = format!("blobs/sha256/{}", Digest::of(&tar).hex());
    let on = |from: &str| {
        let text = recipe(from, "[config]\nenv = { B = \"2\" }\n");
        Kitchen::new().recipe("app", &text).file("images/app/bin/tool", "tool").file("images/app/opt/conf", "conf")
    };
    let cases = [
        ("oci", layout(on("oci:base"), &packed, &config)),
        ("saved", on("docker-archive:base.tar").file("base.tar", saved(&tar, &config, "1/layer.tar"))),
        ("saved since 25", on("docker-archive:base.tar").file("base.tar", saved(&tar, &config, &blob))),
    ];
    let mut own = Vec::new();
    for (name, kitchen) in cases {
        kitchen.run(&["lock"]).success();
        let build = kitchen.build("app");
        let baked = kitchen.baked(&build, 0);
        assert_eq!(baked.config["config"]["Env"], json!(["A=1", "B=2"]), "{name}");
        assert_eq!(baked.config["config"]["Cmd"], json!(["sh"]), "{name}");
        assert_eq!(baked.config["created"], "2026-01-02T03:04:05Z", "{name}");
        assert_eq!(baked.config["rootfs"]["diff_ids"][0], json!(Digest::of(&tar)), "{name}");
        let layers = baked.manifest["layers"].as_array().unwrap();
        assert_eq!(layers.len(), 2, "{name}");
        let added = baked.layers.last().unwrap();
        // The base's folders as they are in it, its link followed.
        let names: Vec<_> = added.keys().map(String::as_str).collect();
        assert_eq!(names, ["opt/", "opt/conf", "usr/", "usr/bin/", "usr/bin/tool"], "{name}");
        assert_eq!(added["opt/"].mode, 0o750, "{name}");
        own.push(layers[1].clone());
        // All of it comes out again, the base's files as well.
        kitchen.run(&["build", "app", "--output", "rootfs:root.tar"]).success();
        let root = items(&std::fs::read(kitchen.project().join("root.tar")).unwrap());
        assert_eq!(
            (root["etc/motd"].text(), root["usr/bin/tool"].text()),
            ("f 0644 0:0 welcome".to_owned(), "f 0755 0:0 tool".to_owned()),
            "{name}"
        );
        kitchen.run(&["verify", "--rebuild", "app"]).success();
    }
    assert!(own.iter().all(|layer| *layer == own[0]), "{own:?}");
}

/// 1.1 GiB of zeros, which no root file system of its size unpacks to.
#[test]
fn a_root_file_system_that_swells_is_refused_by_the_entry() {
    let kitchen = Kitchen::new().recipe("app", &recipe("rootfs:bomb.tar.gz", "")).file("bomb.tar.gz", bomb(&gzipped));
    let kitchen = kitchen.file("images/app/etc/own", "own");
    let ran = kitchen.run(&["lock"]).code(3).complains("rootfs:bomb.tar.gz");
    ran.complains("entry `zeros`: with this, it unpacks to more than 100 times its own size, as bombs do");
    assert_eq!(kitchen.stored().keys().map(PathBuf::as_path).collect::<Vec<_>>(), [Path::new("v1/lock")]);
    assert!(!kitchen.has("recipes/app.lock"));
}

#[test]
fn a_base_whose_configuration_lies_is_refused_with_both_digests() {
    let layer = rootfs();
    let lie = Digest::of(b"another tar stream");
    let kitchen = Kitchen::new().recipe("app", &recipe("oci:base", "")).file("images/app/etc/own", "own");
    let kitchen = layout(kitchen, &layer, &config(lie));
    let ran = kitchen.run(&["lock"]).code(3).complains(&lie.to_string()).complains(&Digest::of(&layer).to_string());
    ran.complains("its image's configuration says that it unpacks to");
    assert_eq!(kitchen.stored().keys().map(PathBuf::as_path).collect::<Vec<_>>(), [Path::new("v1/lock")]);
}
