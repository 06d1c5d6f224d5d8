//! Where something lies inside an image or on a host.

use std::str::FromStr;
use std::sync::Arc;

use super::{NameError, text_type};

/// An absolute path in an image, in its only spelling: no `.`, `..`, doubled or trailing slash.
///
/// Sorts by components' bytes, so that a folder stands directly before what is in it. Clones share their text: of a
/// layer with many files, several trees hold the same paths at a time.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImagePath(Arc<str>);

text_type!(ImagePath);

/// Linux' own limits: nothing longer can be unpacked anywhere.
const LONGEST_PATH: usize = 4095;
const LONGEST_COMPONENT: usize = 255;

impl ImagePath {
    /// The root folder.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::from("/"))
    }

    /// Whether this is the root folder.
    #[must_use]
    pub fn is_root(&self) -> bool {
        &*self.0 == "/"
    }

    /// The folder this is in; the root is in none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            _ if self.is_root() => None,
            Some(("", _)) | None => Some(Self::root()),
            Some((parent, _)) => Some(Self(Arc::from(parent))),
        }
    }

    /// The last component; empty for the root.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path of one entry of this folder.
    ///
    /// # Errors
    /// When `name` is not a single component or the whole becomes too long.
    pub fn join(&self, name: &str) -> Result<Self, NameError> {
        let joined = if self.is_root() { format!("/{name}") } else { format!("{}/{name}", self.0) };
        if name.contains('/') {
            return Err(NameError::new("path component", name, "it holds a slash"));
        }
        joined.parse()
    }

    /// The components from the root down; none for the root.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// Whether this is `folder` or lies somewhere below it.
    #[must_use]
    pub fn is_within(&self, folder: &Self) -> bool {
        &*folder.0 == "/"
            || self.0.strip_prefix(&*folder.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl PartialOrd for ImagePath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ImagePath {
    /// By components: a slash comes before all other bytes, and an end before a slash.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (one, other) = (self.0.as_bytes(), other.0.as_bytes());
        let both = one.len().min(other.len());
        let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
        match (0..both).find(|&at| one[at] != other[at]) {
            Some(at) => rank(one[at]).cmp(&rank(other[at])),
            None => one.len().cmp(&other.len()),
        }
    }
}

impl FromStr for ImagePath {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |why| NameError::new("path in an image", text, why);
        let Some(relative) = text.strip_prefix('/') else {
            return Err(wrong("it starts with `/`"));
        };
        if text.len() > LONGEST_PATH {
            return Err(wrong("it is longer than 4095 bytes"));
        }
        if text.contains('\0') {
            return Err(wrong("it holds a NUL"));
        }
        if relative.is_empty() {
            return Ok(Self::root());
        }
        for part in relative.split('/') {
            match part {
                "" => return Err(wrong("it has a doubled or trailing slash")),
                "." | ".." => return Err(wrong("it has a `.` or `..` in it")),
                _ if part.len() > LONGEST_COMPONENT => return Err(wrong("a part of it is longer than 255 bytes")),
                _ => {}
            }
        }
        Ok(Self(Arc::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(text: &str) -> ImagePath {
        text.parse().unwrap()
    }

    #[test]
    fn one_spelling_only() {
        for right in ["/", "/a", "/usr/share/elasticsearch/config", "/ä/ö", "/..a", "/a b"] {
            assert_eq!(path(right).as_str(), right);
        }
        let long = format!("/{}", "x".repeat(256));
        let deep = "/x".repeat(2048);
        for wrong in ["", "a", "//", "/a/", "/a//b", "/./a", "/a/..", "/../etc/passwd", "/a\0", &long, &deep] {
            assert!(wrong.parse::<ImagePath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn family() {
        assert_eq!(path("/a/b").parent(), Some(path("/a")));
        assert_eq!(path("/a").parent(), Some(ImagePath::root()));
        assert_eq!(ImagePath::root().parent(), None);
        assert_eq!(ImagePath::root().join("a").unwrap(), path("/a"));
        assert_eq!(path("/a").join("b").unwrap().file_name(), "b");
        assert!(path("/a").join("b/c").is_err() && path("/a").join("..").is_err() && path("/a").join("").is_err());
        assert!(path("/a/b").is_within(&path("/a")) && path("/a").is_within(&ImagePath::root()));
        assert!(!path("/ab").is_within(&path("/a")));
    }

    #[test]
    fn a_folder_stands_before_what_is_in_it() {
        let mut paths = [path("/a-b"), path("/a/c"), path("/a"), path("/")];
        paths.sort();
        assert_eq!(paths.map(|p| p.to_string()), ["/", "/a", "/a/c", "/a-b"]);
    }

    proptest! {
        #[test]
        fn paths_sort_by_their_components(one in "(/[-.a/]{1,3}){1,4}|/", other in "(/[-.a/]{1,3}){1,4}|/") {
            if let (Ok(one), Ok(other)) = (one.parse::<ImagePath>(), other.parse::<ImagePath>()) {
                prop_assert_eq!(one.cmp(&other), one.components().cmp(other.components()));
            }
        }

        #[test]
        fn any_text_is_a_path_in_one_spelling_or_an_error(text in "[/.a\\PC]{0,20}") {
            if let Ok(path) = text.parse::<ImagePath>() {
                prop_assert_eq!(path.as_str(), &text);
                prop_assert!(path.components().all(|part| part != ".." && part != "."));
                prop_assert_eq!(path.parent().is_none(), text == "/");
            }
        }
    }
}
