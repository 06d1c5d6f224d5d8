//! From bytes to documents.

use super::document::{Document, INDEX_TYPES, Index, LONGEST_MANIFEST, MANIFEST_TYPES, OciError, limit, shorten};
use super::raw;

/// Reads a manifest or an index. `media_type` is what the registry or a descriptor says it is; a document that
/// says something else of itself is refused, because two readers would take it for two things.
///
/// # Errors
/// Whatever is wrong with it, by name.
pub fn document(media_type: &str, bytes: &[u8]) -> Result<Document, OciError> {
    const KIND: &str = "OCI manifest";
    let said = media_type.split(';').next().unwrap_or_default().trim();
    limit(KIND, bytes.len() as u64, LONGEST_MANIFEST)?;
    if INDEX_TYPES.contains(&said) {
        return raw::index(said, bytes).map(Document::Index);
    }
    if MANIFEST_TYPES.contains(&said) {
        return raw::manifest(said, bytes).map(Document::Manifest);
    }
    let help = if said.starts_with("application/vnd.docker.distribution.manifest.v1") {
        "this format of 2015 has no digests of its parts; push the image again with any Docker from 1.10 on"
    } else {
        "an image has an OCI or Docker (schema 2) manifest or index"
    };
    Err(OciError::MediaType { subject: format!("the {KIND}"), found: shorten(said), help })
}

/// Reads the `index.json` of an OCI layout, which need not say what it is.
///
/// # Errors
/// Whatever is wrong with it, by name.
pub fn layout_index(bytes: &[u8]) -> Result<Index, OciError> {
    limit("OCI index", bytes.len() as u64, LONGEST_MANIFEST)?;
    raw::index(INDEX_TYPES[0], bytes)
}
