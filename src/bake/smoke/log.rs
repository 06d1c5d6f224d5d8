//! What a container prints, and how it ended: whoever waits for either is woken by it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bake::port::{Ended, PortError, Pulse};

/// A longer log loses its older half.
const MOST: usize = 4 << 20;

/// So many lines of its end are shown of what failed.
const SHOWN: usize = 40;

/// What is known of a container that was started.
#[derive(Default)]
pub(super) struct Log {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    text: Vec<u8>,
    is_started: bool,
    is_silent: bool,
    ended: Option<Result<Option<Ended>, PortError>>,
}

impl Log {
    /// Takes in what it does.
    pub(super) fn hear(&self, pulse: Pulse<'_>) {
        let mut state = self.state();
        match pulse {
            Pulse::Started => state.is_started = true,
            Pulse::Silent => state.is_silent = true,
            Pulse::Prints(bytes) => {
                state.text.extend_from_slice(bytes);
                if state.text.len() > MOST {
                    let half = state.text.len() - MOST / 2;
                    state.text.drain(..half);
                }
            }
        }
        self.news.notify_all();
    }

    /// Takes in how it ended.
    pub(super) fn end(&self, ended: Result<Option<Ended>, PortError>) {
        self.state().ended = Some(ended);
        self.news.notify_all();
    }

    /// How it ended, where it has; an error where nobody can tell any more.
    pub(super) fn ended(&self) -> Result<Option<Ended>, PortError> {
        let mut state = self.state();
        match state.ended.take() {
            Some(Ok(ended)) => {
                state.ended = Some(Ok(ended));
                Ok(ended)
            }
            // Told once: whoever hears it stops.
            Some(Err(error)) => Err(error),
            None => Ok(None),
        }
    }

    /// Waits for its end, at most so long.
    pub(super) fn wait_for_end(&self, limit: Duration) -> Result<Option<Ended>, PortError> {
        drop(self.news.wait_timeout_while(self.state(), limit, |state| state.ended.is_none()));
        self.ended()
    }

    /// Waits until it has been started, or will not be.
    pub(super) fn wait_for_start(&self) {
        drop(self.news.wait_while(self.state(), |state| !state.is_started && state.ended.is_none()));
    }

    /// Whether it prints no more.
    pub(super) fn is_silent(&self) -> bool {
        self.state().is_silent
    }

    /// Whether it has printed a text.
    pub(super) fn says(&self, wanted: &str) -> bool {
        String::from_utf8_lossy(&self.state().text).contains(wanted)
    }

    /// All of it.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.state().text).into_owned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last lines of a log.
pub(super) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| line.trim_end().to_owned()).collect()
}
