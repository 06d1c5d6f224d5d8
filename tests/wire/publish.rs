//! What is there, what is missing, and manifests under their names.

use elkbake::digest::Digest;

use super::bench::{Bench, bytes, error};
use crate::kitchen::registry::{Fault, Immutable, Registry};

const ALWAYS: usize = usize::MAX;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const SMALL: &[u8] = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;
const OTHER: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","annotations":{}}"#;

#[test]
fn what_a_tag_holds_is_one_question() {
    let (server, bench) = (Registry::start(), Bench::new());
    assert_eq!(bench.held(&server.reference("a/b:1")).unwrap(), None);
    let digest = server.manifest("a/b", Some("1"), MANIFEST, SMALL);
    server.forget();
    assert_eq!(bench.held(&server.reference("a/b:1")).unwrap(), Some(digest));
    assert_eq!(bench.held(&server.reference("a/b").at(digest)).unwrap(), Some(digest));
    // With both, the tag is the question.
    let absent = format!("a/b:1@{}", Digest::of(b"absent"));
    assert_eq!(bench.held(&server.reference(&absent)).unwrap(), Some(digest));
    assert_eq!(server.lines()[0], "HEAD /v2/a/b/manifests/1");
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests()[0].header("accept").unwrap().contains("manifest.list.v2+json"));
    let name_unknown = Fault::As(404);
    server.fault("/v2/a/b/manifests/1", 1, name_unknown);
    assert_eq!(bench.held(&server.reference("a/b:1")).unwrap(), None);
}

#[test]
fn where_no_digest_is_said_the_bytes_tell() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.rules(|rules| rules.says_digest = false);
    let digest = server.manifest("a/b", Some("1"), MANIFEST, SMALL);
    assert_eq!(bench.held(&server.reference("a/b:1")).unwrap(), Some(digest));
    assert_eq!(server.lines(), ["HEAD /v2/a/b/manifests/1", "GET /v2/a/b/manifests/1"]);
    server.forget();
    bench.publish(&server.reference("a/b:2"), MANIFEST, SMALL).unwrap();
    assert_eq!(server.lines(), ["PUT /v2/a/b/manifests/2", "HEAD /v2/a/b/manifests/2", "GET /v2/a/b/manifests/2"]);
}

#[test]
fn a_registry_that_holds_another_manifest_under_a_digest_lies() {
    let (server, bench) = (Registry::start(), Bench::new());
    let digest = server.manifest("a", None, MANIFEST, SMALL);
    let lie = Fault::Headers(vec![("Docker-Content-Digest".to_owned(), Digest::of(b"lie").to_string())]);
    server.fault("/v2/a*", ALWAYS, lie);
    let message = error!(bench.held(&server.reference("a").at(digest)), Wrong);
    assert!(message.contains(&format!("expected {digest}, got")), "{message}");
    let message = error!(bench.publish(&server.reference("a:1"), MANIFEST, SMALL), Wrong);
    assert!(message.contains(&Digest::of(b"lie").to_string()) && message.contains(&digest.to_string()), "{message}");
    server.blob(b"blob");
    error!(bench.missing(&server.reference("a"), &[Digest::of(b"blob")]), Wrong);
}

#[test]
fn what_is_missing_is_asked_for_each_blob() {
    let (server, bench) = (Registry::start(), Bench::new());
    let blobs: Vec<Digest> = (0..40_u8).map(|n| Digest::of(&[n])).collect();
    for n in (0..40_u8).step_by(2) {
        server.blob_in("a", &[n]);
    }
    for n in (1..40_u8).step_by(2) {
        server.blob_in("b", &[n]);
    }
    server.fault("/v2/a/blobs/*", 20, Fault::Status(503, None));
    let missing = bench.missing(&server.reference("a"), &blobs);
    let expected = (1..40_u8).step_by(2).map(|n| Digest::of(&[n])).collect();
    // Twenty stumbles in a row are not too many for eight that ask.
    assert_eq!(missing.unwrap(), expected);
    assert_eq!(bench.missing(&server.reference("none"), &blobs).unwrap().len(), 40);
    assert!(bench.missing(&server.reference("a"), &[]).unwrap().is_empty());
    server.fault("/v2/a/blobs/*", 1, Fault::Status(403, None));
    error!(bench.missing(&server.reference("a"), &blobs), Denied);
}

#[test]
fn a_manifest_gets_its_tag_or_its_digest() {
    let (server, bench) = (Registry::start(), Bench::new());
    let digest = Digest::of(SMALL);
    bench.publish(&server.reference("a").at(digest), MANIFEST, SMALL).unwrap();
    assert_eq!(server.named("a", &digest.to_string()), Some((MANIFEST.to_owned(), SMALL.to_vec())));
    bench.publish(&server.reference("a:1"), MANIFEST, SMALL).unwrap();
    assert_eq!(server.named("a", "1"), Some((MANIFEST.to_owned(), SMALL.to_vec())));
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}"}}]}}"#);
    bench.publish(&server.reference("a:2"), INDEX, index.as_bytes()).unwrap();
    assert_eq!(server.named("a", "2").unwrap().0, INDEX);
    assert_eq!(server.lines().len(), 3);
}

#[test]
fn a_storm_is_weathered_and_a_lost_answer_does_no_harm() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.rules(|rules| rules.immutable = Immutable::Twice);
    for status in [429, 500, 502, 503] {
        server.fault("/v2/a/manifests/1", 1, Fault::Status(status, None));
    }
    server.fault("/v2/a/manifests/2", 1, Fault::HangUp);
    bench.publish(&server.reference("a:1"), MANIFEST, SMALL).unwrap();
    bench.publish(&server.reference("a:2"), MANIFEST, SMALL).unwrap();
    assert_eq!(server.named("a", "2").unwrap().1, SMALL);
}

#[test]
fn a_tag_that_is_another_manifests_for_good_stays_so() {
    for rule in [Immutable::Moved, Immutable::Twice] {
        let (server, bench) = (Registry::start(), Bench::new());
        server.rules(|rules| rules.immutable = rule);
        bench.publish(&server.reference("a:1"), MANIFEST, SMALL).unwrap();
        // The same once more is success, whatever the registry says.
        bench.publish(&server.reference("a:1"), MANIFEST, SMALL).unwrap();
        let message = error!(bench.publish(&server.reference("a:1"), MANIFEST, OTHER), Immutable);
        assert!(message.contains(&Digest::of(SMALL).to_string()), "{message}");
        assert!(message.contains(&Digest::of(OTHER).to_string()), "{message}");
        assert!(message.contains("immutable"), "{message}");
        assert_eq!(server.named("a", "1").unwrap().1, SMALL);
    }
}

#[test]
fn a_manifest_whose_blobs_are_not_there_says_which() {
    let (server, bench) = (Registry::start(), Bench::new());
    let blob = Digest::of(b"layer");
    let manifest = format!(r#"{{"schemaVersion":2,"layers":[{{"digest":"{blob}"}}]}}"#);
    let message = error!(bench.publish(&server.reference("a:1"), MANIFEST, manifest.as_bytes()), Wrong);
    assert!(message.contains("MANIFEST_BLOB_UNKNOWN") && message.contains(&blob.to_string()), "{message}");
    assert!(message.contains("push again"), "{message}");
    server.blob_in("a", b"layer");
    bench.publish(&server.reference("a:1"), MANIFEST, manifest.as_bytes()).unwrap();
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{{"digest":"{blob}"}}]}}"#);
    let message = error!(bench.publish(&server.reference("a:2"), INDEX, index.as_bytes()), Wrong);
    assert!(message.contains("MANIFEST_UNKNOWN"), "{message}");
}

#[test]
fn other_refusals_are_told_as_they_are() {
    let (server, bench) = (Registry::start(), Bench::new());
    server.fault("/v2/a/manifests/1", 1, Fault::Status(403, None));
    error!(bench.publish(&server.reference("a:1"), MANIFEST, SMALL), Denied);
    server.fault("/v2/a/manifests/1", 1, Fault::Status(404, None));
    error!(bench.publish(&server.reference("a:1"), MANIFEST, SMALL), NotFound);
    server.fault("/v2/a/manifests/1", 1, Fault::Status(405, None));
    error!(bench.publish(&server.reference("a:1"), MANIFEST, SMALL), Unreachable);
    server.fault("/v2/a/manifests/1", ALWAYS, Fault::Status(503, None));
    let message = error!(bench.publish(&server.reference("a:1"), MANIFEST, SMALL), Unreachable);
    assert!(message.contains("5 times in a row"), "{message}");
}

#[test]
fn a_large_manifest_goes_out_whole() {
    let (server, bench) = (Registry::start(), Bench::new());
    let text: String = bytes(1_000_000).iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    let manifest = format!(r#"{{"schemaVersion":2,"annotations":{{"a":"{text}"}}}}"#);
    bench.publish(&server.reference("a:1"), MANIFEST, manifest.as_bytes()).unwrap();
    assert_eq!(server.named("a", "1").unwrap().1, manifest.as_bytes());
}
