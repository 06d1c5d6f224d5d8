//! What is begun and not finished goes when its guard goes: at the end of a run, at an error, at Ctrl-C, at a panic.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::clear::{self, Scope};
use super::desk::Desk;

/// What is guarded.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Instances that are made into images; they always go.
    Instances,
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
    /// Whether there may be anything.
    armed: bool,
    /// What is known by id.
    ids: BTreeSet<String>,
}

impl<'g> Guard<'g> {
    pub(super) fn new(scope: &'g Scope<'g>, kind: Kind, desk: Desk<'g>) -> Self {
        Self { scope, kind, desk, state: Mutex::default() }
    }

    /// Something is about to be begun.
    pub(super) fn arm(&self) {
        self.with(|state| state.armed = true);
    }

    /// Something was begun.
    pub(super) fn holds(&self, id: &str) {
        self.with(|state| {
            state.armed = true;
            state.ids.insert(id.to_owned());
        });
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
        let State { armed, ids } = self.with(std::mem::take);
        match self.kind {
            _ if !armed => {}
            Kind::Instances => clear::instances(self.scope, &ids, self.desk),
            Kind::Images => clear::images(self.scope, &ids, self.desk),
        }
    }
}
