use std::collections::BTreeSet;

use super::*;
use crate::bake::resolve::{Update, resolve};
use crate::image::scan::fixture::xz;
use crate::image::scan::{Bounds, Scan, scan};
use crate::lock::Lock;
use crate::recipe;

/// Locks a recipe on a base, and opens the base.
fn open<'w>(fake: &'w Fake, base: &str) -> Result<Base<'w>, Fault> {
    let lock = lock(fake, base);
    let platform = &lock.base.as_ref().unwrap().platform[0];
    Base::locked(
        &base.parse().unwrap(),
        Compression::Gzip,
        platform,
        &World { registry: None, ..fake.world() },
        &|_, size| size < 4,
    )
}

fn lock(fake: &Fake, base: &str) -> Lock {
    let recipe = format!("kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"{base}\"\n");
    let recipe = recipe::parse(std::path::Path::new("r.toml"), &recipe).unwrap().value;
    resolve(&"r".parse().unwrap(), &recipe, None, &Update::Nothing, &fake.world()).unwrap_or_else(|e| panic!("{e}"))
}

fn blobs(fake: &Fake) -> BTreeSet<String> {
    let files = |at: &std::path::Path| fs::read_dir(at).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    let folders = files(&fake.cache.path().join("v1/blobs/sha256"));
    folders.iter().flat_map(|folder| files(folder)).map(|file| file.display().to_string()).collect()
}

/// What a layer of the store unpacks to.
fn unpacked(fake: &Fake, layer: &BuiltLayer) -> Digest {
    let blob = fake.store.read(&layer.descriptor.digest).unwrap().unwrap();
    let what =
        Scan { diff_id: None, wanted: NOTHING, packing: None, whole: false, bounds: Bounds::FOREIGN, packed: None };
    scan(&what, blob, crate::contents::Spool::new(fake.store.scratch().unwrap())).unwrap().diff_id
}

fn system() -> Tarball {
    Tarball::new().folder("./").folder("./etc").file("./etc/os", "os").file("./etc/long", "longer").folder("./tmp")
}

#[test]
fn a_root_file_system_is_one_layer_however_it_is_packed() {
    let tar = system().end();
    for (name, bytes, as_it_is) in [
        ("a.tar.gz", gzip(&tar), true),
        ("a.tar.zst", zstd(&tar), false),
        ("a.tar", tar.clone(), false),
        ("a.tar.xz", xz(&tar), false),
    ] {
        let fake = Fake::new();
        fake.project_file(name, &bytes);
        let base = open(&fake, &format!("rootfs:{name}")).unwrap();
        let layers = base.layers();
        assert_eq!((base.config(), layers.len(), layers[0].diff_id), (None, 1, Digest::of(&tar)), "{name}");
        assert_eq!(layers[0].descriptor.digest == Digest::of(&bytes), as_it_is, "{name}");
        assert!(layers[0].descriptor.media_type.ends_with("tar+gzip"), "{name}");
        assert_eq!(base.names(&path("/")).unwrap(), ["etc", "tmp"]);
        assert!(fake.store.size(&Digest::of(b"os")).is_some(), "kept on the way");
        assert_eq!(text(&base, "/etc/long").as_deref(), Some("longer"));
        base.fetch_layers().unwrap();
        assert_eq!(unpacked(&fake, &layers[0]), Digest::of(&tar));

        // Once it is known, the file is not read again.
        let lock = lock(&fake, &format!("rootfs:{name}"));
        let spoilt: Vec<u8> = bytes.iter().map(|_| 1).collect();
        fake.project_file(name, &spoilt);
        let platform = &lock.base.as_ref().unwrap().platform[0];
        let from = format!("rootfs:{name}").parse().unwrap();
        let again = Base::locked(&from, Compression::Gzip, platform, &fake.world(), NOTHING).unwrap();
        assert_eq!(again.layers(), layers);
        assert!(again.entry(&path("/etc/os")).unwrap().is_some());
    }
}

#[test]
fn a_root_file_system_packed_with_zstd_stays_so_where_the_recipe_says_zstd() {
    let fake = Fake::new();
    let bytes = zstd(&system().end());
    fake.project_file("a", &bytes);
    let lock = lock(&fake, "rootfs:a");
    let from = "rootfs:a".parse().unwrap();
    let platform = &lock.base.as_ref().unwrap().platform[0];
    let base = Base::locked(&from, Compression::Zstd, platform, &fake.world(), NOTHING).unwrap();
    let layer = &base.layers()[0].descriptor;
    assert!(layer.digest == Digest::of(&bytes) && layer.media_type.ends_with("tar+zstd"));
}

#[test]
fn a_plain_and_an_xz_tarball_of_the_same_files_make_the_same_layer() {
    let tar = system().end();
    let layer = |bytes: &[u8]| {
        let fake = Fake::new();
        fake.project_file("a", bytes);
        open(&fake, "rootfs:a").unwrap().layers()[0].descriptor.clone()
    };
    assert_eq!(layer(&tar), layer(&xz(&tar)));
}

#[test]
fn a_root_file_system_with_a_missing_parent_is_refused_and_leaves_nothing() {
    for pack in [|tar: &[u8]| tar.to_vec(), gzip, xz] {
        let fake = Fake::new();
        fake.project_file("a.tar", pack(&Tarball::new().file("os", "os").file("etc/passwd", "root").end()));
        let error = open(&fake, "rootfs:a.tar").err().unwrap();
        assert!(matches!(error, Fault::Wrong { .. }));
        let told = error.to_string();
        assert!(told.contains("rootfs:a.tar") && told.contains("entry `etc/passwd`: the folder /etc"), "{told}");
        assert!(blobs(&fake).is_empty(), "{:?}", blobs(&fake));
    }
}

#[test]
fn a_file_that_changed_after_it_was_locked_is_refused() {
    let from = |kind: &str| format!("{kind}:a.tar").parse().unwrap();
    for (bytes, other) in [(system().end(), system().file("more", "").end()), (gzip(&system().end()), gzip(b""))] {
        let fake = Fake::new();
        fake.project_file("a.tar", &bytes);
        let lock = lock(&fake, "rootfs:a.tar");
        fake.project_file("a.tar", &other);
        let platform = &lock.base.as_ref().unwrap().platform[0];
        let error = Base::locked(&from("rootfs"), Compression::Gzip, platform, &fake.world(), NOTHING)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("it is not what was locked: run `elkbake lock`"), "{error}");
    }
    let fake = Fake::new();
    fake.project_file("a.tar", saved(&[system()], "l"));
    let lock = lock(&fake, "docker-archive:a.tar");
    fake.project_file("a.tar", saved(&[system().file("more", "")], "l"));
    let platform = &lock.base.as_ref().unwrap().platform[0];
    let error = Base::locked(&from("docker-archive"), Compression::Gzip, platform, &fake.world(), NOTHING)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("it is not what was locked: run `elkbake lock`"), "{error}");
}

/// What `docker save` writes: with folders of its own, or as an OCI layout that is an archive, too.
fn saved(layers: &[Tarball], folder: &str) -> Vec<u8> {
    let layers: Vec<_> = layers.iter().cloned().map(Tarball::end).collect();
    let config = config(&layers.iter().map(|layer| Digest::of(layer)).collect::<Vec<_>>());
    let names: Vec<_> = layers.iter().map(|layer| format!("{folder}/{}", Digest::of(layer).short())).collect();
    let saved = json!([{ "Config": format!("{folder}/config"), "RepoTags": ["a:1"], "Layers": names }]);
    let mut archive = Tarball::new().folder(folder).file(&format!("{folder}/config"), &config);
    for (name, layer) in names.iter().zip(&layers).collect::<BTreeMap<_, _>>() {
        archive = archive.file(name, layer);
    }
    archive.file("manifest.json", saved.to_string()).end()
}

#[test]
fn what_docker_saved_is_packed_once() {
    for folder in ["0123", "blobs/sha256"] {
        let fake = Fake::new();
        let above = Tarball::new().file("etc/.wh.os", "").file("etc/new", "new");
        fake.project_file("a.tar", saved(&[system(), above.clone(), above.clone()], folder));
        let base = open(&fake, "docker-archive:a.tar").unwrap();
        let layers = base.layers();
        assert!(layers.iter().all(|layer| layer.descriptor.media_type == GZIP && layer.listing.is_some()));
        assert_eq!(layers[1].diff_id, Digest::of(&above.end()));
        assert_eq!(
            layers.iter().map(|layer| unpacked(&fake, layer)).collect::<Vec<_>>(),
            layers.iter().map(|l| l.diff_id).collect::<Vec<_>>()
        );
        assert_eq!(base.names(&path("/etc")).unwrap(), ["long", "new"]);
        assert_eq!(
            Digest::of(base.config().unwrap()),
            lock(&fake, "docker-archive:a.tar").base.unwrap().platform[0].config.unwrap()
        );
        let lock = lock(&fake, "docker-archive:a.tar");
        fs::remove_file(fake.project.path().join("a.tar")).unwrap();
        let from = "docker-archive:a.tar".parse().unwrap();
        let again =
            Base::locked(&from, Compression::Gzip, &lock.base.unwrap().platform[0], &fake.world(), NOTHING).unwrap();
        assert_eq!(again.layers(), layers, "the store knows all of it");
    }
}

/// Writes an OCI layout of one image.
fn layout(fake: &Fake, layers: &[(&str, Vec<u8>, Vec<u8>)]) {
    let config = config(&layers.iter().map(|(_, tar, _)| Digest::of(tar)).collect::<Vec<_>>());
    let manifest = manifest(&config, layers);
    for bytes in layers.iter().map(|(_, _, bytes)| bytes).chain([&config, &manifest]) {
        fake.project_file(&format!("base/blobs/sha256/{}", Digest::of(bytes).hex()), bytes);
    }
    let entry = json!({ "mediaType": MANIFEST, "digest": Digest::of(&manifest), "size": manifest.len() });
    fake.project_file("base/index.json", json!({ "schemaVersion": 2, "manifests": [entry] }).to_string());
    fake.project_file("base/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[test]
fn an_oci_layout_is_read_where_it_is() {
    let fake = Fake::new();
    layout(&fake, &layers());
    let base = open(&fake, "oci:base").unwrap();
    let made = base.layers();
    assert_eq!(made[0].descriptor.digest, Digest::of(&layers()[0].2));
    assert_eq!(made[2].descriptor.media_type, GZIP, "what is not compressed is packed");
    assert_eq!(base.names(&path("/opt")).unwrap(), ["big", "linked", "version"]);
    assert!(fake.store.size(&made[0].descriptor.digest).is_none(), "read without a copy");
    assert_eq!(text(&base, "/opt/version").as_deref(), Some("8.19.3"));
    base.fetch_layers().unwrap();
    assert!(made.iter().all(|layer| fake.store.size(&layer.descriptor.digest) == Some(layer.descriptor.size)));
}

#[test]
fn a_layout_that_lies_is_refused_and_leaves_nothing() {
    let fake = Fake::new();
    let (said, is) = (system().end(), system().file("more", "no").end());
    layout(&fake, &[(GZIP, said.clone(), gzip(&is))]);
    let base = open(&fake, "oci:base").unwrap();
    let error = fault(base.entry(&path("/etc")).unwrap_err()).to_string();
    assert!(error.contains(&Digest::of(&said).to_string()) && error.contains(&Digest::of(&is).to_string()), "{error}");
    assert!(blobs(&fake).is_empty());
    layout(&fake, &[(PLAIN, said, is)]);
    let error = open(&fake, "oci:base").err().unwrap().to_string();
    assert!(error.contains("it unpacks to"), "{error}");
    assert!(blobs(&fake).is_empty());
}
