use std::io::{Cursor, Read, Write};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::*;
use crate::image::below::AtHand;
use crate::tree::{Mode, Owner};

const LOOKUP: &str = "org/apache/logging/log4j/core/lookup/JndiLookup.class";

#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    /// With sizes behind each entry.
    streamed: bool,
    /// With fields for big files.
    big: bool,
    stored: bool,
}

const KINDS: [Kind; 4] = [
    Kind { streamed: false, big: false, stored: false },
    Kind { streamed: true, big: false, stored: false },
    Kind { streamed: false, big: true, stored: true },
    Kind { streamed: true, big: true, stored: false },
];

fn jar_of(kind: Kind, entries: &[(&str, &[u8])]) -> Vec<u8> {
    fn fill<W: Write + std::io::Seek>(writer: &mut ZipWriter<W>, kind: Kind, entries: &[(&str, &[u8])]) {
        let method = if kind.stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default().compression_method(method).large_file(kind.big);
        for (name, bytes) in entries {
            writer.start_file(*name, options).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.set_comment("a comment").unwrap();
    }
    if kind.streamed {
        let mut writer = ZipWriter::new_stream(Vec::new());
        fill(&mut writer, kind, entries);
        writer.finish().unwrap().into_inner()
    } else {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        fill(&mut writer, kind, entries);
        writer.finish().unwrap().into_inner()
    }
}

fn jar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    jar_of(Kind::default(), entries)
}

/// What another reader of zip files finds in a jar.
fn entries(jar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(jar)).unwrap();
    let read = |i| {
        let mut file = archive.by_index(i).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        (String::from_utf8(file.name_raw().to_vec()).unwrap(), bytes)
    };
    (0..ZipArchive::new(Cursor::new(jar)).unwrap().len()).map(read).collect()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_stays_keeps_its_bytes() {
    for kind in KINDS {
        let all: [(&str, &[u8]); 4] = [
            ("META-INF/MANIFEST.MF", b"Manifest-Version: 1.0\n"),
            (LOOKUP, b"class"),
            ("a/B.class", &[7; 5000]),
            ("c", b""),
        ];
        let before = jar_of(kind, &all);
        let cut = remove(&before, &names(&[LOOKUP, "not/There.class"])).unwrap().unwrap();
        assert_eq!(cut.removed, names(&[LOOKUP]));
        let rest: Vec<_> =
            all.iter().filter(|(name, _)| *name != LOOKUP).map(|(n, b)| ((*n).to_owned(), b.to_vec())).collect();
        assert_eq!(entries(&cut.bytes), rest, "{kind:?}");
        assert_eq!(ZipArchive::new(Cursor::new(&cut.bytes)).unwrap().comment(), b"a comment");
        // The same as if it had never been in it.
        assert_eq!(cut.bytes, jar_of(kind, &[all[0], all[2], all[3]]), "{kind:?}");
        assert_eq!(remove(&cut.bytes, &names(&[LOOKUP])).unwrap(), None);
        let nothing = remove(&before, &all.map(|(name, _)| name.to_owned()).into()).unwrap().unwrap();
        assert_eq!(entries(&nothing.bytes), []);
    }
}

/// A jar of empty entries, written by hand: the usual writer takes seconds for so many.
fn jar_of_many(names: &[String]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for name in names {
        let length = u16::try_from(name.len()).unwrap().to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\0\x14\0", &[0; 20][..], &length, &[0; 12]].concat());
        directory.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
        directory.extend(name.as_bytes());
        bytes.extend([b"PK\x03\x04\x14\0", &[0; 20][..], &length, &[0; 2], name.as_bytes()].concat());
    }
    let (start, size) = (bytes.len() as u64, directory.len() as u64);
    bytes.extend(directory);
    let end = bytes.len() as u64;
    let count = (names.len() as u64).to_le_bytes();
    bytes.extend([b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0", &[0; 8][..], &count, &count].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([b"PK\x06\x07\0\0\0\0", &end.to_le_bytes()[..], b"\x01\0\0\0"].concat());
    bytes.extend([b"PK\x05\x06", &[0; 4][..], &[0xff; 12], &[0; 2]].concat());
    bytes
}

#[test]
fn more_entries_than_a_small_end_record_can_count() {
    let many: Vec<_> = (0..65_600).map(|i| i.to_string()).collect();
    let before = jar_of_many(&many);
    assert_eq!(ZipArchive::new(Cursor::new(&before)).unwrap().len(), 65_600);
    let cut = remove(&before, &names(&["7"])).unwrap().unwrap();
    assert_eq!(ZipArchive::new(Cursor::new(&cut.bytes)).unwrap().len(), 65_599);
    let few: BTreeSet<_> = many[100..].iter().cloned().collect();
    let cut = remove(&cut.bytes, &few).unwrap().unwrap();
    assert_eq!(entries(&cut.bytes).len(), 99);
    let misplaced = [b"x", &before[..]].concat();
    let refused = remove(&misplaced, &names(&["7"]));
    assert_eq!(refused, Err(Refusal::Damaged("its end record for big files is not where it should be".to_owned())));
}

#[test]
fn what_java_would_not_take_or_not_miss_is_refused() {
    let of = |others: &[&str], gone: &[&str]| {
        let all: Vec<(&str, &[u8])> = others.iter().chain([&LOOKUP]).map(|name| (*name, &b"x"[..])).collect();
        remove(&jar(&all), &names(gone)).map(|cut| cut.unwrap().removed)
    };
    for signature in ["META-INF/A.SF", "META-INF/a.rsa", "META-INF/A.DSA", "META-INF/A.EC", "META-INF/SIG-A"] {
        assert_eq!(of(&[signature], &[LOOKUP]), Err(Refusal::Signed(signature.to_owned())));
        assert_eq!(of(&[signature], &[LOOKUP, signature]), Ok(names(&[LOOKUP, signature])));
    }
    assert!(of(&["META-INF/x/A.SF", "A.SF", "META-INF/LICENSE"], &[LOOKUP]).is_ok());
    let variant = format!("META-INF/versions/9/{LOOKUP}");
    assert_eq!(of(&[&variant], &[LOOKUP]), Err(Refusal::Variant(variant.clone())));
    assert!(of(&[&variant], &[LOOKUP, &variant]).is_ok());
    assert!(of(&["META-INF/versions/9/other.class"], &[LOOKUP]).is_ok());
}

#[test]
fn what_is_no_jar_is_refused() {
    let right = jar(&[("a", b"x"), (LOOKUP, b"class")]);
    let refused = |bytes: &[u8]| match remove(bytes, &names(&[LOOKUP])) {
        Err(Refusal::Damaged(what)) => what,
        other => panic!("{other:?}"),
    };
    let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = right.clone();
        edit(&mut bytes);
        refused(&bytes)
    };
    assert_eq!(refused(b""), "it is no zip file: it has no end record");
    assert_eq!(refused(&right[..right.len() - 1]), "it is no zip file: it has no end record");
    assert_eq!(edited(&|b| b.push(0)), "it is no zip file: it has no end record");
    assert_eq!(edited(&|b| b.insert(0, 0)), "there is something before its first entry or behind its directory");
    let directory = right.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    assert_eq!(edited(&|b| b[directory] = 0), "its directory is damaged");
    assert_eq!(edited(&|b| b[directory + 8] |= 1), "a is encrypted");
    assert_eq!(edited(&|b| b[30] = b'b'), "a: its header has another name");
    assert_eq!(edited(&|b| b[0] = 0), "a: its header is not where the directory says");
    assert_eq!(edited(&|b| b[directory + 20] += 1), "a: it runs into what follows it");
    assert_eq!(edited(&|b| b[directory + 20] -= 1), "a: behind it there are bytes that belong to no entry");
    let end = right.len() - 22 - "a comment".len();
    assert_eq!(edited(&|b| b[end + 4] = 1), "it is one of several parts of a zip file");
    let count = |b: &mut Vec<u8>| (b[end + 8], b[end + 10]) = (1, 1);
    assert_eq!(edited(&count), "its directory has 2 entries, and its end record says 1");
    // Two entries of one name, as no writer makes them.
    let mut twice = jar(&[("a", b"x"), ("b", b"y")]);
    while let Some(at) = twice.windows(1).position(|w| w == b"b") {
        twice[at] = b'a';
    }
    assert_eq!(refused(&twice), "a: it is there twice");
}

fn put(image: &mut AtHand, path: &str, bytes: &[u8]) {
    let node = image.contents.add_bytes(bytes);
    let owner = Owner { uid: 1000, gid: 0 };
    image.tree.insert(path.parse().unwrap(), Entry { mode: Mode::new(0o664), owner, node });
}

fn recipe(path: &str, remove: &[&str]) -> Jar {
    Jar { name: "log4shell".to_owned(), path: path.parse().unwrap(), remove: names(remove) }
}

fn run(recipe: &Jar, image: &AtHand) -> Result<(Tree, Contents), JarError> {
    step(recipe, image, Spool::new(tempfile::tempfile().unwrap()))
}

#[test]
fn only_changed_jars_are_in_the_layer_with_mode_and_owner() {
    let mut image = AtHand::default();
    let with = jar(&[(LOOKUP, b"class"), ("a", b"")]);
    let without = jar(&[("a", b"")]);
    put(&mut image, "/usr/share/x/lib/log4j-core-2.9.jar", &with);
    put(&mut image, "/usr/share/x/lib/log4j-api-2.9.jar", &without);
    put(&mut image, "/usr/share/x/lib/deep/er/log4j-core-2.jar", &with);
    put(&mut image, "/usr/share/x/lib/readme", b"no jar");
    let changed = |pattern: &str| {
        let (tree, contents) = run(&recipe(pattern, &[LOOKUP]), &image).unwrap();
        let one = |(path, entry): (&ImagePath, &Entry)| {
            let Node::File { digest, size } = entry.node else { panic!("{path}") };
            assert_eq!((entry.mode, entry.owner.to_string()), (Mode::new(0o664), "1000:0".to_owned()));
            assert_eq!(contents.bytes(&digest, size).unwrap(), without);
            path.to_string()
        };
        tree.iter().map(one).collect::<Vec<_>>()
    };
    let (near, deep) = ("/usr/share/x/lib/log4j-core-2.9.jar", "/usr/share/x/lib/deep/er/log4j-core-2.jar");
    assert_eq!(changed("/usr/share/x/lib/log4j-*.jar"), [near]);
    assert_eq!(changed("usr/share/x/lib/log4j-core-2.9.jar"), [near]);
    assert_eq!(changed("/usr/share/x/lib/**/*.jar"), [deep, near]);
    assert_eq!(changed("**/log4j-core-*.jar"), [deep, near]);
    assert_eq!(changed("/usr/*/x/{lib/deep,y}/er/*.jar"), [deep]);
    assert_eq!(changed("/usr/share/x/lib/*/*/*.jar"), [deep]);
}

#[test]
fn steps_that_change_nothing_are_mistakes() {
    let mut image = AtHand::default();
    put(&mut image, "/lib/a.jar", &jar(&[(LOOKUP, b"class")]));
    put(&mut image, "/lib/b.txt", b"no jar");
    let link = Entry { mode: Mode::new(0o777), owner: Owner::default(), node: Node::Link("a.jar".to_owned()) };
    image.tree.insert("/lib/c.jar".parse().unwrap(), link);
    let refused = |pattern: &str, remove: &[&str]| {
        let error = run(&recipe(pattern, remove), &image).unwrap_err();
        (error.to_string(), error.help().unwrap())
    };
    let (message, help) = refused("/lib/*.war", &[LOOKUP]);
    assert_eq!(message, "no file of the image matches `/lib/*.war`");
    assert!(help.contains("`path`"), "{help}");
    assert_eq!(refused("/lib/c.jar", &[LOOKUP]).0, "no file of the image matches `/lib/c.jar`");
    assert_eq!(refused("/lib/a.jar/x", &[LOOKUP]).0, "no file of the image matches `/lib/a.jar/x`");
    assert_eq!(
        refused("/lib/*.jar", &[LOOKUP, "x/Y.class"]).0,
        "no jar that matches `/lib/*.jar` holds `x/Y.class`; there is: /lib/a.jar"
    );
    assert_eq!(refused("/lib/*", &[LOOKUP]).0, "/lib/b.txt: it is no zip file: it has no end record");
}

proptest! {
    #[test]
    fn any_bytes_are_cut_or_refused(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut_at in any::<prop::sample::Index>(),
        kind in 0..KINDS.len(),
    ) {
        let mut bytes = jar_of(KINDS[kind], &[("a", b"some text"), (LOOKUP, b"class"), ("b", &[1; 300])]);
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut_at.index(4) == 0 {
            bytes.truncate(cut_at.index(bytes.len()));
        }
        if let Ok(Some(cut)) = remove(&bytes, &names(&[LOOKUP])) {
            prop_assert_eq!(remove(&cut.bytes, &names(&[LOOKUP])).unwrap(), None, "what is left can be read");
            prop_assert!(cut.bytes.len() < bytes.len());
        }
    }

    #[test]
    fn any_entries_but_those_taken_out_stay(
        all in proptest::collection::btree_map("[a-c]{1,3}", proptest::collection::vec(any::<u8>(), 0..50), 1..12),
        gone in proptest::collection::btree_set("[a-c]{1,3}", 1..8),
        kind in 0..KINDS.len(),
    ) {
        let list: Vec<(&str, &[u8])> = all.iter().map(|(name, bytes)| (&name[..], &bytes[..])).collect();
        let rest: Vec<_> = list.iter().copied().filter(|(name, _)| !gone.contains(*name)).collect();
        let before = jar_of(KINDS[kind], &list);
        match remove(&before, &gone).unwrap() {
            None => prop_assert_eq!(rest.len(), list.len()),
            Some(cut) => prop_assert_eq!(cut.bytes, jar_of(KINDS[kind], &rest)),
        }
    }
}
