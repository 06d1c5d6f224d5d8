//! A proxy that tunnels everything to one place, and an authority that nobody knows.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The proxy.
pub struct Tunnel {
    /// Its host and port.
    pub host: String,
    /// The requests that it got.
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    /// Starts one that answers so, and then passes bytes on to a place, if there is one.
    pub fn start(answer: &'static str, to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&heads);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (noted, to) = (Arc::clone(&noted), to.clone());
                std::thread::spawn(move || pass(stream, answer, to.as_deref(), &noted));
            }
        });
        Self { host, heads }
    }
}

fn pass(mut client: TcpStream, answer: &str, to: Option<&str>, noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    noted.lock().unwrap().push(head);
    let _ = write!(client, "HTTP/1.1 {answer}\r\n\r\n");
    let Some(server) = to.and_then(|to| TcpStream::connect(to).ok()) else { return };
    let (mut there, mut back) = (server.try_clone().unwrap(), server);
    let copying = std::thread::spawn(move || {
        let _ = std::io::copy(&mut back, &mut client);
        let _ = client.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut reader, &mut there);
    let _ = there.shutdown(Shutdown::Both);
    let _ = copying.join();
}

/// Makes an authority, and writes down its certificate.
pub fn authority(path: &Path) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(path, issuer.pem()).unwrap();
    issuer
}
