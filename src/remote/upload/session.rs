//! An upload as the registry sees it.

use hyper::Uri;
use hyper::header::RANGE;

use crate::remote::http::Reply;

/// An upload that the registry knows of.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Where it goes on; the registry may move it with every answer.
    pub(super) location: Uri,
    /// How many bytes the registry has.
    pub(super) offset: u64,
    /// Something went wrong since, so the registry is to be asked how many it has.
    pub(super) is_unsure: bool,
}

/// What a registry says that it has: `0-41` is 42 bytes. `None` when it says nothing, or nothing that makes sense.
pub(super) fn held(reply: &Reply) -> Option<u64> {
    range(reply.header(RANGE)?)
}

fn range(text: &str) -> Option<u64> {
    let text = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
    let (begin, end) = text.split_once('-')?;
    if begin.trim().parse() != Ok(0_u64) {
        return None;
    }
    end.trim().parse::<u64>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        for (text, expected) in [
            ("0-41", Some(42)),
            ("0-0", Some(1)),
            ("bytes=0-9", Some(10)),
            ("bytes 0-9", Some(10)),
            ("1-9", None),
            ("0-", None),
            ("0--1", None),
            ("", None),
            ("0-18446744073709551615", None),
        ] {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
