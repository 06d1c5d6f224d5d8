//! An OCI layout: a folder with blobs by digest, and an index that names images by tag.
//!
//! Blobs are copied and not linked: a blob of the store that others can change through another name would no longer be
//! what the store says it is. One run at a time writes to a layout, so that none loses what another added.

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::aside::{Aside, PREFIX};
use super::blobs::{BUFFER, Blobs};
use super::fault::OutputError;
use super::image::blob_name;
use crate::aside::{self, Turn};
use crate::digest::{Digest, Verifying};
use crate::image::oci::{Descriptor, LONGEST_MANIFEST, REF_NAME};
use crate::name::Tag;
use crate::parallel;

/// The file that makes a folder a layout, and the only version of layouts that there is.
const MARK: &str = "oci-layout";
const VERSION: &str = "1.0.0";

const INDEX: &str = "index.json";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

/// Whether a tag that has an image may get another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tags {
    Move,
    Stay,
}

/// Writes blobs, what is pointed to before what points to it, and puts the last under a tag. Tells of each whether it had
/// to be written.
pub(super) fn write(
    parts: &[&Descriptor],
    tag: &Tag,
    tags: Tags,
    path: &Path,
    blobs: &Blobs<'_>,
) -> Result<Vec<bool>, OutputError> {
    let Some(top) = parts.last() else { return Ok(Vec::new()) };
    let layout = Layout::open(path, blobs)?;
    layout.check_tag(top, tag, tags)?;
    let written = parallel::map(parts, |at| layout.put(at, blobs)).into_iter().collect::<Result<_, _>>()?;
    layout.name(top, tag.as_str())?;
    Ok(written)
}

/// What a layout has under a tag. A folder that is not there has nothing.
pub(super) fn tagged(path: &Path, tag: &Tag) -> Result<Option<Digest>, OutputError> {
    let path = path.join(INDEX);
    let Some(bytes) = read(&path, LONGEST_MANIFEST)? else { return Ok(None) };
    let index = parse(&bytes).map_err(|message| OutputError::taken(&path, message))?;
    let entries = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
    let entry = entries.iter().find(|entry| entry["annotations"][REF_NAME] == tag.as_str());
    Ok(entry.and_then(|entry| entry["digest"].as_str()?.parse().ok()))
}

/// Whether the folder is there already; what is there has to be a layout, or empty.
pub(super) fn exists(path: &Path) -> Result<bool, OutputError> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => check(path).map(|_| true),
        Ok(_) => Err(OutputError::taken(path, "there is a file where the OCI layout's folder is to be")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(OutputError::io("cannot read", path)(error)),
    }
}

/// A layout that nobody else is writing to.
struct Layout<'p> {
    path: &'p Path,
    _locked: Option<File>,
}

impl<'p> Layout<'p> {
    fn open(path: &'p Path, blobs: &Blobs<'_>) -> Result<Self, OutputError> {
        if !exists(path)? {
            fs::create_dir_all(path).map_err(OutputError::io("cannot make", path))?;
        }
        let layout = Self { path, _locked: lock(path, blobs)? };
        layout.drop_leftovers()?;
        // Once more: another run may have made something of the folder while this one waited.
        if !check(path)? {
            layout.save(MARK, format!("{{\"imageLayoutVersion\":\"{VERSION}\"}}").as_bytes())?;
        }
        let folder = path.join("blobs/sha256");
        fs::create_dir_all(&folder).map_err(OutputError::io("cannot make", &folder))?;
        Ok(layout)
    }

    /// Nobody else writes here now, so what the tag has, it has until we are done.
    fn check_tag(&self, top: &Descriptor, tag: &Tag, tags: Tags) -> Result<(), OutputError> {
        match tagged(self.path, tag)? {
            Some(theirs) if tags == Tags::Stay && theirs != top.digest => {
                let at = format!("oci:{}:{tag}", self.path.display());
                Err(OutputError::Tagged { at, ours: top.digest, theirs })
            }
            _ => Ok(()),
        }
    }

    /// What a killed run left: nobody else is at work here.
    fn drop_leftovers(&self) -> Result<(), OutputError> {
        let failed = |error| OutputError::io("cannot read", self.path)(error);
        for entry in fs::read_dir(self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                let path = entry.path();
                fs::remove_file(&path).map_err(OutputError::io("cannot remove", &path))?;
            }
        }
        Ok(())
    }

    /// Copies a blob and tells so, unless it is here and sound.
    fn put(&self, at: &Descriptor, blobs: &Blobs<'_>) -> Result<bool, OutputError> {
        let to = self.path.join(blob_name(&at.digest));
        if is_there(&to, &at.digest, at.size, blobs)? {
            blobs.passed(at.size);
            return Ok(false);
        }
        let mut aside = Aside::begin(self.path, &to)?;
        blobs.copy(at, &mut aside)?;
        aside.finish()?;
        Ok(true)
    }

    /// Puts an image under its tag, instead of the one that has it, and leaves all others as they are.
    fn name(&self, top: &Descriptor, tag: &str) -> Result<(), OutputError> {
        let path = self.path.join(INDEX);
        let mut index = match read(&path, LONGEST_MANIFEST)? {
            Some(bytes) => parse(&bytes).map_err(|message| OutputError::taken(&path, message))?,
            None => json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [] }),
        };
        let before = index.clone();
        let entry = json!({
            "mediaType": top.media_type,
            "digest": top.digest,
            "size": top.size,
            "annotations": { REF_NAME: tag },
        });
        if let Some(entries) = index["manifests"].as_array_mut() {
            let mut entry = Some(entry);
            entries.retain_mut(|old| {
                if old["annotations"][REF_NAME] != tag {
                    return true;
                }
                // A second entry of the tag, which nobody should have written, would make it mean two images.
                entry.take().map(|entry| *old = entry).is_some()
            });
            entries.extend(entry);
        }
        if index != before {
            self.save(INDEX, index.to_string().as_bytes())?;
        }
        let folder = self.path.join("blobs/sha256");
        aside::sync_folder(&folder).map_err(OutputError::io("cannot write", &folder))
    }

    fn save(&self, name: &str, bytes: &[u8]) -> Result<(), OutputError> {
        let mut aside = Aside::begin(self.path, &self.path.join(name))?;
        aside.write_all(bytes).map_err(|error| aside.failed(error))?;
        aside.finish()
    }
}

/// Refuses a folder that holds something else; tells whether it is marked as a layout already.
fn check(path: &Path) -> Result<bool, OutputError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Mark {
        image_layout_version: String,
    }
    let mark = path.join(MARK);
    match read(&mark, LONGEST_MANIFEST)?.map(|bytes| serde_json::from_slice::<Mark>(&bytes)) {
        Some(Ok(said)) if said.image_layout_version == VERSION => Ok(true),
        Some(_) => Err(OutputError::taken(&mark, format!("this is no OCI layout of version {VERSION}"))),
        None => {
            let failed = |error| OutputError::io("cannot read", path)(error);
            for entry in fs::read_dir(path).map_err(failed)? {
                if !entry.map_err(failed)?.file_name().to_string_lossy().starts_with(PREFIX) {
                    let message = format!("this folder is no OCI layout (it has no `{MARK}`) and is not empty");
                    return Err(OutputError::taken(path, message));
                }
            }
            Ok(false)
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Value, String> {
    let index: Value = serde_json::from_slice(bytes).map_err(|error| format!("it cannot be read: {error}"))?;
    if index["schemaVersion"] == 2 && index["manifests"].is_array() {
        Ok(index)
    } else {
        Err("it is no index of an OCI layout".to_owned())
    }
}

/// All of a small file, if it is there.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, OutputError> {
    let failed = |error| OutputError::io("cannot read", path)(error);
    // Looked at before it is opened: to open a pipe would wait for its writer.
    match fs::metadata(path) {
        Ok(meta) if !meta.is_file() => return Err(OutputError::taken(path, "it is no regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(failed)?,
    };
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(OutputError::taken(path, format!("it has more than {limit} bytes")));
    }
    Ok(Some(bytes))
}

/// Whether a file holds exactly a blob. One that does not is replaced: it is no use to anybody.
fn is_there(path: &Path, digest: &Digest, size: u64, blobs: &Blobs<'_>) -> Result<bool, OutputError> {
    match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() || meta.len() != size => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        found => found.map_err(OutputError::io("cannot read", path))?,
    };
    blobs.check_interrupt()?;
    let file = File::open(path).map_err(OutputError::io("cannot read", path))?;
    let mut bytes = BufReader::with_capacity(BUFFER, Verifying::new(file, *digest, Some(size)));
    match io::copy(&mut bytes, &mut io::sink()) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::InvalidData => Ok(false),
        Err(error) => Err(OutputError::io("cannot read", path)(error)),
    }
}

/// Waits until no other run writes to the layout. A file system without locks has the last writer win.
fn lock(path: &Path, blobs: &Blobs<'_>) -> Result<Option<File>, OutputError> {
    match aside::wait_for(path, &|| blobs.interrupt.requested()).map_err(OutputError::io("cannot lock", path))? {
        Turn::Mine(folder) => Ok(Some(folder)),
        Turn::NoLocks => Ok(None),
        Turn::Stopped => Err(OutputError::Interrupted),
    }
}
