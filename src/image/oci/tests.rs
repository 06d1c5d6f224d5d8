use proptest::prelude::*;
use serde_json::{Value, json};

use super::document::{CONFIG_TYPES, INDEX_TYPES, LAYER_TYPES, MANIFEST_TYPES, MOST_LAYERS};
use super::*;
use crate::digest::Digest;

const OCI_INDEX: &str = INDEX_TYPES[0];
const OCI_MANIFEST: &str = MANIFEST_TYPES[0];
const DOCKER_MANIFEST: &str = MANIFEST_TYPES[1];

fn descriptor(media_type: &str, content: &str) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(content.as_bytes()), "size": content.len() })
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG_TYPES[0], "{}"),
        "layers": [descriptor(LAYER_TYPES[1], "one"), descriptor(LAYER_TYPES[4], "two")],
        "annotations": { "a": "b" },
    })
}

fn read(media_type: &str, value: &Value) -> Result<Document, OciError> {
    document(media_type, value.to_string().as_bytes())
}

fn refusal(media_type: &str, value: &Value) -> String {
    read(media_type, value).unwrap_err().to_string()
}

#[test]
fn a_manifest_is_read_as_the_rust_library_of_the_standard_reads_them() {
    let ours = |descriptor: &Descriptor| (descriptor.digest.to_string(), descriptor.size);
    let theirs = |descriptor: &oci_spec::image::Descriptor| (descriptor.digest().to_string(), descriptor.size());
    let bytes = manifest().to_string();
    let Document::Manifest(read) = document(OCI_MANIFEST, bytes.as_bytes()).unwrap() else { panic!("no manifest") };
    let known = oci_spec::image::ImageManifest::from_reader(bytes.as_bytes()).unwrap();
    assert_eq!(ours(&read.config), theirs(known.config()));
    assert_eq!(read.layers.iter().map(ours).collect::<Vec<_>>(), known.layers().iter().map(theirs).collect::<Vec<_>>());
}

#[test]
fn a_manifest_tells_its_configuration_and_layers() {
    let Document::Manifest(read) =
        read("application/vnd.oci.image.manifest.v1+json; charset=utf-8", &manifest()).unwrap()
    else {
        panic!("a manifest was read as an index")
    };
    assert_eq!(read.config.digest, Digest::of(b"{}"));
    assert_eq!(read.layers.iter().map(|layer| layer.size).collect::<Vec<_>>(), [3, 3]);
    assert_eq!(read.layers[1].digest, Digest::of(b"two"));
}

#[test]
fn docker_documents_are_read_like_those_of_oci() {
    let mut docker = manifest();
    docker["mediaType"] = DOCKER_MANIFEST.into();
    docker["config"]["mediaType"] = CONFIG_TYPES[1].into();
    assert!(read(DOCKER_MANIFEST, &docker).is_ok());
}

#[test]
fn an_index_tells_its_platforms_and_leaves_attestations_out() {
    let mut entries = Vec::new();
    for (os, architecture, variant) in
        [("linux", "amd64", None), ("linux", "arm64", Some("v8")), ("unknown", "unknown", None)]
    {
        let mut entry = descriptor(OCI_MANIFEST, architecture);
        entry["platform"] = json!({ "os": os, "architecture": architecture, "variant": variant });
        entries.push(entry);
    }
    let mut attestation = descriptor(OCI_MANIFEST, "attestation");
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    entries.push(attestation);
    let Document::Index(index) = read(OCI_INDEX, &json!({ "schemaVersion": 2, "manifests": entries })).unwrap() else {
        panic!("an index was read as a manifest")
    };
    let platforms: Vec<_> = index.entries.iter().map(|entry| entry.platform.as_ref().unwrap().to_string()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8"]);
}

#[test]
fn what_is_wrong_is_named() {
    let changed = |change: fn(&mut Value)| {
        let mut value = manifest();
        change(&mut value);
        refusal(OCI_MANIFEST, &value)
    };
    for (message, part) in [
        (changed(|m| m["schemaVersion"] = 1.into()), "schemaVersion is 1"),
        (changed(|m| m["mediaType"] = OCI_INDEX.into()), "it is no document of an image"),
        (changed(|m| m["mediaType"] = DOCKER_MANIFEST.into()), "announced as another kind"),
        (changed(|m| m["manifests"] = json!([])), "both `layers` and `manifests`"),
        (changed(|m| m["layers"][1]["digest"] = "sha512:00".into()), "layer 1 has the digest `sha512:00`"),
        (changed(|m| m["layers"][0]["mediaType"] = "text/plain".into()), "layer 0 has the media type `text/plain`"),
        (changed(|m| m["layers"][0]["size"] = (-1).into()), "invalid value"),
        (changed(|m| m["layers"][0]["size"] = u64::MAX.into()), "impossible size"),
        (changed(|m| m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json".into()), "an artifact"),
        (changed(|m| m["layers"] = vec![m["layers"][0].clone(); MOST_LAYERS + 1].into()), "1001 layers"),
        (changed(|m| *m = json!([])), "no JSON object"),
        (refusal("text/html", &manifest()), "`text/html`"),
        (refusal("application/vnd.docker.distribution.manifest.v1+prettyjws", &manifest()), "Docker from 1.10 on"),
        (document(OCI_MANIFEST, b"<html>").unwrap_err().to_string(), "HTML"),
        (document(OCI_MANIFEST, b" ").unwrap_err().to_string(), "empty"),
        (document(OCI_MANIFEST, &vec![b' '; (4 << 20) + 1]).unwrap_err().to_string(), "up to 4194304"),
        (layout_index(b"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}").unwrap_err().to_string(), "both"),
    ] {
        assert!(message.contains(part), "{message:?} should hold {part:?}");
    }
}

#[test]
fn a_deep_document_is_refused_without_exhausting_the_stack() {
    let deep = format!("{{\"x\":{}", "[".repeat(1_000_000));
    assert!(document(OCI_MANIFEST, deep.as_bytes()).is_err());
}

fn config_with(labels: &Value, env: &Value) -> Config {
    let value = json!({
        "architecture": "arm64", "os": "linux", "variant": "v8", "created": "2026-01-02T03:04:05Z",
        "config": { "User": "1000:0", "Env": env, "Labels": labels },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"one")] },
    });
    config(value.to_string().as_bytes()).unwrap()
}

#[test]
fn a_configuration_tells_platform_user_and_layers() {
    let read = config_with(&Value::Null, &json!(["PATH=/bin:/a=b", "EMPTY"]));
    assert_eq!(read.user.as_deref(), Some("1000:0"));
    assert_eq!(read.env, [("PATH".into(), "/bin:/a=b".into()), ("EMPTY".into(), String::new())]);
    assert_eq!(read.diff_ids, [Digest::of(b"one")]);
    assert!(read.is_for(&"linux/arm64".parse().unwrap()) && !read.is_for(&"linux/amd64".parse().unwrap()));
    let bare = config(br#"{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":null}}"#).unwrap();
    assert_eq!(bare, Config { architecture: "amd64".into(), os: "linux".into(), ..Config::default() });
}

#[test]
fn the_version_is_the_products_and_not_that_of_the_distribution_below() {
    let version = |labels: Value| {
        let read = config_with(&labels, &Value::Null);
        read.product_version().map(|version| version.to_string())
    };
    assert_eq!(version(json!({ "org.label-schema.version": "8.19.3" })).as_deref(), Some("8.19.3"));
    let elastic = json!({ "org.label-schema.name": "Elasticsearch", "org.label-schema.version": "9.0.0-beta1",
        "org.opencontainers.image.title": "Elasticsearch", "org.opencontainers.image.version": "24.04" });
    assert_eq!(version(elastic).as_deref(), Some("9.0.0-beta1"));
    let newer =
        json!({ "org.opencontainers.image.title": "elasticsearch", "org.opencontainers.image.version": "9.2.0" });
    assert_eq!(version(newer).as_deref(), Some("9.2.0"));
    assert_eq!(version(json!({ "org.opencontainers.image.version": "24.04" })), None);
    assert_eq!(
        version(json!({ "org.label-schema.name": "CentOS Base Image", "org.label-schema.version": "7.9" })),
        None
    );
    for odd in ["", "latest", "${VERSION}", "f00dfeed", "8", "8..1", "8.19.3 final"] {
        assert_eq!(version(json!({ "org.label-schema.version": odd })), None, "{odd}");
    }
}

#[test]
fn java_is_what_the_environment_says_last() {
    let java = |env: Value| config_with(&Value::Null, &env).java_version().map(str::to_owned);
    assert_eq!(java(json!(["JAVA_VERSION=17", "JAVA_VERSION=jdk-21.0.2+13"])).as_deref(), Some("jdk-21.0.2+13"));
    assert_eq!(java(json!(["JAVA_HOME=/opt"])), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = (document(OCI_MANIFEST, &bytes), document(OCI_INDEX, &bytes), layout_index(&bytes), config(&bytes));
    }

    #[test]
    fn no_damage_to_a_document_panics(at in 0_usize..400, with: u8) {
        let mut bytes = manifest().to_string().into_bytes();
        let at = at % bytes.len();
        bytes[at] = with;
        if let Ok(Document::Manifest(read)) = document(OCI_MANIFEST, &bytes) {
            prop_assert!(read.layers.len() <= 2);
        }
        let _ = document(OCI_INDEX, &bytes);
    }
}
