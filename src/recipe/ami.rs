//! What can be said of a host's image: its base, and the tuning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::grammar::{
    Account, AmiId, AmiOwner, Device, EcsKey, InstanceType, KmsKey, Organization, Parameter, SysctlKey,
};
use super::ingredient::FileRule;
use super::machine::{Architecture, Bake, Firewall, Host, HostRun, HostUser, PackageFile};
use super::test::HostExpect;
use super::value::{Glob, ValueError, Version, wrong};
use crate::name::{ImagePath, text_serde};
use crate::text::{Reader, Scalar, Text, read_as_text, table, word};
use crate::tree::{Mode, Owner};

word! {
    /// How the tuning gets into the AMI.
    pub enum Engine {
        /// An instance is started from the base, changes itself, and is made into an image.
        Instance = "instance",
        /// No AMI is made: the tuning is a user-data document for the base as it is.
        UserData = "user-data",
    }

    /// What a volume is kept on.
    pub enum VolumeKind {
        /// SSD, IOPS and throughput bought apart from size.
        Gp3 = "gp3",
        /// SSD, IOPS by size.
        Gp2 = "gp2",
        /// SSD with provisioned IOPS, more durable.
        Io2 = "io2",
        /// SSD with provisioned IOPS.
        Io1 = "io1",
        /// Disk for streaming.
        St1 = "st1",
        /// Disk for what is seldom read.
        Sc1 = "sc1",
        /// The instance's own disks, which are empty after a stop.
        InstanceStore = "instance-store",
    }

    /// What a volume is formatted with.
    pub enum FileSystem {
        /// XFS.
        Xfs = "xfs",
        /// ext4.
        Ext4 = "ext4",
    }
}

/// An AWS region: `eu-west-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region(String);

impl Region {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let word = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase());
        let mut parts: Vec<_> = text.split('-').collect();
        let number = parts.pop().unwrap_or_default();
        let right = text.len() <= 32
            && parts.len() >= 2
            && parts.iter().all(|part| word(part))
            && (1..=2).contains(&number.len())
            && number.bytes().all(|c| c.is_ascii_digit());
        if right { Ok(Self(text.to_owned())) } else { Err(wrong("AWS region", text, "it looks like `eu-west-1`")) }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_serde!(Region);
read_as_text!(Region = "^[a-z]+(-[a-z]+)+-[0-9]{1,2}$");

table! {
    /// A recipe for a host's image.
    #[checked(check)]
    pub struct AmiRecipe {
        /// `"ami"`.
        pub kind: String,
        /// The version of the host image. The AMI's name begins with recipe and version.
        pub version: Version,
        /// One line for people: what the hosts are for.
        pub description: Option<String>,
        /// The image to start from.
        pub base: AmiBase,
        /// The processors to bake for.
        pub architectures: BTreeSet<Architecture> = BTreeSet::from([Architecture::X86]),
        /// The region in which the base is looked up and the image is made.
        pub region: Region,
        /// How the tuning gets there: instance or user-data.
        pub engine: Engine = Engine::Instance,
        /// The instance types that the hosts will run on; disks and limits are checked against them.
        pub instance_types: BTreeSet<String> as BTreeSet<Text<InstanceType>>,
        /// Kernel settings, written to a file that is read at every boot.
        pub sysctl: BTreeMap<String, serde_json::Value> as BTreeMap<Text<SysctlKey>, Scalar>,
        /// The Docker daemon.
        pub docker: Option<Docker>,
        /// The ECS agent, by the names of its settings; the cluster's name belongs to launch time.
        pub ecs: BTreeMap<String, String> as BTreeMap<Text<EcsKey>, String>,
        /// Disks beside the root disk, or the root disk itself by its device name.
        pub volume: Vec<Volume>,
        /// Folders on the host that containers mount.
        pub folder: Vec<Folder>,
        /// Kernel, clock, journal and services.
        pub host: Option<Host>,
        /// The `CloudWatch` agent's configuration, as its own JSON says it.
        pub cloudwatch: BTreeMap<String, serde_json::Value>,
        /// Who may connect to the host itself; where there is one rule, nobody else may but by SSH and from the host.
        pub firewall: Vec<Firewall>,
        /// Users of the host.
        pub user: Vec<HostUser>,
        /// Packages by name, with the version or `"*"`.
        pub packages: BTreeMap<String, String>,
        /// Packages by file: an instance downloads, checks and installs them, in this order, after those by name.
        pub package: Vec<PackageFile>,
        /// Commands on the instance that is made into an image, in this order, when packages and files are there.
        pub run: Vec<HostRun>,
        /// Owner and mode of files under `ami/NAME/`, by pattern; where several match, the longest pattern counts.
        pub files: BTreeMap<Glob, FileRule>,
        /// The instance that is made into an image.
        pub bake: Option<Bake>,
        /// What becomes of the finished image.
        pub ami: Option<AmiOutput>,
        /// How to tell that a host works.
        pub test: Option<AmiTest>,
    }

    /// The image to start from: exactly one of `ssm`, `name` and `id`.
    #[checked(check)]
    pub struct AmiBase {
        /// Public SSM parameters that hold the newest id, one for each of the recipe's architectures.
        pub ssm: BTreeMap<Architecture, String> as BTreeMap<Architecture, Text<Parameter>>,
        /// A pattern of names, `*` and `?` allowed; the newest that matches. Needs `owner`.
        pub name: Option<String>,
        /// One image, by id.
        pub id: Option<String> as Option<Text<AmiId>>,
        /// Who owns it: an account's 12 digits, `amazon`, `aws-marketplace` or `self`.
        pub owner: Option<String> as Option<Text<AmiOwner>>,
    }

    /// The Docker daemon of the host.
    pub struct Docker {
        /// Flags of the daemon, for `/etc/sysconfig/docker`.
        pub flags: Vec<String>,
        /// What `/etc/docker/daemon.json` says, key by key.
        pub daemon: BTreeMap<String, serde_json::Value>,
    }

    /// A disk of the host.
    #[unique(name)]
    pub struct Volume {
        /// What the plan and the host's storage layout call it.
        pub name: String,
        /// What it is kept on: gp3, gp2, io2, io1, st1, sc1 or instance-store.
        pub kind: VolumeKind,
        /// Its size in GiB; an instance store has its own.
        pub size: Option<u32>,
        /// Operations a second that are paid for.
        pub iops: Option<u32>,
        /// MiB a second that are paid for, gp3 only.
        pub throughput: Option<u32>,
        /// Its device name in the block device mapping: `/dev/xvdf`.
        pub device: Option<String> as Option<Text<Device>>,
        /// Whether it is encrypted.
        pub encrypted: bool = true,
        /// Whether it goes when the instance goes.
        pub delete_on_termination: bool = true,
        /// What it is formatted with, once, when it carries nothing.
        pub filesystem: FileSystem = FileSystem::Xfs,
        /// Where it is mounted.
        pub mount: Option<ImagePath>,
        /// Whether several instance-store disks are joined into one.
        pub raid0: bool = false,
    }

    /// A folder on the host.
    pub struct Folder {
        /// Where.
        pub path: ImagePath,
        /// Its owner, `"UID:GID"`.
        pub owner: Owner = Owner { uid: 0, gid: 0 },
        /// Its mode.
        pub mode: Mode = Mode::new(0o755),
        /// The space that its user needs, in GiB; checked against the volume it lies on.
        pub needs: Option<u32>,
    }

    /// What becomes of the finished image.
    #[checked(check)]
    pub struct AmiOutput {
        /// Whether its snapshots are encrypted.
        pub encrypted: bool = true,
        /// The regions to copy it to, each with its own settings.
        pub regions: BTreeMap<Region, RegionOutput>,
        /// Who else may start it.
        pub share: Option<Share>,
        /// Days until it is marked as deprecated.
        pub deprecate_after: Option<u32>,
        /// How many older ones `elkbake prune` keeps beside the newest, in each region and for each processor.
        pub keep: Option<u32>,
        /// Whether instances have to use IMDSv2.
        pub imds_v2: bool = true,
        /// Tags of image and snapshots, beside elkbake's own.
        pub tags: BTreeMap<String, String>,
        /// Whether a launch template's default becomes the version that is made for the image.
        pub move_default: bool = false,
        /// An SSM parameter that is set to the finished image's id, in every region; where a recipe is for several processors, `/` and the processor follow.
        pub ssm_parameter: Option<String> as Option<Text<Parameter>>,
    }

    /// What differs by region.
    pub struct RegionOutput {
        /// The key that encrypts snapshots there.
        pub kms_key: Option<String> as Option<Text<KmsKey>>,
        /// Launch templates there that get a version with the image, by processor.
        pub launch_templates: BTreeMap<Architecture, String>,
    }

    /// Who else may start an image.
    pub struct Share {
        /// Accounts, by their 12 digits.
        pub accounts: BTreeSet<String> as BTreeSet<Text<Account>>,
        /// Organisations and organisational units, by ARN.
        pub organizations: BTreeSet<String> as BTreeSet<Text<Organization>>,
    }

    /// How to tell that a host works.
    pub struct AmiTest {
        /// Seconds until a started host has to say that it is well.
        pub timeout: u32 = 600,
        /// What has to hold on it.
        pub expect: Vec<HostExpect>,
    }
}

/// What a bake has for its instance where nothing is said, in minutes.
pub const BAKE_MINUTES: u32 = 45;

impl AmiRecipe {
    /// All regions that are to have the image, the one in which it is made first.
    #[must_use]
    pub fn regions(&self) -> Vec<&Region> {
        std::iter::once(&self.region).chain(self.copies()).collect()
    }

    /// The regions that the image is copied to.
    pub fn copies(&self) -> impl Iterator<Item = &Region> {
        self.ami.iter().flat_map(|ami| ami.regions.keys()).filter(|region| **region != self.region)
    }

    /// The SSM parameter that names the image for a processor.
    #[must_use]
    pub fn parameter_of(&self, architecture: Architecture) -> Option<String> {
        let name = self.ami.as_ref()?.ssm_parameter.as_ref()?;
        Some(if self.architectures.len() > 1 { format!("{name}/{architecture}") } else { name.clone() })
    }

    /// All of these parameters.
    #[must_use]
    pub fn parameters(&self) -> BTreeSet<String> {
        self.architectures.iter().filter_map(|&architecture| self.parameter_of(architecture)).collect()
    }

    /// The launch template in a region that gets a version with the image for a processor.
    #[must_use]
    pub fn template_of(&self, region: &Region, architecture: Architecture) -> Option<&str> {
        self.ami.as_ref()?.regions.get(region)?.launch_templates.get(&architecture).map(String::as_str)
    }

    /// Minutes until the instance that is made into an image has to have stopped itself.
    #[must_use]
    pub fn bake_timeout(&self) -> u32 {
        self.bake.as_ref().map_or(BAKE_MINUTES, |bake| bake.timeout)
    }

    fn check(&self, reader: &mut Reader) {
        if self.architectures.is_empty() {
            reader.mistake("architectures", "there is no processor to bake for", "name one, as in `[\"x86_64\"]`");
        }
        if !self.base.ssm.is_empty() {
            for missing in self.architectures.iter().filter(|one| !self.base.ssm.contains_key(one)) {
                let help = format!("add `{missing} = \"/aws/…\"`");
                reader.mistake("base.ssm", format!("there is no parameter for {missing}"), &help);
            }
            for extra in self.base.ssm.keys().filter(|one| !self.architectures.contains(one)) {
                let message = format!("this recipe is not baked for {extra}");
                reader.mistake(&format!("base.ssm.{extra}"), message, "add it to `architectures`, or remove it here");
            }
        }
        if self.base.id.is_some() && self.architectures.len() > 1 {
            let help = "say `ssm` or `name`, or bake for one processor";
            reader.mistake("base.id", "one image is for one processor, and this recipe is baked for several", help);
        }
    }
}

impl Volume {
    /// Whether it is the root disk of a host whose base calls it so.
    #[must_use]
    pub fn is_root(&self, root_device: &str) -> bool {
        self.device.as_deref() == Some(root_device) || self.mount.as_ref().is_some_and(|mount| mount.as_str() == "/")
    }
}

impl AmiBase {
    fn check(&self, reader: &mut Reader) {
        let ways = [("ssm", !self.ssm.is_empty()), ("name", self.name.is_some()), ("id", self.id.is_some())];
        let said: Vec<_> = ways.iter().filter(|(_, said)| *said).collect();
        if said.is_empty() {
            reader.mistake("", "nothing says which image to start from", "say `ssm`, `name` or `id`");
        }
        for (key, _) in said.iter().skip(1) {
            let message = format!("`{}` says already which image to start from", said[0].0);
            reader.mistake(key, message, "keep one of `ssm`, `name` and `id`");
        }
        if self.name.is_some() && self.owner.is_none() {
            let help = "add `owner`, as in `owner = \"amazon\"`";
            reader.mistake("name", "anyone may give an image this name, so its owner has to be said", help);
        }
    }
}

impl AmiOutput {
    fn check(&self, reader: &mut Reader) {
        for (region, output) in &self.regions {
            let Some(key) = &output.kms_key else { continue };
            let there = key.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(2));
            if let Some(there) = there.filter(|there| *there != region.as_str()) {
                let message = format!("a key in {there} encrypts nothing in {region}");
                reader.mistake(&format!("regions.{region}.kms_key"), message, "name a key of that region");
            } else if !self.encrypted {
                let message = "nothing is encrypted with it";
                reader.mistake(&format!("regions.{region}.kms_key"), message, "remove it, or `encrypted = false`");
            }
        }
    }
}
