use super::*;

fn part(text: &str, made_by: Option<&str>) -> Part {
    let media_type = "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned();
    let descriptor = Descriptor { digest: Digest::of(text.as_bytes()), size: text.len() as u64, media_type };
    Part { descriptor, diff_id: Digest::of(b"unpacked"), made_by: made_by.map(str::to_owned) }
}

fn base() -> Vec<u8> {
    json!({
        "architecture": "amd64", "os": "linux", "created": "2020-01-01T00:00:00Z",
        "container_config": { "Hostname": "builder" }, "docker_version": "20.10",
        "config": {
            "Env": ["PATH=/bin", "A=1", "B=2"], "Entrypoint": ["/bin/tini"], "Cmd": ["eswrapper"], "User": "1000:0",
            "Labels": { "a": "b" }, "ExposedPorts": { "9200/tcp": {} }, "Healthcheck": { "Test": ["NONE"] },
        },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(b"unpacked")] },
        "history": [{ "created_by": "ADD rootfs" }, { "created_by": "ENV A=1", "empty_layer": true }],
    })
    .to_string()
    .into_bytes()
}

fn made(base: Option<&[u8]>, config: Option<&Config>, layers: &[Part]) -> (Value, Value) {
    let platform = "linux/arm64/v8".parse().unwrap();
    let annotations = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let created = Moment::parse("2026-01-02T03:04:05Z").unwrap();
    let parts = Parts { platform: &platform, base, config, layers, created, annotations: &annotations };
    let documents = image(parts).unwrap();
    for written in [&documents.config, &documents.manifest] {
        assert_eq!(written.descriptor.digest, Digest::of(&written.bytes));
        assert_eq!(written.descriptor.size, written.bytes.len() as u64);
    }
    // A second opinion on what is written.
    oci_spec::image::ImageManifest::from_reader(&documents.manifest.bytes[..]).unwrap();
    oci_spec::image::ImageConfiguration::from_reader(&documents.config.bytes[..]).unwrap();
    let read = |written: &Written| serde_json::from_slice(&written.bytes).unwrap();
    (read(&documents.config), read(&documents.manifest))
}

fn config(text: &str) -> Config {
    let text =
        format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n[config]\n{text}");
    let recipe = crate::recipe::parse(std::path::Path::new("a.toml"), &text).unwrap();
    let crate::recipe::Recipe::Image(image) = recipe.value else { panic!("an image") };
    image.config.unwrap()
}

#[test]
fn what_the_recipe_says_takes_the_place_of_what_the_base_says() {
    let config = config(
        "entrypoint = [\"/bin/wrapper\"]\nenv = { B = \"3\", C = \"4\", AA = \"5\" }\nenv_remove = [\"A\"]\n\
         labels = { c = \"d\" }\nports = [\"9300/tcp\"]\nvolumes = [\"/data\"]\nworkdir = \"/srv\"\n\
         stop_signal = \"SIGINT\"",
    );
    let layers = [part("base", None), part("own", Some("files"))];
    let (document, manifest) = made(Some(&base()), Some(&config), &layers);
    let runtime = &document["config"];
    assert_eq!(runtime["Env"], json!(["PATH=/bin", "B=3", "AA=5", "C=4"]));
    assert_eq!(runtime["Entrypoint"], json!(["/bin/wrapper"]));
    assert_eq!(runtime["Cmd"], json!(["eswrapper"]), "what is not said stays");
    assert_eq!(runtime["User"], "1000:0");
    assert_eq!(runtime["Labels"], json!({ "a": "b", "c": "d" }));
    assert_eq!(runtime["ExposedPorts"], json!({ "9200/tcp": {}, "9300/tcp": {} }));
    assert_eq!(runtime["Volumes"], json!({ "/data": {} }));
    assert_eq!(runtime["WorkingDir"], "/srv");
    assert_eq!(runtime["StopSignal"], "SIGINT");
    assert_eq!(runtime["Healthcheck"], json!({ "Test": ["NONE"] }));
    assert_eq!(document["created"], "2026-01-02T03:04:05Z");
    assert_eq!((&document["architecture"], &document["variant"]), (&json!("arm64"), &json!("v8")));
    assert_eq!(document.get("container_config"), None, "Docker's memories are none of OCI's");
    assert_eq!(document["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
    let by: Vec<_> = document["history"].as_array().unwrap().iter().map(|line| line["created_by"].clone()).collect();
    assert_eq!(by, ["ADD rootfs", "ENV A=1", "elkbake: files", "elkbake: config"]);
    assert_eq!(manifest["annotations"], json!({ "k": "v" }));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
    assert_eq!(manifest["config"]["digest"], json!(Digest::of(document.to_string().as_bytes())));
}

#[test]
fn an_image_from_nothing_says_what_it_has_to() {
    let (document, _) = made(None, None, &[part("rootfs", None), part("own", Some("archive a"))]);
    assert_eq!(document["os"], "linux");
    assert_eq!(document["config"], json!({}));
    let by: Vec<_> = document["history"].as_array().unwrap().iter().map(|line| line["created_by"].clone()).collect();
    assert_eq!(by, ["base", "elkbake: archive a"]);
}

#[test]
fn a_base_without_a_configuration_that_can_be_read_is_refused() {
    let platform = "linux/amd64".parse().unwrap();
    for wrong in [&b"[]"[..], b"{\"config\": 1}", b"{"] {
        let annotations = BTreeMap::new();
        let (base, created) = (Some(wrong), Moment::NONE);
        let parts = Parts { platform: &platform, base, config: None, layers: &[], created, annotations: &annotations };
        assert!(image(parts).is_err());
    }
}

#[test]
fn an_index_names_each_platform() {
    let (amd, arm) = ("linux/amd64".parse().unwrap(), "linux/arm/v7".parse().unwrap());
    let one = part("x", None).descriptor;
    let written = index([(&amd, &one), (&arm, &one)], &BTreeMap::new());
    let document: Value = serde_json::from_slice(&written.bytes).unwrap();
    assert_eq!(document["manifests"][1]["platform"], json!({ "os": "linux", "architecture": "arm", "variant": "v7" }));
    oci_spec::image::ImageIndex::from_reader(&written.bytes[..]).unwrap();
}
