//! What goes out with a request: bytes at hand, or bytes that come while they are sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// So many blocks wait for the socket: enough that reading the next ones and sending overlap.
const WAITING: usize = 8;

/// The body of a request.
pub(super) enum Load {
    Whole(Full<Bytes>),
    Streamed(Streamed),
}

/// Bytes that are handed over while they are sent, exactly as many as were announced.
pub(super) struct Streamed {
    from: Receiver<Bytes>,
    left: u64,
    taken: Arc<AtomicU64>,
}

/// The body ended before all that was announced had come. It goes nowhere but into the breaking of the connection.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the body did not come")]
pub(super) struct Abandoned;

/// A body of `size` bytes, and where to put them. Dropping that one early breaks the request off.
pub(super) fn streamed(size: u64) -> (Sender<Bytes>, Streamed) {
    let (to, from) = channel(WAITING);
    (to, Streamed { from, left: size, taken: Arc::default() })
}

impl Load {
    /// How many bytes the connection has taken so far, to tell a slow one from a dead one; and how many it will.
    pub(super) fn meter(&self) -> (Arc<AtomicU64>, u64) {
        match self {
            Self::Whole(_) => (Arc::default(), 0),
            Self::Streamed(streamed) => (Arc::clone(&streamed.taken), streamed.left),
        }
    }
}

impl Body for Load {
    type Data = Bytes;
    type Error = Abandoned;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Abandoned>>> {
        match self.get_mut() {
            Self::Whole(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Self::Streamed(streamed) if streamed.left == 0 => Poll::Ready(None),
            Self::Streamed(streamed) => streamed.from.poll_recv(cx).map(|bytes| {
                let bytes = bytes.filter(|bytes| bytes.len() as u64 <= streamed.left).ok_or(Abandoned);
                Some(bytes.map(|bytes| {
                    streamed.left -= bytes.len() as u64;
                    streamed.taken.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                    Frame::data(bytes)
                }))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(full) => full.is_end_stream(),
            Self::Streamed(streamed) => streamed.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(full) => full.size_hint(),
            Self::Streamed(streamed) => SizeHint::with_exact(streamed.left),
        }
    }
}
