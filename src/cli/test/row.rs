//! What came of a test, for people and for programs.

use serde_json::{Value, json};

use crate::bake::smoke::Outcome;
use crate::cli::plain::plain;
use crate::cli::ui::{Paint, Ui};
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};

/// An image that was tested.
pub(super) struct Row {
    pub(super) name: RecipeName,
    pub(super) tag: Tag,
    pub(super) outcome: Outcome,
    /// The log's digest.
    pub(super) log: Digest,
}

impl Row {
    pub(super) fn text(&self, ui: &Ui) -> String {
        let Self { name, tag, outcome, .. } = self;
        let failed = outcome.failure().is_some();
        let word = if failed { ui.paint(Paint::Red, "failed") } else { ui.paint(Paint::Green, "passed") };
        let (name, platform, engine) = (ui.paint(Paint::Bold, name.as_str()), &outcome.platform, &outcome.engine);
        let mut text = format!("{name} {tag} {platform} {word} ({:.1} s, {engine})\n", seconds(outcome.total_ms));
        for check in &outcome.checks {
            let (took, name) = (seconds(check.ms), plain(&check.name));
            text += &match &check.failure {
                None => format!("  ok      {name} ({took:.1} s)\n"),
                Some(why) => format!("  failed  {name} ({took:.1} s): {}\n", plain(why)),
            };
        }
        if failed {
            for (name, lines) in outcome.last_lines() {
                text += &format!("  the end of the log of {name}:\n");
                text.extend(lines.iter().map(|line| format!("  | {}\n", plain(&line.replace('\t', "    ")))));
            }
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let Outcome { platform, digest, engine, with, ready_ms, stop_ms, total_ms, asked, .. } = &self.outcome;
        let checks = self.outcome.checks.iter();
        let checks = checks.map(|one| json!({ "name": one.name, "ms": one.ms, "failure": one.failure }));
        json!({
            "recipe": self.name,
            "tag": self.tag,
            "platform": platform,
            "manifest": digest,
            "engine": engine,
            "with": with,
            "passed": self.outcome.failure().is_none(),
            "checks": checks.collect::<Vec<_>>(),
            "ready_ms": ready_ms,
            "stop_ms": stop_ms,
            "total_ms": total_ms,
            "asked": asked,
            "log": self.log,
        })
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people, who read tenths")]
pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
