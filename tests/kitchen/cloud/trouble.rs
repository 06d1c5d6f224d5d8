//! What goes wrong, and who may call how often.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::call::Asked;

/// What goes wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is refused with this code, and nothing was done.
    Error(&'static str),
    /// An error status without any word, and nothing was done.
    Status(u16),
    /// It is done, and the answer never comes.
    Lost,
    /// It is done, and the answer ends after so many bytes of its body.
    Cut(usize),
    /// The connection ends, and nothing was done.
    HangUp,
    /// None at all: the call before the next trouble.
    Nothing,
}

/// Told of every call.
type Hook = Arc<dyn Fn(&Asked) -> Option<Trouble> + Send + Sync>;

/// What was planned, and what came.
#[derive(Default)]
pub struct Plans {
    faults: Vec<(String, usize, Trouble)>,
    pub hook: Option<Hook>,
    /// By action: calls in a second, and at once.
    rates: BTreeMap<String, (u32, u32)>,
    /// By action and region: how many are left, and when that was counted.
    left: BTreeMap<(String, String), (f64, Instant)>,
    pub slow: BTreeMap<String, Duration>,
    /// Permissions that nobody has.
    pub denied: BTreeSet<String>,
    pub asked: Vec<Asked>,
    pub throttled: usize,
}

impl Plans {
    pub fn fault(&mut self, action: &str, times: usize, trouble: Trouble) {
        self.faults.push((action.to_owned(), times, trouble));
    }

    pub fn limit(&mut self, action: &str, rate: u32, burst: u32) {
        self.rates.insert(action.to_owned(), (rate, burst));
    }

    /// The next trouble that was planned for an action.
    pub fn trouble(&mut self, action: &str) -> Option<Trouble> {
        let planned = self.faults.iter_mut().find(|(of, times, _)| of == action && *times > 0)?;
        planned.1 -= 1;
        Some(planned.2.clone())
    }

    /// Counts a call; tells whether it is one too many.
    pub fn is_too_often(&mut self, asked: &Asked) -> bool {
        let Some((rate, burst)) = self.rates.get(&asked.action) else { return false };
        let (rate, burst, now) = (f64::from(*rate), f64::from(*burst), Instant::now());
        let of = (asked.action.clone(), asked.region.clone());
        let (left, seen) = self.left.entry(of).or_insert((burst, now));
        *left = (*left + now.duration_since(*seen).as_secs_f64() * rate).min(burst);
        *seen = now;
        let is_empty = *left < 1.0;
        if is_empty {
            self.throttled += 1;
        } else {
            *left -= 1.0;
        }
        is_empty
    }
}
