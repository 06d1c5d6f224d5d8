//! HTTP/1.1 by hand, so that every byte can be wrong.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::answer::{Answer, answer, part};
use super::{Fault, Request, State, write};

/// A connection, with or without TLS.
pub trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

#[derive(Clone)]
pub struct Server {
    pub state: Arc<Mutex<State>>,
    pub stop: Arc<AtomicBool>,
    pub address: SocketAddr,
}

/// Counts a request as long as it is worked on.
struct Coming<'s>(&'s Server);

impl<'s> Coming<'s> {
    fn new(server: &'s Server) -> Self {
        let mut state = server.state.lock().expect("no panic in the server");
        state.coming += 1;
        state.most_coming = state.most_coming.max(state.coming);
        drop(state);
        Self(server)
    }
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.state.lock().expect("no panic in the server").coming -= 1;
    }
}

/// How a body goes out.
enum Framing {
    Length(u64),
    Chunks,
    UntilClose,
}

impl Server {
    /// Answers requests until the client or a fault ends the connection.
    pub fn connection(&self, stream: Box<dyn Duplex>) {
        self.state.lock().expect("no panic in the server").connections += 1;
        self.requests(BufReader::new(stream));
        self.state.lock().expect("no panic in the server").connections -= 1;
    }

    fn requests(&self, mut stream: BufReader<Box<dyn Duplex>>) {
        while let Ok(Some((request, length))) = read(&mut stream) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let _counted = (length > 0 && request.path().contains("/blobs/uploads/")).then(|| Coming::new(self));
            let fault = self.planned(&request);
            let Ok(Some((request, fault, goes_on))) = self.receive(request, length, fault, &mut stream) else { return };
            if !matches!(self.respond(request, fault.as_ref(), stream.get_mut()), Ok(true)) || !goes_on {
                return;
            }
        }
    }

    /// The fault that is planned for a request.
    fn planned(&self, request: &Request) -> Option<Fault> {
        let mut request = request.clone();
        request.target = local(&request.target);
        let mut state = self.state.lock().expect("no panic in the server");
        let planned = state.faults.iter_mut().find(|planned| planned.times > 0 && planned.is_for(&request))?;
        planned.times = planned.times.saturating_sub(1);
        Some(planned.fault.clone())
    }

    /// Sends an answer; tells whether the connection goes on.
    fn respond(&self, mut request: Request, fault: Option<&Fault>, to: &mut dyn Write) -> io::Result<bool> {
        while matches!(fault, Some(Fault::Hold)) && !self.goes_on() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let target = local(&request.target);
        let whole = std::mem::replace(&mut request.target, target);
        let mut state = self.state.lock().expect("no panic in the server");
        match fault {
            Some(Fault::Vanish) => state.uploads.clear(),
            Some(Fault::Expire) => state.tokens.expire(),
            Some(Fault::Taken(tag)) => write::take(&mut state, &request, tag),
            Some(Fault::NotTaken) => request.headers.extend([("kitchen-not-taken".to_owned(), String::new())]),
            _ => {}
        }
        let host = request.header("host").map_or_else(|| self.address.to_string(), str::to_owned);
        let right = match fault {
            // What is refused is not done either.
            Some(Fault::Status(..) | Fault::Early(..)) => Answer::new(200, "text/plain", Vec::new()),
            _ => answer(&mut state, &request, &host),
        };
        let right = match fault {
            Some(Fault::NoRanges) => right,
            Some(Fault::OtherRange) => part(right, &request, 1),
            _ => part(right, &request, 0),
        };
        request.target = whole;
        let is_head = request.method == "HEAD";
        // The client may look at this before we have seen it go; what differs is mended afterwards.
        request.sent = match fault {
            _ if is_head => 0,
            Some(Fault::Cut(after)) => right.body.len().min(*after) as u64,
            Some(Fault::Stall | Fault::HangUp | Fault::Silent | Fault::Endless) => 0,
            _ => right.body.len() as u64,
        };
        let (number, forgotten) = (state.requests.len(), state.forgotten);
        state.requests.push(request);
        drop(state);
        let sent = self.send(right, fault, is_head, to);
        let (count, goes_on) = match &sent {
            Ok((count, goes_on)) => (*count, *goes_on),
            Err(_) => (0, false),
        };
        let mut state = self.state.lock().expect("no panic");
        // What is forgotten by now has others in its place.
        if state.forgotten == forgotten {
            state.requests[number].sent = count;
        }
        drop(state);
        sent.map(|_| goes_on)
    }

    /// Sends an answer with its fault; tells the number of body bytes and whether the connection goes on.
    fn send(
        &self,
        mut answer: Answer,
        fault: Option<&Fault>,
        is_head: bool,
        to: &mut dyn Write,
    ) -> io::Result<(u64, bool)> {
        if matches!(fault, Some(Fault::Endless)) {
            return self.endless(&answer, to);
        }
        let (framing, cut) = spoil(&mut answer, fault);
        if matches!(fault, Some(Fault::HangUp)) {
            return Ok((0, false));
        }
        if matches!(fault, Some(Fault::Silent)) {
            self.stall();
            return Ok((0, false));
        }
        to.write_all(head(&answer, &framing).as_bytes())?;
        to.flush()?;
        if matches!(fault, Some(Fault::Stall)) {
            self.stall();
            return Ok((0, false));
        }
        if is_head {
            return Ok((0, true));
        }
        let is_cut = cut < answer.body.len();
        answer.body.truncate(cut);
        match framing {
            Framing::Chunks => {
                for chunk in answer.body.chunks(1000) {
                    write!(to, "{:x}\r\n", chunk.len())?;
                    to.write_all(chunk)?;
                    to.write_all(b"\r\n")?;
                }
                if !is_cut {
                    to.write_all(b"0\r\n\r\n")?;
                }
            }
            Framing::Length(_) | Framing::UntilClose => to.write_all(&answer.body)?,
        }
        to.flush()?;
        let sent = answer.body.len() as u64;
        let goes_on = !is_cut && !matches!(framing, Framing::UntilClose) && !matches!(fault, Some(Fault::SayLength(_)));
        Ok((sent, goes_on))
    }

    /// Spaces, until the client has enough: at most 10 GB.
    fn endless(&self, answer: &Answer, to: &mut dyn Write) -> io::Result<(u64, bool)> {
        const ALL: u64 = 10_000_000_000;
        to.write_all(head(answer, &Framing::Length(ALL)).as_bytes())?;
        let spaces = [b' '; 16 * 1024];
        let mut sent = 0;
        while sent < ALL && !self.stop.load(Ordering::Relaxed) {
            match to.write(&spaces) {
                Ok(count) => sent += count as u64,
                Err(_) => break,
            }
        }
        Ok((sent, false))
    }

    /// Whether what is held goes on.
    fn goes_on(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.state.lock().expect("no panic in the server").is_released
    }

    pub fn stall(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Makes an answer wrong; tells how its body goes out, and after how many bytes it is cut.
fn spoil(answer: &mut Answer, fault: Option<&Fault>) -> (Framing, usize) {
    let mut cut = usize::MAX;
    let mut framing = None;
    match fault {
        Some(Fault::Cut(after)) => cut = *after,
        Some(Fault::SayLength(length)) => framing = Some(Framing::Length(*length)),
        Some(Fault::Status(status, after)) => {
            *answer = Answer::new(*status, "text/plain", b"not now".to_vec());
            answer.set("Retry-After", after.as_deref().unwrap_or_default());
            answer.set("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        }
        Some(Fault::Page(title)) => {
            let page = format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head></html>");
            *answer = Answer::new(200, "text/html; charset=utf-8", page.into_bytes());
        }
        Some(Fault::Corrupt) => answer.body.last_mut().into_iter().for_each(|byte| *byte ^= 1),
        Some(Fault::Redirect(location)) => {
            *answer = Answer::new(307, "text/plain", Vec::new()).with("Location", location);
        }
        Some(Fault::NoLength) => framing = Some(Framing::UntilClose),
        Some(Fault::Chunked(after)) => {
            framing = Some(Framing::Chunks);
            cut = after.unwrap_or(usize::MAX);
        }
        Some(Fault::Headers(headers)) => headers.iter().for_each(|(name, value)| answer.set(name, value)),
        Some(Fault::As(status)) => answer.status = *status,
        Some(Fault::Early(_, status)) => *answer = Answer::new(*status, "text/plain", b"enough".to_vec()),
        Some(
            Fault::CutBody(_)
            | Fault::StallBody(_)
            | Fault::Vanish
            | Fault::Expire
            | Fault::NotTaken
            | Fault::Endless
            | Fault::HangUp
            | Fault::Silent
            | Fault::Hold
            | Fault::Taken(_)
            | Fault::Stall
            | Fault::NoRanges
            | Fault::OtherRange,
        )
        | None => {}
    }
    (framing.unwrap_or(Framing::Length(answer.body.len() as u64)), cut)
}

fn head(answer: &Answer, framing: &Framing) -> String {
    let mut lines = vec![format!("HTTP/1.1 {} Kitchen", answer.status)];
    lines.extend(answer.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push(match framing {
        Framing::Length(length) => format!("Content-Length: {length}"),
        Framing::Chunks => "Transfer-Encoding: chunked".to_owned(),
        Framing::UntilClose => "Connection: close".to_owned(),
    });
    lines.join("\r\n") + "\r\n\r\n"
}

/// A client that takes us for a proxy sends the whole address.
fn local(target: &str) -> String {
    match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned(),
        None => target.to_owned(),
    }
}

/// The head of the next request, and the length of what comes with it; `None` when there is none.
fn read(from: &mut impl BufRead) -> io::Result<Option<(Request, usize)>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Some((Request { method, target, headers, body: Vec::new(), sent: 0 }, length)))
}
