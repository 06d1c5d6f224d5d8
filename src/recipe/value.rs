//! The small values that recipes are made of, each with one strict parser.

use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use crate::digest::Digest;
use crate::name::{Tag, text_serde};
use crate::text::read_as_text;

/// Why a text is no value of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind}: {why}")]
pub struct ValueError {
    kind: &'static str,
    text: String,
    why: String,
}

pub(super) fn wrong(kind: &'static str, text: &str, why: impl Into<String>) -> ValueError {
    ValueError { kind, text: text.chars().take(300).collect(), why: why.into() }
}

macro_rules! value_text {
    ($type:ident) => {
        impl $type {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        text_serde!($type);
    };
}

/// A version: `8.19.3`, `2026.11`. It becomes the first part of a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(String);

value_text!(Version);

impl Version {
    /// Major, minor and patch, where the version is of that kind.
    #[must_use]
    pub fn triple(&self) -> Option<(u64, u64, u64)> {
        let plain = self.0.split(['-', '+']).next().unwrap_or_default();
        let mut parts = plain.split('.').map(|part| part.parse().ok());
        match (parts.next()??, parts.next()??, parts.next()??, parts.next()) {
            (major, minor, patch, None) => Some((major, minor, patch)),
            _ => None,
        }
    }
}

impl FromStr for Version {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // The tag is this, a dash and 12 characters of the key, and has 128 at most.
        let right = text.len() <= 100 && text.parse::<Tag>().is_ok();
        if right {
            Ok(Self(text.to_owned()))
        } else {
            Err(wrong("version", text, "it has 1 to 100 letters, digits, `_`, `.` and `-`, as a tag has"))
        }
    }
}

/// A file or folder of the project, by its path from the project's folder, which it cannot leave.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectPath(String);

value_text!(ProjectPath);

impl ProjectPath {
    /// The path below the project's folder.
    #[must_use]
    pub fn below(&self, project: &Path) -> PathBuf {
        project.join(&self.0)
    }
}

impl FromStr for ProjectPath {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fail = |why: &str| Err(wrong("path in the project", text, why));
        let path = Path::new(text);
        if text.is_empty() || text.contains('\0') || text.len() > 4095 {
            return fail("it has 1 to 4095 bytes and no NUL");
        }
        if path.components().any(|part| matches!(part, Component::ParentDir)) {
            return fail("it has a `..` in it, and inputs are taken from inside the project only");
        }
        if path.is_absolute() {
            return fail("it is absolute, and would be another file on another machine");
        }
        Ok(Self(text.to_owned()))
    }
}

/// What an image is called in an OCI layout: a tag as a rule, with some programs a whole reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutTag(String);

value_text!(LayoutTag);

impl FromStr for LayoutTag {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > 1000 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("tag in an OCI layout", text, "it has 1 to 1000 characters and no white space"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Where something is downloaded from: `https://…`, or `http://…` with a checksum beside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Url(String);

value_text!(Url);

impl Url {
    /// Host and, where it says one, port.
    #[must_use]
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// The last part of its path.
    #[must_use]
    pub fn file_name(&self) -> &str {
        let path = self.0.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the bytes can be changed on the way by anyone.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }
}

impl FromStr for Url {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("URL", text, "it starts with `https://`"));
        };
        if !matches!(scheme, "https" | "http") {
            return Err(wrong("URL", text, "only `https://` and `http://` are downloaded from"));
        }
        let (authority, _) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            let hidden = format!("{scheme}://…@{}", authority.rsplit('@').next().unwrap_or_default());
            return Err(wrong("URL", &hidden, "credentials would be baked into the lock; put them into ~/.netrc"));
        }
        if text.len() > 4096 || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("URL", text, "it has up to 4096 characters and no white space"));
        }
        if authority.parse::<crate::name::Registry>().is_err() {
            return Err(wrong("URL", text, "its host is no host name or address"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A published checksum: `sha256:…`, `sha512:…`, or the bare hex digits of either.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Checksum {
    /// 64 hex digits.
    Sha256(Digest),
    /// 128 hex digits.
    Sha512(String),
}

impl FromStr for Checksum {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let fail = || wrong("checksum", text, "it is `sha256:` and 64 or `sha512:` and 128 lower-case hex digits");
        let is_hex = |digits: &str| digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let (kind, digits) = match text.split_once(':') {
            Some((kind, digits)) => (kind, digits),
            None if text.len() == 64 => ("sha256", text),
            None => ("sha512", text),
        };
        match kind {
            "sha256" => Digest::from_hex(digits).map(Self::Sha256).map_err(|_| fail()),
            "sha512" if digits.len() == 128 && is_hex(digits) => Ok(Self::Sha512(digits.to_owned())),
            _ => Err(fail()),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => write!(f, "{digest}"),
            Self::Sha512(digits) => write!(f, "sha512:{digits}"),
        }
    }
}

text_serde!(Checksum);

/// A pattern for paths: `*` within one component, `**` across, `?`, `[ab]`, `{a,b}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(String);

value_text!(Glob);

impl Glob {
    /// The pattern, ready to match. Paths are matched without their leading slash, and folders without one at the end.
    #[must_use]
    pub fn matcher(&self) -> Option<globset::GlobMatcher> {
        compile(&self.0).ok().map(|glob| glob.compile_matcher())
    }

    /// Whether it ends in a slash, and so is for folders alone where it is for files otherwise.
    #[must_use]
    pub fn folders_only(&self) -> bool {
        self.0.ends_with('/')
    }
}

fn compile(text: &str) -> Result<globset::Glob, globset::Error> {
    globset::GlobBuilder::new(text.trim_start_matches('/').trim_end_matches('/'))
        .literal_separator(true)
        .backslash_escape(true)
        .build()
}

impl FromStr for Glob {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() || text.len() > 1000 {
            return Err(wrong("pattern", text, "it has 1 to 1000 characters"));
        }
        match compile(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(wrong("pattern", text, error.kind().to_string())),
        }
    }
}

read_as_text!(
    Version = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$",
    ProjectPath = "^[^/]",
    Url = "^https?://",
    Checksum = "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{128})$",
    Glob,
    crate::tree::Mode = "^[0-7]{3,4}$",
    crate::tree::Owner = "^[0-9]+:[0-9]+$",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!("8.19.3".parse::<Version>().unwrap().triple(), Some((8, 19, 3)));
        assert_eq!("9.0.0-beta1".parse::<Version>().unwrap().triple(), Some((9, 0, 0)));
        assert_eq!("2026.11".parse::<Version>().unwrap().triple(), None);
        for wrong in ["", "-1", "8 19", "8/19", &"1".repeat(101)] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn project_paths_stay_inside() {
        assert!("plugins/a.zip".parse::<ProjectPath>().is_ok());
        for wrong in ["", "/etc/passwd", "../x", "a/../../x", "a\0"] {
            assert!(wrong.parse::<ProjectPath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn urls() {
        let url: Url = "https://artifacts.elastic.co/downloads/a-1.zip?x=1".parse().unwrap();
        assert_eq!((url.authority(), url.file_name(), url.is_plain()), ("artifacts.elastic.co", "a-1.zip", false));
        for wrong in ["", "ftp://a/b", "file:///etc/passwd", "https://", "https:///x", "https://a b/", "a.zip"] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_repeated() {
        let error = "https://user:hunter2@host/x".parse::<Url>().unwrap_err().to_string();
        assert!(error.contains("…@host") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn checksums() {
        let long = "a".repeat(128);
        assert_eq!(long.parse::<Checksum>().unwrap().to_string(), format!("sha512:{long}"));
        assert!("a".repeat(64).parse::<Checksum>().is_ok());
        for wrong in ["", "md5:00", "sha256:", "sha512:aa", "A".repeat(64).as_str()] {
            assert!(wrong.parse::<Checksum>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn globs() {
        let matches = |glob: &str, path: &str| glob.parse::<Glob>().unwrap().matcher().unwrap().is_match(path);
        assert!(matches("usr/local/bin/*", "usr/local/bin/es"));
        assert!(matches("/usr/**", "usr/local/bin/es"));
        assert!(!matches("usr/*", "usr/local/bin/es"));
        assert!("a[".parse::<Glob>().is_err());
    }
}
