//! A container engine with everything in a folder of its own: Debian's podman with runc, which need no daemon.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::{Server, program, run};

/// Images and containers that nobody else sees, and that are gone when this is dropped.
pub struct Engine {
    podman: PathBuf,
    runc: PathBuf,
    folder: tempfile::TempDir,
}

/// How a container ended, with what it printed.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Engine {
    /// An engine without images, or `None` when `PEERS=0` says that there may be none.
    pub fn new() -> Option<Self> {
        let (podman, runc) = (program(&["podman"], "podman")?, program(&["runc"], "runc")?);
        Some(Self { podman, runc, folder: tempfile::tempdir().unwrap() })
    }

    /// A call of podman.
    pub fn podman(&self) -> Command {
        let mut command = Command::new(&self.podman);
        let within = |name: &str| self.folder.path().join(name);
        command
            .arg("--root")
            .arg(within("root"))
            .arg("--runroot")
            .arg(within("run"))
            .arg("--tmpdir")
            .arg(within("tmp"));
        // Neither systemd nor its journal are everywhere where tests run.
        command.args(["--cgroup-manager=cgroupfs", "--events-backend=none"]).arg("--runtime").arg(&self.runc);
        command.stdin(Stdio::null());
        command
    }

    /// Podman's service, which speaks Docker's API, and its address. It ends when the child is killed.
    pub fn service(&self) -> (Server, String) {
        let within = |name: &str| self.folder.path().join(name);
        // The usual limits are more than a machine may allow.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=4096:4096\", \"nproc=4096:4096\"]\n";
        std::fs::write(within("containers.conf"), limits).unwrap();
        let address = format!("unix://{}", within("podman.sock").display());
        let mut command = self.podman();
        command.env("CONTAINERS_CONF", within("containers.conf"));
        // Who watches over its containers leaves notes where it was started.
        command.current_dir(self.folder.path());
        command.args(["system", "service", "--time=0", &address]).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Server(command.spawn().unwrap(), 0);
        while std::os::unix::net::UnixStream::connect(within("podman.sock")).is_err() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        (server, address)
    }

    /// Loads what `docker save` might have written, and gives the name that is in it.
    pub fn load(&self, archive: &Path) -> String {
        let said = run(self.podman().args(["load", "--quiet", "--input"]).arg(archive));
        let name = said.trim().strip_prefix("Loaded image: ").unwrap_or_else(|| panic!("{said}"));
        name.to_owned()
    }

    /// A container that is not started yet: podman's options, then the image, then what its program is given.
    pub fn container(&self, options: &[&str], image: &str, args: &[&str]) -> Command {
        let mut command = self.podman();
        command.arg("run");
        // podman asks for more than a machine may allow.
        command.args(["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]);
        command.args(options).arg(image).args(args);
        command
    }

    /// Runs a container without network to its end.
    pub fn run(&self, options: &[&str], image: &str, args: &[&str]) -> Ended {
        let options = [&["--rm", "--network=none"], options].concat();
        let Output { status, stdout, stderr } = self.container(&options, image, args).output().unwrap();
        Ended {
            code: status.code(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // What still runs or is mounted would keep the folder from being removed.
        let _ = self.podman().args(["rm", "--all", "--force", "--time=0"]).output();
        let _ = self.podman().args(["rmi", "--all", "--force"]).output();
    }
}

impl Ended {
    /// Standard output of a container that ended well.
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "\n-- stdout\n{}\n-- stderr\n{}", self.stdout, self.stderr);
        self.stdout
    }
}
