//! The host's data volumes: what `/usr/libexec/elkbake/storage` is told, and how systemd calls it.
//!
//! The layout is made at boot and not in the image, since one image serves several instance types. The program and
//! the format of its file are in `host/storage.sh`.

use std::fmt::Write as _;

use super::instance_store::{self, Store};
use crate::digest::Digest;
use crate::name::ImagePath;
use crate::recipe::{AmiRecipe, FileSystem, Folder, Volume, VolumeKind};
use crate::tree::Mode;

/// Three files to read, one on the host.
const PROGRAM: &str = concat!(
    include_str!("host/storage.sh"),
    include_str!("host/storage/find.sh"),
    include_str!("host/storage/start.sh"),
);
const UNIT: &str = include_str!("host/elkbake-storage.service");
const UNIT_NAME: &str = "elkbake-storage.service";

/// How long a volume may take to be attached after the boot, in seconds.
const WAIT: u32 = 120;

/// Who must not start without the volumes.
const SERVICES: [&str; 3] = ["docker.service", "ecs.service", "elasticsearch.service"];

/// A file of the host: path, mode and content.
pub type HostFile = (String, Mode, Vec<u8>);

/// The files that lay out a recipe's volumes; none where it has none to mount.
#[must_use]
pub fn files(ami: &AmiRecipe) -> Vec<HostFile> {
    let mounted = mounted(ami);
    if mounted.is_empty() {
        return Vec::new();
    }
    let (plain, program) = (Mode::new(0o644), Mode::new(0o755));
    let units = "/etc/systemd/system";
    let mut files = vec![
        ("/etc/elkbake/storage.conf".to_owned(), plain, configuration(ami).into_bytes()),
        (format!("{units}/{UNIT_NAME}"), plain, UNIT.into()),
        ("/usr/libexec/elkbake/storage".to_owned(), program, PROGRAM.into()),
    ];
    for service in services(&mounted) {
        files.push((format!("{units}/{service}.d/50-{}.conf", "elkbake-storage"), plain, drop_in(&mounted).into()));
    }
    files
}

/// The links that make systemd start it at boot: path and what it holds.
#[must_use]
pub fn links(ami: &AmiRecipe) -> Vec<(String, String)> {
    let link = || (format!("/etc/systemd/system/multi-user.target.wants/{UNIT_NAME}"), format!("../{UNIT_NAME}"));
    if mounted(ami).is_empty() { Vec::new() } else { vec![link()] }
}

/// The packages without which the volumes cannot be laid out: they are called the same by Amazon Linux and Debian.
#[must_use]
pub fn packages(ami: &AmiRecipe) -> Vec<&'static str> {
    let any = |wanted: &dyn Fn(&Volume) -> bool| mounted(ami).iter().any(|(volume, _)| wanted(volume));
    let needs = [
        ("e2fsprogs", any(&|volume| volume.filesystem == FileSystem::Ext4)),
        ("mdadm", any(&|volume| volume.raid0)),
        ("xfsprogs", any(&|volume| volume.filesystem == FileSystem::Xfs)),
    ];
    needs.into_iter().filter_map(|(package, needed)| needed.then_some(package)).collect()
}

/// The volume that a path of the host lies on, where that is one which is mounted at boot.
#[must_use]
pub fn volume_of<'r>(ami: &'r AmiRecipe, path: &ImagePath) -> Option<&'r Volume> {
    mounted(ami).into_iter().rev().find(|(_, mount)| path.is_within(mount)).map(|(volume, _)| volume)
}

/// What the host's program reads.
#[must_use]
pub fn configuration(ami: &AmiRecipe) -> String {
    let mut text = format!("wait {WAIT}\n");
    if mounted(ami).iter().any(|(volume, _)| volume.kind == VolumeKind::InstanceStore) {
        for of in &ami.instance_types {
            if let Store::Disks { count, .. } = instance_store::of(of) {
                let _ = writeln!(text, "store {of} {count}");
            }
        }
    }
    for (volume, mount) in mounted(ami) {
        let disk = match volume.kind {
            VolumeKind::InstanceStore if volume.raid0 => "store all -".to_owned(),
            VolumeKind::InstanceStore => "store one -".to_owned(),
            _ => {
                let device = ami.device_of(volume).unwrap_or_else(|| "-".to_owned());
                format!("ebs {device} {}", volume.size.map_or_else(|| "-".to_owned(), |size| size.to_string()))
            }
        };
        let (name, label, filesystem) = (quoted(&volume.name), label(&volume.name), volume.filesystem);
        let _ = writeln!(text, "volume {name} {disk} {label} {filesystem} {}", quoted(mount.as_str()));
    }
    for Folder { path, owner, mode, .. } in sorted_folders(ami) {
        let _ = writeln!(text, "folder {} {owner} {mode}", quoted(path.as_str()));
    }
    text
}

/// The folders on volumes, outer ones before those in them.
fn sorted_folders(ami: &AmiRecipe) -> Vec<&Folder> {
    let mut folders: Vec<_> = ami.folder.iter().filter(|folder| volume_of(ami, &folder.path).is_some()).collect();
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    folders
}

/// The volumes with a mount point, outer ones before those in them. The root disk is mounted by the base, and a check
/// has seen to it that it has no other mount point.
fn mounted(ami: &AmiRecipe) -> Vec<(&Volume, &ImagePath)> {
    let mount = |volume: &'_ Volume| volume.mount.as_ref().is_some_and(|mount| !mount.is_root());
    let volumes = ami.volume.iter().filter(|volume| mount(volume));
    let mut mounted: Vec<_> = volumes.filter_map(|volume| Some((volume, volume.mount.as_ref()?))).collect();
    mounted.sort_by_key(|(_, mount)| mount.components().count());
    mounted
}

/// The label of a volume's file system, by which it is known again: XFS has room for 12 bytes. A name that is longer
/// than the rest of them is hashed, and no name spells like a hash.
fn label(name: &str) -> String {
    let plain = (1..=8).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    if plain { format!("elk-{name}") } else { format!("elk.{}", &Digest::of(name.as_bytes()).hex()[..8]) }
}

/// A value without spaces, and without what means anything to a shell or to `printf %b`.
fn quoted(value: &str) -> String {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"/._+@:-".contains(&c);
    value.bytes().map(|c| if plain(c) { char::from(c).to_string() } else { format!("\\x{c:02x}") }).collect()
}

/// The services that wait for the volumes. containerd serves others than docker, and waits where its own data is there.
fn services(mounted: &[(&Volume, &ImagePath)]) -> Vec<&'static str> {
    let containerd = "/var/lib/containerd";
    let mut services = SERVICES.to_vec();
    if mounted.iter().any(|(_, mount)| mount.as_str() == containerd || containerd.starts_with(&format!("{mount}/"))) {
        services.push("containerd.service");
    }
    services
}

/// What makes a service wait for the volumes and fail without them. That they are mounted is looked at once more when
/// the service starts: somebody may have unmounted one since. Where it stops, it does so before they are unmounted.
fn drop_in(mounted: &[(&Volume, &ImagePath)]) -> String {
    let mut text = format!("[Unit]\nRequires={UNIT_NAME}\nAfter={UNIT_NAME}\n");
    for (_, mount) in mounted {
        let mount = mount.as_str().replace('%', "%%");
        let escaped = mount.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(text, "RequiresMountsFor=\"{escaped}\"\nAssertPathIsMountPoint={mount}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::{self, Recipe};

    fn ami(lines: &str) -> AmiRecipe {
        let text = format!(
            "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
        );
        let document = recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        let Recipe::Ami(ami) = document.value else { panic!("no AMI") };
        *ami
    }

    fn volume(name: &str, rest: &str) -> String {
        format!("[[volume]]\nname = \"{name}\"\n{rest}\n")
    }

    fn full() -> AmiRecipe {
        ami(&[
            "instance_types = [\"i3.8xlarge\", \"m5.large\", \"x99.large\"]\n".to_owned(),
            volume("inner", "kind = \"instance-store\"\nraid0 = true\nmount = \"/data/in 1%\"\nfilesystem = \"ext4\""),
            volume("root", "kind = \"gp3\"\nsize = 40\ndevice = \"/dev/xvda\""),
            volume("data", "kind = \"gp3\"\nsize = 300\ndevice = \"/dev/xvdf\"\nmount = \"/data\""),
            volume("a long name", "kind = \"io2\"\niops = 100\nsize = 8\nmount = \"/var/lib\""),
            volume("raw", "kind = \"gp3\"\nsize = 9\ndevice = \"/dev/xvdg\""),
            "[[folder]]\npath = \"/data/in 1%/b\"\n[[folder]]\npath = \"/data/in 1%\"\nowner = \"1000:0\"\nmode = \"0770\"\n\
             [[folder]]\npath = \"/srv\"\n"
                .to_owned(),
        ]
        .concat())
    }

    #[test]
    fn the_configuration_names_outer_volumes_first_and_folders_on_volumes_only() {
        assert_eq!(
            configuration(&full()),
            "wait 120\n\
             store i3.8xlarge 4\n\
             volume data ebs /dev/xvdf 300 elk-data xfs /data\n\
             volume inner store all - elk-inner ext4 /data/in\\x201\\x25\n\
             volume a\\x20long\\x20name ebs /dev/xvdh 8 elk.5e9edc57 xfs /var/lib\n\
             folder /data/in\\x201\\x25 1000:0 0770\n\
             folder /data/in\\x201\\x25/b 0:0 0755\n"
        );
    }

    #[test]
    fn services_wait_for_every_volume_and_docker_is_not_all() {
        let files = files(&full());
        let paths: Vec<_> = files.iter().map(|(path, mode, _)| format!("{mode} {path}")).collect();
        let drop_in = |service: &str| format!("0644 /etc/systemd/system/{service}.service.d/50-elkbake-storage.conf");
        assert_eq!(
            paths,
            [
                "0644 /etc/elkbake/storage.conf".to_owned(),
                "0644 /etc/systemd/system/elkbake-storage.service".to_owned(),
                "0755 /usr/libexec/elkbake/storage".to_owned(),
                drop_in("docker"),
                drop_in("ecs"),
                drop_in("elasticsearch"),
                drop_in("containerd"),
            ]
        );
        assert_eq!(
            String::from_utf8(files[3].2.clone()).unwrap(),
            "[Unit]\nRequires=elkbake-storage.service\nAfter=elkbake-storage.service\n\
             RequiresMountsFor=\"/data\"\nAssertPathIsMountPoint=/data\n\
             RequiresMountsFor=\"/data/in 1%%\"\nAssertPathIsMountPoint=/data/in 1%%\n\
             RequiresMountsFor=\"/var/lib\"\nAssertPathIsMountPoint=/var/lib\n"
        );
        assert_eq!(links(&full()).len(), 1);
        assert_eq!(packages(&full()), ["e2fsprogs", "mdadm", "xfsprogs"]);
    }

    #[test]
    fn a_host_without_volumes_has_none_of_it() {
        let root = volume("root", "kind = \"gp3\"\nsize = 40\ndevice = \"/dev/xvda\"\nmount = \"/\"");
        let bare = ami(&root);
        assert_eq!((files(&bare).len(), links(&bare).len(), packages(&bare).len()), (0, 0, 0));
    }

    #[test]
    fn a_path_lies_on_the_innermost_volume() {
        let ami = full();
        let on = |path: &str| volume_of(&ami, &path.parse().unwrap()).map(|volume| volume.name.clone());
        assert_eq!(on("/data/x").as_deref(), Some("data"));
        assert_eq!(on("/data/in 1%/x").as_deref(), Some("inner"));
        assert_eq!(on("/srv"), None);
    }

    #[test]
    fn labels_fit_into_xfs_and_differ() {
        let names = ["data", "data-1", "a long name", "a long name 2", "", "ü", "elk.data"];
        let labels: std::collections::BTreeSet<_> = names.iter().map(|name| label(name)).collect();
        assert_eq!(labels.len(), names.len());
        assert!(labels.iter().all(|label| label.len() <= 12 && quoted(label) == *label), "{labels:?}");
    }
}
