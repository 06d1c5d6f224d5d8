//! What comes with a request, and what goes wrong while it comes.

use std::io::{self, BufRead, Read};
use std::time::{Duration, Instant};

use super::serve::Server;
use super::{Fault, Request, guard, uploads};

/// As much as a server reads of what it does not want, so that a small request survives its refusal.
const PATIENCE: usize = 64 * 1024;

impl Server {
    /// Takes in the body. With it come the fault that is left and whether the connection goes on after the answer;
    /// `None` when it has ended.
    pub fn receive(
        &self,
        mut request: Request,
        length: usize,
        fault: Option<Fault>,
        from: &mut impl BufRead,
    ) -> io::Result<Option<(Request, Option<Fault>, bool)>> {
        let mut fault = fault;
        let mut until = length;
        let mut goes_on = true;
        match fault {
            Some(Fault::CutBody(after) | Fault::StallBody(after)) => until = until.min(after),
            Some(Fault::Early(after, _)) => {
                until = until.min(after);
                goes_on = false;
            }
            _ => {
                let mut state = self.state.lock().expect("no panic in the server");
                if matches!(fault, Some(Fault::Expire)) {
                    state.tokens.expire();
                }
                let is_refused = request.path() != "/token" && guard::refuse(&state, &request, "").is_some();
                let is_large = state.rules.largest.is_some_and(|largest| length > largest);
                if is_large {
                    fault = Some(Fault::Early(0, 413));
                }
                if is_large || (is_refused && length > PATIENCE) {
                    until = until.min(PATIENCE);
                    goes_on = false;
                }
            }
        }
        let read = self.take_in(&mut request, until, from);
        let is_cut = request.body.len() < until || matches!(fault, Some(Fault::CutBody(_)));
        if is_cut || matches!(fault, Some(Fault::StallBody(_))) {
            let mut state = self.state.lock().expect("no panic in the server");
            uploads::cut(&mut state, &request);
            state.requests.push(request);
            drop(state);
            if !is_cut {
                self.stall();
            }
            return read.map(|()| None);
        }
        Ok(Some((request, fault, goes_on)))
    }
    /// Reads a body, as fast as the rules let it come. What came of one that ends too early is kept too.
    fn take_in(&self, request: &mut Request, until: usize, from: &mut impl BufRead) -> io::Result<()> {
        let pace = self.state.lock().expect("no panic in the server").rules.pace;
        let Some(pace) = pace.filter(|_| until > 0) else {
            return from.take(until as u64).read_to_end(&mut request.body).map(drop);
        };
        let begun = Instant::now();
        let mut read = Ok(1);
        while request.body.len() < until && matches!(read, Ok(1..)) {
            let most = (until - request.body.len()).min(pace);
            read = from.take(most as u64).read_to_end(&mut request.body);
            let due = Duration::from_millis((request.body.len() / pace) as u64);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        read.map(drop)
    }
}
