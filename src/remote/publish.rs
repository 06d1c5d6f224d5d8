//! The writing side of registries: what is there, what is missing, and bringing it there.

use std::collections::BTreeSet;

use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};

use crate::bake::event::Listener;
use crate::bake::port::{Arrival, Freight, PortError, Publish, RawManifest};
use crate::digest::Digest;
use crate::name::{Reference, Repository};
use crate::parallel;
use crate::remote::door::{Door, Purpose};
use crate::remote::http::{Ask, Reply};
use crate::remote::refusal::{refusal, said};
use crate::remote::registry::ACCEPTED;
use crate::remote::retry::{Failure, may_pass};
#[cfg(feature = "aws")]
use crate::remote::upload::bring_to_ecr;
use crate::remote::upload::{Trip, bring};
use crate::remote::wire::Wire;
#[cfg(not(feature = "aws"))]
use crate::remote::without_aws::bring_to_ecr;
use crate::store::Store;

/// Questions that one repository is asked at once; each is one round trip, and registries share out their patience.
const QUESTIONS: usize = 8;

impl Publish for Wire {
    fn held(&self, reference: &Reference, tell: Listener<'_>) -> Result<Option<Digest>, PortError> {
        let door = self.direct(reference, reference.to_string(), Purpose::Read);
        let work = self.persist(&door.subject, tell, async || self.held_once(&door, reference).await);
        self.run(&door.subject, work)
    }

    fn missing(&self, into: &Reference, blobs: &[Digest], tell: Listener<'_>) -> Result<BTreeSet<Digest>, PortError> {
        if let Some(site) = self.ecr_site(&into.registry)
            && let Some(missing) = self.missing_in_ecr(site, into, blobs, tell)?
        {
            return Ok(missing);
        }
        let asked = parallel::bounded(blobs, QUESTIONS, |digest| {
            let door = self.direct(into, blob(into, *digest), Purpose::Read);
            let work = self.persist(&door.subject, tell, async || self.has_once(&door, *digest).await);
            Ok((!self.run(&door.subject, work)?).then_some(*digest))
        });
        asked.into_iter().filter_map(Result::transpose).collect()
    }

    fn send(
        &self,
        into: &Reference,
        freight: Freight<'_>,
        store: &Store,
        tell: Listener<'_>,
    ) -> Result<Arrival, PortError> {
        let door = self.direct(into, blob(into, freight.digest), Purpose::Write);
        let mount = self.mountable(&door, freight, tell)?;
        let subject = door.subject.clone();
        let trip = Trip { door, freight, mount, store };
        match self.ecr_site(&into.registry) {
            Some(site) => self.run(&subject, bring_to_ecr(self, site, trip, tell)),
            None => self.run(&subject, bring(self, trip, tell)),
        }
    }

    fn publish(&self, at: &Reference, manifest: &RawManifest, tell: Listener<'_>) -> Result<(), PortError> {
        let door = self.direct(at, at.to_string(), Purpose::Write);
        let work = self.persist(&door.subject, tell, async || self.publish_once(&door, at, manifest).await);
        match self.run(&door.subject, work) {
            // Some registries say so also when it is this very manifest: put by another run, or by a try of this one
            // of which the answer was lost.
            Err(PortError::Immutable { subject, message }) => match self.held(at, tell) {
                Ok(Some(digest)) if digest == manifest.digest => Ok(()),
                Ok(Some(digest)) => {
                    let message = format!("it is {digest} for good, and not to become {}: {message}", manifest.digest);
                    Err(PortError::Immutable { subject, message })
                }
                _ => Err(PortError::Immutable { subject, message }),
            },
            done => done,
        }
    }
}

fn blob(into: &Reference, digest: Digest) -> String {
    format!("{}/{}@{digest}", into.registry, into.repository)
}

/// What a manifest is asked for by: the tag where there is one, since that is what may hold something else.
fn place(reference: &Reference) -> String {
    match (&reference.tag, &reference.digest) {
        (Some(tag), _) => tag.to_string(),
        (None, Some(digest)) => digest.to_string(),
        (None, None) => "latest".to_owned(),
    }
}

fn stated(reply: &Reply) -> Option<Digest> {
    reply.header("docker-content-digest")?.parse().ok()
}

fn wrong(door: &Door, message: String) -> Failure {
    Failure::Final(PortError::Wrong { subject: door.subject.clone(), message })
}

impl Wire {
    async fn held_once(&self, door: &Door, reference: &Reference) -> Result<Option<Digest>, Failure> {
        let place = place(reference);
        let mut ask = Ask::new(&door.subject, Method::HEAD, door.part(&format!("manifests/{place}"))?);
        ask.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let (reply, who) = self.exchange(door, &mut ask).await?;
        let digest = match (reply.status, stated(&reply)) {
            (StatusCode::NOT_FOUND, _) => return Ok(None),
            (StatusCode::OK, Some(digest)) => digest,
            // Without the header, only the bytes tell.
            (StatusCode::OK | StatusCode::METHOD_NOT_ALLOWED, _) => {
                let named =
                    Reference { digest: reference.digest.filter(|_| reference.tag.is_none()), ..reference.clone() };
                match self.manifest_once(door, &named).await {
                    Ok(manifest) => manifest.digest,
                    Err(Failure::Final(PortError::NotFound { .. })) => return Ok(None),
                    Err(failure) => return Err(failure),
                }
            }
            _ => return Err(refusal(&door.subject, reply, &who).await),
        };
        match reference.digest.filter(|_| reference.tag.is_none()) {
            Some(asked) if asked != digest => Err(wrong(door, format!("expected {asked}, got {digest}"))),
            _ => Ok(Some(digest)),
        }
    }

    async fn has_once(&self, door: &Door, digest: Digest) -> Result<bool, Failure> {
        let mut ask = Ask::new(&door.subject, Method::HEAD, door.part(&format!("blobs/{digest}"))?);
        let (reply, who) = self.exchange(door, &mut ask).await?;
        match (reply.status, stated(&reply)) {
            (StatusCode::OK, Some(other)) if other != digest => {
                Err(wrong(door, format!("expected {digest}, got {other}")))
            }
            (StatusCode::OK, _) => Ok(true),
            (StatusCode::NOT_FOUND, _) => Ok(false),
            _ => Err(refusal(&door.subject, reply, &who).await),
        }
    }

    /// The repository from which the registry itself may take a blob.
    fn mountable(
        &self,
        door: &Door,
        freight: Freight<'_>,
        tell: Listener<'_>,
    ) -> Result<Option<Repository>, PortError> {
        let Some(origin) = freight.origin else { return Ok(None) };
        let there = self.door(origin, blob(origin, freight.digest), tell)?;
        let is_same = there.registry.as_str().eq_ignore_ascii_case(door.registry.as_str());
        Ok((is_same && there.repository != door.repository).then_some(there.repository))
    }

    async fn publish_once(&self, door: &Door, at: &Reference, manifest: &RawManifest) -> Result<(), Failure> {
        let mut ask = Ask::new(&door.subject, Method::PUT, door.part(&format!("manifests/{}", place(at)))?);
        let kind = HeaderValue::from_str(&manifest.media_type);
        let kind = kind.map_err(|_| wrong(door, format!("`{}` is no kind of manifest", manifest.media_type)))?;
        ask.headers.insert(CONTENT_TYPE, kind);
        ask.body = Bytes::from(manifest.bytes.clone());
        let (mut reply, who) = self.exchange(door, &mut ask).await?;
        let status = reply.status;
        if !status.is_success() {
            if !status.is_client_error() || may_pass(status) || status == StatusCode::UNAUTHORIZED {
                return Err(refusal(&door.subject, reply, &who).await);
            }
            let said = said(&mut reply).await;
            return Err(Failure::Final(refused(door, status, &said.code, said.text, &who, at.tag.is_some())));
        }
        let digest = match stated(&reply) {
            Some(digest) => Some(digest),
            None => self.held_once(door, at).await?,
        };
        match digest {
            Some(digest) if digest == manifest.digest => Ok(()),
            Some(other) => {
                Err(wrong(door, format!("the registry says that it has {other} now, and was sent {}", manifest.digest)))
            }
            None => Err(wrong(door, "the registry took it, and does not have it".to_owned())),
        }
    }
}

/// What the refusal of a manifest means.
fn refused(door: &Door, status: StatusCode, code: &str, text: String, who: &str, is_tagged: bool) -> PortError {
    let subject = door.subject.clone();
    if is_tagged && is_immutable(status, &text) {
        return PortError::Immutable { subject, message: text };
    }
    match (status, code) {
        (_, "MANIFEST_BLOB_UNKNOWN" | "BLOB_UNKNOWN" | "MANIFEST_UNKNOWN") => {
            let message = format!("{text}; the repository lost what it points to since it was sent: push again");
            PortError::Wrong { subject, message }
        }
        (StatusCode::NOT_FOUND, _) => PortError::NotFound { subject, message: text },
        (StatusCode::FORBIDDEN, _) if who.is_empty() => PortError::Denied { subject, message: text },
        (StatusCode::FORBIDDEN, _) => PortError::Denied { subject, message: format!("{text}; {who}") },
        _ => PortError::Unreachable { subject, message: text },
    }
}

/// Whether a registry says that a tag may not be moved. Each kind of registry has its own words for that: ECR
/// `TAG_INVALID` "… already exists … tag is immutable", Harbor 412 "configured as immutable", Quay 409, and others.
fn is_immutable(status: StatusCode, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let words = ["immutable", "already exists", "alreadyexists", "overwrite", "overwritten"];
    matches!(status.as_u16(), 400 | 403 | 405 | 409 | 412 | 422) && words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_have_many_words_for_immutable() {
        for (status, text, expected) in [
            (
                400,
                "TAG_INVALID: The image tag '1' already exists in the 'a' repository and cannot be overwritten because the tag is immutable.",
                true,
            ),
            (409, "ImageTagAlreadyExistsException", true),
            (412, "PRECONDITION: Failed to process request due to 'a:1' configured as immutable.", true),
            (403, "DENIED: cannot overwrite tag", true),
            (403, "DENIED: requested access to the resource is denied", false),
            (400, "MANIFEST_INVALID: manifest invalid", false),
            (500, "immutable", false),
            (404, "NAME_UNKNOWN: the repository does not exist", false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(is_immutable(status, text), expected, "{text}");
        }
    }
}
