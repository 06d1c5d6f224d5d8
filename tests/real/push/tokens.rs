//! A service that gives tokens as registries believe them: signed, for a user with a password, and for what was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

/// The service.
pub struct Tokens {
    port: u16,
    signer: Signer,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

#[derive(Clone)]
struct Signer {
    openssl: PathBuf,
    folder: PathBuf,
}

impl Tokens {
    /// Starts it with a key and a certificate of its own.
    pub fn start(openssl: &Path, folder: &Path) -> Self {
        let signer = Signer { openssl: openssl.to_owned(), folder: folder.to_owned() };
        super::run(
            Command::new(openssl)
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens"])
                .arg("-keyout")
                .arg(signer.at("tokens-key.pem"))
                .arg("-out")
                .arg(signer.at("tokens.pem")),
        );
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, ours) = (Arc::clone(&asked), signer.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let _ = answer(stream, &ours, &shared);
            }
        });
        Self { port, signer, asked }
    }

    /// What a registry is told of it.
    pub fn auth(&self) -> String {
        format!(
            "auth:\n  token:\n    realm: http://127.0.0.1:{}/token\n    service: kitchen\n    issuer: tokens\n    rootcertbundle: {}\n",
            self.port,
            self.signer.at("tokens.pem").display()
        )
    }

    /// The scopes that were asked for, token by token.
    pub fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, signer: &Signer, asked: &Mutex<Vec<Vec<String>>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {}
    let shown = head.lines().any(|line| {
        line.to_ascii_lowercase().starts_with("authorization:") && line.ends_with(&STANDARD.encode("me:hunter2"))
    });
    if !shown {
        return stream.write_all(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let query = head.split([' ', '?']).nth(2).unwrap_or_default();
    let scopes: Vec<String> = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("scope="))
        .map(|scope| scope.replace("%3A", ":").replace("%2F", "/").replace("%2C", ","))
        .collect();
    let token = signer.token(&scopes);
    asked.lock().unwrap().push(scopes);
    let body = json!({ "token": token, "expires_in": 300 }).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

impl Signer {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn token(&self, scopes: &[String]) -> String {
        let pem = std::fs::read_to_string(self.at("tokens.pem")).unwrap();
        let certificate: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let access: Vec<_> = scopes
            .iter()
            .map(|scope| {
                let words: Vec<&str> = scope.split(':').collect();
                json!({ "type": words[0], "name": words[1], "actions": words[2].split(',').collect::<Vec<_>>() })
            })
            .collect();
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [certificate] });
        let claims = json!({
            "iss": "tokens", "sub": "me", "aud": "kitchen", "jti": "1", "iat": now, "nbf": now - 10, "exp": now + 300,
            "access": access,
        });
        let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(self.sign(&text)))
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        let mut openssl = Command::new(&self.openssl)
            .args(["dgst", "-sha256", "-sign"])
            .arg(self.at("tokens-key.pem"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        openssl.wait_with_output().unwrap().stdout
    }
}
