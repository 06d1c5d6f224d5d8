//! `elkbake diff`, as a user sees it.

use elkbake::bake::built::Built;
use elkbake::plan::LayerKind;

use crate::inspect::masked;
use crate::kitchen::built::{Bakery, Packed, Tarball};
use crate::kitchen::project::{Kitchen, golden};
use crate::kitchen::registry::Registry;
use crate::output::write;

fn base(bakery: &Bakery) -> elkbake::bake::built::BuiltLayer {
    let tarball = Tarball::new()
        .folder("etc")
        .file("etc/same", b"same")
        .file("etc/changed", b"one")
        .file("etc/gone", b"gone")
        .file("etc/kind", b"a file")
        .link("etc/link", "same")
        .device("etc/null", 1, 3);
    bakery.layer(LayerKind::Base, tarball, Packed::Gzip)
}

/// Two images on one base, as layouts.
fn pair() -> (Bakery, Kitchen) {
    let bakery = Bakery::new();
    let one = bakery.image(&[("linux/amd64", vec![base(&bakery)])]);
    let own = Tarball::new()
        .file("etc/changed", b"two and more")
        .file("etc/.wh.gone", b"")
        .link("etc/kind", "same")
        .link("etc/link", "changed")
        .file("etc/.wh.null", b"")
        .file("etc/new", &[7; 1500]);
    let two = bakery.image(&[("linux/amd64", vec![base(&bakery), bakery.layer(LayerKind::Files, own, Packed::Zstd)])]);
    put(&bakery, &one, "1");
    put(&bakery, &two, "2");
    (bakery, Kitchen::new())
}

fn put(bakery: &Bakery, built: &Built, tag: &str) {
    write(bakery, built, tag, "oci:l").unwrap();
}

fn lock(pin: &str) -> String {
    format!("format = 1\n\n[base]\nfrom = \"es:8\"\ndigest = \"{}\"\n", elkbake::digest::Digest::of(pin.as_bytes()))
}

#[test]
fn files_and_settings_that_differ_are_shown_for_people_and_for_programs() {
    let (bakery, kitchen) = pair();
    let run = |args: &[&str]| kitchen.run_in(bakery.folder.path(), args).success();
    golden("diff.txt", &masked(&run(&["diff", "oci:l:1", "oci:l:2"]).stdout));
    golden("diff.json", &masked(&run(&["diff", "oci:l:1", "oci:l:2", "--json"]).stdout));
    let back = run(&["diff", "oci:l:2", "oci:l:1", "--json"]).json();
    let there = run(&["diff", "oci:l:1", "oci:l:2", "--json"]).json();
    let files = |document: &serde_json::Value| document["platforms"][0]["files"].as_array().unwrap().len();
    assert_eq!((files(&back), files(&there)), (6, 6));
}

#[test]
fn the_exit_code_tells_only_when_it_is_asked_to() {
    let (bakery, kitchen) = pair();
    let run = |args: &[&str]| kitchen.run_in(bakery.folder.path(), args);
    run(&["diff", "oci:l:1", "oci:l:1", "--exit-code"]).success().says("the same");
    run(&["diff", "oci:l:1", "oci:l:2"]).success();
    run(&["diff", "oci:l:1", "oci:l:2", "--exit-code"]).code(1);
    run(&["diff", "oci:l:1", "oci:l:3"]).code(3).complains("no image `3`");
    let digest = run(&["inspect", "oci:l:2", "--json"]).success().json()["images"][0]["digest"].clone();
    let by_digest = format!("oci:l@{}", digest.as_str().unwrap());
    run(&["diff", "oci:l:2", &by_digest, "--exit-code"]).success().says("the same");
    let none = format!("oci:l@{}", elkbake::digest::Digest::of(b"none"));
    run(&["diff", "oci:l:1", &none]).code(3).complains("it has no image sha256:");
}

#[test]
fn an_archive_is_the_same_as_the_layout_it_was_made_with() {
    let (bakery, kitchen) = pair();
    let one = bakery.image(&[("linux/amd64", vec![base(&bakery)])]);
    write(&bakery, &one, "1", "docker-archive:es.tar").unwrap();
    let run = |args: &[&str]| kitchen.run_in(bakery.folder.path(), args).success();
    run(&["diff", "oci:l:1", "docker-archive:es.tar", "--exit-code"]).says("  the same\n");
    run(&["diff", "docker-archive:es.tar", "oci:l:2"]).says("/etc/new");
}

#[test]
fn locks_are_compared_by_their_pins() {
    let kitchen = Kitchen::new().file("a.lock", lock("a")).file("b.lock", lock("b"));
    kitchen.run(&["diff", "a.lock", "a.lock", "--exit-code"]).success().says("have the same pins");
    kitchen.run(&["diff", "a.lock", "b.lock", "--exit-code"]).code(1).says("base: es:8 sha256:");
    let document = kitchen.run(&["diff", "a.lock", "b.lock", "--json"]).success().json();
    assert_eq!((&document["same"], &document["moved"][0]["input"]), (&false.into(), &"base".into()));
    kitchen.run(&["diff", "a.lock", "es"]).code(2).complains("compared with a lock only");
    kitchen.run(&["diff", "a.lock", "none.lock"]).code(3).complains("none.lock");
    kitchen.write("b.lock", "format = 9\n");
    kitchen.run(&["diff", "a.lock", "b.lock"]).code(3).complains("b.lock:1:10");
}

#[test]
fn two_recipes_are_compared_as_they_are_built() {
    let registry = Registry::start();
    let image = registry.image("elastic/es", "8.19.3", &["linux/amd64", "linux/arm64"]);
    let from = registry.reference("elastic/es:8.19.3").to_string();
    let recipe = |config: &str, platforms: &str| {
        format!(
            "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\nplatforms = [{platforms}]\n[config]\n{config}\n"
        )
    };
    let both = "\"linux/amd64\", \"linux/arm64\"";
    let kitchen = Kitchen::new()
        .recipe("one", &recipe("user = \"1000\"\nports = [\"9200/tcp\"]", both))
        .recipe("two", &recipe("user = \"0\"\nenv.NEW = \"value\"", both))
        .recipe("arm", &recipe("", "\"linux/arm64\""))
        .file("images/two/etc/motd", "hello\n");
    kitchen.run(&["diff", "one", "two"]).code(3).complains("`elkbake build one`");
    kitchen.run(&["build"]).success();
    let ran = kitchen.run(&["diff", "one", "two"]).success();
    let ran = ran.says("user: 1000 -> 0").says("env NEW: new, value").says("port 9200/tcp: gone\n").says("/etc/motd");
    assert!(!ran.stdout.contains("/etc/kitchen"), "{}", ran.stdout);
    assert!(ran.stdout.contains("linux/amd64\n") && ran.stdout.contains("linux/arm64\n"), "{}", ran.stdout);
    let arm = kitchen.run(&["diff", "one", "two", "--platform", "linux/arm64"]).success();
    assert!(!arm.stdout.contains("linux/amd64"), "{}", arm.stdout);
    kitchen.run(&["diff", "one", "arm"]).success().says("linux/amd64 is in one alone");
    // A lone platform is compared with whatever the other lone one is.
    let reference = registry.reference("elastic/es:8.19.3").to_string();
    let args = ["diff", &reference, "arm", "--platform", "linux/arm64", "--json"];
    let document = kitchen.run(&args).success().json();
    assert_eq!(document["platforms"][0]["plugins"], serde_json::Value::Null, "nobody knows a foreign image's");
    assert!(registry.requests_to(&image.blob_path(1)).len() <= 1, "a layer is read once");
}

#[test]
fn platforms_that_have_nothing_in_common_are_told() {
    let bakery = Bakery::new();
    let image = |platforms: [&'static str; 2]| bakery.image(&platforms.map(|platform| (platform, vec![base(&bakery)])));
    put(&bakery, &image(["linux/amd64", "linux/arm64"]), "1");
    put(&bakery, &image(["linux/s390x", "linux/ppc64le"]), "2");
    let kitchen = Kitchen::new();
    let ran = kitchen.run_in(bakery.folder.path(), &["diff", "oci:l:1", "oci:l:2"]).code(3);
    ran.complains("linux/amd64, linux/arm64").complains("linux/s390x, linux/ppc64le");
    put(&bakery, &bakery.image(&[("linux/arm64", vec![base(&bakery)])]), "3");
    put(&bakery, &bakery.image(&[("linux/amd64", vec![base(&bakery)])]), "4");
    let ran = kitchen.run_in(bakery.folder.path(), &["diff", "oci:l:3", "oci:l:4"]).success();
    ran.says("linux/arm64 -> linux/amd64").says("0 added, 0 removed, 0 changed");
}

#[test]
fn what_was_built_before_is_named_by_its_digest() {
    let registry = Registry::start();
    let image = registry.image("elastic/es", "8.19.3", &["linux/amd64", "linux/arm64"]);
    let recipe = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{}\"\nplatforms = [\"linux/amd64\", \"linux/arm64\"]\n",
        registry.reference("elastic/es:8.19.3")
    );
    let kitchen = Kitchen::new().recipe("es", &recipe).file("images/es/etc/motd", "hello\n");
    let before = kitchen.build("es");
    kitchen.write("images/es/etc/motd", "hello again\n");
    let digest = before["digest"].as_str().unwrap();
    kitchen.run(&["diff", digest, "es"]).code(3).complains("`elkbake build es`");
    kitchen.build("es");
    let ran = kitchen.run(&["diff", digest, "es"]).success().says("/etc/motd: was 6 B").says("linux/arm64");
    assert!(!ran.stdout.contains("/etc/kitchen"), "{}", ran.stdout);
    assert!(registry.requests_to(&image.blob_path(0)).len() <= 1, "its base comes from where it is named");
    kitchen.run(&["inspect", digest]).success().says("files  1 file of 6 B").says("base: kitchen");
    let arm = before["platforms"][1]["manifest"].as_str().unwrap();
    let ran = kitchen.run(&["inspect", arm]).success().says("linux/arm64\n");
    assert!(!ran.stdout.contains("linux/amd64"), "{}", ran.stdout);
    let config = before["platforms"][1]["config"].as_str().unwrap();
    for other in [config, &elkbake::digest::Digest::of(b"other").to_string()] {
        kitchen.run(&["inspect", other]).code(3).complains("is no image that was built here").complains("REPOSITORY@");
    }
}
