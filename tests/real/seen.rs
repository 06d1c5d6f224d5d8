//! What is in a folder, as texts to be compared: type, mode, owner, what the type is about, and extended attributes.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use elkbake::digest::Digest;

/// Every entry below a folder by its path.
pub fn seen(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut entries = BTreeMap::new();
    let mut links = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(parent) = open.pop() {
        let mut paths: Vec<_> = std::fs::read_dir(&parent).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            let meta = path.symlink_metadata().unwrap();
            let kind = meta.file_type();
            let what = if kind.is_dir() {
                open.push(path.clone());
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("link to {}", path.read_link().unwrap().display())
            } else if kind.is_char_device() || kind.is_block_device() {
                format!("device {:x}", meta.rdev())
            } else {
                format!("file {}", Digest::of(&std::fs::read(&path).unwrap()))
            };
            let inside = path.strip_prefix(folder).unwrap().to_owned();
            // A link's own mode means nothing.
            let mode = if kind.is_symlink() { 0 } else { meta.mode() & 0o7777 };
            let mut text = format!("{mode:04o} {}:{} {what}{}", meta.uid(), meta.gid(), attributes(&path));
            if !kind.is_dir() && meta.nlink() > 1 {
                links.entry(meta.ino()).or_insert_with(Vec::new).push(inside.clone());
                text.push_str(" hard");
            }
            entries.insert(inside, text);
        }
    }
    // Names of one file belong together, whichever was met first.
    for mut names in links.into_values() {
        names.sort();
        for name in &names {
            let text = format!("{} {}", entries[name], names[0].display());
            entries.insert(name.clone(), text);
        }
    }
    entries
}

/// The extended attributes that belong to a file, and not to the machine that it lies on.
fn attributes(path: &Path) -> String {
    let mut names = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut names).unwrap();
    let names = names[..length].split(|byte| *byte == 0).map(|name| std::str::from_utf8(name).unwrap());
    let own = |name: &&str| name.starts_with("user.") || *name == "security.capability";
    let mut found: Vec<_> = names
        .filter(own)
        .map(|name| {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::lgetxattr(path, name, &mut value).unwrap();
            format!(" {name}={}", value[..length].escape_ascii())
        })
        .collect();
    found.sort();
    found.concat()
}

/// Fails with the entries that differ.
pub fn assert_same(expected: &BTreeMap<PathBuf, String>, got: &BTreeMap<PathBuf, String>, who: &str) {
    let paths: std::collections::BTreeSet<_> = expected.keys().chain(got.keys()).collect();
    let none = "nothing".to_owned();
    let differences: Vec<_> = paths
        .into_iter()
        .map(|path| (path, expected.get(path).unwrap_or(&none), got.get(path).unwrap_or(&none)))
        .filter(|(_, expected, got)| expected != got)
        .map(|(path, expected, got)| format!("{}: expected {expected}, got {got}", path.display()))
        .take(20)
        .collect();
    assert!(differences.is_empty(), "{who}:\n{}", differences.join("\n"));
}
