//! `elkbake check`.

use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::failure::{Exit, Failure, problems};
use super::global::Global;
use super::size::counted;
use super::surroundings::Surroundings;
use super::ui::{Paint, Ui};
use super::workspace::{Loaded, Workspace};
use crate::finding::{Finding, Severity};
use crate::local::LocalError;
use crate::name::RecipeName;
use crate::product::{self, Subject};
use crate::recipe::Recipe;
use crate::{ami, parallel};

/// Check recipes and their files for what would fail later
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake check                               # everything
  elkbake check elasticsearch --deny warning  # strict, for one recipe
  elkbake check --format github               # annotations in a pull request

Every finding has a code, and docs/findings.md explains each code. The exit code is 1 when a finding is an error, or as bad as --deny says. With an error in it a recipe is not built either.")]
pub(super) struct CheckArgs {
    /// Recipes by name; all where none is named
    recipes: Vec<String>,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail also on findings of this severity
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Deny::Error)]
    deny: Deny,
    /// Print one JSON document
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// How to print what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// Annotation lines of GitHub Actions
    Github,
}

/// From which severity on a run fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Only on errors
    Error,
    /// On warnings too
    Warning,
    /// On everything
    Advice,
}

impl Deny {
    fn severity(self) -> Severity {
        match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Advice => Severity::Advice,
        }
    }
}

/// What became of all recipes.
struct Outcome {
    recipes: Vec<RecipeName>,
    findings: Vec<Finding>,
    broken: Vec<Failure>,
}

pub(super) fn check(args: &CheckArgs, global: &Global, ui: &Ui, surroundings: &Surroundings) -> Result<Exit, Failure> {
    let workspace = Workspace::find(global, surroundings)?;
    let recipes = workspace.select(&args.recipes)?;
    let mut outcome = Outcome { recipes, findings: Vec::new(), broken: Vec::new() };
    for checked in parallel::map(&outcome.recipes, |name| {
        let loaded = workspace.load(name).map_err(|error| Failure::from(error).with(name))?;
        findings(&workspace, &loaded).map_err(|error| Failure::input(error).with(name))
    }) {
        match checked {
            Ok(found) => outcome.findings.extend(found),
            Err(error) => outcome.broken.push(error),
        }
    }
    outcome.findings.sort_by(|a, b| (&a.file, a.line, a.code).cmp(&(&b.file, b.line, b.code)));
    match args.format {
        _ if args.json => print_json(&outcome, ui)?,
        Format::Text => print_text(&outcome, ui)?,
        Format::Github => ui.result(&github_lines(&outcome))?,
    }
    let failed = outcome.findings.iter().any(|finding| finding.severity >= args.deny.severity());
    Ok(ui.failures(&outcome.broken, if failed { Exit::CheckFailed } else { Exit::Done }))
}

/// What the rules have to say of one recipe.
fn findings(workspace: &Workspace, loaded: &Loaded) -> Result<Vec<Finding>, LocalError> {
    let subject = Subject {
        name: &loaded.name,
        file: &loaded.file,
        text: &loaded.text,
        document: &loaded.recipe,
        lock: loaded.lock.as_ref().map(|lock| &lock.value),
        local: &loaded.local,
        project: &workspace.root,
    };
    match loaded.recipe.value {
        Recipe::Image(_) => product::check(&subject),
        Recipe::Ami(_) => ami::check(&subject),
    }
}

/// Refuses to go on with a recipe that has a secret in it: what is derived from it would carry the secret on.
pub(super) fn refuse_secrets(workspace: &Workspace, loaded: &Loaded) -> Result<(), Failure> {
    stop_at_secrets(loaded, &findings(workspace, loaded).map_err(Failure::input)?)
}

/// Refuses to make an image of a recipe in which a finding is an error: it would not start, or not do what it is for.
pub(super) fn refuse_errors(workspace: &Workspace, loaded: &Loaded) -> Result<(), Failure> {
    let findings = findings(workspace, loaded).map_err(Failure::input)?;
    stop_at_secrets(loaded, &findings)?;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    let told: Vec<_> = errors.map(|finding| format!("{}\n    {}", line_of(finding), finding.fix)).collect();
    if told.is_empty() {
        return Ok(());
    }
    let message = format!("recipe {} would make an image that does not work:\n  {}", loaded.name, told.join("\n  "));
    Err(Failure::input(message).hint(format!("`elkbake check {}` says what would come of it", loaded.name)))
}

fn stop_at_secrets(loaded: &Loaded, findings: &[Finding]) -> Result<(), Failure> {
    let secrets: Vec<_> = findings.iter().filter(|finding| product::is_secret(finding.code)).collect();
    let Some(first) = secrets.first() else {
        return Ok(());
    };
    let places: Vec<_> = secrets.iter().map(|finding| line_of(finding)).collect();
    let message = format!("recipe {} has a secret in it:\n  {}", loaded.name, places.join("\n  "));
    Err(Failure::new(Exit::Refused, message).hint(first.fix.clone()))
}

/// Where a finding is, what is there, and its code.
fn line_of(finding: &Finding) -> String {
    format!("{}:{}: {} [{}]", finding.file.display(), finding.line, finding.message, finding.code)
}

fn counts(outcome: &Outcome) -> BTreeMap<&'static str, usize> {
    let of = |severity: Severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count();
    Severity::ALL.iter().map(|severity| (severity.as_str(), of(*severity))).collect()
}

fn print_text(outcome: &Outcome, ui: &Ui) -> Result<(), Failure> {
    let mut text = String::new();
    for finding in &outcome.findings {
        let paint = match finding.severity {
            Severity::Error => Paint::Red,
            Severity::Warning => Paint::Yellow,
            Severity::Advice => Paint::Cyan,
        };
        let label = ui.paint(paint, &format!("{}[{}]", finding.severity, finding.code));
        let place = ui.paint(Paint::Bold, &format!("{}:{}", finding.file.display(), finding.line));
        text += &format!("{label} {place}: {}\n", finding.message);
        text += &ui.folded("  why: ", &finding.why);
        text += &ui.folded("  fix: ", &finding.fix);
    }
    let counts = counts(outcome);
    let read = outcome.recipes.len() - outcome.broken.len();
    let recipes = counted(read, "recipe");
    let unread = match outcome.broken.len() {
        0 => String::new(),
        broken => format!(", {broken} could not be read"),
    };
    let (errors, warnings) = (counted(counts["error"], "error"), counted(counts["warning"], "warning"));
    let advice = format!("{} of advice", counted(counts["advice"], "piece"));
    text += &format!("{recipes} checked: {errors}, {warnings}, {advice}{unread}\n");
    ui.result(&text)
}

fn print_json(outcome: &Outcome, ui: &Ui) -> Result<(), Failure> {
    ui.json(&json!({
        "recipes": outcome.recipes,
        "findings": outcome.findings,
        "problems": problems(&outcome.broken),
        "counts": counts(outcome),
    }))
}

/// GitHub's workflow commands: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
fn github_lines(outcome: &Outcome) -> String {
    let mut lines = String::new();
    for finding in &outcome.findings {
        let level = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "notice",
        };
        let file = github_property(&finding.file.display().to_string());
        let words = github_text(&format!("{}\n{}\n{}", finding.message, finding.why, finding.fix));
        lines += &format!("::{level} file={file},line={},title={}::{words}\n", finding.line, finding.code);
    }
    for problem in problems(&outcome.broken) {
        let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
        let words = github_text(&[text("message"), text("help")].join("\n"));
        let (file, line, column) = (github_property(&text("file")), &problem["line"], &problem["column"]);
        if file.is_empty() {
            lines += &format!("::error::{words}\n");
        } else {
            lines += &format!("::error file={file},line={line},col={column}::{words}\n");
        }
    }
    lines
}

fn github_text(text: &str) -> String {
    text.trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn github_property(text: &str) -> String {
    github_text(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{github_property, github_text};

    #[test]
    fn github_reads_lines_and_percent_signs_escaped() {
        assert_eq!(github_text("50%\nof a:b,c\r\n"), "50%25%0Aof a:b,c");
        assert_eq!(github_property("a:b,c"), "a%3Ab%2Cc");
    }
}
