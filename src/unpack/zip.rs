//! Zip files.
//!
//! A zip says everything twice: in its directory at the end, and before each entry's bytes. Some readers believe the
//! one, some the other, and some look for signatures in between. So a zip is taken only when it leaves nothing to
//! choose: both say the same, and entries, directory and end mark follow each other without a byte between them.

mod central;
mod end;
mod entry;
mod extra;
mod local;
mod packing;

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::local::Located;
use super::error::{MAKE_ANEW, about, refused};
use super::guard::{Guard, Shape};
use super::limits::Limits;
use super::meter::{Meter, bomb, too_much};
use super::unpacked::Unpacked;
use crate::contents::Contents;
use crate::digest::Digest;
use crate::name::ImagePath;
use crate::parallel;
use crate::tree::Node;

/// Files without a mode: what zips of other systems than Unix hold.
const FILE_MODE: u16 = 0o644;
const FOLDER_MODE: u16 = 0o755;

/// Unpacks a zip. All that can be wrong with names, kinds and sizes is found before a byte is unpacked; entries are
/// unpacked side by side, each to its place in the spool.
pub(super) fn unpack(file: &File, spool: File, limits: &Limits, meter: &Meter<'_>) -> io::Result<Unpacked> {
    let length = file.metadata()?.len();
    let end = end::find(file, length)?;
    let mut entries = central::read(file, &end, limits)?;
    entries.sort_by_key(|entry| entry.offset);
    check_sizes(&entries, length, limits)?;
    let located = local::locate(file, entries, end.directory)?;

    let mut guard = Guard::new(limits);
    let mut works = Vec::with_capacity(located.len());
    let mut offset = 0;
    for located in located {
        let (shape, mode) = shape(&located)?;
        if let Some(path) = guard.admit(&located.entry.name, shape, mode)? {
            guard.put(path.clone(), mode, placeholder(shape));
            works.push(Work { located, path: Some(path), shape, mode, offset });
        } else {
            works.push(Work { located, path: None, shape, mode, offset });
        }
        if let (Some(Work { located, .. }), Shape::File(_)) = (works.last(), shape) {
            offset += located.entry.size;
        }
    }
    inflate_all(works, file, spool, guard, meter)
}

/// One entry, its place in the tree and in the spool.
struct Work {
    located: Located,
    path: Option<ImagePath>,
    shape: Shape,
    mode: u16,
    offset: u64,
}

/// What an entry turned out to be.
enum Done {
    Nothing,
    File(Digest),
    Link(Vec<u8>),
}

fn inflate_all(
    works: Vec<Work>,
    file: &File,
    spool: File,
    mut guard: Guard<'_>,
    meter: &Meter<'_>,
) -> io::Result<Unpacked> {
    let spool = Arc::new(spool);
    let first_failed = AtomicUsize::new(usize::MAX);
    let indexed: Vec<_> = works.into_iter().enumerate().collect();
    // Entries behind one that failed are left out, those before it are not: so it is always the same one that is named.
    let results = parallel::map(&indexed, |(index, work)| {
        if first_failed.load(Ordering::Relaxed) < *index {
            return Ok(Done::Nothing);
        }
        let done = inflate(work, file, &spool, meter).map_err(about(&work.located.entry.name));
        if done.is_err() {
            first_failed.fetch_min(*index, Ordering::Relaxed);
        }
        done
    });
    let mut contents = Contents::default();
    for ((_, work), result) in indexed.into_iter().zip(results) {
        let size = work.located.entry.size;
        let (done, Some(path)) = (result?, work.path) else { continue };
        match done {
            Done::Nothing => guard.put(path, work.mode, Node::Folder),
            Done::Link(text) => {
                let node = guard.target(&work.located.entry.name, text)?;
                guard.put(path, 0o777, node);
            }
            Done::File(digest) => {
                contents.add_part(digest, Arc::clone(&spool), work.offset, size);
                guard.put(path, work.mode, Node::File { digest, size });
            }
        }
    }
    Ok(Unpacked { tree: guard.finish()?, contents })
}

fn inflate(work: &Work, file: &File, spool: &File, meter: &Meter<'_>) -> io::Result<Done> {
    match work.shape {
        Shape::Folder => {
            entry::check_empty(&work.located, file, meter)?;
            Ok(Done::Nothing)
        }
        Shape::Link => Ok(Done::Link(entry::to_memory(&work.located, file, meter)?)),
        Shape::File(_) => Ok(Done::File(entry::to_spool(&work.located, file, spool, work.offset, meter)?)),
    }
}

/// What stands at a path until the bytes have been seen: enough to tell what may lie beside it.
fn placeholder(shape: Shape) -> Node {
    match shape {
        Shape::Folder => Node::Folder,
        Shape::Link => Node::Link(String::new()),
        Shape::File(size) => Node::File { digest: Digest::of(b""), size },
    }
}

/// All that is said of sizes, before anything is unpacked. Entries cannot grow beyond what they say.
fn check_sizes(entries: &[central::Entry], length: u64, limits: &Limits) -> io::Result<()> {
    let mut total = 0_u64;
    for entry in entries {
        total = total.saturating_add(entry.size);
        if total > limits.total {
            return Err(about(&entry.name)(too_much(limits.total)));
        }
    }
    match entries.iter().max_by_key(|entry| entry.size) {
        Some(largest) if limits.is_bomb(length, total) => Err(about(&largest.name)(bomb(limits.ratio))),
        _ => Ok(()),
    }
}

/// What an entry is, and its mode. A slash at the end of the name makes a folder; on Unix the mode says it, too.
fn shape(located: &Located) -> io::Result<(Shape, u16)> {
    let entry = &located.entry;
    let wrong = |message: &str| Err(about(&entry.name)(refused(message, MAKE_ANEW)));
    let by_name = if entry.name.ends_with(b"/") { Shape::Folder } else { Shape::File(entry.size) };
    let kind = entry.unix_mode.map_or(0, |mode| mode >> 12);
    let shape = match (kind, by_name) {
        (0, _) | (0o04, Shape::Folder) | (0o10, Shape::File(_)) => by_name,
        (0o12, Shape::File(_)) => Shape::Link,
        (0o04 | 0o10 | 0o12, _) => return wrong("is a folder by its name or by its mode, and not by the other"),
        (0o02 | 0o06, _) => return wrong("is a device: only files, folders and links are taken from archives"),
        (0o01, _) => return wrong("is a pipe: only files, folders and links are taken from archives"),
        (0o14, _) => return wrong("is a socket: only files, folders and links are taken from archives"),
        _ => return wrong("is of an unknown kind: only files, folders and links are taken from archives"),
    };
    match shape {
        Shape::Folder if entry.size > 0 => return wrong("has bytes, and is a folder"),
        Shape::Link if entry.size > entry::LONGEST_TARGET => {
            return wrong("is a link to a name of more than 4095 bytes");
        }
        _ => {}
    }
    let default = if shape == Shape::Folder { FOLDER_MODE } else { FILE_MODE };
    let mode = entry.unix_mode.filter(|mode| *mode != 0).map_or(default, |mode| mode & 0o7777);
    Ok((shape, mode))
}
