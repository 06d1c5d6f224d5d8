//! Tar streams as every unpacker takes them, and the same ones every time.
//!
//! Plain USTAR headers, and PAX records for the fields that do not fit in one: nothing else. No GNU extensions, because
//! readers disagree about them beside PAX; no global PAX header, because some readers apply it to the wrong entries; no
//! sparse files, because holes are the disk's affair; no names of users and groups, because they mean nothing
//! elsewhere. A name of more than 100 bytes goes to a PAX record even where USTAR could split it in two: programs that
//! copy entries (Go's and .NET's libraries among them) hold on to the format an entry came in, and cannot always
//! write a split name again.

use std::io::{self, Read, Write};

use crate::tree::{Mode, Owner};

/// The time of every entry, 1980-01-01T00:00:01Z. Programs that put files into zips fail on anything before 1980, and
/// to some others a time of zero is none at all. Another time makes other bytes, so it needs another
/// [`crate::plan::KEY_FORMAT`].
pub const MTIME: u64 = 315_532_801;

const BLOCK: usize = 512;

/// What fits in a header's field for a name and for the target of a link.
const LONGEST_NAME: usize = 100;

/// What fits in seven and in eleven octal digits.
const LARGEST_ID: u64 = 0o777_7777;
const LARGEST_SIZE: u64 = 0o777_7777_7777;

/// What an entry is, but for its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Where it lies, without a slash at either end; `.` for the root.
    pub name: &'a str,
    /// Its permissions.
    pub mode: Mode,
    /// Its owner.
    pub owner: Owner,
    /// What it is.
    pub kind: Kind<'a>,
    /// Its extended attributes, as PAX records spell them, in the order of their names.
    pub attributes: &'a [Attribute],
}

/// An extended attribute: the key of its record, and its value.
pub type Attribute = (Vec<u8>, Vec<u8>);

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// A folder.
    Folder,
    /// A file of so many bytes.
    File(u64),
    /// A symbolic link with this text.
    Link(&'a str),
    /// One more name of a file that stands before it, by the name that this has.
    Twin(&'a str),
}

/// Writes a tar stream.
pub struct TarWriter<W> {
    to: W,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    /// Begins a stream.
    pub fn new(to: W) -> Self {
        Self { to, buffer: vec![0; 128 << 10] }
    }

    /// Writes an entry without bytes: a folder, a link or an empty file.
    ///
    /// # Errors
    /// As [`TarWriter::add_from`].
    pub fn add(&mut self, head: &Head<'_>) -> io::Result<()> {
        self.add_from(head, &mut io::empty()).map_err(AddError::into_inner)
    }

    /// Writes an entry with all bytes of a reader.
    ///
    /// # Errors
    /// When no stream can hold such an entry; when the reader fails, or has not as many bytes as the head says; when
    /// the stream cannot be written.
    pub fn add_from(&mut self, head: &Head<'_>, from: &mut dyn Read) -> Result<(), AddError> {
        let size = if let Kind::File(size) = head.kind { size } else { 0 };
        let header = header(head).map_err(AddError::Head)?;
        self.to.write_all(&header).map_err(AddError::Write)?;
        let mut rest = size;
        loop {
            let n = match from.read(&mut self.buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(AddError::Read(error)),
            };
            if n as u64 > rest || n == 0 && rest > 0 {
                let message = format!("it has {} than the {size} bytes it had", if n == 0 { "less" } else { "more" });
                return Err(AddError::Read(io::Error::new(io::ErrorKind::InvalidData, message)));
            }
            if n == 0 {
                break;
            }
            rest -= n as u64;
            self.to.write_all(&self.buffer[..n]).map_err(AddError::Write)?;
        }
        self.to.write_all(&[0; BLOCK][..padding(size)]).map_err(AddError::Write)
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

/// What of an entry failed.
#[derive(Debug)]
pub enum AddError {
    /// No stream can hold it.
    Head(io::Error),
    /// Its bytes cannot be had.
    Read(io::Error),
    /// They cannot be written.
    Write(io::Error),
}

impl AddError {
    /// What failed, wherever it did.
    #[must_use]
    pub fn into_inner(self) -> io::Error {
        match self {
            Self::Head(error) | Self::Read(error) | Self::Write(error) => error,
        }
    }
}

/// The zeros from the end of so many bytes to the end of their block.
fn padding(size: u64) -> usize {
    usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or(0)
}

/// All that stands before the bytes of an entry.
fn header(head: &Head<'_>) -> io::Result<Vec<u8>> {
    let name = if matches!(head.kind, Kind::Folder) { format!("{}/", head.name) } else { head.name.to_owned() };
    let (flag, size, target) = match head.kind {
        Kind::File(size) => (b'0', size, ""),
        Kind::Link(target) => (b'2', 0, target),
        Kind::Twin(target) => (b'1', 0, target),
        Kind::Folder => (b'5', 0, ""),
    };
    if head.name.is_empty()
        || name.contains('\0')
        || target.contains('\0')
        || matches!(flag, b'1' | b'2') && target.is_empty()
    {
        let message = format!("no tar stream can hold the name {name:?} with the target {target:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let (uid, gid) = (u64::from(head.owner.uid), u64::from(head.owner.gid));
    // In byte order, as is all that we write: the keys of attributes begin with capitals.
    let mut records: Vec<u8> = head.attributes.iter().flat_map(|(key, value)| record(key, value)).collect();
    for (key, value, fits) in [
        ("gid", gid.to_string(), gid <= LARGEST_ID),
        ("linkpath", target.to_owned(), fits(target)),
        ("path", name.clone(), fits(&name)),
        ("size", size.to_string(), size <= LARGEST_SIZE),
        ("uid", uid.to_string(), uid <= LARGEST_ID),
    ] {
        if !fits {
            records.extend(record(key.as_bytes(), value.as_bytes()));
        }
    }
    let mut bytes = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let len = records.len() as u64;
        // Nobody sees the name of such an entry; the same one each time compresses best.
        bytes.extend(block(&Fields { name: "PaxHeaders.0/entry", mode: 0o644, size: len, flag: b'x', ..Fields::NONE }));
        bytes.extend(&records);
        bytes.resize(bytes.len() + padding(len), 0);
    }
    bytes.extend(block(&Fields { name: &name, mode: head.mode.bits(), uid, gid, size, flag, target }));
    Ok(bytes)
}

fn fits(name: &str) -> bool {
    name.is_ascii() && name.len() <= LONGEST_NAME
}

/// A PAX record: its own length, a key and a value.
fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    // A space, an equals sign and a newline; the length counts its own digits too.
    let rest = key.len() + value.len() + 3;
    let mut len = rest;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    [format!("{len} ").as_bytes(), key, b"=", value, b"\n"].concat()
}

struct Fields<'a> {
    name: &'a str,
    mode: u16,
    uid: u64,
    gid: u64,
    size: u64,
    flag: u8,
    target: &'a str,
}

impl Fields<'_> {
    const NONE: Self = Self { name: "", mode: 0, uid: 0, gid: 0, size: 0, flag: 0, target: "" };
}

/// One header block. What does not fit stands in a record before, so of it only a piece, or a zero, is written.
fn block(fields: &Fields<'_>) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block[..100], ascii(fields.name));
    put(&mut block[100..107], octal(u64::from(fields.mode), 7).bytes());
    put(&mut block[108..115], octal(fields.uid, 7).bytes());
    put(&mut block[116..123], octal(fields.gid, 7).bytes());
    put(&mut block[124..135], octal(fields.size, 11).bytes());
    put(&mut block[136..147], octal(MTIME, 11).bytes());
    block[156] = fields.flag;
    put(&mut block[157..257], ascii(fields.target));
    put(&mut block[257..265], *b"ustar\x0000");
    put(&mut block[329..336], *b"0000000");
    put(&mut block[337..344], *b"0000000");
    put(&mut block[148..156], *b"        ");
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    put(&mut block[148..156], format!("{sum:06o}\0 ").bytes());
    block
}

fn put(field: &mut [u8], bytes: impl IntoIterator<Item = u8>) {
    field.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
}

fn ascii(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().filter(u8::is_ascii)
}

fn octal(number: u64, digits: usize) -> String {
    let text = format!("{number:0digits$o}");
    if text.len() > digits { "0".repeat(digits) } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head<'a>(name: &'a str, kind: Kind<'a>) -> Head<'a> {
        Head { name, mode: Mode::new(0o640), owner: Owner { uid: 1000, gid: 0 }, kind, attributes: &[] }
    }

    #[test]
    fn a_plain_header_is_512_bytes_of_ustar() {
        let header = header(&head("usr/bin/x", Kind::File(1_000_000))).unwrap();
        assert_eq!(header.len(), BLOCK);
        for (at, text) in [
            (0, &b"usr/bin/x\0"[..]),
            (100, b"0000640\x000001750\x000000000\x0000003641100\x0002263523001\0"),
            (156, b"0\0"),
            (257, b"ustar\x0000\0"),
            (329, b"0000000\x000000000\0\0"),
        ] {
            assert_eq!(&header[at..at + text.len()], text, "at {at}: {}", header.escape_ascii());
        }
        let sum: u32 = (0..BLOCK).map(|i| if (148..156).contains(&i) { 32 } else { u32::from(header[i]) }).sum();
        assert_eq!(header[148..156], *format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn what_does_not_fit_and_nothing_else_stands_in_records() {
        let long = "n".repeat(101);
        let owner = Owner { uid: 2_097_152, gid: u32::MAX };
        for (head, records) in [
            (head(&"n".repeat(100), Kind::File(0)), String::new()),
            (head(&"n".repeat(99), Kind::Folder), String::new()),
            (head(&"n".repeat(100), Kind::Folder), format!("111 path={}/\n", "n".repeat(100))),
            (head(&long, Kind::File(0)), format!("111 path={long}\n")),
            (head("ä", Kind::File(0)), "11 path=ä\n".to_owned()),
            (head("l", Kind::Link(&long[..100])), String::new()),
            (head("l", Kind::Link(&long)), format!("115 linkpath={long}\n")),
            (head("l", Kind::Link("ö")), "15 linkpath=ö\n".to_owned()),
            (head("f", Kind::File(LARGEST_SIZE)), String::new()),
            (head("f", Kind::File(LARGEST_SIZE + 1)), "19 size=8589934592\n".to_owned()),
            (Head { owner, ..head("f", Kind::Folder) }, "18 gid=4294967295\n15 uid=2097152\n".to_owned()),
            (Head { owner: Owner { uid: 2_097_151, gid: 0 }, ..head("f", Kind::Folder) }, String::new()),
        ] {
            let bytes = header(&head).unwrap();
            if records.is_empty() {
                assert_eq!(bytes.len(), BLOCK, "{head:?}");
                continue;
            }
            assert_eq!((bytes[156], &bytes[124..135]), (b'x', format!("{:011o}", records.len()).as_bytes()));
            assert_eq!(&bytes[BLOCK..BLOCK + records.len()], records.as_bytes());
            assert!(bytes[BLOCK + records.len()..2 * BLOCK].iter().all(|&byte| byte == 0));
            assert_eq!(bytes.len(), 3 * BLOCK);
        }
    }

    #[test]
    fn attributes_and_further_names_are_written_as_others_read_them() {
        let attributes = [(b"SCHILY.xattr.security.capability".to_vec(), b"\x01\0\n\xff".to_vec())];
        let mut tar = TarWriter::new(Vec::new());
        tar.add(&Head { attributes: &attributes, ..head("ping", Kind::File(0)) }).unwrap();
        tar.add(&head("ping6", Kind::Twin("ping"))).unwrap();
        let bytes = tar.finish().unwrap();
        assert_eq!(&bytes[BLOCK..BLOCK + 41], b"41 SCHILY.xattr.security.capability=\x01\0\n\xff\n");
        let mut archive = tar::Archive::new(&bytes[..]);
        let twin = archive.entries().unwrap().nth(1).unwrap().unwrap();
        assert_eq!(twin.header().entry_type(), tar::EntryType::Link);
        assert_eq!(&*twin.link_name_bytes().unwrap(), b"ping");
    }

    #[test]
    fn records_count_their_own_length() {
        for len in 1..1100 {
            let record = record(b"path", "x".repeat(len).as_bytes());
            let text = std::str::from_utf8(&record).unwrap();
            assert_eq!(text.split_once(' ').unwrap().0, text.len().to_string());
        }
    }

    #[test]
    fn what_no_stream_can_hold_is_refused() {
        for head in [
            head("", Kind::Folder),
            head("a\0b", Kind::File(0)),
            head("l", Kind::Link("")),
            head("l", Kind::Link("\0")),
        ] {
            let error = TarWriter::new(Vec::new()).add(&head).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
    }

    #[test]
    fn a_reader_of_another_length_is_refused() {
        for (bytes, wrong) in [("", "less"), ("12345", "less"), ("123456", ""), ("1234567", "more")] {
            let mut tar = TarWriter::new(Vec::new());
            match tar.add_from(&head("f", Kind::File(6)), &mut bytes.as_bytes()) {
                Ok(()) => assert_eq!(wrong, ""),
                Err(AddError::Read(error)) => assert!(error.to_string().contains(wrong) && !wrong.is_empty()),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    type Made = (String, u16, u32, u32, u8, String);

    /// Entries with names and links of all lengths, some not ASCII.
    fn entries() -> impl Strategy<Value = Vec<Made>> {
        // No line feeds: the crate that reads takes them for the end of a record.
        let name = "[a-zä日 =]{1,120}(/[a-z.]{1,90}x){0,4}";
        let entry = (name, 0..0o10000_u16, any::<u32>(), any::<u32>(), 0..3_u8, "[a-zö/]{1,130}");
        prop::collection::vec(entry, 0..12)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn others_read_what_was_written(entries in entries()) {
            let mut writer = TarWriter::new(Vec::new());
            for (name, mode, uid, gid, kind, text) in &entries {
                let kind = match kind {
                    0 => Kind::Folder,
                    1 => Kind::File(text.len() as u64),
                    _ => Kind::Link(text),
                };
                let mut bytes = if matches!(kind, Kind::File(_)) { text.as_bytes() } else { &[] };
                let owner = Owner { uid: *uid, gid: *gid };
                writer.add_from(&Head { name, mode: Mode::new(*mode), owner, kind, attributes: &[] }, &mut bytes).unwrap();
            }
            let stream = writer.finish().unwrap();
            prop_assert_eq!(stream.len() % BLOCK, 0);
            let mut archive = tar::Archive::new(&stream[..]);
            let mut read = archive.entries().unwrap();
            for (name, mode, uid, gid, kind, text) in &entries {
                let mut entry = read.next().unwrap().unwrap();
                let path = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
                prop_assert_eq!(path.trim_end_matches('/'), name);
                prop_assert_eq!(path.ends_with('/'), *kind == 0);
                let header = entry.header().clone();
                let owner = (header.uid().unwrap(), header.gid().unwrap());
                // The crate reads ids from the header only; the records are read here.
                let mut owner_of = owner;
                for record in entry.pax_extensions().unwrap().into_iter().flatten() {
                    let record = record.unwrap();
                    match record.key().unwrap() {
                        "uid" => owner_of.0 = record.value().unwrap().parse().unwrap(),
                        "gid" => owner_of.1 = record.value().unwrap().parse().unwrap(),
                        _ => {}
                    }
                }
                prop_assert_eq!(owner_of, (u64::from(*uid), u64::from(*gid)));
                prop_assert_eq!(header.mode().unwrap(), u32::from(*mode));
                prop_assert_eq!(header.mtime().unwrap(), MTIME);
                let kinds = [tar::EntryType::Directory, tar::EntryType::Regular, tar::EntryType::Symlink];
                prop_assert_eq!(header.entry_type(), kinds[usize::from(*kind)]);
                if *kind == 2 {
                    prop_assert_eq!(entry.link_name_bytes().unwrap(), text.as_bytes());
                }
                let mut bytes = String::new();
                entry.read_to_string(&mut bytes).unwrap();
                prop_assert_eq!(&bytes, if *kind == 1 { text } else { "" });
            }
            prop_assert!(read.next().is_none());
        }
    }
}
