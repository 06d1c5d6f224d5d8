//! What is made at every boot before anything else: folders, and a setting of the kernel that is no sysctl.

use std::fmt::Write as _;

use super::draft::{Draft, TuningError};
use crate::ami::storage;
use crate::recipe::{AmiRecipe, Folder};

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    let mut text = String::new();
    if let Some(pages) = ami.host.as_ref().and_then(|host| host.huge_pages) {
        let _ = writeln!(text, "w /sys/kernel/mm/transparent_hugepage/enabled - - - - {pages}");
    }
    // What lies on a volume is made when that is mounted.
    let on_the_root = |folder: &&Folder| storage::volume_of(ami, &folder.path).is_none();
    for Folder { path, owner, mode, .. } in ami.folder.iter().filter(on_the_root) {
        let _ = writeln!(text, "d {} {mode} {} {}", quoted(path.as_str()), owner.uid, owner.gid);
    }
    if text.is_empty() { Ok(()) } else { draft.text("/etc/tmpfiles.d/90-elkbake.conf", text) }
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
