//! The files of images and containers.

use std::collections::BTreeMap;
use std::io::{Read, Write};

/// What lies where, by paths from the root without a slash before them.
pub type Files = BTreeMap<String, File>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub mode: u32,
    pub owner: (u64, u64),
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Folder,
    Bytes(Vec<u8>),
    Link(String),
    /// One more name.
    Hard(String),
    Pipe,
}

impl File {
    pub fn text(text: &str) -> Self {
        Self { mode: 0o644, owner: (0, 0), what: What::Bytes(text.as_bytes().to_vec()) }
    }

    pub fn folder() -> Self {
        Self { mode: 0o755, owner: (0, 0), what: What::Folder }
    }
}

/// Puts a layer on files, plain or packed with gzip.
pub fn put_layer(files: &mut Files, bytes: &[u8]) {
    let mut plain = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    } else {
        plain = bytes.to_vec();
    }
    let mut archive = tar::Archive::new(&plain[..]);
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let link = || String::from_utf8(entry.link_name_bytes().unwrap().into_owned()).unwrap();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(removed) = name.strip_prefix(".wh.") {
            remove(files, format!("{folder}/{removed}").trim_start_matches('/'));
            continue;
        }
        let what = match entry.header().entry_type() {
            tar::EntryType::Directory => What::Folder,
            tar::EntryType::Symlink => What::Link(link()),
            tar::EntryType::Link => What::Hard(link()),
            _ => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                What::Bytes(bytes)
            }
        };
        let header = entry.header();
        let owner = (header.uid().unwrap(), header.gid().unwrap());
        files.insert(path, File { mode: header.mode().unwrap(), owner, what });
    }
}

/// Removes a path with all that is in it.
pub fn remove(files: &mut Files, path: &str) {
    files.retain(|other, _| other != path && !other.starts_with(&format!("{path}/")));
}

/// All files as a tar stream, with what engines add of their own.
pub fn export(files: &Files) -> Vec<u8> {
    let mut all = files.clone();
    for (path, file) in [(".dockerenv", File::text("")), ("dev", File::folder()), ("etc", File::folder())] {
        all.entry(path.to_owned()).or_insert(file);
    }
    all.insert("etc/hosts".to_owned(), File::text("127.0.0.1 localhost"));
    let mut stream = Vec::new();
    for (path, File { mode, owner, what }) in &all {
        let mut header = tar::Header::new_ustar();
        header.set_path(path).unwrap();
        header.set_mode(*mode);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_mtime(1_795_780_172);
        header.set_size(0);
        let mut bytes: &[u8] = &[];
        let kind = match what {
            What::Folder => tar::EntryType::Directory,
            What::Bytes(content) => {
                header.set_size(content.len() as u64);
                bytes = content;
                tar::EntryType::Regular
            }
            What::Link(target) => {
                header.set_link_name_literal(target).unwrap();
                tar::EntryType::Symlink
            }
            What::Hard(first) => {
                header.set_link_name_literal(first).unwrap();
                tar::EntryType::Link
            }
            What::Pipe => tar::EntryType::Fifo,
        };
        header.set_entry_type(kind);
        header.set_cksum();
        stream.write_all(header.as_bytes()).unwrap();
        stream.write_all(bytes).unwrap();
        stream.resize(stream.len().next_multiple_of(512), 0);
    }
    stream.resize(stream.len() + 1024, 0);
    stream
}
