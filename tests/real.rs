//! Tests against programs that other people wrote.
//!
//! They fail where the program is not installed, so that nobody takes a test that did not run for one that
//! passed. `PEERS=0` says that this is known: then they say what did not run.

#[cfg(feature = "aws")]
pub mod aws;
pub mod base_in_registry;
pub mod docker;
pub mod ec2;
#[cfg(feature = "aws")]
pub mod ecr;
pub mod elasticsearch;
pub mod engine;
pub mod export;
pub mod filebeat;
pub mod jar;
pub mod layer;
pub mod logs;
pub mod logstash;
pub mod onto_debian;
pub mod output;
pub mod packer;
pub mod pipelines;
pub mod push;
pub mod registry;
pub mod run;
pub mod seen;
pub mod smoke;
pub mod storage;
pub mod tuning;
pub mod user_data;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A server on a port of its own; it ends when this is dropped.
pub struct Server(pub Child, pub u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port for another program. It is below those that the kernel gives to whoever asks for any, and handed out once:
/// until the program has it, nobody else gets it.
pub fn port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        // Several of these processes may run on one machine.
        let begin = u16::try_from(std::process::id() % 100).unwrap() * 100;
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Starts a server on a free port, which `prepare` puts into its arguments, and waits until it listens.
pub fn serve(program: &Path, prepare: impl Fn(&mut Command, u16)) -> Server {
    // The port may be taken by somebody else before the server has it: then another is tried.
    for _ in 0..10 {
        let port = port();
        let mut command = Command::new(program);
        prepare(&mut command, port);
        let mut server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap(), port);
        // moto needs up to ten seconds on a busy machine.
        for _ in 0..1500 {
            if server.0.try_wait().unwrap().is_some() {
                break;
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("{} does not start", program.display());
}

/// The path of a program, or `None` when `PEERS=0` says that it may be missing.
///
/// # Panics
/// When it is missing and was not said to be.
pub fn program(names: &[&str], package: &str) -> Option<PathBuf> {
    if std::env::var("PEERS").is_ok_and(|peers| peers == "0") {
        eprintln!("PEERS=0: did not run what needs {}", names[0]);
        return None;
    }
    // `make test` puts what Debian does not have there.
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).chain([ours]).collect();
    let found = names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|p| p.is_file()));
    let Some(program) = found else {
        panic!("{} is not installed: install the package `{package}`, or set PEERS=0 to go without", names[0]);
    };
    Some(program)
}

/// Something to bake from that `tools/fetch.sh` puts into place, or `None` when `PEERS=0` says that it may be missing.
///
/// # Panics
/// When it is missing and was not said to be.
pub fn artefact(name: &str, fetch: &str) -> Option<PathBuf> {
    if std::env::var("PEERS").is_ok_and(|peers| peers == "0") {
        eprintln!("PEERS=0: did not run what needs {name}");
        return None;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/artefacts").join(name);
    assert!(
        path.is_file(),
        "{} is missing: run `tools/fetch.sh {fetch}`, or set PEERS=0 to go without",
        path.display()
    );
    Some(path)
}

/// Runs a program to its end and gives what it printed.
///
/// # Panics
/// When it fails, with what it said.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n-- stdout\n{stdout}\n-- stderr\n{stderr}");
    stdout.into_owned()
}
