//! Manifests that are put.

use elkbake::digest::Digest;
use serde_json::Value;

use super::answer::{Answer, error};
use super::rules::Immutable;
use super::{Request, State};

/// The right answer to a manifest.
pub fn manifest(state: &mut State, request: &Request, repository: &str, name: &str) -> Answer {
    let digest = Digest::of(&request.body);
    let Ok(json) = serde_json::from_slice::<Value>(&request.body) else {
        return error(400, "MANIFEST_INVALID", "it is no JSON");
    };
    if name.parse::<Digest>().is_ok_and(|named| named != digest) {
        return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    if let Some(missing) = missing(state, repository, &json) {
        return missing;
    }
    let key = (repository.to_owned(), name.to_owned());
    let held = state.manifests.get(&key).map(|(_, bytes)| Digest::of(bytes));
    let is_refused = match state.rules.immutable {
        Immutable::No => false,
        Immutable::Moved => held.is_some_and(|held| held != digest),
        Immutable::Twice => held.is_some() && name.parse::<Digest>().is_err(),
    };
    if is_refused {
        let text = format!(
            "The image tag '{name}' already exists in the '{repository}' repository and cannot be overwritten because the tag is immutable."
        );
        return error(400, "TAG_INVALID", &text);
    }
    let kind = request.header("content-type").unwrap_or_default().to_owned();
    for name in [name.to_owned(), digest.to_string()] {
        state.manifests.insert((repository.to_owned(), name), (kind.clone(), request.body.clone()));
    }
    let answer = Answer::new(201, "text/plain", Vec::new());
    if state.rules.says_digest { answer.with("Docker-Content-Digest", &digest.to_string()) } else { answer }
}

/// What it points to has to be there.
fn missing(state: &State, repository: &str, json: &Value) -> Option<Answer> {
    let digest = |descriptor: &Value| descriptor.get("digest")?.as_str()?.parse::<Digest>().ok();
    let list = |name: &str| json.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut blobs = list("layers").chain(json.get("config")).filter_map(digest);
    if let Some(blob) = blobs.find(|blob| !state.has(repository, blob)) {
        return Some(error(400, "MANIFEST_BLOB_UNKNOWN", &format!("blob unknown to registry: {blob}")));
    }
    let is_here = |digest: &Digest| state.manifests.contains_key(&(repository.to_owned(), digest.to_string()));
    let child = list("manifests").filter_map(digest).find(|child| !is_here(child))?;
    Some(error(400, "MANIFEST_UNKNOWN", &format!("manifest unknown to registry: {child}")))
}

/// Puts an image of somebody else's under a tag of the repository that a request is about.
pub fn take(state: &mut State, request: &Request, tag: &str) {
    const KIND: &str = "application/vnd.oci.image.manifest.v1+json";
    let path = request.path().strip_prefix("/v2/").unwrap_or_default();
    let repository = path.split("/blobs/").next().unwrap_or_default().to_owned();
    let config = b"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
    let digest = Digest::of(config);
    state.place(&repository, digest, config.to_vec());
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": KIND, "layers": [],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest.to_string(), "size": config.len(),
        },
    });
    let bytes = manifest.to_string().into_bytes();
    for name in [tag.to_owned(), Digest::of(&bytes).to_string()] {
        state.manifests.insert((repository.clone(), name), (KIND.to_owned(), bytes.clone()));
    }
}
