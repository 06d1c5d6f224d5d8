//! `elkbake inspect`, as a user sees it.

use std::time::SystemTime;

use elkbake::bake::built::Built;
use elkbake::digest::Digest;
use elkbake::plan::LayerKind;
use elkbake::product::PluginFacts;
use elkbake::store::Store;

use crate::kitchen::built::{self, Bakery, Packed, Tarball};
use crate::kitchen::project::{Kitchen, golden};
use crate::kitchen::registry::Registry;
use crate::output::write;

const RECIPE: &str = "kind = \"image\"\nproduct = \"generic\"\nversion = \"8.19.3\"\nfrom = \"scratch\"\nrepository = \"elk/es\"\nplatforms = [\"linux/amd64\"]\n";

/// A text without digests, which change with every format.
pub fn masked(text: &str) -> String {
    let mut masked = String::new();
    for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_digest = [12, 64].contains(&digits.len()) && digits.bytes().all(|c| c.is_ascii_hexdigit());
        masked += &if is_digest { word.replace(digits, "DIGEST") } else { word.to_owned() };
    }
    masked
}

/// A layer as a bake leaves it, with its listing.
fn listed(store: &Store, what: LayerKind, files: &[(&str, usize)]) -> elkbake::bake::built::BuiltLayer {
    let tarball = files.iter().fold(Tarball::new(), |tarball, (path, size)| tarball.file(path, &vec![b'x'; *size]));
    let mut layer = built::layer(store, what, tarball, Packed::Plain);
    let mut text = "elkbake listing 1\n".to_owned();
    for (path, size) in files {
        text += &format!("f\t0644\t1000:0\t/{path}\t{size}\t{}\n", Digest::of(&vec![b'x'; *size]).hex());
    }
    layer.listing = Some(store.put(&mut text.as_bytes(), None).unwrap().0);
    layer
}

/// A bake: a base that nobody has looked into, a plugin and files.
fn bake(store: &Store, key: Digest) -> Built {
    let base = built::layer(store, LayerKind::Base, Tarball::new().file("etc/os", b"base"), Packed::Plain);
    let plugin = [("usr/share/es/plugins/icu/icu.jar", 30_000), ("usr/share/es/plugins/icu/NOTICE", 20)];
    let plugin = listed(store, LayerKind::Plugin("analysis-icu".to_owned()), &plugin);
    let files = listed(store, LayerKind::Files, &[("usr/share/es/plugins/icu/NOTICE", 5_000), ("etc/motd", 7)]);
    let mut built = built::image(store, key, &[("linux/amd64", vec![base, plugin, files])]);
    built.platforms[0].plugins = vec![PluginFacts {
        name: "analysis-icu".to_owned(),
        version: "8.19.3".to_owned(),
        permissions: vec!["java.net.SocketPermission * connect".to_owned()],
        extends: vec!["lang-painless".to_owned()],
    }];
    built
}

/// A project with a recipe that was built.
fn built_recipe() -> Kitchen {
    let kitchen = Kitchen::new().recipe("es", RECIPE);
    let plan = kitchen.run(&["plan", "es", "--json"]).success().json();
    let key: Digest = plan["plans"][0]["key"].as_str().unwrap().parse().unwrap();
    let store = Store::open(&kitchen.store(), SystemTime::UNIX_EPOCH).unwrap();
    store.keep(&key, &bake(&store, key), &[]).unwrap();
    kitchen
}

#[test]
fn what_was_built_of_a_recipe_is_shown_for_people_and_for_programs() {
    let kitchen = built_recipe();
    golden("inspect.txt", &masked(&kitchen.run(&["inspect", "es"]).success().stdout));
    golden("inspect.json", &masked(&kitchen.run(&["inspect", "--json"]).success().stdout));
}

#[test]
fn a_recipe_that_is_not_built_as_it_is_now_says_so() {
    let kitchen = Kitchen::new().recipe("es", RECIPE);
    kitchen.run(&["inspect", "es"]).code(3).complains("it has no lock yet").complains("`elkbake build es`");
    assert!(!kitchen.has("recipes/es.lock") && !kitchen.store().exists(), "who only looks makes nothing");
    kitchen.run(&["lock"]).success();
    kitchen.run(&["inspect", "es"]).code(3).complains("es is not built").complains("`elkbake build es`");
    let kitchen = built_recipe();
    kitchen.run(&["inspect", "es"]).success();
    kitchen.write("images/es/etc/new", "new\n");
    kitchen
        .run(&["inspect", "es"])
        .code(3)
        .complains("the store has nothing under sha256:")
        .complains("`elkbake build es`");
    kitchen.run(&["inspect", "kibana"]).code(3).complains("there is no recipe kibana");
}

#[test]
fn layouts_and_archives_are_looked_into_wherever_they_lie() {
    let kitchen = Kitchen::new();
    let bakery = Bakery::new();
    let base = |text: &[u8]| vec![bakery.layer(LayerKind::Base, Tarball::new().file("x", text), Packed::Gzip)];
    let both = bakery.image(&[("linux/amd64", base(b"amd")), ("linux/arm64", base(b"arm"))]);
    let one = bakery.image(&[("linux/amd64", base(b"one"))]);
    write(&bakery, &both, "8.1", "oci:layout").unwrap();
    let layout = format!("oci:{}", bakery.path("layout").display());
    let only = kitchen.run(&["inspect", &layout, "--json"]).success().json();
    assert_eq!(only["images"][0]["digest"], both.index.unwrap().digest.to_string());
    let platforms: Vec<_> =
        only["images"][0]["images"].as_array().unwrap().iter().map(|image| image["platform"].clone()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let arm = kitchen.run(&["inspect", &layout, "--platform", "linux/arm64"]).success().says("linux/arm64");
    assert!(!arm.stdout.contains("linux/amd64") && !arm.stdout.contains('\u{1b}'), "{}", arm.stdout);
    kitchen.run(&["inspect", &layout, "--platform", "linux/s390x"]).code(3).complains("linux/amd64, linux/arm64");

    write(&bakery, &one, "8.2", "oci:layout").unwrap();
    kitchen.run(&["inspect", &layout]).code(3).complains(":TAG`; it has 8.1, 8.2");
    kitchen.run(&["inspect", &format!("{layout}:8.3")]).code(3).complains("no image `8.3`");
    kitchen.run(&["inspect", &format!("{layout}:8.2")]).success().says("9200/tcp").says("ADD rootfs");
    kitchen.run(&["inspect", "oci:nowhere"]).code(3).complains("nowhere/index.json");

    write(&bakery, &one, "8.2", "docker-archive:es.tar").unwrap();
    let archive = format!("docker-archive:{}", bakery.path("es.tar").display());
    let layers = |from: &str| {
        let document = kitchen.run(&["inspect", from, "--json"]).success().json();
        let image = document["images"][0]["images"][0].clone();
        (image["layers"].clone(), image["config"].clone())
    };
    assert_eq!(layers(&archive), layers(&format!("{layout}:8.2")));
    std::fs::write(bakery.path("es.tar"), "no tar").unwrap();
    kitchen.run(&["inspect", &archive]).code(3).complains("no tarball as `docker save` writes it");
}

#[test]
fn a_layout_with_a_wrong_blob_is_refused_by_its_name() {
    let kitchen = Kitchen::new();
    let bakery = Bakery::new();
    let one = bakery
        .image(&[("linux/amd64", vec![bakery.layer(LayerKind::Base, Tarball::new().file("x", b"x"), Packed::Gzip)])]);
    write(&bakery, &one, "1", "oci:layout").unwrap();
    let layout = format!("oci:{}", bakery.path("layout").display());
    let config = one.platforms[0].config.digest.hex();
    std::fs::write(bakery.path("layout/blobs/sha256").join(&config), "{}").unwrap();
    kitchen.run(&["inspect", &layout]).code(3).complains(&config).complains("expected sha256:");
}

#[test]
fn an_image_of_a_registry_is_looked_at_without_its_layers() {
    let registry = Registry::start();
    let image = registry.image("elastic/es", "8.19.3", &["linux/amd64", "linux/arm64"]);
    let kitchen = Kitchen::new();
    let reference = registry.reference("elastic/es:8.19.3").to_string();
    let document = kitchen.run(&["inspect", &reference, "--json"]).success().json();
    assert_eq!(document["images"][0]["digest"], image.digest.to_string());
    let first = &document["images"][0]["images"][0];
    assert_eq!(first["manifest"], image.manifests[0].to_string());
    assert_eq!(first["layers"][0]["created_by"], "kitchen");
    assert_eq!((&first["complete"], &first["layers"][0]["files"]), (&false.into(), &serde_json::Value::Null));
    assert!(registry.requests_to(&image.blob_path(0)).is_empty());
    kitchen.run(&["inspect", &reference, "--platform", "linux/arm64"]).success().says("linux/arm64");
    kitchen.run(&["inspect", &registry.reference("elastic/es:none").to_string()]).code(4).complains("not found");
    kitchen.run(&["inspect", &reference, "--offline"]).code(3).complains("--offline");
}

#[test]
fn files_are_read_where_they_are_asked_for_and_remembered() {
    let registry = Registry::start();
    let image = registry.image("elastic/es", "8.19.3", &["linux/amd64"]);
    let reference = registry.reference("elastic/es:8.19.3").to_string();
    let kitchen = Kitchen::new();
    let ran = kitchen.run(&["inspect", &reference, "--files"]).success().says("/etc/kitchen").says("  1 file of ");
    assert!(!ran.stdout.contains("--files reads"), "{}", ran.stdout);
    assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 1);
    // Once read, what a layer holds is known, also without being asked for.
    kitchen.run(&["inspect", &reference]).success().says("/etc/kitchen");
    assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 1);

    let bakery = Bakery::new();
    let layers = vec![
        bakery.layer(LayerKind::Base, Tarball::new().folder("a").file("a/big", &[7; 9000]), Packed::Zstd),
        bakery.layer(LayerKind::Files, Tarball::new().file("a/.wh.big", b"").file("a/small", b"7"), Packed::Gzip),
    ];
    let built = bakery.image(&[("linux/amd64", layers)]);
    write(&bakery, &built, "1", "oci:layout").unwrap();
    write(&bakery, &built, "1", "docker-archive:es.tar").unwrap();
    for from in ["oci:layout:1", "docker-archive:es.tar"] {
        let kitchen = Kitchen::new();
        let args = ["inspect", from, "--files", "--json"];
        let ran = kitchen.run_in(bakery.folder.path(), &args).success().json();
        let image = &ran["images"][0]["images"][0];
        assert_eq!(image["biggest"].as_array().unwrap().len(), 1, "what is removed is not seen: {image}");
        assert_eq!(
            (image["layers"][0]["files"].as_u64(), image["layers"][0]["content"].as_u64()),
            (Some(1), Some(9000))
        );
    }
}

#[test]
fn the_base_of_what_was_built_is_fetched_only_when_its_files_are_asked_for() {
    let registry = Registry::start();
    let image = registry.image("elastic/es", "8.19.3", &["linux/amd64"]);
    let recipe = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{}\"\nplatforms = [\"linux/amd64\"]\n",
        registry.reference("elastic/es:8.19.3")
    );
    let kitchen = Kitchen::new()
        .recipe("app", &recipe)
        .recipe("child", &recipe.replace(&registry.reference("elastic/es:8.19.3").to_string(), "recipe:app"));
    kitchen.run(&["build", "child"]).success();
    kitchen.run(&["inspect", "child"]).success().says("base: kitchen");
    assert!(registry.requests_to(&image.blob_path(0)).is_empty());
    kitchen.run(&["inspect", "child", "--files", "--offline"]).code(3).complains("--offline");
    kitchen.run(&["inspect", "child", "--files"]).success().says("/etc/kitchen");
    assert_eq!(registry.requests_to(&image.blob_path(0)).len(), 1);
}
