//! An archive that `docker load` and `podman load` take, and `skopeo` reads as `docker-archive:`.
//!
//! It is a tarball with `manifest.json`, the image's configuration and its layers, for one platform. The file
//! `repositories` of older days is left out: it speaks of ids that images have no more, and no engine since Docker
//! 1.10 asks for it. Layers stay packed as they are, plain or gzip, which all of them read; zstd is unpacked, because
//! Docker reads it from version 23 on only. The same image makes the same bytes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use super::aside::Aside;
use super::blobs::Blobs;
use super::fault::OutputError;
use super::image::Image;
use crate::bake::built::BuiltLayer;
use crate::bake::saved;
use crate::name::Platform;

pub(super) fn write(image: &Image<'_>, path: &Path, host: &Platform, blobs: &Blobs<'_>) -> Result<(), OutputError> {
    let one = image.one(host)?;
    let name = format!("{}:{}", image.repository(), image.tag());
    let mut archive = Archive { file: Aside::beside(path)?, blobs };
    let manifest = saved::manifest(&one.config.digest, &name, &one.layers).into_bytes();
    archive.entry("manifest.json", manifest.len() as u64, |file| {
        file.write_all(&manifest).map_err(|error| file.failed(error))
    })?;
    archive.entry(&saved::config_name(&one.config.digest), one.config.size, |file| blobs.copy(&one.config, file))?;
    let mut written = BTreeSet::new();
    for layer in &one.layers {
        // An image may have one layer twice.
        if written.insert(layer.diff_id) {
            archive.layer(layer)?;
        }
    }
    let mut file = archive.file;
    file.write_all(saved::END).map_err(|error| file.failed(error))?;
    file.finish()
}

struct Archive<'a> {
    file: Aside,
    blobs: &'a Blobs<'a>,
}

impl Archive<'_> {
    fn layer(&mut self, layer: &BuiltLayer) -> Result<(), OutputError> {
        let (at, blobs, name) = (&layer.descriptor, self.blobs, saved::layer_name(&layer.diff_id));
        if !at.media_type.ends_with("zstd") {
            return self.entry(&name, at.size, |file| blobs.copy(at, file));
        }
        // How long it will be is known afterwards: then the header is written once more.
        let header = self.file.position().map_err(|error| self.file.failed(error))?;
        self.entry(&name, 0, |_| Ok(()))?;
        let size = blobs.unpack_zstd(layer, &mut self.file)?;
        self.pad(size)?;
        let header_of = saved::header(&name, size).map_err(|error| self.file.failed(error))?;
        self.file.rewrite(header, header_of.as_bytes()).map_err(|error| self.file.failed(error))
    }

    fn entry(
        &mut self,
        name: &str,
        size: u64,
        content: impl FnOnce(&mut Aside) -> Result<(), OutputError>,
    ) -> Result<(), OutputError> {
        let header = saved::header(name, size).map_err(|error| self.file.failed(error))?;
        self.file.write_all(header.as_bytes()).map_err(|error| self.file.failed(error))?;
        content(&mut self.file)?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), OutputError> {
        self.file.write_all(saved::padding(size)).map_err(|error| self.file.failed(error))
    }
}
