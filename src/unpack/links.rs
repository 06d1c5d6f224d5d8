//! Where symbolic links lead.
//!
//! The text of a link alone does not tell: in `a/b/..` the folder above is another one when `b` is a link. So links
//! are followed as a kernel would follow them, through all that the tree holds.

use crate::name::ImagePath;
use crate::tree::{Node, Tree};

/// Links that are followed for one, as Linux counts them.
const MOST_LINKS: usize = 40;

/// Steps for all links of a tree together. A hundred thousand links of ten parts take a million.
const MOST_STEPS: usize = 4_000_000;

/// Why a link is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// It leads out of the folder that it has to stay in.
    Out,
    /// It leads through links without an end, or as good as that.
    Round,
}

/// Finds a link that leads out of a folder, existing or not, with the text it holds. The tree's links may be absolute
/// when the folder's place in the image is known.
pub(super) fn astray<'t>(
    tree: &'t Tree,
    folder: &ImagePath,
    absolute: bool,
) -> Result<(), (&'t ImagePath, &'t str, Astray)> {
    let mut steps = MOST_STEPS;
    for (path, entry) in tree.iter() {
        if let Node::Link(target) = &entry.node {
            let mut walk = Walk { tree, folder, absolute, at: Vec::new(), links: 0, steps: &mut steps };
            walk.link(path, target).map_err(|why| (path, target.as_str(), why))?;
        }
    }
    Ok(())
}

struct Walk<'t, 's> {
    tree: &'t Tree,
    folder: &'s ImagePath,
    absolute: bool,
    /// The parts of the path that has been reached.
    at: Vec<&'t str>,
    links: usize,
    steps: &'s mut usize,
}

impl<'t> Walk<'t, '_> {
    fn link(&mut self, path: &'t ImagePath, target: &'t str) -> Result<(), Astray> {
        self.at = path.components().collect();
        self.at.pop();
        let mut ahead = Vec::new();
        self.turn(target, &mut ahead)?;
        while let Some(part) = ahead.pop() {
            *self.steps = self.steps.checked_sub(1).ok_or(Astray::Round)?;
            match part {
                ".." if self.at.len() <= self.folder.components().count() => return Err(Astray::Out),
                ".." => {
                    self.at.pop();
                }
                _ => {
                    self.at.push(part);
                    // Where the last part is a link itself, that is judged on its own.
                    if let Some(next) = self.link_here().filter(|_| !ahead.is_empty()) {
                        self.at.pop();
                        self.turn(next, &mut ahead)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts the parts of a link's text before those that are ahead, the next one last.
    fn turn(&mut self, target: &'t str, ahead: &mut Vec<&'t str>) -> Result<(), Astray> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(Astray::Round);
        }
        let mut parts: Vec<_> = target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if target.starts_with('/') {
            let mut inside = parts.iter();
            if !self.absolute || !self.folder.components().all(|part| inside.next() == Some(&part)) {
                return Err(Astray::Out);
            }
            self.at = parts.drain(..self.folder.components().count()).collect();
        }
        ahead.extend(parts.into_iter().rev());
        Ok(())
    }

    fn link_here(&self) -> Option<&'t str> {
        let path = format!("/{}", self.at.join("/")).parse().ok()?;
        match &self.tree.get(&path)?.node {
            Node::Link(target) => Some(target),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Entry, Mode, Owner};

    fn check(links: &[(&str, &str)], folder: &str, absolute: bool) -> Result<(), (String, Astray)> {
        let entry = |target: &str| Entry {
            mode: Mode::new(0o777),
            owner: Owner::default(),
            node: Node::Link(target.to_owned()),
        };
        let tree: Tree = links.iter().map(|(path, target)| (path.parse().unwrap(), entry(target))).collect();
        astray(&tree, &folder.parse().unwrap(), absolute).map_err(|(path, _, why)| (path.to_string(), why))
    }

    #[test]
    fn a_link_may_lead_anywhere_inside_even_to_nothing() {
        for target in ["x", "../x", "..", "./y/../../b", "nowhere/at/all", "../a/../a", "", "."] {
            assert_eq!(check(&[("/a/l", target)], "/", false), Ok(()), "{target}");
        }
    }

    #[test]
    fn links_that_lead_out_are_found() {
        for target in ["../..", "../../a/x", "x/../../../y", "/a/x", "/", "//", "nowhere/../../.."] {
            assert_eq!(check(&[("/a/l", target)], "/", false), Err(("/a/l".to_owned(), Astray::Out)), "{target}");
        }
    }

    #[test]
    fn a_way_through_other_links_is_followed() {
        // Read as text, both stay inside.
        let out = Err(("/a/l".to_owned(), Astray::Out));
        assert_eq!(check(&[("/a/here", "."), ("/a/l", "here/../../x")], "/", false), out);
        assert_eq!(check(&[("/a/b/up", ".."), ("/a/l", "b/up/../../x")], "/", false), out);
        assert_eq!(check(&[("/a/b/down", "c/d/e"), ("/a/l", "b/down/../../../../x")], "/", false), Ok(()));
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let round = |path: &str| Err((path.to_owned(), Astray::Round));
        assert_eq!(check(&[("/a", "b/x"), ("/b", "a/x")], "/", false), round("/a"));
        assert_eq!(check(&[("/a", "a/x")], "/", false), round("/a"));
        assert_eq!(check(&[("/a", "a")], "/", false), Ok(()), "useless, and harmless");
    }

    #[test]
    fn in_an_image_absolute_links_lead_into_the_folder_or_out() {
        for (target, right) in [
            ("/opt/x/y", true),
            ("/opt/x", true),
            ("//opt/./x/../x/y", false),
            ("/opt/x/a/../..", false),
            ("/opt", false),
            ("/opt/xy", false),
            ("../y", true),
            ("../../x/y", false),
            ("/etc/passwd", false),
        ] {
            assert_eq!(check(&[("/opt/x/a/l", target)], "/opt/x", true).is_ok(), right, "{target}");
        }
        for (target, right) in [("/etc/passwd", true), ("/../x", false), ("/", true)] {
            assert_eq!(check(&[("/a/l", target)], "/", true).is_ok(), right, "{target}");
        }
    }

    #[test]
    fn it_takes_no_longer_than_the_links_are_worth() {
        let long = "x/../".repeat(800);
        let links: Vec<_> = (0..5000).map(|n| (format!("/{n}"), format!("a/{long}"))).collect();
        let mut links: Vec<_> = links.iter().map(|(path, target)| (path.as_str(), target.as_str())).collect();
        links.push(("/a", "b/x"));
        links.push(("/b", "c"));
        assert_eq!(check(&links, "/", false).unwrap_err().1, Astray::Round);
    }
}
