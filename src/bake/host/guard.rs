//! What is begun and not finished goes when its guard goes: at the end of a run, at an error, at Ctrl-C, at a panic.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::clear::{self, Scope};
use super::desk::Desk;
use crate::bake::port::{PortError, Tags};

/// What is guarded.
pub(super) enum Kind {
    /// Instances that have these tags; they always go.
    Instances(Tags),
    /// Images that are not finished, with their snapshots.
    Images,
}

/// Guards what is begun of one kind for one processor in one region.
pub(super) struct Guard<'g> {
    scope: &'g Scope<'g>,
    kind: Kind,
    desk: Desk<'g>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether something may have been begun that is not known: an answer was lost.
    unsure: bool,
    /// What is known by id.
    ids: BTreeSet<String>,
}

impl<'g> Guard<'g> {
    pub(super) fn new(scope: &'g Scope<'g>, kind: Kind, desk: Desk<'g>) -> Self {
        Self { scope, kind, desk, state: Mutex::default() }
    }

    /// Begins something. Where the answer is lost, it may have been begun or not.
    pub(super) fn begin<T>(&self, call: impl FnOnce() -> Result<T, PortError>) -> Result<T, PortError> {
        self.with(|state| state.unsure = true);
        let answer = call();
        let is_told = match &answer {
            Ok(_) => true,
            Err(error) => {
                matches!(error, PortError::Denied { .. } | PortError::NotFound { .. } | PortError::Cloud { .. })
            }
        };
        self.with(|state| state.unsure = !is_told);
        answer
    }

    /// This was begun.
    pub(super) fn holds(&self, id: &str) {
        self.with(|state| state.ids.insert(id.to_owned()));
    }

    /// What there was is finished, or was nothing.
    pub(super) fn let_go(&self) {
        self.with(|state| *state = State::default());
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let State { unsure, ids } = self.with(std::mem::take);
        match &self.kind {
            _ if !unsure && ids.is_empty() => {}
            Kind::Instances(tags) => clear::instances((self.scope, tags), &ids, unsure, self.desk),
            Kind::Images => clear::images(self.scope, &ids, unsure, self.desk),
        }
    }
}
