//! A wish to stop: said once by who talks to the person, seen by all who wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the person wants to stop. Copies share one answer.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks everybody to stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for a signal handler, which may do no more than set it.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_the_wish() {
        let one = Interrupt::default();
        let other = one.clone();
        assert!(!other.requested());
        one.request();
        assert!(other.requested() && one.flag().load(Ordering::Relaxed));
    }
}
