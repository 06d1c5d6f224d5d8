//! A zip file as its directory tells it: where each entry begins and ends, so that an entry can be left out and all
//! others be kept to the byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A zip file.
pub(super) struct Directory<'z> {
    bytes: &'z [u8],
    /// The entries, in the order of the directory.
    pub(super) entries: Vec<Entry<'z>>,
    /// What stands at the very end.
    comment: &'z [u8],
}

/// An entry of a zip file.
pub(super) struct Entry<'z> {
    pub(super) name: &'z str,
    /// Its header, its bytes and what may follow them.
    region: Range<usize>,
    /// What the directory says of it.
    record: &'z [u8],
    /// Where in that its offset stands, and in how many bytes.
    offset_at: Range<usize>,
}

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;

/// What stands in a field whose value is in the extra field for big files.
const ELSEWHERE: u64 = 0xffff_ffff;

/// More entries than this need the records for big files.
const MOST_ENTRIES: usize = 0xffff - 1;

impl<'z> Directory<'z> {
    pub(super) fn read(bytes: &'z [u8]) -> Result<Self, String> {
        let end = find_end(bytes).ok_or("it is no zip file: it has no end record")?;
        let comment = &bytes[end + 22..];
        let (start, size, count, stop) = extent(bytes, end)?;
        if start.checked_add(size) != Some(stop) {
            return Err("there is something before its first entry or behind its directory".to_owned());
        }
        let mut entries = Vec::new();
        let mut at = start;
        while at < stop {
            let entry = central(bytes, at, stop)?;
            at += entry.record.len();
            entries.push(entry);
        }
        if entries.len() as u64 != count {
            return Err(format!("its directory has {} entries, and its end record says {count}", entries.len()));
        }
        check_regions(bytes, &mut entries, start)?;
        Ok(Self { bytes, entries, comment })
    }

    /// The same file without some of its entries.
    pub(super) fn without(&self, names: &BTreeSet<&str>) -> Vec<u8> {
        let kept: Vec<_> = self.entries.iter().filter(|entry| !names.contains(entry.name)).collect();
        let mut regions: Vec<_> = kept.iter().map(|entry| entry.region.clone()).collect();
        regions.sort_unstable_by_key(|region| region.start);
        let mut bytes = Vec::with_capacity(self.bytes.len());
        let mut moved = BTreeMap::new();
        for region in regions {
            moved.insert(region.start, bytes.len() as u64);
            bytes.extend_from_slice(&self.bytes[region]);
        }
        let start = bytes.len() as u64;
        for entry in &kept {
            let mut record = entry.record.to_vec();
            let offset = moved.get(&entry.region.start).copied().unwrap_or_default().to_le_bytes();
            let width = entry.offset_at.len();
            record[entry.offset_at.clone()].copy_from_slice(&offset[..width]);
            bytes.extend(record);
        }
        let size = bytes.len() as u64 - start;
        end_records(&mut bytes, kept.len(), start, size, self.comment);
        bytes
    }
}

/// The end record: the last place that looks like one and whose comment ends with the file.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let first = bytes.len().saturating_sub(22 + 0xffff);
    let last = bytes.len().checked_sub(22)?;
    let is_end = |at: &usize| {
        u32_at(bytes, *at) == Some(END)
            && u16_at(bytes, at + 20).is_some_and(|n| at + 22 + usize::from(n) == bytes.len())
    };
    (first..=last).rev().find(is_end)
}

/// Where the directory begins, its size, how many entries it has, and where the records behind it begin.
fn extent(bytes: &[u8], end: usize) -> Result<(usize, usize, u64, usize), String> {
    let short = || "its end record is cut short".to_owned();
    let disks = [u16_at(bytes, end + 4), u16_at(bytes, end + 6)];
    let counts = [u16_at(bytes, end + 8), u16_at(bytes, end + 10)].map(|count| count.map(u64::from));
    let size = u32_at(bytes, end + 12).ok_or_else(short)?;
    let start = u32_at(bytes, end + 16).ok_or_else(short)?;
    let locator = end.checked_sub(20).filter(|at| u32_at(bytes, *at) == Some(LOCATOR_64));
    let Some(locator) = locator else {
        if disks != [Some(0); 2] || counts[0] != counts[1] {
            return Err("it is one of several parts of a zip file".to_owned());
        }
        return Ok((to_usize(start.into())?, to_usize(size.into())?, counts[0].ok_or_else(short)?, end));
    };
    let at = to_usize(u64_at(bytes, locator + 8).ok_or_else(short)?)?.min(locator);
    if u32_at(bytes, at) != Some(END_64) || u64_at(bytes, at + 4) != Some((locator as u64).wrapping_sub(at as u64 + 12))
    {
        return Err("its end record for big files is not where it should be".to_owned());
    }
    let field = |offset: usize| u64_at(bytes, at + offset).ok_or_else(short);
    if field(16)? != 0 || field(24)? != field(32)? {
        return Err("it is one of several parts of a zip file".to_owned());
    }
    Ok((to_usize(field(48)?)?, to_usize(field(40)?)?, field(32)?, at))
}

/// An entry of the directory; where its region ends is not known yet, only where it would without a descriptor.
fn central(bytes: &[u8], at: usize, stop: usize) -> Result<Entry<'_>, String> {
    let short = || "its directory is damaged".to_owned();
    if u32_at(bytes, at) != Some(CENTRAL) {
        return Err(short());
    }
    let length = |offset: usize| u16_at(bytes, at + offset).map(usize::from).ok_or_else(short);
    let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
    let record = bytes.get(at..(at + 46 + name + extra + comment).min(stop)).ok_or_else(short)?;
    if record.len() != 46 + name + extra + comment {
        return Err(short());
    }
    let name = std::str::from_utf8(&record[46..46 + name]).map_err(|_| "a name in it is no UTF-8".to_owned())?;
    if u16_at(record, 8).is_none_or(|flags| flags & 1 != 0) {
        return Err(format!("{name} is encrypted"));
    }
    // The field for big files holds those of the three that are said to be elsewhere, in this order.
    let mut field = big(&record[46 + name.len()..46 + name.len() + extra]).map(|at| {
        let start = 46 + name.len() + at.start;
        start..start + at.len()
    });
    let mut value = |offset: usize| -> Option<(u64, Range<usize>)> {
        let value = u64::from(u32_at(record, offset)?);
        if value != ELSEWHERE || field.is_none() {
            return Some((value, offset..offset + 4));
        }
        let rest = field.as_mut()?;
        let at = rest.start..rest.start + 8;
        (at.end <= rest.end).then_some(())?;
        rest.start = at.end;
        Some((u64_at(record, at.start)?, at))
    };
    value(24).ok_or_else(short)?;
    let (size, _) = value(20).ok_or_else(short)?;
    let (start, offset_at) = value(42).ok_or_else(short)?;
    let (start, size) = (to_usize(start)?, to_usize(size)?);
    let region = start..start.checked_add(size).filter(|end| *end <= at).ok_or_else(short)?;
    Ok(Entry { name, region, record, offset_at })
}

/// Where in the extra fields the values for big files are.
fn big(extra: &[u8]) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        let (id, length) = (u16_at(extra, at)?, usize::from(u16_at(extra, at + 2)?));
        let field = at + 4..at + 4 + length;
        if id == 1 {
            return (field.end <= extra.len()).then_some(field);
        }
        at = field.end;
    }
}

/// Finds the end of each entry: where the next begins. Between two there is nothing but what belongs to the first.
fn check_regions(bytes: &[u8], entries: &mut [Entry<'_>], directory: usize) -> Result<(), String> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by_key(|i| entries[*i].region.start);
    let starts: Vec<_> = order.iter().map(|i| entries[*i].region.start).chain([directory]).collect();
    if starts[0] != 0 {
        return Err("there is something before its first entry or behind its directory".to_owned());
    }
    let mut names = BTreeSet::new();
    for (i, next) in order.into_iter().zip(&starts[1..]) {
        let entry = &mut entries[i];
        let wrong = |what: &str| format!("{}: {what}", entry.name);
        if !names.insert(entry.name) {
            return Err(wrong("it is there twice"));
        }
        let start = entry.region.start;
        let length = |offset: usize| u16_at(bytes, start + offset).map(usize::from);
        let (Some(LOCAL), Some(name), Some(extra)) = (u32_at(bytes, start), length(26), length(28)) else {
            return Err(wrong("its header is not where the directory says"));
        };
        if bytes.get(start + 30..start + 30 + name) != Some(entry.name.as_bytes()) {
            return Err(wrong("its header has another name"));
        }
        let end = entry.region.end + 30 + name + extra;
        let has_descriptor = u16_at(bytes, start + 6).is_some_and(|flags| flags & 8 != 0);
        let rest = next.checked_sub(end).ok_or_else(|| wrong("it runs into what follows it"))?;
        let belongs = match (has_descriptor, rest) {
            (false, 0) | (true, 12 | 20) => true,
            (true, 16 | 24) => u32_at(bytes, end) == Some(DESCRIPTOR),
            _ => false,
        };
        if !belongs {
            return Err(wrong("behind it there are bytes that belong to no entry"));
        }
        entry.region = start..*next;
    }
    Ok(())
}

fn end_records(bytes: &mut Vec<u8>, entries: usize, start: u64, size: u64, comment: &[u8]) {
    let is_big = entries > MOST_ENTRIES || start >= ELSEWHERE || size >= ELSEWHERE;
    if is_big {
        let at = bytes.len() as u64;
        bytes.extend(END_64.to_le_bytes());
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for field in [entries as u64, entries as u64, size, start] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(LOCATOR_64.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(at.to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    let low = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let count = if is_big { u16::MAX } else { u16::try_from(entries).unwrap_or(u16::MAX) };
    bytes.extend(END.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(low(size).to_le_bytes());
    bytes.extend(low(start).to_le_bytes());
    bytes.extend(u16::try_from(comment.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(comment);
}

fn to_usize(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| "a number in it is too big".to_owned())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
