//! Through forward proxies and tunnels.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use elkbake::remote::config::{Proxies, WireConfig};
use elkbake::remote::{Wire, WireError};

use super::bench::{Bench, config, error};
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
        (proxy, through(Proxies { http, no: "direct.invalid".to_owned(), ..Proxies::default() }))
    };
    let path = proxy.file("a.zip", b"content");
    bench.fetch(&format!("http://far.invalid{path}"), None).unwrap();
    let request = &proxy.requests()[0];
    assert_eq!(request.target, format!("http://far.invalid{path}"));
    assert_eq!(request.header("host"), Some("far.invalid"));
    assert_eq!(request.header("proxy-authorization"), Some("Basic bWU6aHVudGVyMg=="));
    // Neither what NO_PROXY lists nor the machine itself goes that way.
    error!(bench.fetch("http://direct.invalid/x", None), Unreachable);
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

/// A proxy that tunnels everything to one place, and notes what it was asked for.
struct Tunnel {
    host: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    fn start(answer: &'static str, to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (noted, to) = (Arc::clone(&noted), to.clone());
                std::thread::spawn(move || tunnel(stream, answer, to.as_deref(), &noted));
            }
        });
        Self { host, heads }
    }
}

fn tunnel(client: TcpStream, answer: &str, to: Option<&str>, noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    noted.lock().unwrap().push(head);
    let mut client = client;
    let _ = write!(client, "HTTP/1.1 {answer}\r\n\r\n");
    let Some(server) = to.and_then(|to| TcpStream::connect(to).ok()) else { return };
    let (mut there, mut back) = (server.try_clone().unwrap(), server);
    let mut client_again = client.try_clone().unwrap();
    let copying = std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut client_again);
        let _ = client_again.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut reader.by_ref(), &mut there);
    let _ = there.shutdown(std::net::Shutdown::Both);
    let _ = copying.join();
}

#[test]
fn secure_addresses_go_through_a_tunnel() {
    let tunnel = Tunnel::start("403 Forbidden", None);
    let https = format!("http://me:hunter2@{}", tunnel.host);
    let bench = through(Proxies { https, ..Proxies::default() });
    let message = error!(bench.fetch("https://far.invalid/x?signature=s", None), Unreachable);
    assert!(message.contains("tunnel") && message.contains("5 times"), "{message}");
    assert!(!message.contains("hunter2") && !message.contains("signature"), "{message}");
    let head = tunnel.heads.lock().unwrap()[0].clone();
    assert!(head.starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Proxy-Authorization: Basic bWU6aHVudGVyMg=="), "{head}");
}

#[test]
fn a_tunnel_that_wants_a_password_says_so() {
    let tunnel = Tunnel::start("407 Proxy Authentication Required", None);
    let bench = through(Proxies { all: tunnel.host.clone(), ..Proxies::default() });
    let message = error!(bench.manifest(&"far.invalid/a:1".parse().unwrap()), Denied);
    assert!(message.contains("the proxy asks for credentials"), "{message}");
    assert_eq!(tunnel.heads.lock().unwrap().len(), 1);
}
