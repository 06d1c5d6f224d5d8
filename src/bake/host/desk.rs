//! What the road is travelled with, and how long it waits between two looks.

use std::time::{Duration, Instant};

use crate::bake::event::Listener;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Ec2, PortError};

/// An interrupt is looked for so often while nothing else is done.
const TICK: Duration = Duration::from_millis(50);

/// What AMIs are made with.
#[derive(Clone, Copy)]
pub struct Desk<'d> {
    /// Who speaks to EC2.
    pub ec2: &'d dyn Ec2,
    /// How it is waited.
    pub pace: Pace,
    /// Who may want to stop.
    pub interrupt: &'d Interrupt,
    /// Who is told.
    pub tell: Listener<'d>,
}

/// How it is waited.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Before the second look; half as long again before each further one.
    pub first: Duration,
    /// Between two looks, at most.
    pub longest: Duration,
    /// What counts as a minute: deadlines and notes are in minutes.
    pub minute: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        // An instance takes a minute to boot and an image some more to be made: more looks cost calls and win nothing.
        Self { first: Duration::from_secs(2), longest: Duration::from_secs(15), minute: Duration::from_mins(1) }
    }
}

/// Looks that get rarer.
pub(super) struct Looks<'d> {
    desk: Desk<'d>,
    pause: Duration,
    begun: Instant,
    noted: u32,
}

impl<'d> Looks<'d> {
    pub(super) fn new(desk: Desk<'d>) -> Self {
        Self { desk, pause: desk.pace.first, begun: Instant::now(), noted: 0 }
    }

    /// Whether so many minutes have gone by.
    pub(super) fn past(&self, minutes: u32) -> bool {
        self.begun.elapsed() >= self.desk.pace.minute * minutes
    }

    /// Whether so many seconds have gone by.
    pub(super) fn past_seconds(&self, seconds: u32) -> bool {
        self.begun.elapsed() * 60 >= self.desk.pace.minute * seconds
    }

    /// Waits until the next look.
    pub(super) fn wait(&mut self) -> Result<(), PortError> {
        self.desk.sleep(self.pause)?;
        self.pause = (self.pause * 3 / 2).min(self.desk.pace.longest);
        Ok(())
    }

    /// How long the next wait is.
    #[cfg(test)]
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// What is waited for will be there soon: looks are as frequent as at the beginning.
    pub(super) fn hurry(&mut self) {
        self.pause = self.desk.pace.first;
    }

    /// The minutes that have gone by, once for each of them.
    pub(super) fn minute(&mut self) -> Option<u32> {
        let gone = self.begun.elapsed().as_nanos() / self.desk.pace.minute.as_nanos().max(1);
        let gone = u32::try_from(gone).unwrap_or(u32::MAX);
        (gone > self.noted).then(|| {
            self.noted = gone;
            gone
        })
    }
}

impl Desk<'_> {
    /// Whether the person wants to stop.
    pub(super) fn check(&self) -> Result<(), PortError> {
        if self.interrupt.requested() { Err(PortError::Interrupted) } else { Ok(()) }
    }

    /// Waits so long, or until the person wants to stop.
    pub(super) fn sleep(&self, pause: Duration) -> Result<(), PortError> {
        let end = Instant::now() + pause;
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}
