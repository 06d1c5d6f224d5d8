//! An image in an archive that `docker save` or elkbake wrote.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;

use super::documents::layers;
use super::layout::open;
use crate::bake::found::{Found, FoundImage, Holder};
use crate::bake::resolve::Fault;
use crate::contents::Contents;
use crate::digest::Hasher;
use crate::image::oci::{self, Descriptor, LAYER_TAR};
use crate::name::Platform;

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

/// An archive.
#[derive(Clone, Debug)]
pub struct DockerArchive {
    shown: String,
    members: BTreeMap<String, Descriptor>,
    contents: Contents,
}

impl DockerArchive {
    /// Reads an archive once and remembers what is where in it. `shown` is how people call it.
    ///
    /// # Errors
    /// When it cannot be read, or is no such archive.
    pub fn open(path: &Path, shown: String) -> Result<Self, Fault> {
        let file = Arc::new(open(path)?);
        let failed = |source: io::Error| match source.kind() {
            ErrorKind::Other | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Fault::Wrong {
                subject: shown.clone(),
                message: format!("it is no tarball as `docker save` writes it (uncompressed): {source}"),
            },
            _ => Fault::Io { path: path.to_owned(), source },
        };
        let (members, contents) = members(&file).map_err(failed)?;
        Ok(Self { shown, members, contents })
    }

    fn wrong(&self, message: impl Into<String>) -> Fault {
        Fault::Wrong { subject: self.shown.clone(), message: message.into() }
    }

    fn member(&self, name: &str) -> Result<&Descriptor, Fault> {
        let missing = || self.wrong(format!("it has no `{}`", name.chars().take(100).collect::<String>()));
        self.members.get(name).ok_or_else(missing)
    }

    fn json(&self, name: &str) -> Result<Vec<u8>, Fault> {
        let bytes = self.contents.bytes(&self.member(name)?.digest, oci::LONGEST_CONFIG);
        bytes.map_err(|error| self.wrong(format!("`{name}`: {error}")))
    }

    fn image(&self, saved: &Saved) -> Result<FoundImage, Fault> {
        let config = oci::config(&self.json(&saved.config)?).map_err(|error| self.wrong(error.to_string()))?;
        let descriptors = saved.layers.iter().map(|name| self.member(name).cloned());
        let descriptors = descriptors.collect::<Result<Vec<_>, _>>()?;
        Ok(FoundImage {
            platform: config.platform(),
            manifest: None,
            config_digest: self.member(&saved.config)?.digest,
            annotations: BTreeMap::new(),
            layers: layers(&descriptors, &config).map_err(|message| self.wrong(message))?,
            plugins: Vec::new(),
            config,
        })
    }
}

impl Holder for DockerArchive {
    fn find(&self, only: Option<&Platform>) -> Result<Found, Fault> {
        let saved: Vec<Saved> = serde_json::from_slice(&self.json(MANIFEST)?)
            .map_err(|error| self.wrong(format!("its `{MANIFEST}` cannot be read: {error}")))?;
        let images = saved.iter().map(|saved| self.image(saved)).collect::<Result<Vec<_>, _>>()?;
        let Some(wanted) = only else { return Ok(Found { digest: None, images }) };
        let there = images.iter().map(|image| image.platform.to_string()).collect();
        let images: Vec<_> = images.into_iter().filter(|image| image.is_for(wanted)).collect();
        if images.is_empty() {
            return Err(Fault::Platform { subject: self.shown.clone(), wanted: wanted.clone(), there });
        }
        Ok(Found { digest: None, images })
    }

    fn layer(&self, at: &Descriptor) -> Result<Box<dyn Read + Send + '_>, Fault> {
        let reader = self.contents.open(&at.digest).map_err(|error| self.wrong(error.to_string()))?;
        Ok(Box::new(reader))
    }
}

/// What is in an archive under which name, and where.
fn members(file: &Arc<File>) -> io::Result<(BTreeMap<String, Descriptor>, Contents)> {
    let (mut members, mut links, mut contents) = (BTreeMap::new(), Vec::new(), Contents::default());
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(128 << 10, &**file));
    // As they stand: no name that an engine writes needs an extended header.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        if members.len() + links.len() > MOST_ENTRIES {
            return Err(io::Error::other(format!("it has more than {MOST_ENTRIES} entries")));
        }
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name_bytes().unwrap_or_default();
            links.push((name, String::from_utf8_lossy(&target).into_owned()));
        } else if kind.is_file() {
            let at = entry.raw_file_position();
            let member = member(&mut entry)?;
            contents.add_part(member.digest, Arc::clone(file), at, member.size);
            // Two entries of one name are two images to two readers.
            if members.insert(name.clone(), member).is_some() {
                return Err(io::Error::other(format!("it has two entries `{name}`")));
            }
        }
    }
    // Older engines save a layer that two images share once, and a link to it.
    for (name, target) in links {
        if let Some(target) = resolved(&name, &target).and_then(|target| members.get(&target)).cloned() {
            members.entry(name).or_insert(target);
        }
    }
    Ok((members, contents))
}

/// Where a link in the archive leads to; nowhere where it would leave.
fn resolved(name: &str, target: &str) -> Option<String> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => drop(path.pop()?),
            "." | "" => {}
            part => path.push(part),
        }
    }
    Some(path.join("/"))
}

fn member(entry: &mut impl Read) -> io::Result<Descriptor> {
    let (mut hasher, mut head) = (Hasher::default(), Vec::new());
    let mut buffer = vec![0; 128 << 10];
    loop {
        match entry.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                let room = 4_usize.saturating_sub(head.len()).min(n);
                head.extend_from_slice(&buffer[..room]);
                hasher.update(&buffer[..n]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let (digest, size) = hasher.finish();
    let suffix = match head[..] {
        [0x1f, 0x8b, ..] => "+gzip",
        [0x28, 0xb5, 0x2f, 0xfd] => "+zstd",
        _ => "",
    };
    Ok(Descriptor { digest, size, media_type: format!("{LAYER_TAR}{suffix}") })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn open(bytes: &[u8]) -> Result<Found, Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        DockerArchive::open(file.path(), "docker-archive:a.tar".to_owned())?.find(None)
    }

    fn tar(entries: &[(u8, &str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (kind, name, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            header.set_entry_type(tar::EntryType::new(*kind));
            header.set_size(if *kind == b'2' { 0 } else { bytes.len() as u64 });
            if *kind == b'2' {
                tar.append_link(&mut header, name, std::str::from_utf8(bytes).unwrap()).unwrap();
            } else {
                tar.append_data(&mut header, name, *bytes).unwrap();
            }
        }
        tar.into_inner().unwrap()
    }

    fn config(layers: usize) -> Vec<u8> {
        let diff_ids = vec![crate::digest::Digest::of(b"layer"); layers];
        let config = serde_json::json!({ "architecture": "amd64", "os": "linux", "rootfs": { "diff_ids": diff_ids } });
        config.to_string().into_bytes()
    }

    #[test]
    fn layers_are_found_by_name_and_through_links() {
        let manifest = br#"[{"Config":"c.json","Layers":["a/layer.tar","b/layer.tar"]}]"#;
        let entries: [(u8, &str, &[u8]); 4] = [
            (b'2', "b/layer.tar", b"../a/layer.tar"),
            (b'0', "a/layer.tar", b"layer"),
            (b'0', "c.json", &config(2)),
            (b'0', "manifest.json", manifest),
        ];
        let image = open(&tar(&entries)).unwrap().images.remove(0);
        assert_eq!(image.layers[0].descriptor, image.layers[1].descriptor);
        assert_eq!(image.layers[0].descriptor.size, 5);
    }

    #[test]
    fn what_is_missing_twice_or_does_not_fit_is_told() {
        let manifest = br#"[{"Config":"c.json","Layers":["l.tar"]}]"#;
        let all: [(u8, &str, &[u8]); 3] =
            [(b'0', "l.tar", b"layer"), (b'0', "c.json", &config(1)), (b'0', "manifest.json", manifest)];
        open(&tar(&all)).unwrap();
        for (missing, why) in [(0, "no `l.tar`"), (1, "no `c.json`"), (2, "no `manifest.json`")] {
            let some: Vec<_> = all.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, one)| *one).collect();
            let error = open(&tar(&some)).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let error = open(&tar(&[all[0], all[0]])).unwrap_err().to_string();
        assert!(error.contains("two entries `l.tar`"), "{error}");
        let wrong = config(3);
        let error = open(&tar(&[all[0], (b'0', "c.json", &wrong), all[2]])).unwrap_err().to_string();
        assert!(error.contains("1 layers, its configuration 3"), "{error}");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(bytes: Vec<u8>, at in 0..2000_usize, byte: u8) {
            let _ = open(&bytes);
            let config = config(1);
            let manifest = br#"[{"Config":"c.json","Layers":["l.tar"]}]"#;
            let mut right =
                tar(&[(b'0', "l.tar", b"layer"), (b'0', "c.json", &config), (b'0', "manifest.json", manifest)]);
            right[at] = byte;
            let _ = open(&right);
        }
    }
}
