//! An image on its way into an engine: what `docker save` would write of it, made while it is sent.
//!
//! Layers that the engine has are left out where it allows that: Docker looks for each by what lies below it, and opens
//! only those that it lacks. Should it want them after all, everything is sent.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read, Seek};

use crate::bake::built::BuiltLayer;
use crate::bake::event::{Listener, Task};
use crate::bake::port::{Engine, PortError};
use crate::bake::saved;
use crate::digest::{Digest, Verifying};
use crate::store::Store;

/// An image whose layers are in the store.
#[derive(Clone, Copy)]
pub struct Handover<'h> {
    /// The bytes of its configuration.
    pub config: &'h [u8],
    /// Its name in the engine: a repository and a tag.
    pub name: &'h str,
    /// Its layers, from the bottom up.
    pub layers: &'h [BuiltLayer],
    /// Where their bytes are.
    pub store: &'h Store,
    /// Who is told.
    pub tell: Listener<'h>,
}

/// What went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many layers.
    pub layers: usize,
    /// How many bytes of them.
    pub bytes: u64,
}

impl Handover<'_> {
    /// Brings the image into an engine, and tells what had to be sent for it.
    ///
    /// # Errors
    /// When a layer is not in the store; when the engine does not take it.
    pub fn to(&self, engine: &dyn Engine) -> Result<Sent, PortError> {
        let held = if engine.facts().takes_parts { self.held_by(engine)? } else { 0 };
        let sent = match self.send(engine, held) {
            // Other programs that speak Docker's API want to see every layer.
            Err(PortError::Docker { .. }) if held > 0 => self.send(engine, 0)?,
            sent => sent?,
        };
        if engine.image(self.name)?.is_none() {
            return Err(PortError::Docker {
                subject: format!("the engine at {}", engine.facts().address),
                message: format!("it took the image {} and does not have it", self.name),
                help: "the engine's own log says more".to_owned(),
            });
        }
        Ok(sent)
    }

    /// How many layers from the bottom the engine has.
    fn held_by(&self, engine: &dyn Engine) -> Result<usize, PortError> {
        let own: Vec<Digest> = self.layers.iter().map(|layer| layer.diff_id).collect();
        let alike = |stack: &Vec<Digest>| own.iter().zip(stack).take_while(|(own, its)| own == its).count();
        Ok(engine.stacks()?.iter().map(alike).max().unwrap_or(0))
    }

    fn send(&self, engine: &dyn Engine, without: usize) -> Result<Sent, PortError> {
        let layers = self.layers.iter().skip(without);
        let mut seen: BTreeSet<Digest> = self.layers.iter().take(without).map(|layer| layer.diff_id).collect();
        let sent: Vec<_> = layers.filter(|layer| seen.insert(layer.diff_id)).collect();
        let mut archive = Archive { parts: self.head()?, now: None };
        let mut bytes = 0;
        for layer in &sent {
            let (part, size) = self.layer(layer)?;
            bytes += size;
            archive.parts.extend([header(&saved::layer_name(&layer.diff_id), size)?, part, padding(size)]);
        }
        archive.parts.push_back(Part::Bytes(saved::END.to_vec()));
        let task = format!("{} to {}", self.name, engine.facts().address);
        let task = Task::begin(&task, Some(bytes), self.tell);
        engine.load(&mut Counted { inner: archive, task: &task })?;
        Ok(Sent { layers: sent.len(), bytes })
    }

    /// What stands before the layers.
    fn head(&self) -> Result<VecDeque<Part>, PortError> {
        let config = Digest::of(self.config);
        let manifest = saved::manifest(&config, self.name, self.layers);
        let mut parts = VecDeque::new();
        let config = saved::config_name(&config);
        for (name, bytes) in [("manifest.json", manifest.into_bytes()), (&config, self.config.to_vec())] {
            let size = bytes.len() as u64;
            parts.extend([header(name, size)?, Part::Bytes(bytes), padding(size)]);
        }
        Ok(parts)
    }

    /// A layer, packed as it is; zstd is unpacked, because Docker reads it from version 23 on only.
    fn layer(&self, layer: &BuiltLayer) -> Result<(Part, u64), PortError> {
        let at = &layer.descriptor;
        let lost = || PortError::Wrong {
            subject: at.digest.to_string(),
            message: "this layer is not in the store any more: build the image again".to_owned(),
        };
        if !at.media_type.ends_with("zstd") {
            let size = self.store.size(&at.digest).ok_or_else(lost)?;
            return Ok((Part::Blob(self.store.read(&at.digest)?.ok_or_else(lost)?), size));
        }
        let blob = self.store.read(&at.digest)?.ok_or_else(lost)?;
        let unreadable = |error: io::Error| PortError::Wrong {
            subject: at.digest.to_string(),
            message: format!("this layer cannot be unpacked: {error}"),
        };
        let decoder = zstd::stream::read::Decoder::new(blob).map_err(unreadable)?;
        let mut file = self.store.scratch_copy(&mut Verifying::new(decoder, layer.diff_id, None))?;
        let size = file.seek(io::SeekFrom::End(0)).and_then(|size| file.rewind().map(|()| size)).map_err(unreadable)?;
        Ok((Part::File(file), size))
    }
}

fn header(name: &str, size: u64) -> Result<Part, PortError> {
    let wrong = |error: io::Error| PortError::Wrong { subject: name.to_owned(), message: error.to_string() };
    Ok(Part::Bytes(saved::header(name, size).map_err(wrong)?.as_bytes().to_vec()))
}

fn padding(size: u64) -> Part {
    Part::Bytes(saved::padding(size).to_vec())
}

/// A piece of the archive.
enum Part {
    Bytes(Vec<u8>),
    Blob(Verifying<File>),
    File(File),
}

/// All pieces, one after the other.
struct Archive {
    parts: VecDeque<Part>,
    now: Option<Box<dyn Read>>,
}

impl Read for Archive {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(now) = &mut self.now {
                let n = now.read(into)?;
                if n > 0 || into.is_empty() {
                    return Ok(n);
                }
            }
            self.now = match self.parts.pop_front() {
                None => return Ok(0),
                Some(Part::Bytes(bytes)) => Some(Box::new(io::Cursor::new(bytes))),
                Some(Part::Blob(blob)) => Some(Box::new(blob)),
                Some(Part::File(file)) => Some(Box::new(file)),
            };
        }
    }
}

/// Tells of what has been read.
struct Counted<'t> {
    inner: Archive,
    task: &'t Task<'t>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(into)?;
        self.task.advance(n as u64);
        Ok(n)
    }
}
