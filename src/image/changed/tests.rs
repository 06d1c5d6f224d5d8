//! What engines say and send, and what comes of it.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use super::{Changed, ChangedError, Report, changed};
use crate::contents::Spool;
use crate::image::below::AtHand;
use crate::image::scan::fixture::Tarball;
use crate::name::ImagePath;
use crate::tree::{Entry, Mode, Node, Owner};

fn path(text: &str) -> ImagePath {
    text.parse().unwrap()
}

fn paths(texts: &[&str]) -> BTreeSet<ImagePath> {
    texts.iter().map(|text| path(text)).collect()
}

/// An image with some files, all with the owner and modes that [`Tarball`] gives.
fn image() -> AtHand {
    let mut image = AtHand::default();
    let owner = Owner { uid: 1000, gid: 0 };
    for folder in ["/etc", "/etc/ssl", "/opt", "/opt/old"] {
        image.tree.insert(path(folder), Entry { mode: Mode::new(0o755), owner, node: Node::Folder });
    }
    for file in ["/etc/a", "/etc/ssl/bundle", "/opt/old/one", "/opt/old/two"] {
        let node = image.contents.add_bytes(file.as_bytes());
        image.tree.insert(path(file), Entry { mode: Mode::new(0o644), owner, node });
    }
    image
}

/// What an engine would send of it.
fn export() -> Tarball {
    Tarball::new()
        .folder("etc")
        .file("etc/a", "/etc/a")
        .folder("etc/ssl")
        .file("etc/ssl/bundle", "/etc/ssl/bundle")
        .folder("opt")
        .folder("opt/old")
}

struct Case {
    touched: BTreeSet<ImagePath>,
    removed: BTreeSet<ImagePath>,
    mounts: Vec<ImagePath>,
    out: Vec<ImagePath>,
    untold: bool,
}

impl Case {
    fn touched(touched: &[&str]) -> Self {
        Self { touched: paths(touched), removed: BTreeSet::new(), mounts: Vec::new(), out: Vec::new(), untold: false }
    }

    fn read(&self, export: Tarball) -> Result<Changed, ChangedError> {
        let left_out = |path: &ImagePath| self.out.contains(path);
        let Self { touched, removed, mounts, .. } = self;
        let touched = (!self.untold).then_some(touched);
        let report = Report { touched, removed, mounts, left_out: &left_out };
        let bytes = export.end();
        let open = || Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>);
        changed(&report, &image(), open, || Ok(Spool::new(tempfile::tempfile().unwrap())))
    }

    /// What comes of it: paths that are put, those that are removed with a minus before them, links with their targets.
    fn told(&self, export: Tarball) -> Vec<String> {
        let changed = self.read(export).unwrap();
        let mut told: Vec<_> = changed.tree.iter().map(|(path, _)| path.to_string()).collect();
        told.extend(changed.removed.iter().map(|path| format!("-{path}")));
        told.extend(changed.beside.twins.iter().map(|(name, first)| format!("{name}={first}")));
        told
    }
}

#[test]
fn what_changed_is_there_with_its_bytes_and_the_folders_that_lead_to_it() {
    let case = Case::touched(&["/etc", "/etc/ssl", "/etc/ssl/bundle", "/etc/ssl/new"]);
    let export = export().file("etc/ssl/new", "new").file("etc/ssl/bundle", "rebuilt").link("etc/unchanged", "x");
    let changed = case.read(export).unwrap();
    let put: Vec<_> = changed.tree.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(put, ["/etc", "/etc/ssl", "/etc/ssl/bundle", "/etc/ssl/new"]);
    let Node::File { digest, .. } = changed.tree.get(&path("/etc/ssl/bundle")).unwrap().node else { panic!() };
    assert_eq!(changed.contents.bytes(&digest, 9).unwrap(), b"rebuilt");
    assert_eq!(changed.tree.get(&path("/etc")), image().tree.get(&path("/etc")));
}

#[test]
fn what_was_written_again_as_it_was_is_no_change() {
    assert!(Case::touched(&["/etc", "/etc/a", "/opt"]).told(export()).is_empty());
    // Another mode is one.
    let other = Tarball::new().entry(b'0', b"etc/a", b"", 0o600, b"/etc/a");
    assert_eq!(Case::touched(&["/etc", "/etc/a"]).told(other), ["/etc", "/etc/a"]);
}

#[test]
fn what_engines_put_there_is_no_change_and_neither_are_their_folders() {
    let mut case = Case::touched(&[
        "/.dockerenv",
        "/dev",
        "/dev/null",
        "/etc/hosts",
        "/proc",
        "/run",
        "/run/.containerenv",
        "/run/secrets",
        "/sys",
        "/mnt",
        "/mnt/packs",
        "/mnt/packs/pack.zip",
        "/var",
        "/var/cache",
        "/var/cache/apt",
        "/srv",
        "/srv/packs",
    ]);
    case.mounts = vec![path("/mnt/packs"), path("/srv/packs")];
    case.out = vec![path("/var/cache/apt")];
    let export = export().file(".dockerenv", "").folder("dev").entry(b'3', b"dev/null", b"", 0o666, b"");
    let export = export.file("etc/hosts", "127.0.0.1").folder("run").file("run/.containerenv", "").folder("mnt");
    let export = export.folder("mnt/packs").file("mnt/packs/pack.zip", "PK").folder("var").folder("var/cache");
    let export = export.folder("var/cache/apt").file("var/cache/apt/x", "x").folder("srv").folder("srv/packs");
    // Folders of the command's own stay, also where nothing is left in them.
    assert_eq!(case.told(export.clone()), ["/var", "/var/cache"]);
    case.touched.insert(path("/srv/data"));
    assert_eq!(case.told(export.file("srv/data", "x")), ["/srv", "/srv/data", "/var", "/var/cache"]);
}

#[test]
fn what_is_gone_is_removed_once() {
    let mut case = Case::touched(&["/opt"]);
    case.removed = paths(&["/opt/old", "/opt/old/one", "/opt/never", "/etc/hosts"]);
    let export = Tarball::new().folder("etc").folder("opt");
    assert_eq!(case.told(export), ["/opt", "-/opt/old"]);
}

#[test]
fn a_folder_that_was_filled_again_is_what_is_missing_in_it() {
    // As overlay tells it: gone, and its new files are new.
    let mut case = Case::touched(&["/opt", "/opt/old/one", "/opt/old/three"]);
    case.removed = paths(&["/opt/old"]);
    let export = export().file("opt/old/one", "/opt/old/one").file("opt/old/three", "3");
    assert_eq!(case.told(export), ["/opt", "/opt/old", "/opt/old/three", "-/opt/old/two"]);
}

#[test]
fn what_takes_the_place_of_a_folder_needs_no_mark() {
    let mut case = Case::touched(&["/opt", "/opt/old"]);
    case.removed = paths(&["/opt/old/one", "/opt/old/two"]);
    let export = Tarball::new().folder("opt").link("opt/old", "new");
    assert_eq!(case.told(export), ["/opt", "/opt/old"]);
}

#[test]
fn hard_links_are_kept_by_the_name_that_stands_first() {
    let touched = ["/opt", "/opt/b", "/opt/a", "/opt/c"];
    let export = || export().file("opt/b", "x").hard("opt/c", "opt/b").hard("opt/a", "opt/b");
    let told = Case::touched(&touched).told(export());
    assert_eq!(told, ["/opt", "/opt/a", "/opt/b", "/opt/c", "/opt/b=/opt/a", "/opt/c=/opt/a"]);
    let mut without = Case::touched(&touched);
    without.out = vec![path("/opt/a")];
    assert_eq!(without.told(export()), ["/opt", "/opt/b", "/opt/c", "/opt/c=/opt/b"]);
}

#[test]
fn a_new_name_of_an_old_file_has_its_bytes() {
    let case = Case::touched(&["/opt", "/opt/b"]);
    let changed = case.read(export().hard("opt/b", "etc/a")).unwrap();
    let Node::File { digest, .. } = changed.tree.get(&path("/opt/b")).unwrap().node else { panic!() };
    assert_eq!(changed.contents.bytes(&digest, 9).unwrap(), b"/etc/a");
    assert!(changed.beside.twins.is_empty() && changed.tree.len() == 2);
}

#[test]
fn attributes_are_a_change_and_stay_with_the_first_name() {
    let records = [("SCHILY.xattr.security.capability", "cap"), ("LIBARCHIVE.xattr.x", "y")];
    let export = || export().pax(&records).file("etc/a", "/etc/a");
    let changed = Case::touched(&["/etc", "/etc/a"]).read(export()).unwrap();
    let expected = vec![(b"SCHILY.xattr.security.capability".to_vec(), b"cap".to_vec())];
    assert_eq!(changed.beside.attributes.get(&path("/etc/a")), Some(&expected));
    let export = export().hard("etc/A", "etc/a");
    let changed = Case::touched(&["/etc", "/etc/a", "/etc/A"]).read(export).unwrap();
    assert_eq!(changed.beside.attributes.keys().collect::<Vec<_>>(), [&path("/etc/A")]);
}

#[test]
fn what_no_layer_holds_is_refused_by_name() {
    for (kind, what) in [(b'6', "a pipe"), (b'3', "a device"), (b'7', "of a strange kind"), (b'2', "a link whose text")]
    {
        let export = export().entry(kind, b"opt/x", b"", 0o644, b"");
        if kind == b'7' {
            continue;
        }
        let error = Case::touched(&["/opt/x"]).read(export).unwrap_err().to_string();
        assert!(error.starts_with("/opt/x is ") && error.contains(what), "{error}");
    }
    let export = export().entry(b'0', b"opt/\xff", b"", 0o644, b"");
    let error = Case::touched(&["/opt/\u{fffd}"]).read(export).unwrap_err().to_string();
    assert!(error.contains("under a name that is no text"), "{error}");
    // Of the base it is, and of no matter.
    assert!(Case::touched(&["/etc/a"]).told(super::tests::export().entry(b'6', b"p", b"", 0o644, b"")).is_empty());
}

#[test]
fn what_an_engine_cannot_tell_is_found_by_comparing() {
    let case = Case { untold: true, ..Case::touched(&[]) };
    // The same as when it can: /opt/old is empty, a file is another, one is new, and one has one more name.
    let export =
        export().file("etc/ssl/bundle", "rebuilt").file("etc/hosts", "x").file("opt/b", "b").hard("opt/c", "opt/b");
    let told = case.told(export.hard("opt/d", "etc/a"));
    let all = ["/etc", "/etc/ssl", "/etc/ssl/bundle", "/opt", "/opt/b", "/opt/c", "/opt/d", "/opt/old"];
    let gone = ["-/opt/old/one", "-/opt/old/two", "/opt/c=/opt/b"];
    assert_eq!(told, [&all[..], &gone].concat());
    let changed = case.read(super::tests::export().hard("opt/d", "etc/a")).unwrap();
    let Node::File { digest, .. } = changed.tree.get(&path("/opt/d")).unwrap().node else { panic!() };
    assert_eq!(
        changed.contents.bytes(&digest, 9).unwrap(),
        b"/etc/a",
        "its bytes are kept though its first name is as it was"
    );
    // Nothing changed, nothing is put.
    let whole = super::tests::export().file("opt/old/one", "/opt/old/one").file("opt/old/two", "/opt/old/two");
    assert!(case.told(whole).is_empty());
}

#[test]
fn a_stream_that_is_cut_is_an_error() {
    let mut bytes = export().end();
    bytes.truncate(700);
    let (touched, removed) = (paths(&["/etc/a"]), BTreeSet::new());
    let report = Report { touched: Some(&touched), removed: &removed, mounts: &[], left_out: &|_| false };
    let open = || Ok::<_, ChangedError>(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>);
    let error = changed(&report, &image(), open, || Ok(Spool::new(tempfile::tempfile().unwrap()))).unwrap_err();
    assert!(matches!(error, ChangedError::Stream(_)), "{error}");
}
