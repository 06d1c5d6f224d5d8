//! Writing to the registry that others run: `docker-registry` of the CNCF distribution project, read by `skopeo`.

mod gate;
mod program;
mod tokens;

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elkbake::bake::event::{Event, SILENT};
use elkbake::bake::port::{Arrival, Freight, PortError, Publish, RawManifest, Registry as _};
use elkbake::digest::Digest;
use elkbake::name::Reference;
use elkbake::remote::Wire;
use elkbake::remote::config::{Pieces, Proxies, Timing, WireConfig};
use elkbake::store::Store;
use serde_json::json;

use super::registry::{serve, serve_with};
use super::{program, run};
use crate::wire::tunnel::{Tunnel, authority};
use gate::Gate;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `me` with the password `hunter2`, as `htpasswd -B` writes it.
const PASSWORDS: &str = "me:$2y$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n";

fn open(folder: &Path) -> Store {
    Store::open(&folder.join("store"), SystemTime::UNIX_EPOCH).unwrap()
}

/// An image in a store: a large layer, a small one, a configuration.
struct Image {
    blobs: Vec<(Digest, u64)>,
    manifest: RawManifest,
}

fn image(store: &Store, large: u64) -> Image {
    let put = |from: &mut dyn Read| store.put(from, None).unwrap();
    let large = put(&mut std::io::repeat(7).take(large));
    let small = put(&mut &b"a small layer"[..]);
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [large.0, small.0] },
    });
    let config = put(&mut config.to_string().as_bytes());
    let kind = |part: &str| format!("application/vnd.oci.image.{part}");
    let descriptor =
        |kind: String, (digest, size): (Digest, u64)| json!({ "mediaType": kind, "digest": digest, "size": size });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(kind("config.v1+json"), config),
        "layers": [descriptor(kind("layer.v1.tar"), large), descriptor(kind("layer.v1.tar"), small)],
    });
    let bytes = manifest.to_string().into_bytes();
    let manifest = RawManifest { digest: Digest::of(&bytes), media_type: MANIFEST.to_owned(), bytes };
    Image { blobs: vec![large, small, config], manifest }
}

/// Sends all that is missing, then the manifest.
fn push(wire: &Wire, store: &Store, image: &Image, to: &Reference, origin: Option<&Reference>) -> Vec<Arrival> {
    let digests: Vec<Digest> = image.blobs.iter().map(|(digest, _)| *digest).collect();
    let missing = wire.missing(to, &digests, SILENT).unwrap();
    let absent = image.blobs.iter().filter(|(digest, _)| missing.contains(digest));
    let send = |(digest, size): &(Digest, u64)| {
        wire.send(to, Freight { digest: *digest, size: *size, origin }, store, SILENT).unwrap()
    };
    let arrivals = absent.map(send).collect();
    wire.publish(to, &image.manifest, SILENT).unwrap();
    assert_eq!(wire.held(to, SILENT).unwrap(), Some(image.manifest.digest));
    arrivals
}

/// The client with a login for a registry.
fn logged_in(folder: &Path, host: &str, config: WireConfig) -> Wire {
    let path = folder.join("config.json");
    let auth = STANDARD.encode("me:hunter2");
    std::fs::write(&path, json!({ "auths": { host: { "auth": auth } } }).to_string()).unwrap();
    Wire::new(WireConfig { docker_config: Some(path), ..config }).unwrap()
}

#[test]
fn what_was_pushed_is_read_by_skopeo() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let Some(skopeo) = program(&["skopeo"], "skopeo") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (server, store) = (serve(&registry, folder.path()), open(folder.path()));
    let at = |rest: &str| format!("127.0.0.1:{}/{rest}", server.1).parse::<Reference>().unwrap();
    let wire = Wire::new(WireConfig::default()).unwrap();
    let image = image(&store, 200_000_000);
    let sizes: Vec<u64> = image.blobs.iter().map(|(_, size)| *size).collect();
    assert_eq!(wire.held(&at("elk/es:1"), SILENT).unwrap(), None);
    let error = wire.publish(&at("elk/es:1"), &image.manifest, SILENT).unwrap_err();
    assert!(matches!(error, PortError::Wrong { .. }) && error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
    let sent: Vec<Arrival> = sizes.iter().map(|size| Arrival::Sent(*size)).collect();
    assert_eq!(push(&wire, &store, &image, &at("elk/es:1"), None), sent);
    assert_eq!(push(&wire, &store, &image, &at("elk/es:2"), None), []);
    // Another repository takes them from the first one.
    assert_eq!(push(&wire, &store, &image, &at("other/es:1"), Some(&at("elk/es"))), [Arrival::Mounted; 3]);
    // One under another name of the machine is another registry: they come straight from it.
    let empty = Store::open(&folder.path().join("empty"), SystemTime::UNIX_EPOCH).unwrap();
    let origin: Reference = format!("localhost:{}/elk/es", server.1).parse().unwrap();
    assert_eq!(push(&wire, &empty, &image, &at("third/es:1"), Some(&origin)), sent);
    assert!(image.blobs.iter().all(|(digest, _)| empty.size(digest).is_none()));

    let raw = run(Command::new(&skopeo)
        .args(["inspect", "--raw", "--tls-verify=false"])
        .arg(format!("docker://{}", at("elk/es:1"))));
    assert_eq!(raw.as_bytes(), image.manifest.bytes);
    for reference in [at("third/es:1"), at("other/es").at(image.manifest.digest)] {
        let to = tempfile::tempdir().unwrap();
        run(Command::new(&skopeo)
            .args(["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"])
            .arg(format!("docker://{reference}"))
            .arg(format!("dir:{}", to.path().display())));
        for (digest, size) in &image.blobs {
            assert_eq!(std::fs::metadata(to.path().join(digest.hex())).unwrap().len(), *size);
        }
    }
}

#[test]
fn a_password_and_tls_are_asked_for_and_shown() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let issuer = authority(&at("ca.pem"));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["far.invalid".to_owned()]).unwrap();
    std::fs::write(at("crt.pem"), certificate.signed_by(&key, &issuer).unwrap().pem()).unwrap();
    std::fs::write(at("key.pem"), key.serialize_pem()).unwrap();
    std::fs::write(at("htpasswd"), PASSWORDS).unwrap();
    let auth = format!("auth:\n  htpasswd: {{ realm: kitchen, path: {} }}\n", at("htpasswd").display());
    let tls = format!("  tls: {{ certificate: {}, key: {} }}\n", at("crt.pem").display(), at("key.pem").display());
    let server = serve_with(&registry, folder.path(), &auth, &tls);
    let tunnel = Tunnel::start("200 Connection established", Some(format!("127.0.0.1:{}", server.1)));
    let config = WireConfig {
        proxies: Proxies { https: format!("http://{}", tunnel.host), ..Proxies::default() },
        extra_ca: Some(at("ca.pem")),
        pieces: Pieces { whole: 1 << 20, chunk: 4 << 20 },
        ..WireConfig::default()
    };
    let store = open(folder.path());
    let image = image(&store, 10_000_000);
    let (first, second) = ("far.invalid/a:1".parse().unwrap(), "far.invalid/b:1".parse().unwrap());
    let stranger = Wire::new(config.clone()).unwrap();
    let (digest, size) = image.blobs[0];
    let error = stranger.send(&first, Freight { digest, size, origin: None }, &store, SILENT).unwrap_err();
    assert!(matches!(error, PortError::Denied { .. }), "{error}");
    let wire = logged_in(folder.path(), "far.invalid", config);
    assert_eq!(push(&wire, &store, &image, &first, None).len(), 3);
    assert_eq!(push(&wire, &store, &image, &second, Some(&first)), [Arrival::Mounted; 3]);
    assert_eq!(wire.manifest(&second, SILENT).unwrap(), image.manifest);
}

#[test]
fn a_token_for_each_repository_is_asked_for_and_shown() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let Some(openssl) = program(&["openssl"], "openssl") else { return };
    let folder = tempfile::tempdir().unwrap();
    let tokens = tokens::Tokens::start(&openssl, folder.path());
    let server = serve_with(&registry, folder.path(), &tokens.auth(), "");
    let host = format!("127.0.0.1:{}", server.1);
    let pieces = Pieces { whole: 1 << 20, chunk: 4 << 20 };
    let wire = logged_in(folder.path(), &host, WireConfig { pieces, ..WireConfig::default() });
    let store = open(folder.path());
    let image = image(&store, 10_000_000);
    let (first, second) = (format!("{host}/a:1").parse().unwrap(), format!("{host}/b:1").parse().unwrap());
    assert_eq!(push(&wire, &store, &image, &first, None).len(), 3);
    assert_eq!(push(&wire, &store, &image, &second, Some(&first)), [Arrival::Mounted; 3]);
    let asked = tokens.asked();
    assert!(asked.iter().any(|scopes| scopes == &["repository:a:pull,push"]), "{asked:?}");
    assert!(asked.iter().any(|scopes| scopes == &["repository:b:pull,push", "repository:a:pull"]), "{asked:?}");
}

/// The address of an upload holds for one place in it at this registry. Where it is cut between two chunks, it goes on;
/// in the middle of one, the registry does not know it any more, and it begins anew.
#[test]
fn an_upload_goes_on_after_the_registry_was_stopped() {
    let Some(registry) = program(&["docker-registry", "registry"], "docker-registry") else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (digest, size) = store.put(&mut std::io::repeat(9).take(50_000_000), None).unwrap();
    let timing = Timing { first_wait: Duration::from_millis(1), ..Timing::default() };
    let client = || {
        let pieces = Pieces { whole: 1 << 20, chunk: 8_000_000 };
        Wire::new(WireConfig { pieces, timing, ..WireConfig::default() }).unwrap()
    };
    let server = serve(&registry, folder.path());
    let gate = Gate::start(server.1);
    let into: Reference = format!("127.0.0.1:{}/a", gate.port).parse().unwrap();
    let freight = Freight { digest, size, origin: None };
    gate.close_before_patch(4);
    let error = client().send(&into, freight, &store, SILENT).unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error}");
    assert_eq!(gate.passed(), 24_000_000);
    drop(server);
    let server = serve(&registry, folder.path());
    gate.open_to(server.1);
    assert_eq!(client().send(&into, freight, &store, SILENT).unwrap(), Arrival::Sent(26_000_000));
    assert_eq!(gate.passed(), 50_000_000, "no byte went twice");
    assert!(client().missing(&into, &[digest], SILENT).unwrap().is_empty());

    // In the middle of a chunk, and within one run.
    let into: Reference = format!("127.0.0.1:{}/b", gate.port).parse().unwrap();
    gate.cut_after(13_000_000);
    let notes = std::sync::Mutex::new(String::new());
    let tell = |event: Event<'_>| {
        if let Event::Note(note) = event {
            notes.lock().unwrap().push_str(note);
        }
    };
    client().send(&into, freight, &store, &tell).unwrap();
    assert!(client().missing(&into, &[digest], SILENT).unwrap().is_empty());
    let notes = notes.into_inner().unwrap();
    assert!(notes.contains("does not know the upload any more"), "{notes}");
}
