//! Jars, as far as their class names go.

use std::io::{Cursor, Read};

use zip::read::Config;
use zip::unstable::read::ZipIterable;

/// Longer manifests are not read.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// A description of a module has some hundred bytes; this is for those of frameworks.
const LONGEST_MODULE_INFO: u64 = 1 << 20;

/// Why bytes are no jar.
#[derive(Debug, thiserror::Error)]
#[error("it is no jar that Java would read: {0}")]
pub struct JarError(#[from] zip::result::ZipError);

/// What a jar holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Jar {
    /// Its classes as Elasticsearch counts them, in the jar's order; one that is there twice stands here twice.
    pub(super) classes: Vec<String>,
    /// The manifest's main part.
    manifest: Vec<(String, String)>,
    /// What describes it as a module.
    pub(super) module_info: Option<Vec<u8>>,
}

/// The names of all classes in a jar, as Elasticsearch compares them: a class for a later Java only
/// (`META-INF/versions/…`) is another one, and descriptions of modules do not count.
///
/// # Errors
/// When the bytes are no jar.
pub fn classes(bytes: &[u8]) -> Result<Vec<String>, JarError> {
    let mut archive = ZipIterable::try_new(Cursor::new(bytes), Config::default())?;
    let mut classes = Vec::with_capacity(archive.len());
    for entry in archive.files()? {
        classes.extend(class_of(&String::from_utf8_lossy(entry?.name_raw())));
    }
    Ok(classes)
}

fn class_of(name: &str) -> Option<String> {
    let class = name.strip_suffix(".class")?;
    let described = class == "module-info" || class.ends_with("/module-info");
    (!described).then(|| class.replace('/', "."))
}

impl Jar {
    /// Reads a plugin's own jar.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, JarError> {
        let mut archive = ZipIterable::try_new(Cursor::new(bytes), Config::default())?;
        let mut jar = Self::default();
        for entry in archive.files()? {
            let entry = entry?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let limit = if name.eq_ignore_ascii_case("META-INF/MANIFEST.MF") {
                LONGEST_MANIFEST
            } else if name == "module-info.class"
                || (name.starts_with("META-INF/versions/") && name.ends_with("/module-info.class"))
            {
                LONGEST_MODULE_INFO
            } else {
                jar.classes.extend(class_of(&name));
                continue;
            };
            let mut content = Vec::new();
            let mut reader = Cursor::new(bytes);
            let mut file = entry.with_reader(&mut reader, zip::ZipReadOptions::new())?;
            file.by_ref().take(limit).read_to_end(&mut content).map_err(zip::result::ZipError::from)?;
            if limit == LONGEST_MANIFEST {
                jar.manifest = main_attributes(&String::from_utf8_lossy(&content));
            } else {
                jar.module_info = Some(content);
            }
        }
        Ok(jar)
    }

    /// What the manifest says.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.manifest.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The first part of a manifest: `Name: value`, and a line that starts with a space goes on with the one before.
fn main_attributes(text: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match (line.strip_prefix(' '), all.last_mut()) {
            (Some(rest), Some((_, value))) => value.push_str(rest),
            _ => all.extend(line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()))),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixture::jar;
    use super::*;

    #[test]
    fn classes_of_a_jar() {
        let bytes = jar(&["a/B.class", "a/B$C.class", "module-info.class", "a/module-info.class", "a/b.txt", "d/"]);
        assert_eq!(classes(&bytes).unwrap(), ["a.B", "a.B$C"]);
        let later = jar(&["META-INF/versions/11/a/B.class", "META-INF/versions/11/module-info.class=x"]);
        assert_eq!(classes(&later).unwrap(), ["META-INF.versions.11.a.B"]);
        let read = Jar::read(&later).unwrap();
        assert_eq!((read.classes.len(), read.module_info.as_deref()), (1, Some(&b"x"[..])));
        assert!(classes(b"").is_err() && classes(b"PK\x03\x04 and no more").is_err() && Jar::read(b"no jar").is_err());
    }

    #[test]
    fn a_class_that_is_there_twice_is_seen_twice() {
        let mut bytes = jar(&["a/B.class", "a/C.class"]);
        while let Some(i) = bytes.windows(9).position(|name| name == b"a/C.class") {
            bytes[i + 2] = b'B';
        }
        assert_eq!(classes(&bytes).unwrap(), ["a.B", "a.B"]);
        assert_eq!(Jar::read(&bytes).unwrap().classes, ["a.B", "a.B"]);
    }

    #[test]
    fn the_manifest_says_things() {
        let manifest =
            "META-INF/MANIFEST.MF=Manifest-Version: 1.0\r\nX-Compile-Target-JDK: 2\r\n 1\r\n\r\nName: a\r\nB: c\r\n";
        let jar = Jar::read(&jar(&[manifest])).unwrap();
        assert_eq!(jar.attribute("x-compile-target-jdk"), Some("21"));
        assert_eq!(jar.attribute("B"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_jar_or_refused(at in 0_usize..200, byte: u8, cut in 0_usize..200) {
            let mut bytes = jar(&["a/B.class", "META-INF/MANIFEST.MF=A: b"]);
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = (classes(&bytes), Jar::read(&bytes));
            bytes.truncate(cut);
            let _ = (classes(&bytes), Jar::read(&bytes));
        }
    }
}
