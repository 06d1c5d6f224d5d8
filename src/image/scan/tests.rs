use std::fmt::Write as _;

use proptest::prelude::*;

use super::fixture::{Tarball, gzip, xz, zstd};
use super::*;
use crate::digest::Verifying;
use crate::name::ImagePath;

fn read(bytes: &[u8], what: &Scan<'_>) -> Result<Scanned, ScanError> {
    let verifying = Verifying::new(bytes, Digest::of(bytes), Some(bytes.len() as u64));
    scan(what, verifying, Spool::new(tempfile::tempfile().unwrap()))
}

const ANY: Scan<'static> =
    Scan { diff_id: None, wanted: NOTHING, packing: None, whole: false, bounds: Bounds::FOREIGN, packed: None };
const WHOLE: Scan<'static> = Scan { whole: true, ..ANY };

fn text(bytes: &[u8]) -> String {
    read(bytes, &ANY).unwrap_or_else(|error| panic!("{error}")).listing.to_text()
}

fn refusal(bytes: &[u8], what: &Scan<'_>) -> String {
    read(bytes, what).unwrap_err().to_string()
}

fn lines(files: &[(&str, &str)]) -> String {
    let mut text = "elkbake listing 1\n".to_owned();
    for (line, bytes) in files {
        let file = format!("\t{}\t{}", bytes.len(), Digest::of(bytes.as_bytes()).hex());
        writeln!(text, "{line}{}", if line.starts_with("f\t") { &file } else { "" }).unwrap();
    }
    text
}

fn sample() -> Tarball {
    Tarball::new()
        .entry(b'5', b"./", b"", 0o755, b"")
        .folder("usr/")
        .folder("./usr/bin")
        .file("./usr/bin/tool", "#!")
        .hard("usr/bin/also", "./usr/bin/tool")
        .link("bin", "usr/bin")
        .entry(b'3', b"dev/null", b"", 0o666, b"")
        .entry(b'6', b"run/pipe", b"", 0o600, b"")
        .entry(b'4', b"dev/disk", b"", 0o660, b"")
        .file("etc/.wh.motd", "")
        .file("opt/.wh..wh..opq", "")
        .file("opt/new", "new")
        .file(".wh..wh.plnk", "")
        .hard("opt/from-below", "srv/old")
        .hard("opt/again", "opt/from-below")
}

#[test]
fn a_layer_is_told_by_what_it_does() {
    let expected = lines(&[
        ("d\t0755\t1000:0\t/", ""),
        ("l\t0777\t1000:0\t/bin\tusr/bin", ""),
        ("f\t0644\t1000:0\t/opt/new", "new"),
        ("d\t0755\t1000:0\t/usr", ""),
        ("d\t0755\t1000:0\t/usr/bin", ""),
        ("f\t0644\t1000:0\t/usr/bin/also", "#!"),
        ("f\t0644\t1000:0\t/usr/bin/tool", "#!"),
        ("s\t0660\t1000:0\t/dev/disk\tb", ""),
        ("s\t0666\t1000:0\t/dev/null\tc", ""),
        ("s\t0600\t1000:0\t/run/pipe\tp", ""),
        ("h\t/opt/again\t/srv/old", ""),
        ("h\t/opt/from-below\t/srv/old", ""),
        ("w\t/etc/motd", ""),
        ("o\t/opt", ""),
    ]);
    let plain = sample().end();
    for packed in
        [plain.clone(), gzip(&plain), zstd(&plain), xz(&plain), [gzip(&plain[..512]), gzip(&plain[512..])].concat()]
    {
        let scanned = read(&packed, &Scan { diff_id: Some(Digest::of(&plain)), ..ANY }).unwrap();
        assert_eq!(scanned.listing.to_text(), expected);
        assert_eq!((scanned.diff_id, scanned.unpacked), (Digest::of(&plain), plain.len() as u64));
        assert_eq!(Listing::parse(&expected).unwrap(), scanned.listing);
    }
}

#[test]
fn a_base_whose_configuration_lies_is_refused_with_both_digests() {
    let plain = sample().end();
    let promised = Digest::of(b"something else");
    let message = refusal(&gzip(&plain), &Scan { diff_id: Some(promised), ..ANY });
    assert!(message.contains(&promised.to_string()) && message.contains(&Digest::of(&plain).to_string()), "{message}");
}

#[test]
fn only_what_is_wanted_is_kept() {
    let bytes = gzip(&Tarball::new().file("a", "one").file("b", "two").file("c", "three").hard("d", "c").end());
    let wanted = |path: &ImagePath, size: u64| path.as_str() != "/b" && size < 10;
    let scanned = read(&bytes, &Scan { wanted: &wanted, ..ANY }).unwrap();
    let kept = |text: &str| scanned.contents.bytes(&Digest::of(text.as_bytes()), 10).is_ok();
    assert!(kept("one") && kept("three") && !kept("two"));
}

#[test]
fn names_and_numbers_that_fit_in_no_header() {
    let long = format!("{}/{}", "x".repeat(200), "ä".repeat(100));
    let gnu = Tarball::new()
        .entry(b'L', b"././@LongLink", b"", 0, format!("{long}\0").as_bytes())
        .entry(b'K', b"././@LongLink", b"", 0, format!("{}\0", "t".repeat(300)).as_bytes())
        .link("cut", "cut");
    let pax = Tarball::new()
        .pax(&[("path", &long), ("linkpath", &"t".repeat(300)), ("SCHILY.xattr.user.a", "b"), ("mtime", "1.5")])
        .link("cut", "cut");
    for tarball in [gnu, pax] {
        assert_eq!(text(&tarball.end()), lines(&[(&format!("l\t0777\t1000:0\t/{long}\t{}", "t".repeat(300)), "")]));
    }
    let numbers = Tarball::new().pax(&[("uid", "4294967294"), ("gid", "7"), ("size", "3")]);
    let numbers = numbers.entry(b'0', b"f", b"", 0o4755, b"").raw(b"abc").raw(&[0; 509]);
    assert_eq!(text(&numbers.end()), lines(&[("f\t4755\t4294967294:7\t/f", "abc")]));
}

#[test]
fn odd_entries_of_real_programs_are_taken() {
    let comment = b"52 comment=0000000000000000000000000000000000000000\n";
    let odd = Tarball::new()
        .entry(b'g', b"pax_global_header", b"", 0o644, comment)
        .entry(b'V', b"a label", b"", 0, b"")
        .entry(b'0', b"old-folder/", b"", 0o755, b"")
        .entry(0, b"old-file", b"", 0o644, b"x")
        .entry(b'7', b"contiguous", b"", 0o644, b"y")
        .entry(b'0', b"no-text-\xff", b"", 0o644, b"z")
        .entry(b'2', b"to-no-text", b"\xff", 0o777, b"");
    let scanned = read(&odd.end(), &ANY).unwrap();
    assert_eq!(scanned.unnamed, 2);
    let expected = lines(&[
        ("f\t0644\t1000:0\t/contiguous", "y"),
        ("f\t0644\t1000:0\t/old-file", "x"),
        ("d\t0755\t1000:0\t/old-folder", ""),
        ("s\t0777\t1000:0\t/to-no-text\tl", ""),
    ]);
    assert_eq!(scanned.listing.to_text(), expected);
    assert_eq!(text(b""), lines(&[]), "nothing at all is an empty tarball");
    assert_eq!(text(&Tarball::new().file("a", "b").open_end()), lines(&[("f\t0644\t1000:0\t/a", "b")]));
}

#[test]
fn a_later_entry_of_one_layer_replaces_an_earlier_one() {
    let tarball = Tarball::new().folder("a").file("a/b", "1").file("a/b", "2").folder("a");
    assert_eq!(text(&tarball.clone().end()), lines(&[("d\t0755\t1000:0\t/a", ""), ("f\t0644\t1000:0\t/a/b", "2")]));
    let replaced = tarball.entry(b'3', b"a/null", b"", 0, b"").hard("a/h", "below").file("a", "file");
    assert_eq!(text(&replaced.end()), lines(&[("f\t0644\t1000:0\t/a", "file")]));
    // Also where the folder is only spoken of.
    let implied = Tarball::new().file("a/b", "1").link("a", "c");
    assert_eq!(text(&implied.end()), lines(&[("l\t0777\t1000:0\t/a\tc", "")]));
}

#[test]
fn what_no_layer_may_hold_is_refused_by_name() {
    let named = |tarball: Tarball| refusal(&tarball.end(), &ANY);
    for (message, part) in [
        (named(Tarball::new().file("a/../../etc/passwd", "")), "entry `a/../../etc/passwd`: its name has `..` in it"),
        (named(Tarball::new().file("/etc/passwd", "")), "entry `/etc/passwd`: its name is absolute"),
        (named(Tarball::new().pax(&[("path", "../x")]).file("a", "")), "entry `../x`"),
        (named(Tarball::new().hard("a", "../b")), "entry `a`: it is a hard link to a name with `..`"),
        (named(Tarball::new().hard("a", "a")), "entry `a`: it is a hard link to itself"),
        (named(Tarball::new().folder("d").hard("a", "d")), "entry `a`: it is a hard link to a folder"),
        (named(Tarball::new().link("a", "")), "entry `a`: it is a link to nothing"),
        (named(Tarball::new().file("a/.wh...", "")), "entry `a/.wh...`: it removes no file by name"),
        (named(Tarball::new().link(".", "a")), "entry `.`: it stands for the root"),
        (named(Tarball::new().entry(b'S', b"holes", b"", 0, b"")), "entry `holes`: it is a sparse file"),
        (named(Tarball::new().pax(&[("GNU.sparse.major", "1")]).file("a", "")), "entry `a`: it is a sparse file"),
        (named(Tarball::new().entry(b'M', b"more", b"", 0, b"")), "entry `more`: it is of the kind `M`"),
        (named(Tarball::new().pax(&[("uid", "4294967296")]).file("a", "")), "entry `a`: its owner"),
        (named(Tarball::new().entry(b'x', b"p", b"", 0, b"9 path=a")), "extended header cannot be read"),
        (named(Tarball::new().entry(b'g', b"p", b"", 0, b"10 path=a\n")), "a global header says `path`"),
        (named(Tarball::new().pax(&[("path", "a")])), "cut short"),
    ] {
        assert!(message.contains(part), "{message:?} should hold {part:?}");
    }
}

#[test]
fn damaged_streams_are_refused() {
    let plain = sample().end();
    for packed in [gzip(&plain), zstd(&plain), xz(&plain)] {
        assert!(refusal(&packed[..packed.len() - 9], &ANY).contains("cannot be read"));
        let garbage = [&packed[..], b"garbage"].concat();
        assert!(refusal(&garbage, &ANY).contains("cannot be read"), "garbage behind it");
    }
    assert!(refusal(&plain[..700], &ANY).contains("cut short"));
    assert!(refusal(&plain[..plain.len() - 1500], &ANY).contains("cut short"));
    assert!(refusal(b"BZh9", &ANY).contains("bzip2"));
    assert!(refusal(b"<html>", &ANY).contains("cut short"));
    assert!(refusal(&[b'x'; 2048], &ANY).contains("no tarball"));
    let behind = [&plain[..], &Tarball::new().file("hidden", "").end()].concat();
    assert!(refusal(&behind, &ANY).contains("something behind its end"));
    let wrong = Verifying::new(&plain[..], Digest::of(b"other"), Some(plain.len() as u64));
    let error = scan(&ANY, wrong, Spool::new(tempfile::tempfile().unwrap())).unwrap_err();
    assert!(error.is_damage(), "{error}");
    // What does not unpack because it is damaged is called damaged, and nothing else.
    let mut broken = gzip(&plain);
    let middle = broken.len() / 2;
    broken[middle] ^= 0x55;
    let wrong = Verifying::new(&broken[..], Digest::of(&gzip(&plain)), Some(broken.len() as u64));
    assert!(scan(&ANY, wrong, Spool::new(tempfile::tempfile().unwrap())).unwrap_err().is_damage());
}

#[test]
fn a_file_that_says_it_is_huge_is_cut_short() {
    let mut header = tar::Header::new_ustar();
    header.set_path("huge").unwrap();
    header.set_size(u64::MAX / 2);
    header.set_cksum();
    let wanted = |_: &ImagePath, _: u64| true;
    for what in [ANY, Scan { wanted: &wanted, ..ANY }] {
        let message = refusal(header.as_bytes(), &what);
        assert!(message.contains("cut short"), "{message}");
    }
    let extended = Tarball::new().pax(&[("size", &u64::MAX.to_string())]).file("a", "");
    assert!(refusal(&extended.end(), &ANY).contains("cut short"));
    let long = Tarball::new().entry(b'L', b"l", b"", 0, &vec![b'x'; (1 << 20) + 1]).file("a", "");
    assert!(refusal(&long.end(), &ANY).contains("extended header of 1048577 bytes"));
}

#[test]
fn a_file_system_by_itself_has_all_its_folders() {
    let good =
        Tarball::new().folder("./").folder("./etc").file("./etc/passwd", "root").link("lib", "etc").file("lib/x", "");
    assert!(read(&good.end(), &WHOLE).is_ok());
    for (tarball, part) in [
        (
            Tarball::new().file("etc/passwd", ""),
            "entry `etc/passwd`: the folder /etc, which it is in, does not stand before it",
        ),
        (Tarball::new().file("etc", "").file("etc/passwd", ""), "entry `etc/passwd`: /etc, which it is in, is a file"),
        (
            Tarball::new().hard("a", "b").file("b", ""),
            "entry `a`: it is a hard link to something that does not stand before",
        ),
        (Tarball::new().file(".wh.a", ""), "entry `.wh.a`: it removes something below"),
    ] {
        let message = refusal(&tarball.clone().end(), &WHOLE);
        assert!(message.contains(part), "{message:?} should hold {part:?}");
    }
}

/// Entries of all kinds under few names, so that they meet.
fn tarballs() -> impl Strategy<Value = Tarball> {
    let entry = (
        proptest::sample::select(b"0123456LKxgSV7".to_vec()),
        "[ab./]{0,4}|\\.wh\\.[ab.]{0,4}",
        "[ab./]{0,4}",
        ".{0,20}",
    );
    proptest::collection::vec(entry, 0..12).prop_map(|entries| {
        entries.into_iter().fold(Tarball::new(), |tarball, (kind, name, link, bytes)| {
            tarball.entry(kind, name.as_bytes(), link.as_bytes(), 0o644, bytes.as_bytes())
        })
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = read(&bytes, &ANY);
        let _ = read(&gzip(&bytes), &WHOLE);
    }

    #[test]
    fn whatever_is_taken_is_a_listing(tarball in tarballs()) {
        for what in [ANY, WHOLE] {
            if let Ok(scanned) = read(&tarball.clone().end(), &what) {
                prop_assert_eq!(Listing::parse(&scanned.listing.to_text()).unwrap(), scanned.listing);
            }
        }
    }

    #[test]
    fn no_damage_panics_and_none_goes_unnoticed(at in 0_usize..8000, with: u8) {
        let good = sample().end();
        let mut bytes = good.clone();
        let at = at % bytes.len();
        let changed = std::mem::replace(&mut bytes[at], with) != with;
        let promised = Scan { diff_id: Some(Digest::of(&good)), ..ANY };
        prop_assert_eq!(read(&bytes, &promised).is_err(), changed);
    }
}
