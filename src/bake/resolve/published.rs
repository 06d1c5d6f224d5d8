//! Checksums: what a recipe or a publisher states, held against the bytes.

use std::io;

use sha2::{Digest as _, Sha512};

use super::World;
use super::fault::Fault;
use super::project::each_chunk;
use crate::bake::port::PortError;
use crate::digest::{Digest, hex};
use crate::recipe::{Checksum, Url};

/// A checksum file holds one line.
const LONGEST: u64 = 4096;

/// Fetches what the publisher states beside `url`, in the first of the `kinds` (`sha512`, `sha256`) that there is.
pub(super) fn fetch(world: &World<'_>, name: &str, url: &Url, kinds: &[&str]) -> Result<Option<Checksum>, Fault> {
    for kind in kinds {
        let beside = format!("{url}.{kind}");
        let Ok(beside) = beside.parse::<Url>() else {
            return Err(Fault::wrong(&beside, "this is no URL to look for a checksum at"));
        };
        let (digest, _) = match world.download(format!("{name} checksum"), &beside, None, LONGEST) {
            Ok(found) => found,
            Err(PortError::NotFound { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let text = world.store.bytes(&digest, LONGEST)?;
        let text = text.ok_or_else(|| Fault::wrong(&beside, "it was fetched and is not in the store"))?;
        return parse(kind, &text, url.file_name()).map(Some).map_err(|message| Fault::wrong(&beside, message));
    }
    Ok(None)
}

/// Reads `HASH`, or `HASH  FILE` where the file has to be the one that is checked.
fn parse(kind: &str, bytes: &[u8], file: &str) -> Result<Checksum, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
    let mut words = text.split_whitespace();
    let hash = words.next().unwrap_or_default().to_ascii_lowercase();
    if let Some(named) = words.next().map(|name| name.trim_start_matches('*')).filter(|named| *named != file) {
        let named: String = named.chars().take(100).collect();
        return Err(format!("it is the checksum of `{named}`, not of `{file}`"));
    }
    if words.next().is_some() {
        return Err("it holds more than one checksum".to_owned());
    }
    format!("{kind}:{hash}").parse::<Checksum>().map_err(|error| error.to_string())
}

/// Holds a checksum against a blob of the store.
pub(super) fn check_blob(
    world: &World<'_>,
    subject: &str,
    digest: Digest,
    expected: &Checksum,
    said_by: &'static str,
) -> Result<(), Fault> {
    let got = match expected {
        Checksum::Sha256(_) => Checksum::Sha256(digest),
        Checksum::Sha512(_) => {
            let blob = world.store.read(&digest)?;
            let mut blob = blob.ok_or_else(|| Fault::wrong(&subject, "it was fetched and is not in the store"))?;
            let mut hasher = Sha512::new();
            if let Err(error) = each_chunk(&mut blob, |chunk| hasher.update(chunk)) {
                if error.kind() == io::ErrorKind::InvalidData {
                    world.store.drop_blob(&digest)?;
                }
                return Err(Fault::wrong(&subject, error.to_string()));
            }
            Checksum::Sha512(hex(&hasher.finalize()))
        }
    };
    check(subject, expected, said_by, &got)
}

/// Refuses bytes whose checksum is not the expected one.
pub(super) fn check(subject: &str, expected: &Checksum, said_by: &'static str, got: &Checksum) -> Result<(), Fault> {
    if got == expected {
        return Ok(());
    }
    let subject = subject.to_owned();
    Err(Fault::Checksum { subject, expected: expected.to_string(), said_by, got: got.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_files_of_elastic_and_maven_are_read() {
        let (long, short) = ("ab".repeat(64), "cd".repeat(32));
        let sha512 = Ok(Checksum::Sha512(long.clone()));
        assert_eq!(parse("sha512", format!("{long}  a-1.zip\n").as_bytes(), "a-1.zip"), sha512);
        assert_eq!(parse("sha512", format!("{long} *a-1.zip").as_bytes(), "a-1.zip"), sha512);
        assert_eq!(parse("sha512", long.to_uppercase().as_bytes(), "a-1.zip"), sha512);
        assert_eq!(parse("sha256", short.as_bytes(), "x").unwrap().to_string(), format!("sha256:{short}"));
    }

    #[test]
    fn a_checksum_of_something_else_is_refused() {
        let long = "ab".repeat(64);
        for (text, part) in [
            (format!("{long}  b-1.zip"), "`b-1.zip`, not of `a-1.zip`"),
            (format!("{long}  a-1.zip {long}"), "more than one"),
            (long[1..].to_owned(), "128 lower-case hex digits"),
            ("<html>".to_owned(), "128 lower-case hex digits"),
            (String::new(), "128 lower-case hex digits"),
        ] {
            let error = parse("sha512", text.as_bytes(), "a-1.zip").unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        assert!(parse("sha512", b"\xff", "a").is_err());
    }
}
