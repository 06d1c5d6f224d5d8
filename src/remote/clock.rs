//! What time it is here, counted on from a time that we were told.

use std::time::{Duration, Instant, SystemTime};

/// Less than this is no reason for anybody to refuse.
const TOLERATED: Duration = Duration::from_secs(60);

/// Knows what time it is, where anybody has said so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Option<(SystemTime, Instant)>);

impl Clock {
    pub(super) fn new(now: Option<SystemTime>) -> Self {
        Self(now.map(|now| (now, Instant::now())))
    }

    /// What is wrong with this machine's clock by the date of an answer, as HTTP writes it.
    pub(super) fn off(&self, date: &str) -> Option<String> {
        let (told, since) = self.0?;
        off(told + since.elapsed(), httpdate::parse_http_date(date).ok()?)
    }
}

fn off(ours: SystemTime, theirs: SystemTime) -> Option<String> {
    let (by, side) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    let minutes = (by.as_secs() + 30) / 60;
    let minutes = if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") };
    (by >= TOLERATED).then(|| format!("this machine's clock is {minutes} off, {side} the server's: set it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_off_is_told() {
        let theirs = SystemTime::UNIX_EPOCH + Duration::from_hours(1000);
        for (ours, expected) in [
            (theirs, None),
            (theirs + Duration::from_secs(59), None),
            (
                theirs + Duration::from_secs(61),
                Some("this machine's clock is 1 minute off, ahead of the server's: set it"),
            ),
            (
                theirs - Duration::from_mins(17),
                Some("this machine's clock is 17 minutes off, behind the server's: set it"),
            ),
        ] {
            assert_eq!(off(ours, theirs).as_deref(), expected);
        }
    }

    #[test]
    fn who_was_told_no_time_or_no_date_says_nothing() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let now = httpdate::parse_http_date(date).unwrap();
        assert_eq!(Clock::new(None).off(date), None);
        assert_eq!(Clock::new(Some(now)).off("yesterday"), None);
        assert!(Clock::new(Some(now + Duration::from_mins(30))).off(date).unwrap().contains("30 minutes off, ahead"));
    }
}
