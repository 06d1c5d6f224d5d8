//! When to try again, and how long to wait before.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::bake::event::{Event, Listener};
use crate::bake::port::PortError;
use crate::remote::config::Timing;

/// So many tries in a row that bring nothing are enough: what is still broken then needs a person.
const TRIES: u32 = 5;

/// So many throttled tries in a row, with half a minute between the last ones, span some four minutes: as long as that
/// no quota is used up by one who waits.
pub(super) const THROTTLED_TRIES: u32 = 14;

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may go better another time.
    Again {
        /// What happened.
        why: String,
        /// How long the server asks us to wait.
        after: Option<Duration>,
        /// Whether nothing is wrong but that there are too many requests.
        is_throttle: bool,
    },
    /// It will not.
    Final(PortError),
}

impl Failure {
    pub(super) fn again(why: impl Into<String>) -> Self {
        Self::Again { why: why.into(), after: None, is_throttle: false }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        Self::Final(error)
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Final(error.into())
    }
}

/// Whether an answer of this kind may be another one soon.
pub(super) fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long a server asks us to wait. A date is taken against the server's own clock, so that ours may be wrong.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(after).ok()?;
    let now = httpdate::parse_http_date(text(DATE)?).ok()?;
    Some(then.duration_since(now).unwrap_or_default())
}

/// Counts tries that brought nothing, and apart from them those that came too soon after others: to wait is all that
/// these want.
pub(super) struct Tries {
    timing: Timing,
    most: u32,
    failed: u32,
    throttled: u32,
}

impl Tries {
    pub(super) fn new(timing: Timing) -> Self {
        Self::at_most(TRIES, timing)
    }

    /// So many tries, where waiting is all that helps.
    pub(super) fn at_most(most: u32, timing: Timing) -> Self {
        Self { timing, most, failed: 0, throttled: 0 }
    }

    /// Something came: count anew.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
        self.throttled = 0;
    }

    /// Waits before the next try, or says that there is none.
    pub(super) async fn wait(&mut self, subject: &str, failure: Failure, tell: Listener<'_>) -> Result<(), PortError> {
        let (why, after, is_throttle) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Again { why, after, is_throttle } => (why, after, is_throttle),
        };
        let most = if is_throttle { self.most.max(THROTTLED_TRIES) } else { self.most };
        let count = if is_throttle { &mut self.throttled } else { &mut self.failed };
        *count += 1;
        let failed = *count;
        let give_up = |message| Err(PortError::Unreachable { subject: subject.to_owned(), message });
        if let Some(after) = after.filter(|after| *after > self.timing.longest_asked) {
            return give_up(format!("{why}; the server asks to come back in {}", spoken(after)));
        }
        if failed >= most {
            return give_up(format!("{why}, {most} times in a row"));
        }
        let wait = after.unwrap_or_else(|| self.backoff(failed, random()));
        let asked = if after.is_some() { ", as the server asks" } else { "" };
        let next = failed + 1;
        tell(Event::Note(&format!("{subject}: {why}; try {next} of {most} in {}{asked}", spoken(wait))));
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Half of it certain, half by chance, so that many clients do not come back at one moment.
    fn backoff(&self, failed: u32, chance: u32) -> Duration {
        let full = self.timing.first_wait * 2_u32.saturating_pow(failed.saturating_sub(1));
        let full = full.min(self.timing.longest_wait);
        full / 2 + full.mul_f64(f64::from(chance) / f64::from(u32::MAX)) / 2
    }
}

/// A number by chance. The standard library seeds its hashers from the system.
fn random() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn spoken(wait: Duration) -> String {
    match wait.as_secs() {
        0 => format!("{} ms", wait.as_millis()),
        seconds @ 1..=120 => format!("{seconds} s"),
        seconds @ 121..=7200 => format!("{} minutes", seconds.div_ceil(60)),
        seconds => format!("{} hours", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(after: &str, date: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_a_server_asks_for_is_understood() {
        let now = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(asked(&HeaderMap::new()), None);
        assert_eq!(asked(&headers(" 7 ", None)), Some(Duration::from_secs(7)));
        assert_eq!(asked(&headers("Sun, 06 Nov 1994 08:50:00 GMT", Some(now))), Some(Duration::from_secs(23)));
        assert_eq!(asked(&headers("Sun, 06 Nov 1994 08:00:00 GMT", Some(now))), Some(Duration::ZERO));
        assert_eq!(asked(&headers("Sun, 06 Nov 1994 08:50:00 GMT", None)), None);
        assert_eq!(asked(&headers("-3", Some(now))), None);
        assert_eq!(asked(&headers("soon", Some(now))), None);
    }

    #[test]
    fn waits_double_within_their_bounds() {
        let tries = Tries::new(Timing::default());
        for (failed, least, most) in [(1, 250, 500), (2, 500, 1000), (3, 1000, 2000), (9, 15_000, 30_000)] {
            assert_eq!(tries.backoff(failed, 0), Duration::from_millis(least));
            assert_eq!(tries.backoff(failed, u32::MAX), Duration::from_millis(most));
        }
        assert!(tries.backoff(u32::MAX, 7) <= Duration::from_secs(30));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let passing: Vec<u16> = (100..=599).filter(|code| may_pass(StatusCode::from_u16(*code).unwrap())).collect();
        assert_eq!(passing, [408, 429, 500, 502, 503, 504]);
    }

    #[test]
    fn times_are_spoken_in_their_unit() {
        let spoken = [300, 5000, 130_000, 7_300_000].map(|millis| spoken(Duration::from_millis(millis)));
        assert_eq!(spoken, ["300 ms", "5 s", "3 minutes", "3 hours"]);
    }
}
