//! What is made at every boot before anything else: folders, and a setting of the kernel that is no sysctl.

use std::fmt::Write as _;

use super::draft::{Draft, TuningError};
use crate::recipe::{AmiRecipe, Folder};

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    let mut text = String::new();
    if let Some(pages) = ami.host.as_ref().and_then(|host| host.huge_pages) {
        let _ = writeln!(text, "w /sys/kernel/mm/transparent_hugepage/enabled - - - - {pages}");
    }
    for Folder { path, owner, mode, .. } in ami.folder.iter().filter(|folder| lies_on_the_root(ami, folder)) {
        let _ = writeln!(text, "d {} {mode} {} {}", quoted(path.as_str()), owner.uid, owner.gid);
    }
    if text.is_empty() { Ok(()) } else { draft.text("/etc/tmpfiles.d/90-elkbake.conf", text) }
}

/// What lies on a volume is made when that is mounted.
fn lies_on_the_root(ami: &AmiRecipe, folder: &Folder) -> bool {
    let mounts = ami.volume.iter().filter_map(|volume| volume.mount.as_ref()).filter(|mount| !mount.is_root());
    !mounts.into_iter().any(|mount| folder.path.is_within(mount))
}

/// A word as systemd reads it in such files, percent signs included.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' => quoted.push_str("%%"),
            c if c.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
