//! What a tar stream is refused for.

/// Why a tar stream is refused: what is wrong, and with which entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::image) struct Refusal(String);

impl Refusal {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What is wrong with an entry.
    pub(super) fn of(name: &[u8], message: &str) -> Self {
        Self(format!("entry `{}`: {message}", shown(name)))
    }

    pub(super) fn into_message(self) -> String {
        self.0
    }
}

/// A name from outside, short and in one line.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let (short, rest) = match text.char_indices().nth(200) {
        Some((cut, _)) => (&text[..cut], "…"),
        None => (&text[..], ""),
    };
    short.escape_debug().chain(rest.chars()).collect()
}
