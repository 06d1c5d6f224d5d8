use super::*;
use crate::digest::Digest;
use crate::image::below::AtHand;

fn path(text: &str) -> ImagePath {
    text.parse().unwrap()
}

/// Lines of `mode owner path`, with a slash at the end for a folder, ` -> target` for a link, ` = text` for a file.
fn tree(lines: &[&str]) -> Tree {
    let mut tree = Tree::default();
    for line in lines {
        let mut words = line.splitn(3, ' ');
        let (mode, owner) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        let rest = words.next().unwrap();
        let (at, node) = if let Some((at, target)) = rest.split_once(" -> ") {
            (at, Node::Link(target.to_owned()))
        } else if let Some((at, text)) = rest.split_once(" = ") {
            (at, Node::File { digest: Digest::of(text.as_bytes()), size: text.len() as u64 })
        } else {
            (rest.trim_end_matches('/'), Node::Folder)
        };
        tree.insert(path(at), Entry { mode, owner, node });
    }
    tree
}

fn base() -> AtHand {
    let tree = tree(&[
        "0555 0:0 /usr/",
        "0755 0:0 /usr/bin/",
        "0755 0:0 /usr/bin/sh = shell",
        "0777 0:0 /bin -> usr/bin",
        "0777 0:0 /round -> /trip",
        "0777 0:0 /trip -> round",
        "0777 0:0 /nowhere -> /gone/away",
        "0777 0:0 /deep -> /bin/../../bin",
        "0777 0:0 /beside -> /bin/../lib",
        "0755 0:0 /usr/lib/",
        "0755 0:0 /lib/",
        "0777 0:0 /usr/top -> ../..",
        "0777 0:0 /sh -> bin/sh/..",
        "0777 0:0 /es/here -> .",
        "0644 0:0 /undescribed/file = x",
        "0775 1000:0 /es/",
        "0664 0:0 /es/yml = old",
    ]);
    AtHand { tree, ..AtHand::default() }
}

/// What a layer has to hold, with a tree of its own.
#[derive(Debug)]
struct Done {
    tree: Tree,
    removed: BTreeSet<ImagePath>,
}

impl From<Settled<'_>> for Done {
    fn from(settled: Settled<'_>) -> Self {
        let entries = settled.tree.iter().map(|(path, entry)| (path.clone(), entry.clone()));
        Self { tree: entries.collect(), removed: settled.removed }
    }
}

fn settled(lines: &[&str], owned: &[&str], removed: &[&str]) -> Result<Done, SettleError> {
    let said = owned.iter().map(|p| (path(p), Said { owner: true, mode: false })).collect();
    settle_with(lines, &said, removed)
}

fn settle_with(lines: &[&str], said: &BTreeMap<ImagePath, Said>, removed: &[&str]) -> Result<Done, SettleError> {
    let removed = removed.iter().map(|p| path(p)).collect();
    settle(Wish { tree: &tree(lines), said, removed: &removed }, &base()).map(Done::from)
}

fn fits(lines: &[&str], owned: &[&str], removed: &[&str], expected: &[&str]) {
    let got = settled(lines, owned, removed).unwrap().tree;
    assert_eq!(got, tree(expected));
}

#[test]
fn folders_on_the_way_come_with_the_modes_of_the_image() {
    fits(
        &["0644 0:0 /usr/bin/x/y = new"],
        &[],
        &[],
        &["0555 0:0 /usr/", "0755 0:0 /usr/bin/", "0755 0:0 /usr/bin/x/", "0644 0:0 /usr/bin/x/y = new"],
    );
}

#[test]
fn folders_that_the_image_has_stay_as_they_are_unless_an_owner_is_said() {
    let lines = ["0755 0:0 /es/", "0644 0:0 /es/new = new"];
    fits(&lines, &[], &[], &["0775 1000:0 /es/", "0644 0:0 /es/new = new"]);
    fits(&lines, &["/es"], &[], &["0775 0:0 /es/", "0644 0:0 /es/new = new"]);
    let mode = BTreeMap::from([(path("/es"), Said { owner: false, mode: true })]);
    assert_eq!(settle_with(&["1777 0:0 /es/"], &mode, &[]).unwrap().tree, tree(&["1777 1000:0 /es/"]));
    assert!(settle_with(&["0775 0:0 /es/"], &mode, &[]).unwrap().tree.is_empty());
    fits(&["0700 7:7 /new/"], &[], &[], &["0700 7:7 /new/"]);
    fits(&["0644 0:0 /new/a = 1", "0700 7:7 /new/"], &[], &[], &["0700 7:7 /new/", "0644 0:0 /new/a = 1"]);
}

#[test]
fn what_the_image_has_already_is_left_out_with_its_folders() {
    fits(&["0755 0:0 /usr/bin/sh = shell", "0555 0:0 /usr/"], &[], &[], &[]);
    fits(
        &["0700 0:0 /usr/bin/sh = shell"],
        &[],
        &[],
        &["0555 0:0 /usr/", "0755 0:0 /usr/bin/", "0700 0:0 /usr/bin/sh = shell"],
    );
}

#[test]
fn links_of_the_image_are_followed_on_the_way_and_replaced_at_the_end() {
    let expected = ["0555 0:0 /usr/", "0755 0:0 /usr/bin/", "0755 0:0 /usr/bin/tool = t"];
    fits(&["0755 0:0 /bin/tool = t"], &[], &[], &expected);
    fits(&["0755 0:0 /bin/", "0755 0:0 /bin/tool = t"], &[], &[], &expected);
    fits(&["0755 0:0 /deep/tool = t"], &[], &[], &expected);
    // As a kernel goes: what is above a link is above where the link leads, and above the root is the root.
    let beside = ["0555 0:0 /usr/", "0755 0:0 /usr/lib/", "0644 0:0 /usr/lib/x = x"];
    fits(&["0644 0:0 /beside/x = x"], &[], &[], &beside);
    fits(&["0755 0:0 /es/here/"], &["/es/here"], &[], &["0775 0:0 /es/"]);
    fits(&["0755 0:0 /usr/top/"], &["/usr/top"], &[], &[]);
    fits(&["0644 0:0 /usr/top/usr/top/x = x"], &[], &[], &["0644 0:0 /x = x"]);
    fits(&["0755 0:0 /bin = file"], &[], &[], &["0755 0:0 /bin = file"]);
    fits(&["0755 0:0 /bin/sh = shell"], &[], &[], &[]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let cases: [(&[&str], &str); 10] = [
        (&["0644 0:0 /round/x = x"], "/round/x goes through the link /round, which leads to no folder"),
        (&["0644 0:0 /nowhere/x = x"], "/nowhere/x goes through the link /nowhere"),
        (
            &["0755 0:0 /bin = x", "0755 0:0 /deep/x = x"],
            "/deep/x goes through the link /bin, and that is to be something else",
        ),
        (&["0644 0:0 /sh/x = x"], "/sh/x goes through the link /sh, which leads to no folder"),
        (&["0644 0:0 /usr = x"], "/usr is to be a file, and the image has a folder there"),
        (&["0644 0:0 /es/yml/x = x"], "/es/yml has to be a folder for /es/yml/x"),
        (&["0755 0:0 /es/yml/"], "/es/yml has to be a folder for /es/yml"),
        (&["0644 0:0 /bin/x = 1", "0644 0:0 /usr/bin/x = 2"], "/bin/x and /usr/bin/x are the same place"),
        (&["0644 0:0 /bin/x = 1", "0644 0:0 /deep/x = 2"], "/bin/x and /deep/x are the same place"),
        (&["0755 0:0 /bin/x/", "0644 0:0 /usr/bin/x = 2"], "/bin/x and /usr/bin/x are the same place"),
    ];
    for (lines, part) in cases {
        let error = settled(lines, &[], &[]).unwrap_err().to_string();
        assert!(error.starts_with(part), "{error}");
    }
}

#[test]
fn removed_paths_have_to_be_there_and_make_room() {
    let done = settled(&[], &[], &["/bin/sh", "/round"]).unwrap();
    assert_eq!(done.removed, [path("/usr/bin/sh"), path("/round")].into());
    assert_eq!(done.tree, tree(&["0555 0:0 /usr/", "0755 0:0 /usr/bin/"]));
    let error = settled(&[], &[], &["/bin/zsh"]).unwrap_err().to_string();
    assert!(error.starts_with("/bin/zsh is to be removed, and the image has no such path"), "{error}");
    // A device, say, of which the image only tells the name.
    assert_eq!(settled(&[], &[], &["/undescribed"]).unwrap().removed, [path("/undescribed")].into());
    fits(&["0644 0:0 /usr = file"], &[], &["/usr"], &["0644 0:0 /usr = file"]);
}

mod anything {
    use proptest::prelude::*;

    use super::*;
    use crate::image::listing::Listing;
    use crate::image::stack::{Stack, There};

    type Lines = Vec<(u8, String, String)>;

    fn lines() -> impl Strategy<Value = Lines> {
        let target = "/?(\\.\\./)?[abc](/([abc]|\\.\\.)){0,2}";
        proptest::collection::vec((0..4_u8, "[abc](/[abc]){0,2}", target), 0..8)
    }

    /// A tree in which nothing lies in what is no folder; of what a base has, every folder is described.
    fn tree(lines: &Lines, owner: u32) -> Tree {
        let mut tree = Tree::default();
        let entry = |mode, node| Entry { mode: Mode::new(mode), owner: Owner { uid: owner, gid: 0 }, node };
        for (kind, name, target) in lines {
            let path = path(&format!("/{name}"));
            let mut above: Vec<_> = std::iter::successors(path.parent(), ImagePath::parent).collect();
            above.pop();
            let is_other = |at: &ImagePath| tree.get(at).is_some_and(|there| there.node != Node::Folder);
            if above.iter().any(is_other) || tree.get(&path).is_some() {
                continue;
            }
            for folder in above {
                if tree.get(&folder).is_none() {
                    tree.insert(folder, entry(0o750, Node::Folder));
                }
            }
            let node = match kind {
                0 => Node::Folder,
                1 => Node::Link(target.clone()),
                _ => Node::File { digest: Digest::of(target.as_bytes()), size: target.len() as u64 },
            };
            tree.insert(path, entry(0o700, node));
        }
        tree
    }

    fn entries(stack: &Stack) -> BTreeMap<ImagePath, Entry> {
        let mut all = BTreeMap::new();
        stack.each(|path, there, _| {
            if let There::Entry(entry) = there {
                all.insert(path.clone(), entry.clone());
            }
        });
        all.remove(&ImagePath::root());
        all
    }

    proptest! {
        /// As an engine sees it, everything wished for is where its path leads, and nothing else has changed.
        #[test]
        fn what_is_wished_for_is_there_and_all_else_stays(base in lines(), wish in lines()) {
            let (base, wish) = (tree(&base, 1), tree(&wish, 2));
            let nothing = BTreeSet::new();
            let below = AtHand { tree: base.clone(), ..AtHand::default() };
            let nothing_said = BTreeMap::new();
            let Ok(settled) = settle(Wish { tree: &wish, said: &nothing_said, removed: &nothing }, &below) else {
                return Ok(());
            };
            let mut stack = Stack::default();
            stack.add(&Listing { tree: base.clone(), ..Listing::default() }).unwrap();
            let before = entries(&stack);
            stack.add(&Listing { tree: Done::from(settled).tree, ..Listing::default() }).unwrap();
            let mut after = entries(&stack);
            let mut places = BTreeSet::new();
            for (path, entry) in wish.iter() {
                let parent = stack.real(&path.parent().unwrap()).unwrap().expect("its folder is there");
                let place = parent.join(path.file_name()).unwrap();
                if entry.node == Node::Folder {
                    let real = stack.real(path).unwrap().expect("it is there");
                    prop_assert!(real == ImagePath::root() || after[&real].node == Node::Folder);
                    if !before.contains_key(&real) {
                        places.insert(real);
                    }
                } else {
                    prop_assert_eq!(&after[&place], entry);
                    places.insert(place);
                }
            }
            let mut before = before;
            before.retain(|path, _| !places.iter().any(|place| path.is_within(place)));
            after.retain(|path, _| !places.iter().any(|place| path.is_within(place)));
            prop_assert_eq!(after, before);
        }
    }
}
