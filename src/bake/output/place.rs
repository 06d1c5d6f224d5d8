//! Where an image is to be written, as a person says it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where an image is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An OCI layout folder, which may hold other images already.
    Oci(PathBuf),
    /// A file for `docker load`, of one platform.
    DockerArchive(PathBuf),
    /// A tarball with the file system of one platform.
    Rootfs(PathBuf),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no output: it is `oci:FOLDER`, `docker-archive:FILE` or `rootfs:FILE`")]
pub struct PlaceError(String);

impl Place {
    /// The same place, its path counted from a folder.
    pub(super) fn below(self, folder: &Path) -> Self {
        match self {
            Self::Oci(path) => Self::Oci(folder.join(path)),
            Self::DockerArchive(path) => Self::DockerArchive(folder.join(path)),
            Self::Rootfs(path) => Self::Rootfs(folder.join(path)),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        match text.split_once(':') {
            Some((_, "")) | None => Err(PlaceError(text.to_owned())),
            Some(("oci", path)) => Ok(Self::Oci(path.into())),
            Some(("docker-archive", path)) => Ok(Self::DockerArchive(path.into())),
            Some(("rootfs", path)) => Ok(Self::Rootfs(path.into())),
            Some(_) => Err(PlaceError(text.to_owned())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oci(path) => write!(f, "oci:{}", path.display()),
            Self::DockerArchive(path) => write!(f, "docker-archive:{}", path.display()),
            Self::Rootfs(path) => write!(f, "rootfs:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_read_as_they_are_written() {
        for right in ["oci:a/b", "docker-archive:/x/y.tar", "rootfs:r.tar.gz", "oci:a:b"] {
            assert_eq!(right.parse::<Place>().unwrap().to_string(), right);
        }
        for wrong in ["", "oci", "oci:", "oci-archive:x", "a/b", "OCI:x"] {
            let error = wrong.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("`rootfs:FILE`"), "{error}");
        }
    }
}
