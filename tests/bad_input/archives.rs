//! Archives that nobody should unpack: each is refused by the name of the entry, and leaves the store as it was.

use std::io::Write;

use crate::kitchen::baked::{bomb, gzipped};
use crate::kitchen::project::{Kitchen, Ran};

/// A project with an archive that lies in it, locked.
fn kitchen(name: &str, archive: &[u8], more: &str) -> Kitchen {
    let text = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\nplatforms = [\"linux/amd64\"]\n\
         [[archive]]\nname = \"it\"\npath = \"{name}\"\ninto = \"/opt/it\"\n{more}"
    );
    let kitchen = Kitchen::new().recipe("app", &text).file(name, archive);
    kitchen.run(&["lock"]).success();
    kitchen
}

/// Builds, which has to fail with the entry's name and this text, and to leave the store as it was.
fn refused(name: &str, archive: &[u8], entry: &str, why: &str) -> Ran {
    let kitchen = kitchen(name, archive, "");
    // Makes the store's folders.
    kitchen.run(&["store", "verify"]).success();
    let before = kitchen.stored();
    let ran = kitchen.run(&["build", "app"]).code(3);
    let entry = if entry.is_empty() { String::new() } else { format!("{entry}: ") };
    let ran = ran.complains(&format!("it: {entry}{why}")).complains("hint: ");
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
    assert_eq!(kitchen.stored(), before, "{name} left something in the store: {}", ran.stderr);
    ran
}

/// An entry of a tar: its kind, name, mode, and content or target.
type Line<'l> = (u8, &'l str, u32, &'l [u8]);

fn tar(lines: &[Line<'_>]) -> Vec<u8> {
    let mut bytes = open_tar(lines);
    bytes.extend([0; 1024]);
    bytes
}

fn open_tar(lines: &[Line<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, name, mode, content) in lines {
        let mut header = tar::Header::new_ustar();
        let is_link = matches!(kind, b'1' | b'2');
        let fields = header.as_ustar_mut().unwrap();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        if is_link {
            fields.linkname[..content.len()].copy_from_slice(content);
        }
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(*mode);
        header.set_size(if is_link { 0 } else { content.len() as u64 });
        header.set_cksum();
        bytes.extend(header.as_bytes());
        if !is_link {
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
    }
    bytes
}

/// A zip with a Unix mode for each entry; its writer refuses doubled names, so those are renamed afterwards.
fn zip(entries: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, mode, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options.unix_permissions(mode & 0o7777)).unwrap();
        writer.write_all(bytes).unwrap();
    }
    let mut zip = writer.finish().unwrap().into_inner();
    // The writer knows regular files only: what a file is stands above its permissions, in the directory.
    let mut at = 0;
    for (_, mode, _) in entries {
        at += zip[at..].windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        zip[at + 40..at + 42].copy_from_slice(&u16::try_from(*mode).unwrap().to_le_bytes());
        at += 4;
    }
    zip
}

const FILE: u32 = 0o10_0644;

#[test]
fn names_that_lead_out_of_the_archive() {
    for (name, why) in [
        ("../evil", "has a `..` in its name"),
        ("a/../../evil", "has a `..` in its name"),
        ("/etc/evil", "has an absolute name"),
    ] {
        refused("a.tar", &tar(&[(b'0', "fine", 0o644, b"x"), (b'0', name, 0o644, b"x")]), name, why);
        refused("a.zip", &zip(&[("fine", FILE, b"x"), (name, FILE, b"x")]), name, why);
    }
}

#[test]
fn links_that_lead_out_and_what_would_be_written_through_links() {
    for target in ["../../etc", "../../../../../etc/passwd"] {
        refused("a.tar", &tar(&[(b'2', "ln", 0o777, target.as_bytes())]), "ln", "is a link to ../");
        refused("a.zip", &zip(&[("ln", 0o12_0777, target.as_bytes())]), "ln", "is a link to ../");
    }
    // An absolute link is judged by its place in the image.
    refused("a.tar", &tar(&[(b'2', "ln", 0o777, b"/etc")]), "/opt/it/ln", "is a link to /etc, which leads out");
    let through = tar(&[(b'2', "d", 0o777, b"."), (b'0', "d/evil", 0o644, b"x")]);
    refused("a.tar", &through, "d/evil", "would be written through the link d");
    refused("a.zip", &zip(&[("d", 0o12_0777, b"."), ("d/evil", FILE, b"x")]), "d/evil", "would be written through");
    refused("a.tar", &tar(&[(b'1', "hl", 0o644, b"../x")]), "hl", "is a hard link to ../x");
    refused("a.tar", &tar(&[(b'1', "hl", 0o644, b"/etc/passwd")]), "hl", "is a hard link to /etc/passwd");
    refused(
        "a.tar",
        &tar(&[(b'1', "hl", 0o644, b"none")]),
        "hl",
        "is a hard link to none, which is not in the archive",
    );
}

#[test]
fn devices_and_set_id_files() {
    for (kind, what) in [(b'3', "is a device"), (b'4', "is a device"), (b'6', "is a pipe")] {
        refused("a.tar", &tar(&[(kind, "dev/odd", 0o666, b"")]), "dev/odd", what);
    }
    for (mode, what) in
        [(0o02_0666, "is a device"), (0o06_0660, "is a device"), (0o01_0666, "is a pipe"), (0o14_0666, "is a socket")]
    {
        refused("a.zip", &zip(&[("dev/odd", mode, b"")]), "dev/odd", what);
    }
    for mode in [0o4755, 0o2755, 0o6755] {
        let bytes = tar(&[(b'0', "bin/su", mode, b"x")]);
        refused("a.tar", &bytes, "bin/su", "is set-user-id or set-group-id").complains("set_id = true");
        refused("a.zip", &zip(&[("bin/su", 0o10_0000 | mode, b"x")]), "bin/su", "is set-user-id or set-group-id");
        kitchen("a.tar", &bytes, "set_id = true\n").run(&["build", "app"]).success();
    }
}

#[test]
fn entries_that_fall_on_each_other() {
    let twice = "is in the archive twice";
    refused("a.tar", &tar(&[(b'0', "same", 0o644, b"1"), (b'0', "same", 0o644, b"2")]), "same", twice);
    refused("a.tar", &tar(&[(b'0', "same", 0o644, b"1"), (b'0', "./same", 0o644, b"2")]), "./same", twice);
    let mut doubled = zip(&[("same", FILE, b"1"), ("sane", FILE, b"2")]);
    while let Some(at) = doubled.windows(4).position(|four| four == b"sane") {
        doubled[at..at + 4].copy_from_slice(b"same");
    }
    refused("a.zip", &doubled, "same", twice);
    let case = "differs by case only from Same";
    refused("a.tar", &tar(&[(b'0', "Same", 0o644, b"1"), (b'0', "same", 0o644, b"2")]), "same", case);
    refused("a.zip", &zip(&[("Same", FILE, b"1"), ("same", FILE, b"2")]), "same", case);
    let file_and_folder = tar(&[(b'0', "a", 0o644, b"1"), (b'0', "a/b", 0o644, b"2")]);
    refused("a.tar", &file_and_folder, "a/b", "cannot be there: a is a file and a folder at once");
}

/// An entry of a tar whose name stands before it, as GNU's or PAX's programs write it.
fn long_name(name: &str, pax: bool) -> Vec<u8> {
    let length = name.len() + " path=\n".len();
    let length = length + (length + length.to_string().len()).to_string().len();
    let record = format!("{length} path={name}\n");
    let gnu = format!("{name}\0");
    let (kind, text) = if pax { (b'x', &record) } else { (b'L', &gnu) };
    tar(&[(b'0', "fine", 0o644, b"x"), (kind, "long", 0o644, text.as_bytes()), (b'0', "short", 0o644, b"x")])
}

#[test]
fn names_that_are_longer_than_any_system_takes() {
    for (name, why) in [
        (format!("d/{}", "n".repeat(256)), "a part of it is longer than 255 bytes"),
        (format!("d/{}n", "n/".repeat(2047)), "it is longer than 4095 bytes"),
    ] {
        for (file, archive) in [
            ("gnu.tar", long_name(&name, false)),
            ("pax.tar", long_name(&name, true)),
            ("a.zip", zip(&[("fine", FILE, b"x"), (&name, FILE, b"x")])),
        ] {
            let ran = refused(file, &archive, "", &name[..40]).complains(why);
            assert!(ran.stderr.len() < 2000, "{} bytes of error", ran.stderr.len());
        }
    }
}

/// What the recipe's own files must not be, no archive may bring either.
#[test]
fn what_must_not_be_in_an_image_of_a_product() {
    let home = "/usr/share/elasticsearch";
    for (product, into, entry, code, finding) in [
        ("elasticsearch", home, "config/elasticsearch-plugins.yml", 3, "[ES040]"),
        ("elasticsearch", home, "plugins/readme.txt", 3, "[ES041]"),
        ("elasticsearch", home, "data/nodes/0/node.lock", 3, "[ES042]"),
        ("logstash", "/usr/share/logstash/data", "plugins/inputs/file/.sincedb_1", 3, "[LS005]"),
        ("fluent-bit", "/fluent-bit", "etc/fluent-bit.conf", 3, "[FL001]"),
        ("elasticsearch", home, "config/elasticsearch.keystore", 7, "[GEN015]"),
        ("generic", "/root", ".ssh/id_ed25519", 7, "[GEN011]"),
    ] {
        let kitchen = kitchen("a.tar", &tar(&[(b'0', "fine", 0o644, b"x"), (b'0', entry, 0o644, b"x")]), "");
        let of = |product: &str| kitchen.read("recipes/app.toml").replace("\"generic\"", &format!("\"{product}\""));
        let of = |product: &str| of(product).replace("\"1\"", "\"8.19.3\"").replace("/opt/it", into);
        let (theirs, nobodys) = (of(product), of("generic"));
        let refused = || {
            kitchen.write("recipes/app.toml", &theirs);
            kitchen.run(&["lock"]).success();
            kitchen.run(&["store", "verify"]).success();
            let before = kitchen.stored();
            let ran = kitchen.run(&["build", "app"]).code(code).complains(&format!(" archive it: {into}/{entry}: "));
            ran.complains(finding).complains("hint: leave it out by `except` of that archive. ");
            assert_eq!(kitchen.stored(), before, "{entry}");
        };
        refused();
        if code == 3 {
            // A layer that was made for an image of no product is there, and is judged all the same.
            kitchen.write("recipes/app.toml", nobodys);
            kitchen.run(&["build", "app"]).success();
            refused();
        }
        kitchen.write("recipes/app.toml", format!("{theirs}except = [\"{entry}\"]\n"));
        kitchen.run(&["build", "app"]).success();
    }
    let file = tar(&[(b'0', "x", 0o644, b"x")]);
    let more = "unpack = false\n[files]\n";
    let kitchen = kitchen("a.tar", &file, more);
    let recipe = kitchen.read("recipes/app.toml").replace("\"generic\"", "\"fluent-bit\"");
    kitchen.write("recipes/app.toml", recipe.replace("/opt/it", "/fluent-bit/etc/fluent-bit.conf"));
    kitchen.run(&["lock"]).success();
    kitchen.run(&["build", "app"]).code(3).complains("[FL001]");
}

/// What was finished of good inputs stays for the next time; of a bad one nothing does.
#[test]
fn a_bad_archive_behind_a_good_one() {
    let good = tar(&[(b'0', "fine", 0o644, b"good")]);
    let bad = tar(&[(b'0', "first", 0o644, b"bad"), (b'0', "../evil", 0o644, b"x")]);
    let second = "[[archive]]\nname = \"bad\"\npath = \"bad.tar\"\ninto = \"/opt/bad\"\n";
    let both = kitchen("a.tar", &good, "");
    let recipe = both.read("recipes/app.toml");
    let both = both.file("bad.tar", &bad).recipe("app", &format!("{recipe}{second}"));
    both.run(&["lock"]).success();
    let before = both.stored();
    both.run(&["build", "app"]).code(3).complains("bad: ../evil: has a `..` in its name");
    let only_good = kitchen("a.tar", &good, "");
    only_good.run(&["build", "app"]).success();
    let left = only_good.stored();
    for path in both.stored().into_keys().filter(|path| !before.contains_key(path)) {
        assert!(left.contains_key(&path), "{} is of the bad archive", path.display());
    }
}

#[test]
fn archives_that_are_not_whole_and_such_with_something_behind_them() {
    let whole = tar(&[(b'0', "file", 0o644, &[b'x'; 2000])]);
    refused("a.tar", &whole[..1200], "file", "ends in the middle");
    refused("a.tar", &open_tar(&[(b'0', "file", 0o644, b"x")]), "", "ends without an end mark");
    refused("a.tar", &[&whole[..], &whole].concat(), "", "has something behind its end");
    let packed = gzipped(&whole);
    refused("a.tar.gz", &packed[..packed.len() - 6], "", "ends in the middle");
    refused("a.tar.gz", &[&packed[..], b"garbage"].concat(), "", "has something behind its compressed bytes");
    let mut spoilt = packed.clone();
    let crc = spoilt.len() - 8;
    spoilt[crc] ^= 1;
    refused("a.tar.gz", &spoilt, "", "is damaged");
    let whole = zip(&[("file", FILE, &[b'x'; 2000])]);
    refused("a.zip", &whole[..whole.len() - 5], "", "has no end mark");
    refused("a.zip", &[&whole[..], b"garbage"].concat(), "", "has something behind its end");
    refused("a.zip", b"", "", "is empty");
    refused("a.tar", b"<html>Please log in</html>", "", "");
}

/// 1.1 GiB of zeros, which no archive of its size unpacks to, and a file that is linked to until it has grown as much.
#[test]
fn bombs() {
    let why = "with this, it unpacks to more than 100 times its own size";
    refused("a.tar.gz", &bomb(&gzipped), "zeros", why);
    refused("a.zip", &swollen(1, 1100 << 20), "hug0", why);

    let noise: Vec<u8> =
        (0..12 << 20_u32).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let names: Vec<_> = (0..120).map(|i| format!("link-{i}")).collect();
    let links = names.iter().map(|name| (b'1', name.as_str(), 0o644, &b"file"[..]));
    let lines: Vec<Line<'_>> = std::iter::once((b'0', "file", 0o644, &noise[..])).chain(links).collect();
    refused("a.tar", &tar(&lines), "link-99", "with this, it unpacks to more than 100 times its own size");
}

/// More than any archive may unpack to, whatever it is packed in.
#[test]
fn an_archive_that_is_too_large() {
    let why = "with this, it unpacks to more than 34359738368 bytes, which is the limit";
    refused("a.zip", &swollen(10, 0xffff_fff0), "hug8", why);
}

/// A zip with entries of a few bytes that say they have many more.
fn swollen(count: u16, size: u32) -> Vec<u8> {
    let one = zip(&[("huge", FILE, b"x")]);
    let central = one.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    let (entry, record) = (&one[..central], &one[central..one.len() - 22]);
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for i in 0..count {
        let (mut entry, mut record) = (entry.to_vec(), record.to_vec());
        entry[22..26].copy_from_slice(&size.to_le_bytes());
        record[24..28].copy_from_slice(&size.to_le_bytes());
        record[42..46].copy_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
        entry[30..34].copy_from_slice(format!("hug{i}").as_bytes());
        record[46..50].copy_from_slice(format!("hug{i}").as_bytes());
        bytes.extend(entry);
        directory.extend(record);
    }
    let (start, size) = (u32::try_from(bytes.len()).unwrap(), u32::try_from(directory.len()).unwrap());
    bytes.extend(directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    bytes.extend([size.to_le_bytes(), start.to_le_bytes()].concat());
    bytes.extend([0, 0]);
    bytes
}
