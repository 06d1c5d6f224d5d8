//! Points in time as image documents and records write them, in whole seconds.

use std::fmt;
use std::time::SystemTime;

const DAY: i64 = 86_400;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// The start of 1980 and a second: the time of everything that has none. Programs that put files into zips fail
    /// on earlier times, and some take zero for "not known".
    pub const NONE: Self = Self(315_532_801);

    /// The second that a clock shows.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self(i64::try_from(since).unwrap_or(i64::MAX))
    }

    /// The moment so many seconds after the start of 1970.
    #[must_use]
    pub fn from_epoch(seconds: u32) -> Self {
        Self(i64::from(seconds))
    }

    /// One second later.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// So many days later.
    #[must_use]
    pub fn in_days(self, days: u32) -> Self {
        Self(self.0.saturating_add(i64::from(days) * DAY))
    }

    /// So many minutes later.
    #[must_use]
    pub fn in_minutes(self, minutes: u32) -> Self {
        Self(self.0.saturating_add(i64::from(minutes) * 60))
    }

    /// So many minutes earlier.
    #[must_use]
    pub fn minutes_ago(self, minutes: u32) -> Self {
        Self(self.0.saturating_sub(i64::from(minutes) * 60))
    }

    /// The next start of a day.
    #[must_use]
    pub fn next_day(self) -> Self {
        Self(self.0.saturating_sub(self.0.rem_euclid(DAY)).saturating_add(DAY))
    }

    /// The start of its minute.
    #[must_use]
    pub fn to_the_minute(self) -> Self {
        Self(self.0 - self.0.rem_euclid(60))
    }

    /// Reads `2026-11-21T08:00:00Z`, with a fraction (which is dropped) or an offset too, as RFC 3339 has it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| {
            let digits = text.get(from..to)?;
            digits.bytes().all(|c| c.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
        };
        let is = |at: usize, expected: &str| text.get(at..=at).is_some_and(|c| expected.contains(c));
        if !(is(4, "-") && is(7, "-") && is(10, "Tt ") && is(13, ":") && is(16, ":")) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let known = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        let rest = text.get(19..)?;
        let zone = match rest.strip_prefix('.') {
            Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
            None => rest,
        };
        let offset = offset(zone)?;
        known.then(|| Self(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset))
    }
}

/// Seconds that a zone is ahead.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = match zone.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    Some(sign * (hours.parse::<u8>().map(i64::from).ok()? * 3600 + minutes.parse::<u8>().map(i64::from).ok()? * 60))
}

/// Days since the start of 1970. Years are counted from March on, so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, time) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let since = day + 719_468;
        let (era, of_era) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time / 3600, time / 60 % 60, time % 60)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_read_as_registries_write_them() {
        for (text, said) in [
            ("2024-02-29T23:59:59.123456789Z", "2024-02-29T23:59:59Z"),
            ("2026-11-21T08:00:00+01:00", "2026-11-21T07:00:00Z"),
            ("2026-11-21T08:00:00-00:30", "2026-11-21T08:30:00Z"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), said);
        }
        assert_eq!(Moment::NONE.to_string(), "1980-01-01T00:00:01Z");
        assert_eq!(Moment::from_epoch(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Moment::from_epoch(1_700_000_000).to_string(), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn days_and_minutes_are_counted_from_a_moment() {
        let moment = Moment::parse("2028-02-28T23:59:59Z").unwrap();
        assert_eq!(moment.in_days(2).to_string(), "2028-03-01T23:59:59Z");
        assert_eq!(moment.minutes_ago(1440).to_string(), "2028-02-27T23:59:59Z");
        assert_eq!(moment.to_the_minute().to_string(), "2028-02-28T23:59:00Z");
    }

    #[test]
    fn other_texts_are_no_moments() {
        for wrong in
            ["", "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01", "2026-01-01T25:00:00Z"]
        {
            assert_eq!(Moment::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_is_read_as_it_was_written(seconds: u32) {
            let moment = Moment::from_epoch(seconds);
            prop_assert_eq!(Moment::parse(&moment.to_string()), Some(moment));
            // So texts of one form can be compared as texts.
            prop_assert!(moment.next() > moment && moment.next().to_string() > moment.to_string());
        }

        #[test]
        fn no_text_breaks_the_reader(text: String) {
            let _ = Moment::parse(&text);
        }
    }
}
