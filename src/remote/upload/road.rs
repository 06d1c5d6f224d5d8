//! The order of an upload's requests, and what is done when one of them fails.

use hyper::StatusCode;
use hyper::header::RANGE;

use super::cargo::Cargo;
use super::journal::Journal;
use super::line::{Line, Opened, Turn};
use super::session::{Session, held};
use crate::bake::event::{Event, Listener};
use crate::bake::port::{Arrival, Freight, PortError};
use crate::digest::Hasher;
use crate::name::Repository;
use crate::remote::door::Door;
use crate::remote::http::Reply;
use crate::remote::retry::{Failure, Tries};
use crate::remote::wire::Wire;
use crate::store::Store;

/// A proxy that takes less than this in one request is set up for forms, not for files.
const LEAST: u64 = 1 << 20;

/// After so many fresh credentials without a byte in between, it is not their age.
const INTRODUCTIONS: u32 = 2;

/// What is to be brought where.
pub(in crate::remote) struct Trip<'a> {
    pub(in crate::remote) door: Door,
    pub(in crate::remote) freight: Freight<'a>,
    /// The repository of the same registry from which it may be taken.
    pub(in crate::remote) mount: Option<Repository>,
    pub(in crate::remote) store: &'a Store,
}

/// Brings a blob into a repository.
pub(in crate::remote) async fn bring(wire: &Wire, trip: Trip<'_>, tell: Listener<'_>) -> Result<Arrival, PortError> {
    let Trip { door, freight, mount, store } = trip;
    let subject = door.subject.clone();
    let in_one = freight.size <= wire.config.pieces.whole || wire.is_in_one(&door.registry);
    let (journal, waited) = if in_one {
        (None, false)
    } else {
        let (journal, waited) = Journal::open(&door, freight.digest, store, tell).await;
        (Some(journal), waited)
    };
    let mut road = Road {
        line: Line { wire, door, digest: freight.digest },
        cargo: Cargo::new(wire, &subject, freight, store, tell),
        subject: &subject,
        journal,
        mount,
        tell,
        in_one,
        chunk: wire.config.pieces.chunk.max(1),
        tries: Tries::new(wire.config.timing),
        furthest: 0,
        is_inherited: false,
        inherited: 0,
        introductions: 0,
        maybe_there: waited,
    };
    road.all().await
}

struct Road<'a> {
    line: Line<'a>,
    cargo: Cargo<'a>,
    subject: &'a str,
    journal: Option<Journal<'a>>,
    mount: Option<Repository>,
    tell: Listener<'a>,
    /// All of it in one request.
    in_one: bool,
    chunk: u64,
    tries: Tries,
    /// How far any upload of this call has come.
    furthest: u64,
    /// The upload at hand was begun by an earlier process, and nothing is known of it yet.
    is_inherited: bool,
    /// How many bytes of the upload at hand an earlier process has sent.
    inherited: u64,
    introductions: u32,
    /// All of it may have arrived, though nobody said so.
    maybe_there: bool,
}

impl Road<'_> {
    async fn all(&mut self) -> Result<Arrival, PortError> {
        let mut session = self.earlier();
        loop {
            match self.step(&mut session).await {
                Ok(Some(arrival)) => {
                    self.journal.iter().for_each(Journal::forget);
                    return Ok(arrival);
                }
                Ok(None) => {}
                Err(failure) => {
                    self.stumble(&mut session, &failure);
                    self.tries.wait(self.subject, failure, self.tell).await?;
                }
            }
        }
    }

    /// The upload that another process has begun.
    fn earlier(&mut self) -> Option<Session> {
        let begun = self.journal.as_ref()?.begun()?;
        self.is_inherited = true;
        self.cargo.trust(begun.mark);
        Some(Session { location: begun.location, offset: 0, is_unsure: true })
    }

    /// One request, or two.
    async fn step(&mut self, session: &mut Option<Session>) -> Result<Option<Arrival>, Failure> {
        if self.maybe_there {
            if self.line.is_there().await? {
                return Ok(Some(self.arrival()));
            }
            self.maybe_there = false;
        }
        let Some(open) = session else {
            return self.begin(session).await;
        };
        if open.is_unsure {
            return self.ask(session).await.map(|()| None);
        }
        let size = self.cargo.size();
        let turn = if self.in_one {
            self.line.whole(open, &mut self.cargo).await?
        } else if open.offset < size {
            let length = self.chunk.min(size - open.offset);
            match self.line.chunk(open, &mut self.cargo, length).await? {
                Turn::Taken(reply) => return self.advance(session, &reply, length).await.map(|()| None),
                Turn::Puzzled(why) => {
                    self.all_at_once(session, &format!("answers a part of it with {why}")).await;
                    return Ok(None);
                }
                turn => turn,
            }
        } else {
            // Bytes of an earlier process may be all there are; they are vouched for all the same.
            self.cargo.seek(size).await?;
            self.line.finish(open).await?
        };
        match turn {
            Turn::Taken(reply) if reply.status != StatusCode::ACCEPTED => Ok(Some(self.arrival())),
            Turn::Taken(_) => Err(Failure::again("it has taken all, and does not say that it is done")),
            Turn::Introduced => self.introduced(session).map(|()| None),
            Turn::Gone(why) => {
                self.lose(session);
                // The last answer may have been lost, and the upload be gone because it is done.
                self.maybe_there = true;
                Err(Failure::again(format!("the registry does not know the upload any more ({why})")))
            }
            Turn::TooLarge(why) => self.shrink(session, &why).map(|()| None),
            Turn::Puzzled(why) => Err(self.line.wrong(why)),
            Turn::OtherBytes(why) if self.in_one => Err(self.line.wrong(format!("sent as it is, and refused: {why}"))),
            Turn::OtherBytes(why) => {
                self.all_at_once(session, &format!("does not have what it was sent ({why})")).await;
                Ok(None)
            }
        }
    }

    async fn begin(&mut self, session: &mut Option<Session>) -> Result<Option<Arrival>, Failure> {
        let opened = self.line.open(self.mount.as_ref()).await?;
        self.mount = None;
        match opened {
            Opened::Mounted => Ok(Some(Arrival::Mounted)),
            Opened::Session(open, least) => {
                self.inherited = 0;
                self.chunk = self.chunk.max(least);
                self.note(&open);
                *session = Some(open);
                Ok(None)
            }
        }
    }

    /// Asks the registry how far it is.
    async fn ask(&mut self, session: &mut Option<Session>) -> Result<(), Failure> {
        let Some(open) = session else { return Ok(()) };
        let is_inherited = self.is_inherited;
        let status = match self.line.status(open).await {
            // It may be another person's, or of a registry that has changed since.
            Err(Failure::Final(_)) if is_inherited => Ok(None),
            status => status,
        };
        let status = status?;
        self.is_inherited = false;
        match status {
            Some(now) if now.offset <= self.cargo.size() => {
                if is_inherited {
                    self.inherited = now.offset;
                }
                if now.offset > 0 {
                    (self.tell)(Event::Note(&format!("{}: goes on at byte {}", self.subject, now.offset)));
                }
                self.reached(now.offset);
                *session = Some(now);
                Ok(())
            }
            Some(_) => {
                self.all_at_once(session, "says that it has more than there is").await;
                Ok(())
            }
            None if is_inherited => {
                (self.tell)(Event::Note(&format!("{}: the earlier upload is gone; begins anew", self.subject)));
                self.lose(session);
                self.maybe_there = true;
                Ok(())
            }
            None => {
                self.lose(session);
                self.maybe_there = true;
                Err(Failure::again("the registry does not know the upload any more"))
            }
        }
    }

    /// A chunk was answered: how far is it now?
    async fn advance(&mut self, session: &mut Option<Session>, reply: &Reply, length: u64) -> Result<(), Failure> {
        let Some(open) = session else { return Ok(()) };
        let sent = open.offset + length;
        if reply.status != StatusCode::ACCEPTED {
            let odd = format!("answers a part of it with HTTP {} instead of 202", reply.status);
            self.all_at_once(session, &odd).await;
            return Ok(());
        }
        // Without a word about it, all of it was taken; if not, the digest will be wrong at the end.
        let offset = if reply.headers.contains_key(RANGE) { held(reply) } else { Some(sent) };
        // `0-0` is also what registries say that have nothing.
        let offset = offset.filter(|offset| *offset > 1 || sent == 1);
        match offset.filter(|offset| *offset > open.offset && *offset <= sent) {
            Some(offset) => {
                let location = self.line.location(reply).unwrap_or_else(|_| open.location.clone());
                *open = Session { location, offset, is_unsure: false };
                let open = open.clone();
                if self.cargo.position() == offset {
                    self.cargo.seek(offset).await?;
                }
                self.reached(offset);
                self.note(&open);
            }
            None => {
                let said = reply.header(RANGE).unwrap_or_default();
                let odd = format!("answers the bytes {} to {sent} with the range `{said}`", open.offset);
                self.all_at_once(session, &odd).await;
            }
        }
        Ok(())
    }

    fn reached(&mut self, offset: u64) {
        if offset > self.furthest {
            self.furthest = offset;
            self.tries.progressed();
            self.introductions = 0;
        }
    }

    /// What a failed request leaves of an upload.
    fn stumble(&mut self, session: &mut Option<Session>, failure: &Failure) {
        if matches!(failure, Failure::Final(_)) {
            // What is wrong here would be wrong again, unless only the way there was.
            let is_passing = matches!(
                failure,
                Failure::Final(PortError::Unreachable { .. } | PortError::Interrupted | PortError::Denied { .. })
            );
            if !is_passing {
                self.journal.iter().for_each(Journal::forget);
            }
        } else if self.in_one {
            self.maybe_there |= self.cargo.position() == self.cargo.size() && session.is_some();
            *session = None;
        } else if let Some(open) = session {
            open.is_unsure = true;
        }
    }

    /// The upload is no more.
    fn lose(&mut self, session: &mut Option<Session>) {
        *session = None;
        self.inherited = 0;
        self.cargo.trust(Hasher::default());
        self.journal.iter().for_each(Journal::forget);
    }

    fn introduced(&mut self, session: &mut Option<Session>) -> Result<(), Failure> {
        self.introductions += 1;
        if self.introductions > INTRODUCTIONS {
            let message = "HTTP 401: it asks who we are, over and over; the credentials do not let us write".to_owned();
            return Err(Failure::Final(PortError::Denied { subject: self.subject.to_owned(), message }));
        }
        if self.in_one {
            *session = None;
        } else if let Some(open) = session {
            open.is_unsure = true;
        }
        Ok(())
    }

    /// A registry, or a proxy before it, does not take requests of this size: smaller ones, if that can be.
    fn shrink(&mut self, session: &mut Option<Session>, why: &str) -> Result<(), Failure> {
        let tried = if self.in_one { self.cargo.size() } else { self.chunk.min(self.cargo.size()) };
        if tried <= LEAST || (self.in_one && self.line.wire.is_in_one(&self.line.door.registry)) {
            let hint = "it, or a proxy before it, does not take requests of that size: its limit is to be raised";
            return Err(self.line.wrong(format!("{why} to {tried} bytes; {hint}")));
        }
        self.chunk = (tried / 4).max(LEAST);
        (self.tell)(Event::Note(&format!("{}: {why}; goes on in chunks of {} bytes", self.subject, self.chunk)));
        if self.in_one {
            self.in_one = false;
            *session = None;
        } else if let Some(open) = session {
            open.is_unsure = true;
        }
        Ok(())
    }

    /// Chunks do not work here.
    async fn all_at_once(&mut self, session: &mut Option<Session>, why: &str) {
        let subject = self.subject;
        (self.tell)(Event::Note(&format!("{subject}: the registry {why}; all of it is sent in one request instead")));
        if let Some(open) = session {
            self.line.cancel(open).await;
        }
        self.lose(session);
        self.in_one = true;
        self.line.wire.takes_in_one(&self.line.door.registry);
    }

    fn note(&self, open: &Session) {
        if let Some(journal) = self.journal.as_ref().filter(|_| !self.in_one) {
            journal.note(&self.line.door, &open.location, self.cargo.mark());
        }
    }

    fn arrival(&self) -> Arrival {
        if self.maybe_there && self.cargo.position() == 0 {
            return Arrival::Present;
        }
        Arrival::Sent(self.cargo.size() - self.inherited)
    }
}
