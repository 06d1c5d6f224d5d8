//! Where an entry lies, from what a tar stream calls it.

use super::refusal::Refusal;
use crate::name::ImagePath;

/// Where an entry lies.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::image) enum Place {
    At(ImagePath),
    /// Somewhere that a path cannot name: bytes that are no text, or a name longer than any file system takes.
    Unnamed,
}

/// Where an entry lies. `./`, doubled and trailing slashes mean nothing; the root itself may be called `/`.
pub(in crate::image) fn place(name: &[u8]) -> Result<Place, Refusal> {
    if name.starts_with(b"/") && name.iter().any(|&byte| byte != b'/') {
        return Err(Refusal::of(name, "its name is absolute"));
    }
    relative(name)
}

/// Where a hard link leads: from the root, whether that is said or not.
pub(in crate::image) fn link_target(name: &[u8], link: &[u8]) -> Result<Place, Refusal> {
    if link.is_empty() {
        return Err(Refusal::of(name, "it is a hard link to nothing"));
    }
    relative(link).map_err(|_| Refusal::of(name, "it is a hard link to a name with `..` in it"))
}

fn relative(name: &[u8]) -> Result<Place, Refusal> {
    let mut path = Vec::with_capacity(name.len() + 1);
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err(Refusal::of(name, "its name has `..` in it")),
            part => {
                path.push(b'/');
                path.extend(part);
            }
        }
    }
    if path.is_empty() {
        return Ok(Place::At(ImagePath::root()));
    }
    let path = String::from_utf8(path).ok().and_then(|path| path.parse().ok());
    Ok(path.map_or(Place::Unnamed, Place::At))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_place() {
        for (name, path) in [
            ("a", "/a"),
            ("./a/", "/a"),
            ("a//./b", "/a/b"),
            ("", "/"),
            (".", "/"),
            ("./", "/"),
            ("/", "/"),
            ("//", "/"),
            ("..a/b..", "/..a/b.."),
        ] {
            assert_eq!(place(name.as_bytes()), Ok(Place::At(path.parse().unwrap())), "{name}");
        }
        assert_eq!(link_target(b"l", b"/a/b"), Ok(Place::At("/a/b".parse().unwrap())));
    }

    #[test]
    fn names_that_lead_out_are_refused_and_shown() {
        for name in ["../a", "a/../b", "..", "./..", "a/.."] {
            let message = place(name.as_bytes()).unwrap_err().into_message();
            assert_eq!(message, format!("entry `{name}`: its name has `..` in it"));
            assert!(link_target(b"l", name.as_bytes()).unwrap_err().into_message().contains("`l`"));
        }
        assert_eq!(place(b"/etc/passwd").unwrap_err().into_message(), "entry `/etc/passwd`: its name is absolute");
        assert!(link_target(b"l", b"").is_err());
    }

    #[test]
    fn names_that_no_path_can_hold_are_told_apart() {
        for name in [&b"a\xff"[..], &[b'x'; 256], &b"x/".repeat(3000)] {
            assert_eq!(place(name), Ok(Place::Unnamed));
        }
    }

    proptest! {
        #[test]
        fn no_name_panics(name: Vec<u8>, link: Vec<u8>) {
            let _ = (place(&name), link_target(&name, &link));
        }
    }
}
