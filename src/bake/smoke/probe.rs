//! The probe: a program of 2 KB that is the only file of an image of its own. The container that it runs in has the network
//! that all others of a test share, and it carries bytes between that network and us.
//!
//! So an image is asked from where its neighbours in a task would ask it, whatever is in it, and wherever its engine is:
//! ports that are published on an engine's loopback are out of reach on another machine, and an engine has no other way to
//! a container's network. tools/probe/probe.c is its source and tells how it is spoken to.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::ecs::Ecs;
use crate::bake::port::{PortError, RUN_LABEL};
use crate::digest::Digest;
use crate::name::Platform;

/// The repository of the probe's image, which lives for one test only.
const REPOSITORY: &str = "elkbake-probe";

/// The probe waits 10 s for each of connecting and every piece of an answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(60);

/// The longest that is heard; the probe cuts answers at 4 MiB.
const LONGEST_MESSAGE: u32 = 8 << 20;

/// Everybody is on the loopback that all share.
const LOOPBACK: [u8; 4] = [127, 0, 0, 1];

/// What `docker save` would write of the probe's image, and its name. `None` where there is no probe for a platform.
pub(super) fn image(platform: &Platform, run: &str) -> Option<io::Result<(String, Vec<u8>)>> {
    let program = match platform.architecture.as_str() {
        "amd64" => include_str!("probe/amd64.txt"),
        "arm64" => include_str!("probe/arm64.txt"),
        _ => return None,
    };
    let name = format!("{REPOSITORY}:{run}");
    Some(archive(platform, program, &name, run).map(|archive| (name, archive)))
}

fn archive(platform: &Platform, program: &str, name: &str, run: &str) -> io::Result<Vec<u8>> {
    let program = STANDARD.decode(program.replace('\n', "")).map_err(io::Error::other)?;
    let layer = tarball(&[("probe", &program)])?;
    let config = json!({
        "architecture": platform.architecture, "os": Platform::OS, "created": "1980-01-01T00:00:01Z",
        "config": { "Entrypoint": ["/probe"], "Labels": { RUN_LABEL: run } },
        "rootfs": { "type": "layers", "diff_ids": [Digest::of(&layer)] },
    });
    let config = config.to_string();
    let config_name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    let manifest = json!([{ "Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"] }]).to_string();
    tarball(&[("manifest.json", manifest.as_bytes()), (&config_name, config.as_bytes()), ("layer.tar", &layer)])
}

fn tarball(files: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut tarball = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_path(name)?;
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        tarball.append(&header, *bytes)?;
    }
    tarball.into_inner()
}

/// The network of a test, by way of its probe.
pub(super) struct Net<'e> {
    mouth: Mutex<Option<Box<dyn Write + Send + 'e>>>,
    answers: Mutex<Receiver<Result<Vec<u8>, PortError>>>,
}

impl<'e> Net<'e> {
    pub(super) fn new(mouth: Box<dyn Write + Send + 'e>, answers: Receiver<Result<Vec<u8>, PortError>>) -> Self {
        Self { mouth: Mutex::new(Some(mouth)), answers: Mutex::new(answers) }
    }

    /// Sends bytes to a port, and gives what comes back until the other end closes; `None` where nobody takes a connection.
    pub(super) fn ask(&self, port: u16, bytes: &[u8]) -> Result<Option<Vec<u8>>, PortError> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        self.say(b'C', &[&LOOPBACK[..], &port.to_be_bytes(), bytes].concat()).map_err(port_error)?;
        let mut answer = match answers.recv_timeout(LONGEST_ANSWER) {
            Ok(answer) => answer?,
            Err(RecvTimeoutError::Timeout) => return Err(lost("it has not answered for a minute")),
            Err(RecvTimeoutError::Disconnected) => return Err(lost("it has ended")),
        };
        if answer.first() != Some(&1) {
            return Ok(None);
        }
        answer.remove(0);
        Ok(Some(answer))
    }

    /// Whether somebody takes connections at a port.
    pub(super) fn is_open(&self, port: u16) -> Result<bool, PortError> {
        Ok(self.ask(port, &[])?.is_some())
    }

    /// Hears what the probe says until nobody speaks to it any more, and answers who asks the services of ECS.
    pub(super) fn listen(&self, mut ear: impl Read, to: &Sender<Result<Vec<u8>, PortError>>, ecs: &Ecs) {
        loop {
            match heard(&mut ear) {
                // Who asked has gone where the receiver is gone.
                Ok(Some((b'A', answer))) => drop(to.send(Ok(answer))),
                Ok(Some((_, question))) => {
                    if let Err(error) = self.say(b'R', &ecs.answer(&question)) {
                        return drop(to.send(Err(port_error(error))));
                    }
                }
                Ok(None) => return,
                Err(error) => return drop(to.send(Err(port_error(error)))),
            }
        }
    }

    /// Ends the conversation.
    pub(super) fn close(&self) {
        self.mouth.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn say(&self, kind: u8, bytes: &[u8]) -> io::Result<()> {
        let mut mouth = self.mouth.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mouth) = mouth.as_mut() else { return Ok(()) };
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        mouth.write_all(&[&[kind][..], &length.to_le_bytes(), bytes].concat())?;
        mouth.flush()
    }
}

/// The next message of the probe.
fn heard(ear: &mut impl Read) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    match ear.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if length > LONGEST_MESSAGE {
        return Err(io::Error::other(lost("it says what nobody understands")));
    }
    let mut message = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    ear.read_exact(&mut message)?;
    Ok(Some((head[0], message)))
}

fn port_error(error: io::Error) -> PortError {
    error.downcast::<PortError>().unwrap_or_else(|error| lost(&error.to_string()))
}

fn lost(message: &str) -> PortError {
    PortError::Docker {
        subject: "the probe in the test's network".to_owned(),
        message: message.to_owned(),
        help: "see whether the engine still answers, with `docker info`, and test again".to_owned(),
    }
}

#[cfg(test)]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::record::Needs;

    /// The program as it is committed, taken out of the archive that engines get.
    fn program(folder: &std::path::Path) -> std::path::PathBuf {
        let (name, archive) = image(&"linux/amd64".parse().unwrap(), "run").unwrap().unwrap();
        assert_eq!(name, "elkbake-probe:run");
        let mut archive = tar::Archive::new(&archive[..]);
        let layer =
            archive.entries().unwrap().map(Result::unwrap).find(|entry| entry.path().unwrap().ends_with("layer.tar"));
        let mut layer = tar::Archive::new(layer.unwrap());
        let mut bytes = Vec::new();
        layer.entries().unwrap().next().unwrap().unwrap().read_to_end(&mut bytes).unwrap();
        let path = folder.join("probe");
        // Another process writes it: while this one has a file open for writing, so has a child that another test starts
        // at that moment, and then the file cannot be run.
        let mut shell = Command::new("sh");
        shell.args(["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh"]).arg(&path).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(shell.wait().unwrap().success());
        path
    }

    /// Starts it, again and again: it ends at once where somebody else has its port, and sleeps once it listens.
    fn listening(program: &std::path::Path) -> Child {
        for _ in 0..1000 {
            let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            while child.try_wait().unwrap().is_none() {
                let state = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
                if state.contains(") S ") {
                    return child;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("it does not listen");
    }

    fn ask_as_a_container(question: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", 51679)).unwrap();
        // In two pieces, as the network has it.
        let (one, two) = question.split_at(5);
        stream.write_all(one.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(two.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn bytes_go_both_ways_between_us_and_a_network() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = listening(&program(folder.path()));
        let (to, answers) = channel();
        let net = Net::new(Box::new(child.stdin.take().unwrap()), answers);
        let (ear, ecs) = (child.stdout.take().unwrap(), Ecs::of([("app", &Needs::default())]));
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        std::thread::scope(|scope| {
            let (net, ecs) = (&net, &ecs);
            scope.spawn(move || net.listen(ear, &to, ecs));
            assert!(!net.is_open(1).unwrap(), "nobody is there");
            scope.spawn(move || {
                for stream in server.incoming().take(2).map(Result::unwrap) {
                    let mut line = String::new();
                    BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
                    // Who only knocks says nothing.
                    let answer = if line.is_empty() { Vec::new() } else { vec![b'x'; 1 << 20] };
                    (&stream).write_all(&answer).unwrap();
                }
            });
            assert!(net.is_open(port).unwrap());
            let asking = scope.spawn(|| ask_as_a_container("GET /v4/app HTTP/1.1\r\nHost: x\r\n\r\n"));
            assert_eq!(net.ask(port, b"hello\n").unwrap().unwrap().len(), 1 << 20);
            let answer = asking.join().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("awsvpc"), "{answer}");
            assert!(ask_as_a_container("GET /none HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
            net.close();
        });
        assert!(child.wait().unwrap().success(), "it ends when nobody speaks to it");
    }

    #[test]
    fn there_is_a_probe_for_both_processors_of_ecs() {
        for (platform, machine) in [("linux/amd64", 62), ("linux/arm64", 183)] {
            let (_, archive) = image(&platform.parse().unwrap(), "run").unwrap().unwrap();
            let at = archive.windows(4).position(|four| four == b"\x7fELF").unwrap();
            assert_eq!(archive[at + 18], machine, "{platform}");
        }
        assert!(image(&"linux/riscv64".parse().unwrap(), "run").is_none());
    }
}
