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
}

/// What kind of thing an entry is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// A folder.
    Folder,
    /// A file of so many bytes.
    File(u64),
    /// A symbolic link with this text.
    Link(&'a str),
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
        Kind::Folder => (b'5', 0, ""),
    };
    if head.name.is_empty() || name.contains('\0') || target.contains('\0') || flag == b'2' && target.is_empty() {
        let message = format!("no tar stream can hold the name {name:?} with the target {target:?}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let (uid, gid) = (u64::from(head.owner.uid), u64::from(head.owner.gid));
    let mut records = Vec::new();
    // In byte order, as is all that we write.
    for (key, value, fits) in [
        ("gid", gid.to_string(), gid <= LARGEST_ID),
        ("linkpath", target.to_owned(), fits(target)),
        ("path", name.clone(), fits(&name)),
        ("size", size.to_string(), size <= LARGEST_SIZE),
        ("uid", uid.to_string(), uid <= LARGEST_ID),
    ] {
        if !fits {
            records.extend(record(key, &value));
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
fn record(key: &str, value: &str) -> Vec<u8> {
    // A space, an equals sign and a newline; the length counts its own digits too.
    let rest = key.len() + value.len() + 3;
    let mut len = rest;
    while len != rest + len.to_string().len() {
        len = rest + len.to_string().len();
    }
    format!("{len} {key}={value}\n").into_bytes()
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
