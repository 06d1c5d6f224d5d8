//! Elasticsearch's folder in an image, and what installing asks of it.

use super::descriptor::{CLASSIC, STABLE, Triple};
use super::java::JavaVersion;
use crate::image::below::Below;
use crate::name::ImagePath;
use crate::product::plugin::InstallError;
use crate::tree::{Entry, Node, Owner};

/// Where the images have it.
pub(super) const HOME: &str = "/usr/share/elasticsearch/";

/// Larger jars are not read. The largest real one has 60 MB.
pub(super) const LARGEST_JAR: u64 = 256 << 20;

/// A JDK's `release` has some 20 lines.
const LONGEST_RELEASE: u64 = 64 << 10;

/// Elasticsearch's folder in the image so far.
#[derive(Clone, Copy)]
pub(super) struct Home<'a>(pub(super) &'a dyn Below);

/// A path in Elasticsearch's folder.
pub(super) fn at(relative: &str) -> Result<ImagePath, InstallError> {
    format!("{HOME}{relative}")
        .parse()
        .map_err(|error| InstallError::rule(&relative, format!("{error}"), "give it another name in the package"))
}

impl Home<'_> {
    /// What lies at a path.
    pub(super) fn entry(self, relative: &str) -> Result<Option<Entry>, InstallError> {
        Ok(self.0.entry(&at(relative)?)?)
    }

    /// The names in a folder.
    pub(super) fn names(self, relative: &str) -> Result<Vec<String>, InstallError> {
        Ok(self.0.names(&at(relative)?)?)
    }

    /// All bytes of a file, where there is one.
    pub(super) fn bytes(self, relative: &str, limit: u64) -> Result<Option<Vec<u8>>, InstallError> {
        Ok(self.0.bytes(&at(relative)?, limit)?)
    }

    /// The Java that it brings along, where it does.
    pub(super) fn java(self) -> Result<Option<JavaVersion>, InstallError> {
        let release = self.bytes("jdk/release", LONGEST_RELEASE)?;
        Ok(release.and_then(|bytes| JavaVersion::of_jdk(&String::from_utf8_lossy(&bytes))))
    }

    /// The version that it really has, from the name of its main jar.
    pub(super) fn version(self) -> Result<Option<String>, InstallError> {
        let of = |name: String| {
            let version = name.strip_prefix("elasticsearch-")?.strip_suffix(".jar")?;
            version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
        };
        Ok(self.names("lib")?.into_iter().find_map(of))
    }

    /// Who owns a folder.
    pub(super) fn owner(self, folder: &str) -> Result<Option<Owner>, InstallError> {
        Ok(self.entry(folder)?.filter(|entry| entry.node == Node::Folder).map(|entry| entry.owner))
    }
}

/// Who runs `elasticsearch-plugin install` in an image of a version, and so owns what it makes: root until 7.17, whose
/// images have no `USER`, and the user `elasticsearch` in the group of root since 8.0.
pub(super) fn installer((major, ..): Triple) -> Owner {
    if major < 8 { Owner { uid: 0, gid: 0 } } else { Owner { uid: 1000, gid: 0 } }
}

/// Whether a name is that of a jar, as Java's globs see it.
pub(super) fn is_jar(name: &str) -> bool {
    name.strip_suffix(".jar").is_some()
}

/// Whether installing will ask for this file of a base, so that it is kept when the base is first read. Jars of modules
/// are not among them: they are asked for only when a plugin extends one, which few do, and they are most of the bytes.
#[must_use]
pub fn interest(path: &ImagePath, size: u64) -> bool {
    let Some(relative) = path.as_str().strip_prefix(HOME) else { return false };
    let parts: Vec<_> = relative.split('/').collect();
    match parts[..] {
        ["jdk", "release"] => size <= LONGEST_RELEASE,
        ["lib", name] => is_jar(name) && size <= LARGEST_JAR,
        ["modules" | "plugins", _, name] => (name == CLASSIC || name == STABLE) && size <= super::descriptor::LONGEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_installing_asks_for() {
        let asks = |path: &str| interest(&format!("{HOME}{path}").parse().unwrap(), 1000);
        for path in ["jdk/release", "lib/elasticsearch-8.19.3.jar", "modules/x-pack-core/plugin-descriptor.properties"]
        {
            assert!(asks(path), "{path}");
        }
        for path in ["jdk/lib/modules", "lib/tools/x/a.jar", "modules/x/x.jar", "config/elasticsearch.yml", "lib/a.txt"]
        {
            assert!(!asks(path), "{path}");
        }
        assert!(!interest(&"/lib/a.jar".parse().unwrap(), 1));
        assert!(!interest(&format!("{HOME}jdk/release").parse().unwrap(), 1 << 30));
    }
}
