//! The only printing: results to standard output, everything else to standard error.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::failure::{Exit, Failure, What};
use super::fold::folded;
use super::global::{Color, Global, LogFormat};
use super::plain::plain;
use super::progress::Progress;
use super::snippet;
use super::surroundings::Surroundings;
use crate::bake::event::Event;
use crate::bake::interrupt::Interrupt;
use crate::bake::port::PortError;

/// A wish to stop is looked for so often while a person thinks.
const TICK: Duration = Duration::from_millis(50);

/// Talks to the user.
pub(super) struct Ui {
    log: LogFormat,
    quiet: bool,
    stdout_color: bool,
    stderr_color: bool,
    width: usize,
    /// Where a person reads results, and in how many columns.
    fold: Option<usize>,
    progress: Progress,
}

/// What a word is, so that it can be painted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Bold,
    Dim,
    Red,
    Yellow,
    Green,
    Cyan,
}

impl Ui {
    pub(super) fn new(global: &Global, surroundings: &Surroundings) -> Self {
        let is_dumb = surroundings.variable("TERM") == Some("dumb");
        let no_color = surroundings.variable("NO_COLOR").is_some() || is_dumb;
        let color = |is_terminal: bool| match global.color {
            Color::Auto => is_terminal && !no_color,
            Color::Always => true,
            Color::Never => false,
        };
        let bars = surroundings.stderr_is_terminal && !is_dumb;
        let bars = bars && global.log_format == LogFormat::Text && !global.quiet;
        Self {
            log: global.log_format,
            quiet: global.quiet,
            stdout_color: color(surroundings.stdout_is_terminal),
            stderr_color: color(surroundings.stderr_is_terminal),
            width: surroundings.columns(),
            fold: surroundings.stdout_is_terminal.then(|| surroundings.columns()),
            progress: Progress::new(bars, surroundings.columns()),
        }
    }

    /// Prints what was asked for.
    pub(super) fn result(&self, text: &str) -> Result<(), Failure> {
        self.progress.suspend(|| {
            let mut out = io::stdout().lock();
            ignore_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
        })
    }

    /// Prints what was asked for as one JSON document.
    pub(super) fn json(&self, document: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(document).map_err(Failure::input)?;
        self.result(&(text + "\n"))
    }

    /// Paints a word for standard output.
    pub(super) fn paint(&self, paint: Paint, word: &str) -> String {
        painted(self.stdout_color, paint, word)
    }

    /// Says why a run fails, also where it is to be quiet.
    pub(super) fn failure(&self, failure: &Failure) {
        if self.log == LogFormat::Json {
            let exit = failure.exit.code();
            self.line(
                &json!({ "level": "error", "message": failure.to_string(), "hint": failure.hint, "exit": exit })
                    .to_string(),
            );
            return;
        }
        match &failure.what {
            What::Words(words) => self.labelled("error", Paint::Red, words),
            What::Text(error) => self.line(snippet::render(error, self.stderr_color, self.width).trim_end()),
        }
        if let Some(hint) = &failure.hint {
            self.labelled("hint", Paint::Cyan, hint);
        }
    }

    /// Says all of them; the first decides how the process ends, or else `otherwise`.
    pub(super) fn failures(&self, failures: &[Failure], otherwise: Exit) -> Exit {
        // What stands in the way of many things is said once.
        let mut said = BTreeSet::new();
        failures.iter().filter(|failure| said.insert(failure.to_string())).for_each(|failure| self.failure(failure));
        failures.first().map_or(otherwise, |failure| failure.exit)
    }

    /// A long text behind a label: broken into lines on a terminal, and in one elsewhere.
    pub(super) fn folded(&self, label: &str, text: &str) -> String {
        self.fold.map_or_else(|| format!("{label}{text}"), |columns| folded(label, text, columns)) + "\n"
    }

    /// A line for those who want to know what is going on.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            self.log("info", "note", Paint::Dim, text);
        }
    }

    /// A line that a person should see.
    pub(super) fn warn(&self, text: &str) {
        if !self.quiet {
            self.log("warning", "warning", Paint::Yellow, text);
        }
    }

    /// Asks a person, who has to say yes. Whoever presses Ctrl-C instead is heard at once.
    pub(super) fn ask(&self, question: &str, interrupt: &Interrupt) -> Result<bool, Failure> {
        self.progress.suspend(|| {
            let mut out = io::stderr().lock();
            ignore_closed(write!(out, "{question} [y/N] ").and_then(|()| out.flush()))
        })?;
        let (to, answers) = mpsc::channel();
        // Nobody waits for it who has been interrupted: it ends with the process.
        std::thread::spawn(move || {
            let mut answer = String::new();
            drop(to.send(io::stdin().read_line(&mut answer).map(|_| answer)));
        });
        loop {
            match answers.recv_timeout(TICK) {
                Ok(Ok(answer)) => return Ok(matches!(answer.trim(), "y" | "Y" | "yes")),
                Ok(Err(error)) => return Err(Failure::input(format!("cannot read an answer: {error}"))),
                Err(RecvTimeoutError::Disconnected) => return Ok(false),
                Err(RecvTimeoutError::Timeout) if interrupt.requested() => return Err(PortError::Interrupted.into()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Takes an event of the core.
    pub(super) fn event(&self, event: Event<'_>) {
        match event {
            Event::Note(text) => self.note(text),
            Event::Warn(text) => self.warn(text),
            _ if self.quiet => {}
            Event::Said { task, line } if self.log == LogFormat::Text => {
                let task = painted(self.stderr_color, Paint::Dim, &format!("{task} |"));
                self.line(&format!("{task} {}", plain(line)));
            }
            _ if self.log == LogFormat::Json => {
                if let Some(line) = event_json(event) {
                    self.line(&line.to_string());
                }
            }
            other => {
                if let Some(line) = self.progress.take(other) {
                    self.line(&line);
                }
            }
        }
    }

    fn log(&self, level: &str, label: &str, paint: Paint, text: &str) {
        match self.log {
            LogFormat::Json => self.line(&json!({ "level": level, "message": text }).to_string()),
            LogFormat::Text => self.labelled(label, paint, text),
        }
    }

    fn labelled(&self, label: &str, paint: Paint, text: &str) {
        self.line(&format!("{} {text}", painted(self.stderr_color, paint, &format!("{label}:"))));
    }

    fn line(&self, line: &str) {
        // Nobody is left to hear that standard error is gone.
        self.progress.suspend(|| drop(writeln!(io::stderr().lock(), "{line}")));
    }
}

/// The bytes of progress are for bars; a log wants to know of beginnings and ends only.
fn event_json(event: Event<'_>) -> Option<serde_json::Value> {
    match event {
        Event::Begin { task, bytes } => {
            Some(json!({ "level": "info", "event": "begin", "task": task, "bytes": bytes }))
        }
        Event::End { task } => Some(json!({ "level": "info", "event": "end", "task": task })),
        Event::Said { task, line } => Some(json!({ "level": "info", "event": "said", "task": task, "line": line })),
        _ => None,
    }
}

/// A reader that closed the pipe has what it wanted.
fn ignore_closed(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn painted(on: bool, paint: Paint, word: &str) -> String {
    let code = match paint {
        Paint::Bold => "1",
        Paint::Dim => "2",
        Paint::Red => "1;31",
        Paint::Yellow => "1;33",
        Paint::Green => "32",
        Paint::Cyan => "36",
    };
    if on { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() }
}
