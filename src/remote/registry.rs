//! The reading side of registries: manifests and blobs.

use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap, HeaderValue};

use crate::bake::event::Listener;
use crate::bake::port::{BY_MIRROR, PortError, RawManifest, Registry};
use crate::digest::Digest;
use crate::name::Reference;
use crate::remote::address::same_server;
use crate::remote::auth::Outcome;
use crate::remote::door::Door;
use crate::remote::download::{Goal, Source, into_store};
use crate::remote::http::{Ask, Reply};
use crate::remote::refusal::{page_instead, refusal};
use crate::remote::retry::Failure;
use crate::remote::wire::Wire;
use crate::store::Store;

/// Registries refuse to take manifests of more than this, so none that is longer can be right.
const LONGEST_MANIFEST: usize = 4 * 1024 * 1024;

/// The kinds of manifest that are understood.
const KINDS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

impl Registry for Wire {
    fn manifest(&self, reference: &Reference, tell: Listener<'_>) -> Result<RawManifest, PortError> {
        let subject = reference.to_string();
        let door = self.door(reference, subject, tell)?;
        let work = self.persist(&door.subject, tell, async || self.manifest_once(&door, reference).await);
        self.run(&door.subject, work)
    }

    fn blob(
        &self,
        from: &Reference,
        digest: Digest,
        size: u64,
        store: &Store,
        tell: Listener<'_>,
    ) -> Result<(), PortError> {
        if store.size(&digest).is_some() {
            return Ok(());
        }
        let subject = format!("{}/{}@{digest}", from.registry, from.repository);
        let door = self.door(from, subject, tell)?;
        let name = format!("blob {digest}");
        let goal = Goal {
            subject: &door.subject,
            partial: &name,
            task: &door.subject,
            expected: Some(digest),
            size: Some(size),
            limit: size,
            refuse_pages: true,
            timing: self.config.timing,
        };
        let source = BlobSource { wire: self, door: &door, part: format!("blobs/{digest}") };
        self.run(&door.subject, into_store(&goal, &source, store, tell)).map(drop)
    }
}

struct BlobSource<'a> {
    wire: &'a Wire,
    door: &'a Door,
    part: String,
}

impl Source for BlobSource<'_> {
    async fn open(&self, headers: HeaderMap) -> Result<Reply, Failure> {
        self.wire.ask(self.door, &self.part, headers).await
    }
}

impl Wire {
    /// Where the parts of an image are asked for, by way of the mirrors.
    fn door(&self, reference: &Reference, subject: String, tell: Listener<'_>) -> Result<Door, PortError> {
        let mirrored = self.config.mirrors.reference(reference);
        let mirrored =
            mirrored.map_err(|error| PortError::Wrong { subject: subject.clone(), message: error.to_string() })?;
        let (subject, there, plain) = match mirrored {
            None => (subject, reference.clone(), false),
            Some(mirrored) => {
                self.tell_of_mirror(&mirrored.rule, tell);
                (format!("{subject} ({BY_MIRROR} {})", mirrored.there), mirrored.there, mirrored.plain)
            }
        };
        let plain = plain || self.is_plain(&there.registry);
        Ok(Door { subject, registry: there.registry, repository: there.repository, plain })
    }

    async fn manifest_once(&self, door: &Door, reference: &Reference) -> Result<RawManifest, Failure> {
        let name = match (&reference.digest, &reference.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.to_string(),
            (None, None) => "latest".to_owned(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let mut reply = self.ask(door, &format!("manifests/{name}"), headers).await?;
        let (bytes, whole) = reply.body.up_to(LONGEST_MANIFEST).await?;
        let checked = if whole {
            checked(&reply, bytes, reference.digest)
        } else {
            Err("it is longer than 4 MiB, which no manifest is".to_owned())
        };
        checked.map_err(|message| {
            let subject = door.subject.clone();
            Failure::Final(PortError::Wrong { subject, message })
        })
    }

    /// Asks for a part, showing who we are where that is wanted. What comes back is the thing or a part of it.
    async fn ask(&self, door: &Door, part: &str, headers: HeaderMap) -> Result<Reply, Failure> {
        let address = door.address(part).ok_or_else(|| {
            let message = "its address is too long".to_owned();
            Failure::Final(PortError::Wrong { subject: door.subject.clone(), message })
        })?;
        let mut ask = Ask::get(&door.subject, address);
        ask.headers = headers;
        let known = self.auth.known(door).await;
        let mut who = known.as_ref().map_or_else(String::new, |grant| grant.who.clone());
        ask.authorization = known.map(|grant| grant.header);
        let mut reply = self.http.send(&ask).await?;
        // Whoever else says 401 after a redirect has no business with our credentials.
        if reply.status == StatusCode::UNAUTHORIZED && same_server(&reply.url, &ask.url) {
            let stale = ask.authorization.take();
            match self.auth.grant(&self.http, door, &reply.headers, stale.as_ref()).await? {
                Outcome::Nothing(why) => return Err(refusal(&door.subject, reply, &why).await),
                Outcome::Granted(grant) => {
                    who = grant.who;
                    ask.authorization = Some(grant.header);
                    reply = self.http.send(&ask).await?;
                }
            }
        }
        match reply.status {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(reply),
            _ => Err(refusal(&door.subject, reply, &who).await),
        }
    }
}

/// Makes sure that bytes are a manifest, and the one that was asked for.
fn checked(reply: &Reply, bytes: Vec<u8>, expected: Option<Digest>) -> Result<RawManifest, String> {
    let stated = reply.media_type();
    if stated == "text/html" {
        return Err(page_instead(&bytes));
    }
    let digest = Digest::of(&bytes);
    let header = reply.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
    if let Some(expected) = expected.or(header).filter(|expected| *expected != digest) {
        return Err(format!("expected {expected}, got {digest}"));
    }
    let media_type = kind(&stated, &bytes)?;
    Ok(RawManifest { digest, media_type, bytes })
}

/// What kind of manifest bytes are, by what the registry says and by what they say themselves.
fn kind(stated: &str, bytes: &[u8]) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: Option<u64>,
        media_type: Option<String>,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| format!("it is no manifest: {error}"))?;
    if head.schema_version == Some(1) || stated.starts_with("application/vnd.docker.distribution.manifest.v1") {
        return Err("it is in Docker's format of before 2016 (schema 1), which has no digests to rely on: \
            push it again with a newer tool"
            .to_owned());
    }
    if head.schema_version != Some(2) {
        return Err("it is no manifest: its `schemaVersion` is not 2".to_owned());
    }
    let inner = head.media_type.as_deref();
    // Some registries and file servers state something general.
    let is_general = matches!(stated, "" | "application/json" | "application/octet-stream" | "text/plain");
    match (KINDS.contains(&stated), inner) {
        (true, None) => Ok(stated.to_owned()),
        (true, Some(inner)) if inner == stated => Ok(stated.to_owned()),
        (false, Some(inner)) if is_general && KINDS.contains(&inner) => Ok(inner.to_owned()),
        (true, Some(inner)) => Err(format!("the registry calls it `{stated}`, and it calls itself `{inner}`")),
        (false, _) => Err(format!(
            "it is of the kind `{}`, which is no image and no index",
            if is_general { inner.unwrap_or(stated) } else { stated }
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kind_is_what_both_say() {
        let oci = KINDS[1];
        let named = format!(r#"{{"schemaVersion":2,"mediaType":"{oci}"}}"#);
        let unnamed = r#"{"schemaVersion":2}"#;
        assert_eq!(kind(oci, named.as_bytes()).as_deref(), Ok(oci));
        assert_eq!(kind(oci, unnamed.as_bytes()).as_deref(), Ok(oci));
        assert_eq!(kind("application/json", named.as_bytes()).as_deref(), Ok(oci));
        for (stated, bytes, word) in [
            (KINDS[0], named.as_str(), "calls itself"),
            ("application/json", unnamed, "no image"),
            ("application/x", named.as_str(), "application/x"),
            (oci, r#"{"schemaVersion":1}"#, "2016"),
            ("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}", "2016"),
            (oci, "{}", "schemaVersion"),
            (oci, "[]", "no manifest"),
            (oci, "", "no manifest"),
        ] {
            let error = kind(stated, bytes.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
        assert!(KINDS.iter().all(|kind| ACCEPTED.contains(kind)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, stated: String) {
            let _ = kind(&stated, &bytes);
        }
    }
}
