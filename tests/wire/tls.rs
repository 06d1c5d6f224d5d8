//! Over TLS, with an authority of our own.

use std::path::Path;
use std::sync::Arc;

use elkbake::remote::config::{Proxies, WireConfig};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::bench::{Bench, config, error};
use super::tunnel::{self, Tunnel};
use crate::kitchen::registry::{Fault, Guard, Registry};

/// A registry behind TLS that calls itself `far.invalid`, and writes down whom to believe.
fn secure(authority: &Path) -> Registry {
    let issuer = tunnel::authority(authority);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["far.invalid".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let server = Arc::new(server);
    Registry::start_with(move |stream, serve| {
        let connection = ServerConnection::new(Arc::clone(&server)).unwrap();
        serve(Box::new(StreamOwned::new(connection, stream)));
    })
}

/// A client that reaches `far.invalid` through a tunnel, and believes an authority.
fn client(server: &Registry, authority: &Path) -> (Bench, Tunnel) {
    let tunnel = Tunnel::start("200 Connection established", Some(server.host()));
    let proxies = Proxies { https: format!("http://{}", tunnel.host), ..Proxies::default() };
    (Bench::with(WireConfig { proxies, extra_ca: Some(authority.to_owned()), ..config() }), tunnel)
}

#[test]
fn a_registry_behind_tls_and_a_tunnel_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let server = secure(&authority);
    let (bench, _tunnel) = client(&server, &authority);
    let image = server.image("a/b", "1", &["linux/amd64"]);
    let reference = "far.invalid/a/b:1".parse().unwrap();
    assert_eq!(bench.manifest(&reference).unwrap().digest, image.digest);
    let (layer, size) = image.layers[0];
    server.fault(&image.blob_path(0), 1, Fault::Cut(50));
    bench.blob(&reference, layer, size).unwrap();
    assert_eq!(server.requests()[0].target, "/v2/a/b/manifests/1");
}

#[test]
fn an_unknown_authority_is_not_believed_and_not_asked_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (folder.path().join("ca.pem"), folder.path().join("other.pem"));
    let server = secure(&authority);
    drop(secure(&other));
    let (bench, tunnel) = client(&server, &other);
    let message = error!(bench.manifest(&"far.invalid/a:1".parse().unwrap()), Unreachable);
    assert!(message.contains("certificate") && message.contains("authority"), "{message}");
    assert_eq!(tunnel.heads.lock().unwrap().len(), 1);
    let (bench, _tunnel) = client(&server, &authority);
    let message = error!(bench.manifest(&"near.invalid/a:1".parse().unwrap()), Unreachable);
    assert!(message.contains("certificate") && message.contains("near.invalid"), "{message}");
}

#[test]
fn there_is_no_way_from_https_to_http() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let (server, plain) = (secure(&authority), Registry::start());
    let (bench, _tunnel) = client(&server, &authority);
    let path = plain.file("a.zip", b"content");
    server.fault(&path, 1, Fault::Redirect(plain.url(&path)));
    let message = error!(bench.fetch(&format!("https://far.invalid{path}"), None), Wrong);
    assert!(message.contains("from https to http"), "{message}");
    server.image("a", "1", &["linux/amd64"]);
    server.guard(Guard::anonymous_token());
    let message = error!(bench.manifest(&"far.invalid/a:1".parse().unwrap()), Wrong);
    assert!(message.contains("not https") && message.contains("/token"), "{message}");
    assert_eq!(plain.requests().len(), 0);
}

#[test]
fn a_file_of_authorities_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let server = secure(&authority);
    std::fs::write(&authority, "nonsense").unwrap();
    let (bench, _tunnel) = client(&server, &authority);
    let message = error!(bench.manifest(&"far.invalid/a:1".parse().unwrap()), Unreachable);
    assert!(message.contains("ca.pem"), "{message}");
}
