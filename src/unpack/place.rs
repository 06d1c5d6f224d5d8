//! From what an archive holds to files at their places in an image.

use std::collections::{BTreeMap, BTreeSet};

use globset::GlobMatcher;

use super::error::UnpackError;
use crate::digest::Digest;
use crate::name::ImagePath;
use crate::recipe::{Archive, Glob};
use crate::tree::{Entry, Mode, Node, Tree};

/// The mode of a single file where the recipe says none.
const PLAIN_FILE: Mode = Mode::new(0o644);

/// A file that is put into an image as it is.
#[must_use]
pub fn place_file(archive: &Archive, digest: Digest, size: u64) -> Tree {
    let mode = archive.mode.unwrap_or(PLAIN_FILE);
    let mut tree = Tree::default();
    tree.insert(archive.into.clone(), Entry { mode, owner: archive.owner, node: Node::File { digest, size } });
    tree
}

/// Moves what an archive holds to where the recipe wants it. Patterns are held against paths in the archive as they are
/// once `strip` is done; one that fits a folder takes or leaves all that is in it.
///
/// # Errors
/// When a pattern fits nothing, nothing is left, or two entries are to be at one place.
pub fn place(archive: &Archive, tree: &Tree) -> Result<Tree, UnpackError> {
    let placing = Placing { archive, only: compiled(&archive.only), except: compiled(&archive.except) };
    placing.place(tree)
}

struct Placing<'a> {
    archive: &'a Archive,
    only: Vec<(&'a Glob, GlobMatcher)>,
    except: Vec<(&'a Glob, GlobMatcher)>,
}

fn compiled(globs: &BTreeSet<Glob>) -> Vec<(&Glob, GlobMatcher)> {
    globs.iter().filter_map(|glob| Some((glob, glob.matcher()?))).collect()
}

impl Placing<'_> {
    fn place(&self, tree: &Tree) -> Result<Tree, UnpackError> {
        let stripped = self.stripped(tree)?;
        let mut fitting = BTreeSet::new();
        let mut placed = Tree::default();
        let mut folders = BTreeMap::new();
        for (path, entry) in &stripped {
            // All patterns are tried, so that each that fits anything is known to do so.
            let left_out = fits(&self.except, path, &mut fitting);
            let taken = fits(&self.only, path, &mut fitting);
            if left_out {
                continue;
            }
            if self.only.is_empty() || taken {
                placed.insert(self.at(path)?, Entry { owner: self.archive.owner, ..(*entry).clone() });
            } else if entry.node == Node::Folder {
                folders.insert(path.clone(), *entry);
            }
        }
        let idle = self.only.iter().chain(&self.except).find(|(glob, _)| !fitting.contains(glob.as_str()));
        if let Some((glob, _)) = idle {
            let message = format!("the pattern `{glob}` fits nothing in it");
            return Err(self.refuse(None, message, "patterns are about paths in the archive, once `strip` is done"));
        }
        if placed.is_empty() {
            let help = "correct `strip`, `only` and `except`, or remove the archive from the recipe";
            return Err(self.refuse(None, "nothing of it is left to be put into the image".to_owned(), help));
        }
        // A folder that nobody asked for by name is kept, with its mode, for the sake of what is in it.
        for (path, entry) in folders {
            let at = self.at(&path)?;
            let leads = placed.within(&at).next().is_some();
            if leads {
                placed.insert(at, Entry { owner: self.archive.owner, ..entry.clone() });
            }
        }
        Ok(placed)
    }

    /// The entries without their first components; what has no more than these is gone.
    fn stripped<'t>(&self, tree: &'t Tree) -> Result<BTreeMap<ImagePath, &'t Entry>, UnpackError> {
        let mut stripped: BTreeMap<ImagePath, &Entry> = BTreeMap::new();
        for (path, entry) in tree.iter() {
            let rest: Vec<_> = path.components().skip(usize::from(self.archive.strip)).collect();
            if rest.is_empty() {
                continue;
            }
            let at = self.parsed(path, &format!("/{}", rest.join("/")))?;
            if let Some(other) = stripped.insert(at.clone(), entry)
                && (other.node != Node::Folder || entry.node != Node::Folder)
            {
                let message = format!("without its first components it is {at}, and so is another entry");
                return Err(self.refuse(Some(path), message, "lower `strip`, or leave one of them out"));
            }
        }
        Ok(stripped)
    }

    /// The place in the image.
    fn at(&self, path: &ImagePath) -> Result<ImagePath, UnpackError> {
        let into = self.archive.into.as_str().trim_end_matches('/');
        self.parsed(path, &format!("{into}{path}"))
    }

    fn parsed(&self, entry: &ImagePath, text: &str) -> Result<ImagePath, UnpackError> {
        text.parse().map_err(|error: crate::name::NameError| {
            self.refuse(Some(entry), error.to_string(), "choose a shorter `into`")
        })
    }

    fn refuse(&self, entry: Option<&ImagePath>, message: String, help: &str) -> UnpackError {
        let entry = entry.map(|path| path.as_str().trim_start_matches('/').to_owned());
        UnpackError::Refused { archive: self.archive.name.clone(), entry, message, help: help.to_owned() }
    }
}

/// Whether one of some patterns fits a path or a folder that it is in; notes which ones do.
fn fits(globs: &[(&Glob, GlobMatcher)], path: &ImagePath, fitting: &mut BTreeSet<String>) -> bool {
    let mut any = false;
    for (glob, matcher) in globs {
        let mut at = Some(path.clone());
        while let Some(this) = at.filter(|this| *this != ImagePath::root()) {
            if matcher.is_match(this.as_str().trim_start_matches('/')) {
                fitting.insert(glob.as_str().to_owned());
                any = true;
                break;
            }
            at = this.parent();
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Owner;

    fn archive(more: &str) -> Archive {
        let text = format!(
            "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n\
             [[archive]]\nname = \"a\"\npath = \"a.tar\"\n{more}"
        );
        let recipe = crate::recipe::parse(std::path::Path::new("a.toml"), &text).unwrap();
        let crate::recipe::Recipe::Image(image) = recipe.value else { panic!("an image") };
        image.archive.into_iter().next().unwrap()
    }

    fn tree() -> Tree {
        let mut tree = Tree::default();
        let mut put = |path: &str, mode: u16, node: Node| {
            tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(mode), owner: Owner::default(), node });
        };
        let file = |text: &str| Node::File { digest: Digest::of(text.as_bytes()), size: text.len() as u64 };
        put("/app-1", 0o700, Node::Folder);
        put("/app-1/bin", 0o711, Node::Folder);
        put("/app-1/bin/run", 0o755, file("run"));
        put("/app-1/doc", 0o755, Node::Folder);
        put("/app-1/doc/a.txt", 0o644, file("a"));
        put("/app-1/doc/b.md", 0o644, file("b"));
        put("/app-1/link", 0o777, Node::Link("bin/run".to_owned()));
        tree
    }

    fn placed(more: &str) -> Vec<String> {
        let tree = place(&archive(more), &tree()).unwrap();
        tree.iter().map(|(path, entry)| format!("{path} {} {}", entry.mode, entry.owner)).collect()
    }

    fn refused(more: &str) -> String {
        place(&archive(more), &tree()).unwrap_err().to_string()
    }

    #[test]
    fn everything_goes_to_its_place() {
        assert_eq!(placed("into = \"/\"\n")[..2], ["/app-1 0700 0:0", "/app-1/bin 0711 0:0"]);
        let all = placed("into = \"/opt/app\"\nstrip = 1\nowner = \"7:8\"\n");
        assert_eq!(all[..2], ["/opt/app/bin 0711 7:8", "/opt/app/bin/run 0755 7:8"]);
        assert_eq!(all.len(), 6);
    }

    #[test]
    fn patterns_take_and_leave() {
        let all = placed("into = \"/o\"\nstrip = 1\nonly = [\"bin/r*\", \"doc\"]\nexcept = [\"**/*.md\"]\n");
        assert_eq!(all, ["/o/bin 0711 0:0", "/o/bin/run 0755 0:0", "/o/doc 0755 0:0", "/o/doc/a.txt 0644 0:0"]);
        let all = placed("into = \"/o\"\nstrip = 1\nexcept = [\"doc\", \"link\"]\n");
        assert_eq!(all, ["/o/bin 0711 0:0", "/o/bin/run 0755 0:0"]);
        let all = placed("into = \"/o\"\nstrip = 2\nonly = [\"*.txt\"]\n");
        assert_eq!(all, ["/o/a.txt 0644 0:0"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(refused("into = \"/\"\nonly = [\"bin/**\"]\n"), "a: the pattern `bin/**` fits nothing in it");
        assert_eq!(refused("into = \"/\"\nstrip = 3\n"), "a: nothing of it is left to be put into the image");
        assert_eq!(
            refused("into = \"/\"\nexcept = [\"app-1\"]\n"),
            "a: nothing of it is left to be put into the image"
        );
        let mut twice = tree();
        let entry = twice.get(&"/app-1/bin/run".parse().unwrap()).unwrap().clone();
        twice.insert("/app-1/doc/run".parse().unwrap(), entry);
        let error = place(&archive("into = \"/\"\nstrip = 2\n"), &twice).unwrap_err().to_string();
        assert_eq!(error, "a: app-1/doc/run: without its first components it is /run, and so is another entry");
        let long = format!("into = \"/{}\"\n", "x/".repeat(2046) + "x");
        assert!(refused(&long).starts_with("a: app-1: "), "{}", refused(&long));
    }

    #[test]
    fn a_single_file_has_the_mode_and_owner_of_the_recipe() {
        let one = |more: &str| {
            let tree = place_file(&archive(more), Digest::of(b"x"), 1);
            tree.iter().map(|(path, entry)| format!("{path} {} {}", entry.mode, entry.owner)).collect::<Vec<_>>()
        };
        assert_eq!(one("into = \"/a\"\nunpack = false\n"), ["/a 0644 0:0"]);
        assert_eq!(one("into = \"/a\"\nunpack = false\nmode = \"0755\"\nowner = \"1:2\"\n"), ["/a 0755 1:2"]);
    }
}
