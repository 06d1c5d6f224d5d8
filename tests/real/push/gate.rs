//! A way to a server that can be closed between two requests, or cut at a byte.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The way; it stands on a port of its own.
pub struct Gate {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    to: u16,
    is_open: bool,
    /// So many requests of the kind `PATCH` until it closes before one.
    patches: Option<usize>,
    /// So many bytes of bodies until all that runs is cut.
    left: Option<u64>,
    passed: u64,
}

impl Gate {
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = State { to, is_open: true, patches: None, left: None, passed: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || pass(stream, &state));
            }
        });
        Self { port, state }
    }

    /// How many bytes of bodies went to the server.
    pub fn passed(&self) -> u64 {
        self.state.lock().unwrap().passed
    }

    /// Closes before the `number`th chunk.
    pub fn close_before_patch(&self, number: usize) {
        self.state.lock().unwrap().patches = Some(number);
    }

    /// Cuts the connection once, after so many bytes of bodies.
    pub fn cut_after(&self, bytes: u64) {
        self.state.lock().unwrap().left = Some(bytes);
    }

    /// Opens again.
    pub fn open_to(&self, to: u16) {
        let mut state = self.state.lock().unwrap();
        (state.to, state.is_open, state.patches) = (to, true, None);
    }
}

fn pass(client: TcpStream, state: &Mutex<State>) {
    let to = {
        let state = state.lock().unwrap();
        if state.is_open { state.to } else { return }
    };
    let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = io::copy(&mut answers, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut client = BufReader::new(client);
    while let Ok(true) = request(&mut client, &server, state) {}
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.get_ref().shutdown(Shutdown::Both);
}

/// Passes one request on; tells whether another may come.
fn request(client: &mut BufReader<TcpStream>, mut server: &TcpStream, state: &Mutex<State>) -> io::Result<bool> {
    let mut head = String::new();
    let mut left = 0_u64;
    loop {
        let begin = head.len();
        if client.read_line(&mut head)? == 0 {
            return Ok(false);
        }
        let line = head[begin..].to_ascii_lowercase();
        if let Some(length) = line.strip_prefix("content-length:") {
            left = length.trim().parse().unwrap_or(0);
        }
        if line == "\r\n" {
            break;
        }
    }
    {
        let mut state = state.lock().unwrap();
        if head.starts_with("PATCH")
            && let Some(patches) = state.patches.as_mut()
        {
            *patches -= 1;
            state.is_open = state.patches != Some(0);
        }
        if !state.is_open {
            return Ok(false);
        }
    }
    server.write_all(head.as_bytes())?;
    let mut buffer = vec![0; 64 * 1024];
    while left > 0 {
        let count = client.by_ref().take(left).read(&mut buffer)?;
        if count == 0 {
            return Ok(false);
        }
        server.write_all(&buffer[..count])?;
        left -= count as u64;
        let mut state = state.lock().unwrap();
        state.passed += count as u64;
        if let Some(until) = state.left.as_mut() {
            *until = until.saturating_sub(count as u64);
            if *until == 0 {
                state.left = None;
                return Ok(false);
            }
        }
    }
    Ok(true)
}
