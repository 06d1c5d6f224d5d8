use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;

use crate::unpack::fixture::{Item, ZipFile, file, listing, refusal, unpacked};
use crate::unpack::{Limits, UnpackError, unpack};

fn lines(bytes: &[u8]) -> Vec<String> {
    match unpacked(bytes, &Limits::default()) {
        Ok(unpacked) => listing(&unpacked),
        Err(error) => panic!("{error}"),
    }
}

fn error(items: &[Item]) -> String {
    refusal(&ZipFile::of(items).bytes(), &Limits::default())
}

fn some_items() -> Vec<Item> {
    vec![
        Item::stored("bin/", "").unix(0o040_750),
        Item::deflated("bin/run", "#!").unix(0o100_755),
        Item::stored("bin/start", "run").unix(0o120_777),
        Item::deflated("implied/a", ""),
        Item::deflated("empty/", "").made(0, 0x10),
        Item::deflated("long", "x".repeat(200_000)).unix(0o100_600).streamed(true, false),
        Item::stored("ä", "utf-8").flags(1 << 11),
    ]
}

const SOME: [&str; 8] = [
    "0750 /bin/",
    "0755 /bin/run #!",
    "0777 /bin/start -> run",
    "0755 /empty/",
    "0755 /implied/",
    "0644 /implied/a ",
    "0600 /long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "0644 /ä utf-8",
];

#[test]
fn a_zip_is_unpacked() {
    let zip = ZipFile::of(&some_items());
    assert_eq!(lines(&zip.bytes()), SOME);
    assert_eq!(lines(&zip.large(|_| {})), SOME);
    let comment = ZipFile { comment: b"by nobody".to_vec(), ..zip };
    assert_eq!(lines(&comment.bytes()), SOME);
    assert_eq!(lines(&ZipFile::default().bytes()), [""; 0]);
    let mut shuffled = some_items();
    shuffled.reverse();
    assert_eq!(lines(&ZipFile::of(&shuffled).bytes()), SOME);
}

#[test]
fn sizes_may_come_behind_the_bytes() {
    for (signature, large) in [(true, true), (true, false), (false, true), (false, false)] {
        for item in [Item::deflated("a", "bytes"), Item::stored("a", "bytes"), Item::stored("a", "")] {
            let zip = ZipFile::of(&[item.streamed(signature, large), Item::stored("b", "")]);
            assert_eq!(lines(&zip.bytes()).len(), 2);
        }
    }
    for at in 0..16 {
        let item = Item::deflated("a", "bytes").streamed(true, false);
        let bytes = ZipFile::of(&[item]).bytes();
        let behind = 30 + 1 + bytes[30 + 1..].windows(4).position(|four| four == b"PK\x07\x08").unwrap();
        let mut wrong = bytes;
        wrong[behind + at] ^= 1;
        let text = refusal(&wrong, &Limits::default());
        assert!(text.starts_with("a: a: has another size or checksum behind its bytes"), "{text}");
    }
}

#[test]
fn numbers_may_be_in_the_large_field() {
    let field = |numbers: &[u64]| {
        let mut field = vec![1, 0, u8::try_from(numbers.len() * 8).unwrap(), 0];
        numbers.iter().for_each(|number| field.extend(number.to_le_bytes()));
        field
    };
    let ones = |at: usize| move |header: &mut Vec<u8>| header[at..at + 8].fill(0xff);
    let item = |numbers: &[u64]| Item::stored("a", "bytes").extra(&field(numbers));
    assert_eq!(lines(&ZipFile::of(&[item(&[5, 5]).local(ones(18)).central(ones(20))]).bytes()), ["0644 /a bytes"]);
    for (item, why) in [
        (item(&[5]).local(ones(18)).central(ones(20)), "a: a: has a size that is nowhere said"),
        (item(&[5, 5, 5]).local(ones(18)).central(ones(20)), "a: a: has two sizes"),
        (item(&[5, 5]), "a: a: has two sizes"),
        (item(&[5, 5]).central(ones(20)).local(|header| header[18] = 4), "a: a: has another size in the directory"),
        (
            item(&[5, 5])
                .local(|header| {
                    header[18..26].fill(0xff);
                    header[30 + 1 + 4] = 4;
                })
                .central(ones(20)),
            "a: a: has another size in the directory",
        ),
        (
            Item::stored("a", "").extra(&[field(&[]), field(&[])].concat()),
            "a: a: has two fields for its size, and readers take one or the other",
        ),
        (Item::stored("a", "").extra(&[9, 9, 9, 9, 0]), "a: a: has an extra field that cannot be read"),
        (Item::stored("a", "").extra(b"\x09\x09\0\0x"), "a: a: has an extra field that cannot be read"),
    ] {
        assert!(error(std::slice::from_ref(&item)).starts_with(why), "{}", error(&[item]));
    }
    assert_eq!(lines(&ZipFile::of(&[Item::stored("a", "").extra(b"\x09\x09\0\0\0\0\0")]).bytes()), ["0644 /a "]);
}

#[test]
fn modes_are_those_of_unix_or_the_usual_ones() {
    for (item, line) in [
        (Item::stored("f", ""), "0644 /f "),
        (Item::stored("d/", ""), "0755 /d/"),
        (Item::stored("f", "").unix(0), "0644 /f "),
        (Item::stored("f", "").unix(0o100_000), "0000 /f "),
        (Item::stored("f", "").unix(0o751), "0751 /f "),
        (Item::stored("d/", "").unix(0o1777), "1777 /d/"),
        (Item::stored("f", "").made(19, 0o100_711 << 16), "0711 /f "),
        // Another system has nothing to say of them, whatever stands there.
        (Item::stored("f", "").made(0, 0o104_755 << 16), "0644 /f "),
        (Item::stored("f", "").made(10, 0o120_777 << 16), "0644 /f "),
    ] {
        assert_eq!(lines(&ZipFile::of(&[item]).bytes()), [line]);
    }
}

#[test]
fn names_kinds_and_places_pass_the_same_guard_as_in_tars() {
    for (items, why) in [
        (vec![Item::stored("/etc/passwd", "")], "a: /etc/passwd: has an absolute name"),
        (vec![Item::stored("../x", "")], "a: ../x: has a `..` in its name"),
        (vec![Item::stored("a\\..\\x", "")], "a: a\\..\\x: has a backslash"),
        (vec![Item::stored("a\0b", "")], "a: a\\u{0}b: has a NUL"),
        (vec![Item::stored(b"\xe4", "")], "a: \\xe4: has a name that is not UTF-8"),
        (vec![Item::stored("x".repeat(256), "")], "a: xxx"),
        (vec![Item::stored("a/l", "/etc/passwd").unix(0o120_777)], "a: a/l: is a link to /etc/passwd, which leads out"),
        (vec![Item::stored("l", "../x").unix(0o120_777)], "a: l: is a link to ../x, which leads out"),
        (vec![Item::stored("l", "").unix(0o120_777)], "a: l: is a link to nothing"),
        (vec![Item::deflated("l", "x".repeat(4096)).unix(0o120_777)], "a: l: is a link to a name of more than 4095"),
        (
            vec![Item::stored("l", "d").unix(0o120_777), Item::stored("l/f", "")],
            "a: l/f: would be written through the link l",
        ),
        (vec![Item::stored("f", ""), Item::stored("f", "")], "a: f: is in the archive twice"),
        (vec![Item::stored("F", ""), Item::stored("f", "")], "a: f: differs by case only from F"),
        (vec![Item::stored("f", ""), Item::stored("f/g", "")], "a: f/g: cannot be there: f is a file and a folder"),
        (vec![Item::stored("f", "").unix(0o104_755)], "a: f: is set-user-id"),
        (vec![Item::stored("null", "").unix(0o020_666)], "a: null: is a device"),
        (vec![Item::stored("sda", "").unix(0o060_666)], "a: sda: is a device"),
        (vec![Item::stored("p", "").unix(0o010_666)], "a: p: is a pipe"),
        (vec![Item::stored("s", "").unix(0o140_666)], "a: s: is a socket"),
        (vec![Item::stored("u", "").unix(0o170_666)], "a: u: is of an unknown kind"),
        (vec![Item::stored("d/", "").unix(0o100_644)], "a: d/: is a folder by its name or by its mode"),
        (vec![Item::stored("d", "").unix(0o040_755)], "a: d: is a folder by its name or by its mode"),
        (vec![Item::stored("d/", "x")], "a: d/: has bytes, and is a folder"),
    ] {
        assert!(error(&items).starts_with(why), "{}", error(&items));
    }
}

#[test]
fn what_cannot_be_unpacked_is_refused() {
    for (item, why) in [
        (Item::stored("a", "x").flags(1), "a: a: is encrypted"),
        (Item::stored("a", "x").flags(1 << 6), "a: a: is encrypted"),
        (Item::stored("a", "x").flags(1 << 13), "a: a: is encrypted"),
        (Item::stored("a", "x").flags(1 << 5), "a: a: is a patch"),
        (Item::stored("a", "x").method(12), "a: a: is packed with bzip2 (method 12)"),
        (Item::stored("a", "x").method(99), "a: a: is packed with AES encryption"),
        (Item::stored("a", "x").method(77), "a: a: is packed with a method that nobody knows (method 77)"),
        (Item::stored("a", "x").crc(7), "a: a: is damaged: its checksum is wrong"),
        (Item::deflated("a", "xyz").crc(7), "a: a: is damaged: its checksum is wrong"),
        (Item::stored("a", "x").size(2), "a: a: is not packed, and yet has another size"),
        (Item::deflated("a", "xyz").size(2), "a: a: has more bytes than its size says"),
        (Item::deflated("a", "xyz").size(4), "a: a: has fewer bytes than its size says"),
        (Item::deflated("a", "xyz").packed(b"\xff\xff"), "a: a: is damaged: "),
        // Unpacked in full, but for the mark that this was all.
        (Item::deflated("a", "xyz").packed(b"\0\x03\0\xfc\xffxyz"), "a: a: ends in the middle"),
        (
            Item::deflated("a", "xyz").packed(b"\x01\x03\0\xfc\xffxyzmore"),
            "a: a: has something behind its packed bytes",
        ),
        (Item::deflated("d/", "").packed(b"\x01\x01\0\xfe\xffx"), "a: d/: has more bytes than its size says"),
    ] {
        assert!(error(std::slice::from_ref(&item)).starts_with(why), "{}", error(&[item]));
    }
    assert_eq!(
        lines(&ZipFile::of(&[Item::deflated("a", "xyz").packed(b"\x01\x03\0\xfc\xffxyz")]).bytes()),
        ["0644 /a xyz"]
    );
}

#[test]
fn headers_that_contradict_the_directory_are_refused() {
    for (at, why) in [
        (30, "a: name: is called oame before its bytes"),
        (6, "a: name: has another set of flags in the directory"),
        (7, "hint"),
        (8, "a: name: is packed with Deflate64"),
        (10, "hint"),
        (14, "a: name: has another checksum in the directory"),
        (18, "a: name: has another size in the directory"),
        (22, "a: name: has another size in the directory"),
        (0, "a: name: is not where the directory says"),
    ] {
        let item = Item::deflated("name", "bytes").local(move |header| header[at] ^= 1);
        let items = [Item::stored("first", ""), item];
        if why == "hint" {
            assert_eq!(lines(&ZipFile::of(&items).bytes()).len(), 2);
        } else {
            assert!(error(&items).starts_with(why), "{}", error(&items));
        }
    }
    let method = Item::deflated("name", "bytes").local(|header| header[8] = 0);
    assert!(error(&[method]).starts_with("a: name: has another method in the directory"));
    let folder = Item::stored("dir/", "").local(|header| header[33] = b'x');
    assert!(error(&[folder]).starts_with("a: dir/: is called dirx before its bytes"));
    let unicode = Item::stored("a", "").extra(b"\x75\x70\x06\0\x01\0\0\0\0b");
    assert!(error(&[unicode]).starts_with("a: a: has a second name, b"));
    let same = Item::stored("a", "").extra(b"\x75\x70\x06\0\x01\0\0\0\0a");
    assert_eq!(lines(&ZipFile::of(&[same]).bytes()), ["0644 /a "]);
}

#[test]
fn entries_that_share_bytes_or_leave_some_are_refused() {
    let two = || [Item::stored("a", "bytes"), Item::stored("b", "bytes")];
    let to_first = |header: &mut Vec<u8>| header[42..46].fill(0);
    let [first, second] = two();
    let text = error(&[first.clone(), second.clone().central(to_first)]);
    assert!(text.starts_with("a: a: overlaps with what comes behind it"), "{text}");
    let into = error(&[first.clone(), second.clone().central(|header| header[42] = 33)]);
    assert!(into.starts_with("a: a: overlaps with what comes behind it"), "{into}");
    let beyond = error(&[first.clone(), second.clone().central(|header| header[45] = 1)]);
    assert!(beyond.starts_with("a: a: has bytes behind it that belong to no entry"), "{beyond}");
    let hidden = error(&[first.clone().behind(b"hidden"), second.clone()]);
    assert!(hidden.starts_with("a: a: has bytes behind it that belong to no entry"), "{hidden}");
    let hidden = error(&[first, second.behind(&[0; 16])]);
    assert!(hidden.starts_with("a: b: has bytes behind it that belong to no entry"), "{hidden}");
    let later = error(&[Item::stored("a", "").central(|header| header[42] = 1)]);
    assert!(later.starts_with("a: a: has bytes before it that belong to no entry"), "{later}");

    let limits = Limits::default();
    let zip = ZipFile::of(&two());
    let before = ZipFile { before: b"PK\x03\x04 a program".to_vec(), ..zip.clone() };
    assert!(refusal(&before.bytes(), &limits).starts_with("a: a: has bytes before it that belong to no entry"));
    let none = ZipFile { before: b"PK\x03\x04 a program".to_vec(), ..ZipFile::default() };
    assert!(refusal(&none.bytes(), &limits).starts_with("a: has bytes that belong to no entry"));
    // Here nobody says that there is something before it.
    let text = refusal(&[b"PK\x03\x04 a program".to_vec(), zip.bytes()].concat(), &limits);
    assert!(text.starts_with("a: has a directory that is not where its end mark says"), "{text}");
    let between = ZipFile { before_end: b"?".to_vec(), ..zip };
    assert!(refusal(&between.bytes(), &limits).starts_with("a: has a directory that is not where its end mark says"));
}

#[test]
fn there_is_one_end_and_nothing_behind_it() {
    let limits = Limits::default();
    let zip = ZipFile::of(&some_items());
    let bytes = zip.bytes();
    for garbage in [&b"x"[..], b"\0", &vec![b'x'; 70_000]] {
        let text = refusal(&[&bytes, garbage].concat(), &limits);
        let why = if garbage.len() > 65_536 { "a: has no end mark" } else { "a: has something behind its end" };
        assert!(text.starts_with(why), "{text}");
    }
    for cut in (1..bytes.len() - 4).step_by(41).chain([1, 10, 21, 22].map(|n| bytes.len() - n)) {
        assert!(refusal(&bytes[..cut], &limits).contains("missing"), "{cut}");
    }
    // A comment that holds another end, and with it another zip.
    let comment = ZipFile { comment: ZipFile::default().bytes(), ..zip.clone() };
    assert!(refusal(&comment.bytes(), &limits).starts_with("a: has two end marks"));
    for (at, why) in [
        (4, "a: is one part of a zip in several parts"),
        (8, "a: is one part of a zip in several parts"),
        (12, "a: has a directory that is not where its end mark says"),
        (16, "a: has a directory that is not where its end mark says"),
        (20, "a: has no end mark"),
    ] {
        assert!(refusal(&zip.changed(|end| end[at] += 1), &limits).starts_with(why), "{at}");
    }
    let fewer = zip.changed(|end| (end[8], end[10]) = (6, 6));
    assert!(refusal(&fewer, &limits).starts_with("a: has more in its directory than entries"));
    let more = zip.changed(|end| (end[8], end[10]) = (8, 8));
    assert!(refusal(&more, &limits).starts_with("a: ends in the middle"));
    let other = ZipFile::of(&[Item::stored("a", "").central(|header| header[3] = 9)]).bytes();
    assert!(refusal(&other, &limits).starts_with("a: has something in its directory that is no entry"));
    let disk = ZipFile::of(&[Item::stored("a", "").central(|header| header[34] = 1)]).bytes();
    assert!(refusal(&disk, &limits).starts_with("a: a: lies in another part"));
}

#[test]
fn large_end_marks_say_what_the_small_one_says() {
    let zip = ZipFile::of(&some_items());
    for at in [0, 4, 16, 20, 24, 32, 40, 48, 56 + 8] {
        let text = refusal(&zip.large(|mark| mark[at] ^= 1), &Limits::default());
        assert!(
            ["contradict", "several parts", "is not where its end mark says"].iter().any(|why| text.contains(why)),
            "{at} {text}"
        );
    }
    let split = zip.large(|mark| mark[56 + 16] = 2);
    assert!(refusal(&split, &Limits::default()).contains("several parts"));
    // The small mark says another number of entries than the large one.
    let mut differing = zip.large(|_| {});
    let end = differing.len() - 22;
    differing[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
    assert!(refusal(&differing, &Limits::default()).contains("contradict"));
}

#[test]
fn bombs_are_refused_before_a_byte_of_them_is_unpacked() {
    let told = AtomicU64::new(0);
    let advance = |n| {
        told.fetch_add(n, Ordering::Relaxed);
        Ok(())
    };
    let bomb = ZipFile::of(&[Item::stored("small", "x"), Item::deflated("zeros", vec![0; 300_000])]).bytes();
    for (limits, why) in [
        (Limits { total: 100_000, ..Limits::default() }, "a: zeros: with this, it unpacks to more than 100000 bytes"),
        (
            Limits { ratio: 10, ratio_from: 100_000, ..Limits::default() },
            "a: zeros: with this, it unpacks to more than 10 times its own size",
        ),
        (Limits { entries: 1, ..Limits::default() }, "a: has 2 entries: 1 are the limit"),
        (Limits { names: 9, ..Limits::default() }, "a: zeros: with it, the names have more than 9 bytes"),
    ] {
        let spool = tempfile::tempfile().unwrap();
        let error = unpack("a", file(&bomb), spool.try_clone().unwrap(), &limits, &advance).unwrap_err();
        assert!(error.to_string().starts_with(why), "{error}");
        assert_eq!((told.load(Ordering::Relaxed), spool.metadata().unwrap().len()), (0, 0));
    }
    let deep = ZipFile::of(&[Item::stored("a/b/c", "")]).bytes();
    let few = Limits { entries: 2, ..Limits::default() };
    assert!(refusal(&deep, &few).starts_with("a: a/b/c: is one entry too many"));
    let link = ZipFile::of(&[Item::stored("l", "x".repeat(20)).unix(0o120_777)]).bytes();
    let short = Limits { names: 20, ..Limits::default() };
    assert!(refusal(&link, &short).starts_with("a: l: with it, the names"));
}

#[test]
fn progress_is_told_and_can_be_stopped() {
    let bytes = ZipFile::of(&some_items()).bytes();
    let stop = |_| Err(io::Error::other("Ctrl-C"));
    let error = unpack("a", file(&bytes), tempfile::tempfile().unwrap(), &Limits::default(), &stop).unwrap_err();
    assert!(matches!(&error, UnpackError::Stopped { .. }), "{error:?}");
}

#[test]
fn of_several_bad_entries_the_first_is_named() {
    let items: Vec<_> =
        (0..50).map(|n| Item::stored(format!("{n:02}"), "x").crc(u32::from(n < 7) * 0x8cdc_1683)).collect();
    for _ in 0..20 {
        assert!(error(&items).starts_with("a: 07: is damaged"), "{}", error(&items));
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[ab]{1,2}(/[ab]){0,2}/?", 1 => "[a-c./A]{1,6}", 1 => "[äb]{1,5}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_bytes_are_unpacked_or_refused(bytes: Vec<u8>) {
        let _ = unpacked(&[&b"PK\x03\x04"[..], &bytes].concat(), &Limits::default());
        let _ = unpacked(&[&b"PK\x05\x06"[..], &bytes].concat(), &Limits::default());
    }

    #[test]
    fn changed_bytes_are_unpacked_or_refused(at in any::<prop::sample::Index>(), to: u8, large: bool) {
        let zip = ZipFile::of(&some_items()[..5]);
        let mut bytes = if large { zip.large(|_| {}) } else { zip.bytes() };
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = unpacked(&bytes, &Limits::default());
    }

    #[test]
    fn what_the_crate_writes_is_unpacked_as_it_reads_it(
        entries in prop::collection::btree_map(names(), (".{0,300}", any::<bool>(), 0_u32..0o1000), 0..6),
    ) {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, (text, deflate, mode)) in &entries {
            let method = if *deflate { zip::CompressionMethod::Deflated } else { zip::CompressionMethod::Stored };
            let options = SimpleFileOptions::default().compression_method(method).unix_permissions(*mode);
            if name.ends_with('/') {
                writer.add_directory(name.as_str(), options).unwrap();
            } else if writer.start_file(name.as_str(), options).is_ok() {
                writer.write_all(text.as_bytes()).unwrap();
            }
        }
        let bytes = writer.finish().unwrap().into_inner();
        if let Ok(unpacked) = unpacked(&bytes, &Limits::default()) {
            let ours: BTreeMap<String, String> = unpacked
                .tree
                .iter()
                .map(|(path, entry)| {
                    let bytes = match &entry.node {
                        crate::tree::Node::File { digest, .. } => unpacked.contents.bytes(digest, 10_000).unwrap(),
                        _ => b"/".to_vec(),
                    };
                    (path.to_string(), format!("{} {}", entry.mode, String::from_utf8(bytes).unwrap()))
                })
                .collect();
            let mut archive = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
            for n in 0..archive.len() {
                let mut entry = archive.by_index(n).unwrap();
                let name = entry.name().unwrap().into_owned();
                let parts: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                let path = format!("/{}", parts.join("/"));
                let mut text = String::new();
                if entry.is_dir() { text.push('/') } else { entry.read_to_string(&mut text).unwrap(); }
                let mode = entry.unix_mode().unwrap() & 0o7777;
                if path != "/" {
                    prop_assert_eq!(ours.get(&path), Some(&format!("{mode:04o} {text}")), "{}", path);
                }
            }
        }
    }
}
