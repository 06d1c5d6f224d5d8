//! Records as an OCI artifact, beside the images that they are about.

use serde_json::json;

use super::cargo::Cargo;
use super::fault::PushError;
use crate::bake::port::RawManifest;
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::{NameError, Tag};
use crate::project::CURRENT;
use crate::store::Store;

/// What the artifact says it is.
const KIND: &str = "application/vnd.elkbake.manifest.v1+json";

/// What an artifact has for a configuration when it has none.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The tag of the newest records.
///
/// # Errors
/// Never: it is a tag.
pub fn current() -> Result<Tag, NameError> {
    CURRENT.parse()
}

/// Records, as text, on their way to a repository.
///
/// # Errors
/// When the store cannot take them.
pub fn artifact(records: &str, store: &Store) -> Result<Cargo, PushError> {
    let put = |bytes: &[u8], media_type: &str| {
        let (digest, size) = store.put(&mut &bytes[..], None)?;
        Ok::<_, PushError>(Descriptor { digest, size, media_type: media_type.to_owned() })
    };
    let (config, layer) = (put(b"{}", EMPTY)?, put(records.as_bytes(), KIND)?);
    let part = |at: &Descriptor| json!({ "mediaType": at.media_type, "digest": at.digest, "size": at.size });
    // Keys of a map of JSON are sorted: the same records make the same bytes.
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": KIND,
        "config": part(&config),
        "layers": [part(&layer)],
    });
    let bytes = manifest.to_string().into_bytes();
    let manifest = RawManifest { digest: Digest::of(&bytes), media_type: MANIFEST.to_owned(), bytes };
    Ok(Cargo::of_artifact(manifest, vec![config, layer], &current()?))
}
