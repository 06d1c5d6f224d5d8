//! What a rule is: a finding before it has found something.

use std::fmt::Write as _;

use crate::finding::{Code, Severity};

/// Something that every recipe is checked for.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name, for good.
    pub code: Code,
    /// How bad what it finds is.
    pub severity: Severity,
    /// What it finds, in a few words.
    pub title: &'static str,
    /// What comes of that.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

/// Declares rules, and with the same words the list of them all, so that none is left out of the documentation.
macro_rules! rules {
    ($(#[doc = $about:literal])* $($name:ident $code:literal $severity:ident $title:literal $why:literal $fix:literal)*) => {
        $(
            pub(crate) const $name: $crate::product::rule::Rule = $crate::product::rule::Rule {
                code: $crate::finding::Code($code),
                severity: $crate::finding::Severity::$severity,
                title: $title,
                why: $why,
                fix: $fix,
            };
        )*

        $(#[doc = $about])*
        pub const RULES: &[$crate::product::rule::Rule] = &[$($name),*];
    };
}
pub(crate) use rules;

/// The documentation of rules, in Markdown.
#[must_use]
pub fn document(groups: &[(&str, &[Rule])]) -> String {
    let mut text = String::from(
        "# Findings of `elkbake check`\n\n\
         Made from the rules themselves. A code keeps its meaning for good and is never given to another rule.\n\n\
         What is an error, `elkbake build` and `elkbake push` refuse, too, before anything of an image is made; a warning or a piece \
         of advice only `elkbake check` tells.\n",
    );
    for (title, rules) in groups {
        let _ = write!(text, "\n## {title}\n");
        for rule in *rules {
            let Rule { code, severity, title, why, fix } = rule;
            let _ = write!(text, "\n### {code}: {title}\n\n*{severity}.* {why}\n\n{fix}\n");
        }
    }
    text
}
