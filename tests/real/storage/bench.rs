//! Disks to try the storage program on, and a folder to mount them in.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use elkbake::ami::storage;
use elkbake::recipe::{self, AmiRecipe, Recipe};

use crate::kitchen::script;
use crate::real::{program, run};

pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// A host's recipe.
pub fn host(lines: &str) -> AmiRecipe {
    let text = format!(
        "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n{lines}"
    );
    match recipe::parse(Path::new("r.toml"), &text).unwrap_or_else(|error| panic!("{error}")).value {
        Recipe::Ami(ami) => *ami,
        Recipe::Image(_) => panic!("{text}"),
    }
}

/// Gone with everything that is mounted when it is dropped.
pub struct Bench {
    folder: tempfile::TempDir,
    disks: Vec<String>,
    /// For how many seconds the instance's own disks have to be the same.
    pub calm: u32,
}

impl Bench {
    /// Nothing when `PEERS=0` says that what it needs may be missing.
    pub fn new() -> Option<Self> {
        program(&["bash"], "bash")?;
        for folder in ["/usr/sbin/mkfs.xfs", "/usr/sbin/mkfs.ext4", "/usr/sbin/losetup"] {
            assert!(Path::new(folder).exists(), "{folder} is missing: install xfsprogs, e2fsprogs and util-linux");
        }
        assert!(rustix::process::geteuid().is_root(), "disks are for root only: run as root, or set PEERS=0");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("dev/disk/by-id")).unwrap();
        fs::create_dir(folder.path().join("host")).unwrap();
        let bench = Self { folder, disks: Vec::new(), calm: 0 };
        let any = host("[[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 1\nmount = \"/data\"\n");
        let program =
            storage::files(&any).into_iter().find(|(path, ..)| path == "/usr/libexec/elkbake/storage").unwrap();
        fs::write(bench.program(), program.2).unwrap();
        bench.tool("curl", "exit 7");
        Some(bench)
    }

    /// The program, as hosts have it.
    pub fn program(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// Puts a program in front of those of this machine.
    pub fn tool(&self, name: &str, does: &str) {
        let file = self.folder.path().join("bin").join(name);
        script::write(&file, &format!("#!/bin/bash\n{}\n", does.replace('@', &self.path(""))));
    }

    /// What the kernel says in a file of its own.
    pub fn kernel(&self, file: &str, says: &str) {
        let file = self.folder.path().join("sys").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{says}\n")).unwrap();
    }

    /// Where something is on the host.
    pub fn path(&self, below: &str) -> String {
        let path = self.folder.path().join("host").join(below);
        path.to_str().unwrap().trim_end_matches('/').to_owned()
    }

    /// An empty disk; gives its name.
    pub fn disk(&mut self, size: u64) -> String {
        let file = self.folder.path().join(format!("disk-{}", self.disks.len()));
        fs::File::create_new(&file).unwrap().set_len(size).unwrap();
        let node = run(Command::new("losetup").args(["--find", "--show"]).arg(&file));
        let name = node.trim().trim_start_matches("/dev/").to_owned();
        self.disks.push(name.clone());
        name
    }

    /// Takes a disk away.
    pub fn remove(&mut self, disk: &str) {
        run(Command::new("losetup").args(["--detach", &format!("/dev/{disk}")]));
        self.disks.retain(|other| other != disk);
    }

    /// Makes a disk larger.
    pub fn grow(disk: &str, size: u64) {
        fs::OpenOptions::new().write(true).open(Self::file(disk)).unwrap().set_len(size).unwrap();
        run(Command::new("losetup").args(["--set-capacity", &format!("/dev/{disk}")]));
    }

    /// Where the bytes of a disk are.
    fn file(disk: &str) -> String {
        let node = format!("/dev/{disk}");
        run(Command::new("losetup").args(["--noheadings", "--output", "BACK-FILE", &node])).trim().to_owned()
    }

    /// A digest of a disk. What was never written is left out: a disk is mostly that.
    pub fn bytes(&self, disk: &str) -> String {
        let file = Self::file(disk);
        self.shell(&format!("sync /dev/{disk}; tar --sparse --mtime=@0 -cPf - {file} | sha256sum"))
    }

    /// Gives a disk the name under which EC2 attaches it.
    pub fn attach(&self, disk: &str, name: &str) {
        symlink(format!("/dev/{disk}"), self.folder.path().join("dev").join(name)).unwrap();
    }

    /// Gives it a name in `/dev` after some seconds.
    pub fn link_later(&self, disk: &str, name: &str, seconds: u64) -> JoinHandle<()> {
        let (target, link) = (format!("/dev/{disk}"), self.folder.path().join("dev").join(name));
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            symlink(target, link).unwrap();
        })
    }

    /// Makes a disk one of the instance's own, with a serial number that it may have had already.
    pub fn own(&self, disk: &str, serial: &str) {
        for suffix in ["", "-ns-1"] {
            let name = format!("nvme-Amazon_EC2_NVMe_Instance_Storage_{serial}{suffix}");
            let link = self.folder.path().join("dev/disk/by-id").join(name);
            let _ = fs::remove_file(&link);
            symlink(format!("/dev/{disk}"), link).unwrap();
        }
    }

    fn start(&self, conf: &str) -> std::process::Output {
        let file: PathBuf = self.folder.path().join("storage.conf");
        fs::write(&file, conf.replace('@', &self.path(""))).unwrap();
        Command::new("bash")
            .arg(self.program())
            .arg(file)
            .env("ELKBAKE_DEV", self.folder.path().join("dev"))
            .env("ELKBAKE_DISKS", self.disks.join(" "))
            .env("ELKBAKE_SYS", self.folder.path().join("sys"))
            .env("ELKBAKE_CALM", self.calm.to_string())
            .env("PATH", format!("{}:{}", self.folder.path().join("bin").display(), std::env::var("PATH").unwrap()))
            .output()
            .unwrap()
    }

    /// Lays the volumes out, and gives what was said.
    pub fn run(&self, conf: &str) -> String {
        let output = self.start(conf);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && stderr.is_empty(), "{}\n{stdout}\n{stderr}", output.status);
        stdout.into_owned()
    }

    /// The same, where it has to fail; gives what was complained about.
    pub fn fail(&self, conf: &str) -> String {
        let output = self.start(conf);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stdout}\n{stderr}");
        assert!(
            stderr.contains("FAILED: ") && stderr.contains("run `/usr/libexec/elkbake/apply` or reboot"),
            "{stderr}"
        );
        stderr.into_owned()
    }

    /// Lays them out where a program that is needed fails.
    pub fn crash(&self, conf: &str) {
        let output = self.start(conf);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// A shell command, where `@` is the host.
    pub fn shell(&self, line: &str) -> String {
        run(Command::new("bash").args(["-ec", &line.replace('@', &self.path(""))]))
    }

    /// What is mounted goes away, as a reboot would have it.
    pub fn reboot(&self) {
        self.shell("umount @/*/");
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = PathBuf::from(self.path(path));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Owner and mode.
    pub fn stat(&self, path: &str) -> String {
        self.shell(&format!("stat -c '%u:%g %a' '@/{path}'")).trim().to_owned()
    }

    pub fn mount_options(&self, path: &str) -> String {
        self.shell(&format!("findmnt -no OPTIONS -M '@/{path}'"))
    }

    /// What blkid sees on a disk.
    pub fn signature(&self, disk: &str) -> String {
        self.shell(&format!("blkid -p -o export /dev/{disk} || true"))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = Command::new("bash").args(["-c", &format!("umount {}/*/", self.path(""))]).output();
        for disk in &self.disks {
            let _ = Command::new("losetup").args(["--detach", &format!("/dev/{disk}")]).output();
        }
    }
}
