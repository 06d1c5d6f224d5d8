use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const SAMPLE: &str = include_str!("../../tests/golden/manifest-1.json");

fn read(text: &str) -> Result<Manifest, String> {
    parse(Path::new("bake-manifest.json"), text.as_bytes()).map_err(|error| error.to_string())
}

fn write(manifest: &Manifest) -> String {
    manifest.to_text(Path::new("bake-manifest.json")).unwrap()
}

pub(super) fn name(name: &str) -> RecipeName {
    name.parse().unwrap()
}

/// A record with little in it.
pub(super) fn plain(tag: &str, pushed_at: &str) -> Record {
    let digest = Digest::of(tag.as_bytes());
    let text = json!({
        "kind": "image", "tag": tag, "key": digest, "version": "1", "elkbake": "0.1.0", "digest": digest,
        "created": "2026-01-01T00:00:00Z", "pushed_at": pushed_at,
    });
    serde_json::from_value(text).unwrap()
}

pub(super) fn unfinished(tag: &str, at: &str) -> Unfinished {
    let digest = Digest::of(tag.as_bytes());
    let text = json!({ "tag": tag, "digest": digest, "regions": [], "missing": { "eu-west-1": "down" }, "at": at });
    serde_json::from_value(text).unwrap()
}

#[test]
fn a_manifest_that_nobody_would_read_is_not_written() {
    let mut manifest = Manifest::new("prod");
    let mut record = plain("1-a", "2026-01-01T00:00:00Z");
    record.elkbake = "x".repeat(LONGEST_MANIFEST);
    manifest.publish(&name("es"), &record);
    let error = manifest.to_text(Path::new("m.json")).unwrap_err().to_string();
    assert!(error.starts_with("m.json would have 6710") && error.contains("a target of their own"), "{error}");
}

#[test]
fn a_manifest_of_format_1_is_read_for_ever() {
    let manifest = read(SAMPLE).unwrap();
    assert_eq!(write(&manifest), SAMPLE);
    let es = &manifest.recipes[&"elasticsearch".parse().unwrap()];
    assert_eq!(es.current.needs.memory, Some(4096));
    assert_eq!(es.history.len(), 1);
}

#[test]
fn the_schema_takes_what_the_reader_takes() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let sample: Value = serde_json::from_str(SAMPLE).unwrap();
    if let Err(error) = validator.validate(&sample) {
        panic!("{error}");
    }
    let mut wrong = sample.clone();
    wrong["recipes"]["elasticsearch"]["current"]["colour"] = "red".into();
    assert!(!validator.is_valid(&wrong) && read(&wrong.to_string()).is_err());
    wrong = sample;
    wrong["recipes"]["elasticsearch"]["current"].as_object_mut().unwrap().remove("key");
    assert!(!validator.is_valid(&wrong) && read(&wrong.to_string()).is_err());
    let least = json!({ "format": 1, "target": "local", "recipes": {} });
    assert!(validator.is_valid(&least) && read(&least.to_string()).is_ok());
}

#[test]
fn a_newer_manifest_is_refused_before_its_keys_are_looked_at() {
    let error = read(r#"{"format": 2, "colour": "red"}"#).unwrap_err();
    assert_eq!(
        error,
        "bake-manifest.json has format 2, this elkbake reads up to 1: use the one that wrote it, or a newer one"
    );
}

#[test]
fn what_is_no_manifest_is_refused_with_its_place() {
    for (text, part) in [
        ("", "EOF"),
        ("[]", "bake-manifest.json: "),
        ("{}", "missing field `format`"),
        (r#"{"format": 0}"#, "no format 0"),
        (r#"{"format": -1}"#, "line 1 column"),
        (r#"{"format": 1, "target": "x", "recipes": {"Bad Name": {}}}"#, "`Bad Name` is no recipe name"),
        (r#"{"format": 1, "target": "x", "recipes": {}, "more": 1}"#, "unknown field `more`"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = format!("{{\"format\":1,\"target\":{}", "[".repeat(1_000_000));
    assert!(read(&deep).is_err());
    assert!(read(&" ".repeat(LONGEST_MANIFEST + 1)).unwrap_err().contains("67108864 bytes are read"));
}

#[test]
fn what_an_image_needs_is_taken_from_its_recipe() {
    let text = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n\
        [config]\nports = [\"9200/tcp\"]\n[runtime]\nmemory = 10\nstop_timeout = 60\nwritable = [\"/tmp\"]\n\
        secrets = [\"ELASTIC_PASSWORD\"]\nnetwork_mode = \"host\"\nulimits = { memlock = { soft = -1, hard = -1 } }\n\
        health_check = { command = [\"CMD\", \"true\"], retries = 5 }\nsysctls = { \"net.core.somaxconn\" = \"1\" }\n";
    let crate::recipe::Recipe::Image(recipe) = crate::recipe::parse(Path::new("r.toml"), text).unwrap().value else {
        panic!("an image was read as a host")
    };
    let needs = serde_json::to_value(Needs::of(&recipe)).unwrap();
    assert_eq!(
        needs,
        json!({
            "health_check":
                { "command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 5, "start_period": 0 },
            "ulimits": { "memlock": { "soft": -1, "hard": -1 } },
            "memory": 10, "stop_timeout": 60, "writable": ["/tmp"], "ports": ["9200/tcp"], "network_mode": "host",
            "secrets": ["ELASTIC_PASSWORD"], "sysctls": { "net.core.somaxconn": "1" },
        })
    );
}

fn digest() -> impl Strategy<Value = Digest> {
    any::<u64>().prop_map(|seed| Digest::of(&seed.to_le_bytes()))
}

fn needs() -> impl Strategy<Value = Needs> {
    let sizes = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u32>()));
    let limit = (any::<i64>(), any::<i64>()).prop_map(|(soft, hard)| Ulimit { soft, hard });
    (sizes, btree_map(".{0,5}", limit, 0..3), btree_set("/[a-c]{1,3}", 0..3), btree_set(".{0,5}", 0..3)).prop_map(
        |((memory, cpu, stop_timeout), ulimits, writable, secrets)| Needs {
            memory,
            cpu,
            stop_timeout,
            ulimits,
            writable: writable.iter().map(|path| path.parse().unwrap()).collect(),
            secrets,
            ..Needs::default()
        },
    )
}

fn tested(digest: Digest) -> RecordedTest {
    RecordedTest {
        platform: "linux/amd64".parse().unwrap(),
        digest,
        at: "2026-01-01T00:00:00Z".to_owned(),
        engine: "Docker 9".to_owned(),
        with: [("es".parse().unwrap(), digest)].into(),
        checks: vec![RecordedCheck { name: "ready".to_owned(), ms: 1 }],
        ready_ms: 1,
        stop_ms: 2,
        log: digest,
    }
}

fn record() -> impl Strategy<Value = Record> {
    let file = (".{0,5}", option::of("[0-9]{1,3}"), digest()).prop_map(|(name, version, digest)| RecordedFile {
        name,
        version: version.map(|version| version.parse().unwrap()),
        platform: None,
        digest,
        permissions: Vec::new(),
    });
    let platform = (digest(), any::<u64>()).prop_map(|(digest, size)| RecordedPlatform {
        name: "linux/amd64".parse().unwrap(),
        digest,
        size,
    });
    let base = (".{0,9}", option::of(digest())).prop_map(|(name, digest)| RecordedBase { name, digest });
    let source = (".{0,9}", any::<bool>()).prop_map(|(revision, dirty)| SourceRevision { revision, dirty });
    let parts = (vec(platform, 0..3), vec(file, 0..3), option::of(base), option::of(source));
    (option::of(digest()), digest(), needs(), parts, btree_map(".{0,9}", digest(), 0..3)).prop_map(
        |(digest, key, needs, (platforms, plugins, base, source), inputs)| Record {
            kind: RecordKind::Image,
            product: None,
            layout: None,
            reference: digest.map(|digest| format!("a.example/b@{digest}").parse().unwrap()),
            digest,
            tag: "1-0".parse().unwrap(),
            key,
            version: "1".parse().unwrap(),
            platforms,
            amis: Vec::new(),
            host: None,
            base,
            archives: plugins.clone(),
            plugins,
            inputs,
            needs,
            tests: vec![tested(key)],
            boots: Vec::new(),
            nondeterminism: Some("layer 1".to_owned()),
            regions: BTreeMap::from([("eu-west-1".parse().unwrap(), "a.example/b".parse().unwrap())]),
            source,
            elkbake: "0.1.0".to_owned(),
            created: String::new(),
            pushed_at: String::new(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_written_reads_back_the_same(
        target in ".{0,9}",
        recipes in btree_map("[a-z]{1,5}", (record(), vec(record(), 0..3)), 0..3),
    ) {
        let entry = |(name, (current, history)): (String, _)| (name.parse().unwrap(), Entry { current, history });
        let recipes = recipes.into_iter().map(entry).collect();
        let manifest = Manifest { format: FORMAT, target, recipes, unfinished: BTreeMap::new() };
        prop_assert_eq!(read(&write(&manifest)).unwrap(), manifest);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = parse(Path::new("x"), &bytes);
    }
}
