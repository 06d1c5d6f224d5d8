//! From the paths of an archive to places in an image, as a recipe says.

use std::collections::BTreeMap;
use std::io;

use globset::GlobMatcher;

use super::claims::{Claims, Clash};
use super::error::{MAKE_ANEW, UnpackError, about, refused, shown};
use super::links::{Astray, astray};
use crate::digest::Digest;
use crate::name::ImagePath;
use crate::recipe::{Archive, Glob};
use crate::tree::{Entry, Mode, Node, Owner, Tree};

/// What an archive of a recipe puts where in an image.
///
/// `strip` comes first: what it leaves nothing of is gone. Then patterns, on what is left of the paths; a folder that
/// matches stands for all that is in it, and folders that lead to something taken come with it. Then `into` is put
/// before the paths. Everything belongs to the owner that the recipe says, `into` itself included: where the image has
/// that folder already, it stays as it is.
///
/// # Errors
/// When two entries fall on one path; when a link leads out of `into`; when a pattern matches nothing, or nothing is
/// left at all.
pub fn place(rules: &Archive, tree: Tree) -> Result<Tree, UnpackError> {
    try_place(rules, tree).map_err(|error| UnpackError::of(&rules.name, error))
}

/// The same for a file that is not unpacked: it is `into`.
#[must_use]
pub fn place_file(rules: &Archive, digest: Digest, size: u64) -> Tree {
    let mode = rules.mode.unwrap_or(Mode::new(0o644));
    let entry = Entry { mode, owner: rules.owner, node: Node::File { digest, size } };
    [(rules.into.clone(), entry)].into_iter().collect()
}

fn try_place(rules: &Archive, tree: Tree) -> io::Result<Tree> {
    let (mut only, mut except) = (Patterns::new(&rules.only), Patterns::new(&rules.except));
    let mut claims = Claims::new(rules.owner);
    // Folders that come only if something in them does.
    let mut leading: BTreeMap<ImagePath, Mode> = BTreeMap::new();
    for (path, entry) in tree {
        let Some(rest) = stripped(&path, rules.strip)? else { continue };
        let (wanted, unwanted) = (only.match_any(&rest), except.match_any(&rest));
        match entry.node {
            _ if unwanted => {}
            _ if wanted || rules.only.is_empty() => claim(&mut claims, &path, rest, entry, rules.owner)?,
            Node::Folder => {
                leading.entry(rest).or_insert(entry.mode);
            }
            _ => {}
        }
    }
    for (path, mode) in leading {
        if claims.tree().get(&path).is_some() {
            claims.put(path, Entry { mode, owner: rules.owner, node: Node::Folder });
        }
    }
    only.check("only")?;
    except.check("except")?;
    let placed = moved(claims.into_tree(), rules)?;
    check_links(&placed, &rules.into)?;
    Ok(placed)
}

/// A path without its first components, unless nothing is left.
fn stripped(path: &ImagePath, count: u16) -> io::Result<Option<ImagePath>> {
    if count == 0 {
        return Ok(Some(path.clone()));
    }
    let rest: Vec<_> = path.components().skip(count.into()).collect();
    if rest.is_empty() {
        return Ok(None);
    }
    let rest = format!("/{}", rest.join("/"));
    rest.parse().map(Some).map_err(|error| about(inside(path))(refused(format!("{error}"), MAKE_ANEW)))
}

fn claim(claims: &mut Claims, from: &ImagePath, to: ImagePath, entry: Entry, owner: Owner) -> io::Result<()> {
    let folder = entry.node == Node::Folder;
    let message = match claims.check(&to, folder) {
        Ok(_) => {
            claims.put(to, Entry { owner, ..entry });
            return Ok(());
        }
        // Two folders with one name and one mode are as good as one.
        Err(Clash::Twice) if folder && claims.tree().get(&to).is_some_and(|other| other.mode == entry.mode) => {
            return Ok(());
        }
        Err(Clash::Twice) => format!("falls on {}, and so does another entry", shown(inside(&to))),
        Err(Clash::NoFolder(path)) => {
            format!("falls on {}: there would be a file and a folder at {}", shown(inside(&to)), shown(inside(&path)))
        }
        Err(Clash::Through(link)) => {
            format!("falls on {}, behind the link {}", shown(inside(&to)), shown(inside(&link)))
        }
        Err(Clash::Case(other)) => {
            format!("falls on {}, which differs by case only from {}", shown(inside(&to)), shown(inside(&other)))
        }
    };
    Err(about(inside(from))(refused(message, "choose another `strip`, or leave one of them out by `except`")))
}

/// The tree below `into`, which is made where it is not the root.
fn moved(tree: Tree, rules: &Archive) -> io::Result<Tree> {
    if tree.is_empty() {
        let help = "see what is in it, and correct `strip`, `only` and `except`";
        return Err(refused("holds nothing that the recipe takes", help));
    }
    if rules.into.is_root() {
        return Ok(tree);
    }
    let into = &rules.into;
    let mut placed = Tree::default();
    let folder = Entry { mode: Mode::new(0o755), owner: rules.owner, node: Node::Folder };
    placed.insert(into.clone(), folder);
    for (path, entry) in tree {
        let place: ImagePath = format!("{into}{path}").parse().map_err(|error: crate::name::NameError| {
            about(inside(&path))(refused(format!("cannot be below `into`: {}", error.why), "choose a shorter `into`"))
        })?;
        placed.insert(place, entry);
    }
    Ok(placed)
}

fn check_links(placed: &Tree, into: &ImagePath) -> io::Result<()> {
    astray(placed, into, true).map_err(|(path, target, why)| {
        let target = shown(target.as_bytes());
        let message = match why {
            Astray::Out => format!("is a link to {target}, which leads out of {into}, where it is unpacked to"),
            Astray::Round => format!("is a link to {target}, which leads through links without an end"),
        };
        about(path.as_str().as_bytes())(refused(message, "leave it out by `except`, and make the link under `images/`"))
    })
}

/// The bytes of a path from the archive's root.
fn inside(path: &ImagePath) -> &[u8] {
    &path.as_str().as_bytes()[1..]
}

/// Patterns, and which of them have matched something.
struct Patterns<'r>(Vec<(&'r Glob, GlobMatcher, bool)>);

impl<'r> Patterns<'r> {
    fn new(globs: impl IntoIterator<Item = &'r Glob>) -> Self {
        Self(globs.into_iter().filter_map(|glob| Some((glob, glob.matcher()?, false))).collect())
    }

    /// Whether one of them matches a path or a folder that it is in.
    fn match_any(&mut self, path: &ImagePath) -> bool {
        let text = path.as_str().trim_start_matches('/');
        let ends = text.match_indices('/').map(|(at, _)| at).chain([text.len()]);
        let mut any = false;
        for end in ends {
            for (_, matcher, matched) in &mut self.0 {
                let is_match = matcher.is_match(&text[..end]);
                *matched |= is_match;
                any |= is_match;
            }
        }
        any
    }

    fn check(&self, key: &str) -> io::Result<()> {
        match self.0.iter().find(|(.., matched)| !matched) {
            Some((glob, ..)) => {
                let help = "correct the pattern, or remove it: patterns are for paths below `into`, after `strip`";
                Err(refused(format!("holds nothing that the pattern `{glob}` of `{key}` matches"), help))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::{self, Recipe};
    use crate::unpack::fixture::{Member, TarFile, unpacked};
    use crate::unpack::{Limits, Unpacked};

    fn rules(lines: &str) -> Archive {
        let text = format!(
            "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n\
             [[archive]]\nname = \"a\"\npath = \"a.tar\"\n{lines}\n"
        );
        let document = recipe::parse(Path::new("recipes/test.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        match document.value {
            Recipe::Image(image) => image.archive[0].clone(),
            Recipe::Ami(_) => panic!("{text}"),
        }
    }

    fn archive(members: &[Member], rules: &Archive) -> Unpacked {
        unpacked(&TarFile::of(members).end(), &Limits::of(rules)).unwrap()
    }

    fn some() -> Vec<Member> {
        vec![
            Member::folder("x-1.0").mode(0o700),
            Member::folder("x-1.0/lib").mode(0o750),
            Member::file("x-1.0/lib/a.so", "a").mode(0o755),
            Member::link("x-1.0/lib/b.so", "a.so"),
            Member::file("x-1.0/docs/deep/b.txt", "b"),
            Member::file("README", "r"),
        ]
    }

    fn placed(lines: &str, members: &[Member]) -> Vec<String> {
        let rules = rules(lines);
        let tree = place(&rules, archive(members, &rules).tree).unwrap_or_else(|error| panic!("{error}"));
        let what = |node: &Node| match node {
            Node::Folder => "/".to_owned(),
            Node::Link(target) => format!(" -> {target}"),
            Node::File { size, .. } => format!(" {size}"),
        };
        tree.iter().map(|(path, e)| format!("{} {} {path}{}", e.mode, e.owner, what(&e.node))).collect()
    }

    fn error(lines: &str, members: &[Member]) -> String {
        let rules = rules(lines);
        let error = place(&rules, archive(members, &rules).tree).unwrap_err();
        assert!(!error.help().is_empty(), "{error}");
        error.to_string()
    }

    #[test]
    fn everything_is_put_below_into() {
        assert_eq!(
            placed("into = \"/opt/x\"\nowner = \"7:8\"", &some()),
            [
                "0755 7:8 /opt/x/",
                "0644 7:8 /opt/x/README 1",
                "0700 7:8 /opt/x/x-1.0/",
                "0755 7:8 /opt/x/x-1.0/docs/",
                "0755 7:8 /opt/x/x-1.0/docs/deep/",
                "0644 7:8 /opt/x/x-1.0/docs/deep/b.txt 1",
                "0750 7:8 /opt/x/x-1.0/lib/",
                "0755 7:8 /opt/x/x-1.0/lib/a.so 1",
                "0777 7:8 /opt/x/x-1.0/lib/b.so -> a.so",
            ]
        );
        assert_eq!(placed("into = \"/\"", &[Member::file("f", "")]), ["0644 0:0 /f 0"]);
    }

    #[test]
    fn what_strip_leaves_nothing_of_is_gone() {
        assert_eq!(
            placed("into = \"/\"\nstrip = 2", &some()),
            ["0755 0:0 /a.so 1", "0777 0:0 /b.so -> a.so", "0755 0:0 /deep/", "0644 0:0 /deep/b.txt 1"]
        );
        assert_eq!(error("into = \"/\"\nstrip = 9", &some()), "a: holds nothing that the recipe takes");
        assert_eq!(error("into = \"/\"", &[]), "a: holds nothing that the recipe takes");
    }

    #[test]
    fn patterns_choose_among_the_stripped_paths() {
        let all = |patterns: &str| placed(&format!("into = \"/\"\nstrip = 1\n{patterns}"), &some());
        let lib = ["0750 0:0 /lib/", "0755 0:0 /lib/a.so 1", "0777 0:0 /lib/b.so -> a.so"];
        assert_eq!(all("only = [\"lib\"]"), lib);
        assert_eq!(all("only = [\"lib/**\"]"), lib, "folders that lead to something keep their modes");
        assert_eq!(all("only = [\"**/*.so\"]"), lib);
        assert_eq!(all("except = [\"docs\"]"), lib);
        assert_eq!(all("only = [\"lib\"]\nexcept = [\"docs/**\"]"), lib);
        assert_eq!(all("only = [\"**/*.so\"]\nexcept = [\"/lib/b*\"]"), &lib[..2]);
        let docs = ["0755 0:0 /docs/", "0755 0:0 /docs/deep/", "0644 0:0 /docs/deep/b.txt 1"];
        assert_eq!(all("only = [\"**/*.txt\"]"), docs);
        assert_eq!(all("except = [\"lib\"]"), docs);
    }

    #[test]
    fn patterns_that_match_nothing_are_typos() {
        for (patterns, named) in [
            ("only = [\"lib\", \"libs\"]", "`libs` of `only`"),
            ("except = [\"doc\"]", "`doc` of `except`"),
            ("only = [\"x-1.0/lib\"]", "`x-1.0/lib` of `only`"),
            ("only = [\"README\"]", "`README` of `only`"),
        ] {
            let text = error(&format!("into = \"/\"\nstrip = 1\n{patterns}"), &some());
            assert_eq!(text, format!("a: holds nothing that the pattern {named} matches"));
        }
        let text = error("into = \"/\"\nonly = [\"README\"]\nexcept = [\"README\"]", &some());
        assert_eq!(text, "a: holds nothing that the recipe takes");
    }

    #[test]
    fn entries_that_fall_on_one_path_are_refused() {
        for (one, other, why) in [
            (Member::file("a/f", ""), Member::file("b/f", ""), "a: b/f: falls on f, and so does another entry"),
            (Member::file("a/f", ""), Member::file("b/f/g", ""), "a: b/f: falls on f: there would be a file and"),
            (Member::link("a/l", "x"), Member::file("b/l/g", ""), "a: b/l: falls on l: there would be a file and"),
            (Member::file("a/F", ""), Member::file("b/f", ""), "a: b/f: falls on f, which differs by case only from F"),
            (Member::folder("a/d"), Member::folder("b/d").mode(0o700), "a: b/d: falls on d, and so does another"),
        ] {
            let text = error("into = \"/\"\nstrip = 1", &[one, other]);
            assert!(text.starts_with(why), "{text}");
        }
        let two = [Member::file("a/d/x", ""), Member::file("b/d/y", "")];
        assert_eq!(placed("into = \"/\"\nstrip = 1", &two), ["0755 0:0 /d/", "0644 0:0 /d/x 0", "0644 0:0 /d/y 0"]);
        let chosen = "into = \"/\"\nstrip = 1\nonly = [\"d/y\"]";
        assert_eq!(placed(chosen, &two), ["0755 0:0 /d/", "0644 0:0 /d/y 0"]);
    }

    #[test]
    fn links_stay_below_into() {
        let link = |target: &str| [Member::file("x/f", ""), Member::link("x/d/l", target)];
        assert_eq!(placed("into = \"/opt\"", &link("../f"))[4], "0644 0:0 /opt/x/f 0");
        assert_eq!(placed("into = \"/opt\"\nstrip = 1", &link("/opt/f")).len(), 4);
        assert_eq!(placed("into = \"/\"", &link("/etc/passwd")).len(), 4);
        for (target, strip) in [("/etc/passwd", 0), ("../../y", 1), ("/opt/../etc", 0)] {
            let text = error(&format!("into = \"/opt\"\nstrip = {strip}"), &link(target));
            let why = format!("d/l: is a link to {target}, which leads out of /opt, where it is unpacked to");
            assert!(text.starts_with("a: /opt/") && text.ends_with(&why), "{text}");
        }
        let round = [Member::link("a", "b/x"), Member::link("b", "/opt/a/x")];
        assert!(error("into = \"/opt\"", &round).starts_with("a: /opt/a: is a link to b/x, which leads through"));
    }

    #[test]
    fn paths_that_become_too_long_are_named() {
        let long = format!("/{}", "d/".repeat(2040) + "d");
        let text = error(&format!("into = \"{long}\""), &[Member::file("n".repeat(50), "")]);
        assert!(text.starts_with("a: nnn") && text.contains("cannot be below `into`: it is longer than"), "{text}");
    }

    #[test]
    fn set_id_has_to_be_asked_for() {
        let rules = rules("into = \"/\"\nset_id = true");
        let tree = place(&rules, archive(&[Member::file("su", "").mode(0o4755)], &rules).tree).unwrap();
        assert_eq!(tree.get(&"/su".parse().unwrap()).unwrap().mode, Mode::new(0o4755));
    }

    #[test]
    fn a_single_file_is_put_as_it_is() {
        let at: ImagePath = "/usr/bin/x".parse().unwrap();
        let of = |lines: &str| {
            let tree =
                place_file(&rules(&format!("into = \"/usr/bin/x\"\nunpack = false\n{lines}")), Digest::of(b""), 0);
            let entry = tree.get(&at).unwrap().clone();
            assert_eq!((tree.len(), &entry.node), (1, &Node::File { digest: Digest::of(b""), size: 0 }));
            format!("{} {}", entry.mode, entry.owner)
        };
        assert_eq!(of(""), "0644 0:0");
        assert_eq!(of("mode = \"0755\"\nowner = \"1:2\""), "0755 1:2");
    }
}
