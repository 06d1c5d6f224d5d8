//! Through forward proxies and tunnels.

use elkbake::remote::config::{Proxies, WireConfig};
use elkbake::remote::{Wire, WireError};

use super::bench::{Bench, config, error};
use super::tunnel::{Tunnel, authority};
use crate::kitchen::registry::{Fault, Registry};

fn through(proxies: Proxies) -> Bench {
    Bench::with(WireConfig { proxies, ..config() })
}

#[test]
fn plain_addresses_are_asked_for_in_full() {
    // The registry answers as a proxy does: whatever the host, it knows the path.
    let (proxy, bench) = {
        let proxy = Registry::start();
        let http = format!("http://me:hunter2@{}", proxy.host());
        (proxy, through(Proxies { http, ..Proxies::default() }))
    };
    let path = proxy.file("a.zip", b"content");
    bench.fetch(&format!("http://far.invalid{path}"), None).unwrap();
    let request = &proxy.requests()[0];
    assert_eq!(request.target, format!("http://far.invalid{path}"));
    assert_eq!(request.header("host"), Some("far.invalid"));
    assert_eq!(request.header("proxy-authorization"), Some("Basic bWU6aHVudGVyMg=="));
    // The machine itself is not asked for that way.
    bench.fetch(&proxy.url(&proxy.file("b.zip", b"other")), None).unwrap();
    assert_eq!(proxy.requests()[1].target, "/files/b.zip");
    assert_eq!(proxy.requests().len(), 2);
}

#[test]
fn a_proxy_that_wants_a_password_says_so() {
    let proxy = Registry::start();
    let bench = through(Proxies { http: proxy.host(), ..Proxies::default() });
    proxy.fault("/x", 1, Fault::Status(407, None));
    let message = error!(bench.fetch("http://far.invalid/x", None), Denied);
    assert!(message.contains("the proxy asks for credentials"), "{message}");
}

#[test]
fn a_wrong_proxy_is_refused_at_the_start() {
    let proxies = Proxies { https: "socks5://me:hunter2@proxy:1080".to_owned(), ..Proxies::default() };
    let error = Wire::new(WireConfig { proxies, ..config() }).err().unwrap();
    assert!(matches!(error, WireError::Proxy { variable: "HTTPS_PROXY", .. }));
    assert!(error.to_string().contains("socks5") && !error.to_string().contains("hunter2"), "{error}");
}

/// A client that believes somebody, on machines without certificates too.
fn through_tunnel(proxies: Proxies) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    drop(authority(&path));
    Bench::with(WireConfig { proxies, extra_ca: Some(path), ..config() }).keeping(folder)
}

#[test]
fn secure_addresses_go_through_a_tunnel() {
    let tunnel = Tunnel::start("403 Forbidden", None);
    let https = format!("http://me:hunter2@{}", tunnel.host);
    let bench = through_tunnel(Proxies { https, ..Proxies::default() });
    let message = error!(bench.fetch("https://far.invalid/x?signature=s", None), Unreachable);
    assert!(message.contains("tunnel") && message.contains("5 times"), "{message}");
    assert!(message.contains(&format!("through the proxy {}", tunnel.host)), "{message}");
    assert!(!message.contains("hunter2") && !message.contains("signature"), "{message}");
    let head = tunnel.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic bWU6aHVudGVyMg=="), "{head}");
}

#[test]
fn a_tunnel_that_wants_a_password_says_so() {
    let tunnel = Tunnel::start("407 Proxy Authentication Required", None);
    let bench = through_tunnel(Proxies { all: tunnel.host.clone(), ..Proxies::default() });
    let message = error!(bench.manifest(&"far.invalid/a:1".parse().unwrap()), Denied);
    assert!(message.contains("the proxy asks for credentials"), "{message}");
    assert_eq!(tunnel.heads.lock().unwrap().len(), 1);
}
