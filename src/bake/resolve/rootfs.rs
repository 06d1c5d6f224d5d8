//! A base that is a root file system, one tarball of the project.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use super::World;
use super::fault::Fault;
use super::project::Inside;
use crate::digest::Digest;
use crate::image::oci::LAYER_TAR;
use crate::image::scan::Packing;
use crate::lock::{LockedLayer, LockedPlatform};
use crate::name::Platform;
use crate::recipe::ProjectPath;

pub(super) fn resolve(
    path: &ProjectPath,
    platforms: &BTreeSet<Platform>,
    world: &World<'_>,
) -> Result<(Digest, Vec<LockedPlatform>), Fault> {
    let file = Inside::of(world.project, Path::new(path.as_str()))?;
    let mut head = Vec::new();
    file.open()?.0.take(512).read_to_end(&mut head).map_err(file.io())?;
    let media_type = match Packing::of(&head) {
        // No layer is packed so: it will be packed anew when it is built on.
        Packing::Xz => format!("{LAYER_TAR}+xz"),
        _ => media_type(&head).map_err(|message| file.wrong(message))?,
    };
    let (digest, size) = file.digest(|_| {})?;
    let locked = platforms.iter().map(|platform| LockedPlatform {
        name: platform.clone(),
        manifest: digest,
        config: None,
        created: None,
        user: None,
        product_version: None,
        java_version: None,
        read_for: None,
        modules: BTreeSet::new(),
        there: BTreeMap::new(),
        layer: vec![LockedLayer { digest, size, media_type: media_type.clone() }],
    });
    Ok((digest, locked.collect()))
}

/// What a layer's first block says it is.
pub(super) fn media_type(head: &[u8]) -> Result<String, &'static str> {
    match Packing::of(head) {
        Packing::Gzip => Ok(format!("{LAYER_TAR}+gzip")),
        Packing::Zstd => Ok(format!("{LAYER_TAR}+zstd")),
        Packing::Xz => Err("it is compressed with xz; layers are plain tarballs, or compressed with gzip or zstd"),
        Packing::Bzip2 => Err("it is compressed with bzip2, which is not read: use gzip, zstd or xz"),
        Packing::Plain if is_tar(head) => Ok(LAYER_TAR.to_owned()),
        Packing::Plain => Err("it is no tarball"),
    }
}

/// A header says what its own bytes add up to; an empty tarball has none and is zeros.
fn is_tar(head: &[u8]) -> bool {
    let Ok(block) = <&[u8; 512]>::try_from(head) else {
        return false;
    };
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let sum: u32 =
        block.iter().enumerate().map(|(i, &b)| if (148..156).contains(&i) { 32 } else { u32::from(b) }).sum();
    header.cksum().is_ok_and(|said| said == sum) || block.iter().all(|&b| b == 0)
}
