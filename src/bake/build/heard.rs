//! What a command prints: told line by line, and its end kept for when it fails.

use std::collections::VecDeque;

use crate::bake::event::{Event, Listener};

/// So many lines are kept: the end of what most programs say when they fail.
const LINES: usize = 40;

/// A longer line is cut in pieces.
const LONGEST: usize = 2000;

/// What a command has printed.
pub(super) struct Heard<'h> {
    task: &'h str,
    tell: Listener<'h>,
    line: Vec<u8>,
    last: VecDeque<String>,
}

impl<'h> Heard<'h> {
    pub(super) fn new(task: &'h str, tell: Listener<'h>) -> Self {
        Self { task, tell, line: Vec::new(), last: VecDeque::new() }
    }

    /// Takes in bytes, which end anywhere.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || self.line.len() == LONGEST {
                self.end_line();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        // A line that was painted over again and again is as it was in the end.
        let line = line.trim_end_matches('\r');
        let line = line.rsplit('\r').next().unwrap_or(line).to_owned();
        (self.tell)(Event::Said { task: self.task, line: &line });
        if self.last.len() == LINES {
            self.last.pop_front();
        }
        self.last.push_back(shown(&line));
    }

    /// The last lines.
    pub(super) fn finish(mut self) -> String {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.last.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
    }
}

/// A line without what a terminal would take for orders.
fn shown(line: &str) -> String {
    let mut shown = String::new();
    for c in line.chars() {
        if c.is_control() && c != '\t' { shown.extend(c.escape_debug()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn lines_are_told_whole_and_the_last_are_kept() {
        let told = Mutex::new(Vec::new());
        let tell = |event: Event<'_>| {
            let Event::Said { task: "t", line } = event else { panic!("{event:?}") };
            told.lock().unwrap().push(line.to_owned());
        };
        let mut heard = Heard::new("t", &tell);
        for bytes in [&b"one\ntw"[..], b"o\r\n", b"10 %\r20 %", b"\r100 %\n\nl\xffst"] {
            heard.take(bytes);
        }
        let kept = heard.finish();
        assert_eq!(*told.lock().unwrap(), ["one", "two", "100 %", "", "l\u{fffd}st"]);
        assert_eq!(kept, "  one\n  two\n  100 %\n  \n  l\u{fffd}st");
    }

    #[test]
    fn neither_a_long_line_nor_many_lines_take_memory() {
        let mut heard = Heard::new("t", &|_| ());
        heard.take(&vec![b'x'; 10 * LONGEST]);
        assert!(heard.line.len() <= LONGEST && heard.last.len() == 9);
        (0..1000).for_each(|i| heard.take(format!("{i}\n").as_bytes()));
        let kept = heard.finish();
        assert!(kept.starts_with("  960\n") && kept.ends_with("  999"), "{kept}");
    }
}
