use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::contents::Spool;
use crate::digest::Digest;
use crate::image::scan::fixture::Tarball;
use crate::image::scan::{Bounds, NOTHING, Scan, scan};

fn listing(tarball: Tarball) -> Listing {
    let what =
        Scan { diff_id: None, wanted: NOTHING, packing: None, whole: false, bounds: Bounds::FOREIGN, packed: None };
    scan(&what, &tarball.end()[..], Spool::new(tempfile::tempfile().unwrap())).unwrap().listing
}

fn path(text: &str) -> ImagePath {
    text.parse().unwrap()
}

fn stack(layers: impl IntoIterator<Item = Tarball>) -> Result<Stack, StackError> {
    let mut stack = Stack::default();
    layers.into_iter().try_for_each(|layer| stack.add(&listing(layer)))?;
    Ok(stack)
}

/// Everything but the root, one line each.
fn view(stack: &Stack) -> Vec<String> {
    let mut lines = Vec::new();
    stack.each(|path, there, layer| {
        let what = match there {
            There::Entry(Entry { node: Node::Folder, .. }) => "folder".to_owned(),
            There::Entry(Entry { node: Node::File { digest, .. }, .. }) => {
                let known = ["old", "new", "tool"].into_iter().find(|text| *digest == Digest::of(text.as_bytes()));
                known.unwrap_or("?").to_owned()
            }
            There::Entry(Entry { node: Node::Link(target), .. }) => format!("-> {target}"),
            There::Special(special) => special.kind.to_string(),
        };
        lines.push(format!("{path} {what} {layer}"));
    });
    lines.remove(0);
    lines
}

#[test]
fn upper_layers_win_remove_and_clear() {
    let below = Tarball::new().folder("a").file("a/one", "old").file("a/two", "old").folder("b").file("b/one", "old");
    let below = below.file("c", "old").folder("d").file("d/one", "old");
    let above =
        Tarball::new().file("a/one", "new").file("a/.wh.two", "").file("b/.wh..wh..opq", "").file("b/new", "new");
    let above = above.folder("c").file("c/in", "new").file(".wh.d", "").file("e/f", "new").file(".wh.none", "");
    let stack = stack([below, above]).unwrap();
    let expected =
        ["/a folder 0", "/a/one new 1", "/b folder 0", "/b/new new 1", "/c folder 1", "/c/in new 1", "/e folder 1"];
    assert_eq!(view(&stack), [&expected[..], &["/e/f new 1"]].concat());
    assert_eq!(stack.names(&path("/")).collect::<Vec<_>>(), ["a", "b", "c", "e"]);
    assert_eq!(stack.names(&path("/a/one")).count(), 0);
    assert_eq!(stack.layer(&path("/b")), Some(0));
    assert_eq!(stack.get(&path("/none")), None);
}

#[test]
fn a_file_that_becomes_a_folder_and_back_leaves_nothing() {
    let layers =
        [Tarball::new().folder("x").file("x/in", "old"), Tarball::new().file("x", "new"), Tarball::new().folder("x")];
    assert_eq!(view(&stack(layers).unwrap()), ["/x folder 2"]);
}

#[test]
fn what_is_removed_and_put_in_one_layer_is_put() {
    let below = Tarball::new().folder("x").file("x/old", "old");
    let above = Tarball::new().folder("x").file("x/new", "new").file(".wh.x", "");
    assert_eq!(view(&stack([below, above]).unwrap()), ["/x folder 1", "/x/new new 1"]);
}

#[test]
fn paths_lead_through_links_of_the_layers_below() {
    let below = Tarball::new().folder("usr").folder("usr/bin").file("usr/bin/gone", "old").link("bin", "usr/bin");
    let below = below.link("sbin", "/bin").link("usr/up", "../usr/./bin/..").link("out", "../../../usr");
    let above = Tarball::new().file("bin/tool", "tool").file("sbin/.wh.gone", "").file("usr/up/x", "new");
    let stack = stack([below, above]).unwrap();
    let lines = view(&stack);
    for line in ["/usr/bin/tool tool 1", "/usr/x new 1", "/bin -> usr/bin 0"] {
        assert!(lines.iter().any(|there| there == line), "{lines:?} should hold {line}");
    }
    assert!(!lines.iter().any(|line| line.contains("gone")));
    assert_eq!(stack.get(&path("/bin/tool")), None, "links are not followed unasked");
    for (asked, real) in [
        ("/sbin/tool", Some("/usr/bin/tool")),
        ("/bin", Some("/usr/bin")),
        ("/out/bin", Some("/usr/bin")),
        ("/usr/up", Some("/usr")),
        ("/", Some("/")),
        ("/none/x", None),
        ("/usr/bin/tool/x", None),
    ] {
        assert_eq!(stack.real(&path(asked)).unwrap(), real.map(path), "{asked}");
    }
}

#[test]
fn a_folder_of_an_upper_layer_replaces_a_link() {
    let below = Tarball::new().folder("usr").link("bin", "usr");
    let stack = stack([below, Tarball::new().folder("bin").file("bin/tool", "tool")]).unwrap();
    assert_eq!(view(&stack), ["/bin folder 1", "/bin/tool tool 1", "/usr folder 0"]);
}

/// What the link led to is nothing to the folder that takes its place, whatever that removes.
#[test]
fn a_folder_that_replaces_a_link_removes_nothing_behind_the_link() {
    let below = Tarball::new().folder("usr").file("usr/one", "old").file("usr/two", "old").link("bin", "usr");
    let above = Tarball::new().folder("bin").file("bin/.wh..wh..opq", "").file("bin/.wh.one", "").file("bin/x", "new");
    let expected = ["/bin folder 1", "/bin/x new 1", "/usr folder 0", "/usr/one old 0", "/usr/two old 0"];
    assert_eq!(view(&stack([below, above]).unwrap()), expected);
}

#[test]
fn hard_links_reach_into_the_layers_below() {
    let below =
        Tarball::new().folder("usr").file("usr/one", "old").link("lib", "usr").entry(b'3', b"null", b"", 0, b"");
    let above = Tarball::new().hard("two", "lib/one").hard("zero", "null");
    let top = Tarball::new().file("usr/one", "new").hard("three", "two");
    let stack = stack([below, above, top]).unwrap();
    let all =
        ["/lib -> usr 0", "/null c 0", "/three old 0", "/two old 0", "/usr folder 0", "/usr/one new 2", "/zero c 0"];
    assert_eq!(view(&stack), all);
}

#[test]
fn a_hard_link_into_the_layers_below_is_to_what_was_there_before() {
    let below = Tarball::new().file("a", "old");
    let above = Tarball::new().hard("b", "a").file("a", "new");
    assert_eq!(view(&stack([below, above]).unwrap()), ["/a new 1", "/b old 0"]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let refusal = |layers: Vec<Tarball>| stack(layers).unwrap_err().to_string();
    let round = Tarball::new().link("a", "b").link("b", "a");
    assert_eq!(refusal(vec![round.clone(), Tarball::new().file("a/x", "")]), "/a goes through too many links");
    assert!(stack([round]).unwrap().real(&path("/a")).is_err());
    let file = Tarball::new().file("a", "old");
    let message = refusal(vec![file, Tarball::new().file("a/b/c", "")]);
    assert_eq!(message, "/a/b/c cannot be put there: /a/b is no folder");
    assert_eq!(
        refusal(vec![Tarball::new().folder("none"), Tarball::new().hard("a", "none/x")]),
        "/a is a hard link to /none/x, where no file is"
    );
    assert!(stack([Tarball::new().folder("f"), Tarball::new().hard("a", "f")]).is_err());
    let growing = Tarball::new().link("a", &"a/".repeat(49));
    assert!(stack([growing, Tarball::new().file("a/x", "")]).is_err());
}

/// What a layer does, in words.
#[derive(Clone, Debug)]
enum Act {
    Folder(String),
    File(String, String),
    Remove(String),
    Clear(String),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let name = "[abc](/[abc]){0,2}";
    let act = prop_oneof![
        name.prop_map(Act::Folder),
        (name, "[xyz]{0,3}").prop_map(|(name, text)| Act::File(name, text)),
        name.prop_map(Act::Remove),
        name.prop_map(Act::Clear),
    ];
    proptest::collection::vec(act, 0..8)
}

/// The acts as a tarball. An entry in something that the same layer makes a file is left out: no engine writes that.
fn tarball(acts: &[Act]) -> Tarball {
    let files: Vec<_> =
        acts.iter().filter_map(|act| if let Act::File(name, _) = act { Some(name) } else { None }).collect();
    let is_in_file = |name: &str| {
        files.iter().any(|file| name.strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    acts.iter().fold(Tarball::new(), |tarball, act| match act {
        Act::Folder(name) if !is_in_file(name) && !files.contains(&name) => tarball.folder(name),
        Act::File(name, text) if !is_in_file(name) => tarball.file(name, text),
        Act::Remove(name) => {
            let (folder, last) =
                name.rsplit_once('/').map_or((String::new(), name.as_str()), |(f, l)| (format!("{f}/"), l));
            tarball.file(&format!("{folder}.wh.{last}"), "")
        }
        Act::Clear(name) => tarball.file(&format!("{name}/.wh..wh..opq"), ""),
        Act::Folder(_) | Act::File(..) => tarball,
    })
}

/// What is where, by the plainest means: a map of paths to texts, `None` for folders.
type Model = BTreeMap<ImagePath, Option<Digest>>;

/// Whether it fits.
fn apply(model: &mut Model, listing: &Listing) -> bool {
    let below = |there: &ImagePath, path: &ImagePath| there.is_within(path) && there != path;
    for folder in &listing.cleared {
        model.retain(|there, _| !below(there, folder));
    }
    for removed in &listing.removed {
        model.retain(|there, _| !there.is_within(removed));
    }
    for (path, entry) in listing.tree.iter() {
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            if model.get(&folder).is_some_and(Option::is_some) {
                return false;
            }
            model.insert(folder.clone(), None);
            parent = folder.parent();
        }
        let what = if let Node::File { digest, .. } = &entry.node { Some(*digest) } else { None };
        if what.is_some() || model.get(path).is_some_and(Option::is_some) {
            model.retain(|there, _| !there.is_within(path));
        }
        model.insert(path.clone(), what);
    }
    true
}

proptest! {
    #[test]
    fn layers_on_each_other_are_what_one_after_the_other_does(layers in proptest::collection::vec(acts(), 0..5)) {
        let mut model = Model::new();
        let mut stack = Stack::default();
        for layer in &layers {
            let listing = listing(tarball(layer));
            let fits = apply(&mut model, &listing);
            prop_assert_eq!(stack.add(&listing).is_ok(), fits);
            if !fits {
                return Ok(());
            }
        }
        let mut seen = Model::new();
        stack.each(|path, there, _| {
            if let There::Entry(entry) = there {
                let what = if let Node::File { digest, .. } = &entry.node { Some(*digest) } else { None };
                seen.insert(path.clone(), what);
            }
        });
        seen.remove(&ImagePath::root());
        for (path, what) in &seen {
            prop_assert_eq!(stack.real(path).unwrap(), Some(path.clone()));
            let names: Vec<_> = seen.keys().filter(|p| p.parent().as_ref() == Some(path)).map(|p| p.file_name().to_owned()).collect();
            prop_assert_eq!(stack.names(path).map(str::to_owned).collect::<Vec<_>>(), names);
            prop_assert_eq!(what.is_some(), !matches!(stack.get(path), Some(There::Entry(Entry { node: Node::Folder, .. }))));
        }
        prop_assert_eq!(seen, model);
    }
}
