//! What stands before the bytes of an entry: a block of 512 bytes, and extended headers for what does not fit in it.

use super::refusal::{Refusal, shown};
use crate::tree::{Mode, Owner};

/// What tar counts in.
pub(super) const BLOCK: usize = 512;

/// Longer extended headers are refused, as Go's reader does: they are read whole.
pub(super) const LONGEST_EXTENSION: u64 = 1 << 20;

/// What begins the names of extended attributes: those of star, which GNU tar took over, of libarchive, and the labels
/// of `SELinux` as GNU tar writes them.
const ATTRIBUTES: [&[u8]; 3] = [b"SCHILY.", b"LIBARCHIVE.", b"RHT."];

/// An entry, but for its bytes.
#[derive(Debug)]
pub(in crate::image) struct Head {
    pub(in crate::image) name: Vec<u8>,
    /// What a link holds.
    pub(in crate::image) link: Vec<u8>,
    pub(in crate::image) size: u64,
    pub(in crate::image) mode: Mode,
    pub(in crate::image) owner: Owner,
    pub(in crate::image) kind: u8,
    /// When it was changed, in whole seconds; before 1970 nothing was.
    pub(in crate::image) mtime: u64,
    /// The major and minor number of a device.
    pub(in crate::image) device: (u32, u32),
    /// Its extended attributes, as PAX records spell them, in their order.
    pub(in crate::image) attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What extended headers say of the entry behind them.
#[derive(Debug, Default)]
pub(super) struct Extension {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    mtime: Option<u64>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    sparse: bool,
}

impl Extension {
    /// Takes in an extended header of a kind.
    pub(super) fn add(&mut self, kind: u8, mut bytes: Vec<u8>) -> Result<(), Refusal> {
        match kind {
            b'L' | b'K' => {
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                bytes.truncate(end);
                *(if kind == b'L' { &mut self.name } else { &mut self.link }) = Some(bytes);
                Ok(())
            }
            _ => self.add_records(&bytes, kind == b'g'),
        }
    }

    /// `LENGTH KEY=VALUE` and a line end, over and over; the length counts all of it.
    fn add_records(&mut self, mut bytes: &[u8], global: bool) -> Result<(), Refusal> {
        let broken = || Refusal::new("an extended header cannot be read");
        while !bytes.is_empty() {
            let space = bytes.iter().take(20).position(|&byte| byte == b' ').ok_or_else(broken)?;
            let length = number(&bytes[..space]).and_then(|length| usize::try_from(length).ok()).ok_or_else(broken)?;
            let record = bytes.get(space + 1..length).and_then(|record| record.strip_suffix(b"\n"));
            let equals = record.and_then(|record| record.iter().position(|&byte| byte == b'='));
            let (Some(record), Some(equals)) = (record, equals) else { return Err(broken()) };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            bytes = &bytes[length..];
            let known =
                matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid") || key.starts_with(b"GNU.sparse.");
            if global && known {
                // Some readers apply it to all entries, others to none.
                let message = format!("a global header says `{}`, which readers do not agree about", shown(key));
                return Err(Refusal::new(message));
            }
            if value.is_empty() {
                continue;
            }
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(number(value).ok_or_else(broken)?),
                b"uid" => self.uid = Some(number(value).ok_or_else(broken)?),
                b"gid" => self.gid = Some(number(value).ok_or_else(broken)?),
                // With fractions of a second, which nobody compares.
                b"mtime" if !global => self.mtime = number(value.split(|&byte| byte == b'.').next().unwrap_or(value)),
                _ if known => self.sparse = true,
                _ if !global && ATTRIBUTES.iter().any(|start| key.starts_with(start)) => {
                    self.attributes.push((key.to_vec(), value.to_vec()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

/// How many bytes an extended header has. Of what else its block says, writers leave out what they like.
pub(super) fn extension_size(block: &[u8; BLOCK]) -> Result<u64, Refusal> {
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    match header.entry_size() {
        Ok(size) if sums_up(&header) => Ok(size),
        _ => Err(Refusal::new("it has a damaged entry, or is no tarball")),
    }
}

impl Head {
    /// Reads a header block, with what extended headers said before it.
    pub(super) fn new(block: &[u8; BLOCK], said: Extension) -> Result<Self, Refusal> {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes().copy_from_slice(block);
        let summed = sums_up(&header);
        fill_blank(&mut header);
        let name = said.name.unwrap_or_else(|| header.path_bytes().into_owned());
        let refuse = |message: &str| Refusal::of(&name, message);
        if !summed {
            return Err(Refusal::new("it has a damaged entry, or is no tarball"));
        }
        let damaged = |_| refuse("its header is damaged");
        let kind = header.entry_type().as_byte();
        if said.sparse || kind == b'S' {
            return Err(refuse("it is a sparse file, which layers have none of: make the tarball without `--sparse`"));
        }
        let size = match said.size {
            Some(size) => size,
            None => header.entry_size().map_err(damaged)?,
        };
        let id = |said: Option<u64>, header: std::io::Result<u64>| {
            let id = said.map_or(header, Ok).map_err(damaged)?;
            u32::try_from(id).map_err(|_| refuse("its owner has a number that no system knows"))
        };
        let owner = Owner { uid: id(said.uid, header.uid())?, gid: id(said.gid, header.gid())? };
        // Higher bits say what it is, which the kind says already.
        let mode = Mode::new((header.mode().map_err(damaged)? & 0o7777) as u16);
        let link = said.link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default();
        // Before there were kinds, a slash at the end made a folder.
        let kind = match kind {
            0 | b'0' | b'7' if name.ends_with(b"/") && kind != b'7' => b'5',
            0 | b'7' => b'0',
            kind => kind,
        };
        let mtime = said.mtime.or_else(|| header.mtime().ok()).unwrap_or(0);
        let number = |number: std::io::Result<Option<u32>>| number.ok().flatten().unwrap_or(0);
        let device = (number(header.device_major()), number(header.device_minor()));
        Ok(Self { name, link, size, mode, owner, kind, mtime, device, attributes: said.attributes })
    }
}

/// To most readers a number that is left out is zero.
fn fill_blank(header: &mut tar::Header) {
    let old = header.as_old_mut();
    for field in [&mut old.mode[..], &mut old.uid[..], &mut old.gid[..], &mut old.size[..]] {
        if field.iter().all(|byte| matches!(byte, 0 | b' ')) {
            field.fill(b'0');
        }
    }
}

/// A header says what its own bytes add up to; some old programs counted them as signed.
fn sums_up(header: &tar::Header) -> bool {
    let Ok(said) = header.cksum() else { return false };
    let bytes = header.as_bytes().iter().enumerate();
    let counted = bytes.map(|(at, &byte)| if (148..156).contains(&at) { b' ' } else { byte });
    let (plain, signed) = counted.fold((0_u32, 0_i32), |(plain, signed), byte| {
        (plain + u32::from(byte), signed + i32::from(byte.cast_signed()))
    });
    said == plain || i32::try_from(said) == Ok(signed)
}
