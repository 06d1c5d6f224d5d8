//! An archive that `docker load` and `podman load` take, and `skopeo` reads as `docker-archive:`.
//!
//! It is a tarball with `manifest.json`, the image's configuration and its layers, for one platform. The file
//! `repositories` of older days is left out: it speaks of ids that images have no more, and no engine since Docker
//! 1.10 asks for it. Layers stay packed as they are, plain or gzip, which all of them read; zstd is unpacked, because
//! Docker reads it from version 23 on only. The same image makes the same bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use super::aside::Aside;
use super::blobs::Blobs;
use super::fault::OutputError;
use super::image::Image;
use crate::bake::built::BuiltLayer;
use crate::name::Platform;

/// What a tarball is made of.
const BLOCK: usize = 512;

pub(super) fn write(image: &Image<'_>, path: &Path, host: &Platform, blobs: &Blobs<'_>) -> Result<(), OutputError> {
    let one = image.one(host)?;
    let config = format!("{}.json", one.config.digest.hex());
    let layers: Vec<_> = one.layers.iter().map(name).collect();
    let manifest = json!([{
        "Config": config,
        "RepoTags": [format!("{}:{}", image.repository(), image.tag())],
        "Layers": layers,
    }]);
    let mut archive = Archive { file: Aside::beside(path)?, blobs };
    let manifest = manifest.to_string().into_bytes();
    archive.entry("manifest.json", manifest.len() as u64, |file| {
        file.write_all(&manifest).map_err(|error| file.failed(error))
    })?;
    archive.entry(&config, one.config.size, |file| blobs.copy(&one.config, file))?;
    let mut written = BTreeSet::new();
    for layer in &one.layers {
        // An image may have one layer twice.
        if written.insert(layer.diff_id) {
            archive.layer(layer)?;
        }
    }
    let mut file = archive.file;
    file.write_all(&[0; 2 * BLOCK]).map_err(|error| file.failed(error))?;
    file.finish()
}

/// What a layer is called in the archive.
fn name(layer: &BuiltLayer) -> String {
    format!("{}.tar", layer.diff_id.hex())
}

struct Archive<'a> {
    file: Aside,
    blobs: &'a Blobs<'a>,
}

impl Archive<'_> {
    fn layer(&mut self, layer: &BuiltLayer) -> Result<(), OutputError> {
        let (at, blobs) = (&layer.descriptor, self.blobs);
        if !at.media_type.ends_with("zstd") {
            return self.entry(&name(layer), at.size, |file| blobs.copy(at, file));
        }
        // How long it will be is known afterwards: then the header is written once more.
        let header = self.file.position().map_err(|error| self.file.failed(error))?;
        self.entry(&name(layer), 0, |_| Ok(()))?;
        let size = blobs.unpack_zstd(layer, &mut self.file)?;
        self.pad(size)?;
        let header_of = ustar(&name(layer), size).map_err(|error| self.file.failed(error))?;
        self.file.rewrite(header, header_of.as_bytes()).map_err(|error| self.file.failed(error))
    }

    fn entry(
        &mut self,
        name: &str,
        size: u64,
        content: impl FnOnce(&mut Aside) -> Result<(), OutputError>,
    ) -> Result<(), OutputError> {
        let header = ustar(name, size).map_err(|error| self.file.failed(error))?;
        self.file.write_all(header.as_bytes()).map_err(|error| self.file.failed(error))?;
        content(&mut self.file)?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> Result<(), OutputError> {
        let rest = usize::try_from(size.wrapping_neg() % BLOCK as u64).unwrap_or_default();
        self.file.write_all(&[0; BLOCK][..rest]).map_err(|error| self.file.failed(error))
    }
}

/// The same for everybody: no owner, no time.
fn ustar(name: &str, size: u64) -> io::Result<tar::Header> {
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
