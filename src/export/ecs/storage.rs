//! Where a container may write.

use std::collections::BTreeSet;

use super::document::{DockerVolume, HostFolder, LinuxParameters, MountPoint, Tmpfs, Volume};
use super::wishes::Mount;
use crate::name::{ImagePath, RecipeName};
use crate::recipe::Product;
use crate::record::Record;

/// What goes when the container goes, and is kept in memory.
const FLEETING: [&str; 2] = ["/tmp", "/run"];

/// MiB that may be in such a folder: they count as the container's memory.
const FLEETING_SIZE: u32 = 256;

/// A JVM loads native code from /tmp, so it has to be executable; and nobody needs set-user-id or devices there.
const FLEETING_OPTIONS: &[&str] = &["rw", "exec", "nosuid", "nodev"];

/// What must outlive a task, and where on the host it is: a node that starts without its data is a new one, and a
/// shipper that has forgotten how far it read sends everything once more.
const LASTING: [(Product, &str, &str); 2] = [
    (Product::Elasticsearch, "/usr/share/elasticsearch/data", "/var/lib/elasticsearch"),
    (Product::Filebeat, "/usr/share/filebeat/data", "/var/lib/filebeat"),
];

/// What of an image must outlive a task: its path in the container, and on the host.
pub(super) fn lasting(record: &Record) -> impl Iterator<Item = (&'static str, &'static str)> {
    let product = record.product;
    LASTING.iter().filter(move |(of, ..)| product == Some(*of)).map(|(_, inside, source)| (*inside, *source))
}

/// Whether an image writes to a folder of its own accord.
pub(super) fn writes(record: &Record, path: &ImagePath) -> bool {
    record.needs.writable.contains(path) || lasting(record).any(|(inside, _)| inside == path.as_str())
}

/// The volumes of a task.
#[derive(Default)]
pub(super) struct Storage {
    pub(super) volumes: Vec<Volume>,
}

/// What a container is told of its storage.
#[derive(Default)]
pub(super) struct Mounted {
    pub(super) read_only: bool,
    pub(super) points: Vec<MountPoint>,
    pub(super) linux: Option<LinuxParameters>,
}

impl Storage {
    /// Finds a place for everything that a container writes to, and for the folders of the host that it was given.
    pub(super) fn mount(&mut self, recipe: &RecipeName, record: &Record, mounts: &[&Mount]) -> Mounted {
        let mut mounted = Mounted { read_only: !record.needs.writable.is_empty(), ..Mounted::default() };
        let mut fleeting = Vec::new();
        let kept: Vec<_> = lasting(record).collect();
        let mut paths: BTreeSet<&str> = record.needs.writable.iter().map(ImagePath::as_str).collect();
        // Kept whether the recipe says that it is written to or not.
        paths.extend(kept.iter().map(|(path, _)| path));
        paths.retain(|path| mounts.iter().all(|mount| mount.path.as_str() != *path));
        for path in paths {
            if FLEETING.contains(&path) {
                let container_path = path.to_owned();
                fleeting.push(Tmpfs { container_path, size: FLEETING_SIZE, mount_options: FLEETING_OPTIONS });
                continue;
            }
            let lasting = kept.iter().find(|(inside, _)| *inside == path);
            let volume = match lasting {
                Some((_, source)) => Self::of_host((*source).to_owned()),
                // Docker fills a new volume with what the image has there, owners included; a folder of the host would
                // hide it.
                None => (None, Some(DockerVolume { scope: "task", driver: "local" })),
            };
            mounted.points.push(self.point(recipe, path, volume, false));
        }
        for mount in mounts {
            let volume = Self::of_host(mount.source.to_string());
            mounted.points.push(self.point(recipe, mount.path.as_str(), volume, mount.read_only));
        }
        mounted.linux = (!fleeting.is_empty()).then_some(LinuxParameters { tmpfs: fleeting });
        mounted
    }

    fn of_host(source_path: String) -> (Option<HostFolder>, Option<DockerVolume>) {
        (Some(HostFolder { source_path }), None)
    }

    fn point(
        &mut self,
        recipe: &RecipeName,
        path: &str,
        (host, docker_volume_configuration): (Option<HostFolder>, Option<DockerVolume>),
        read_only: bool,
    ) -> MountPoint {
        let name = self.free_name(recipe, path);
        self.volumes.push(Volume { name: name.clone(), host, docker_volume_configuration });
        MountPoint { source_volume: name, container_path: path.to_owned(), read_only }
    }

    /// A name made of the recipe and the last part of the path, and of more parts where that one is taken.
    fn free_name(&self, recipe: &RecipeName, path: &str) -> String {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        let names = (1..=parts.len()).map(|many| plain(&format!("{recipe}-{}", parts[parts.len() - many..].join("-"))));
        let numbered = (2..).map(|number| plain(&format!("{recipe}-{}-{number}", parts.join("-"))));
        let is_free = |name: &String| self.volumes.iter().all(|volume| volume.name != *name);
        names.chain(numbered).find(is_free).unwrap_or_default()
    }
}

/// A name as ECS takes it: letters, digits, `_` and `-`, up to 255.
pub(super) fn plain(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    text.chars().map(allowed).take(255).collect()
}
