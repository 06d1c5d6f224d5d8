//! `elkbake build`, as a user sees it: what is in the image, what is not done twice, and what is refused.

mod abrupt;
mod bases;
pub(crate) mod host;
mod kibana;
mod layers;
mod logstash;
pub(crate) mod products;
mod refused;
mod shipped;
mod together;

use serde_json::json;

use crate::kitchen::baked::{gzipped, tarball};
use crate::kitchen::project::Kitchen;

/// A recipe of no product on a base, with more lines.
pub(crate) fn recipe(from: &str, more: &str) -> String {
    format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1.0\"\nfrom = \"{from}\"\nplatforms = [\"linux/amd64\"]\n{more}"
    )
}

/// A small root file system.
pub(crate) fn rootfs() -> Vec<u8> {
    gzipped(&tarball(&[
        ("usr/", 0o755, ""),
        ("usr/bin/", 0o755, ""),
        ("usr/bin/sh", 0o755, "shell"),
        ("bin", 0o777, "->usr/bin"),
        ("etc/", 0o755, ""),
        ("etc/motd", 0o644, "welcome\n"),
        ("opt/", 0o750, ""),
    ]))
}

fn on_rootfs(more: &str) -> Kitchen {
    Kitchen::new().recipe("app", &recipe("rootfs:base.tar.gz", more)).file("base.tar.gz", rootfs())
}

#[test]
fn an_image_from_nothing_holds_the_recipes_files_and_says_what_the_recipe_says() {
    let text = recipe(
        "scratch",
        "[config]\nentrypoint = [\"/bin/app\"]\nenv = { A = \"1\" }\nuser = \"1000\"\nports = [\"80/tcp\"]\n\
         annotations = { \"com.example.ticket\" = \"OPS-1\" }\n\
         [files]\n\"etc/app.conf\" = { owner = \"1000:0\", mode = \"0640\" }\n",
    );
    let kitchen =
        Kitchen::new().recipe("app", &text).file("images/app/bin/app", "#!").file("images/app/etc/app.conf", "a = 1");
    let build = kitchen.build("app");
    let baked = kitchen.baked(&build, 0);
    let said: Vec<_> = baked.layers[0].iter().map(|(name, item)| format!("{name} {}", item.text())).collect();
    assert_eq!(
        said,
        ["bin/ d 0755 0:0", "bin/app f 0755 0:0 #!", "etc/ d 0755 0:0", "etc/app.conf f 0640 1000:0 a = 1"]
    );
    assert_eq!(baked.config["config"]["Entrypoint"], json!(["/bin/app"]));
    assert_eq!(baked.config["config"]["User"], "1000");
    assert_eq!(baked.config["architecture"], "amd64");
    assert_eq!(baked.config["created"], "1980-01-01T00:00:01Z");
    let notes = &baked.manifest["annotations"];
    assert_eq!(notes["com.example.ticket"], "OPS-1");
    assert_eq!(notes["elkbake.key"], build["key"]);
    assert_eq!(notes["org.opencontainers.image.version"], "1.0");
    assert_eq!(build["digest"], build["platforms"][0]["manifest"], "one platform needs no index");
}

#[test]
fn what_was_built_is_not_built_again() {
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file("images/app/a", "a");
    kitchen.run(&["build", "app"]).success().says("built in");
    kitchen.run(&["build", "app"]).success().says("was there");
    let before = kitchen.build("app");
    kitchen.write("images/app/a", "b");
    let after = kitchen.build("app");
    assert_ne!(before["digest"], after["digest"]);
    kitchen.write("images/app/a", "a");
    assert_eq!(kitchen.build("app")["digest"], before["digest"]);
}

#[test]
fn several_platforms_are_under_one_index() {
    let text = recipe("scratch", "").replace("\"linux/amd64\"", "\"linux/amd64\", \"linux/arm64\"");
    let kitchen = Kitchen::new().recipe("app", &text).file("images/app/a", "a");
    let build = kitchen.build("app");
    let index: serde_json::Value = serde_json::from_slice(&kitchen.blob(build["digest"].as_str().unwrap())).unwrap();
    let on = |i: usize| index["manifests"][i]["platform"]["architecture"].clone();
    assert_eq!((on(0), on(1)), (json!("amd64"), json!("arm64")));
    assert_eq!(index["annotations"]["elkbake.key"], build["key"]);
    assert_eq!(kitchen.baked(&build, 1).config["architecture"], "arm64");
}

#[test]
fn one_recipe_builds_on_another() {
    let child = recipe("recipe:app", "[config]\nenv = { B = \"2\" }\n");
    let kitchen = on_rootfs("[config]\nenv = { A = \"1\" }\ncmd = [\"sh\"]\n")
        .file("images/app/etc/app", "parent")
        .recipe("child", &child)
        .file("images/child/etc/app", "child")
        .file("images/child/bin/tool", "tool");
    let build = kitchen.build("child");
    let baked = kitchen.baked(&build, 0);
    assert_eq!(baked.config["config"]["Env"], json!(["A=1", "B=2"]));
    assert_eq!(baked.config["config"]["Cmd"], json!(["sh"]));
    assert_eq!(build["platforms"][0]["layers"].as_array().unwrap().len(), 3);
    let own: Vec<_> = baked.layers.last().unwrap().keys().cloned().collect();
    assert_eq!(own, ["etc/", "etc/app", "usr/", "usr/bin/", "usr/bin/tool"]);
    let parent = kitchen.build("app");
    assert_eq!(baked.manifest["annotations"]["org.opencontainers.image.base.digest"], parent["digest"]);
}

#[test]
fn time_and_revision_are_said_where_they_are_given_and_change_the_key() {
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file("images/app/a", "a");
    let plain = kitchen.build("app");
    let kitchen = kitchen.env("SOURCE_DATE_EPOCH", "1700000000");
    let report = kitchen.run(&["build", "app", "--json", "--revision", "abc123"]).success().json();
    let stamped = &report["builds"][0];
    assert_ne!(stamped["tag"], plain["tag"]);
    let baked = kitchen.baked(stamped, 0);
    assert_eq!(baked.config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(baked.manifest["annotations"]["org.opencontainers.image.revision"], "abc123");
    assert_eq!(baked.manifest["layers"], kitchen.baked(&plain, 0).manifest["layers"], "layers know no time");
    kitchen.env("SOURCE_DATE_EPOCH", "yesterday").run(&["build"]).code(2).complains("SOURCE_DATE_EPOCH");
}

#[test]
fn commands_and_hosts_and_secrets_are_refused() {
    let run = "[[run]]\nname = \"setup\"\ncommand = [\"/bin/true\"]\n";
    let told = on_rootfs(run).run(&["build", "app", "--engine", "unix:///nowhere/docker.sock"]).code(6);
    told.complains("recipe app, linux/amd64 run setup: the engine at unix:///nowhere/docker.sock");
    let kitchen = Kitchen::new().recipe("app", &recipe("scratch", "")).file("images/app/key", "AKIAIOSFODNN7EXAMPLA");
    kitchen.run(&["build", "app"]).code(7).complains("images/app/key");
    assert!(
        !kitchen.store().join("v1/index").exists()
            || kitchen.store().join("v1/index").read_dir().unwrap().next().is_none()
    );
}

const HOST: &str =
    "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\n[base]\nname = \"any-*\"\nowner = \"amazon\"\n";

#[test]
fn hosts_without_a_lock_are_left_out_and_nobody_asks_aws_for_them() {
    let kitchen = on_rootfs("").recipe("host", HOST);
    kitchen.run(&["build"]).success().says("app 1.0-");
    for command in [&["verify", "--rebuild", "host"][..], &["inspect", "host"]] {
        kitchen.run(command).code(3).complains("host is the recipe of a host, not of a container image");
    }
    kitchen.run(&["verify", "--rebuild"]).success();
    kitchen.run(&["inspect"]).success();
    assert!(!kitchen.has("recipes/host.lock"));
}

#[test]
fn where_it_was_written_is_told_as_inspect_takes_it() {
    let kitchen = on_rootfs("").file("images/app/etc/new", "new\n");
    let args = ["build", "app", "--output", "oci:out", "--output", "docker-archive:app.tar"];
    let ran = kitchen.run(&args).success().says("  linux/amd64  1 layer of the base, 1 of its own: ");
    let written = ran.stdout.lines().filter_map(|line| line.strip_prefix("  written to ")).collect::<Vec<_>>();
    assert_eq!((written.len(), written[1]), (2, "docker-archive:app.tar"));
    assert!(written[0].starts_with("oci:out:1.0-"), "{}", ran.stdout);
    assert!(ran.stderr.contains("begin oci:out (") && ran.stderr.contains("end oci:out ("), "{}", ran.stderr);
    for place in &written {
        kitchen.run(&["inspect", place]).success().says(place);
    }
    // Of what was built here, more is known than it says itself.
    let ran = kitchen.run(&["inspect", written[0]]).success().says("  files  1 file of 4 B").says("  base  ");
    assert!(ran.stdout.contains("/etc/new") && !ran.stdout.contains("elkbake: files"), "{}", ran.stdout);
    let document = kitchen.run(&[&args[..], &["--json"]].concat()).success().json();
    assert_eq!(document["builds"][0]["outputs"], json!(written));
    // From another folder the places are counted from there.
    let folder = kitchen.project().join("images");
    kitchen
        .run_in(&folder, &["build", "app", "--output", "rootfs:root.tar"])
        .success()
        .says("written to rootfs:root.tar");
    assert!(folder.join("root.tar").is_file());
}

#[test]
fn a_platform_that_the_recipe_has_not_is_told_before_anything_is_built() {
    let kitchen = on_rootfs("");
    kitchen.run(&["lock"]).success();
    let ran = kitchen.run(&["build", "app", "--output", "oci:out", "--platform", "linux/arm64"]).code(3);
    ran.complains("recipe app makes no image for linux/arm64: its `platforms` are linux/amd64").complains("hint: ");
    kitchen.run(&["inspect", "app"]).code(3).complains("app is not built");
}

#[test]
fn a_place_that_cannot_be_written_is_told_before_anything_is_built() {
    let kitchen = on_rootfs("").file("full/of/things", "").file("a-file", "");
    kitchen.run(&["lock"]).success();
    for (place, why) in [
        ("oci:full", "this folder is no OCI layout"),
        ("oci:a-file", "there is a file where"),
        ("rootfs:root.zip", "ends in .tar, .tar.gz"),
        ("rootfs:none/root.tar", "none/root.tar: there is no such folder; make it"),
        ("docker-archive:full", "no regular file"),
    ] {
        kitchen.run(&["build", "app", "--output", place]).code(3).complains(why);
        kitchen.run(&["inspect", "app"]).code(3).complains("app is not built");
    }
}
