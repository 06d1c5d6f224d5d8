//! What stands before the bytes of an entry: a USTAR header, and PAX records for what does not fit in it.

use crate::image::scan::Head;

pub(super) const BLOCK: usize = 512;

/// What fits in a header's field for a name and for the target of a link.
const LONGEST_NAME: usize = 100;

/// What fits in seven and in eleven octal digits.
const LARGEST_ID: u64 = 0o777_7777;
const LARGEST: u64 = 0o777_7777_7777;

/// The header of an entry at a path from the root, without a slash at either end; `link` is what it links to.
pub(super) fn header(path: &[u8], head: &Head, link: &[u8]) -> Vec<u8> {
    let mut name = if path.is_empty() { b".".to_vec() } else { path.to_vec() };
    if head.kind == b'5' {
        name.push(b'/');
    }
    let (uid, gid) = (u64::from(head.owner.uid), u64::from(head.owner.gid));
    let size = size(head);
    let mut records: Vec<(&[u8], Vec<u8>)> =
        head.attributes.iter().map(|(key, value)| (key.as_slice(), value.clone())).collect();
    let mut number = |key: &'static str, value: u64, largest: u64| {
        if value <= largest {
            return value;
        }
        records.push((key.as_bytes(), value.to_string().into_bytes()));
        0
    };
    let (uid, gid) = (number("uid", uid, LARGEST_ID), number("gid", gid, LARGEST_ID));
    let (mtime, short_size) = (number("mtime", head.mtime, LARGEST), number("size", size, LARGEST));
    for (key, text) in [(&b"path"[..], &name[..]), (b"linkpath", link)] {
        if !fits(text) {
            records.push((key, text.to_vec()));
        }
    }
    if records.iter().any(|(key, value)| key.ends_with(b"path") && std::str::from_utf8(value).is_err()) {
        records.push((b"hdrcharset", b"BINARY".to_vec()));
    }
    records.sort();
    let mut block = tar::Header::new_ustar();
    block.set_entry_type(tar::EntryType::new(head.kind));
    block.set_mode(u32::from(head.mode.bits()));
    block.set_uid(uid);
    block.set_gid(gid);
    block.set_mtime(mtime);
    block.set_size(short_size);
    if let Some(ustar) = block.as_ustar_mut() {
        let copy = |text: &[u8], field: &mut [u8; 100]| {
            let length = text.len().min(LONGEST_NAME);
            field[..length].copy_from_slice(&text[..length]);
        };
        copy(&name, &mut ustar.name);
        copy(link, &mut ustar.linkname);
        if matches!(head.kind, b'3' | b'4') {
            ustar.set_device_major(head.device.0);
            ustar.set_device_minor(head.device.1);
        }
    }
    block.set_cksum();
    let mut bytes = extended(&records);
    bytes.extend(block.as_bytes());
    bytes
}

/// The zeros that fill the last block of an entry's bytes.
pub(super) fn padding(head: &Head) -> usize {
    usize::try_from(size(head).wrapping_neg() % BLOCK as u64).unwrap_or(0)
}

/// Only files have bytes, whatever others say.
fn size(head: &Head) -> u64 {
    if head.kind == b'0' { head.size } else { 0 }
}

/// Whether a name stands in a header as it is. What is no text at all does, if it is short: PAX records are text.
fn fits(name: &[u8]) -> bool {
    name.len() <= LONGEST_NAME && (name.is_ascii() || std::str::from_utf8(name).is_err())
}

/// An extended header with records: each its own length, a key and a value.
fn extended(records: &[(&[u8], Vec<u8>)]) -> Vec<u8> {
    if records.is_empty() {
        return Vec::new();
    }
    let mut text = Vec::new();
    for (key, value) in records {
        // A space, an equals sign and a newline; the length counts its own digits too.
        let rest = key.len() + value.len() + 3;
        let mut length = rest;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        text.extend(format!("{length} ").bytes().chain(key.iter().copied()));
        text.push(b'=');
        text.extend(value);
        text.push(b'\n');
    }
    let mut block = tar::Header::new_ustar();
    block.set_entry_type(tar::EntryType::XHeader);
    block.set_mode(0o644);
    block.set_uid(0);
    block.set_gid(0);
    block.set_mtime(0);
    block.set_size(text.len() as u64);
    if let Some(ustar) = block.as_ustar_mut() {
        let name = b"PaxHeaders.0/entry";
        ustar.name[..name.len()].copy_from_slice(name);
    }
    block.set_cksum();
    let mut bytes = block.as_bytes().to_vec();
    text.resize(text.len().next_multiple_of(BLOCK), 0);
    bytes.extend(text);
    bytes
}
