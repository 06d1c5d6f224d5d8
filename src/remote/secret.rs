//! Passwords and tokens: they go into a header and nowhere else.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// `Bearer` and the text; `None` when it has characters that no header may have.
    pub(super) fn bearer(&self) -> Option<HeaderValue> {
        sensitive(&format!("Bearer {}", self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Who, and the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Secret,
}

impl Login {
    /// The header that shows it.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let pair = format!("{}:{}", self.user, self.password.reveal());
        sensitive(&format!("Basic {}", STANDARD.encode(pair)))
    }
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let login = Login { user: "me".to_owned(), password: Secret::new("hunter2") };
        let shown = format!("{login:?} {:?} {:?}", login.basic(), login.password.bearer());
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
        assert_eq!(login.basic().unwrap(), "Basic bWU6aHVudGVyMg==");
    }

    #[test]
    fn a_token_with_a_line_break_is_no_header() {
        assert_eq!(Secret::new("a\r\nHost: evil").bearer(), None);
    }
}
