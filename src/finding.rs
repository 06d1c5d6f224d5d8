//! What a check has to say: a code that stays the same for good, where it applies, why it matters, what to do.

use std::fmt;
use std::path::PathBuf;

crate::text::word! {
    /// How bad a finding is.
    pub enum Severity {
        /// Worth knowing; nothing breaks.
        Advice = "advice",
        /// Likely to hurt.
        Warning = "warning",
        /// Breaks the node, the host or a law.
        Error = "error",
    }
}

/// The name of a rule: two or three letters for whose rule it is, three digits. Never given to another rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Code(pub &'static str);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One thing that a check found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// In which file, relative to the project.
    pub file: PathBuf,
    /// On which line, from 1.
    pub line: usize,
    /// What is there.
    pub message: String,
    /// What comes of it.
    pub why: String,
    /// What to do.
    pub fix: String,
}
