//! Bytes that go into an engine, and bytes that come out of one, while a call lasts.

use std::future::Future;
use std::io::{self, Read};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::errors::Error;
use futures_util::{Stream, StreamExt};
use hyper::body::Bytes;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use super::line::{Line, is_absent};
use crate::bake::port::PortError;

/// So many pieces wait for the socket: enough that reading the next ones and sending overlap.
const WAITING: usize = 4;

/// Large enough that a piece costs nothing beside its bytes.
const PIECE: usize = 256 << 10;

/// An engine that has all of an image makes it, whether we wait for it or not; who leaves at once cannot remove it.
const GRACE: Duration = Duration::from_secs(20);

/// What is sent, piece by piece.
pub(super) struct Pieces(Receiver<io::Result<Bytes>>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

impl Line {
    /// Sends all bytes of a reader, and waits for what comes of it.
    pub(super) fn feed<T, F: Future<Output = Result<T, Error>>>(
        &self,
        what: &str,
        from: &mut dyn Read,
        send: impl FnOnce(Pieces) -> F,
    ) -> Result<T, PortError> {
        let (to, pieces) = channel(WAITING);
        let mut answer = pin!(send(Pieces(pieces)));
        let early = self.wait(async {
            while let Some(piece) = self.piece(what, from)? {
                tokio::select! {
                    // Who answers before all has come wants no more of it.
                    early = &mut answer => return early.map(Some).map_err(|error| self.failed(what, &error)),
                    sent = timeout(self.timing.idle, to.send(Ok(piece))) => match sent {
                        Err(_) => return Err(self.late(what, self.timing.idle)),
                        Ok(Ok(())) => {}
                        // The connection is gone, and the answer says why.
                        Ok(Err(_)) => break,
                    },
                }
            }
            Ok(None)
        })?;
        drop(to);
        match early {
            Some(done) => Ok(done),
            None => self.wait_a_little(GRACE, async { self.within(what, self.timing.work, answer).await }),
        }
    }

    /// The next bytes of a reader; `None` at its end.
    fn piece(&self, what: &str, from: &mut dyn Read) -> Result<Option<Bytes>, PortError> {
        let mut piece = vec![0; PIECE];
        let mut filled = 0;
        while filled < piece.len() {
            match from.read(&mut piece[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let help = "what is to be sent is read from the store: `elkbake store verify` looks it through";
                    return Err(error
                        .downcast::<PortError>()
                        .unwrap_or_else(|error| self.wrong(format!("{what}: {error}"), help)));
                }
            }
        }
        piece.truncate(filled);
        Ok((filled > 0).then(|| piece.into()))
    }
}

/// Bytes that come, as a reader.
pub(super) struct Pull<'l> {
    line: &'l Line,
    what: &'static str,
    from: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + 'l>>,
    piece: Bytes,
}

impl<'l> Pull<'l> {
    /// Waits for the first bytes, which may take the engine some time, or for why there are none.
    pub(super) fn begin(
        line: &'l Line,
        what: &'static str,
        from: impl Stream<Item = Result<Bytes, Error>> + 'l,
    ) -> Result<Self, PortError> {
        let mut from: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + 'l>> = Box::pin(from);
        let piece = line.ask(what, line.timing.work, async { from.next().await.transpose() })?;
        Ok(Self { line, what, from, piece: piece.unwrap_or_default() })
    }

    /// The same for what may be absent.
    pub(super) fn begin_if_there(
        line: &'l Line,
        what: &'static str,
        from: impl Stream<Item = Result<Bytes, Error>> + 'l,
    ) -> Result<Option<Self>, PortError> {
        let mut from: Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + 'l>> = Box::pin(from);
        let piece = line.ask(what, line.timing.work, async {
            match from.next().await.transpose() {
                Err(error) if is_absent(&error) => Ok(None),
                first => first.map(|piece| Some(piece.unwrap_or_default())),
            }
        })?;
        Ok(piece.map(|piece| Self { line, what, from, piece }))
    }
}

impl Read for Pull<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            let (line, from) = (self.line, &mut self.from);
            let next = line.ask(self.what, line.timing.idle, async { from.next().await.transpose() });
            match next.map_err(io::Error::other)? {
                None => return Ok(0),
                Some(piece) => self.piece = piece,
            }
        }
        let n = into.len().min(self.piece.len());
        into[..n].copy_from_slice(&self.piece.split_to(n));
        Ok(n)
    }
}
