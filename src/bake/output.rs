//! Writing a built image where other programs find it: an OCI layout, a `docker load` archive, one tarball.
//!
//! Every blob is verified as it is copied, and nothing is seen at its place before it is whole: files are written
//! aside and renamed, and a layout names an image only once all of it is there.

mod aside;
mod blobs;
mod docker_archive;
mod fault;
mod image;
mod layout;
mod place;
mod rootfs;

use std::path::Path;

use super::event::{Listener, Task};
use super::interrupt::Interrupt;
use crate::digest::Digest;
use crate::image::oci::Descriptor;
use crate::name::{Platform, Tag};
use crate::store::Store;
use blobs::Blobs;
use layout::Tags;

pub use fault::OutputError;
pub use image::Image;
pub(in crate::bake) use image::blob_name;
pub use place::{Place, PlaceError};

/// What writing needs beside the image.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    /// The folder that places are counted from.
    pub folder: &'d Path,
    /// Where the blobs are.
    pub store: &'d Store,
    /// Who may want to stop.
    pub interrupt: &'d Interrupt,
    /// Who is told.
    pub tell: Listener<'d>,
    /// The machine's own platform: where one platform is taken and none was named, that one.
    pub host: &'d Platform,
}

/// Refuses a place that cannot take an image, as far as that shows before there is one.
///
/// # Errors
/// When it is taken by something else, or its name promises something else.
pub fn check(to: &Place, folder: &Path) -> Result<(), OutputError> {
    match to.clone().below(folder) {
        Place::Oci(path) => layout::exists(&path).map(drop),
        Place::DockerArchive(path) => aside::check(&path),
        Place::Rootfs(path) => rootfs::compression(&path).and_then(|_| aside::check(&path)),
    }
}

/// Writes an image, all of whose blobs are in the store, to a place.
///
/// # Errors
/// When a blob is missing or damaged, the place is taken by something else, or cannot be written.
pub fn write(image: &Image<'_>, to: &Place, desk: Desk<'_>) -> Result<(), OutputError> {
    let name = to.to_string();
    let bytes = match to {
        Place::Oci(_) => image.size(),
        Place::DockerArchive(_) => image.one(desk.host)?.layers.iter().map(|layer| layer.descriptor.size).sum(),
        // Its layers are read twice.
        Place::Rootfs(_) => 2 * image.one(desk.host)?.layers.iter().map(|layer| layer.descriptor.size).sum::<u64>(),
    };
    let task = Task::begin(&name, Some(bytes), desk.tell);
    let to = to.clone().below(desk.folder);
    let blobs = Blobs { store: desk.store, interrupt: desk.interrupt, task: &task };
    match to {
        Place::Oci(path) => layout::write(&image.blobs(), image.tag(), Tags::Move, &path, &blobs).map(drop),
        Place::DockerArchive(path) => docker_archive::write(image, &path, desk.host, &blobs),
        Place::Rootfs(path) => rootfs::write(image, &path, desk.host, &blobs),
    }
}

/// Writes blobs of the store to an OCI layout, the last of which gets a tag for good. Tells of each whether it had to be
/// written.
///
/// # Errors
/// When the tag is another's, a blob is missing or damaged, or the folder cannot be written.
pub fn publish(parts: &[&Descriptor], tag: &Tag, folder: &Path, desk: Desk<'_>) -> Result<Vec<bool>, OutputError> {
    let name = format!("oci:{}", folder.display());
    let task = Task::begin(&name, Some(parts.iter().map(|at| at.size).sum()), desk.tell);
    let blobs = Blobs { store: desk.store, interrupt: desk.interrupt, task: &task };
    layout::write(parts, tag, Tags::Stay, folder, &blobs)
}

/// What an OCI layout has under a tag. A folder that is not there has nothing.
///
/// # Errors
/// When the folder cannot be read, or is no layout.
pub fn tagged(folder: &Path, tag: &Tag) -> Result<Option<Digest>, OutputError> {
    layout::tagged(folder, tag)
}
