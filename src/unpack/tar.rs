//! Tar streams.

mod extension;
mod header;
mod members;

use std::io::{self, Read};

use super::error::about;
use super::guard::{Guard, Shape};
use super::meter::Meter;
use crate::contents::Spool;
use crate::tree::Node;

pub(super) use members::{Head, Kind, Members};

/// Unpacks all entries of a stream, and reads it to its end.
pub(super) fn unpack(
    from: &mut dyn Read,
    guard: &mut Guard<'_>,
    spool: &mut Spool,
    meter: &Meter<'_>,
) -> io::Result<()> {
    let mut members = Members::new(from);
    while let Some(head) = members.next()? {
        if head.kind == Kind::HardLink {
            guard.hard_link(&head.name, &head.link, meter.packed())?;
        } else {
            entry(head, &mut members, guard, spool)?;
        }
    }
    Ok(())
}

fn entry(head: Head, bytes: &mut dyn Read, guard: &mut Guard<'_>, spool: &mut Spool) -> io::Result<()> {
    let shape = match head.kind {
        Kind::Folder => Shape::Folder,
        Kind::Link => Shape::Link,
        Kind::File | Kind::HardLink => Shape::File(head.size),
    };
    let Some(path) = guard.admit(&head.name, shape, head.mode)? else { return Ok(()) };
    match shape {
        Shape::Folder => guard.put(path, head.mode, Node::Folder),
        Shape::Link => {
            let node = guard.target(&head.name, head.link)?;
            guard.put(path, 0o777, node);
        }
        Shape::File(_) => {
            let (digest, size) = spool.take(bytes, head.size).map_err(about(&head.name))?;
            guard.put(path, head.mode, Node::File { digest, size });
        }
    }
    Ok(())
}
