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
