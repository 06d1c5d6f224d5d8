//! A blob's bytes straight from the registry that has them, without a stop in memory or on disk.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, HeaderValue, RANGE};

use crate::bake::event::Listener;
use crate::bake::port::PortError;
use crate::digest::Digest;
use crate::remote::door::Door;
use crate::remote::download::content_range;
use crate::remote::http::Reply;
use crate::remote::refusal::page_instead;
use crate::remote::retry::{Failure, Tries};
use crate::remote::wire::Wire;

/// Enough of a page to find its title.
const PAGE: usize = 64 * 1024;

/// A download that passes through, over as many requests as it takes.
pub(super) struct Origin<'a> {
    wire: &'a Wire,
    door: Door,
    digest: Digest,
    size: u64,
    /// How many bytes of the blob lie behind.
    at: u64,
    reply: Option<Reply>,
    /// So many bytes come before those that are wanted.
    skip: u64,
    rest: Bytes,
    tries: Tries,
    tell: Listener<'a>,
}

impl<'a> Origin<'a> {
    /// Begins at a byte; nothing is asked for yet.
    pub(super) fn new(wire: &'a Wire, door: Door, what: (Digest, u64), at: u64, tell: Listener<'a>) -> Self {
        let (digest, size) = what;
        let tries = Tries::new(wire.config.timing);
        Self { wire, door, digest, size, at, reply: None, skip: 0, rest: Bytes::new(), tries, tell }
    }

    /// The next bytes, at least one and at most so many.
    pub(super) async fn next(&mut self, most: usize) -> Result<Bytes, PortError> {
        loop {
            if !self.rest.is_empty() {
                let bytes = self.rest.split_to(most.min(self.rest.len()));
                self.at += bytes.len() as u64;
                self.tries.progressed();
                return Ok(bytes);
            }
            match self.more().await {
                Ok(bytes) => self.rest = bytes,
                Err(failure) => {
                    self.reply = None;
                    self.tries.wait(&self.door.subject, failure, self.tell).await?;
                }
            }
        }
    }

    async fn more(&mut self) -> Result<Bytes, Failure> {
        let mut reply = match self.reply.take() {
            Some(reply) => reply,
            None => self.open().await?,
        };
        while let Some(mut bytes) = reply.body.next().await? {
            let skipped = self.skip.min(bytes.len() as u64);
            self.skip -= skipped;
            let bytes = bytes.split_off(usize::try_from(skipped).unwrap_or(usize::MAX));
            if self.at + bytes.len() as u64 > self.size {
                return Err(self.wrong(format!("more than {} bytes came", self.size)));
            }
            if !bytes.is_empty() {
                self.reply = Some(reply);
                return Ok(bytes);
            }
        }
        Err(Failure::again(format!("it ended after {} of {} bytes", self.at, self.size)))
    }

    /// Asks for what is missing.
    async fn open(&mut self) -> Result<Reply, Failure> {
        let mut headers = HeaderMap::new();
        if self.at > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.at))
        {
            headers.insert(RANGE, range);
        }
        let mut reply = self.wire.ask(&self.door, &format!("blobs/{}", self.digest), headers).await?;
        if reply.media_type() == "text/html" {
            let (page, _) = reply.body.up_to(PAGE).await?;
            return Err(self.wrong(page_instead(&page)));
        }
        let length = reply.header(CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        self.skip = match reply.status {
            StatusCode::OK => self.at,
            StatusCode::PARTIAL_CONTENT => match reply.header(CONTENT_RANGE).and_then(content_range) {
                Some((Some(begin), total)) if begin == self.at && total.is_none_or(|total| total == self.size) => 0,
                _ => return Err(Failure::again("another part came than was asked for")),
            },
            _ => return Err(Failure::again(format!("it has no byte {}", self.at))),
        };
        match length.map(|length| length + self.at - self.skip) {
            Some(whole) if whole != self.size => {
                Err(self.wrong(format!("it has {whole} bytes, and should have {}", self.size)))
            }
            _ => Ok(reply),
        }
    }

    fn wrong(&self, message: String) -> Failure {
        Failure::Final(PortError::Wrong { subject: self.door.subject.clone(), message })
    }
}
