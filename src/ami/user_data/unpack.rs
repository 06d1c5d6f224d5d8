//! A tree of files as the bash that puts it on a host.

use std::io;

use super::Chunk;
use super::shell::{document, word};
use crate::contents::Contents;
use crate::name::ImagePath;
use crate::tree::{Entry, Node, Tree};

/// The program's functions: `lay`, `settle` and those that they call.
pub(in crate::ami) const FUNCTIONS: &str = include_str!("../host/delivery/unpack.sh");

/// A function `unpack` that puts every entry at its place, cut into chunks by entry.
pub(in crate::ami) fn unpack(tree: &Tree, contents: &Contents, longest: u64) -> io::Result<Vec<Chunk>> {
    let mut chunks = vec![Chunk::own("unpack() {\n    :\n")];
    for (path, entry) in tree.iter() {
        let text = statement(path, entry, contents, longest)
            .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        chunks.push(Chunk { name: Some(path.to_string()), text });
    }
    chunks.push(Chunk::own("}\n"));
    Ok(chunks)
}

fn statement(path: &ImagePath, entry: &Entry, contents: &Contents, longest: u64) -> io::Result<String> {
    let (mode, owner, path) = (entry.mode.bits(), entry.owner, word(path.as_str()));
    Ok(match &entry.node {
        Node::Folder => format!("lay folder {path} {mode:o} {owner}\n"),
        Node::Link(target) => format!("lay link {path} {owner} {}\n", word(target)),
        Node::File { digest, .. } => {
            format!("lay file {path} {mode:o} {owner} {}", document(&contents.bytes(digest, longest)?))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::tree::{Mode, Owner};

    /// Only root can give files away.
    fn owner() -> Owner {
        let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
        Owner { uid: uid.as_raw(), gid: gid.as_raw() }
    }

    fn script(tree: &Tree, contents: &Contents) -> String {
        let chunks = unpack(tree, contents, 1 << 20).unwrap();
        let text: String = chunks.into_iter().map(|chunk| chunk.text).collect();
        format!("umask 022\n{FUNCTIONS}{text}unpack\nsettle\nprintf '%s' \"$changed ${{missed[*]}}\"\n")
    }

    /// How many changes it says it made, and what it could not do.
    fn run(root: &Path, script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("script");
        fs::write(&file, script).unwrap();
        let output = Command::new("bash")
            .arg(&file)
            .env("ELKBAKE_ROOT", root)
            .env("ELKBAKE_RUN", folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let left = fs::read_dir(&folder).unwrap().map(|left| left.unwrap().path()).filter(|path| *path != file);
        assert!(left.map(|path| fs::read(path).unwrap()).all(|bytes| bytes.is_empty()), "of what was on its way");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What lies below a folder, but for the list of what is ours.
    fn found(root: &Path) -> BTreeMap<String, (u32, Owner, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut open = vec![root.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let name = format!("/{}", path.strip_prefix(root).unwrap().to_str().unwrap());
                let what = if meta.is_dir() {
                    open.push(path);
                    b"folder".to_vec()
                } else if meta.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else {
                    fs::read(&path).unwrap()
                };
                let owner = Owner { uid: meta.uid(), gid: meta.gid() };
                found.insert(name, (meta.permissions().mode() & 0o7777, owner, what));
            }
        }
        found.remove("/etc/elkbake/files");
        found
    }

    fn expected(tree: &Tree, contents: &Contents) -> BTreeMap<String, (u32, Owner, Vec<u8>)> {
        let mut expected = BTreeMap::new();
        for (path, entry) in tree.iter() {
            let mut parent = path.parent();
            while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
                expected.entry(folder.to_string()).or_insert((0o755, owner(), b"folder".to_vec()));
                parent = folder.parent();
            }
            let (mode, what) = match &entry.node {
                Node::Folder => (entry.mode.bits(), b"folder".to_vec()),
                Node::Link(target) => (0o777, target.clone().into_bytes()),
                Node::File { digest, .. } => (entry.mode.bits(), contents.bytes(digest, 1 << 20).unwrap()),
            };
            expected.insert(path.to_string(), (mode.into(), entry.owner, what));
        }
        for folder in ["/etc", "/etc/elkbake"] {
            expected.entry(folder.to_owned()).or_insert((0o755, owner(), b"folder".to_vec()));
        }
        expected
    }

    fn tree(entries: Vec<(String, u16, Kind)>) -> (Tree, Contents) {
        let (mut tree, mut contents) = (Tree::default(), Contents::default());
        for (i, (name, mode, kind)) in entries.into_iter().enumerate() {
            // Their numbers keep names apart, and folders from being files as well.
            let (path, node, mode) = match kind {
                Kind::Folder => (format!("/d{i}{name}"), Node::Folder, mode | 0o700),
                Kind::Link(target) => (format!("/way {i}/l{name}"), Node::Link(target), 0o777),
                Kind::File(bytes) => (format!("/d{i}/f{name}"), contents.add_bytes(bytes), mode),
            };
            tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(mode), owner: owner(), node });
        }
        (tree, contents)
    }

    #[derive(Clone, Debug)]
    enum Kind {
        Folder,
        Link(String),
        File(Vec<u8>),
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Folder),
            "[^\0]{1,20}".prop_map(Kind::Link),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(Kind::File),
            "[ -~\\n\u{e4}]{0,200}".prop_map(|text| Kind::File(text.into_bytes())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn any_tree_is_unpacked_as_it_is(
            entries in prop::collection::vec(("[^/\0]{0,12}", 0..0o10000_u16, kind()), 0..8)
        ) {
            let (tree, contents) = tree(entries);
            let root = tempfile::tempdir().unwrap();
            let script = script(&tree, &contents);
            run(root.path(), &script);
            prop_assert_eq!(found(root.path()), expected(&tree, &contents));
            prop_assert_eq!(run(root.path(), &script), "0 ");
        }
    }

    fn file(text: &str, mode: u16) -> (String, u16, Kind) {
        (String::new(), mode, Kind::File(text.into()))
    }

    #[test]
    fn what_was_changed_is_put_back_and_nothing_else_is_touched() {
        let (tree, contents) = tree(vec![file("one\n", 0o644), file("two\n", 0o600), file("three\n", 0o640)]);
        let (root, script) = (tempfile::tempdir().unwrap(), script(&tree, &contents));
        run(root.path(), &script);
        let at = |path: &str| root.path().join(path);
        let file = || fs::metadata(at("d2/f")).unwrap().ino();
        // systemd is to read its units anew where their folders are newer than what it knows.
        let folder = || fs::metadata(at("d2")).map(|folder| (folder.ctime(), folder.ctime_nsec())).unwrap();
        let before = (file(), folder());
        fs::write(at("d0/f"), "other").unwrap();
        fs::remove_file(at("d1/f")).unwrap();
        symlink("/dev/null", at("d1/f")).unwrap();
        fs::write(at("d1/mine"), "mine").unwrap();
        assert_eq!(run(root.path(), &script), "2 ");
        assert_eq!(fs::read(at("d0/f")).unwrap(), b"one\n");
        assert!(fs::symlink_metadata(at("d1/f")).unwrap().is_file());
        assert_eq!((file(), folder()), before);
        assert_eq!(fs::read(at("d1/mine")).unwrap(), b"mine");
    }

    #[test]
    fn what_an_earlier_document_put_there_goes() {
        let root = tempfile::tempdir().unwrap();
        let (both, contents) = tree(vec![file("one", 0o644), file("two", 0o644)]);
        run(root.path(), &script(&both, &contents));
        let mut one = both.clone();
        one.remove(&"/d1/f".parse().unwrap());
        assert_eq!(run(root.path(), &script(&one, &contents)), "2 ", "the file, and the list of files");
        assert!(!root.path().join("d1/f").exists() && root.path().join("d0/f").exists());
    }

    #[test]
    fn a_folder_in_the_way_is_told_and_the_rest_is_there() {
        let (tree, contents) = tree(vec![file("one", 0o644), file("two", 0o644)]);
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("d0/f/deep")).unwrap();
        assert!(run(root.path(), &script(&tree, &contents)).ends_with(" /d0/f"));
        assert!(root.path().join("d1/f").is_file());
        let left: Vec<_> = fs::read_dir(root.path().join("d0")).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing stays beside it");
    }
}
