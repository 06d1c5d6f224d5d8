//! Manifests and blobs from a registry that lies, stumbles and moves.

use elkbake::bake::port::RawManifest;
use elkbake::digest::Digest;
use elkbake::remote::config::WireConfig;
use elkbake::remote::mirror::Mirrors;

use super::bench::{Bench, bytes, config, error};
use crate::kitchen::registry::{Fault, Image, Registry};

const ALWAYS: usize = usize::MAX;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SMALL: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

#[test]
fn an_image_is_read_from_its_tag_down_to_its_layers() {
    let (server, bench) = (Registry::start(), Bench::new());
    let platforms = ["linux/amd64", "linux/arm64"];
    let oci = server.image("elastic/es", "8", &platforms);
    let docker = server.docker_image("elastic/old", "8", &platforms);
    let images: [(Image, &str, &str); 2] = [
        (oci, "application/vnd.oci.image.index.v1+json", MANIFEST),
        (
            docker,
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ),
    ];
    for (image, index, manifest) in images {
        let reference = server.reference(&format!("{}:8", image.repository));
        let got = bench.manifest(&reference).unwrap();
        assert_eq!((got.digest, got.media_type.as_str()), (image.digest, index));
        for (number, digest) in image.manifests.iter().enumerate() {
            let got = bench.manifest(&reference.at(*digest)).unwrap();
            assert_eq!((got.digest, got.media_type.as_str()), (*digest, manifest));
            let (layer, size) = image.layers[number];
            bench.blob(&reference, layer, size).unwrap();
            assert_eq!(bench.store.size(&layer), Some(size));
            assert_eq!(server.requests_to(&image.blob_path(number)).len(), 1);
            assert!(String::from_utf8_lossy(&got.bytes).contains(&image.configs[number].to_string()));
        }
    }
    assert!(server.requests()[0].header("accept").unwrap().contains("manifest.list.v2+json"));
}

#[test]
fn without_a_tag_it_is_latest_and_with_a_digest_the_digest_counts() {
    let (server, bench) = (Registry::start(), Bench::new());
    let digest = server.manifest("a", Some("latest"), MANIFEST, SMALL);
    let expected = RawManifest { digest, media_type: MANIFEST.to_owned(), bytes: SMALL.to_vec() };
    assert_eq!(bench.manifest(&server.reference("a")).unwrap(), expected);
    assert_eq!(bench.manifest(&server.reference(&format!("a:gone@{digest}"))).unwrap(), expected);
}

#[test]
fn wrong_bytes_are_no_manifest() {
    let (server, bench) = (Registry::start(), Bench::new());
    let digest = server.manifest("a", Some("1"), MANIFEST, SMALL);
    let by_digest = format!("/v2/a/manifests/{digest}");
    server.fault(&by_digest, ALWAYS, Fault::Corrupt);
    let message = error!(bench.manifest(&server.reference(&format!("a@{digest}"))), Wrong);
    assert!(message.contains(&format!("expected {digest}, got sha256:")), "{message}");
    // By tag, the registry's own header is all there is to go by.
    server.fault("/v2/a/manifests/1", 1, Fault::Corrupt);
    let message = error!(bench.manifest(&server.reference("a:1")), Wrong);
    assert!(message.contains(&format!("expected {digest}, got sha256:")), "{message}");
}

#[test]
fn what_is_no_manifest_is_told() {
    let (server, bench) = (Registry::start(), Bench::new());
    for (kind, body, word) in [
        (MANIFEST, &b"not json"[..], "no manifest"),
        (MANIFEST, br#"{"schemaVersion":1}"#, "2016"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", br#"{"schemaVersion":1}"#, "2016"),
        ("application/vnd.oci.artifact.manifest.v1+json", br#"{"schemaVersion":2}"#, "no image"),
        ("text/html", b"<title>Welcome</title>", "Welcome"),
    ] {
        server.manifest("a", Some("1"), kind, body);
        let message = error!(bench.manifest(&server.reference("a:1")), Wrong);
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_manifest_of_ten_gigabytes_is_cut_off() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.manifest("a", Some("1"), MANIFEST, SMALL);
    server.fault("/v2/a/manifests/1", 1, Fault::Endless);
    let message = error!(bench.manifest(&server.reference("a:1")), Wrong);
    assert!(message.contains("4 MiB"), "{message}");
    // What was sent beyond the limit stands in the buffers of sockets. It is known once the server gave up.
    let sent = loop {
        match server.sent("/v2/a/manifests/1") {
            0 => std::thread::yield_now(),
            sent => break sent,
        }
    };
    assert!(sent < 40_000_000, "{sent}");
}

#[test]
fn a_manifest_that_is_cut_short_is_asked_for_again() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.manifest("a", Some("1"), MANIFEST, SMALL);
    server.fault("/v2/a/manifests/1", 2, Fault::Cut(10));
    server.fault("/v2/a/manifests/1", 2, Fault::Status(429, Some("0".to_owned())));
    assert_eq!(bench.manifest(&server.reference("a:1")).unwrap().bytes, SMALL);
    assert_eq!(server.requests().len(), 5);
    server.fault("/v2/a/manifests/1", ALWAYS, Fault::Cut(10));
    let message = error!(bench.manifest(&server.reference("a:1")), Unreachable);
    assert!(message.contains("in the middle") && message.contains("a:1"), "{message}");
}

#[test]
fn the_registrys_own_words_are_repeated() {
    let (server, bench) = (Registry::start(), Bench::new());
    let message = error!(bench.manifest(&server.reference("a:1")), NotFound);
    assert!(message.contains("MANIFEST_UNKNOWN: not known here"), "{message}");
    let absent = Digest::of(b"absent");
    let message = error!(bench.blob(&server.reference("a:1"), absent, 6), NotFound);
    assert!(message.contains("BLOB_UNKNOWN") && message.contains(&absent.to_string()), "{message}");
}

#[test]
fn a_blob_that_is_cut_goes_on_and_is_fetched_once() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(1_000_000);
    let digest = server.blob(&content);
    let path = format!("/v2/a/blobs/{digest}");
    server.fault(&path, 3, Fault::Cut(250_000));
    bench.blob(&server.reference("a"), digest, 1_000_000).unwrap();
    assert_eq!((server.requests().len(), server.sent(&path)), (4, 1_000_000));
    // Whatever the server calls it, the digest names the same bytes.
    assert!(server.requests().iter().all(|request| request.header("if-range").is_none()));
    bench.blob(&server.reference("a"), digest, 1_000_000).unwrap();
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_blob_of_another_size_or_content_is_refused() {
    let (server, bench) = (Registry::start(), Bench::new());
    let content = bytes(10_000);
    let digest = server.blob(&content);
    let path = format!("/v2/a/blobs/{digest}");
    let message = error!(bench.blob(&server.reference("a"), digest, 9_999), Wrong);
    assert!(message.contains("10000") && message.contains("9999"), "{message}");
    server.fault(&path, 1, Fault::Chunked(None));
    let message = error!(bench.blob(&server.reference("a"), digest, 9_999), Wrong);
    assert!(message.contains("more than 9999"), "{message}");
    // In chunks that end as they should, but too early.
    server.fault(&path, ALWAYS, Fault::Chunked(None));
    let message = error!(bench.blob(&server.reference("a"), digest, 10_001), Wrong);
    assert!(message.contains("it has 10000 bytes, and should have 10001"), "{message}");
    let (server, bench) = (Registry::start(), Bench::new());
    server.blob(&content);
    server.fault(&path, 1, Fault::Corrupt);
    let message = error!(bench.blob(&server.reference("a"), digest, 10_000), Wrong);
    assert!(message.contains("expected"), "{message}");
    server.fault(&path, 1, Fault::Page("Log in".to_owned()));
    let message = error!(bench.blob(&server.reference("a"), digest, 10_000), Wrong);
    assert!(message.contains("Log in"), "{message}");
    assert_eq!(bench.blobs(), 0);
    bench.blob(&server.reference("a"), digest, 10_000).unwrap();
}

#[test]
fn an_empty_blob_needs_no_request() {
    let (server, bench) = (Registry::start(), Bench::new());
    bench.blob(&server.reference("a"), Digest::of(b""), 0).unwrap();
    assert_eq!((bench.store.size(&Digest::of(b"")), server.requests().len()), (Some(0), 0));
}

#[test]
fn offline_blobs_come_from_the_store_only() {
    let server = Registry::start();
    let bench = Bench::with(WireConfig { offline: true, ..config() });
    let digest = server.blob(b"content");
    error!(bench.blob(&server.reference("a"), digest, 7), Offline);
    let message = error!(bench.manifest(&server.reference("a:1")), Offline);
    assert!(message.contains("a:1"), "{message}");
    bench.store.put(&mut &b"content"[..], None).unwrap();
    bench.blob(&server.reference("a"), digest, 7).unwrap();
    assert_eq!(server.requests().len(), 0);
}

fn mirrored(server: &Registry, from: &str, path: &str) -> Bench {
    let mirrors = Mirrors::new([(from.to_owned(), format!("{}{path}", server.host()))]).unwrap();
    Bench::with(WireConfig { mirrors, ..config() })
}

#[test]
fn a_mirror_is_asked_instead_and_said_once() {
    let server = Registry::start();
    let bench = mirrored(&server, "docker.elastic.co", "/elastic");
    let digest = server.manifest("elastic/es/es", Some("8"), MANIFEST, SMALL);
    let reference = "docker.elastic.co/es/es:8".parse().unwrap();
    for _ in 0..3 {
        assert_eq!(bench.manifest(&reference).unwrap().digest, digest);
    }
    let note = format!("docker.elastic.co is fetched from the mirror {}/elastic", server.host());
    assert_eq!(bench.notes(), note);
}

#[test]
fn a_mirror_that_has_it_not_is_named_with_the_original() {
    let server = Registry::start();
    let bench = mirrored(&server, "docker.elastic.co", "/elastic");
    let message = error!(bench.manifest(&"docker.elastic.co/es/es:8".parse().unwrap()), NotFound);
    assert!(message.contains("docker.elastic.co/es/es:8"), "{message}");
    assert!(message.contains(&format!("{}/elastic/es/es:8", server.host())), "{message}");
    let mirrors = Mirrors::new([("https://a.b/x".to_owned(), server.url("/files"))]).unwrap();
    let bench = Bench::with(WireConfig { mirrors, ..config() });
    let message = error!(bench.fetch("https://a.b/x/y.zip", None), NotFound);
    assert!(message.contains("https://a.b/x/y.zip") && message.contains(&server.url("/files/y.zip")), "{message}");
    server.file("y.zip", b"content");
    assert!(bench.fetch("https://a.b/x/y.zip", None).is_ok());
}
