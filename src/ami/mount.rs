//! Where volumes are mounted: neither over the system, nor as a root disk that is none.

use super::rules::{ROOT_DISK, SYSTEM_MOUNT};
use super::tuning;
use crate::product::subject::{Found, Scene};
use crate::recipe::{AmiRecipe, Volume, VolumeKind};

/// Folders that are not to be covered. Those of one program in them may be.
const COVERED: [&str; 19] = [
    "/home",
    "/opt",
    "/root",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/local",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/lib",
    "/var/lib/cloud",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/var/lib/systemd",
    "/var/log",
];

/// Folders in which nothing is to be mounted: the base reads them before, or they are no files of a disk.
const CLOSED: [&str; 13] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/var/lock",
    "/var/run",
];

pub(super) fn check(scene: &Scene<'_>, ami: &AmiRecipe, (i, volume): (usize, &Volume), found: &mut Found) {
    if let Some(message) = doubt(scene, volume) {
        found.add(&ROOT_DISK, scene.key(&format!("volume.{i}")), message);
    }
    let Some(mount) = volume.mount.as_ref().filter(|mount| !mount.is_root()) else { return };
    let place = || scene.key(&format!("volume.{i}.mount"));
    if let Some(folder) = CLOSED.iter().find(|folder| is_within(mount.as_str(), folder)) {
        found.add(&SYSTEM_MOUNT, place(), format!("`{mount}` is in `{folder}`"));
        return;
    }
    let written: Vec<_> = tuning::paths(ami).iter().map(ToString::to_string).collect();
    let mut kept = COVERED.into_iter().chain(written.iter().map(String::as_str));
    if let Some(path) = kept.find(|path| is_within(path, mount.as_str())) {
        found.add(&SYSTEM_MOUNT, place(), format!("`{}` on `{mount}` covers `{path}`", volume.name));
    }
}

/// Whether a volume has a name that bases give to their root disks.
pub(super) fn is_named_as_root(volume: &Volume) -> bool {
    matches!(volume.device.as_deref(), Some("/dev/xvda" | "/dev/sda" | "/dev/sda1"))
}

/// Why nobody can tell whether a volume is the root disk.
fn doubt(scene: &Scene<'_>, volume: &Volume) -> Option<String> {
    let name = &volume.name;
    let bases = scene.subject.lock.map_or(&[][..], |lock| &lock.ami[..]);
    let mount = volume.mount.as_ref();
    let on_root = mount.is_some_and(crate::name::ImagePath::is_root);
    if on_root && volume.kind == VolumeKind::InstanceStore {
        return Some(format!("`{name}` is to be mounted on `/`, and no base boots from an instance store"));
    }
    let device = volume.device.as_deref()?;
    let Some(base) = bases.first() else {
        let is_doubtful = !on_root && is_named_as_root(volume);
        return is_doubtful.then(|| format!("`{name}` is `{device}`: nothing says whether that is the root disk"));
    };
    let is_roots = bases.iter().any(|base| base.root_device == device);
    let root = &base.root_device;
    match mount {
        Some(mount) if is_roots && !on_root => Some(format!("`{name}` is the root disk, `{root}`, and not `{mount}`")),
        _ if !is_roots && (on_root || is_named_as_root(volume)) => {
            Some(format!("`{name}` is `{device}`, and the base's root disk is `{root}`"))
        }
        _ => None,
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use crate::product::fixture::Fixture;

    fn codes(volume: &str, root: Option<&str>) -> Vec<String> {
        let text = format!("[[volume]]\nname = \"data\"\nsize = 9\n{volume}\n");
        let text = if volume.contains("kind") { text } else { format!("{text}kind = \"gp3\"\n") };
        let fixture =
            Fixture::host(crate::ami::check).with("cloudwatch.agent.a = 1\npackages.amazon-cloudwatch-agent = \"*\"");
        let fixture = fixture.with(&text);
        let lock = |root: &str| {
            format!(
                "format = 1\n[[ami]]\narchitecture = \"x86_64\"\nregion = \"eu-west-1\"\nwant = \"id:ami-0123456789abcdef0\"\n\
                 id = \"ami-0123456789abcdef0\"\nname = \"base\"\nowner = \"amazon\"\nsnapshot = \"snap-0123456789abcdef0\"\n\
                 root_device = \"{root}\"\ncreated = \"2026-10-01T00:00:00Z\"\n"
            )
        };
        let found = root.map_or(fixture.clone(), |root| fixture.lock(&lock(root))).codes();
        found.iter().map(|found| found[..6].to_owned()).collect()
    }

    #[test]
    fn no_volume_covers_the_system() {
        for mount in [
            "/etc",
            "/etc/x",
            "/usr",
            "/usr/share",
            "/var",
            "/var/lib",
            "/var/lib/cloud",
            "/boot/efi",
            "/run/x",
            "/tmp",
            "/home",
            "/opt",
            "/opt/aws",
            "/usr/libexec/elkbake",
            "/proc/x",
            "/var/log",
        ] {
            assert_eq!(codes(&format!("mount = \"{mount}\""), None), ["AMI045"], "{mount}");
        }
        for mount in [
            "/",
            "/srv",
            "/data",
            "/mnt",
            "/mnt/x",
            "/opt/x",
            "/var/lib/docker",
            "/var/lib/elasticsearch",
            "/home/es",
            "/etcetera",
            "/var/log/elasticsearch",
            "/usr/share/elasticsearch",
        ] {
            assert_eq!(codes(&format!("mount = \"{mount}\""), None), [""; 0], "{mount}");
        }
    }

    #[test]
    fn there_is_one_answer_to_which_volume_is_the_root_disk() {
        let (xen, sda) = (Some("/dev/xvda"), Some("/dev/sda1"));
        for (volume, root, doubtful) in [
            ("mount = \"/\"", None, false),
            ("mount = \"/\"", xen, false),
            ("device = \"/dev/xvda\"", None, true),
            ("device = \"/dev/xvda\"", xen, false),
            ("device = \"/dev/xvda\"", sda, true),
            ("device = \"/dev/xvda\"\nmount = \"/\"", None, false),
            ("device = \"/dev/xvda\"\nmount = \"/\"", sda, true),
            ("device = \"/dev/xvda\"\nmount = \"/data\"", xen, true),
            ("device = \"/dev/sda1\"\nmount = \"/data\"", None, true),
            ("device = \"/dev/xvdf\"\nmount = \"/\"", xen, true),
            ("device = \"/dev/xvdf\"\nmount = \"/data\"", xen, false),
        ] {
            let expected: &[&str] = if doubtful { &["AMI044"] } else { &[] };
            assert_eq!(codes(volume, root), expected, "{volume} {root:?}");
        }
    }
}
