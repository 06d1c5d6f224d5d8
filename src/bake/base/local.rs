//! Bases that are files of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::held::{CHANGED, Held, Origin};
use super::read::read;
use super::repack;
use crate::bake::known::Known;
use crate::bake::resolve::docker_archive::members;
use crate::bake::resolve::project::Inside;
use crate::bake::resolve::{Fault, World};
use crate::digest::Digest;
use crate::image::oci::{self, Descriptor};
use crate::image::scan::Wanted;
use crate::recipe::{Compression, ProjectPath};

/// The layers of its lock with the tar streams that the configuration says are in them.
pub(super) type Pairs = Vec<(Descriptor, Digest)>;

/// An archive, and where the files in it are that are of the right size.
type Members = (Arc<Inside>, BTreeMap<Digest, (u64, u64)>);

/// An OCI layout's configuration.
pub(super) fn layout_config(path: &ProjectPath, digest: Digest, world: &World<'_>) -> Result<Vec<u8>, Fault> {
    let blob = layout_blob(path, digest, world)?;
    let bytes = blob.read(oci::LONGEST_CONFIG)?;
    if Digest::of(&bytes) == digest { Ok(bytes) } else { Err(blob.wrong(CHANGED)) }
}

/// An OCI layout's layers, where they are.
pub(super) fn layout(
    path: &ProjectPath,
    pairs: Pairs,
    subject: &str,
    wanted: Wanted<'_>,
    world: &World<'_>,
) -> Result<Vec<Held>, Fault> {
    let layer = |(at, diff_id): (Descriptor, Digest)| {
        let file = Arc::new(layout_blob(path, at.digest, world)?);
        let held = Held::new(at, diff_id, Origin::File { file, offset: 0 }, subject);
        pack(held, wanted, world)
    };
    pairs.into_iter().map(layer).collect()
}

fn layout_blob(path: &ProjectPath, digest: Digest, world: &World<'_>) -> Result<Inside, Fault> {
    let folder = Inside::of(world.project, Path::new(path.as_str()))?;
    folder.join(&format!("blobs/sha256/{}", digest.hex()))
}

/// The configuration of what `docker save` wrote, which is in the store from then on.
pub(super) fn archive_config(path: &ProjectPath, digest: Digest, world: &World<'_>) -> Result<Vec<u8>, Fault> {
    if let Some(bytes) = world.store.bytes(&digest, oci::LONGEST_CONFIG)? {
        return Ok(bytes);
    }
    let file = Arc::new(Inside::of(world.project, Path::new(path.as_str()))?);
    let found = members(&file, &|size| size <= oci::LONGEST_CONFIG)?;
    let &(offset, size) = found.get(&digest).ok_or_else(|| file.wrong(CHANGED))?;
    let at = Descriptor { digest, size, media_type: String::new() };
    Held::new(at, digest, Origin::File { file: Arc::clone(&file), offset }, path.as_str()).fetch(world)?;
    let bytes = world.store.bytes(&digest, oci::LONGEST_CONFIG)?;
    bytes.ok_or_else(|| file.wrong("its configuration was read and is not in the store"))
}

/// The layers of what `docker save` wrote. To find a layer in it means to read most of it: so they are all put into
/// the store, once.
pub(super) fn archive(
    path: &ProjectPath,
    pairs: Pairs,
    subject: &str,
    wanted: Wanted<'_>,
    world: &World<'_>,
) -> Result<Vec<Held>, Fault> {
    let mut layers = Vec::new();
    let mut places: Option<Members> = None;
    let sizes: BTreeSet<u64> = pairs.iter().map(|(at, _)| at.size).collect();
    for (at, diff_id) in pairs {
        let stored = Held::new(at.clone(), diff_id, Origin::Store, subject);
        if let Some(layer) = stored_already(&stored, world)? {
            layers.push(layer);
            continue;
        }
        let (file, found) = match &places {
            Some(places) => places,
            None => {
                let file = Arc::new(Inside::of(world.project, Path::new(path.as_str()))?);
                let found = members(&file, &|size| sizes.contains(&size))?;
                places.insert((file, found))
            }
        };
        let &(offset, _) = found.get(&at.digest).ok_or_else(|| file.wrong(CHANGED))?;
        let held = Held { origin: Origin::File { file: Arc::clone(file), offset }, ..stored };
        let layer = pack(held, wanted, world)?;
        layer.fetch(world)?;
        layers.push(Held { origin: Origin::Store, ..layer });
    }
    Ok(layers)
}

/// A layer whose bytes the store has, packed anew where that is needed.
fn stored_already(held: &Held, world: &World<'_>) -> Result<Option<Held>, Fault> {
    let at = &held.layer.descriptor;
    if repack::is_needed(&at.media_type) {
        return repack::known(held, Some(held.layer.diff_id), world);
    }
    Ok((world.store.size(&at.digest) == Some(at.size)).then(|| held.clone()))
}

/// A layer as it is, or packed anew where that is needed.
fn pack(held: Held, wanted: Wanted<'_>, world: &World<'_>) -> Result<Held, Fault> {
    if !repack::is_needed(&held.layer.descriptor.media_type) {
        return Ok(held);
    }
    let diff_id = Some(held.layer.diff_id);
    match repack::known(&held, diff_id, world)? {
        Some(known) => Ok(known),
        None => repack::repack(&held, diff_id, wanted, world),
    }
}

/// A root file system is one layer. What is in it nobody has promised, so it is read before anything is built on it.
pub(super) fn rootfs(
    (path, compressed): (&ProjectPath, Compression),
    at: Descriptor,
    subject: &str,
    wanted: Wanted<'_>,
    world: &World<'_>,
) -> Result<Held, Fault> {
    let file = Arc::new(Inside::of(world.project, Path::new(path.as_str()))?);
    let digest = at.digest;
    let held = Held { whole: true, ..Held::new(at, digest, Origin::File { file, offset: 0 }, subject) };
    let media_type = &held.layer.descriptor.media_type;
    // Who does not ask for zstd gets what every engine reads.
    if repack::is_needed(media_type) || media_type.ends_with("+zstd") && compressed != Compression::Zstd {
        return match repack::known(&held, None, world)? {
            Some(known) => Ok(known),
            None => repack::repack(&held, None, wanted, world),
        };
    }
    let known = match Known::of(digest, true, world.store)? {
        Some(known) => known,
        None => read(&held, None, wanted, world)?.1,
    };
    let mut held = held;
    held.layer.diff_id = known.diff_id;
    Ok(held)
}
