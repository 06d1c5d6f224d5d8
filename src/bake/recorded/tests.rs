use std::path::Path;
use std::time::SystemTime;

use serde_json::json;

use super::*;
use crate::bake::built::BuiltLayer;
use crate::bake::found::FoundLayer;
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::local::Local;
use crate::lock::{self, Lock};
use crate::plan::{LayerKind, Plan, Stamps};
use crate::recipe::{self, Recipe};
use crate::text::Document;
use crate::tree::Tree;

const RECIPE: &str = r#"
kind = "image"
product = "elasticsearch"
version = "8.19.3"
from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"
platforms = ["linux/amd64", "linux/arm64"]

[[plugin]]
name = "only-arm"
url = "https://example.com/arm.zip"
platforms = ["linux/arm64"]

[[plugin]]
name = "discovery-ec2"

[[archive]]
name = "agent"
url = "https://example.com/agent.tar.gz"
into = "/opt/agent"
platforms = ["linux/amd64"]

[runtime]
memory = 4096
"#;

fn sha(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn lock() -> Document<Lock> {
    let platform = |name: &str| {
        let manifest = sha(name);
        format!("[[base.platform]]\nname = \"linux/{name}\"\nmanifest = \"{manifest}\"\nproduct_version = \"8.19.3\"\n")
    };
    let file = |kind: &str, name: &str, want: &str, more: &str| {
        format!("[[{kind}]]\nname = \"{name}\"\nwant = \"{want}\"\nsha256 = \"{}\"\nsize = 7\n{more}", sha(name))
    };
    let text = [
        format!(
            "format = 1\n[base]\nfrom = \"docker.elastic.co/elasticsearch/elasticsearch:8.19.3\"\ndigest = \"{}\"\n",
            sha("base")
        ),
        platform("amd64"),
        platform("arm64"),
        file("plugin", "only-arm", "https://example.com/arm.zip", "platform = \"linux/arm64\"\n"),
        file("plugin", "discovery-ec2", "elasticsearch:discovery-ec2 8.19.3", ""),
        file("archive", "agent", "https://example.com/agent.tar.gz", "platform = \"linux/amd64\"\n"),
    ];
    lock::parse(Path::new("recipes/es.lock"), &text.concat()).unwrap_or_else(|error| panic!("{error}"))
}

fn descriptor(text: &str, size: u64) -> Descriptor {
    Descriptor { media_type: "a/b".to_owned(), digest: sha(text), size }
}

fn facts(name: &str, permissions: &[&str]) -> PluginFacts {
    let permissions = permissions.iter().map(|&text| text.to_owned()).collect();
    PluginFacts { name: name.to_owned(), version: "8.19.3".to_owned(), permissions, extends: Vec::new() }
}

fn image(store: &Store, platform: &str, created: &str, plugins: Vec<PluginFacts>) -> BuiltImage {
    let config = json!({
        "architecture": platform.split('/').nth(1), "os": "linux", "created": created,
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    let (digest, size) = store.put(&mut config.to_string().as_bytes(), None).unwrap();
    let layer = |size| BuiltLayer {
        what: LayerKind::Files,
        descriptor: descriptor("layer", size),
        diff_id: sha("tar"),
        listing: None,
    };
    BuiltImage {
        platform: platform.parse().unwrap(),
        manifest: descriptor(platform, 9),
        config: Descriptor { media_type: "c/d".to_owned(), digest, size },
        layers: vec![layer(100), layer(23)],
        plugins,
    }
}

/// The order for the recipe above.
fn ordered<T>(act: impl FnOnce(&Order<'_>) -> T) -> T {
    let recipe = recipe::parse(Path::new("recipes/es.toml"), RECIPE).unwrap_or_else(|error| panic!("{error}"));
    let (lock, local, stamps) = (lock(), Local::default(), Stamps::default());
    let plan = Plan::new(&"es".parse().unwrap(), &recipe, &lock, &Tree::default(), None).unwrap();
    let Recipe::Image(said) = &recipe.value else { panic!("an image was read as a host") };
    act(&Order {
        plan: &plan,
        recipe: &recipe,
        image: said,
        lock: &lock.value,
        local: &local,
        parent: None,
        stamps: &stamps,
    })
}

fn occasion() -> Occasion<'static> {
    Occasion {
        source: Some(SourceRevision { revision: "abc".to_owned(), dirty: true }),
        elkbake: "0.1.0",
        pushed_at: Moment::from_epoch(1_700_000_000),
    }
}

const CREATED: [(&str, &str); 2] = [("linux/amd64", "2026-01-01T00:00:00Z"), ("linux/arm64", "2026-01-02T00:00:00Z")];

/// The record of it, as it would be built, published in a place.
fn record(published: Published<'_>) -> Record {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), SystemTime::UNIX_EPOCH).unwrap();
    let everywhere = facts("discovery-ec2", &["outbound_network"]);
    let plugins = [vec![everywhere.clone()], vec![facts("arm", &[]), everywhere]];
    let platforms = CREATED.iter().zip(plugins).map(|((name, created), plugins)| image(&store, name, created, plugins));
    let platforms = platforms.collect();
    ordered(|order| {
        let built = Built { key: order.plan.key(), index: Some(descriptor("index", 5)), platforms };
        recorded(order, &built, published, &occasion(), &store).unwrap().unwrap()
    })
}

/// The same image as a registry has it.
fn as_found(key: Digest) -> Found {
    let on = |(name, created): &(&str, &str)| {
        let config = json!({
            "architecture": name.split('/').nth(1), "os": "linux", "created": created,
            "rootfs": { "type": "layers", "diff_ids": [] },
        });
        let config = oci::config(config.to_string().as_bytes()).unwrap();
        let layer = |size| FoundLayer {
            what: None,
            created_by: None,
            descriptor: descriptor("layer", size),
            diff_id: sha("tar"),
            listing: None,
        };
        FoundImage {
            platform: config.platform(),
            manifest: Some(sha(name)),
            config_digest: sha("config"),
            config,
            annotations: BTreeMap::from([(KEY.to_owned(), key.to_string())]),
            layers: vec![layer(100), layer(23)],
            plugins: Vec::new(),
        }
    };
    Found { digest: Some(sha("index")), images: CREATED.iter().map(on).collect() }
}

#[test]
fn what_is_found_is_recorded_as_it_was_built_or_not_at_all() {
    let reference: Reference = "registry.example.com/elk/es:some-tag".parse().unwrap();
    let place = || Published::Repository(&reference);
    let before = record(place());
    ordered(|order| {
        let whole = as_found(order.plan.key());
        let of = |image: &Found, known: &[RecordedFile]| found(order, image, known, place(), &occasion());
        assert_eq!(of(&whole, &before.plugins).as_ref(), Some(&before));
        assert!(of(&whole, &before.plugins[..1]).is_none(), "nobody knows what the other plugin may do");
        assert!(of(&as_found(sha("another key")), &before.plugins).is_none());
        let one = Found { images: whole.images[..1].to_vec(), ..whole.clone() };
        assert!(of(&one, &before.plugins).is_none(), "a platform is missing");
        let twice = Found { images: vec![whole.images[0].clone(); 2], ..whole.clone() };
        assert!(of(&twice, &before.plugins).is_none());
        let inner = Found { digest: whole.images[0].manifest, ..whole };
        assert!(of(&inner, &before.plugins).is_none(), "the tag is on one of the platforms");
    });
}

#[test]
fn all_that_is_known_of_an_image_is_recorded() {
    let reference: Reference = "registry.example.com/elk/es:some-tag".parse().unwrap();
    let record = serde_json::to_value(record(Published::Repository(&reference))).unwrap();
    let index = sha("index");
    assert_eq!(record["reference"], format!("registry.example.com/elk/es@{index}"));
    assert_eq!((&record["digest"], &record["product"]), (&json!(index), &json!("elasticsearch")));
    assert_eq!(record["tag"], format!("8.19.3-{}", &record["key"].as_str().unwrap()["sha256:".len()..][..12]));
    assert_eq!(
        record["platforms"],
        json!([
            { "name": "linux/amd64", "digest": sha("linux/amd64"), "size": 123 },
            { "name": "linux/arm64", "digest": sha("linux/arm64"), "size": 123 },
        ])
    );
    let from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3";
    assert_eq!(record["base"], json!({ "name": from, "digest": sha("base") }));
    assert_eq!(
        record["plugins"],
        json!([
            { "name": "only-arm", "version": "8.19.3", "platform": "linux/arm64", "digest": sha("only-arm") },
            {
                "name": "discovery-ec2", "version": "8.19.3", "digest": sha("discovery-ec2"),
                "permissions": ["outbound_network"],
            },
        ])
    );
    assert_eq!(record["archives"], json!([{ "name": "agent", "platform": "linux/amd64", "digest": sha("agent") }]));
    assert_eq!(record["needs"]["memory"], 4096);
    assert!(record["inputs"].as_object().unwrap().contains_key("lock plugin discovery-ec2"), "{}", record["inputs"]);
    assert_eq!(record["source"], json!({ "revision": "abc", "dirty": true }));
    assert_eq!(
        (&record["created"], &record["pushed_at"]),
        (&json!("2026-01-02T00:00:00Z"), &json!("2023-11-14T22:13:20Z"))
    );
}

#[test]
fn where_it_is_depends_on_the_target() {
    let (first, second) = ("a.example/elk/es".parse().unwrap(), "b.example/elk/es".parse().unwrap());
    let regions = [("eu-west-1".parse().unwrap(), first), ("eu-central-1".parse().unwrap(), second)];
    let ecr = record(Published::Regions(&regions));
    let index = sha("index");
    assert_eq!(ecr.reference.unwrap().to_string(), format!("a.example/elk/es@{index}"));
    let places: Vec<_> = ecr.regions.values().map(ToString::to_string).collect();
    assert_eq!(places, [format!("b.example/elk/es@{index}"), format!("a.example/elk/es@{index}")]);
    let folder = "out/elk/es".parse().unwrap();
    let layout = record(Published::Layout(&folder));
    assert_eq!((layout.layout, layout.reference, layout.regions.len()), (Some(folder), None, 0));
}
