//! An instance that is waited for: what it says on its console, and how it ends.

use std::collections::BTreeSet;

use super::clear::is_alive;
use super::desk::{Desk, Looks};
use super::fault::{HostError, is_taken, tail};
use crate::ami::verdict::{self, Nonce, Verdict};
use crate::bake::event::Event;
use crate::bake::port::{Ask, Ec2Site, Instance, PortError};

/// EC2 is slow to show the end of a console.
const CONSOLE_MINUTES: u32 = 3;

/// What EC2 has just made it may not show.
const UNSEEN: u32 = 2;

/// An instance that is watched.
pub(super) struct Watched<'w> {
    pub(super) site: &'w Ec2Site,
    pub(super) id: &'w str,
    pub(super) nonce: &'w Nonce,
    /// What its notes are told under.
    pub(super) task: &'w str,
    pub(super) desk: Desk<'w>,
}

/// What has been read of a console until now.
#[derive(Default)]
pub(super) struct Read {
    pub(super) text: String,
    pub(super) verdict: Option<Verdict>,
    /// What it has noted, in order.
    pub(super) notes: Vec<String>,
    told: BTreeSet<String>,
}

/// Where an instance is.
pub(super) enum State {
    /// It is alive, in this state.
    Alive(String),
    /// It has stopped.
    Stopped,
    /// It was ended, for this reason.
    Ended(Option<String>),
}

impl Watched<'_> {
    /// Looks where the instance is; `None` where EC2 does not show it.
    pub(super) fn look(&self) -> Result<Option<State>, PortError> {
        let ask = Ask { ids: [self.id.to_owned()].into(), ..Ask::default() };
        let found = self.desk.ec2.instances(self.site, &ask, self.desk.tell)?.into_iter().next();
        Ok(found.map(|instance| match instance.state.as_str() {
            // EC2 has stopped it, and not it itself.
            "stopping" | "stopped" if instance.reason.as_deref().is_some_and(is_taken) => State::Ended(instance.reason),
            "stopped" => State::Stopped,
            _ if !is_alive(&instance) => State::Ended(instance.reason),
            _ => State::Alive(instance.state),
        }))
    }

    /// Reads the console, and tells what is new on it.
    pub(super) fn read(&self, read: &mut Read) -> Result<(), PortError> {
        let console = self.desk.ec2.console(self.site, self.id, self.desk.tell)?;
        for line in verdict::notes_since(&console, self.nonce, &mut read.told) {
            (self.desk.tell)(Event::Said { task: self.task, line: &line });
            read.notes.push(line);
        }
        // A console forgets its beginning, and may be empty for a while: what was read once stays read.
        read.verdict = verdict::read(&console, self.nonce).or(read.verdict.take());
        if !console.is_empty() {
            read.text = console;
        }
        Ok(())
    }

    /// Waits until the instance has stopped itself and says that all went well.
    pub(super) fn until_stopped(&self, minutes: u32) -> Result<(), HostError> {
        let mut looks = Looks::new(self.desk);
        let mut unseen = Looks::new(self.desk);
        let mut read = Read::default();
        let mut state = "pending".to_owned();
        loop {
            self.desk.check()?;
            match self.look()? {
                Some(State::Stopped) => return self.judged(read),
                Some(State::Ended(reason)) => return Err(self.ended(reason, read)),
                None if unseen.past(UNSEEN) => return Err(self.ended(None, read)),
                None => {}
                Some(State::Alive(now)) => {
                    unseen = Looks::new(self.desk);
                    let was_said = read.verdict.is_some();
                    self.read(&mut read)?;
                    // What has said that it is done stops within seconds.
                    if now != state && now == "stopping" || read.verdict.is_some() != was_said {
                        looks.hurry();
                    }
                    state = now;
                }
            }
            if let Some(Verdict::Failed(problems)) = &read.verdict {
                return Err(self.failed(problems.clone(), &read.text));
            }
            if looks.past(minutes) {
                return Err(self.endless(state, minutes, &read.text));
            }
            if let Some(gone) = looks.minute() {
                let text = format!("{} in {} is {state} for {gone} min", self.id, self.site.region);
                (self.desk.tell)(Event::Note(&text));
            }
            looks.wait()?;
        }
    }

    /// What an instance that has stopped says of itself.
    fn judged(&self, mut read: Read) -> Result<(), HostError> {
        let mut looks = Looks::new(self.desk);
        loop {
            self.read(&mut read)?;
            match read.verdict.take() {
                Some(Verdict::Ok) => return Ok(()),
                Some(Verdict::Failed(problems)) => return Err(self.failed(problems, &read.text)),
                None if looks.past(CONSOLE_MINUTES) => {
                    return Err(HostError::NoVerdict {
                        instance: self.id.to_owned(),
                        region: self.site.region.clone(),
                        console: tail(&read.text),
                    });
                }
                None => looks.wait()?,
            }
        }
    }

    /// Waits until the instance says how it is, for so many seconds from when it runs.
    pub(super) fn until_judged(&self, seconds: u32, read: &mut Read) -> Result<(), HostError> {
        let mut looks = Looks::new(self.desk);
        let mut unseen = Looks::new(self.desk);
        let mut running = Looks::new(self.desk);
        loop {
            self.desk.check()?;
            let state = self.look()?;
            if !matches!(state, Some(State::Ended(_)) | None) {
                unseen = Looks::new(self.desk);
                self.read(read)?;
            }
            match read.verdict.take() {
                Some(Verdict::Ok) => return Ok(()),
                Some(Verdict::Failed(problems)) => return Err(self.failed(problems, &read.text)),
                None => {}
            }
            match state {
                Some(State::Ended(reason)) => return Err(self.ended(reason, std::mem::take(read))),
                Some(State::Stopped) => return self.judged(std::mem::take(read)),
                None if unseen.past(UNSEEN) => return Err(self.ended(None, std::mem::take(read))),
                Some(State::Alive(now)) if now == "pending" => running = Looks::new(self.desk),
                Some(State::Alive(now)) if running.past_seconds(seconds) => {
                    return Err(self.endless(now, seconds.div_ceil(60), &read.text));
                }
                _ => {}
            }
            looks.wait()?;
        }
    }

    fn endless(&self, state: String, minutes: u32, console: &str) -> HostError {
        let (instance, region) = (self.id.to_owned(), self.site.region.clone());
        HostError::Endless { instance, region, state, minutes, console: tail(console) }
    }

    fn failed(&self, problems: Vec<String>, console: &str) -> HostError {
        let (instance, region) = (self.id.to_owned(), self.site.region.clone());
        HostError::Failed { instance, region, problems, console: tail(console) }
    }

    fn ended(&self, reason: Option<String>, read: Read) -> HostError {
        let (instance, region) = (self.id.to_owned(), self.site.region.clone());
        match read.verdict {
            Some(Verdict::Failed(problems)) => self.failed(problems, &read.text),
            _ => HostError::Ended { instance, region, reason, console: tail(&read.text) },
        }
    }
}

/// The first instance that is alive.
pub(super) fn alive(found: Vec<Instance>) -> Option<Instance> {
    let mut alive: Vec<_> = found.into_iter().filter(is_alive).collect();
    // All runs take the same one.
    alive.sort_by(|a, b| a.id.cmp(&b.id));
    alive.into_iter().next()
}
