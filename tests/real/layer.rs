//! Layers as others unpack them: GNU tar, Python's tarfile, gzip and zstd.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use elkbake::contents::{Contents, Spool};
use elkbake::digest::Digest;
use elkbake::image::flatten::{Packed, flatten};
use elkbake::image::layer::{Beside, Spec, write};
use elkbake::image::scan::{Bounds, NOTHING, Scan, scan};
use elkbake::image::tar::{Head, Kind, MTIME, TarWriter};
use elkbake::recipe::Compression;
use elkbake::store::Store;
use elkbake::tree::{Amended, Entry, Mode, Node, Owner, Tree};
use serde_json::{Value, json};

use super::program;

/// Reads an archive from standard input and says what is in it, one JSON text a line.
const LIST: &str = r#"
import json, sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|", encoding="utf-8", errors="strict"):
    kind = "folder" if m.isdir() else "link" if m.issym() else "file" if m.isreg() else "?"
    print(json.dumps([m.name, kind, m.mode, m.uid, m.gid, m.size, m.linkname, m.mtime, m.uname + m.gname]))
"#;

/// Names at and around every length at which headers change, names that are not ASCII, and fields that do not fit.
fn tree() -> (Tree, Contents) {
    let (mut tree, mut contents) = (Tree::default(), Contents::default());
    let mut put = |path: &str, mode: u16, owner: (u32, u32), node: Node| {
        let owner = Owner { uid: owner.0, gid: owner.1 };
        tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(mode), owner, node });
    };
    // The slash in front is not in the archive.
    for len in [99, 100, 101, 154, 155, 156, 157, 254, 255, 256, 257, 400] {
        let folder = format!("/{}", "d".repeat(len / 2));
        let path = format!("{folder}/{}", "f".repeat(len - len / 2));
        put(&folder, 0o755, (0, 0), Node::Folder);
        put(&path[..=len], 0o644, (1000, 0), contents.add_bytes(path.as_bytes()));
        put(&format!("/links/{len}"), 0o777, (0, 0), Node::Link("t".repeat(len)));
    }
    put("/ünïcödé/日本/🦌.yml", 0o644, (0, 0), contents.add_bytes(*b"elk"));
    put("/a name\nof\ttwo lines", 0o644, (0, 0), contents.add_bytes(*b""));
    put("/links/ü", 0o777, (0, 0), Node::Link("/ünïcödé".to_owned()));
    put("/set-ids", 0o6755, (2_097_151, 2_097_152), contents.add_bytes(*b"x"));
    put("/sticky", 0o1777, (u32::MAX - 1, 70_000), Node::Folder);
    (tree, contents)
}

fn expected(tree: &Tree, removed: &[&str]) -> BTreeMap<String, Value> {
    let line = |name: &str, kind: &str, mode: u16, owner: Owner, size: u64, target: &str| {
        (name.to_owned(), json!([name, kind, mode, owner.uid, owner.gid, size, target, MTIME, ""]))
    };
    let puts = tree.iter().map(|(path, entry)| {
        let (kind, size, target) = match &entry.node {
            Node::Folder => ("folder", 0, ""),
            Node::File { size, .. } => ("file", *size, ""),
            Node::Link(target) => ("link", 0, target.as_str()),
        };
        line(&path.as_str()[1..], kind, entry.mode.bits(), entry.owner, size, target)
    });
    puts.chain(removed.iter().map(|name| line(name, "file", 0o644, Owner::default(), 0, ""))).collect()
}

/// Runs a program on a file and returns what it says; complaints are failures too.
fn run(program: &Path, arguments: &[&str], input: &Path, output: &Path) {
    let ran = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(File::open(input).unwrap())
        .stdout(File::create(output).unwrap())
        .output()
        .unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn layers_are_unpacked_by_others_as_they_were_made() {
    let programs = [("python3", "python3"), ("tar", "tar"), ("gzip", "gzip"), ("zstd", "zstd")];
    let found: Option<Vec<_>> = programs.iter().map(|(name, package)| program(&[name], package)).collect();
    let Some([python, tar, gzip, zstd]) = found.as_deref() else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let store = Store::open(&at("store"), SystemTime::UNIX_EPOCH).unwrap();
    let (tree, contents) = tree();
    let removed: BTreeSet<_> = ["/links/old", "/gone"].map(|path| path.parse().unwrap()).into();
    for (compression, unpacker) in [(Compression::Gzip, gzip), (Compression::Zstd, zstd)] {
        let all = &Amended::from(&tree);
        let spec = Spec { tree: all, removed: &removed, contents: &contents, beside: Beside::NOTHING, compression };
        let layer = write(&spec, &store, &|_| Ok(())).unwrap();
        io::copy(&mut store.read(&layer.digest).unwrap().unwrap(), &mut File::create(at("layer")).unwrap()).unwrap();
        run(unpacker, &["-dc"], &at("layer"), &at("layer.tar"));
        assert_eq!(std::fs::metadata(at("layer.tar")).unwrap().len(), layer.unpacked);

        run(python, &["-c", LIST], &at("layer.tar"), &at("list"));
        let list = std::fs::read_to_string(at("list")).unwrap();
        let lines: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = expected(&tree, &["links/.wh.old", ".wh.gone"]);
        assert_eq!(lines.len(), expected.len());
        for line in &lines {
            assert_eq!(Some(line), expected.get(line[0].as_str().unwrap()));
        }

        let unpacked = at("unpacked");
        std::fs::create_dir(&unpacked).unwrap();
        let to = unpacked.to_str().unwrap();
        run(tar, &["-x", "-C", to, "--no-same-owner"], &at("layer.tar"), &at("list"));
        for (path, entry) in tree.iter() {
            let there = unpacked.join(&path.as_str()[1..]);
            match &entry.node {
                Node::Folder => assert!(there.is_dir(), "{path}"),
                Node::File { digest, size } => {
                    assert_eq!(std::fs::read(&there).unwrap(), contents.bytes(digest, *size).unwrap(), "{path}");
                }
                Node::Link(target) => assert_eq!(std::fs::read_link(&there).unwrap(), Path::new(target), "{path}"),
            }
        }
        std::fs::remove_dir_all(&unpacked).unwrap();
    }
}

/// A file whose long stretches are holes.
struct Holes(File);

impl Write for Holes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > 4096 {
            self.0.seek_relative(i64::try_from(bytes.len()).unwrap())?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// A layer that lies in a file, uncompressed.
struct Plain(PathBuf, Digest);

impl Packed for Plain {
    fn diff_id(&self) -> Digest {
        self.1
    }

    fn open(&self) -> io::Result<Box<dyn io::Read + Send + '_>> {
        Ok(Box::new(File::open(&self.0)?))
    }
}

const BIG: u64 = (8 << 30) + 1;

/// GNU tar and Python, without reading what is in the file.
fn others_see_the_big_one(path: &Path, tar: &Path, python: &Path, names: [&str; 2]) {
    let ran = Command::new(tar).arg("-tvf").arg(path).env("TZ", "UTC").output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    let list = String::from_utf8(ran.stdout).unwrap();
    let shown = |name| match name {
        "big" => "-rw-r--r-- 0/0      8589934593 1980-01-01 00:00 big",
        _ => "drwxr-xr-x 0/0               0 1980-01-01 00:00 after/",
    };
    assert_eq!(list.lines().collect::<Vec<_>>(), names.map(shown));
    let listed = path.with_extension("list");
    run(python, &["-c", &LIST.replace("r|", "r:")], path, &listed);
    let list = std::fs::read_to_string(listed).unwrap();
    let lines: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let shown = |name| match name {
        "big" => json!(["big", "file", 0o644, 0, 0, BIG, "", MTIME, ""]),
        _ => json!(["after", "folder", 0o755, 0, 0, 0, "", MTIME, ""]),
    };
    assert_eq!(lines, names.map(shown));
}

#[test]
fn a_file_of_more_than_8_gib_has_its_size_for_others_and_for_us() {
    let (Some(tar), Some(python)) = (program(&["tar"], "tar"), program(&["python3"], "python3")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.tar");
    let mut writer = TarWriter::new(Holes(File::create(&path).unwrap()));
    let owner = Owner::default();
    let head = |name, mode, kind| Head { name, mode: Mode::new(mode), owner, kind, attributes: &[] };
    writer.add_from(&head("big", 0o644, Kind::File(BIG)), &mut io::Read::take(io::repeat(0), BIG)).unwrap();
    writer.add(&head("after", 0o755, Kind::Folder)).unwrap();
    writer.finish().unwrap().0.seek(SeekFrom::End(0)).unwrap();
    others_see_the_big_one(&path, &tar, &python, ["big", "after"]);

    let what = Scan { diff_id: None, wanted: NOTHING, packing: None, whole: true, bounds: Bounds::OWN, packed: None };
    let spool = Spool::new(tempfile::tempfile().unwrap());
    let scanned = scan(&what, File::open(&path).unwrap(), spool).unwrap();
    assert_eq!(scanned.unpacked, std::fs::metadata(&path).unwrap().len());
    let nodes: Vec<_> = scanned.listing.tree.iter().map(|(path, entry)| (path.as_str(), &entry.node)).collect();
    assert!(matches!(nodes[..], [("/after", Node::Folder), ("/big", Node::File { size: BIG, .. })]), "{nodes:?}");

    let layer = Plain(path, scanned.diff_id);
    let flat = folder.path().join("flat.tar");
    let mut to = Holes(File::create(&flat).unwrap());
    flatten(&[&layer], &mut to).unwrap();
    to.0.seek(SeekFrom::End(0)).unwrap();
    others_see_the_big_one(&flat, &tar, &python, ["after", "big"]);
}
