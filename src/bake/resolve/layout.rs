//! A base that is an OCI layout folder of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::World;
use super::fault::Fault;
use super::image::{Documents, pick};
use super::project::Inside;
use crate::digest::Digest;
use crate::image::oci::{self, Config, Descriptor, Document, IndexEntry};
use crate::lock::LockedPlatform;
use crate::name::Platform;
use crate::recipe::{LayoutTag, ProjectPath};

/// The only version of layouts that there is.
const VERSION: &str = "1.0.0";

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mark {
    image_layout_version: String,
}

pub(super) fn resolve(
    path: &ProjectPath,
    tag: Option<&LayoutTag>,
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
    let entries = layout.called(tag, index.entries)?;
    // A layout of one image is pinned by that image, as if it were pulled: other annotations do not move it.
    if let [one, others @ ..] = &entries[..]
        && others.iter().all(|other| other.descriptor.digest == one.descriptor.digest)
    {
        let digest = one.descriptor.digest;
        return Ok((digest, pick(&layout, digest, layout.document(&one.descriptor)?, platforms)?));
    }
    let found = platforms.iter().map(|platform| layout.one_of(&entries, platform));
    Ok((Digest::of(&bytes), found.collect::<Result<_, _>>()?))
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

impl Layout {
    /// The images that have a tag, or all where none is asked for.
    fn called(&self, tag: Option<&LayoutTag>, entries: Vec<IndexEntry>) -> Result<Vec<IndexEntry>, Fault> {
        let Some(tag) = tag else { return Ok(entries) };
        let is_it = |entry: &IndexEntry| entry.ref_name.as_deref() == Some(tag.as_str());
        let has = names(&entries);
        let called: Vec<_> = entries.into_iter().filter(is_it).collect();
        if called.is_empty() {
            return Err(self.folder.wrong(format!("it has no image `{tag}`; it has {has}")));
        }
        Ok(called)
    }

    /// The one image for a platform among several. Other than in an index, nobody meant them for one.
    fn one_of(&self, entries: &[IndexEntry], platform: &Platform) -> Result<LockedPlatform, Fault> {
        let wanted = BTreeSet::from([platform.clone()]);
        let (mut found, mut fitting, mut there) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        for entry in entries {
            let document = self.document(&entry.descriptor)?;
            match pick(self, entry.descriptor.digest, document, &wanted) {
                Ok(locked) => {
                    fitting.push(entry.clone());
                    found.extend(locked.into_iter().map(|one| (one.manifest, one)));
                }
                Err(Fault::Platform { there: other, .. }) => there.extend(other),
                Err(fault) => return Err(fault),
            }
        }
        match (found.pop_first(), found.is_empty()) {
            (Some((_, one)), true) => Ok(one),
            (Some(_), false) => {
                let (has, path) = (names(&fitting), self.folder.shown.display());
                let say = format!("say which by `oci:{path}:TAG`");
                Err(self.folder.wrong(format!("it has several images for {platform}: {has}; {say}")))
            }
            (None, _) => Err(Fault::Platform {
                subject: self.subject(),
                wanted: platform.clone(),
                there: there.into_iter().collect(),
            }),
        }
    }
}

/// What images of a layout are called.
fn names(entries: &[IndexEntry]) -> String {
    let names: Vec<_> = entries.iter().map(|entry| entry.ref_name.as_deref().unwrap_or("one without a tag")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
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
