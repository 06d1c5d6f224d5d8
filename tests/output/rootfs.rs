//! `--output rootfs:FILE`.

use std::io::Read;

use elkbake::bake::output::OutputError;
use elkbake::plan::LayerKind;

use super::{bake, write};
use crate::kitchen::built::{Bakery, Packed, Tarball, files};

/// An image whose second layer removes and replaces, each layer packed in another way.
fn stacked(bakery: &Bakery) -> elkbake::bake::built::Built {
    let base = Tarball::new()
        .folder("etc")
        .file("etc/os", b"base")
        .file("etc/gone", b"gone")
        .hard_link("etc/os2", "etc/os")
        .attribute("user.test", b"value")
        .file("etc/marked", b"marked")
        .device("etc/null", 1, 3);
    let own = Tarball::new().file("etc/.wh.gone", b"").file("etc/os", b"replaced").link("etc/link", "os");
    let layers = vec![
        bakery.layer(LayerKind::Base, base, Packed::Zstd),
        bakery.layer(LayerKind::Archive("own".to_owned()), own, Packed::Gzip),
        bakery.layer(LayerKind::Files, Tarball::new().file("etc/motd", b"hello"), Packed::Plain),
    ];
    bakery.image(&[("linux/amd64", layers)])
}

fn names(tar: &[u8]) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let name = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap()
    };
    archive.entries().unwrap().map(name).collect()
}

#[test]
fn it_is_the_file_system_that_a_container_sees_compressed_as_its_name_says() {
    let bakery = Bakery::new();
    let built = stacked(&bakery);
    for file in ["es.tar", "es.tar.gz", "es.tgz", "es.tar.zst", "again.tar.gz"] {
        write(&bakery, &built, "1", &format!("rootfs:{file}")).unwrap();
    }
    let read = |file: &str| std::fs::read(bakery.path(file)).unwrap();
    let plain = read("es.tar");
    assert_eq!(
        names(&plain),
        ["etc/", "etc/os2", "etc/marked", "etc/null", "etc/os", "etc/link", "etc/motd"],
        "folders first, then layer by layer"
    );
    let mut unpacked = Vec::new();
    flate2::read::MultiGzDecoder::new(&read("es.tar.gz")[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
    assert_eq!(zstd::decode_all(&read("es.tar.zst")[..]).unwrap(), plain);
    assert_eq!(read("es.tar.gz"), read("es.tgz"));
    assert_eq!(read("es.tar.gz"), read("again.tar.gz"));
}

#[test]
fn a_name_that_promises_another_kind_of_file_is_refused() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    for file in ["es.tar.xz", "es.zip", "es", "es.gz"] {
        let error = write(&bakery, &built, "1", &format!("rootfs:{file}")).unwrap_err();
        assert!(error.to_string().contains(".tar.gz"), "{error}");
        assert!(!bakery.path(file).exists());
    }
}

#[test]
fn a_layer_that_is_damaged_or_missing_leaves_the_old_file() {
    let bakery = Bakery::new();
    let built = bake(&bakery, &["linux/amd64"], "one");
    std::fs::create_dir(bakery.path("out")).unwrap();
    std::fs::write(bakery.path("out/es.tar"), "old").unwrap();
    let digest = built.platforms[0].layers[1].descriptor.digest;
    let blob = bakery.path("store/v1/blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    let mut bytes = std::fs::read(&blob).unwrap();
    bytes[20] ^= 1;
    std::fs::remove_file(&blob).unwrap();
    std::fs::write(&blob, bytes).unwrap();
    for (file, damaged) in [("out/es.tar", true), ("out/es.tar", false)] {
        let error = write(&bakery, &built, "1", &format!("rootfs:{file}")).unwrap_err();
        match error {
            OutputError::Damaged { digest: named, .. } => assert!(damaged && named == digest),
            OutputError::Missing { digest: named } => assert!(!damaged && named == digest, "it was dropped"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(files(&bakery.path("out"))["es.tar"], b"old");
    assert_eq!(files(&bakery.path("out")).len(), 1);
}
