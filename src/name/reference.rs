//! Docker's grammar of image references, read strictly and written in full.

use std::fmt;
use std::str::FromStr;

use super::{NameError, text_serde, text_type};
use crate::digest::Digest;

/// A registry's host and, where it says one, port: `docker.elastic.co`, `localhost:5000`, `[::1]:5000`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry(String);

text_type!(Registry);

impl Registry {
    /// The host without the port; an IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        match self.0.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
            _ => &self.0,
        }
    }

    /// Whether this names the machine itself, where plain HTTP is the rule.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Registry {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("registry", text, why);
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        if port.is_some_and(|port| port.len() > 5 || port.parse::<u16>().is_err() || port.starts_with('+')) {
            return Err(wrong("after the colon comes a port number"));
        }
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let right = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.len() <= 255 && host.split('.').all(is_host_label),
        };
        if !right {
            return Err(wrong("it is a host name or address, perhaps with a port"));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_host_label(label: &str) -> bool {
    let inner = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
}

/// A repository's path in its registry: `elk/elasticsearch`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

text_type!(Repository);

impl FromStr for Repository {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("repository", text, why);
        if text.len() > 255 {
            return Err(wrong("it is longer than 255 characters"));
        }
        if text.bytes().any(|c| c.is_ascii_uppercase()) {
            return Err(wrong("it has upper-case letters"));
        }
        if !text.split('/').all(is_path_component) {
            return Err(wrong(
                "between slashes stand lower-case letters and digits, joined by one `.`, one or two `_`, or `-`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = part.split(is_word).filter(|between| !between.is_empty());
    part.starts_with(is_word)
        && part.ends_with(is_word)
        && separators.into_iter().all(|s| matches!(s, "." | "_" | "__") || s.bytes().all(|c| c == b'-'))
}

/// A tag: a word character, then up to 127 of word characters, `.` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

text_type!(Tag);

impl FromStr for Tag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let right =
            text.starts_with(is_word) && text.len() <= 128 && text.chars().all(|c| is_word(c) || c == '.' || c == '-');
        if !right {
            return Err(NameError::new(
                "tag",
                text,
                "it has 1 to 128 letters, digits, `_`, `.` and `-`, and starts with neither `.` nor `-`",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Where an image is: registry, repository, and which one by tag, digest or both.
///
/// Reads Docker's short forms (`ubuntu`, `elastic/kibana:8`) and writes the full one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Who holds it.
    pub registry: Registry,
    /// Under which path.
    pub repository: Repository,
    /// The movable name, where one is given.
    pub tag: Option<Tag>,
    /// The fixed name, where one is given.
    pub digest: Option<Digest>,
}

const DOCKER_HUB: &str = "docker.io";

impl Reference {
    /// Whether the bytes it names can change from one day to the next.
    #[must_use]
    pub fn is_mutable(&self) -> bool {
        self.digest.is_none()
    }

    /// The same repository by digest alone.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("image reference", text, why);
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (
                rest,
                Some(
                    digest
                        .parse()
                        .map_err(|_| wrong("after `@` comes a digest: `sha256:` and 64 lower-case hex digits"))?,
                ),
            ),
            None => (text, None),
        };
        // A colon after the last slash parts the tag; one before it belongs to a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.parse().map_err(|e: NameError| wrong(e.why))?)),
            _ => (rest, None),
        };
        if name.len() == 64 && name.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(wrong("64 hex digits are an image id of one Docker engine, which no registry knows"));
        }
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_registry(first) => (first, path),
            _ => (DOCKER_HUB, name),
        };
        let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
        let path =
            if registry == DOCKER_HUB && !path.contains('/') { format!("library/{path}") } else { path.to_owned() };
        Ok(Self {
            registry: registry.parse().map_err(|e: NameError| wrong(e.why))?,
            repository: path.parse().map_err(|e: NameError| wrong(e.why))?,
            tag,
            digest,
        })
    }
}

/// Docker's rule for what the first component is: only a registry has a dot, a colon, an upper-case letter or is `localhost`.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|c| c.is_ascii_uppercase())
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

text_serde!(Reference);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_written_in_full() {
        for (short, full) in [
            ("ubuntu", "docker.io/library/ubuntu"),
            ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
            ("elastic/kibana:8", "docker.io/elastic/kibana:8"),
            ("index.docker.io/ubuntu", "docker.io/library/ubuntu"),
            (
                "docker.elastic.co/elasticsearch/elasticsearch:8.19.3",
                "docker.elastic.co/elasticsearch/elasticsearch:8.19.3",
            ),
            ("localhost/a", "localhost/a"),
            ("localhost:5000/a/b:t", "localhost:5000/a/b:t"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
            ("[::1]:5000/a:1", "[::1]:5000/a:1"),
            ("Host/a", "Host/a"),
            ("a__b/c-----d/e.f", "docker.io/a__b/c-----d/e.f"),
            (
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/elk/es:8_x.Y-z",
                "123456789012.dkr.ecr.eu-west-1.amazonaws.com/elk/es:8_x.Y-z",
            ),
        ] {
            assert_eq!(short.parse::<Reference>().unwrap().to_string(), full, "{short}");
        }
        let pinned = format!("a.b/c:t@sha256:{HEX}");
        assert_eq!(pinned.parse::<Reference>().unwrap().to_string(), pinned);
        assert!(!pinned.parse::<Reference>().unwrap().is_mutable());
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let long_tag = format!("a:{}", "t".repeat(129));
        let long_name = format!("a.b/{}", "x".repeat(256));
        let bad_digest = format!("a@sha256:{}", &HEX[1..]);
        let upper_digest = format!("a@sha256:{}", HEX.to_uppercase());
        for wrong in [
            "",
            ":",
            "/",
            "a/",
            "/a",
            "a//b",
            "a:",
            "a:-t",
            "a:.t",
            "a:t:u",
            "a@",
            "a@sha256",
            "A",
            "a/B",
            "a.b/C",
            "a b",
            "a/ b",
            "a___b",
            "a..b",
            "-a",
            "a-",
            "a_",
            "a.b:x/c",
            "a.b:99999/c",
            "a.b:/c",
            "-a.b/c",
            "a.-b/c",
            "[::1/a",
            "[zz]/a",
            "http://a/b",
            "https://docker.elastic.co/a",
            "a?b",
            "ä",
            HEX,
            &long_tag,
            &long_name,
            &bad_digest,
            &upper_digest,
            "a@sha512:00",
            "a\n",
            "a\0",
        ] {
            assert!(wrong.parse::<Reference>().is_err(), "{wrong:?} was read as {:?}", wrong.parse::<Reference>());
        }
    }

    #[test]
    fn loopback() {
        for near in ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5"] {
            assert!(near.parse::<Registry>().unwrap().is_loopback(), "{near}");
        }
        for far in ["localhost.example", "10.0.0.1:5000", "docker.io", "[2001:db8::1]"] {
            assert!(!far.parse::<Registry>().unwrap().is_loopback(), "{far}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(
            text in "([a-z]{1,4}(\\.[a-z]{1,3})?(:[0-9]{1,4})?/)?[a-z0-9]{1,3}([._/-]{1,2}[a-z0-9]{1,3}){0,3}(:[\\w.-]{1,5})?"
        ) {
            if let Ok(reference) = text.parse::<Reference>() {
                let full = reference.to_string();
                prop_assert_eq!(full.parse::<Reference>().unwrap(), reference);
            }
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = text.parse::<Reference>();
            let _ = text.parse::<Registry>();
            let _ = text.parse::<Repository>();
            let _ = text.parse::<Tag>();
        }
    }
}
