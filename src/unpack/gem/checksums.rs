//! The list of checksums in a gem.

use std::collections::BTreeMap;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::unpack::error::{GET_AGAIN, MAKE_ANEW, refused, shown};

/// What the parts of a gem hash to, as it says itself: hex digits by algorithm and part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checksums(BTreeMap<String, BTreeMap<String, String>>);

impl Checksums {
    /// Reads the YAML that `RubyGems` writes, and no other: algorithms at the margin, under each of them parts and sums.
    /// Rubies of before 2014 wrote sums in base64, over several lines.
    pub(super) fn parse(text: &str) -> io::Result<Self> {
        let mut read = Lines { all: BTreeMap::new(), algorithm: None, binary: None };
        for line in text.lines() {
            let line = line.trim_end();
            if !line.is_empty() && line != "---" {
                read.line(line).ok_or_else(|| {
                    refused(format!("has a line that is no checksum: {}", shown(line.as_bytes())), MAKE_ANEW)
                })?;
            }
        }
        read.end_binary().ok_or_else(|| refused("has a checksum that is not base64", MAKE_ANEW))?;
        Ok(Self(read.all))
    }

    /// Whether the sums of a part are those of the list.
    pub(super) fn check(&self, part: &str, sha256: &str, sha512: &str) -> io::Result<()> {
        let said = |algorithm: &str| self.0.get(algorithm).and_then(|parts| parts.get(part));
        let known: Vec<_> = [("SHA256", sha256), ("SHA512", sha512)]
            .into_iter()
            .filter_map(|(algorithm, real)| said(algorithm).map(|said| (algorithm, said, real)))
            .collect();
        if known.is_empty() {
            let message = "has no SHA-256 or SHA-512 in the gem's own list of checksums";
            return Err(refused(message, "build the gem anew with a RubyGems of this decade"));
        }
        match known.into_iter().find(|(_, said, real)| said != real) {
            Some((algorithm, said, real)) => {
                let said = shown(said.as_bytes());
                let message = format!("should have the {algorithm} {said} by the gem's own list, and has {real}");
                Err(refused(message, GET_AGAIN))
            }
            None => Ok(()),
        }
    }
}

struct Lines {
    all: BTreeMap<String, BTreeMap<String, String>>,
    algorithm: Option<String>,
    /// A part whose sum is in the following lines, and what of it came.
    binary: Option<(String, String)>,
}

impl Lines {
    fn line(&mut self, line: &str) -> Option<()> {
        let text = line.trim_start_matches(' ');
        match line.len() - text.len() {
            0 => {
                self.end_binary()?;
                let algorithm = text.strip_suffix(':')?.to_owned();
                let old = self.all.insert(algorithm.clone(), BTreeMap::new());
                self.algorithm = Some(algorithm);
                old.is_none().then_some(())
            }
            2 => {
                self.end_binary()?;
                let (part, sum) = text.split_once(": ")?;
                if sum.starts_with("!binary |") {
                    self.binary = Some((part.to_owned(), String::new()));
                    return Some(());
                }
                let sum = sum.trim_matches(['"', '\'']);
                self.insert(part.to_owned(), sum.to_owned())
            }
            _ => {
                self.binary.as_mut()?.1.push_str(text);
                Some(())
            }
        }
    }

    fn end_binary(&mut self) -> Option<()> {
        match self.binary.take() {
            Some((part, base64)) => {
                let sum = String::from_utf8(STANDARD.decode(base64).ok()?).ok()?;
                self.insert(part, sum)
            }
            None => Some(()),
        }
    }

    fn insert(&mut self, part: String, sum: String) -> Option<()> {
        let parts = self.all.get_mut(self.algorithm.as_ref()?)?;
        parts.insert(part, sum).is_none().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_today_and_of_old() {
        let today =
            "---\nSHA256:\n  metadata.gz: aa\n  data.tar.gz: bb\nSHA512:\n  metadata.gz: \"cc\"\n  data.tar.gz: dd\n";
        let old = "--- \nSHA1: \n  metadata.gz: !binary |-\n    eHg=\nSHA512: \n  metadata.gz: !binary |-\n    Y2\n    M=\n  \
                   data.tar.gz: !binary |\n    ZGQ=\n";
        let today = Checksums::parse(today).unwrap();
        today.check("metadata.gz", "aa", "cc").unwrap();
        today.check("data.tar.gz", "bb", "dd").unwrap();
        let error = today.check("data.tar.gz", "bb", "de").unwrap_err().to_string();
        assert!(error.contains("SHA512 dd") && error.contains("has de"), "{error}");
        assert!(today.check("data.tar.gz", "bc", "dd").is_err());
        assert!(today.check("other.gz", "aa", "cc").unwrap_err().to_string().contains("no SHA-256"));

        let old = Checksums::parse(old).unwrap();
        old.check("metadata.gz", "?", "cc").unwrap();
        old.check("data.tar.gz", "?", "dd").unwrap();
        assert!(old.check("data.tar.gz", "?", "cc").is_err());
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for wrong in [
            "SHA256",
            "SHA256: x",
            "  metadata.gz: aa",
            "SHA256:\nSHA256:",
            "SHA256:\n  a: b\n  a: c",
            "SHA256:\n    a: b",
            "SHA256:\n  a:b",
            "SHA256:\n  a: !binary |\n    ?",
            "[]",
        ] {
            assert!(Checksums::parse(wrong).is_err(), "{wrong}");
        }
    }
}
