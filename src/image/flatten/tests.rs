use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// A layer at hand.
struct Layer(Vec<u8>);

impl Packed for Layer {
    fn diff_id(&self) -> Digest {
        Digest::of(&self.0)
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        Ok(Box::new(&self.0[..]))
    }
}

/// A layer that is another than it says.
struct Lying(Layer);
impl Packed for Lying {
    fn diff_id(&self) -> Digest {
        Digest::of(b"another")
    }
    fn open(&self) -> io::Result<Box<dyn Read + Send + '_>> {
        self.0.open()
    }
}

/// A disk without room.
struct Full;
impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One entry: kind, name, and content or target.
type Line<'l> = (u8, &'l str, &'l str);

fn layer(lines: &[Line<'_>]) -> Layer {
    let mut tar = tar::Builder::new(Vec::new());
    for (kind, name, text) in lines {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o640);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1000);
        if matches!(kind, b'1' | b'2') {
            header.set_size(0);
            tar.append_link(&mut header, name, text).unwrap();
        } else {
            header.set_size(text.len() as u64);
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
    }
    Layer(tar.into_inner().unwrap())
}

fn bytes(layers: &[Layer]) -> Result<Vec<u8>, FlattenError> {
    let layers: Vec<_> = layers.iter().map(|layer| layer as &dyn Packed).collect();
    let mut bytes = Vec::new();
    flatten(&layers, &mut bytes).map(|()| bytes)
}

/// The entries as lines of text, in their order.
fn flat(layers: &[Layer]) -> Vec<String> {
    let bytes = bytes(layers).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let line = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        let kind = char::from(entry.header().entry_type().as_byte());
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        format!("{kind} {name} {}", link.unwrap_or(text)).trim_end().to_owned()
    };
    archive.entries().unwrap().map(line).collect()
}

#[test]
fn what_upper_layers_replace_and_remove_is_gone() {
    let below = layer(&[
        (b'5', "etc/", ""),
        (b'0', "etc/a", "one"),
        (b'0', "etc/b", "gone"),
        (b'5', "opt/", ""),
        (b'0', "opt/x", "cleared"),
        (b'5', "dir/", ""),
        (b'0', "dir/in", "gone too"),
    ]);
    let above = layer(&[
        (b'0', "etc/a", "two"),
        (b'0', "etc/.wh.b", ""),
        (b'0', "opt/new", "kept"),
        (b'0', "opt/.wh..wh..opq", ""),
        (b'2', "dir", "etc"),
        (b'0', ".wh..wh.plnk", ""),
    ]);
    assert_eq!(flat(&[below, above]), ["5 etc/", "5 opt/", "0 etc/a two", "0 opt/new kept", "2 dir etc"]);
}

#[test]
fn a_folder_that_replaces_a_link_removes_nothing_behind_the_link() {
    let below = layer(&[(b'5', "usr/", ""), (b'0', "usr/one", "1"), (b'0', "usr/two", "2"), (b'2', "bin", "usr")]);
    let above =
        layer(&[(b'5', "./bin/", ""), (b'0', "bin/.wh..wh..opq", ""), (b'0', "bin/.wh.one", ""), (b'0', "bin/x", "x")]);
    assert_eq!(flat(&[below, above]), ["5 bin/", "5 usr/", "0 usr/one 1", "0 usr/two 2", "0 bin/x x"]);
}

#[test]
fn hard_links_stay_whichever_of_their_names_is_left() {
    let below = layer(&[(b'0', "a", "text"), (b'1', "b", "a"), (b'1', "c", "./b"), (b'0', "d", "other")]);
    assert_eq!(flat(&[layer(&[(b'0', "a", "text"), (b'1', "b", "a")])]), ["0 a text", "1 b a"]);
    // The name that has the bytes is gone; another has to carry them. And one leads to a layer below.
    let above = layer(&[(b'0', ".wh.a", ""), (b'1', "deep/e", "d")]);
    assert_eq!(flat(&[below, above]), ["5 deep/", "0 b text", "1 c b", "0 d other", "1 deep/e d"]);
}

#[test]
fn names_lead_through_the_links_that_are_there_by_then() {
    let below = layer(&[(b'5', "usr/lib/", ""), (b'2', "lib", "usr/lib"), (b'2', "abs", "/usr/../usr/lib")]);
    let above = layer(&[(b'0', "lib/x", "x"), (b'0', "abs/y", "y"), (b'0', "new/deep/z", "z")]);
    let folders = ["5 new/", "5 new/deep/", "5 usr/", "5 usr/lib/"];
    let rest = ["2 lib usr/lib", "2 abs /usr/../usr/lib", "0 usr/lib/x x", "0 usr/lib/y y", "0 new/deep/z z"];
    assert_eq!(flat(&[below, above]), [&folders[..], &rest].concat());
}

#[test]
fn devices_attributes_times_and_odd_names_stay() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Char);
    header.set_mode(0o4666);
    header.set_uid(5_000_000);
    header.set_gid(1);
    header.set_mtime(1_234_567);
    header.set_size(0);
    header.set_device_major(1).unwrap();
    header.set_device_minor(3).unwrap();
    tar.append_pax_extensions([
        ("SCHILY.xattr.user.b", &b"\xff\0"[..]),
        ("SCHILY.xattr.user.a", b"1"),
        ("RHT.security.selinux", b"system_u:object_r:etc_t:s0\0"),
        ("mtime", b"99999999999.5"),
        ("comment", b"not kept"),
    ])
    .unwrap();
    tar.append_data(&mut header, "dev/null", &b""[..]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.as_gnu_mut().unwrap().name[..5].copy_from_slice(b"\xff-odd");
    header.set_cksum();
    tar.append(&header, &b"o"[..]).unwrap();
    let long = format!("{}/ü", "long".repeat(50));
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, &long, &b""[..]).unwrap();
    let bytes = bytes(&[Layer(tar.into_inner().unwrap())]).unwrap();
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut seen = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let pax: Vec<_> = entry.pax_extensions().unwrap().map_or_else(Vec::new, |pax| {
            pax.map(|record| record.unwrap()).map(|r| (r.key().unwrap().to_owned(), r.value_bytes().to_vec())).collect()
        });
        seen.insert(entry.path_bytes().into_owned(), (entry.header().clone(), pax));
    }
    let (header, pax) = &seen[&b"dev/null"[..]];
    assert_eq!((header.device_major().unwrap(), header.device_minor().unwrap()), (Some(1), Some(3)));
    assert_eq!(header.mode().unwrap(), 0o4666);
    let record = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
    assert_eq!(
        *pax,
        [
            record("RHT.security.selinux", b"system_u:object_r:etc_t:s0\0"),
            record("SCHILY.xattr.user.a", b"1"),
            record("SCHILY.xattr.user.b", b"\xff\0"),
            record("mtime", b"99999999999"),
            record("uid", b"5000000"),
        ]
    );
    assert!(seen.contains_key(&b"\xff-odd"[..]) && seen.contains_key(long.as_bytes()), "{:?}", seen.keys());
}

#[test]
fn a_layer_that_does_not_fit_or_is_another_is_refused_by_its_number() {
    let refused = |layers: &[Layer]| match bytes(layers).unwrap_err() {
        FlattenError::Layer { number, source } => (number, source.to_string()),
        FlattenError::Write(error) => panic!("{error}"),
    };
    let (number, why) = refused(&[layer(&[(b'0', "a", "file")]), layer(&[(b'0', "a/b", "in it")])]);
    assert!(number == 1 && why.contains("`a` is no folder"), "{why}");
    let (_, why) = refused(&[layer(&[(b'1', "a", "nowhere")])]);
    assert!(why.contains("hard link to `nowhere`"), "{why}");
    let (_, why) = refused(&[layer(&[(b'2', "a", "b"), (b'2', "b", "a"), (b'0', "a/x", "")])]);
    assert!(why.contains("too many links"), "{why}");
    let lying = Lying(layer(&[(b'0', "a", "")]));
    let error = flatten(&[&lying], &mut Vec::new()).unwrap_err();
    assert!(matches!(error, FlattenError::Layer { source: ScanError::DiffId { .. }, .. }), "{error}");
    let error = flatten(&[&layer(&[(b'0', "a", "")])], &mut Full).unwrap_err();
    assert!(matches!(error, FlattenError::Write(_)), "{error}");
}

proptest! {
    #[test]
    fn no_layers_break_it_and_what_comes_out_stays_as_it_is(
        layers in proptest::collection::vec(
            proptest::collection::vec((0..5_usize, "[ab]{1,2}(/[ab.]{1,2}){0,2}", "[ab/]{1,4}"), 0..12), 1..4)
    ) {
        let kinds = [b'0', b'1', b'2', b'5', b'0'];
        let layers: Vec<_> = layers.iter().map(|lines| {
            let fits = |name: &str| !name.split('/').any(|part| part == "..");
            let lines: Vec<_> = lines.iter().filter(|(_, name, _)| fits(name)).map(|(kind, name, text)| {
                let text = if kinds[*kind] == b'5' { "" } else { text.as_str() };
                (kinds[*kind], name.as_str(), text)
            }).collect();
            layer(&lines)
        }).collect();
        if let Ok(once) = bytes(&layers) {
            prop_assert_eq!(&bytes(&layers).unwrap(), &once);
            // One layer that is flat already holds the same things.
            let mut lines = flat(&[Layer(once)]);
            let mut before = flat(&layers);
            lines.sort();
            before.sort();
            prop_assert_eq!(lines, before);
        }
    }
}

/// What other code of ours, which knows nothing of this one, sees in layers: everything but the root, by path.
fn viewed(layers: &[Layer]) -> Option<BTreeMap<String, String>> {
    use crate::image::scan::{Bounds, NOTHING, Scan, scan};
    use crate::image::stack::{Stack, There};
    let mut stack = Stack::default();
    for layer in layers {
        let what =
            Scan { diff_id: None, wanted: NOTHING, packing: None, whole: false, bounds: Bounds::FOREIGN, packed: None };
        let scanned = scan(&what, &layer.0[..], crate::contents::Spool::new(tempfile::tempfile().unwrap())).ok()?;
        stack.add(&scanned.listing).ok()?;
    }
    let mut seen = BTreeMap::new();
    stack.each(|path, there, _| {
        let text = match there {
            There::Entry(entry) => format!("{entry:?}"),
            There::Special(special) => format!("{special:?}"),
        };
        seen.insert(path.to_string(), text);
    });
    seen.remove("/");
    Some(seen)
}

/// Entries of one layer in the order of their names, as engines write them, but for second ones of one name, and those
/// in something that the layer makes no folder, which none writes.
fn plausible<'l>(lines: &'l [(usize, String, String)]) -> Vec<Line<'l>> {
    const KINDS: [u8; 6] = [b'0', b'0', b'2', b'2', b'5', b'5'];
    let mut seen = std::collections::BTreeSet::new();
    let is_mark = |name: &str| name.contains(".wh.");
    let kind = |(kind, name, _): &(usize, String, String)| if is_mark(name) { b'0' } else { KINDS[*kind] };
    let others: Vec<_> =
        lines.iter().filter(|line| kind(line) != b'5' && !is_mark(&line.1)).map(|(_, name, _)| name).collect();
    let is_in_other = |name: &str| {
        others.iter().any(|other| name.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')))
    };
    let fits = |line: &&(usize, String, String)| !is_in_other(&line.1);
    let line = |line: &'l (usize, String, String)| {
        let text = if kind(line) == b'5' || is_mark(&line.1) { "" } else { &line.2 };
        (kind(line), line.1.as_str(), text)
    };
    let mut lines: Vec<_> = lines.iter().filter(fits).filter(|line| seen.insert(&line.1)).map(line).collect();
    lines.sort_by_key(|(_, name, _)| format!("/{name}").parse::<crate::name::ImagePath>().unwrap());
    lines
}

const NAME: &str = "(\\.wh\\.)?[abc]|[abc]{1}(/[abc]){0,2}(/\\.wh\\.([abc]|\\.wh\\.\\.opq))?";
const TARGET: &str = "[abc](/[abc]){0,1}|\\.\\./[abc]";

proptest! {
    #[test]
    fn what_comes_out_is_what_is_seen_in_the_layers(
        layers in proptest::collection::vec(proptest::collection::vec((0..6_usize, NAME, TARGET), 0..8), 1..4)
    ) {
        let layers: Vec<_> = layers.iter().map(|lines| layer(&plausible(lines))).collect();
        if let (Ok(flat), Some(seen)) = (bytes(&layers), viewed(&layers)) {
            prop_assert_eq!(viewed(&[Layer(flat)]).expect("what is flat can be read"), seen);
        }
    }
}
