//! Uploads: begun, gone on with, asked about, finished.

use std::collections::BTreeMap;

use elkbake::digest::Digest;

use super::answer::{Answer, error};
use super::{Request, State, guard};

/// Uploads by their number.
#[derive(Default)]
pub struct Uploads {
    open: BTreeMap<u64, Vec<u8>>,
    begun: u64,
}

impl Uploads {
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn furthest(&self) -> usize {
        self.open.values().map(Vec::len).max().unwrap_or(0)
    }

    pub fn clear(&mut self) {
        self.open.clear();
    }
}

impl State {
    pub fn has(&self, repository: &str, digest: &Digest) -> bool {
        self.everywhere.contains(digest) || self.placed.contains(&(repository.to_owned(), *digest))
    }

    pub fn place(&mut self, repository: &str, digest: Digest, bytes: Vec<u8>) {
        self.blobs.insert(digest, bytes);
        self.placed.insert((repository.to_owned(), digest));
    }
}

fn parameter<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let (_, query) = request.target.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn unescaped(text: &str) -> String {
    text.replace("%3A", ":").replace("%2F", "/")
}

/// The right answer to a request to `/blobs/uploads/ID`.
pub fn answer(state: &mut State, request: &Request, repository: &str, id: &str, host: &str) -> Answer {
    if request.method == "POST" {
        return begin(state, request, repository, host);
    }
    let unknown = || error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    let Some((id, have)) = id.parse::<u64>().ok().and_then(|id| Some((id, state.uploads.open.get(&id)?.len()))) else {
        return unknown();
    };
    let at = parameter(request, "at").and_then(|at| at.parse::<usize>().ok());
    if at.is_none() {
        return error(400, "KITCHEN", "the query of the address was lost");
    }
    if state.rules.strict_locations && at != Some(have) {
        state.uploads.open.remove(&id);
        return error(404, "BLOB_UPLOAD_INVALID", "blob upload invalid");
    }
    match request.method.as_str() {
        "GET" => standing(state, 204, repository, id, host),
        "DELETE" => {
            state.uploads.open.remove(&id);
            Answer::new(204, "text/plain", Vec::new())
        }
        "PATCH" => chunk(state, request, repository, id, host),
        "PUT" => finish(state, request, repository, id),
        _ => error(405, "UNSUPPORTED", "no such method"),
    }
}

/// What has come of a request when its connection was cut.
pub fn cut(state: &mut State, request: &Request) {
    let id = request.path().split_once("/blobs/uploads/").and_then(|(_, id)| id.parse::<u64>().ok());
    let is_in_order = begins_at(request)
        .is_none_or(|begin| id.and_then(|id| state.uploads.open.get(&id)).is_some_and(|have| have.len() == begin));
    if request.method == "PATCH" && !state.rules.drops_parts && is_in_order {
        let upload = id.and_then(|id| state.uploads.open.get_mut(&id));
        upload.into_iter().for_each(|upload| upload.extend_from_slice(&request.body));
    }
}

fn begins_at(request: &Request) -> Option<usize> {
    request.header("content-range")?.split_once('-')?.0.parse().ok()
}

fn begin(state: &mut State, request: &Request, repository: &str, host: &str) -> Answer {
    let digest = parameter(request, "mount").and_then(|digest| unescaped(digest).parse::<Digest>().ok());
    if let (Some(digest), Some(from)) = (digest, parameter(request, "from").map(unescaped))
        && state.rules.mounts
        && guard::may_read(state, request, &from)
        && state.has(&from, &digest)
        && may_mount(state, &from, &digest)
    {
        state.placed.insert((repository.to_owned(), digest));
        return created(state, repository, digest);
    }
    state.uploads.begun += 1;
    let id = state.uploads.begun;
    state.uploads.open.insert(id, Vec::new());
    let answer = standing(state, 202, repository, id, host);
    match state.rules.least_chunk {
        Some(least) => answer.with("OCI-Chunk-Min-Length", &least.to_string()),
        None => answer,
    }
}

#[cfg(feature = "aws")]
fn may_mount(state: &State, from: &str, digest: &Digest) -> bool {
    super::ecr::is_referred_to(state, from, &digest.to_string())
}

#[cfg(not(feature = "aws"))]
fn may_mount(_: &State, _: &str, _: &Digest) -> bool {
    true
}

/// How far an upload is, and where it goes on.
fn standing(state: &State, status: u16, repository: &str, id: u64, host: &str) -> Answer {
    let have = state.uploads.open.get(&id).map_or(0, Vec::len);
    let path = format!("/v2/{repository}/blobs/uploads/{id}?at={have}");
    let location = match (&state.rules.uploads_at, state.rules.relative) {
        (Some(host), _) => format!("http://{host}{path}"),
        (None, true) => path,
        (None, false) => format!("http://{host}{path}"),
    };
    Answer::new(status, "text/plain", Vec::new())
        .with("Location", &location)
        .with("Range", &format!("0-{}", have.saturating_sub(1)))
}

fn chunk(state: &mut State, request: &Request, repository: &str, id: u64, host: &str) -> Answer {
    let is_taken = request.header("kitchen-not-taken").is_none();
    let upload = state.uploads.open.entry(id).or_default();
    if begins_at(request).is_some_and(|begin| begin != upload.len()) {
        let said = format!("First byte {:?} instead of {}", request.header("content-range"), upload.len());
        return error(416, "BLOB_UPLOAD_INVALID", &said);
    }
    if state.rules.loses_chunks {
        upload.resize(upload.len() + request.body.len(), 0);
    } else if is_taken {
        upload.extend_from_slice(&request.body);
    }
    standing(state, 202, repository, id, host)
}

fn finish(state: &mut State, request: &Request, repository: &str, id: u64) -> Answer {
    let Some(digest) = parameter(request, "digest").and_then(|digest| unescaped(digest).parse::<Digest>().ok()) else {
        return error(400, "DIGEST_INVALID", "no digest was given");
    };
    let mut bytes = state.uploads.open.remove(&id).unwrap_or_default();
    bytes.extend_from_slice(&request.body);
    if Digest::of(&bytes) != digest {
        return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    state.place(repository, digest, bytes);
    created(state, repository, digest)
}

fn created(state: &State, repository: &str, digest: Digest) -> Answer {
    let answer =
        Answer::new(201, "text/plain", Vec::new()).with("Location", &format!("/v2/{repository}/blobs/{digest}"));
    if state.rules.says_digest { answer.with("Docker-Content-Digest", &digest.to_string()) } else { answer }
}
