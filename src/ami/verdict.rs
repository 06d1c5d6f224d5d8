//! What a host says of itself on its serial console: notes as it goes on, problems, and at the end a verdict.
//!
//! The console is written to by the kernel, by systemd and by whatever else likes to, and anybody may have put anything
//! there before: so a line counts from our word and the right nonce on, whatever stands before it, and what says that
//! all is well has to say nothing else. Lines are printed more than once, because others write into them.

use std::collections::BTreeSet;
use std::fmt;

use crate::digest::Digest;
use crate::recipe::Architecture;

/// The first word of every line that is ours.
pub(in crate::ami) const WORD: &str = "ELKBAKE";

/// Longer texts are cut; nobody reads more of a line.
const LONGEST: usize = 300;

/// How a host's lines are told from those of any other: by what it is baked from, and its processor.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(String);

impl Nonce {
    /// The nonce of a host that is baked, or tested, by a key.
    #[must_use]
    pub fn of(key: &Digest, architecture: Architecture) -> Self {
        Self(format!("{}-{architecture}", &key.hex()[..12]))
    }

    /// Its text: letters, digits, `_` and `-`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a host said of itself in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Ok,
    /// Something is not: these are its problems, as far as they can be read.
    Failed(Vec<String>),
}

/// The verdict that stands on a console; none as long as the host has not come to one.
///
/// Who says both is not well.
#[must_use]
pub fn read(console: &str, nonce: &Nonce) -> Option<Verdict> {
    let mut problems = Vec::new();
    let (mut well, mut failed) = (false, false);
    for said in lines(console, nonce) {
        match said {
            Said::Ok => well = true,
            Said::Failed => failed = true,
            Said::Problem(text) if !problems.contains(&text) => problems.push(text),
            Said::Problem(_) | Said::Note(_) => {}
        }
    }
    match (well, failed) {
        (false, false) => None,
        (true, false) if problems.is_empty() => Some(Verdict::Ok),
        _ => Some(Verdict::Failed(problems)),
    }
}

/// The notes on a console that were not told yet, in their order; now they are.
///
/// A console forgets its beginning, so what was told is known by its text.
#[must_use]
pub fn notes_since(console: &str, nonce: &Nonce, told: &mut BTreeSet<String>) -> Vec<String> {
    // The last line may still be on its way.
    let whole = console.rfind(['\n', '\r']).map_or("", |end| &console[..end]);
    let mut new = Vec::new();
    for said in lines(whole, nonce) {
        if let Said::Note(text) = said
            && told.insert(text.clone())
        {
            new.push(text);
        }
    }
    new
}

enum Said {
    Note(String),
    Problem(String),
    Ok,
    Failed,
}

fn lines<'c>(console: &'c str, nonce: &'c Nonce) -> impl Iterator<Item = Said> + 'c {
    console.split(['\n', '\r']).filter_map(move |line| parse(line, nonce))
}

fn parse(line: &str, nonce: &Nonce) -> Option<Said> {
    let said = line.match_indices(WORD).find_map(|(at, word)| {
        let rest = line[at + word.len()..].strip_prefix(' ')?;
        rest.strip_prefix(nonce.as_str())?.strip_prefix(' ')
    })?;
    match said.split_once(' ') {
        Some(("note", text)) => Some(Said::Note(clean(text))),
        Some(("problem", text)) => Some(Said::Problem(clean(text))),
        _ => match said.trim_end_matches(|c: char| c.is_whitespace() || c.is_control()) {
            "ok" => Some(Said::Ok),
            "failed" => Some(Said::Failed),
            _ => None,
        },
    }
}

/// What can be shown to people: one line, and nothing that a terminal would obey.
fn clean(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nonce() -> Nonce {
        Nonce::of(&Digest::of(b"a key"), Architecture::X86)
    }

    fn on_console(lines: &[&str]) -> String {
        lines.iter().map(|line| format!("{}\r\n", line.replace("ELKBAKE", &format!("{WORD} {}", nonce())))).collect()
    }

    #[test]
    fn a_nonce_is_the_key_and_the_processor() {
        let key = Digest::of(b"a key");
        assert_eq!(Nonce::of(&key, Architecture::Arm).to_string(), format!("{}-arm64", &key.hex()[..12]));
    }

    #[test]
    fn lines_count_whatever_stands_before_them() {
        let console = on_console(&[
            "[    0.000000] Linux version 6.1.0",
            "[   12.345678] cloud-init[812]: ELKBAKE note installing packages",
            "ELKBAKE ok[   13.1] audit: type=1130",
            "\u{1b}[0m[\u{1b}[0;32m  OK  \u{1b}[0m] Started something.ELKBAKE ok  \u{1b}",
        ]);
        assert_eq!(read(&console, &nonce()), Some(Verdict::Ok));
    }

    #[test]
    fn no_verdict_before_the_last_line() {
        for lines in
            [&[][..], &["ELKBAKE note a", "ELKBAKE problem b"], &["ELKBAKE okay", "ELKBAKE note ok", "ELKBAKE"]]
        {
            assert_eq!(read(&on_console(lines), &nonce()), None, "{lines:?}");
        }
    }

    #[test]
    fn problems_are_told_once() {
        let console =
            on_console(&["ELKBAKE problem a\u{7} b", "ELKBAKE failed", "ELKBAKE problem a b", "ELKBAKE failed"]);
        assert_eq!(read(&console, &nonce()), Some(Verdict::Failed(vec!["a b".to_owned()])));
    }

    #[test]
    fn who_says_both_is_not_well() {
        for lines in [["ELKBAKE ok", "ELKBAKE failed"], ["ELKBAKE problem x", "ELKBAKE ok"]] {
            assert!(matches!(read(&on_console(&lines), &nonce()), Some(Verdict::Failed(_))), "{lines:?}");
        }
    }

    #[test]
    fn another_hosts_lines_do_not_count() {
        let other = Nonce::of(&Digest::of(b"a key"), Architecture::Arm);
        let console = format!("{WORD} {other} ok\nELKBAKE ok\n{WORD}  {} ok\n{WORD} {}x ok\n", nonce(), nonce());
        assert_eq!(read(&console, &nonce()), None);
    }

    #[test]
    fn what_a_command_printed_is_no_verdict() {
        let console = on_console(&["ELKBAKE problem it said: ELKBAKE ok", "ELKBAKE note ELKBAKE ok"]);
        assert_eq!(read(&console, &nonce()), None);
    }

    #[test]
    fn notes_come_once_and_whole() {
        let mut told = BTreeSet::new();
        let whole = on_console(&["ELKBAKE note a", "ELKBAKE note a", "ELKBAKE note b c"]);
        assert_eq!(notes_since(&whole, &nonce(), &mut told), ["a", "b c"]);
        let more = format!("{whole}{WORD} {} note half a l", nonce());
        assert!(notes_since(&more, &nonce(), &mut told).is_empty());
        assert_eq!(notes_since(&format!("{more}ine\n"), &nonce(), &mut told), ["half a line"]);
    }

    proptest! {
        #[test]
        fn any_console_can_be_read(noise in "(?s).{0,400}", text in "\\PC{0,40}") {
            let mut told = BTreeSet::new();
            let noisy = format!("{noise}{WORD} {} note {text}\n{noise}", nonce());
            // Unless the noise is ours, it changes nothing about what is.
            prop_assume!(!noise.contains(WORD) && !noise.ends_with(['\u{1b}']));
            prop_assert_eq!(notes_since(&noisy, &nonce(), &mut told), [clean(&text)]);
            prop_assert_eq!(read(&noisy, &nonce()), None);
            let well = format!("{noise}{WORD} {} ok\r\n{noise}", nonce());
            prop_assert_eq!(read(&well, &nonce()), Some(Verdict::Ok));
        }

        #[test]
        fn a_torn_line_says_nothing_else(cut in 0..60_usize, noise in "[ -~]{1,20}") {
            // Another program writes into the line of a failure: it may be lost, but it never becomes an ok.
            let line = format!("{WORD} {} failed", nonce());
            let cut = cut.min(line.len());
            let torn = format!("{}{noise}{}\n", &line[..cut], &line[cut..]);
            prop_assert_ne!(read(&torn, &nonce()), Some(Verdict::Ok));
        }
    }
}
