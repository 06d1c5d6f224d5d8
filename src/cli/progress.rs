//! Paints events: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::size::bytes;
use crate::bake::event::Event;

/// The bars of a run, or the lack of them.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    bar: ProgressBar,
    done: u64,
}

/// Redraws per second: enough to look alive, few enough for a terminal over a slow line.
const REDRAWS: u8 = 10;

impl Progress {
    pub(super) fn new(bars: bool) -> Self {
        let bars = bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS)));
        Self { bars, running: Mutex::default() }
    }

    /// Prints with the bars out of the way.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }

    /// Shows an event; without bars, returns the line that tells it.
    pub(super) fn take(&self, event: Event<'_>) -> Option<String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Begin { task, bytes: total } => {
                let bar = self.bar(task, total);
                running.insert(task.to_owned(), Running { bar, done: 0 });
                let size = total.map_or_else(String::new, |total| format!(" ({})", bytes(total)));
                self.bars.is_none().then(|| format!("begin {task}{size}"))
            }
            Event::Advance { task, bytes } => {
                if let Some(one) = running.get_mut(task) {
                    one.done += bytes;
                    one.bar.inc(bytes);
                }
                None
            }
            Event::End { task } => {
                let ended = running.remove(task);
                if let Some(ended) = &ended {
                    ended.bar.finish_and_clear();
                }
                let done = ended.map_or(0, |ended| ended.done);
                let size = if done == 0 { String::new() } else { format!(" ({})", bytes(done)) };
                self.bars.is_none().then(|| format!("end {task}{size}"))
            }
            Event::Note(_) | Event::Warn(_) => None,
        }
    }

    fn bar(&self, task: &str, total: Option<u64>) -> ProgressBar {
        let Some(bars) = &self.bars else {
            return ProgressBar::hidden();
        };
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{msg:40!} {bar:24} {bytes:>10} of {total_bytes:10} {bytes_per_sec}")
            }
            None => (ProgressBar::new_spinner(), "{msg:40!} {spinner} {bytes:>10} {bytes_per_sec}"),
        };
        // The template is a constant: a mistake in it is seen by the test below, and costs only looks.
        let bar =
            bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        let bar = bars.add(bar.with_message(task.to_owned()));
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        bar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_beginnings_and_ends_are_lines() {
        let progress = Progress::new(false);
        let begun = progress.take(Event::Begin { task: "a.zip", bytes: Some(2000) });
        assert_eq!(begun.as_deref(), Some("begin a.zip (2.0 kB)"));
        assert_eq!(progress.take(Event::Advance { task: "a.zip", bytes: 2000 }), None);
        assert_eq!(progress.take(Event::End { task: "a.zip" }).as_deref(), Some("end a.zip (2.0 kB)"));
    }
}
