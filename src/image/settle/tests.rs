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

fn settled(lines: &[&str], owned: &[&str], removed: &[&str]) -> Result<Settled, SettleError> {
    let said = owned.iter().map(|p| (path(p), Said { owner: true, mode: false })).collect();
    settle_with(lines, &said, removed)
}

fn settle_with(lines: &[&str], said: &BTreeMap<ImagePath, Said>, removed: &[&str]) -> Result<Settled, SettleError> {
    let removed = removed.iter().map(|p| path(p)).collect();
    settle(Wish { tree: &tree(lines), said, removed: &removed }, &base())
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
    let cases: [(&[&str], &str); 9] = [
        (&["0644 0:0 /round/x = x"], "/round/x goes through the link /round, which leads to no folder"),
        (&["0644 0:0 /nowhere/x = x"], "/nowhere/x goes through the link /nowhere"),
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
