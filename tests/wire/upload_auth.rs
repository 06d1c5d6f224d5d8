//! Who may write, what a token has to allow, and what happens when it runs out on the way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elkbake::bake::port::Arrival;
use elkbake::digest::Digest;
use elkbake::remote::config::{Pieces, WireConfig};

use super::bench::{Bench, bytes, chunked, config, error};
use crate::kitchen::registry::{Fault, Guard, Registry};

fn logged_in(server: &Registry, config: WireConfig) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    let auth = STANDARD.encode("me:hunter2");
    std::fs::write(&path, format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, server.host())).unwrap();
    Bench::with(WireConfig { docker_config: Some(path), ..config }).keeping(folder)
}

#[test]
fn a_token_for_writing_is_fetched_once() {
    let server = Registry::start();
    server.guard(Guard::token("me", "hunter2"));
    let bench = logged_in(&server, chunked());
    for size in [900, 3500] {
        bench.send(&server.reference("a/b"), &bytes(size)).unwrap();
        assert!(server.held("a/b", &Digest::of(&bytes(size))).is_some());
    }
    let tokens = server.requests_to("/token");
    assert_eq!(tokens.len(), 1);
    assert!(tokens[0].target.contains("scope=repository%3Aa%2Fb%3Apull%2Cpush"), "{}", tokens[0].target);
    // Looking needs less.
    bench.missing(&server.reference("a/b"), &[Digest::of(b"x")]).unwrap();
    let tokens = server.requests_to("/token");
    assert!(tokens[1].target.contains("scope=repository%3Aa%2Fb%3Apull&") || tokens[1].target.ends_with("%3Apull"));
}

#[test]
fn a_mount_needs_a_token_for_both() {
    let server = Registry::start();
    server.guard(Guard::token("me", "hunter2"));
    let bench = logged_in(&server, chunked());
    let digest = server.blob_in("base/b", &bytes(3500));
    let origin = server.reference("base/b");
    assert_eq!(bench.send_from(&server.reference("a"), digest, 3500, Some(&origin)).unwrap(), Arrival::Mounted);
    let token = &server.requests_to("/token")[0].target;
    assert!(token.contains("scope=repository%3Aa%3Apull%2Cpush"), "{token}");
    assert!(token.contains("scope=repository%3Abase%2Fb%3Apull"), "{token}");
}

#[test]
fn a_token_that_runs_out_on_the_way_is_replaced() {
    for faulty in ["PATCH /v2/a/blobs/uploads/*", "PUT /v2/a/blobs/uploads/*"] {
        for size in [900, 3500, 900_000] {
            let server = Registry::start();
            server.guard(Guard::token("me", "hunter2"));
            let pieces = Pieces { whole: 1000, chunk: if size > 100_000 { 300_000 } else { 1000 } };
            let bench = logged_in(&server, WireConfig { pieces, ..config() });
            server.fault(faulty, 1, Fault::Expire);
            bench.send(&server.reference("a"), &bytes(size)).unwrap();
            assert!(server.held("a", &Digest::of(&bytes(size))).is_some());
        }
    }
    // In the middle of an upload, what was sent before is not sent again.
    let server = Registry::start();
    server.guard(Guard::token("me", "hunter2"));
    let bench = logged_in(&server, chunked());
    server.fault("PATCH /v2/a/blobs/uploads/*", 1, Fault::Headers(Vec::new()));
    server.fault("PATCH /v2/a/blobs/uploads/*", 1, Fault::Expire);
    bench.send(&server.reference("a"), &bytes(3500)).unwrap();
    assert_eq!(server.received("a"), 4500, "one chunk came with a worthless token");
}

#[test]
fn a_registry_that_never_believes_is_not_asked_for_ever() {
    let server = Registry::start();
    server.guard(Guard::token("me", "hunter2"));
    let bench = logged_in(&server, chunked());
    for path in ["PATCH /v2/a/blobs/uploads/*", "PUT /v2/a/blobs/uploads/*"] {
        server.fault(path, usize::MAX, Fault::Expire);
    }
    error!(bench.send(&server.reference("a"), &bytes(3500)), Denied);
    error!(bench.send(&server.reference("a"), &bytes(500)), Denied);
    server.guard(Guard::basic("me", "other"));
    let message = error!(bench.send(&server.reference("b"), &bytes(500)), Denied);
    assert!(message.contains("tried as `me`") && !message.contains("hunter2"), "{message}");
}

#[test]
fn another_server_does_not_hear_who_we_are() {
    let (server, storage) = (Registry::start(), Registry::start());
    server.guard(Guard::basic("me", "hunter2"));
    server.rules(|rules| rules.uploads_at = Some(storage.host()));
    let bench = logged_in(&server, chunked());
    // It knows of no uploads, so this comes to nothing; what counts is what it hears.
    for size in [900, 3500] {
        assert!(bench.send(&server.reference("a"), &bytes(size)).is_err());
    }
    assert!(!storage.requests().is_empty());
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()));
    // When it asks, it is not told either.
    storage.guard(Guard::basic("me", "hunter2"));
    storage.forget();
    assert!(bench.send(&server.reference("a"), &bytes(901)).is_err());
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()));
}
