//! Daemons of our own: a registry and a Docker engine, each with its own folder and address, stopped with the bench.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::cost::{is_here, run, shell};

/// A running daemon.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    fn start(command: &mut Command, log: PathBuf) -> Result<Self, String> {
        let out = || File::options().create(true).append(true).open(&log).map_err(|error| error.to_string());
        command.stdin(Stdio::null()).stdout(out()?).stderr(out()?);
        let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(Self { child, log })
    }

    /// Waits until it answers, for half a minute; else what it said last.
    fn wait_for(mut self, answers: impl Fn() -> bool) -> Result<Self, String> {
        for _ in 0..300 {
            if answers() {
                return Ok(self);
            }
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let said = fs::read_to_string(&self.log).unwrap_or_default();
        Err(said.trim().lines().last().unwrap_or("it does not answer").to_owned())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    /// Asked to end, it takes its children and mounts with it.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// A registry on loopback.
pub(crate) struct Registry {
    _service: Service,
    /// Its address, as it stands in references.
    pub(crate) host: String,
}

impl Registry {
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        if !is_here("docker-registry") {
            return Err("docker-registry is not installed".to_owned());
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let host = port.map_err(|error| error.to_string())?.to_string();
        let config = folder.join("registry.yml");
        let text = format!(
            "version: 0.1\nlog: {{ level: warn }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\n\
             http: {{ addr: \"{host}\" }}\n",
            folder.join("registry").display()
        );
        fs::write(&config, text).map_err(|error| error.to_string())?;
        let mut command = Command::new("docker-registry");
        let service = Service::start(command.arg("serve").arg(config), folder.join("registry.log"))?;
        let service = service.wait_for(|| TcpStream::connect(&host).is_ok())?;
        Ok(Self { _service: service, host })
    }
}

/// A Docker engine of our own.
pub(crate) struct Engine {
    service: Service,
    /// Where it listens.
    pub(crate) socket: PathBuf,
    config: PathBuf,
}

impl Engine {
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        for program in ["docker", "dockerd"] {
            if !is_here(program) {
                return Err(format!("{program} is not installed"));
            }
        }
        let folder = folder.join("docker");
        let config = folder.join("config");
        fs::create_dir_all(&config).map_err(|error| error.to_string())?;
        let socket = folder.join("socket");
        let mut command = Command::new("dockerd");
        command.arg("--data-root").arg(folder.join("data")).arg("--exec-root").arg(folder.join("exec"));
        command.arg("--pidfile").arg(folder.join("pid")).arg("--host").arg(format!("unix://{}", socket.display()));
        command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
        let service = Service::start(&mut command, folder.join("log"))?;
        let engine = |service| Self { service, socket: socket.clone(), config: config.clone() };
        let service = service.wait_for(|| run(docker(&socket, &config).arg("version")).is_ok())?;
        Ok(engine(service))
    }

    /// Docker's command, talking to this engine and knowing nothing of the user's own settings.
    pub(crate) fn docker(&self) -> Command {
        docker(&self.socket, &self.config)
    }

    /// The same with a script around it.
    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = shell(script);
        at(&mut command, &self.socket, &self.config);
        command
    }

    pub(crate) fn pid(&self) -> u32 {
        self.service.pid()
    }
}

fn docker(socket: &Path, config: &Path) -> Command {
    let mut command = Command::new("docker");
    at(&mut command, socket, config);
    command
}

fn at(command: &mut Command, socket: &Path, config: &Path) {
    command.env("DOCKER_HOST", format!("unix://{}", socket.display())).env("DOCKER_CONFIG", config);
}
