//! The archive that `docker save` writes, as we write it: to a file, and on the way into an engine.
//!
//! It is a tarball with `manifest.json`, the image's configuration and its layers, for one platform.

use std::io;

use serde_json::json;

use super::built::BuiltLayer;
use crate::digest::Digest;

/// What a tarball is made of.
pub(in crate::bake) const BLOCK: usize = 512;

/// What stands behind the last entry.
pub(in crate::bake) const END: &[u8] = &[0; 2 * BLOCK];

/// The text of `manifest.json`; `name` is a repository and a tag.
pub(in crate::bake) fn manifest(config: &Digest, name: &str, layers: &[BuiltLayer]) -> String {
    let layers: Vec<_> = layers.iter().map(|layer| layer_name(&layer.diff_id)).collect();
    json!([{ "Config": config_name(config), "RepoTags": [name], "Layers": layers }]).to_string()
}

/// What the configuration is called in the archive.
pub(in crate::bake) fn config_name(config: &Digest) -> String {
    format!("{}.json", config.hex())
}

/// What a layer is called in the archive.
pub(in crate::bake) fn layer_name(diff_id: &Digest) -> String {
    format!("{}.tar", diff_id.hex())
}

/// What stands before an entry, the same for everybody: no owner, no time.
pub(in crate::bake) fn header(name: &str, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name)?;
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}

/// What stands behind an entry of so many bytes.
pub(in crate::bake) fn padding(size: u64) -> &'static [u8] {
    &END[..usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default()]
}
