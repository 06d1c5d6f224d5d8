//! Where people want what is built beside the store.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::bake::output::Place;

/// Where something is to be written, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// An image.
    Image(Place),
    /// The user data of a host, in a file of the recipe's name where none is said.
    UserData(Option<PathBuf>),
}

const USER_DATA: &str = "user-data";

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == USER_DATA {
            return Ok(Self::UserData(None));
        }
        let file = text.strip_prefix(USER_DATA).and_then(|rest| rest.strip_prefix(':'));
        if let Some(path) = file.filter(|path| !path.is_empty()) {
            return Ok(Self::UserData(Some(path.into())));
        }
        text.parse().map(Self::Image).map_err(|_| {
            format!(
                "`{text}` is no output: it is `oci:FOLDER`, `docker-archive:FILE` or `rootfs:FILE` for an image, and \
                 `user-data` or `user-data:FILE` for a host"
            )
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(place) => place.fmt(f),
            Self::UserData(None) => f.write_str(USER_DATA),
            Self::UserData(Some(path)) => write!(f, "{USER_DATA}:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Output;

    #[test]
    fn outputs_are_read_as_they_are_written() {
        for right in ["oci:a/b", "docker-archive:x.tar", "user-data", "user-data:host.mime", "user-data:a:b"] {
            assert_eq!(right.parse::<Output>().unwrap().to_string(), right);
        }
        for wrong in ["", "user-data:", "user-datas", "user-data=x", "ami:x", "oci:"] {
            assert!(wrong.parse::<Output>().unwrap_err().contains("`user-data:FILE`"), "{wrong}");
        }
    }
}
