//! Files of the project that are inputs, opened so that neither a link nor a device is read for one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::digest::{Digest, Hasher};

/// A path in the project that was followed to its end and did not leave.
pub(in crate::bake) struct Inside {
    /// How people call it: from the project's folder.
    pub(in crate::bake) shown: PathBuf,
    real: PathBuf,
    project: PathBuf,
}

impl Inside {
    /// Follows `path` from the project's folder.
    pub(in crate::bake) fn of(project: &Path, path: &Path) -> Result<Self, Fault> {
        let shown = path.to_owned();
        let io = |source| Fault::Io { path: shown.clone(), source };
        let root = project.canonicalize().map_err(io)?;
        let real = root.join(path).canonicalize().map_err(io)?;
        if !real.starts_with(&root) {
            let message = format!("it is a link that leaves the project, to {}", real.display());
            return Err(Fault::wrong(&shown.display(), message));
        }
        Ok(Self { shown, real, project: root })
    }

    /// Something in this folder.
    pub(in crate::bake) fn join(&self, path: &str) -> Result<Self, Fault> {
        let inside = Self::of(&self.project, &self.shown.join(path))?;
        if inside.real.starts_with(&self.real) {
            Ok(inside)
        } else {
            Err(Fault::wrong(&inside.shown.display(), format!("it is a link that leaves {}", self.shown.display())))
        }
    }

    pub(in crate::bake) fn io(&self) -> impl Fn(io::Error) -> Fault {
        |source| Fault::Io { path: self.shown.clone(), source }
    }

    pub(in crate::bake) fn wrong(&self, message: impl Into<String>) -> Fault {
        Fault::wrong(&self.shown.display(), message)
    }

    /// Opens this file; a folder, pipe or device is none. Tells its size too.
    pub(in crate::bake) fn open(&self) -> Result<(File, u64), Fault> {
        // Looked at before it is opened: to open a pipe would wait for its writer.
        let meta = fs::metadata(&self.real).map_err(self.io())?;
        if !meta.is_file() {
            return Err(self.wrong("it is no regular file"));
        }
        if meta.len() > super::LARGEST_ARTEFACT {
            let message = format!("it has {} bytes; up to {} are taken", meta.len(), super::LARGEST_ARTEFACT);
            return Err(self.wrong(message));
        }
        Ok((File::open(&self.real).map_err(self.io())?, meta.len()))
    }

    /// All bytes of a small file.
    pub(in crate::bake) fn read(&self, limit: u64) -> Result<Vec<u8>, Fault> {
        let (file, _) = self.open()?;
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(self.io())?;
        if bytes.len() as u64 > limit {
            return Err(self.wrong(format!("it has more than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// The digest and size of this file; every byte is shown to `also` as it passes.
    pub(in crate::bake) fn digest(&self, mut also: impl FnMut(&[u8])) -> Result<(Digest, u64), Fault> {
        let (mut file, _) = self.open()?;
        let mut hasher = Hasher::default();
        each_chunk(&mut file, |chunk| {
            hasher.update(chunk);
            also(chunk);
        })
        .map_err(self.io())?;
        Ok(hasher.finish())
    }
}

/// Shows a reader's bytes, piece by piece.
pub(in crate::bake) fn each_chunk(from: &mut impl Read, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
