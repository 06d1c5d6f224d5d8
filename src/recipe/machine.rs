//! What can be said of the host inside its image, beside kernel settings, Docker and the ECS agent; and of the instance
//! that is made into the image.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{InstanceType, JournalKey, PortRange, Traffic, Unit, UserName};
use super::value::{Checksum, Url};
use crate::name::ImagePath;
use crate::text::{Positive, Text, table, word};

word! {
    /// A processor, as EC2 names it.
    pub enum Architecture {
        /// Intel and AMD.
        X86 = "x86_64",
        /// Graviton.
        Arm = "arm64",
    }

    /// When the kernel gives out huge pages without being asked for them.
    pub enum HugePages {
        /// Whenever it can.
        Always = "always",
        /// Only to programs that say they want them.
        Madvise = "madvise",
        /// Never.
        Never = "never",
    }

    /// What packets a firewall rule is about.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

table! {
    /// Kernel, clock, journal and services.
    pub struct Host {
        /// When huge pages are given out: always, madvise or never.
        pub huge_pages: Option<HugePages>,
        /// Where the time is had, in place of the base's servers: Amazon's is `169.254.169.123`.
        pub time_servers: Vec<String>,
        /// Settings of the journal, as journald.conf has them: `SystemMaxUse = "500M"`.
        pub journal: BTreeMap<String, String> as BTreeMap<Text<JournalKey>, String>,
        /// Units that start at boot, beside the base's.
        pub enable: BTreeSet<String> as BTreeSet<Text<Unit>>,
        /// Units of the base's that do not start at boot any more.
        pub disable: BTreeSet<String> as BTreeSet<Text<Unit>>,
    }

    /// Who may connect to ports of the host.
    pub struct Firewall {
        /// The ports: `"9200"` or `"9300-9305"`.
        pub ports: BTreeSet<String> as BTreeSet<Text<PortRange>>,
        /// By which protocol.
        pub protocol: Protocol = Protocol::Tcp,
        /// From where: `"subnet"` for the host's own, `"any"`, or a network such as `"10.0.0.0/16"`.
        pub from: BTreeSet<String> as BTreeSet<Text<Traffic>>,
    }

    /// A user of the host, and the group of the same name.
    #[unique(name)]
    pub struct HostUser {
        /// What it is called.
        pub name: String as Text<UserName>,
        /// Its number, and its group's.
        pub uid: u32,
        /// Its home; none where nothing is said, and it is not made.
        pub home: Option<ImagePath>,
        /// Other groups that it is in.
        pub groups: BTreeSet<String> as BTreeSet<Text<UserName>>,
    }

    /// A package that is installed from a file.
    #[unique(name)]
    pub struct PackageFile {
        /// What the plan calls it.
        pub name: String,
        /// Where it is: an rpm or deb, as the base takes them.
        pub url: Url,
        /// Its bytes, by architecture where these differ.
        pub checksum: Checksum,
        /// The processor it is for; all where none is given.
        pub architecture: Option<Architecture>,
    }

    /// A command on the instance that is made into an image.
    #[unique(name)]
    pub struct HostRun {
        /// What the plan calls it.
        pub name: String,
        /// The program, and what it is told.
        pub command: Vec<String>,
    }

    /// The instance that is made into an image.
    pub struct Bake {
        /// Its type, by processor.
        pub instance_types: BTreeMap<Architecture, String> as BTreeMap<Architecture, Text<InstanceType>>,
        /// Whether it may be a spot instance; where there is none to be had, it is none.
        pub spot: bool = false,
        /// Minutes until it has to have stopped itself.
        pub timeout: u32 as Positive = 45,
    }
}
