//! Waiting until a registry has brought what was pushed to one region to the others.

use std::time::Duration;

use crate::bake::event::{Event, Listener};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{PortError, Publish};
use crate::digest::Digest;
use crate::name::Reference;
use crate::parallel;

/// An interrupt is looked for so often while nothing else is done.
const TICK: Duration = Duration::from_millis(50);

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the first question; twice as long before each further one.
    pub first: Duration,
    /// Between two questions, at most.
    pub longest: Duration,
    /// All waits together.
    pub all: Duration,
}

impl Patience {
    /// For what may be on its way, and may as well never come: about as long as most of what comes takes.
    #[must_use]
    pub fn brief() -> Self {
        Self { all: Duration::from_secs(5), ..Self::default() }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(15),
            // AWS says: most images are there in less than 30 minutes.
            all: Duration::from_mins(30),
        }
    }
}

/// What is to come.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    /// What the references are to name.
    pub digest: Digest,
    /// Whether they may name something else until then: the tag is one that moves.
    pub may_move: bool,
}

/// Waits until each of some references, one in each region, names a digest. The answers are in their order.
pub fn wait(
    port: &dyn Publish,
    references: &[Reference],
    awaited: Awaited,
    patience: Patience,
    interrupt: &Interrupt,
    tell: Listener<'_>,
) -> Vec<Result<(), PortError>> {
    parallel::bounded(references, references.len(), |at| wait_for(port, at, awaited, patience, interrupt, tell))
}

fn wait_for(
    port: &dyn Publish,
    at: &Reference,
    awaited: Awaited,
    patience: Patience,
    interrupt: &Interrupt,
    tell: Listener<'_>,
) -> Result<(), PortError> {
    let Awaited { digest, may_move } = awaited;
    let mut pause = patience.first;
    let mut waited = Duration::ZERO;
    loop {
        match port.held(at, tell)? {
            Some(held) if held == digest => return Ok(()),
            Some(held) if !may_move => {
                let message = format!("it names {held} there, and {digest} where it was pushed");
                return Err(PortError::Immutable { subject: at.to_string(), message });
            }
            _ if waited >= patience.all => {
                let message = format!(
                    "replication has not brought {digest} within {} s: see `aws ecr describe-image-replication-status`, \
                     or push again to go on waiting",
                    patience.all.as_secs()
                );
                return Err(PortError::Unreachable { subject: at.to_string(), message });
            }
            _ => {}
        }
        if waited.is_zero() {
            tell(Event::Note(&format!("{at}: waiting for the registry's replication")));
        }
        sleep(pause, interrupt)?;
        waited += pause;
        pause = (pause * 2).min(patience.longest);
    }
}

fn sleep(pause: Duration, interrupt: &Interrupt) -> Result<(), PortError> {
    let mut left = pause;
    while !left.is_zero() {
        if interrupt.requested() {
            return Err(PortError::Interrupted);
        }
        let tick = left.min(TICK);
        std::thread::sleep(tick);
        left -= tick;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::bake::event::SILENT;
    use crate::bake::port::{Arrival, Freight, RawManifest};
    use crate::store::Store;

    /// Holds something after so many questions.
    struct Slow {
        after: usize,
        what: Digest,
        before: Option<Digest>,
        asked: AtomicUsize,
    }

    impl Publish for Slow {
        fn held(&self, _: &Reference, _: Listener<'_>) -> Result<Option<Digest>, PortError> {
            let is_there = self.asked.fetch_add(1, Ordering::Relaxed) >= self.after;
            Ok(if is_there { Some(self.what) } else { self.before })
        }

        fn missing(&self, _: &Reference, _: &[Digest], _: Listener<'_>) -> Result<BTreeSet<Digest>, PortError> {
            Ok(BTreeSet::new())
        }

        fn send(&self, _: &Reference, _: Freight<'_>, _: &Store, _: Listener<'_>) -> Result<Arrival, PortError> {
            Ok(Arrival::Present)
        }

        fn publish(&self, _: &Reference, _: &RawManifest, _: Listener<'_>) -> Result<(), PortError> {
            Ok(())
        }
    }

    fn waited(slow: &Slow, digest: Digest, interrupt: &Interrupt) -> Result<(), PortError> {
        waited_for(slow, Awaited { digest, may_move: false }, interrupt)
    }

    fn waited_for(slow: &Slow, awaited: Awaited, interrupt: &Interrupt) -> Result<(), PortError> {
        let at = "123456789012.dkr.ecr.us-east-1.amazonaws.com/elk/kibana:1".parse().unwrap();
        let patience = Patience {
            first: Duration::from_micros(10),
            longest: Duration::from_micros(40),
            all: Duration::from_micros(500),
        };
        wait(slow, &[at], awaited, patience, interrupt, SILENT).remove(0)
    }

    fn slow(after: usize) -> Slow {
        Slow { after, what: Digest::of(b"a"), before: None, asked: AtomicUsize::new(0) }
    }

    #[test]
    fn what_comes_late_is_waited_for() {
        let slow = slow(3);
        waited(&slow, slow.what, &Interrupt::default()).unwrap();
        assert_eq!(slow.asked.into_inner(), 4);
    }

    #[test]
    fn what_never_comes_or_is_something_else_is_an_error() {
        let never = slow(usize::MAX);
        let error = waited(&never, never.what, &Interrupt::default()).unwrap_err();
        assert!(matches!(error, PortError::Unreachable { .. }), "{error:?}");
        let error = waited(&slow(1), Digest::of(b"b"), &Interrupt::default()).unwrap_err();
        assert!(matches!(error, PortError::Immutable { .. }), "{error:?}");
    }

    #[test]
    fn a_tag_that_moves_names_what_it_named_before_until_then() {
        let later = Slow { before: Some(Digest::of(b"before")), ..slow(3) };
        let error = waited(&later, later.what, &Interrupt::default()).unwrap_err();
        assert!(matches!(error, PortError::Immutable { .. }), "{error:?}");
        waited_for(&later, Awaited { digest: later.what, may_move: true }, &Interrupt::default()).unwrap();
        let never = Slow { before: Some(Digest::of(b"before")), ..slow(usize::MAX) };
        let error = waited_for(&never, Awaited { digest: never.what, may_move: true }, &Interrupt::default());
        assert!(matches!(error, Err(PortError::Unreachable { .. })), "{error:?}");
    }

    #[test]
    fn nobody_who_wants_to_stop_has_to_wait() {
        let interrupt = Interrupt::default();
        interrupt.request();
        let never = slow(usize::MAX);
        assert!(matches!(waited(&never, never.what, &interrupt), Err(PortError::Interrupted)));
    }
}
