//! The requests of an upload, and what their answers mean.

use std::pin::pin;

use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode, Uri};

use super::cargo::Cargo;
use super::session::{Session, held};
use crate::bake::port::PortError;
use crate::digest::Digest;
use crate::name::Repository;
use crate::remote::address::{encoded, location, shown, with_parameter};
use crate::remote::body::streamed;
use crate::remote::door::{Door, Purpose};
use crate::remote::http::{Ask, Reply};
use crate::remote::refusal::{refusal, said};
use crate::remote::retry::{Failure, may_pass};
use crate::remote::wire::Wire;

/// A repository that is to get a blob.
pub(super) struct Line<'a> {
    pub(super) wire: &'a Wire,
    pub(super) door: Door,
    pub(super) digest: Digest,
}

/// How an upload begins.
pub(super) enum Opened {
    /// Not at all: the registry took the blob from another repository.
    Mounted,
    /// Here, with chunks of at least so many bytes.
    Session(Session, u64),
}

/// What a request of an upload came to.
pub(super) enum Turn {
    /// The registry has taken it.
    Taken(Box<Reply>),
    /// It wanted to know who we are, and can be told now.
    Introduced,
    /// It does not know the upload any more.
    Gone(String),
    /// A request of this size is too large for it.
    TooLarge(String),
    /// It says that the bytes are not those of the digest.
    OtherBytes(String),
    /// It does not understand the request.
    Puzzled(String),
}

impl Line<'_> {
    /// Whether the repository has the blob.
    pub(super) async fn is_there(&self) -> Result<bool, Failure> {
        let part = self.door.part(&format!("blobs/{}", self.digest))?;
        let mut ask = Ask::new(&self.door.subject, Method::HEAD, part);
        let (reply, who) = self.wire.exchange(&self.door, &mut ask).await?;
        match reply.status {
            StatusCode::OK => self.checked(&reply).map(|()| true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(refusal(&self.door.subject, reply, &who).await),
        }
    }

    /// Opens an upload, or has the blob taken from another repository, where that is possible.
    pub(super) async fn open(&mut self, mount: Option<&Repository>) -> Result<Opened, Failure> {
        if let Some(from) = mount {
            self.door.purpose = Purpose::Mount(from.clone());
            let query = format!("?mount={}&from={}", encoded(&self.digest.to_string()), encoded(from.as_str()));
            match self.post(&query).await {
                // Whether it may be taken from there is not worth failing for: it can be sent.
                Ok((reply, _)) if reply.status.is_client_error() && !may_pass(reply.status) => {}
                Err(Failure::Final(PortError::Denied { .. })) => {}
                Ok((reply, who)) => return self.opened(reply, &who).await,
                Err(failure) => return Err(failure),
            }
            self.door.purpose = Purpose::Write;
        }
        let (reply, who) = self.post("").await?;
        self.opened(reply, &who).await
    }

    async fn post(&self, query: &str) -> Result<(Reply, String), Failure> {
        let part = self.door.part(&format!("blobs/uploads/{query}"))?;
        let mut ask = Ask::new(&self.door.subject, Method::POST, part);
        self.wire.exchange(&self.door, &mut ask).await
    }

    async fn opened(&self, reply: Reply, who: &str) -> Result<Opened, Failure> {
        match reply.status {
            StatusCode::CREATED => self.checked(&reply).map(|()| Opened::Mounted),
            StatusCode::ACCEPTED => {
                let location = self.location(&reply)?;
                let least = reply.header("oci-chunk-min-length").and_then(|text| text.parse().ok()).unwrap_or(0);
                Ok(Opened::Session(Session { location, offset: 0, is_unsure: false }, least))
            }
            status if status.is_success() => Err(self.wrong(format!("HTTP {status} to the beginning of an upload"))),
            _ => Err(refusal(&self.door.subject, reply, who).await),
        }
    }

    /// Asks how far an upload is; `None` when the registry does not know it.
    pub(super) async fn status(&self, session: &Session) -> Result<Option<Session>, Failure> {
        let mut ask = Ask::get(&self.door.subject, session.location.clone());
        let (reply, who) = self.wire.exchange(&self.door, &mut ask).await?;
        match reply.status {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK => {
                let location = location(&session.location, &reply.headers);
                let location = location.unwrap_or_else(|| session.location.clone());
                // `0-0` is the only way in which many registries can say: nothing.
                let offset = held(&reply).filter(|held| *held > 1).unwrap_or(0);
                Ok(Some(Session { location: self.allowed(location)?, offset, is_unsure: false }))
            }
            _ => match self.turn(reply, &who).await? {
                Turn::Gone(_) | Turn::OtherBytes(_) => Ok(None),
                Turn::Taken(reply) => Err(self.wrong(format!("HTTP {} to a question about an upload", reply.status))),
                Turn::TooLarge(text) | Turn::Puzzled(text) => Err(self.wrong(text)),
                Turn::Introduced => Err(Failure::again("it wants to know who we are")),
            },
        }
    }

    /// Sends the next bytes of an upload.
    pub(super) async fn chunk(&self, session: &Session, cargo: &mut Cargo<'_>, length: u64) -> Result<Turn, Failure> {
        let mut headers = HeaderMap::new();
        let range = format!("{}-{}", session.offset, session.offset + length.saturating_sub(1));
        headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).map_err(|error| self.wrong(error.to_string()))?);
        cargo.seek(session.offset).await?;
        self.carry(Method::PATCH, session.location.clone(), headers, cargo, length).await
    }

    /// Sends all of the blob in one request.
    pub(super) async fn whole(&self, session: &Session, cargo: &mut Cargo<'_>) -> Result<Turn, Failure> {
        cargo.seek(0).await?;
        let size = cargo.size();
        if size == 0 {
            return self.finish(session).await;
        }
        self.carry(Method::PUT, self.last(session)?, HeaderMap::new(), cargo, size).await
    }

    /// Says that all has been sent.
    pub(super) async fn finish(&self, session: &Session) -> Result<Turn, Failure> {
        let mut ask = Ask::new(&self.door.subject, Method::PUT, self.last(session)?);
        let (reply, who) = self.wire.exchange(&self.door, &mut ask).await?;
        self.turn(reply, &who).await
    }

    /// Gives an upload up. That it cannot be told to the registry does no harm: it drops what nobody goes on with.
    pub(super) async fn cancel(&self, session: &Session) {
        let mut ask = Ask::new(&self.door.subject, Method::DELETE, session.location.clone());
        drop(self.wire.exchange(&self.door, &mut ask).await);
    }

    fn last(&self, session: &Session) -> Result<Uri, Failure> {
        let url = with_parameter(&session.location, "digest", &self.digest.to_string());
        url.ok_or_else(|| self.wrong("the address of its upload is too long".to_owned()))
    }

    /// Sends bytes while they come. An answer that comes before all of them have gone ends it.
    async fn carry(
        &self,
        method: Method,
        url: Uri,
        mut headers: HeaderMap,
        cargo: &mut Cargo<'_>,
        length: u64,
    ) -> Result<Turn, Failure> {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let _turn = self.wire.streams.acquire().await.map_err(|error| self.wrong(error.to_string()))?;
        let mut ask = Ask::new(&self.door.subject, method, url);
        ask.headers = headers;
        let (to, body) = streamed(length);
        let end = cargo.position() + length;
        let hand_over = async {
            let mut left = length;
            while left > 0 {
                let bytes = cargo.next(left).await?;
                left -= bytes.len() as u64;
                if to.send(bytes).await.is_err() {
                    // The connection has had enough; its answer says why.
                    break;
                }
            }
            Ok::<(), PortError>(())
        };
        let mut answer = pin!(self.wire.exchange_once(&self.door, &mut ask, body));
        let answer = tokio::select! {
            biased;
            early = &mut answer => early,
            handed = hand_over => {
                handed?;
                answer.await
            }
        };
        match answer? {
            Some((reply, _)) if reply.status.is_success() && cargo.position() < end => {
                Err(Failure::again(format!("HTTP {} before it has all that it was promised", reply.status)))
            }
            Some((reply, who)) => self.turn(reply, &who).await,
            None => Ok(Turn::Introduced),
        }
    }

    /// What an answer to a request of an upload means.
    async fn turn(&self, mut reply: Reply, who: &str) -> Result<Turn, Failure> {
        match reply.status {
            status if status.is_success() => {
                self.checked(&reply)?;
                Ok(Turn::Taken(Box::new(reply)))
            }
            status if status.is_redirection() => {
                Err(self.wrong(format!("HTTP {status}: uploads are not sent to where an answer redirects")))
            }
            // The address of the upload was good for a while, at a server that knows us by nothing else.
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !self.door.is_at(&reply.url) => Ok(Turn::Gone(
                format!("{} does not let us any more: {}", shown(&reply.url), said(&mut reply).await.text),
            )),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                let said = said(&mut reply).await;
                Ok(Turn::Gone(said.text))
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Err(Failure::again(said(&mut reply).await.text)),
            StatusCode::PAYLOAD_TOO_LARGE => Ok(Turn::TooLarge(said(&mut reply).await.text)),
            StatusCode::BAD_REQUEST => {
                let said = said(&mut reply).await;
                match said.code.as_str() {
                    "DIGEST_INVALID" | "SIZE_INVALID" => Ok(Turn::OtherBytes(said.text)),
                    "BLOB_UPLOAD_INVALID" | "BLOB_UPLOAD_UNKNOWN" => Ok(Turn::Gone(said.text)),
                    _ => Ok(Turn::Puzzled(said.text)),
                }
            }
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::LENGTH_REQUIRED | StatusCode::NOT_IMPLEMENTED => {
                Ok(Turn::Puzzled(said(&mut reply).await.text))
            }
            _ => Err(refusal(&self.door.subject, reply, who).await),
        }
    }

    /// Where an upload goes on.
    pub(super) fn location(&self, reply: &Reply) -> Result<Uri, Failure> {
        let location = location(&reply.url, &reply.headers);
        let location = location.ok_or_else(|| self.wrong("it does not say where the upload goes on".to_owned()))?;
        self.allowed(location)
    }

    /// Bytes are sent in the clear only where that was said of the server, or on the machine itself.
    fn allowed(&self, location: Uri) -> Result<Uri, Failure> {
        let host = location.authority().and_then(|host| host.as_str().parse().ok());
        let is_plain = host.is_some_and(|host| self.wire.is_plain(&host));
        if self.door.is_at(&location) || location.scheme_str() == Some("https") || is_plain {
            return Ok(location);
        }
        Err(self.wrong(format!("it wants its upload at {}, which is not https", shown(&location))))
    }

    /// Whatever an answer says of a digest has to be right.
    fn checked(&self, reply: &Reply) -> Result<(), Failure> {
        match reply.header("docker-content-digest").map(str::parse::<Digest>) {
            Some(Ok(digest)) if digest != self.digest => {
                Err(self.wrong(format!("the registry says that it has {digest} now, and was sent {}", self.digest)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn wrong(&self, message: String) -> Failure {
        Failure::Final(PortError::Wrong { subject: self.door.subject.clone(), message })
    }
}
