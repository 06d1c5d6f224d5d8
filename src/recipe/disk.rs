//! Which disk a volume is: the root disk, or one that is attached under a name.

use std::collections::BTreeSet;

use super::ami::{AmiRecipe, Volume, VolumeKind};

impl AmiRecipe {
    /// The device name under which EC2 attaches a volume of this recipe: its own, or where it has none the first that is
    /// free. EC2's mappings and the host's program have to mean the same. Nothing for the root disk, whose name the base
    /// knows, and for an instance's own disks, which are there without being mapped.
    #[must_use]
    pub fn device_of(&self, volume: &Volume) -> Option<String> {
        if volume.device.is_some() {
            return volume.device.clone();
        }
        let taken: BTreeSet<_> = self.volume.iter().filter_map(|other| other.device.as_deref()).map(letters).collect();
        // EC2 recommends the letters from f to p for volumes, and Xen's names for these.
        let letters = ('f'..='z').chain('b'..='e').map(String::from);
        let more = ('a'..='z').map(|second| format!("b{second}"));
        let mut free = letters.chain(more).filter(|name| !taken.contains(name.as_str()));
        let mut nameless = self.volume.iter().filter(|other| is_nameless(other));
        nameless
            .position(|other| other.name == volume.name)
            .and_then(|at| free.nth(at))
            .map(|of| format!("/dev/xvd{of}"))
    }
}

fn is_nameless(volume: &Volume) -> bool {
    volume.device.is_none() && volume.kind != VolumeKind::InstanceStore && !volume.is_root("")
}

impl Volume {
    /// Whether two volumes have one device name: hosts make no difference between `/dev/sdf` and `/dev/xvdf`.
    #[must_use]
    pub fn shares_device(&self, other: &Self) -> bool {
        self.device.as_deref().map(letters).is_some_and(|name| other.device.as_deref().map(letters) == Some(name))
    }
}

/// What tells device names apart.
fn letters(device: &str) -> &str {
    ["/dev/xvd", "/dev/sd"].into_iter().find_map(|start| device.strip_prefix(start)).unwrap_or(device)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::recipe::{self, Recipe};

    fn ami(volumes: &[(&str, &str, &str)]) -> AmiRecipe {
        let mut text =
            "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n".to_owned();
        for (name, kind, more) in volumes {
            text += &format!("[[volume]]\nname = \"{name}\"\nkind = \"{kind}\"\n{more}\n");
        }
        let document = recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        let Recipe::Ami(ami) = document.value else { panic!("no AMI") };
        *ami
    }

    #[test]
    fn a_volume_without_a_device_name_has_the_first_that_is_free() {
        let ami = ami(&[
            ("root", "gp3", "mount = \"/\""),
            ("a", "gp3", "mount = \"/a\""),
            ("own", "instance-store", "mount = \"/own\""),
            ("b", "gp3", "device = \"/dev/sdf\""),
            ("c", "gp3", ""),
            ("d", "gp3", "device = \"/dev/xvdh\""),
            ("e", "gp3", ""),
        ]);
        let names: Vec<_> = ami.volume.iter().map(|volume| ami.device_of(volume)).collect();
        let expected =
            [None, Some("/dev/xvdg"), None, Some("/dev/sdf"), Some("/dev/xvdi"), Some("/dev/xvdh"), Some("/dev/xvdj")];
        assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn there_are_more_names_than_letters() {
        let names: Vec<_> = (0..40).map(|i| format!("v{i}")).collect();
        let ami = ami(&names.iter().map(|name| (name.as_str(), "gp3", "")).collect::<Vec<_>>());
        let devices: BTreeSet<_> = ami.volume.iter().filter_map(|volume| ami.device_of(volume)).collect();
        assert_eq!(devices.len(), 40);
    }
}
