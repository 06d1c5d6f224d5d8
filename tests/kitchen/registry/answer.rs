//! What the registry answers before anything goes wrong with it.

use elkbake::digest::Digest;

use super::{Request, State, guard, uploads, write};

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

/// An error as registries write it.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    Answer::new(status, "application/json", body.to_string().into_bytes())
}

fn not_found(code: &str) -> Answer {
    error(404, code, "not known here")
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
    #[cfg(feature = "aws")]
    if let Some(refusal) = super::ecr::refuse(state, request) {
        return refusal;
    }
    if let Some(bytes) = state.files.get(&path) {
        return Answer::new(200, "application/octet-stream", bytes.clone()).with("ETag", &etag(bytes));
    }
    let Some(rest) = path.strip_prefix("/v2/") else { return not_found("NOT_FOUND") };
    if let Some((repository, id)) = rest.split_once("/blobs/uploads/") {
        return uploads::answer(state, request, repository, id, host);
    }
    if let Some((repository, name)) = rest.split_once("/manifests/").filter(|_| request.method == "PUT") {
        return write::manifest(state, request, repository, name);
    }
    if let Some((repository, name)) = rest.split_once("/manifests/") {
        let Some((kind, bytes)) = state.manifests.get(&(repository.to_owned(), name.to_owned())) else {
            return not_found("MANIFEST_UNKNOWN");
        };
        let digest = if state.rules.says_digest { Digest::of(bytes).to_string() } else { String::new() };
        return Answer::new(200, kind, bytes.clone()).with("Docker-Content-Digest", &digest);
    }
    let (repository, digest) = rest.split_once("/blobs/").unwrap_or_default();
    let digest = digest.parse::<Digest>().ok().filter(|digest| state.has(repository, digest));
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
