use std::os::unix::fs::symlink;

use super::*;

fn recipe(from: &str) -> String {
    format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{from}\"\n")
}

fn with_file(path: &str) -> String {
    format!("{}[[archive]]\nname = \"x\"\npath = \"{path}\"\ninto = \"/opt\"\n", recipe("scratch"))
}

#[test]
fn a_file_of_the_project_is_pinned_by_its_digest() {
    let fake = Fake::new();
    fake.project_file("vendor/x.tar", "x");
    let lock = fake.offline(&with_file("vendor/x.tar"), None).unwrap();
    let file = &lock.archive[0];
    assert_eq!((file.sha256, file.size, file.url.as_deref()), (Digest::of(b"x"), 1, None));
    assert_eq!(file.want, "path:vendor/x.tar");
}

#[test]
fn what_is_no_file_of_the_project_is_refused() {
    let fake = Fake::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x"), "secret").unwrap();
    symlink(outside.path().join("x"), fake.project.path().join("link")).unwrap();
    symlink(outside.path(), fake.project.path().join("folder-link")).unwrap();
    symlink("loop", fake.project.path().join("loop")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(fake.project.path().join("socket")).unwrap();
    fs::create_dir(fake.project.path().join("folder")).unwrap();
    for (path, part) in [
        ("link", "link: it is a link that leaves the project"),
        ("folder-link/x", "it is a link that leaves the project"),
        ("loop", "cannot read loop"),
        ("none", "cannot read none"),
        ("folder", "folder: it is no regular file"),
        ("socket", "socket: it is no regular file"),
    ] {
        let error = fake.refusal(&with_file(path));
        assert!(error.contains(part), "{path}: {error}");
    }
    drop(socket);
}

fn tarball(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        if let Some(target) = bytes.strip_prefix(b"link:") {
            header.set_size(0);
            header.set_entry_type(tar::EntryType::Symlink);
            tar.append_link(&mut header, path, std::str::from_utf8(target).unwrap()).unwrap();
        } else {
            tar.append_data(&mut header, path, *bytes).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

#[test]
fn a_root_file_system_is_one_layer() {
    let fake = Fake::new();
    let tar = tarball(&[("etc/passwd", b"root")]);
    fake.project_file("root.tar", &tar);
    fake.project_file("root.tar.gz", b"\x1f\x8b\x08\x00");
    fake.project_file("root.tar.xz", b"\xfd7zXZ\0");
    fake.project_file("root.tar.bz2", b"BZh9");
    fake.project_file("empty.tar", "");
    let lock = fake.offline(&recipe("rootfs:root.tar"), None).unwrap();
    let base = lock.base.unwrap();
    assert_eq!(base.digest, Some(Digest::of(&tar)));
    assert_eq!(base.platform[0].layer[0].size, tar.len() as u64);
    assert_eq!(base.platform[0].layer[0].media_type, "application/vnd.oci.image.layer.v1.tar");
    let gzip = fake.offline(&recipe("rootfs:root.tar.gz"), None).unwrap().base.unwrap();
    assert!(gzip.platform[0].layer[0].media_type.ends_with("tar+gzip"));
    let xz = fake.offline(&recipe("rootfs:root.tar.xz"), None).unwrap().base.unwrap();
    assert!(xz.platform[0].layer[0].media_type.ends_with("tar+xz"));
    assert!(fake.refusal(&recipe("rootfs:root.tar.bz2")).contains("bzip2, which is not read"));
    assert!(fake.refusal(&recipe("rootfs:empty.tar")).contains("it is no tarball"));
}

#[test]
fn a_file_of_the_project_that_changed_moves_its_pin_without_the_world() {
    let fake = Fake::new();
    fake.project_file("root.tar", tarball(&[("a", b"1")]));
    let first = fake.offline(&recipe("rootfs:root.tar"), None).unwrap();
    assert_eq!(fake.offline(&recipe("rootfs:root.tar"), Some(&first)).unwrap(), first);
    fake.project_file("root.tar", tarball(&[("a", b"2")]));
    assert_ne!(fake.offline(&recipe("rootfs:root.tar"), Some(&first)).unwrap().base, first.base);

    fake.project_file("x.zip", b"1");
    let first = fake.offline(&with_file("x.zip"), None).unwrap();
    fake.project_file("x.zip", b"2");
    assert_ne!(fake.offline(&with_file("x.zip"), Some(&first)).unwrap(), first);
}

/// Writes an OCI layout with an image for each processor.
fn layout(fake: &Fake, architectures: &[&str]) -> Vec<Value> {
    fake.project_file("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let blob = |bytes: &[u8]| fake.project_file(&format!("base/blobs/sha256/{}", Digest::of(bytes).hex()), bytes);
    blob(b"one");
    let entry = |architecture: &&str| {
        let config = config(architecture, "1.2", &[b"one"]);
        let manifest = manifest(&config, &[b"one"]).to_string();
        blob(&config);
        blob(manifest.as_bytes());
        descriptor(MANIFEST, manifest.as_bytes())
    };
    let entries: Vec<_> = architectures.iter().map(entry).collect();
    fake.project_file("base/index.json", json!({ "schemaVersion": 2, "manifests": entries }).to_string());
    entries
}

#[test]
fn an_oci_layout_is_locked_like_a_registry() {
    let fake = Fake::new();
    let one = layout(&fake, &["amd64"]);
    let base = fake.offline(&recipe("oci:base"), None).unwrap().base.unwrap();
    assert_eq!(Value::from(base.digest.unwrap().to_string()), one[0]["digest"]);
    assert_eq!(base.platform[0].layer[0].digest, Digest::of(b"one"));
    layout(&fake, &["arm64", "amd64"]);
    let base = fake.offline(&recipe("oci:base"), None).unwrap().base.unwrap();
    assert_eq!(Value::from(base.platform[0].manifest.to_string()), one[0]["digest"]);
}

#[test]
fn of_several_images_in_a_layout_the_recipe_says_which() {
    let fake = Fake::new();
    let entries = layout(&fake, &["amd64", "arm64"]);
    let other = config("amd64", "2.0", &[b"one"]);
    let other_manifest = manifest(&other, &[b"one"]).to_string();
    for blob in [&other[..], other_manifest.as_bytes()] {
        fake.project_file(&format!("base/blobs/sha256/{}", Digest::of(blob).hex()), blob);
    }
    let index = |named: &[(&Value, &str)]| {
        let entry = |(entry, tag): &(&Value, &str)| {
            let mut entry = (*entry).clone();
            entry["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
            entry
        };
        let entries: Vec<_> = named.iter().map(entry).collect();
        fake.project_file("base/index.json", json!({ "schemaVersion": 2, "manifests": entries }).to_string());
    };
    let two = descriptor(MANIFEST, other_manifest.as_bytes());
    let locked = |from: &str| {
        let base = fake.offline(&recipe(from), None).unwrap().base.unwrap();
        assert_eq!(base.from, from);
        Value::from(base.platform[0].manifest.to_string())
    };

    index(&[(&entries[0], "one"), (&entries[1], "arm"), (&two, "example.com/two:2.0")]);
    assert_eq!(locked("oci:base:one"), entries[0]["digest"]);
    assert_eq!(locked("oci:base:example.com/two:2.0"), two["digest"]);
    let refusal = fake.refusal(&recipe("oci:base"));
    let told = "base: it has several images for linux/amd64: one, example.com/two:2.0; say which by `oci:base:TAG`";
    assert!(refusal.contains(told), "{refusal}");
    let refusal = fake.refusal(&recipe("oci:base:three"));
    assert!(refusal.contains("base: it has no image `three`; it has one, arm, example.com/two:2.0"), "{refusal}");
    let refusal = fake.refusal(&recipe("oci:base:arm"));
    assert!(refusal.contains("is not made for linux/amd64; it is for linux/arm64"), "{refusal}");

    // One image under two names is one image.
    index(&[(&entries[0], "one"), (&entries[0], "latest"), (&entries[1], "one")]);
    assert_eq!(locked("oci:base"), entries[0]["digest"]);
    assert_eq!(locked("oci:base:one"), entries[0]["digest"]);
}

#[test]
fn a_damaged_oci_layout_is_refused_by_the_file_that_is_wrong() {
    let fake = Fake::new();
    layout(&fake, &["amd64"]);
    let layer = format!("base/blobs/sha256/{}", Digest::of(b"one").hex());
    fake.project_file(&layer, "longer");
    assert!(fake.refusal(&recipe("oci:base")).contains("it has 6 bytes, its manifest says 3"));
    fs::remove_file(fake.project.path().join(&layer)).unwrap();
    assert!(fake.refusal(&recipe("oci:base")).contains(&format!("cannot read {layer}")));
    let config = format!("base/blobs/sha256/{}", Digest::of(&config("amd64", "1.2", &[b"one"])).hex());
    fake.project_file(&config, "{}");
    assert!(fake.refusal(&recipe("oci:base")).contains("its bytes have the digest"));
    fake.project_file("elsewhere", "{}");
    fs::remove_file(fake.project.path().join(&config)).unwrap();
    symlink("../../../elsewhere", fake.project.path().join(&config)).unwrap();
    assert!(fake.refusal(&recipe("oci:base")).contains("it is a link that leaves base"));
    fake.project_file("base/oci-layout", "{}");
    assert!(fake.refusal(&recipe("oci:base")).contains("no OCI layout of version 1.0.0"));
}

fn saved(entries: &[(&str, &str, &[&str])]) -> Vec<u8> {
    let images: Vec<_> = entries
        .iter()
        .map(|(config, _, layers)| json!({ "Config": config, "RepoTags": ["a:1"], "Layers": layers }))
        .collect();
    serde_json::to_vec(&images).unwrap()
}

#[test]
fn what_docker_saved_is_locked_with_its_layers() {
    let fake = Fake::new();
    let (one, two) = (tarball(&[("a", b"1")]), tarball(&[("b", b"2")]));
    let config = config("amd64", "1.2", &[&one, &two, &one]);
    let manifest = saved(&[("c.json", "", &["l1/layer.tar", "l2/layer.tar", "l3/layer.tar"])]);
    let archive = tarball(&[
        ("l1/layer.tar", &one),
        ("l2/layer.tar", &two),
        ("l3/layer.tar", b"link:../l1/layer.tar"),
        ("c.json", &config),
        ("manifest.json", &manifest),
    ]);
    fake.project_file("base.tar", &archive);
    let base = fake.offline(&recipe("docker-archive:base.tar"), None).unwrap().base.unwrap();
    assert_eq!(base.digest, Some(Digest::of(&archive)));
    assert_eq!(base.platform[0].config, Some(Digest::of(&config)));
    let layers: Vec<_> = base.platform[0].layer.iter().map(|layer| (layer.digest, layer.size)).collect();
    let [first, second] = [&one, &two].map(|layer| (Digest::of(layer), layer.len() as u64));
    assert_eq!(layers, [first, second, first]);
}

#[test]
fn what_docker_did_not_save_is_refused() {
    let fake = Fake::new();
    let layer = tarball(&[("a", b"1")]);
    let config = config("amd64", "1.2", &[&layer]);
    let good = saved(&[("c.json", "", &["l.tar"])]);
    let twice = saved(&[("c.json", "", &["l.tar"]), ("c.json", "", &["l.tar"])]);
    let other = tarball(&[("a", b"2")]);
    for (entries, part) in [
        (vec![("c.json", &config[..])], "it has no `manifest.json`"),
        (vec![("manifest.json", &good[..])], "it has no `c.json`"),
        (vec![("manifest.json", &good), ("c.json", &config)], "it has no `l.tar`"),
        (vec![("manifest.json", b"{}")], "its `manifest.json` cannot be read"),
        (vec![("manifest.json", &good), ("manifest.json", &good)], "two `manifest.json`"),
        (vec![("manifest.json", &good), ("c.json", b"{}"), ("l.tar", &layer)], "the OCI configuration cannot be read"),
        (vec![("manifest.json", &good), ("c.json", &config), ("l.tar", &other)], "layer `l.tar`: it should be"),
        (vec![("manifest.json", &good), ("c.json", &config), ("l.tar", b"text")], "layer `l.tar`: it is no tarball"),
        (vec![("manifest.json", &twice), ("c.json", &config), ("l.tar", &layer)], "several images for linux/amd64"),
    ] {
        fake.project_file("base.tar", tarball(&entries));
        let error = fake.refusal(&recipe("docker-archive:base.tar"));
        assert!(error.contains(part), "{error:?} should hold {part:?}");
    }
    fake.project_file("base.tar", b"\x1f\x8b\x08\x00".repeat(1000));
    assert!(fake.refusal(&recipe("docker-archive:base.tar")).contains("(uncompressed)"));
    let whole = tarball(&[("manifest.json", &good), ("c.json", &config), ("l.tar", &layer)]);
    fake.project_file("base.tar", &whole[..whole.len() - 2000]);
    assert!(fake.refusal(&recipe("docker-archive:base.tar")).contains("base.tar"));
    let arm = format!("{}platforms = [\"linux/arm64\"]\n", recipe("docker-archive:base.tar"));
    fake.project_file("base.tar", &whole);
    assert!(fake.refusal(&arm).contains("is not made for linux/arm64; it is for linux/amd64"));
}
