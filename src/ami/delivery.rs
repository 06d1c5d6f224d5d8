//! The ways in which a tuning reaches a host: as the user data of the stock image at every launch, or once, by an
//! instance that becomes an image; and the user data by which a host is tested.
//!
//! None of them knows the processor it will run on: a host says which it is.

mod parts;

use self::parts::{install_files, packages, steps};
use super::Tuning;
use super::checks::expectations;
use super::lean::lean;
use super::user_data::unpack::{FUNCTIONS, unpack};
use super::user_data::{Chunk, Kind, Part, UserData, UserDataError, shell};
use crate::digest::Digest;
use crate::recipe::AmiRecipe;

const CONSOLE: &str = include_str!("host/delivery/console.sh");
const BOOT: &str = include_str!("host/delivery/boot.sh");
const CLUSTER: &str = include_str!("host/delivery/cluster.sh");
const FIRST: &str = include_str!("host/delivery/first.sh");
const INSTALL: &str = include_str!("host/delivery/install.sh");
const BAKE: &str = include_str!("host/delivery/bake.sh");
const CLEAN: &str = include_str!("host/delivery/clean.sh");

/// No longer file is read: what it becomes has no chance to fit.
const LONGEST_FILE: u64 = 1 << 20;

/// How long a bake takes at most where the recipe does not say it, in minutes.
const BAKE_MINUTES: u32 = 45;

/// How long a tested host may take where the recipe does not say it, in seconds.
const TEST_SECONDS: u32 = 600;

/// How much longer elkbake waits than a tested host, in seconds: the host's time begins when cloud-init has finished, and
/// elkbake's when EC2 calls it running. A host that is not well is to say why before nobody listens any more.
const TEST_MARGIN: u32 = 180;

/// What is to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'d> {
    /// What the recipe says.
    pub ami: &'d AmiRecipe,
    /// What comes of it on a host.
    pub tuning: &'d Tuning,
    /// What all of it depends on; its first digits are in what a host says of itself.
    pub key: Digest,
}

/// For how many seconds the word of a tested host is waited for, from when it runs.
#[must_use]
pub fn patience(ami: &AmiRecipe) -> u32 {
    test_seconds(ami).saturating_add(TEST_MARGIN)
}

/// How long a tested host may take until all is well.
fn test_seconds(ami: &AmiRecipe) -> u32 {
    ami.test.as_ref().map_or(TEST_SECONDS, |test| test.timeout)
}

/// All programs that are in documents and not among a host's files: documents are made anew where they change.
#[must_use]
pub fn programs() -> String {
    own(&[CONSOLE, BOOT, CLUSTER, FIRST, INSTALL, BAKE, CLEAN, FUNCTIONS])
}

impl Delivery<'_> {
    /// The user data for hosts that start from the stock image: at every boot it makes them what the recipe says, on
    /// the first one it installs packages, and in the end the host says how it is.
    ///
    /// # Errors
    /// When it is more than EC2 takes, the recipe has commands, or a file cannot be read.
    pub fn host(&self) -> Result<UserData, UserDataError> {
        self.host_in(None)
    }

    /// The same for hosts that join this cluster of ECS: letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// As [`Delivery::host`].
    pub fn host_in(&self, cluster: Option<&str>) -> Result<UserData, UserDataError> {
        if !self.ami.run.is_empty() {
            return Err(UserDataError::Run(self.ami.run.len()));
        }
        let mut boot = vec![Chunk::own(format!("#cloud-boothook\n{}{}", self.head(), own(&[FUNCTIONS])))];
        boot.extend(unpack(self.tuning.tree(), self.tuning.contents(), LONGEST_FILE)?);
        if let Some(name) = cluster {
            boot.push(Chunk::own(format!("{}{}\n", own(&[CLUSTER]), shell::command(["cluster", name]))));
        }
        boot.push(Chunk::own(own(&[BOOT])));
        let mut parts = vec![Part { kind: Kind::Boothook, name: "elkbake-boot", chunks: boot }];
        let packages = packages(self.ami);
        if !packages.is_empty() {
            let chunks = vec![Chunk::own("#cloud-config\n"), Chunk::of("packages", parts::config(&packages))];
            parts.push(Part { kind: Kind::Config, name: "elkbake-packages", chunks });
        }
        let mut first = vec![Chunk::own(self.head() + &own(&[CONSOLE, FIRST]))];
        if !self.ami.package.is_empty() {
            first.push(Chunk::own(own(&[INSTALL])));
            first.extend(install_files(self.ami, "once"));
        }
        first.push(Chunk::own("once settings bash /var/lib/cloud/instance/boothooks/elkbake-boot\nstart_rest\n"));
        first.extend(self.check());
        parts.push(Part { kind: Kind::Script, name: "elkbake-first", chunks: first });
        UserData::of(&parts)
    }

    /// The user data of the instance that becomes the image. It says how it went, and switches itself off.
    ///
    /// # Errors
    /// As [`Delivery::host`], but for commands.
    pub fn bake(&self) -> Result<UserData, UserDataError> {
        let programs = own(&[CONSOLE, FUNCTIONS, INSTALL, BAKE, CLEAN]);
        let mut chunks = vec![Chunk::own(format!("#cloud-boothook\n{}{programs}", self.head()))];
        chunks.extend(unpack(self.tuning.tree(), self.tuning.contents(), LONGEST_FILE)?);
        chunks.extend(steps(self.ami, self.seconds()));
        UserData::of(&[Part { kind: Kind::Boothook, name: "elkbake-bake", chunks }])
    }

    /// The user data by which a host from the finished image says how it is.
    ///
    /// # Errors
    /// When it is more than EC2 takes.
    pub fn test(&self) -> Result<UserData, UserDataError> {
        let mut chunks = vec![Chunk::own(self.head() + &own(&[CONSOLE, FIRST]))];
        chunks.extend(self.check());
        UserData::of(&[Part { kind: Kind::Script, name: "elkbake-test", chunks }])
    }

    fn head(&self) -> String {
        format!(
            "#!/bin/bash\nset -uo pipefail\numask 022\nexport HOME=/root LC_ALL=C.UTF-8 \
             PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nkey={}\n",
            &self.key.hex()[..12]
        )
    }

    /// Begins the host's check of itself.
    fn check(&self) -> [Chunk; 3] {
        let test = self.ami.test.as_ref();
        let expects = expectations(test.map_or(&[], |test| &test.expect));
        let seconds = test_seconds(self.ami);
        [
            Chunk::own("expect() {\n"),
            Chunk::of("what is expected", shell::document(expects.as_bytes())),
            Chunk::own(format!("}}\nexpect > \"$run/expect\"\nbegin_check {seconds}\n")),
        ]
    }

    /// How long a bake may take by its own watch, which is to speak before elkbake loses its patience.
    fn seconds(&self) -> u32 {
        let minutes = self.ami.bake.as_ref().map_or(BAKE_MINUTES, |bake| bake.timeout);
        minutes.saturating_mul(60).saturating_sub(300).max(minutes.saturating_mul(30))
    }
}

/// Our programs, as short as they can be.
fn own(programs: &[&str]) -> String {
    // Two lines stay of each program, and these have no line that says what runs them.
    programs.iter().map(|program| lean(&format!("\n\n{program}")).trim_start().to_owned()).collect()
}

#[cfg(test)]
mod tests;
