//! What an image is made of beside its base: plugins, archives, commands, and its own files.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{EnvName, Maven, RunNetwork, User};
use super::value::{Checksum, Glob, ProjectPath, Url, Version};
use crate::name::{ImagePath, Platform, Registry};
use crate::text::{Reader, Text, table};
use crate::tree::{Mode, Owner};

table! {
    /// A plugin of the product.
    #[checked(check)]
    pub struct Plugin {
        /// Its name, as the product lists it.
        pub name: String,
        /// Its version; the product's where none is given.
        pub version: Option<Version>,
        /// Where to download it; an official plugin needs none.
        pub url: Option<Url>,
        /// Its file in the project, instead of a download.
        pub path: Option<ProjectPath>,
        /// Its Maven coordinates, `GROUP:ARTIFACT:VERSION[:CLASSIFIER]`, in the repository named in `elkbake.toml`.
        pub maven: Option<String> as Option<Text<Maven>>,
        /// The checksum that its publisher states.
        pub checksum: Option<Checksum>,
        /// The platforms it is for; all of the recipe's where none is given.
        pub platforms: BTreeSet<Platform>,
    }

    /// Something to unpack into the image, or a single file to put there.
    #[checked(check)]
    pub struct Archive {
        /// What the lock, the plan and the manifest call it.
        pub name: String,
        /// Where to download it.
        pub url: Option<Url>,
        /// Its file in the project, instead of a download.
        pub path: Option<ProjectPath>,
        /// Its Maven coordinates, `GROUP:ARTIFACT:VERSION[:CLASSIFIER]`, in the repository named in `elkbake.toml`.
        pub maven: Option<String> as Option<Text<Maven>>,
        /// The checksum that its publisher states.
        pub checksum: Option<Checksum>,
        /// The folder to unpack into, or with `unpack = false` the path of the file.
        pub into: ImagePath,
        /// Whether to unpack it.
        pub unpack: bool = true,
        /// How many leading path components to drop; what has no more than these is dropped.
        pub strip: u16 = 0,
        /// The owner of all that comes out of it.
        pub owner: Owner = Owner { uid: 0, gid: 0 },
        /// The mode of the file, with `unpack = false`.
        pub mode: Option<Mode>,
        /// Whether files in it may be set-user-id or set-group-id; such an archive is refused otherwise.
        pub set_id: bool = false,
        /// Patterns of what to take; everything where none is given. They are for paths below `into`, after `strip`, and
        /// one that matches a folder takes all that is in it. One that matches nothing is an error.
        pub only: BTreeSet<Glob>,
        /// Patterns of what to leave out, read like those of `only`.
        pub except: BTreeSet<Glob>,
        /// The platforms it is for; all of the recipe's where none is given.
        pub platforms: BTreeSet<Platform>,
    }

    /// Classes to take out of jars that the image has from its base, an archive or a plugin.
    #[checked(check)]
    #[unique(name)]
    pub struct Jar {
        /// What the plan calls it.
        pub name: String,
        /// The jars, by pattern over paths in the image.
        pub path: Glob,
        /// What to take out, by its whole path in the jar; each is in at least one of the jars.
        pub remove: BTreeSet<String>,
    }

    /// A command to run inside the image so far.
    #[checked(check)]
    #[unique(name)]
    pub struct Run {
        /// What the plan calls it.
        pub name: String,
        /// The program and its arguments; no shell is put between.
        pub command: Vec<String>,
        /// Its environment, beside the image's.
        pub env: BTreeMap<String, String> as BTreeMap<Text<EnvName>, String>,
        /// Its network: `none`, or `host` where it cannot do without.
        pub network: String as Text<RunNetwork> = "none".to_owned(),
        /// The user it runs as; the image's where none is given.
        pub user: Option<String> as Option<Text<User>>,
        /// The folder it starts in; the image's where none is given.
        pub workdir: Option<ImagePath>,
        /// Archives of the recipe that it sees at their `into`, and cannot change. They are not put into the image.
        pub mount: BTreeSet<String>,
        /// Patterns of what it leaves that is no part of the image, as caches are; one that matches a folder takes all that
        /// is in it.
        pub except: BTreeSet<Glob>,
        /// Seconds until it has to be done.
        pub timeout: u32 = 600,
        /// The most memory it may take, in MiB.
        pub memory: u32 = 2048,
    }

    /// Owner and mode of files.
    pub struct FileRule {
        /// Their owner, `"UID:GID"`.
        pub owner: Option<Owner>,
        /// Their mode, `"0644"`; folders keep theirs, unless the pattern ends in a slash.
        pub mode: Option<Mode>,
    }
}

impl Plugin {
    /// Whether the recipe says where it comes from; an official plugin needs nothing said.
    #[must_use]
    pub fn has_source(&self) -> bool {
        self.url.is_some() || self.path.is_some() || self.maven.is_some()
    }

    fn check(&self, reader: &mut Reader) {
        check_name(&self.name, reader);
        check_one_source([self.url.is_some(), self.path.is_some(), self.maven.is_some()], reader);
        check_url(self.url.as_ref(), self.checksum.as_ref(), reader);
    }
}

impl Archive {
    fn check(&self, reader: &mut Reader) {
        check_name(&self.name, reader);
        let sources = [self.url.is_some(), self.path.is_some(), self.maven.is_some()];
        if sources == [false; 3] {
            reader.mistake("", "nobody knows where this archive comes from", "say `url`, `path` or `maven`");
        }
        check_one_source(sources, reader);
        check_url(self.url.as_ref(), self.checksum.as_ref(), reader);
        if self.unpack && self.mode.is_some() {
            let help = "remove `mode`, or say `unpack = false`";
            reader.mistake("mode", "what is unpacked brings its own modes", help);
        }
        let unpacking = [
            ("strip", self.strip > 0),
            ("set_id", self.set_id),
            ("only", !self.only.is_empty()),
            ("except", !self.except.is_empty()),
        ];
        for (key, _) in unpacking.iter().filter(|(_, said)| *said && !self.unpack) {
            let message = format!("`{key}` is about unpacking, and this is not unpacked");
            reader.mistake(key, message, &format!("remove `{key}` or `unpack = false`"));
        }
    }
}

impl Jar {
    fn check(&self, reader: &mut Reader) {
        check_name(&self.name, reader);
        if self.remove.is_empty() {
            reader.mistake("remove", "there is nothing to take out", "name a class, as in `[\"org/example/A.class\"]`");
        }
        for entry in self.remove.iter().filter(|entry| entry.is_empty() || entry.starts_with('/')) {
            let message = format!("`{entry}` is nothing that a jar holds");
            reader.mistake("remove", message, "paths in jars begin without a slash, as in `org/example/A.class`");
        }
    }
}

/// Docker refuses to start a container with less.
const LEAST_MEMORY: u32 = 6;

impl Run {
    fn check(&self, reader: &mut Reader) {
        check_name(&self.name, reader);
        if self.command.first().is_none_or(String::is_empty) {
            reader.mistake("command", "there is no program to run", "say the program, then its arguments");
        }
        if self.timeout == 0 {
            reader.mistake("timeout", "no command is done in no time", "say how many seconds it may take");
        }
        if self.memory < LEAST_MEMORY {
            let message = format!("no engine starts a program with less than {LEAST_MEMORY} MiB");
            reader.mistake("memory", message, "say more, or nothing: then it is 2048");
        }
    }
}

fn check_name(name: &str, reader: &mut Reader) {
    if name.trim().is_empty() || name.contains(['\n', '\r']) {
        reader.mistake("name", "this is no name", "a name is one line, and not empty");
    }
}

fn check_one_source(sources: [bool; 3], reader: &mut Reader) {
    let said: Vec<_> = ["url", "path", "maven"].into_iter().zip(sources).filter(|(_, said)| *said).collect();
    for (key, _) in said.iter().skip(1) {
        let message = format!("`{}` says already where this comes from", said[0].0);
        reader.mistake(key, message, "keep one of `url`, `path` and `maven`");
    }
}

/// What comes over plain HTTP can be changed on its way by anyone, unless the way is within the machine.
fn check_url(url: Option<&Url>, checksum: Option<&Checksum>, reader: &mut Reader) {
    let is_near = |url: &Url| url.authority().parse::<Registry>().is_ok_and(|host| host.is_loopback());
    if checksum.is_none() && url.is_some_and(|url| url.is_plain() && !is_near(url)) {
        let help = "write `https://`, or add the `checksum` that the publisher states";
        reader.mistake("url", "anyone can change what comes over `http://`", help);
    }
}
