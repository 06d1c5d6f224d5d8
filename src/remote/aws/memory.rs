//! What this process has made in EC2 and taken away again. EC2 may say for a while that the first does not exist, and
//! that the second does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What one process knows of its own doings, by id.
#[derive(Default)]
pub(in crate::remote) struct Memory {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    given: BTreeMap<String, Instant>,
    gone: BTreeMap<String, Instant>,
    /// How each instance came to be.
    paid: BTreeMap<String, Paid>,
}

/// How an instance came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::remote) enum Paid {
    /// On demand.
    OnDemand,
    /// By this spot request.
    Spot(String),
}

impl Memory {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// We have just been given this.
    pub(in crate::remote) fn given(&self, id: &str) {
        self.known().given.insert(id.to_owned(), Instant::now());
    }

    /// These came with it, and are as young.
    pub(in crate::remote) fn came_with<'i>(&self, id: &str, others: impl IntoIterator<Item = &'i String>) {
        let mut known = self.known();
        let Some(since) = known.given.get(id).copied() else { return };
        for other in others {
            known.given.entry(other.clone()).or_insert(since);
        }
    }

    /// We have just taken this away.
    pub(in crate::remote) fn gone(&self, id: &str) {
        let mut known = self.known();
        known.given.remove(id);
        known.gone.insert(id.to_owned(), Instant::now());
    }

    /// Whether we were given one of these not longer ago than this.
    pub(in crate::remote) fn is_young<'i>(&self, ids: impl IntoIterator<Item = &'i str>, age: Duration) -> bool {
        let known = self.known();
        ids.into_iter().any(|id| known.given.get(id).is_some_and(|since| since.elapsed() < age))
    }

    /// Whether a text names something that we took away not longer ago than this.
    pub(in crate::remote) fn names_gone(&self, text: &str, age: Duration) -> bool {
        self.known().gone.iter().any(|(id, since)| since.elapsed() < age && text.contains(id.as_str()))
    }

    /// This instance has this spot request, or none.
    pub(in crate::remote) fn spot_request(&self, instance: &str, request: Option<&str>) {
        let paid = request.map_or(Paid::OnDemand, |request| Paid::Spot(request.to_owned()));
        self.known().paid.insert(instance.to_owned(), paid);
    }

    /// How an instance came to be, where that is known.
    pub(in crate::remote) fn paid(&self, instance: &str) -> Option<Paid> {
        self.known().paid.get(instance).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGE: Duration = Duration::from_secs(100);

    #[test]
    fn what_was_given_is_young_until_it_is_old_or_gone() {
        let memory = Memory::default();
        memory.given("ami-1");
        memory.came_with("ami-1", &["snap-1".to_owned()]);
        memory.came_with("ami-2", &["snap-2".to_owned()]);
        assert!(memory.is_young(["ami-0", "ami-1"], AGE) && memory.is_young(["snap-1"], AGE));
        assert!(!memory.is_young(["snap-2"], AGE) && !memory.is_young(["ami-1"], Duration::ZERO));
        memory.gone("ami-1");
        assert!(!memory.is_young(["ami-1"], AGE));
        assert!(memory.names_gone("in use by ami-1", AGE) && !memory.names_gone("in use by ami-2", AGE));
    }

    #[test]
    fn it_is_known_whether_an_instance_has_a_spot_request() {
        let memory = Memory::default();
        assert_eq!(memory.paid("i-1"), None);
        memory.spot_request("i-1", None);
        memory.spot_request("i-2", Some("sir-2"));
        assert_eq!(memory.paid("i-1"), Some(Paid::OnDemand));
        assert_eq!(memory.paid("i-2"), Some(Paid::Spot("sir-2".to_owned())));
    }
}
