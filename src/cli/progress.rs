//! Paints events: bars on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::size::bytes;
use crate::bake::event::Event;

/// The bars of a run, or the lack of them.
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    width: usize,
    running: Mutex<BTreeMap<String, Running>>,
}

struct Running {
    bar: ProgressBar,
    begun: Instant,
    done: u64,
    total: Option<u64>,
}

/// Redraws per second: enough to look alive, few enough for a terminal over a slow line.
const REDRAWS: u8 = 10;

/// How wide a bar itself is.
const BAR: usize = 16;

/// `123.4 MB of 123.4 MB`.
const SIZES: usize = 20;

/// `123.4 MB/s`.
const RATE: usize = 10;

impl Progress {
    pub(super) fn new(bars: bool, width: usize) -> Self {
        let bars = bars.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS)));
        Self { bars, width, running: Mutex::default() }
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
                running.insert(task.to_owned(), Running { bar, begun: Instant::now(), done: 0, total });
                let size = total.map_or_else(String::new, |total| format!(" ({})", bytes(total)));
                self.bars.is_none().then(|| format!("begin {task}{size}"))
            }
            Event::Advance { task, bytes } => {
                if let Some(one) = running.get_mut(task) {
                    // What frames the bytes is work too, and may be more than was promised.
                    one.done = (one.done + bytes).min(one.total.unwrap_or(u64::MAX));
                    one.bar.set_position(one.done);
                }
                None
            }
            Event::End { task } => {
                let ended = running.remove(task)?;
                ended.bar.finish_and_clear();
                let seconds = ended.begun.elapsed().as_secs_f64();
                self.bars.is_none().then(|| format!("end {task} ({} in {seconds:.1} s)", bytes(ended.done)))
            }
            Event::Said { .. } | Event::Note(_) | Event::Warn(_) => None,
        }
    }

    fn bar(&self, task: &str, total: Option<u64>) -> ProgressBar {
        let Some(bars) = &self.bars else {
            return ProgressBar::hidden();
        };
        let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let (template, label) = layout(self.width, total.is_some());
        // Every template is tried by the test below: a mistake in one costs only looks.
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("sizes", sizes).with_key("rate", rate);
        let bar = bars.add(bar.with_style(style).with_message(shortened(task, label)));
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// What a line shows on a terminal of some width, and how wide its label is.
fn layout(width: usize, has_end: bool) -> (String, usize) {
    // One column stays free: in the last one some terminals begin a new line.
    let rest = |others: usize| width.saturating_sub(others + 1).max(8);
    let (label, line) = match (width, has_end) {
        (90.., true) => (rest(BAR + SIZES + RATE + 3), format!("{{bar:{BAR}}} {{sizes:>{SIZES}}} {{rate:>{RATE}}}")),
        (60.., true) => (rest(BAR + SIZES + 2), format!("{{bar:{BAR}}} {{sizes:>{SIZES}}}")),
        (_, true) => (rest(4 + 1), "{percent:>3}%".to_owned()),
        (60.., false) => (rest(1 + SIZES + RATE + 3), format!("{{spinner}} {{sizes:>{SIZES}}} {{rate:>{RATE}}}")),
        (_, false) => (rest(1 + 1), "{spinner}".to_owned()),
    };
    (format!("{{msg:{label}!}} {line}"), label)
}

fn sizes(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    // Who paints cannot do anything about it.
    let _ = match state.len() {
        Some(total) => write!(to, "{} of {}", bytes(state.pos()), bytes(total)),
        None => to.write_str(&bytes(state.pos())),
    };
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is shown to three digits")]
fn rate(state: &ProgressState, to: &mut dyn std::fmt::Write) {
    let _ = write!(to, "{}/s", bytes(state.per_sec() as u64));
}

/// A text in so many columns: its beginning and its end, where all of it does not fit. The end tells one layer from
/// another.
fn shortened(text: &str, columns: usize) -> String {
    let count = text.chars().count();
    if count <= columns {
        return text.to_owned();
    }
    let (head, tail) = (columns / 2, columns - columns / 2 - 1);
    let mut short: String = text.chars().take(head).collect();
    short.push('…');
    short.extend(text.chars().skip(count - tail));
    short
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// A terminal that remembers what was painted last.
    #[derive(Clone, Debug)]
    struct Screen {
        width: u16,
        painting: Arc<Mutex<String>>,
        shown: Arc<Mutex<String>>,
    }

    impl Screen {
        /// Lines are not ended but filled up with spaces.
        fn write(&self, text: &str) {
            self.painting.lock().unwrap().push_str(if text.trim().is_empty() { "\n" } else { text });
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            self.width
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write(text);
            Ok(())
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.write(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.painting.lock().unwrap().clear();
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            *self.shown.lock().unwrap() = self.painting.lock().unwrap().clone();
            Ok(())
        }
    }

    /// What two layers look like that are half read, on a terminal of some width.
    fn painted(width: u16, total: Option<u64>) -> String {
        let screen = Screen { width, painting: Arc::default(), shown: Arc::default() };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 100);
        let bars = Some(MultiProgress::with_draw_target(target));
        let progress = Progress { bars, width: usize::from(width), running: Mutex::default() };
        let tasks = ["00fa2f6542f4", "e5faae4a4984"]
            .map(|layer| format!("reading docker.elastic.co/elasticsearch/elasticsearch:8.19.21 (layer {layer})"));
        for task in &tasks {
            progress.take(Event::Begin { task, bytes: total });
        }
        loop {
            for task in &tasks {
                progress.take(Event::Advance { task, bytes: 61_728_394 });
            }
            std::thread::sleep(Duration::from_millis(20));
            let shown = screen.shown.lock().unwrap().clone();
            if shown.lines().count() == tasks.len() {
                return shown;
            }
        }
    }

    #[test]
    fn without_a_terminal_beginnings_and_ends_are_lines() {
        let progress = Progress::new(false, 80);
        let begun = progress.take(Event::Begin { task: "a.zip", bytes: Some(2000) });
        assert_eq!(begun.as_deref(), Some("begin a.zip (2.0 kB)"));
        assert_eq!(progress.take(Event::Advance { task: "a.zip", bytes: 2500 }), None);
        let ended = progress.take(Event::End { task: "a.zip" }).unwrap();
        let seconds = ended.strip_prefix("end a.zip (2.0 kB in ").and_then(|rest| rest.strip_suffix(" s)"));
        assert!(seconds.is_some_and(|seconds| seconds.parse::<f64>().is_ok()), "{ended}");
        assert_eq!(progress.take(Event::End { task: "a.zip" }), None);
    }

    #[test]
    fn a_line_fits_into_any_terminal_and_tells_one_layer_from_another() {
        for width in [20, 40, 59, 60, 80, 89, 90, 120, 200] {
            for total in [Some(123_456_789), None] {
                let shown = painted(width, total);
                for (line, end) in shown.lines().zip(["42f4)", "4984)"]) {
                    assert!(line.starts_with("readi") && line.contains(end), "{width}: {shown}");
                    assert!(line.trim_end().chars().count() < usize::from(width), "{width}: {shown}");
                }
                assert_eq!(shown.contains(" of 123.5 MB"), width >= 60 && total.is_some(), "{width}: {shown}");
            }
        }
    }
}
