//! What ECR's registries refuse and others take.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::{Answer, error};
use super::guard::basic;
use super::{Request, State};
use crate::kitchen::ecr::Bucket;

/// The habits of a registry that is ECR.
#[derive(Default)]
pub struct Ecr {
    pub account: String,
    /// By name: whether tags are for good, and the patterns of those that are not.
    pub repositories: BTreeMap<String, (bool, BTreeSet<String>)>,
    /// The passwords that hold.
    pub passwords: BTreeSet<String>,
    /// How often an image may be put.
    pub puts: PutImage,
}

/// AWS's quota of `PutImage`: as many at once as in a second.
pub struct PutImage(Bucket);

impl Default for PutImage {
    fn default() -> Self {
        Self(Bucket::new(10, 10))
    }
}

/// The refusal of a request, where there is one.
pub(super) fn refuse(state: &mut State, request: &Request) -> Option<Answer> {
    let ecr = state.ecr.as_mut()?;
    let shown = request.header("authorization");
    if !ecr.passwords.iter().any(|password| shown == Some(&basic("AWS", password))) {
        let said = if shown.is_some() {
            "Your authorization token has expired. Reauthenticate and try again."
        } else {
            "Not Authorized"
        };
        let answer = Answer::new(401, "text/plain", said.as_bytes().to_vec());
        return Some(answer.with("WWW-Authenticate", "Basic realm=\"https://ecr/\",service=\"ecr.amazonaws.com\""));
    }
    let rest = request.path().strip_prefix("/v2/")?;
    let end = ["/manifests/", "/blobs/"].iter().find_map(|part| rest.find(part))?;
    let (name, rest) = rest.split_at(end);
    let Some((immutable, except)) = ecr.repositories.get(name) else {
        return Some(error(404, "NAME_UNKNOWN", &unknown(name, &ecr.account)));
    };
    if request.method == "PATCH" {
        // It takes the first chunk and loses the others; a client that does not know that fails here at once.
        return Some(error(405, "UNSUPPORTED", "chunked uploads are not what this registry is for"));
    }
    if request.method == "PUT" && rest.starts_with("/manifests/") && ecr.puts.0.is_empty() {
        return Some(error(429, "TOOMANYREQUESTS", "Rate exceeded"));
    }
    let tag = rest.strip_prefix("/manifests/").filter(|tag| request.method == "PUT" && !tag.contains(':'))?;
    let is_there = state.manifests.contains_key(&(name.to_owned(), tag.to_owned()));
    let is_fixed = *immutable != except.iter().any(|pattern| fits(pattern, tag));
    (is_there && is_fixed).then(|| {
        let said = format!(
            "The image tag '{tag}' already exists in the '{name}' repository and cannot be overwritten because the tag is immutable."
        );
        error(400, "TAG_INVALID", &said)
    })
}

/// Whether a blob may be mounted from a repository: ECR does so only with what a manifest there refers to.
pub(super) fn is_referred_to(state: &State, repository: &str, digest: &str) -> bool {
    state.ecr.is_none()
        || state
            .manifests
            .iter()
            .any(|((of, _), (_, bytes))| of == repository && String::from_utf8_lossy(bytes).contains(digest))
}

/// What ECR says of a repository that is not there.
pub fn unknown(name: &str, account: &str) -> String {
    format!("The repository with name '{name}' does not exist in the registry with id '{account}'")
}

fn fits(pattern: &str, tag: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == tag,
        Some((begin, rest)) => {
            let Some(tag) = tag.strip_prefix(begin) else { return false };
            (0..=tag.len()).any(|at| fits(rest, &tag[at..]))
        }
    }
}
