//! Why an archive is not unpacked.

use std::io;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is not taken, because of what it holds or of how it is made.
    #[error("{archive}: {}{message}", prefix(entry.as_ref()))]
    Refused {
        /// The archive.
        archive: String,
        /// The entry, where it is about one.
        entry: Option<String>,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// The disk or its permissions.
    #[error("{archive}: {}cannot be unpacked: {source}", prefix(entry.as_ref()))]
    Io {
        /// The archive.
        archive: String,
        /// The entry, where it is about one.
        entry: Option<String>,
        /// What the system says.
        source: io::Error,
    },
    /// Whoever was told of the progress wanted no more of it.
    #[error("unpacking {archive} was stopped: {source}")]
    Stopped {
        /// The archive.
        archive: String,
        /// Why.
        source: io::Error,
    },
}

fn prefix(entry: Option<&String>) -> String {
    entry.map_or_else(String::new, |entry| format!("{entry}: "))
}

impl UnpackError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &str {
        match self {
            Self::Refused { help, .. } => help,
            Self::Io { .. } => "see that the disk of the store has room and can be written to",
            Self::Stopped { .. } => "run it again",
        }
    }

    /// The entry it is about.
    #[must_use]
    pub fn entry(&self) -> Option<&str> {
        match self {
            Self::Refused { entry, .. } | Self::Io { entry, .. } => entry.as_deref(),
            Self::Stopped { .. } => None,
        }
    }

    /// What an error of a reader means for the archive: one of ours says it, one of the system is passed on, and all
    /// others come from decompressors that found wrong bytes.
    pub(super) fn of(archive: &str, error: io::Error) -> Self {
        let archive = archive.to_owned();
        match error.downcast::<Trouble>().unwrap_or_else(|error| Trouble::of(None, error)) {
            Trouble::Refused(Refusal { entry, message, help }) => {
                Self::Refused { archive, entry, message, help: help.to_owned() }
            }
            Trouble::System { entry, source } => Self::Io { archive, entry, source },
            Trouble::Stopped(source) => Self::Stopped { archive, source },
        }
    }
}

/// What to do about an archive that only its maker can mend.
pub(super) const MAKE_ANEW: &str =
    "ask whoever publishes the archive, or pack what is needed of it anew and use that by `path`";

/// What to do about an archive that is not whole.
pub(super) const GET_AGAIN: &str = "get the archive again; should it be the same, ask whoever publishes it";

/// Why something is refused, on its way up through readers, which speak of [`io::Error`].
#[derive(Debug)]
pub(super) struct Refusal {
    entry: Option<String>,
    message: String,
    help: &'static str,
}

/// What an [`io::Error`] of this room carries.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{}", .0.message)]
    Refused(Refusal),
    #[error("{source}")]
    System { entry: Option<String>, source: io::Error },
    #[error("{0}")]
    Stopped(io::Error),
}

impl Trouble {
    /// An error that nobody of us made.
    fn of(entry: Option<String>, source: io::Error) -> Self {
        let about_bytes = source.raw_os_error().is_none() && source.kind() != io::ErrorKind::WriteZero;
        match source.kind() {
            io::ErrorKind::UnexpectedEof if about_bytes => Self::Refused(Refusal {
                entry,
                message: "ends in the middle: the rest of the archive is missing".to_owned(),
                help: GET_AGAIN,
            }),
            _ if about_bytes => {
                Self::Refused(Refusal { entry, message: format!("is damaged: {source}"), help: GET_AGAIN })
            }
            _ => Self::System { entry, source },
        }
    }
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        Self::new(io::ErrorKind::InvalidData, trouble)
    }
}

/// A refusal of which the reader that makes it does not know the entry.
pub(super) fn refused(message: impl Into<String>, help: &'static str) -> io::Error {
    Trouble::Refused(Refusal { entry: None, message: message.into(), help }).into()
}

/// Whoever was told of the progress said no.
pub(super) fn stopped(error: io::Error) -> io::Error {
    Trouble::Stopped(error).into()
}

/// Says which entry an error is about, unless it is known already.
pub(super) fn about(entry: &[u8]) -> impl FnOnce(io::Error) -> io::Error + use<'_> {
    move |error| {
        let entry = shown(entry);
        match error.downcast::<Trouble>() {
            Ok(Trouble::Refused(Refusal { entry: None, message, help })) => {
                Trouble::Refused(Refusal { entry: Some(entry), message, help }).into()
            }
            Ok(Trouble::System { entry: None, source }) => Trouble::System { entry: Some(entry), source }.into(),
            Ok(trouble) => trouble.into(),
            Err(error) => Trouble::of(Some(entry), error).into(),
        }
    }
}

/// A name as an error can show it: neither endless, nor able to write over the terminal.
pub(super) fn shown(name: &[u8]) -> String {
    const SHOWN: usize = 200;
    let mut text = String::new();
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_harmlessly() {
        assert_eq!(shown(b"../etc/passwd"), "../etc/passwd");
        assert_eq!(shown(b"a\x1b[2J\n\xff\0"), r"a\u{1b}[2J\n\xff\u{0}");
        assert_eq!(shown("ä".repeat(300).as_bytes()).chars().count(), 201);
    }

    #[test]
    fn the_innermost_entry_is_named_and_the_system_is_not_the_archives_fault() {
        let error = about(b"outer")(about(b"inner")(refused("is wrong", "mend it")));
        let error = UnpackError::of("a.zip", error);
        assert_eq!((error.to_string().as_str(), error.help()), ("a.zip: inner: is wrong", "mend it"));
        assert_eq!(error.entry(), Some("inner"));

        let full = || io::Error::from_raw_os_error(28);
        let error = UnpackError::of("a.zip", about(b"e")(full()));
        assert!(matches!(&error, UnpackError::Io { entry: Some(entry), .. } if entry == "e"), "{error:?}");
        assert!(matches!(UnpackError::of("a.zip", full()), UnpackError::Io { entry: None, .. }));

        let error = UnpackError::of("a.zip", about(b"e")(io::ErrorKind::UnexpectedEof.into()));
        assert_eq!(error.to_string(), "a.zip: e: ends in the middle: the rest of the archive is missing");
        let error = UnpackError::of("a.zip", io::Error::other("bad code"));
        assert_eq!(error.to_string(), "a.zip: is damaged: bad code");
        let error = UnpackError::of("a.zip", about(b"e")(stopped(io::Error::other("Ctrl-C"))));
        assert!(matches!(&error, UnpackError::Stopped { .. }), "{error:?}");
        assert_eq!(error.to_string(), "unpacking a.zip was stopped: Ctrl-C");
    }
}
