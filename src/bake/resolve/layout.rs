//! A base that is an OCI layout folder of the project.

use std::collections::BTreeSet;
use std::path::Path;

use super::World;
use super::fault::Fault;
use super::image::{Documents, pick};
use super::project::Inside;
use crate::digest::Digest;
use crate::image::oci::{self, Config, Descriptor, Document};
use crate::lock::LockedPlatform;
use crate::name::Platform;
use crate::recipe::ProjectPath;

/// The only version of layouts that there is.
const VERSION: &str = "1.0.0";

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

pub(super) fn resolve(
    path: &ProjectPath,
    platforms: &BTreeSet<Platform>,
    world: &World<'_>,
) -> Result<(Digest, Vec<LockedPlatform>), Fault> {
    let folder = Inside::of(world.project, Path::new(path.as_str()))?;
    let mark = folder.join("oci-layout")?;
    match serde_json::from_slice::<Mark>(&mark.read(oci::LONGEST_MANIFEST)?) {
        Ok(said) if said.image_layout_version == VERSION => {}
        _ => return Err(mark.wrong(format!("this is no OCI layout of version {VERSION}"))),
    }
    let index_file = folder.join("index.json")?;
    let bytes = index_file.read(oci::LONGEST_MANIFEST)?;
    let index = oci::layout_index(&bytes).map_err(Fault::in_file(&index_file.shown.display()))?;
    let layout = Layout { folder };
    // A layout of one image is pinned by that image, as if it were pulled: other annotations do not move it.
    let (digest, document) = match &index.entries[..] {
        [one] => (one.descriptor.digest, layout.document(&one.descriptor)?),
        _ => (Digest::of(&bytes), Document::Index(index)),
    };
    Ok((digest, pick(&layout, digest, document, platforms)?))
}

struct Layout {
    folder: Inside,
}

impl Layout {
    fn blob(&self, digest: &Digest) -> Result<Inside, Fault> {
        self.folder.join(&format!("blobs/sha256/{}", digest.hex()))
    }

    fn read(&self, at: &Descriptor, limit: u64) -> Result<Vec<u8>, Fault> {
        let blob = self.blob(&at.digest)?;
        let bytes = blob.read(limit)?;
        let got = Digest::of(&bytes);
        if got == at.digest { Ok(bytes) } else { Err(blob.wrong(format!("its bytes have the digest {got}"))) }
    }
}

impl Documents for Layout {
    fn subject(&self) -> String {
        format!("oci:{}", self.folder.shown.display())
    }

    fn document(&self, at: &Descriptor) -> Result<Document, Fault> {
        let bytes = self.read(at, oci::LONGEST_MANIFEST)?;
        oci::document(&at.media_type, &bytes).map_err(Fault::in_file(&format!("{} ({})", self.subject(), at.digest)))
    }

    fn config(&self, at: &Descriptor) -> Result<Config, Fault> {
        let bytes = self.read(at, oci::LONGEST_CONFIG)?;
        oci::config(&bytes).map_err(Fault::in_file(&format!("{} ({})", self.subject(), at.digest)))
    }

    /// By size: the digest of a whole layer is checked when its bytes are used.
    fn check_layer(&self, at: &Descriptor) -> Result<(), Fault> {
        let blob = self.blob(&at.digest)?;
        match blob.open()? {
            (_, size) if size == at.size => Ok(()),
            (_, size) => Err(blob.wrong(format!("it has {size} bytes, its manifest says {}", at.size))),
        }
    }
}
