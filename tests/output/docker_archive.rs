//! `--output docker-archive:FILE`.

use std::collections::BTreeMap;
use std::io::Read;

use elkbake::bake::output::OutputError;
use elkbake::digest::Digest;
use elkbake::plan::LayerKind;
use serde_json::{Value, json};

use super::{bake, write};
use crate::kitchen::built::{Bakery, Packed, Tarball, files};

/// The entries of an archive, in their order.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    let entry = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        let plain = (header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mode().unwrap());
        assert_eq!(plain, (0, 0, 0, 0o644));
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (String::from_utf8(entry.path_bytes().into_owned()).unwrap(), bytes)
    };
    archive.entries().unwrap().map(entry).collect()
}

#[test]
fn it_holds_manifest_configuration_and_layers_under_their_names() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    write(&bakery, &built, "8.1-abc", "docker-archive:es.tar").unwrap();
    let bytes = std::fs::read(bakery.path("es.tar")).unwrap();
    let entries = entries(&bytes);
    let image = &built.platforms[0];
    let config = format!("{}.json", image.config.digest.hex());
    let layers: Vec<_> = image.layers.iter().map(|layer| format!("{}.tar", layer.diff_id.hex())).collect();
    let names: Vec<_> = entries.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names, ["manifest.json".to_owned(), config.clone(), layers[0].clone(), layers[1].clone()]);
    let manifest: Value = serde_json::from_slice(&entries[0].1).unwrap();
    assert_eq!(manifest, json!([{ "Config": config, "RepoTags": ["elk/es:8.1-abc"], "Layers": layers }]));
    for ((_, bytes), digest) in entries[1..]
        .iter()
        .zip([image.config.digest].into_iter().chain(image.layers.iter().map(|layer| layer.descriptor.digest)))
    {
        assert_eq!(Digest::of(bytes), digest);
    }
    write(&bakery, &built, "8.1-abc", "docker-archive:again.tar").unwrap();
    assert_eq!(std::fs::read(bakery.path("again.tar")).unwrap(), bytes);
    assert_eq!(bytes.len() % 512, 0);
}

#[test]
fn zstd_is_unpacked_and_a_layer_that_comes_twice_is_there_once() {
    let bakery = Bakery::new();
    let layer = |packed, text: &str| {
        bakery.layer(LayerKind::Files, Tarball::new().file("etc/x", &text.repeat(5000).into_bytes()), packed)
    };
    let layers = vec![
        layer(Packed::Zstd, "one"),
        layer(Packed::Plain, "two"),
        layer(Packed::Gzip, "three"),
        layer(Packed::Plain, "two"),
    ];
    let built = bakery.image(&[("linux/s390x", layers.clone())]);
    write(&bakery, &built, "1", "docker-archive:es.tar").unwrap();
    let all = entries(&std::fs::read(bakery.path("es.tar")).unwrap());
    assert_eq!(all.len(), 2 + 3);
    let by_name: BTreeMap<_, _> = all.into_iter().collect();
    let bytes = |i: usize| &by_name[&format!("{}.tar", layers[i].diff_id.hex())];
    assert_eq!(Digest::of(bytes(0)), layers[0].diff_id, "unpacked");
    assert_eq!(Digest::of(bytes(1)), layers[1].diff_id);
    assert_eq!(Digest::of(bytes(2)), layers[2].descriptor.digest, "as it was");
    let manifest: Value = serde_json::from_slice(&by_name["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["Layers"].as_array().unwrap().len(), 4);
}

#[test]
fn of_several_platforms_the_machines_own_is_taken_or_none() {
    let bakery = Bakery::new();
    let both = bake(&bakery, &["linux/arm64", "linux/amd64"], "one");
    write(&bakery, &both, "1", "docker-archive:es.tar").unwrap();
    let entries = entries(&std::fs::read(bakery.path("es.tar")).unwrap());
    let config: Value = serde_json::from_slice(&entries[1].1).unwrap();
    assert_eq!(config["architecture"], "amd64");
    let layers = both.platforms[0].layers.clone();
    let foreign = bakery.image(&[("linux/arm64", layers.clone()), ("linux/s390x", layers)]);
    let error = write(&bakery, &foreign, "1", "docker-archive:none.tar").unwrap_err().to_string();
    assert!(error.contains("linux/arm64, linux/s390x") && error.contains("--platform"), "{error}");
    assert!(!bakery.path("none.tar").exists());
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    std::fs::create_dir(bakery.path("out")).unwrap();
    std::fs::write(bakery.path("out/es.tar"), "old").unwrap();
    let digest = built.platforms[0].layers[1].descriptor.digest;
    bakery.store.drop_blob(&digest).unwrap();
    let error = write(&bakery, &built, "1", "docker-archive:out/es.tar").unwrap_err();
    assert!(matches!(error, OutputError::Missing { digest: named } if named == digest), "{error}");
    let left = files(&bakery.path("out"));
    assert_eq!(left, BTreeMap::from([("es.tar".to_owned(), b"old".to_vec())]));
    bake(&bakery, &["linux/amd64"], "one");
    write(&bakery, &built, "1", "docker-archive:out/es.tar").unwrap();
    assert!(files(&bakery.path("out"))["es.tar"].len() > 1000);
    let error = write(&bakery, &built, "1", "docker-archive:out").unwrap_err();
    assert!(matches!(error, OutputError::Taken { .. }), "{error}");
    let error = write(&bakery, &built, "1", "docker-archive:no/such/folder").unwrap_err();
    assert!(error.to_string().contains("there is no such folder; make it"), "{error}");
}

#[test]
fn a_layer_that_does_not_unpack_to_its_diff_id_is_refused() {
    let bakery = Bakery::new();
    let mut layer = bakery.layer(LayerKind::Base, Tarball::new().file("x", b"x"), Packed::Zstd);
    layer.diff_id = Digest::of(b"another");
    let built = bakery.image(&[("linux/amd64", vec![layer])]);
    let error = write(&bakery, &built, "1", "docker-archive:es.tar").unwrap_err();
    assert!(matches!(error, OutputError::Layer { .. }), "{error}");
    let digest = built.platforms[0].layers[0].descriptor.digest;
    assert!(bakery.store.size(&digest).is_some(), "the blob is what its own digest says");
    assert!(!bakery.path("es.tar").exists());
}
