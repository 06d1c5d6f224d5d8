//! Points in time as EC2 writes them.

use std::time::{Duration, SystemTime};

use elkbake::moment::Moment;

/// Now, `2026-11-27T14:00:00.000Z`, or a while ago.
pub fn stamp(ago: Duration) -> String {
    let text = Moment::of(SystemTime::now() - ago).to_string();
    format!("{}.000Z", text.trim_end_matches('Z'))
}

/// What EC2 makes of a time that somebody wrote: whole minutes. `None` if it is none.
pub fn minute(text: &str) -> Option<Moment> {
    let (whole, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let is_fraction = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let moment = Moment::parse(&format!("{whole}Z")).filter(|_| is_fraction)?;
    let text = moment.to_string();
    Moment::parse(&format!("{}:00Z", &text[..16]))
}

/// The same, as EC2 writes it in answers.
pub fn written(moment: Moment) -> String {
    format!("{}.000Z", moment.to_string().trim_end_matches('Z'))
}

/// Whether a time is past.
pub fn is_past(moment: Moment) -> bool {
    moment < Moment::of(SystemTime::now())
}

/// Whether a time is further away than EC2 plans.
pub fn is_too_far(moment: Moment) -> bool {
    moment > Moment::of(SystemTime::now() + Duration::from_secs(10 * 365 * 86_400 + 3 * 86_400))
}
