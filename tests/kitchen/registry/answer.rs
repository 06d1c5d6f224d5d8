//! What the registry answers before anything goes wrong with it.

use elkbake::digest::Digest;

use super::guard;
use super::{Request, State};

/// An answer that is to be sent.
#[derive(Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, kind: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("Content-Type".to_owned(), kind.to_owned())], body }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Replaces a header; an empty value takes it away.
    pub fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }
}

fn not_found(code: &str) -> Answer {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"not known here"}}]}}"#);
    Answer::new(404, "application/json", body.into_bytes())
}

/// The right answer to a request.
pub fn answer(state: &mut State, request: &Request, host: &str) -> Answer {
    let path = request.path().to_owned();
    if path == "/token" {
        return guard::token(state, request);
    }
    if let Some(refusal) = guard::refuse(state, request, host) {
        return refusal;
    }
    if let Some(bytes) = state.files.get(&path) {
        return Answer::new(200, "application/octet-stream", bytes.clone()).with("ETag", &etag(bytes));
    }
    let Some(rest) = path.strip_prefix("/v2/") else { return not_found("NOT_FOUND") };
    if let Some((repository, name)) = rest.split_once("/manifests/") {
        let Some((kind, bytes)) = state.manifests.get(&(repository.to_owned(), name.to_owned())) else {
            return not_found("MANIFEST_UNKNOWN");
        };
        let digest = Digest::of(bytes).to_string();
        return Answer::new(200, kind, bytes.clone()).with("Docker-Content-Digest", &digest);
    }
    let digest = rest.split_once("/blobs/").and_then(|(_, digest)| digest.parse::<Digest>().ok());
    match digest.and_then(|digest| state.blobs.get(&digest)) {
        Some(bytes) => Answer::new(200, "application/octet-stream", bytes.clone()).with("ETag", &etag(bytes)),
        None => not_found("BLOB_UNKNOWN"),
    }
}

fn etag(bytes: &[u8]) -> String {
    format!("\"{}\"", Digest::of(bytes).short())
}

/// Heeds `Range` and `If-Range`. `shift` makes it another part than the one asked for.
pub fn part(mut answer: Answer, request: &Request, shift: u64) -> Answer {
    let wanted: Option<u64> =
        request.header("range").and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let Some(from) = wanted.filter(|_| answer.status == 200) else { return answer };
    let tag = answer.headers.iter().find(|(name, _)| name == "ETag").map(|(_, tag)| tag.as_str());
    if request.header("if-range").is_some_and(|condition| Some(condition) != tag) {
        return answer;
    }
    let from = from + shift;
    let whole = answer.body.len() as u64;
    if from >= whole {
        answer.status = 416;
        answer.body.clear();
        return answer.with("Content-Range", &format!("bytes */{whole}"));
    }
    answer.status = 206;
    answer.body.drain(..usize::try_from(from).expect("fits"));
    answer.with("Content-Range", &format!("bytes {from}-{}/{whole}", whole - 1))
}
