//! Who we are, to whom we say it, and to whom not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elkbake::digest::Digest;
use elkbake::remote::config::{Timing, WireConfig};

use super::bench::{Bench, bytes, config, error};
use crate::kitchen::registry::{Fault, Guard, Registry};
use crate::kitchen::script;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SMALL: &[u8] = br#"{"schemaVersion":2}"#;

/// A client with a Docker configuration; `HOST` stands for the registry's host.
fn with_docker_config(server: &Registry, json: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, json.replace("HOST", &server.host())).unwrap();
    Bench::with(WireConfig { docker_config: Some(path), ..config() }).keeping(folder)
}

fn with_login(server: &Registry, user: &str, password: &str) -> Bench {
    let auth = STANDARD.encode(format!("{user}:{password}"));
    with_docker_config(server, &format!(r#"{{"auths":{{"HOST":{{"auth":"{auth}"}}}}}}"#))
}

fn server(guard: Guard) -> Registry {
    let server = Registry::start();
    server.manifest("a/b", Some("1"), MANIFEST, SMALL);
    server.guard(guard);
    server
}

#[test]
fn nobody_gets_a_token_that_is_used_until_it_expires() {
    let server = server(Guard::anonymous_token());
    let bench = Bench::new();
    let reference = server.reference("a/b:1");
    for _ in 0..3 {
        bench.manifest(&reference).unwrap();
    }
    let paths: Vec<String> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    let manifest = "/v2/a/b/manifests/1";
    assert_eq!(paths, [manifest, "/token", manifest, manifest, manifest]);
    assert!(server.requests()[1].target.contains("scope=repository%3Aa%2Fb%3Apull"));
    assert!(server.requests()[1].target.contains("service=kitchen"));
    // A token that no longer holds is replaced, once.
    server.expire_tokens();
    server.forget();
    bench.manifest(&reference).unwrap();
    let paths: Vec<String> = server.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, [manifest, "/token", manifest]);
}

#[test]
fn a_token_that_does_not_live_long_is_not_used_again() {
    let guard = Guard::Token { users: Vec::new(), identity: None, life: 0, header: None };
    let server = server(guard);
    let bench = Bench::new();
    bench.manifest(&server.reference("a/b:1")).unwrap();
    bench.manifest(&server.reference("a/b:1")).unwrap();
    assert_eq!(server.requests_to("/token").len(), 2);
}

#[test]
fn a_token_holds_for_one_repository_and_is_fetched_once_for_many_threads() {
    let server = server(Guard::anonymous_token());
    server.manifest("c", Some("1"), MANIFEST, SMALL);
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let reference = server.reference(if n % 2 == 0 { "a/b:1" } else { "c:1" });
            let bench = &bench;
            scope.spawn(move || bench.manifest(&reference).unwrap());
        }
    });
    assert_eq!(server.requests_to("/token").len(), 2);
}

#[test]
fn a_token_that_is_never_accepted_is_not_asked_for_forever() {
    let header = "Bearer realm=\"{realm}\",service=\"kitchen\",scope=\"other\"";
    let guard = Guard::Token { users: Vec::new(), identity: None, life: 300, header: Some(header.to_owned()) };
    let server = server(guard);
    let message = error!(Bench::new().manifest(&server.reference("a/b:1")), Denied);
    assert!(message.contains("UNAUTHORIZED: authentication required"), "{message}");
    assert!(message.contains("tried as nobody") && message.contains("docker login"), "{message}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_password_gets_a_token() {
    let server = server(Guard::token("me", "hunter2"));
    with_login(&server, "me", "hunter2").manifest(&server.reference("a/b:1")).unwrap();
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), None);
    assert_eq!(requests[2].header("authorization"), Some("Bearer token-1"));
}

#[test]
fn a_wrong_password_is_told_without_it() {
    for guard in [Guard::token("me", "hunter2"), Guard::basic("me", "hunter2")] {
        let server = server(guard);
        let message = error!(with_login(&server, "me", "hunter3").manifest(&server.reference("a/b:1")), Denied);
        assert!(message.contains("tried as `me`") && message.contains("401"), "{message}");
        assert!(!message.contains("hunter3") && !message.contains("aHVudGVyMw"), "{message}");
    }
}

#[test]
fn an_identity_token_is_exchanged() {
    let guard = Guard::Token { users: vec![], identity: Some("long-lived".to_owned()), life: 300, header: None };
    let server = server(guard);
    let bench = with_docker_config(&server, r#"{"auths":{"HOST":{"auth":"","identitytoken":"long-lived"}}}"#);
    bench.manifest(&server.reference("a/b:1")).unwrap();
    let request = &server.requests_to("/token")[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/token"));
    assert!(!request.headers.contains_key("authorization"));
}

#[test]
fn basic_credentials_are_shown_to_whom_they_belong() {
    let server = server(Guard::basic("me", "a:b"));
    let bench = with_login(&server, "me", "a:b");
    bench.manifest(&server.reference("a/b:1")).unwrap();
    bench.manifest(&server.reference("a/b:1")).unwrap();
    assert_eq!(server.requests().len(), 3);
    let message = error!(Bench::new().manifest(&server.reference("a/b:1")), Denied);
    assert!(message.contains("no credentials") && message.contains("docker login"), "{message}");
}

#[test]
fn a_broken_configuration_is_named_when_it_is_needed() {
    let server = server(Guard::Open);
    let bench = with_docker_config(&server, "{\"auths\": hunter2");
    bench.manifest(&server.reference("a/b:1")).unwrap();
    server.guard(Guard::basic("me", "x"));
    let message = error!(bench.manifest(&server.reference("a/b:1")), Denied);
    assert!(message.contains("config.json:1:") && !message.contains("hunter2"), "{message}");
}

#[test]
fn other_ways_to_show_who_one_is_are_named() {
    let guard = Guard::Token { users: vec![], identity: None, life: 300, header: Some("Negotiate, NTLM".to_owned()) };
    let server = server(guard);
    let message = error!(Bench::new().manifest(&server.reference("a/b:1")), Denied);
    assert!(message.contains("negotiate, ntlm"), "{message}");
}

#[test]
fn tokens_are_not_fetched_from_anywhere() {
    for (realm, word) in [("ftp://a/b", "ftp"), ("", "where tokens are"), ("/token", "where tokens are")] {
        let header = Some(format!("Bearer realm=\"{realm}\""));
        let server = server(Guard::Token { users: vec![], identity: None, life: 300, header });
        let message = error!(Bench::new().manifest(&server.reference("a/b:1")), Wrong);
        assert!(message.contains(word), "{message}");
    }
}

#[test]
fn a_token_server_in_trouble_is_asked_again() {
    let server = server(Guard::anonymous_token());
    server.fault("/token", 2, Fault::Status(503, None));
    Bench::new().manifest(&server.reference("a/b:1")).unwrap();
    assert_eq!(server.requests_to("/token").len(), 3);
    server.expire_tokens();
    server.fault("/token", 1, Fault::Page("Log in".to_owned()));
    let message = error!(Bench::new().manifest(&server.reference("a/b:1")), Wrong);
    assert!(message.contains("without a token"), "{message}");
}

/// A client with a configuration, and the program `docker-credential-kitchen`.
fn with_program(server: &Registry, json: &str, script: &str, limit: Duration) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("docker-credential-kitchen");
    script::write(&program, &format!("#!/bin/sh\n{script}\n"));
    let path = folder.path().join("config.json");
    std::fs::write(&path, json.replace("HOST", &server.host())).unwrap();
    let search_path = vec![folder.path().to_owned()];
    let timing = Timing { credentials: limit, ..config().timing };
    Bench::with(WireConfig { docker_config: Some(path), search_path, timing, ..config() }).keeping(folder)
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_program_knows_the_password() {
    let script = r#"read server; test "$1" = get && echo "{\"Username\":\"me\",\"Secret\":\"for $server\"}""#;
    for json in [r#"{"credsStore":"kitchen"}"#, r#"{"credHelpers":{"HOST":"kitchen"},"credsStore":"none"}"#] {
        let server = Registry::start();
        server.manifest("a/b", Some("1"), MANIFEST, SMALL);
        server.guard(Guard::basic("me", &format!("for {}", server.host())));
        with_program(&server, json, script, LONG).manifest(&server.reference("a/b:1")).unwrap();
    }
}

#[test]
fn a_program_that_knows_nothing_leaves_it_to_the_file() {
    let server = server(Guard::basic("me", "hunter2"));
    let auth = STANDARD.encode("me:hunter2");
    let json = format!(r#"{{"credsStore":"kitchen","auths":{{"HOST":{{"auth":"{auth}"}}}}}}"#);
    let script = "echo credentials not found in native keychain; exit 1";
    with_program(&server, &json, script, LONG).manifest(&server.reference("a/b:1")).unwrap();
}

#[test]
fn a_program_that_fails_hangs_or_is_not_there_is_named() {
    let server = server(Guard::basic("me", "hunter2"));
    for (script, limit, word) in [
        ("echo the vault is sealed; exit 1", LONG, "the vault is sealed"),
        ("exec sleep 100", Duration::from_millis(20), "does not answer within"),
        ("echo '{\"Secret\":\"hunter3\"}'", LONG, "does not answer as it should"),
    ] {
        let bench = with_program(&server, r#"{"credsStore":"kitchen"}"#, script, limit);
        let message = error!(bench.manifest(&server.reference("a/b:1")), Denied);
        assert!(message.contains(word) && message.contains("docker-credential-kitchen"), "{message}");
        assert!(!message.contains("hunter3"), "{message}");
    }
    let bench = with_program(&server, r#"{"credsStore":"absent"}"#, "", LONG);
    let message = error!(bench.manifest(&server.reference("a/b:1")), Denied);
    assert!(message.contains("docker-credential-absent") && message.contains("PATH"), "{message}");
}

#[test]
fn credentials_stay_behind_when_a_blob_is_elsewhere() {
    let (server, elsewhere) = (server(Guard::basic("me", "hunter2")), Registry::start());
    let content = bytes(100_000);
    let digest = server.blob(&content);
    let there = elsewhere.file("blob", &content);
    let path = format!("/v2/a/b/blobs/{digest}");
    let bench = with_login(&server, "me", "hunter2");
    bench.manifest(&server.reference("a/b:1")).unwrap();
    server.forget();
    server.fault(&path, usize::MAX, Fault::Redirect(format!("{}?X-Signature=s", elsewhere.url(&there))));
    elsewhere.fault(&there, 1, Fault::Cut(50_000));
    bench.blob(&server.reference("a/b"), digest, 100_000).unwrap();
    let requests = elsewhere.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
    // The signature may have run out: each part is asked for at the registry first.
    assert_eq!(server.requests_to(&path).len(), 2);
    assert!(server.requests().iter().all(|request| request.headers.contains_key("authorization")));
    assert_eq!(requests[1].header("range"), Some("bytes=50000-"));
}

#[test]
fn whoever_is_redirected_to_gets_no_credentials_by_asking() {
    let (server, elsewhere) = (server(Guard::basic("me", "hunter2")), Registry::start());
    elsewhere.guard(Guard::token("me", "hunter2"));
    let digest = Digest::of(b"x");
    let path = format!("/v2/a/b/blobs/{digest}");
    server.fault(&path, usize::MAX, Fault::Redirect(elsewhere.url("/files/x")));
    let bench = with_login(&server, "me", "hunter2");
    error!(bench.blob(&server.reference("a/b"), digest, 1), Denied);
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(elsewhere.requests()[0].header("authorization"), None);
}

#[test]
fn netrc_opens_private_download_sites() {
    let (server, elsewhere) = (Registry::start(), Registry::start());
    let path = server.file("a.zip", b"content");
    let folder = tempfile::tempdir().unwrap();
    let netrc = folder.path().join(".netrc");
    std::fs::write(&netrc, "default login me password hunter2\n").unwrap();
    let with = |netrc| Bench::with(WireConfig { netrc, ..config() });
    server.guard(Guard::basic("me", "hunter2"));
    with(Some(netrc.clone())).fetch(&server.url(&path), None).unwrap();
    let message = error!(with(None).fetch(&server.url(&path), None), Denied);
    assert!(message.contains(".netrc has no entry for 127.0.0.1"), "{message}");
    // The entry for all hosts is not for those that only a redirect names.
    elsewhere.file("a.zip", b"content");
    server.fault(&path, 1, Fault::Redirect(elsewhere.url("/files/a.zip")));
    with(Some(netrc.clone())).fetch(&server.url(&path), None).unwrap();
    assert_eq!(elsewhere.requests()[0].header("authorization"), None);
    std::fs::write(&netrc, "machine 127.0.0.1 login me password wrong").unwrap();
    let message = error!(with(Some(netrc)).fetch(&server.url(&path), None), Denied);
    assert!(message.contains("tried as `me`") && !message.contains("wrong"), "{message}");
}
