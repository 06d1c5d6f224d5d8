//! `.netrc`: credentials for downloads, by host, as curl reads them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::remote::secret::{Login, Secret};

/// Credentials by host.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Netrc {
    hosts: BTreeMap<String, Login>,
    default: Option<Login>,
}

impl Netrc {
    /// Reads a file; one that is not there is an empty one.
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self::read(&text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }

    /// The credentials of a host that the recipe names.
    pub(super) fn login(&self, host: &str) -> Option<&Login> {
        self.named(host).or(self.default.as_ref())
    }

    /// The credentials of a host that only a redirect names: the entry for all hosts is not for strangers.
    pub(super) fn named(&self, host: &str) -> Option<&Login> {
        self.hosts.get(&host.to_ascii_lowercase())
    }

    /// Words that are not understood are passed over, as other readers of this file do.
    fn read(text: &str) -> Self {
        let mut words = Words { rest: text };
        let mut netrc = Self::default();
        let mut about = About::Nobody;
        let mut login = Login { user: String::new(), password: Secret::new("") };
        while let Some(word) = words.next() {
            match word.as_str() {
                "machine" => {
                    netrc.add(about, &mut login);
                    about = words.next().map_or(About::Nobody, About::Host);
                }
                "default" => {
                    netrc.add(about, &mut login);
                    about = About::All;
                }
                "login" => login.user = words.next().unwrap_or_default(),
                "password" => login.password = Secret::new(words.next().unwrap_or_default()),
                "account" => drop(words.next()),
                "macdef" => words.skip_past("\n\n"),
                comment if comment.starts_with('#') => words.skip_past("\n"),
                _ => {}
            }
        }
        netrc.add(about, &mut login);
        netrc
    }

    fn add(&mut self, about: About, login: &mut Login) {
        let login = std::mem::replace(login, Login { user: String::new(), password: Secret::new("") });
        match about {
            // The first entry counts.
            About::Host(host) => drop(self.hosts.entry(host.to_ascii_lowercase()).or_insert(login)),
            About::All => drop(self.default.get_or_insert(login)),
            About::Nobody => {}
        }
    }
}

/// Whom the words are about.
enum About {
    Nobody,
    Host(String),
    All,
}

struct Words<'t> {
    rest: &'t str,
}

impl Words<'_> {
    fn next(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix('"') {
            Some(quoted) => Some(self.quoted(quoted.len())),
            None if self.rest.is_empty() => None,
            None => {
                let (word, rest) = self.rest.split_at(self.rest.find(char::is_whitespace).unwrap_or(self.rest.len()));
                self.rest = rest;
                Some(word.to_owned())
            }
        }
    }

    /// A word in quotes, of which the last `len` bytes of the text are left.
    fn quoted(&mut self, len: usize) -> String {
        let mut word = String::new();
        let mut chars = self.rest[self.rest.len() - len..].chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('r') => word.push('\r'),
                    other => word.extend(other),
                },
                c => word.push(c),
            }
        }
        self.rest = chars.as_str();
        word
    }

    fn skip_past(&mut self, end: &str) {
        self.rest = self.rest.split_once(end).map_or("", |(_, rest)| rest);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(login: Option<&Login>) -> Option<(&str, &str)> {
        login.map(|login| (login.user.as_str(), login.password.reveal()))
    }

    #[test]
    fn entries_are_found_by_host() {
        let netrc = Netrc::read(
            "# my hosts\nmachine a.b login me password #1\nmachine C.d\n  login you\n\tpassword \"two \\\"words\"\n\
             macdef init\ncd /x\nmachine evil login x password y\n\nmachine a.b login other password x\n\
             default login all password 0",
        );
        assert_eq!(shown(netrc.login("a.b")), Some(("me", "#1")));
        assert_eq!(shown(netrc.login("c.D")), Some(("you", "two \"words")));
        assert_eq!(shown(netrc.login("evil")), Some(("all", "0")));
        assert_eq!(shown(netrc.named("evil")), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_empty_and_a_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Netrc::load(&folder.path().join("none")), Ok(Netrc::default()));
        assert!(Netrc::load(folder.path()).unwrap_err().contains("cannot read"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_text_panics(text in "(machine|default|login|password|macdef|\"|\\\\|#| |\n|ä|.){0,20}") {
            let _ = Netrc::read(&text);
        }
    }
}
