//! A large blob's way into ECR: by calls of ECR's own, which name the last byte that they have.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::operation::upload_layer_part::UploadLayerPartError;
use aws_sdk_ecr::primitives::Blob;
use hyper::{Method, StatusCode, Uri};

use super::cargo::Cargo;
use super::journal::Journal;
use super::road::{Trip, bring};
use crate::bake::event::{Event, Listener};
use crate::bake::port::{Arrival, PortError};
use crate::digest::Digest;
use crate::name::Repository;
use crate::remote::address::encoded;
use crate::remote::aws::patience::{Call, Refused};
use crate::remote::config::EcrSite;
use crate::remote::door::{Door, Purpose};
use crate::remote::ecr;
use crate::remote::http::Ask;
use crate::remote::refusal::refusal;
use crate::remote::retry::{Failure, Tries, may_pass};
use crate::remote::wire::Wire;

/// ECR takes parts of 5 to 10 MiB, the last one excepted, and at most 4,200 of them.
const SMALLEST_PART: u64 = 5 << 20;
const LARGEST_PART: u64 = 10 << 20;
const MOST_PARTS: u64 = 4_200;

/// Brings a blob into a repository of ECR: a small one like into every registry, a large one in parts.
pub(in crate::remote) async fn bring_to_ecr(
    wire: &Wire,
    site: &EcrSite,
    trip: Trip<'_>,
    tell: Listener<'_>,
) -> Result<Arrival, PortError> {
    let is_small = trip.freight.size <= wire.config.pieces.whole.min(SMALLEST_PART);
    // Whatever goes there by HTTP goes in one request: of chunks, ECR was seen to keep the first one only.
    wire.takes_in_one(&trip.door.registry);
    if is_small || !wire.access.knows_layers(&site.registry) {
        return bring(wire, trip, tell).await;
    }
    let Trip { mut door, freight, mount, store } = trip;
    if let Some(from) = mount
        && wire.access.mounts(&site.registry)
    {
        if is_mounted(wire, &mut door, freight.digest, &from, tell).await? {
            return Ok(Arrival::Mounted);
        }
        // The account has it switched off, as accounts do that were not asked, and each further try is in vain.
        wire.access.mounts_not(&site.registry);
    }
    let subject = door.subject.clone();
    let (journal, waited) = Journal::open(&door, freight.digest, store, tell).await;
    let client = ecr::layer_client(&wire.access, site).await;
    let mut parts = Parts {
        wire,
        site,
        client,
        call: Call {
            subject: &subject,
            action: "ecr:UploadLayerPart",
            timing: wire.config.timing,
            clock: wire.access.clock,
            tell,
        },
        cargo: Cargo::new(wire, &subject, freight, store, tell),
        digest: freight.digest,
        part: freight.size.div_ceil(MOST_PARTS).clamp(SMALLEST_PART, LARGEST_PART),
        door,
        journal,
        tries: Tries::new(wire.config.timing),
        furthest: 0,
        sent: 0,
        maybe_there: waited,
    };
    parts.all().await
}

/// Asks for a blob of another repository. Whether there is one to be had is no error: it can be sent.
async fn is_mounted(
    wire: &Wire,
    door: &mut Door,
    digest: Digest,
    from: &Repository,
    tell: Listener<'_>,
) -> Result<bool, PortError> {
    let query = format!("blobs/uploads/?mount={}&from={}", encoded(&digest.to_string()), encoded(from.as_str()));
    door.purpose = Purpose::Mount(from.clone());
    let url = door.part(&query)?;
    let asked = wire.persist(&door.subject, tell, async || {
        let mut ask = Ask::new(&door.subject, Method::POST, url.clone());
        let (reply, _) = wire.exchange(door, &mut ask).await?;
        if may_pass(reply.status) {
            return Err(refusal(&door.subject, reply, "").await);
        }
        Ok(reply.status == StatusCode::CREATED)
    });
    let mounted = asked.await;
    door.purpose = Purpose::Write;
    mounted
}

struct Parts<'p> {
    wire: &'p Wire,
    site: &'p EcrSite,
    client: Client,
    call: Call<'p>,
    cargo: Cargo<'p>,
    digest: Digest,
    part: u64,
    door: Door,
    journal: Journal<'p>,
    tries: Tries,
    /// How far any upload of this call has come.
    furthest: u64,
    /// How many bytes this call has sent.
    sent: u64,
    /// All of it may have arrived, though nobody said so.
    maybe_there: bool,
}

/// An upload as ECR knows it.
struct Upload {
    id: String,
    /// How many bytes ECR has.
    offset: u64,
}

impl<'p> Parts<'p> {
    async fn all(&mut self) -> Result<Arrival, PortError> {
        let mut upload = self.earlier();
        loop {
            match self.step(&mut upload).await {
                Ok(true) => {
                    self.journal.forget();
                    return Ok(if self.sent == 0 { Arrival::Present } else { Arrival::Sent(self.sent) });
                }
                Ok(false) => {}
                Err(failure) => {
                    // What is wrong here would be wrong again, unless only the way there was.
                    if let Failure::Final(PortError::Wrong { .. } | PortError::NotFound { .. }) = &failure {
                        self.journal.forget();
                    }
                    self.tries.wait(self.call.subject, failure, self.call.tell).await?;
                }
            }
        }
    }

    /// The upload that another process has begun.
    fn earlier(&mut self) -> Option<Upload> {
        let begun = self.journal.begun()?;
        let id = begun.location.path().rsplit('/').next().filter(|id| !id.is_empty())?.to_owned();
        let offset = begun.mark.size();
        self.cargo.trust(begun.mark);
        (self.call.tell)(Event::Note(&format!("{}: goes on at byte {offset}", self.call.subject)));
        Some(Upload { id, offset })
    }

    /// One call, or two. Tells whether all is done.
    async fn step(&mut self, upload: &mut Option<Upload>) -> Result<bool, Failure> {
        if self.maybe_there {
            let missing = ecr::missing(&self.client, self.site, self.repository(), &[self.digest], &self.call).await?;
            if missing.is_empty() {
                return Ok(true);
            }
            self.maybe_there = false;
        }
        let Some(open) = upload else {
            // On the heap, for the SDK's futures are large.
            *upload = Some(Box::pin(self.initiate()).await?);
            return Ok(false);
        };
        if open.offset < self.cargo.size() {
            Box::pin(self.send_part(upload)).await
        } else {
            Box::pin(self.complete(upload)).await
        }
    }

    fn repository(&self) -> &Repository {
        &self.door.repository
    }

    /// The call with the permission that it takes.
    fn of(&self, action: &'static str) -> Call<'p> {
        Call { action, ..self.call }
    }

    async fn initiate(&mut self) -> Result<Upload, Failure> {
        let call = self.of("ecr:InitiateLayerUpload");
        let asked = call
            .ask(async || {
                let request = self.client.initiate_layer_upload().registry_id(&self.site.account);
                request.repository_name(self.repository().as_str()).send().await
            })
            .await;
        let answer = asked.map_err(|refused| self.refused(&call, refused))?;
        let id = answer.upload_id.ok_or_else(|| self.wrong("ECR begins an upload and does not name it".to_owned()))?;
        self.cargo.seek(0).await?;
        self.note(&id);
        Ok(Upload { id, offset: 0 })
    }

    async fn send_part(&mut self, upload: &mut Option<Upload>) -> Result<bool, Failure> {
        let Some(open) = upload else { return Ok(false) };
        // A part is in memory several times over while it is sent, so few are at once, however many blobs are.
        let wire = self.wire;
        let permit = wire.access.parts.acquire().await.map_err(|error| self.wrong(error.to_string()))?;
        let first = open.offset;
        let bytes = read(&mut self.cargo, first, self.part).await?;
        let last = first + bytes.len() as u64 - 1;
        let call = self.of("ecr:UploadLayerPart");
        let asked = call
            .ask(async || {
                let request = self.client.upload_layer_part().registry_id(&self.site.account);
                let request = request.repository_name(self.repository().as_str()).upload_id(&open.id);
                let request = request.part_first_byte(signed(first)).part_last_byte(signed(last));
                request.layer_part_blob(Blob::new(bytes.clone())).send().await
            })
            .await;
        drop((permit, bytes));
        match asked {
            Ok(answer) => {
                let received = answer.last_byte_received.and_then(|last| u64::try_from(last).ok()).unwrap_or(last);
                if !(first..=last).contains(&received) {
                    return Err(self.wrong(format!("ECR was sent the bytes {first} to {last}, and says {received}")));
                }
                self.sent += received + 1 - first;
                self.reached(open, received + 1).await?;
                Ok(false)
            }
            Err(Refused::Service(error)) if valid_until(&error).is_some() => {
                let offset = valid_until(&error).unwrap_or(0);
                let why = format!("ECR has {offset} bytes of it, and was sent the bytes {first} to {last}");
                if offset > self.cargo.size() {
                    return Err(self.lose(upload, why));
                }
                (self.call.tell)(Event::Note(&format!("{}: {why}; goes on there", self.call.subject)));
                let is_further = offset > self.furthest;
                self.reached(open, offset).await?;
                if is_further { Ok(false) } else { Err(Failure::again(why)) }
            }
            Err(refused) if refused.code() == "UploadNotFoundException" => {
                Err(self.lose(upload, "ECR does not know the upload any more".to_owned()))
            }
            Err(refused) => Err(self.refused(&call, refused)),
        }
    }

    /// ECR has so many bytes now.
    async fn reached(&mut self, upload: &mut Upload, offset: u64) -> Result<(), PortError> {
        upload.offset = offset;
        if offset > self.furthest {
            self.furthest = offset;
            self.tries.progressed();
        }
        self.cargo.seek(offset).await?;
        self.note(&upload.id);
        Ok(())
    }

    async fn complete(&mut self, upload: &mut Option<Upload>) -> Result<bool, Failure> {
        let Some(open) = upload else { return Ok(false) };
        // Bytes of an earlier process may be all there are; they are vouched for all the same.
        self.cargo.seek(self.cargo.size()).await?;
        let call = self.of("ecr:CompleteLayerUpload");
        let asked = call
            .ask(async || {
                let request = self.client.complete_layer_upload().registry_id(&self.site.account);
                let request = request.repository_name(self.repository().as_str()).upload_id(&open.id);
                request.layer_digests(self.digest.to_string()).send().await
            })
            .await;
        let refused = match asked {
            Ok(answer) => {
                let said = answer.layer_digest.filter(|said| *said != self.digest.to_string());
                return said.map_or(Ok(true), |said| Err(self.wrong(format!("ECR says that it has {said} now"))));
            }
            Err(refused) => refused,
        };
        match refused.code() {
            // Somebody else sent the same meanwhile, or an earlier answer was lost.
            "LayerAlreadyExistsException" => Ok(true),
            code @ ("UploadNotFoundException" | "EmptyUploadException" | "LayerPartTooSmallException") => {
                let why = format!("ECR cannot finish the upload ({code})");
                Err(self.lose(upload, why))
            }
            "InvalidLayerException" => {
                let why = format!("ECR has other bytes than it was sent: {}", call.named(refused));
                Err(self.wrong(why))
            }
            _ => Err(self.refused(&call, refused)),
        }
    }

    /// The upload is gone: because it is done, or because it took too long.
    fn lose(&mut self, upload: &mut Option<Upload>, why: String) -> Failure {
        *upload = None;
        self.journal.forget();
        self.maybe_there = true;
        Failure::again(why)
    }

    fn refused<E>(&self, call: &Call<'_>, refused: Refused<E>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let is_gone = refused.code() == "RepositoryNotFoundException";
        let error = call.named(refused);
        if !is_gone {
            return Failure::Final(error);
        }
        let subject = format!("the repository {} in {}", self.repository(), self.site.region);
        Failure::Final(PortError::NotFound { subject, message: error.to_string() })
    }

    fn wrong(&self, message: String) -> Failure {
        Failure::Final(PortError::Wrong { subject: self.call.subject.to_owned(), message })
    }

    /// Notes how far it is, for the next process.
    fn note(&self, id: &str) {
        let location: Option<Uri> = self.door.address(&format!("blobs/uploads/{id}"));
        if let Some(location) = location {
            self.journal.note(&self.door, &location, self.cargo.mark());
        }
    }
}

/// The bytes of a part, in one piece: that is how ECR takes them.
async fn read(cargo: &mut Cargo<'_>, first: u64, most: u64) -> Result<Vec<u8>, PortError> {
    cargo.seek(first).await?;
    let length = most.min(cargo.size() - first);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    while (bytes.len() as u64) < length {
        let more = cargo.next(length - bytes.len() as u64).await?;
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

fn signed(byte: u64) -> i64 {
    i64::try_from(byte).unwrap_or(i64::MAX)
}

/// How many bytes ECR has of an upload that was gone on with at the wrong place.
fn valid_until(error: &SdkError<UploadLayerPartError>) -> Option<u64> {
    match error.as_service_error()? {
        UploadLayerPartError::InvalidLayerPartException(invalid) => {
            // -1, or nothing at all, where there is no byte yet.
            Some(invalid.last_valid_byte_received.map_or(0, |last| u64::try_from(last + 1).unwrap_or(0)))
        }
        _ => None,
    }
}
