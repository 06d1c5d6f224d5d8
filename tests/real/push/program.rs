//! The program itself against Debian's registry, with TLS, and with passwords or tokens.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::program;
use super::super::registry::serve_with;
use super::PASSWORDS;
use super::tokens::Tokens;
use crate::build::recipe;
use crate::kitchen::project::Kitchen;
use crate::push::killed::noise;
use crate::wire::tunnel::{Tunnel, authority};

/// A certificate for `far.invalid`, and of the authority that nobody else knows.
fn tls(folder: &Path, project: &Path) -> String {
    let issuer = authority(&project.join("ca.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["far.invalid".to_owned()]).unwrap();
    let (crt, pem) = (folder.join("crt.pem"), folder.join("key.pem"));
    std::fs::write(&crt, certificate.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(&pem, key.serialize_pem()).unwrap();
    format!("  tls: {{ certificate: {}, key: {} }}\n", crt.display(), pem.display())
}

/// A project on a machine that never saw it, with a login for a registry.
fn project(registry: &str) -> Kitchen {
    let auth = STANDARD.encode("me:hunter2");
    let kitchen = Kitchen::new()
        .recipe("app", &recipe("scratch", ""))
        .file("images/app/big", noise(48 << 20, 11))
        .file("images/app/small", "small\n")
        .file("docker/config.json", json!({ "auths": { registry: { "auth": auth } } }).to_string())
        .file("elkbake.toml", format!("[target.far]\nregistry = \"{registry}/team\"\nmanifest = \"far.json\"\n"));
    let docker = kitchen.project().join("docker").display().to_string();
    kitchen.env("DOCKER_CONFIG", &docker)
}

/// Starts a push and kills it soon after the registry has something of an upload.
fn kill(kitchen: &Kitchen, uploads: &Path, later: Duration) {
    let mut child = kitchen.command(&["push", "--target", "far", "--quiet"]).spawn().unwrap();
    let begun = Instant::now();
    while std::fs::read_dir(uploads).map_or(0, Iterator::count) == 0 && begun.elapsed() < Duration::from_secs(60) {
        assert!(child.try_wait().unwrap().is_none(), "it came to its end");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(later);
    assert!(child.try_wait().unwrap().is_none(), "it came to its end before it was killed");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Pushes from nothing, is killed five times, and ends with one image, one tag and one record in the registry's folder.
fn push_in_spite_of_kills(kitchen: &Kitchen, folder: &Path) {
    let there = folder.join("storage/docker/registry/v2/repositories/team/app");
    for round in 0..5 {
        kill(kitchen, &there.join("_uploads"), Duration::from_millis(round * 7));
        assert!(!kitchen.has("far.json"), "nothing is recorded that is not there");
    }
    kitchen.run(&["push", "--target", "far"]).success();
    kitchen.run(&["push", "--target", "far"]).success().says("was there");
    kitchen.run(&["verify", "--target", "far"]).success().says("as recorded");
    let manifest: Value = serde_json::from_str(&kitchen.read("far.json")).unwrap();
    let (recipes, app) = (manifest["recipes"].as_object().unwrap(), &manifest["recipes"]["app"]);
    assert_eq!((recipes.len(), app["history"].as_array().unwrap().len()), (1, 0));
    let digest = app["current"]["digest"].as_str().unwrap();
    assert_eq!(kitchen.build("app")["digest"], digest);
    let tags: Vec<_> = std::fs::read_dir(there.join("_manifests/tags")).unwrap().collect();
    assert_eq!(tags.len(), 1);
    let link = there.join("_manifests/tags").join(app["current"]["tag"].as_str().unwrap()).join("current/link");
    assert_eq!(std::fs::read_to_string(link).unwrap(), digest);
    let manifests = std::fs::read_dir(there.join("_manifests/revisions/sha256")).unwrap();
    assert_eq!(manifests.count(), 1);
}

#[test]
fn a_push_from_nothing_that_is_killed_five_times_gets_there_by_tls_with_a_password() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let folder = tempfile::tempdir().unwrap();
    let passwords = folder.path().join("htpasswd");
    std::fs::write(&passwords, PASSWORDS).unwrap();
    let auth = format!("auth:\n  htpasswd: {{ realm: kitchen, path: {} }}\n", passwords.display());
    let kitchen = project("far.invalid");
    let server = serve_with(&registry, folder.path(), &auth, &tls(folder.path(), &kitchen.project()));
    let tunnel = Tunnel::start("200 Connection established", Some(format!("127.0.0.1:{}", server.1)));
    let text = kitchen.read("elkbake.toml") + "[defaults]\nca = \"ca.pem\"\n";
    kitchen.write("elkbake.toml", text);
    push_in_spite_of_kills(&kitchen.env("HTTPS_PROXY", &format!("http://{}", tunnel.host)), folder.path());
}

#[test]
fn a_push_from_nothing_that_is_killed_five_times_gets_there_with_tokens() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let Some(openssl) = program(&["openssl"], "openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::start(&openssl, folder.path());
    let server = serve_with(&registry, folder.path(), &tokens.auth(), "");
    push_in_spite_of_kills(&project(&format!("127.0.0.1:{}", server.1)), folder.path());
    let asked = tokens.asked();
    assert!(asked.iter().any(|scopes| scopes == &["repository:team/app:pull,push"]), "{asked:?}");
}
