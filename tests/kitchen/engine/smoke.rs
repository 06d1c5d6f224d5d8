//! What smoke tests ask of an engine: to speak with a probe, to run commands and read files in containers that run, and to
//! stop them. The probe is played here, and what containers serve is what their commands say.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::State;
use super::files::{File, What};

/// The connection is no HTTP any more.
pub fn upgrade(stream: &mut UnixStream) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
}

/// A piece of output: 1 is standard output, 2 is standard error.
pub fn piece(stream: &mut UnixStream, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let size = u32::try_from(bytes.len()).unwrap();
    stream.write_all(&[&[kind, 0, 0, 0][..], &size.to_be_bytes(), bytes].concat())
}

/// Whether somebody speaks to a container.
pub fn listens(state: &Mutex<State>, id: &str) -> bool {
    state.lock().unwrap().containers.get(id).is_some_and(|container| container.body["OpenStdin"] == true)
}

/// Plays the probe until it is removed, or nobody speaks to it any more.
pub fn probe(stream: &mut UnixStream, id: &str, state: &Mutex<State>, stop: &AtomicBool) -> io::Result<()> {
    upgrade(stream)?;
    stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
    let mut asker: Option<String> = None;
    let lives = || state.lock().unwrap().lives() && state.lock().unwrap().containers.contains_key(id);
    while !stop.load(Ordering::Relaxed) && lives() {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => heard.extend_from_slice(&buffer[..n]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        while let Some((kind, message)) = message(&mut heard) {
            if kind == b'C' {
                piece(stream, 1, &framed(b'A', &asked(&state.lock().unwrap(), &message)))?;
            } else if let Some(asker) = asker.take() {
                let mut state = state.lock().unwrap();
                if let Some(container) = state.containers.get_mut(&asker) {
                    container.output.extend_from_slice(&message);
                }
            }
        }
        if asker.is_none()
            && let Some((who, question)) = state.lock().unwrap().questions.pop_front()
        {
            asker = Some(who);
            piece(stream, 1, &framed(b'Q', question.as_bytes()))?;
        }
    }
    Ok(())
}

fn framed(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat()
}

fn message(heard: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let length: [u8; 4] = heard.get(1..5)?.try_into().unwrap();
    let end = 5 + u32::from_le_bytes(length) as usize;
    if heard.len() < end {
        return None;
    }
    let rest = heard.split_off(end);
    let message = std::mem::replace(heard, rest);
    Some((message[0], message[5..].to_vec()))
}

/// What comes back from a port: `1` and the answer of whoever serves it, else `0`.
fn asked(state: &State, message: &[u8]) -> Vec<u8> {
    let port = u16::from_be_bytes([message[4], message[5]]);
    let is_up = |container: &&super::container::Container| container.started && container.hangs;
    match state.containers.values().filter(is_up).find_map(|container| container.serves.get(&port)) {
        Some(answer) if message.len() > 6 => [&[1], answer.as_bytes()].concat(),
        Some(_) => vec![1],
        None => vec![0],
    }
}

/// Runs a command in a container, and shows what it prints.
pub fn exec(stream: &mut UnixStream, id: &str, state: &Mutex<State>) -> io::Result<()> {
    upgrade(stream)?;
    let said = {
        let mut state = state.lock().unwrap();
        let (container, words, _) = state.execs[id].clone();
        let Some(container) = state.containers.get_mut(&container) else { return Ok(()) };
        let (said, code) = container.exec(&words);
        state.execs.get_mut(id).unwrap().2 = code;
        said
    };
    piece(stream, 1, &said)?;
    stream.flush()
}

/// Takes note of a command that is to be run.
pub fn make_exec(state: &mut State, container: &str, body: &Value) -> (u16, Vec<u8>) {
    if !state.containers[container].hangs {
        let message = json!({ "message": format!("Container {container} is not running") });
        return (409, message.to_string().into_bytes());
    }
    let id = state.id();
    let words = serde_json::from_value(body["Cmd"].clone()).unwrap();
    state.execs.insert(id.clone(), (container.to_owned(), words, 0));
    (201, json!({ "Id": id }).to_string().into_bytes())
}

/// Stops a container. One that does not listen is killed when the patience is at an end.
pub fn stop(id: &str, query: &str, state: &Mutex<State>) -> (u16, Vec<u8>) {
    let is_deaf = state.lock().unwrap().containers.get(id).is_some_and(|container| container.deaf);
    if is_deaf {
        let seconds = query.trim_start_matches("t=").split('&').next().unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_secs(seconds));
    }
    if let Some(container) = state.lock().unwrap().containers.get_mut(id) {
        container.hangs = false;
        container.code = if is_deaf { 137 } else { 143 };
    }
    (204, Vec::new())
}

/// A file of a container, as a tar stream.
pub fn archive(path: &str, file: Option<&File>) -> (u16, Vec<u8>) {
    let Some(file) = file else {
        return (404, json!({ "message": format!("Could not find the file {path}") }).to_string().into_bytes());
    };
    let mut header = tar::Header::new_ustar();
    header.set_path(path.rsplit('/').next().unwrap()).unwrap();
    header.set_mode(file.mode);
    header.set_uid(file.owner.0);
    header.set_gid(file.owner.1);
    let bytes: &[u8] = if let What::Bytes(bytes) = &file.what { bytes } else { &[] };
    header.set_size(bytes.len() as u64);
    header.set_cksum();
    let mut tarball = tar::Builder::new(Vec::new());
    tarball.append(&header, bytes).unwrap();
    (200, tarball.into_inner().unwrap())
}
