use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use crate::unpack::fixture::{Member, TarFile, file, gz, listing, pax, refusal, unpacked, what, xz};
use crate::unpack::{Limits, UnpackError, unpack};

fn lines(bytes: &[u8]) -> Vec<String> {
    listing(&unpacked(bytes, &Limits::default()).unwrap())
}

fn error(members: &[Member]) -> String {
    refusal(&TarFile::of(members).end(), &Limits::default())
}

fn some_tar() -> Vec<u8> {
    TarFile::of(&[
        Member::folder("./").mode(0o700),
        Member::folder("./bin/").mode(0o750),
        Member::file("./bin/run", "#!").mode(0o100_755),
        Member::link("./bin/start", "run"),
        Member::hard_link("./bin/again", "bin/run"),
        Member::file("implied/a", ""),
        Member::new(0, "old/"),
        Member::file("long", "x".repeat(70_000)).mode(0o600),
    ])
    .end()
}

const SOME: [&str; 8] = [
    "0750 /bin/",
    "0755 /bin/again #!",
    "0755 /bin/run #!",
    "0777 /bin/start -> run",
    "0755 /implied/",
    "0644 /implied/a ",
    "0600 /long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "0644 /old/",
];

#[test]
fn a_tar_is_unpacked_however_it_is_compressed() {
    let tar = some_tar();
    assert_eq!(lines(&tar), SOME);
    assert_eq!(lines(&gz(&tar)), SOME);
    assert_eq!(lines(&[gz(&tar[..1000]), gz(&tar[1000..])].concat()), SOME);
    assert_eq!(lines(&zstd::encode_all(&tar[..], 3).unwrap()), SOME);
    assert_eq!(lines(&xz(&tar)), SOME);
    assert_eq!(lines(&TarFile::default().end()), [""; 0]);
}

#[test]
fn owners_are_not_the_archives_affair_and_bytes_are_counted() {
    let tar = some_tar();
    let told = AtomicU64::new(0);
    let advance = |n| {
        told.fetch_add(n, Ordering::Relaxed);
        Ok(())
    };
    let unpacked = unpack("a", file(&tar), tempfile::tempfile().unwrap(), &Limits::default(), &advance).unwrap();
    assert!(unpacked.tree.iter().all(|(_, entry)| entry.owner.to_string() == "0:0"));
    assert_eq!(told.into_inner(), tar.len() as u64);
    for packed in [tar.clone(), gz(&tar), xz(&tar), zstd::encode_all(&tar[..], 3).unwrap()] {
        let stop = |_| Err(io::Error::other("Ctrl-C"));
        let error = unpack("a", file(&packed), tempfile::tempfile().unwrap(), &Limits::default(), &stop).unwrap_err();
        assert!(matches!(&error, UnpackError::Stopped { source, .. } if source.to_string() == "Ctrl-C"), "{error:?}");
    }
}

#[test]
fn names_that_lead_out_or_mislead_are_refused() {
    let deep = "x/".repeat(2100);
    for (name, why) in [
        (&b"/etc/passwd"[..], "a: /etc/passwd: has an absolute name"),
        (b"../etc/passwd", "a: ../etc/passwd: has a `..` in its name"),
        (b"a/../../b", "a: a/../../b: has a `..` in its name"),
        (b"a/..", "a: a/..: has a `..` in its name"),
        (b"a\\..\\b", "a: a\\..\\b: has a backslash"),
        (b"a\xff", "a: a\\xff: has a name that is not UTF-8"),
        (b"", "a: : has an empty name"),
        (b".", "a: .: is called like the root"),
    ] {
        assert!(error(&[Member::file(name, "x")]).starts_with(why), "{}", error(&[Member::file(name, "x")]));
    }
    let long = Member::file("././@LongLink", [b'n'; 300]).kind(b'L');
    let text = error(&[long, Member::file("n", "")]);
    assert!(text.starts_with("a: nnnn") && text.contains("a part of it is longer than 255 bytes"), "{text}");
    let text = error(&[Member::file("p", pax(&[("path", &deep)])).kind(b'x'), Member::file("n", "")]);
    assert!(text.starts_with("a: x/x/x/") && text.contains("longer than 4095 bytes") && text.len() < 400, "{text}");
    let text = error(&[Member::file("p", pax(&[("path", "a\0b")])).kind(b'x'), Member::file("n", "")]);
    assert!(text.starts_with("a: a\\u{0}b: has a NUL in its name"), "{text}");
}

#[test]
fn links_that_lead_out_are_refused() {
    for target in ["../../x", "/etc/passwd", "b/../../../x"] {
        let text = error(&[Member::link("a/l", target)]);
        assert_eq!(text, format!("a: a/l: is a link to {target}, which leads out of the archive"));
    }
    let text = error(&[Member::link("a/here", "."), Member::link("a/l", "here/../../x")]);
    assert!(text.starts_with("a: a/l: is a link to here/../../x, which leads out"), "{text}");
    let text = error(&[Member::link("a", "b/x"), Member::link("b", "a/x")]);
    assert!(text.starts_with("a: a: is a link to b/x, which leads through links without an end"), "{text}");
    assert!(error(&[Member::link("l", "")]).starts_with("a: l: is a link to nothing"));
    assert!(error(&[Member::link("l", b"\xff")]).starts_with("a: l: is a link to a name that is not UTF-8"));
    let long = pax(&[("linkpath", &"x/".repeat(2100))]);
    let text = error(&[Member::file("p", long).kind(b'x'), Member::link("l", "n")]);
    assert!(text.starts_with("a: l: is a link to a name of more than 4095 bytes"), "{text}");

    let absolute = Limits { absolute_links: true, ..Limits::default() };
    let tar = TarFile::of(&[Member::link("a/l", "/etc/passwd")]).end();
    assert_eq!(listing(&unpacked(&tar, &absolute).unwrap()), ["0755 /a/", "0777 /a/l -> /etc/passwd"]);
}

#[test]
fn hard_links_are_copies_of_what_came_before() {
    let text = |target: &str| error(&[Member::file("d/f", "x"), Member::hard_link("h", target)]);
    for (target, why) in [
        ("../f", "a: h: is a hard link to ../f, which has a `..`"),
        ("/etc/passwd", "a: h: is a hard link to /etc/passwd, which has an absolute name"),
        ("later", "a: h: is a hard link to later, which is not in the archive before it"),
        ("d", "a: h: is a hard link to d, which is a folder"),
        ("", "a: h: is a hard link to , which has an empty name"),
    ] {
        assert!(text(target).starts_with(why), "{}", text(target));
    }
    // A copy of a link lies elsewhere, and leads elsewhere.
    let text = error(&[Member::link("d/l", "../x"), Member::hard_link("h", "d/l")]);
    assert!(text.starts_with("a: h: is a link to ../x, which leads out"), "{text}");
    let bomb: Vec<_> = (0..100).map(|n| Member::hard_link(format!("h{n}"), "f")).collect();
    let tar = TarFile::of(&[&[Member::file("f", [b'x'; 5000])], &bomb[..]].concat()).end();
    let total = Limits { total: 100_000, ..Limits::default() };
    assert!(refusal(&tar, &total).starts_with("a: h19: with this, it unpacks to more than 100000 bytes"));
    let ratio = Limits { ratio: 5, ratio_from: 0, ..Limits::default() };
    assert!(refusal(&tar, &ratio).contains(": with this, it unpacks to more than 5 times its own size"));
}

#[test]
fn one_place_holds_one_entry() {
    for (one, other, why) in [
        (Member::file("f", ""), Member::file("./f", ""), "a: ./f: is in the archive twice"),
        (Member::folder("d"), Member::folder("d/"), "a: d/: is in the archive twice"),
        (Member::folder("D"), Member::folder("d"), "a: d: differs by case only from D"),
        (Member::file("A/x", ""), Member::file("a/y", ""), "a: a/y: differs by case only from A"),
        (Member::link("l", "d"), Member::file("l/f", ""), "a: l/f: would be written through the link l"),
        (Member::link("l", "d"), Member::folder("l"), "a: l: cannot be there: l is a file and a folder at once"),
        (Member::file("f", ""), Member::file("f/g", ""), "a: f/g: cannot be there: f is a file and a folder"),
        (Member::file("f/g", ""), Member::file("f", ""), "a: f: cannot be there: f is a file and a folder"),
    ] {
        let text = error(&[one, other]);
        assert!(text.starts_with(why), "{text}");
    }
}

#[test]
fn only_files_folders_and_links_are_taken() {
    for (kind, why) in [
        (b'3', "is a device"),
        (b'4', "is a device"),
        (b'6', "is a pipe"),
        (b'S', "is a sparse file"),
        (b'V', "is of the unknown kind `V`"),
        (b'M', "is of the unknown kind `M`"),
        (b'\xff', "is of the unknown kind `\\xff`"),
    ] {
        let text = error(&[Member::new(kind, "dev/null")]);
        assert!(text.starts_with(&format!("a: dev/null: {why}")), "{text}");
    }
    for key in ["GNU.sparse.major", "SCHILY.realsize"] {
        let text = error(&[Member::file("p", pax(&[(key, "1")])).kind(b'x'), Member::file("s", "")]);
        assert!(text.starts_with("a: s: is a sparse file"), "{text}");
    }
    for kind in [b'1', b'2', b'5'] {
        let text = error(&[Member::file("d", "bytes").kind(kind)]);
        assert!(text.starts_with("a: d: has bytes, and is no file"), "{text}");
    }
    assert!(error(&[Member::file("old/", "x")]).starts_with("a: old/: has bytes, and is no file"));
}

#[test]
fn set_id_is_refused_unless_asked_for() {
    for mode in [0o4755, 0o2755, 0o6755] {
        let text = error(&[Member::file("bin/su", "x").mode(mode)]);
        assert!(text.starts_with("a: bin/su: is set-user-id or set-group-id"), "{text}");
        assert!(error(&[Member::folder("d").mode(mode)]).starts_with("a: d: is set-user-id"), "{mode:o}");
        let tar = TarFile::of(&[Member::file("su", "x").mode(mode)]).end();
        let asked = Limits { set_id: true, ..Limits::default() };
        assert_eq!(listing(&unpacked(&tar, &asked).unwrap()), [format!("{mode:04o} /su x")]);
    }
    assert_eq!(lines(&TarFile::of(&[Member::folder("tmp").mode(0o1777)]).end()), ["1777 /tmp/"]);
}

#[test]
fn bombs_are_cut_off_before_they_have_grown() {
    let small = Limits { entries: 3, names: 20, total: 10_000, ratio: 10, ratio_from: 1000, ..Limits::default() };
    let swelling = Limits { ratio: 10, ratio_from: 100_000, ..Limits::default() };
    let bomb = gz(&TarFile::of(&[Member::file("zeros", vec![0; 300_000])]).end());
    assert!(
        refusal(&bomb, &swelling).starts_with("a: zeros: with this, it unpacks to more than 10 times its own size")
    );
    let big = TarFile::of(&[Member::file("big", "").saying(10_001)]).cut();
    assert!(refusal(&big, &small).starts_with("a: big: with this, it unpacks to more than 10000 bytes"));
    let many: Vec<_> = (0..4).map(|n| Member::file(format!("{n}"), "")).collect();
    assert!(refusal(&TarFile::of(&many).end(), &small).starts_with("a: 3: is one entry too many: 3 are the limit"));
    let implied = TarFile::of(&[Member::file("a/b/c/d", "")]).end();
    assert!(refusal(&implied, &small).starts_with("a: a/b/c/d: is one entry too many"));
    let names = TarFile::of(&[Member::file("n".repeat(12), ""), Member::file("m".repeat(12), "")]).end();
    assert!(refusal(&names, &small).starts_with("a: mmmmmmmmmmmm: with it, the names have more than 20 bytes"));
    let target = TarFile::of(&[Member::link("l", "t".repeat(20))]).end();
    assert!(refusal(&target, &small).starts_with("a: l: with it, the names"));
    // What comes behind the end mark is bytes, too.
    let tail = gz(&[TarFile::default().end(), vec![0; 100_000]].concat());
    assert!(refusal(&tail, &small).contains("it unpacks to more than 10"));
}

#[test]
fn long_names_are_read_from_the_headers_before() {
    let long = format!("d/{}/f", "n".repeat(200));
    let gnu = TarFile::of(&[
        Member::file("././@LongLink", format!("{long}\0")).kind(b'L'),
        Member::file("d/nnn", "gnu"),
        Member::file("././@LongLink", format!("{long}\0")).kind(b'K'),
        Member::link("l", "d/nnn"),
    ]);
    let lines_gnu = lines(&gnu.end());
    assert_eq!(lines_gnu[2..], [format!("0644 /{long} gnu"), format!("0777 /l -> {long}")]);
    let pax = TarFile::of(&[
        Member::file("g", pax(&[("comment", "by git archive")])).kind(b'g'),
        Member::file("p", pax(&[("path", &long), ("mtime", "1.5")])).kind(b'x'),
        Member::file("short", "pax"),
        Member::file("p", pax(&[("linkpath", &long), ("path", "")])).kind(b'x'),
        Member::link("l", "n"),
    ]);
    let lines_pax = lines(&pax.end());
    assert_eq!(lines_pax[2..], [format!("0644 /{long} pax"), format!("0777 /l -> {long}")]);
}

#[test]
fn headers_that_contradict_each_other_are_refused() {
    let x = |records: &[(&str, &str)]| Member::file("p", pax(records)).kind(b'x');
    let l = |name: &str| Member::file("././@LongLink", name).kind(b'L');
    let f = || Member::file("f", "bytes");
    for (members, why) in [
        (vec![x(&[("size", "4")]), f()], "a: f: has 5 bytes by one header and 4 by another"),
        (vec![x(&[("size", "5"), ("size", "5")]), f()], "a: p: has an extended header that says `size` twice"),
        (vec![x(&[("size", "-5")]), f()], "a: p: has a size that is no number"),
        (vec![x(&[("path", "a")]), x(&[("path", "a")]), f()], "a: a: has two headers of one kind"),
        (vec![l("a"), l("a"), f()], "a: a: has two headers of one kind"),
        (vec![l("a"), x(&[("path", "b")]), f()], "a: a: is called a by one header and b by another"),
        (vec![l("a\0b"), f()], "a: ././@LongLink: has a NUL in its name"),
        (vec![x(&[("path", "a")]), x(&[]).kind(b'g'), f()], "a: a: has a global header between its own ones"),
        (vec![x(&[("path", "a")]).kind(b'g'), f()], "a: p: has a global header before it that says"),
        (vec![l("a").saying(1 << 30)], "a: ././@LongLink: has a header of 1073741824 bytes"),
        (vec![l("a")], "a: ends with a header that belongs to no entry"),
        (vec![Member::file("p", "9 path=a\n1").kind(b'x'), f()], "a: p: has an extended header that cannot be read"),
    ] {
        let text = error(&members);
        assert!(text.starts_with(why), "{text}");
    }
    let same = TarFile::of(&[l("a"), x(&[("path", "a"), ("size", "5")]), f()]).end();
    assert_eq!(lines(&same), ["0644 /a bytes"]);
}

#[test]
fn what_is_not_whole_or_goes_on_is_refused() {
    let tar = TarFile::of(&[Member::file("f", "x".repeat(600)), Member::file("g", "y")]);
    let limits = Limits::default();
    let whole = tar.clone().end();
    for cut in (1..600).step_by(37).chain([510, 511, 512, 513, 1111, 1112, 1535, 1536, 1537, 2047, 2048, 2559, 2560]) {
        let text = refusal(&whole[..cut], &limits);
        assert!(text.contains("is missing"), "{cut}: {text}");
        assert_eq!(text.starts_with("a: f: "), (512..512 + 600).contains(&cut), "{cut}: {text}");
    }
    let zeros = [tar.clone().end(), vec![0; 9000 / 512 * 512]].concat();
    assert_eq!(lines(&zeros).len(), 2);
    for (garbage, why) in [
        (TarFile::of(&[Member::file("h", "")]).end(), "a: has something behind its end"),
        (vec![0; 100], "a: ends in the middle"),
    ] {
        let text = refusal(&[tar.clone().end(), garbage].concat(), &limits);
        assert!(text.starts_with(why), "{text}");
    }
    let garbage = [gz(&tar.clone().end()), b"garbage".to_vec()].concat();
    assert!(refusal(&garbage, &limits).starts_with("a: has something behind its compressed bytes"));
    let garbage = [xz(&tar.clone().end()), b"garbage!".to_vec()].concat();
    assert!(refusal(&garbage, &limits).starts_with("a: is damaged: "));
    let mut wrong = gz(&tar.clone().end());
    let crc = wrong.len() - 8;
    wrong[crc] ^= 1;
    assert!(refusal(&wrong, &limits).starts_with("a: is damaged: "));
    let mut wrong = tar.end();
    wrong[0] ^= 1;
    assert!(refusal(&wrong, &limits).starts_with("a: is no tar file, or is damaged"));
}

#[test]
fn what_is_no_archive_is_named_for_what_it_is() {
    for (bytes, why) in [
        (&b""[..], "a: is empty"),
        (b"BZh91AY", "a: is compressed with bzip2"),
        (b"7z\xbc\xaf\x27\x1c", "a: is a 7z archive"),
        (b"#!/bin/sh", "a: ends in the middle"),
        (&[b'x'; 600], "a: is no tar file"),
        (&gz(&[b'x'; 600]), "a: is no tar file"),
    ] {
        assert!(refusal(bytes, &Limits::default()).starts_with(why), "{}", refusal(bytes, &Limits::default()));
    }
}

fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[ab]{1,2}(/[ab]){0,2}/?",
        1 => "[a-c./A]{0,6}",
        1 => "\\PC{0,5}",
    ]
}

/// Bytes are ASCII: they become long names, and one cut through a letter is no text to the second reader.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let member = (names(), names(), prop::sample::select(b"000552221Lx3S".to_vec()), "[ -~]{0,5}", any::<bool>());
    let member = member.prop_map(|(name, target, kind, bytes, lies)| {
        let member = match kind {
            b'0' => Member::file(name, &bytes),
            b'L' => Member::file("L", &bytes).kind(b'L'),
            b'x' => Member::file("x", pax(&[("path", &name)])).kind(b'x'),
            b'1' => Member::hard_link(name, target),
            b'2' => Member::link(name, target),
            _ => Member::new(kind, name),
        };
        if lies && bytes.len() == 5 { member.saying(3) } else { member }
    });
    prop::collection::vec(member, 0..6)
}

/// What the crate `tar` makes of it, as far as it knows what it is.
fn as_others_see_it(bytes: &[u8]) -> Vec<(String, String)> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let name: Vec<_> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        let mut bytes = String::new();
        io::Read::read_to_string(&mut entry, &mut bytes).unwrap();
        let link = entry.link_name_bytes().map(|name| String::from_utf8(name.into_owned()).unwrap());
        let what = match entry.header().entry_type() {
            tar::EntryType::Symlink => Some(format!(" -> {}", link.unwrap())),
            tar::EntryType::Link => {
                let link = link.unwrap();
                let target: Vec<_> = link.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                // An extended header with an empty name leaves the other one to us, and none at all to it.
                seen.get(&format!("/{}", target.join("/"))).cloned()
            }
            tar::EntryType::Directory => Some("/".to_owned()),
            _ if entry.path_bytes().ends_with(b"/") => Some("/".to_owned()),
            _ => Some(format!(" {bytes}")),
        };
        let path = format!("/{}", name.join("/"));
        match what {
            Some(what) if !name.is_empty() => drop(seen.insert(path, what)),
            _ => drop(seen.remove(&path)),
        }
    }
    seen.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_bytes_are_unpacked_or_refused(bytes: Vec<u8>, front in 0_usize..4) {
        let magic = [&b""[..], b"\x1f\x8b\x08\0", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"][front];
        let _ = unpacked(&[magic, &bytes].concat(), &Limits::default());
    }

    #[test]
    fn changed_bytes_are_unpacked_or_refused(at in any::<prop::sample::Index>(), to: u8, kind in 0_usize..4) {
        let tar = some_tar();
        let mut bytes = match kind {
            0 => tar,
            1 => gz(&tar),
            2 => xz(&tar[..4096]),
            _ => zstd::encode_all(&tar[..], 3).unwrap(),
        };
        let at = at.index(bytes.len());
        bytes[at] = to;
        let _ = unpacked(&bytes, &Limits::default());
    }

    #[test]
    fn what_is_taken_is_what_other_readers_see(members in members()) {
        let tar = TarFile::of(&members).end();
        if let Ok(unpacked) = unpacked(&tar, &Limits { absolute_links: true, ..Limits::default() }) {
            // Not out of the listing's lines: names may have spaces.
            let ours: BTreeMap<String, String> =
                unpacked.tree.iter().map(|(path, entry)| (path.to_string(), what(&unpacked, &entry.node))).collect();
            for (path, what) in as_others_see_it(&tar) {
                prop_assert_eq!(ours.get(&path), Some(&what), "{}", path);
            }
        }
    }
}
