//! A base that `docker save` wrote: a tarball with `manifest.json`, configurations and layers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::World;
use super::fault::Fault;
use super::image::facts;
use super::project::{Inside, each_chunk};
use super::rootfs::media_type;
use crate::digest::{Digest, Hasher};
use crate::image::oci::{self, Config, LAYER_TAR};
use crate::lock::{LockedLayer, LockedPlatform};
use crate::name::Platform;
use crate::recipe::ProjectPath;

const MANIFEST: &str = "manifest.json";

/// More entries than any engine writes.
const MOST_ENTRIES: usize = 100_000;

/// One image of an archive.
#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

/// An entry of the archive.
#[derive(Clone)]
struct Member {
    digest: Digest,
    size: u64,
    head: Vec<u8>,
}

/// What an archive holds.
struct Archive {
    file: Inside,
    digest: Digest,
    members: BTreeMap<String, Member>,
    /// Older engines save a layer that two images share once, and a link to it.
    links: BTreeMap<String, String>,
    manifest: Option<Vec<u8>>,
}

pub(super) fn resolve(
    path: &ProjectPath,
    platforms: &BTreeSet<Platform>,
    world: &World<'_>,
) -> Result<(Digest, Vec<LockedPlatform>), Fault> {
    let file = Inside::of(world.project, Path::new(path.as_str()))?;
    let archive = Archive::read(file)?;
    let images = archive.images()?;
    let locked = platforms.iter().map(|wanted| {
        let mut fitting = images.iter().filter(|(_, _, config)| config.is_for(wanted));
        match (fitting.next(), fitting.next()) {
            (Some((saved, digest, config)), None) => {
                let layers = archive.layers(saved, config)?;
                Ok(facts(wanted, archive.digest, Some(*digest), config, layers))
            }
            (Some(_), Some(_)) => {
                Err(archive.file.wrong(format!("it holds several images for {wanted}; save just the one")))
            }
            (None, _) => Err(Fault::Platform {
                subject: archive.file.shown.display().to_string(),
                wanted: wanted.clone(),
                there: images.iter().map(|(_, _, config)| config.platform().to_string()).collect(),
            }),
        }
    });
    Ok((archive.digest, locked.collect::<Result<_, _>>()?))
}

impl Archive {
    /// One pass: the digest of the whole and of each entry.
    fn read(file: Inside) -> Result<Self, Fault> {
        let mut reader = tar::Archive::new(Hashing { inner: file.open()?.0, hasher: Hasher::default() });
        let (mut members, mut links, mut manifest) = (BTreeMap::new(), BTreeMap::new(), None);
        for entry in entries(&mut reader).map_err(|e| no_tar(&file, &e))? {
            let mut entry = entry.map_err(|e| no_tar(&file, &e))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            if members.len() + links.len() > MOST_ENTRIES {
                return Err(file.wrong(format!("it has more than {MOST_ENTRIES} entries")));
            }
            let kind = entry.header().entry_type();
            // Two entries of one name are two images to two readers.
            let twice = members.contains_key(&name) || links.contains_key(&name);
            if twice && (kind.is_file() || kind.is_symlink() || kind.is_hard_link()) {
                return Err(file.wrong(format!("it has two entries `{}`", shorten(&name))));
            }
            if kind.is_symlink() || kind.is_hard_link() {
                let target = entry.link_name_bytes().unwrap_or_default();
                links.insert(name, String::from_utf8_lossy(&target).into_owned());
                continue;
            }
            if !kind.is_file() {
                continue;
            }
            if name == MANIFEST {
                let bytes = read_all(&file, &mut entry)?;
                if manifest.replace(bytes).is_some() {
                    return Err(file.wrong(format!("it has two `{MANIFEST}`")));
                }
                continue;
            }
            let member = member(&mut entry).map_err(file.io())?;
            members.insert(name, member);
        }
        let mut hashing = reader.into_inner();
        // Behind the end of a tarball may come padding, which counts for the file's digest.
        each_chunk(&mut hashing, |_| {}).map_err(file.io())?;
        let (digest, _) = hashing.hasher.finish();
        Ok(Self { file, digest, members, links, manifest })
    }

    fn images(&self) -> Result<Vec<(Saved, Digest, Config)>, Fault> {
        let Some(manifest) = &self.manifest else {
            return Err(self.file.wrong(format!("it has no `{MANIFEST}`: `docker save` did not write it")));
        };
        let saved: Vec<Saved> = serde_json::from_slice(manifest)
            .map_err(|error| self.file.wrong(format!("its `{MANIFEST}` cannot be read: {error}")))?;
        let configs = self.configs(&saved.iter().map(|image| image.config.as_str()).collect())?;
        let image = |image: Saved| match configs.get(image.config.as_str()) {
            Some((digest, config)) => Ok((image, *digest, config.clone())),
            None => Err(self.missing(&image.config)),
        };
        saved.into_iter().map(image).collect()
    }

    /// A second pass, because `manifest.json` stands behind what it names.
    fn configs(&self, names: &BTreeSet<&str>) -> Result<BTreeMap<String, (Digest, Config)>, Fault> {
        let mut reader = tar::Archive::new(self.file.open()?.0);
        let mut configs = BTreeMap::new();
        for entry in entries(&mut reader).map_err(|e| no_tar(&self.file, &e))? {
            let mut entry = entry.map_err(|e| no_tar(&self.file, &e))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
            if !names.contains(name.as_str()) || !entry.header().entry_type().is_file() {
                continue;
            }
            let bytes = read_all(&self.file, &mut entry)?;
            let digest = Digest::of(&bytes);
            if self.members.get(&name).is_none_or(|member| member.digest != digest) {
                return Err(self.file.wrong("it changed while it was read"));
            }
            let subject = format!("{} ({})", self.file.shown.display(), shorten(&name));
            configs.insert(name, (digest, oci::config(&bytes).map_err(Fault::in_file(&subject))?));
        }
        Ok(configs)
    }

    fn layers(&self, saved: &Saved, config: &Config) -> Result<Vec<LockedLayer>, Fault> {
        if saved.layers.len() != config.diff_ids.len() {
            let (layers, unpacked) = (saved.layers.len(), config.diff_ids.len());
            return Err(self.file.wrong(format!("its manifest has {layers} layers, its configuration {unpacked}")));
        }
        let layer = |(name, diff_id): (&String, &Digest)| {
            let member = self.member(name).ok_or_else(|| self.missing(name))?;
            let wrong = |message: &str| self.file.wrong(format!("layer `{}`: {message}", shorten(name)));
            let media_type = media_type(&member.head).map_err(wrong)?;
            if media_type == LAYER_TAR && member.digest != *diff_id {
                return Err(wrong(&format!("it should be {diff_id}, it is {}", member.digest)));
            }
            Ok(LockedLayer { digest: member.digest, size: member.size, media_type })
        };
        saved.layers.iter().zip(&config.diff_ids).map(layer).collect()
    }

    fn member(&self, name: &str) -> Option<&Member> {
        self.members.get(name).or_else(|| {
            let target = self.links.get(name)?;
            let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
            let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
            for part in target.split('/') {
                match part {
                    ".." => drop(path.pop()?),
                    "." | "" => {}
                    part => path.push(part),
                }
            }
            self.members.get(&path.join("/"))
        })
    }

    fn missing(&self, name: &str) -> Fault {
        self.file.wrong(format!("it has no `{}`, which its `{MANIFEST}` names", shorten(name)))
    }
}

/// Where the files of some sizes are in an archive, by digest: at which offset, and how long.
pub(in crate::bake) fn members(
    file: &Inside,
    wanted: &dyn Fn(u64) -> bool,
) -> Result<BTreeMap<Digest, (u64, u64)>, Fault> {
    let mut reader = tar::Archive::new(file.open()?.0);
    let mut found = BTreeMap::new();
    for entry in reader.entries_with_seek().map_err(|e| no_tar(file, &e))?.raw(true) {
        let mut entry = entry.map_err(|e| no_tar(file, &e))?;
        if entry.header().entry_type().is_file() && wanted(entry.size()) {
            let offset = entry.raw_file_position();
            let Member { digest, size, .. } = member(&mut entry).map_err(file.io())?;
            found.insert(digest, (offset, size));
        }
    }
    Ok(found)
}

/// The entries as they stand: extended headers, which the reader would otherwise take whole into memory, are passed
/// over, because no name that an engine writes needs one.
fn entries<R: Read>(reader: &mut tar::Archive<R>) -> io::Result<tar::Entries<'_, R>> {
    Ok(reader.entries()?.raw(true))
}

fn no_tar(file: &Inside, error: &io::Error) -> Fault {
    file.wrong(format!("it is no tarball as `docker save` writes it (uncompressed): {error}"))
}

fn read_all(file: &Inside, entry: &mut impl Read) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    entry.take(oci::LONGEST_CONFIG + 1).read_to_end(&mut bytes).map_err(file.io())?;
    if bytes.len() as u64 > oci::LONGEST_CONFIG {
        return Err(file.wrong(format!("a JSON document in it has more than {} bytes", oci::LONGEST_CONFIG)));
    }
    Ok(bytes)
}

fn member(entry: &mut impl Read) -> io::Result<Member> {
    let (mut hasher, mut head) = (Hasher::default(), Vec::new());
    each_chunk(entry, |chunk| {
        hasher.update(chunk);
        let room = 512_usize.saturating_sub(head.len());
        head.extend_from_slice(&chunk[..room.min(chunk.len())]);
    })?;
    let (digest, size) = hasher.finish();
    Ok(Member { digest, size, head })
}

fn shorten(name: &str) -> String {
    name.chars().take(100).collect()
}

/// Takes the digest of all that is read.
struct Hashing {
    inner: File,
    hasher: Hasher,
}

impl Read for Hashing {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.hasher.update(&into[..n]);
        Ok(n)
    }
}
