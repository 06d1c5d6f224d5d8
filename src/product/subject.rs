//! What a check looks at, and where its findings go.

use std::path::{Path, PathBuf};

use super::rule::Rule;
use crate::finding::Finding;
use crate::local::{Local, LocalError};
use crate::lock::Lock;
use crate::name::{ImagePath, RecipeName};
use crate::recipe::Recipe;
use crate::text::{Document, line_and_column};

/// A recipe with all that belongs to it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What it is called.
    pub name: &'a RecipeName,
    /// Its file, from the project's folder.
    pub file: &'a Path,
    /// What stands in that file.
    pub text: &'a str,
    /// What that says.
    pub document: &'a Document<Recipe>,
    /// What its inputs resolved to, where there is a lock.
    pub lock: Option<&'a Lock>,
    /// Its own files.
    pub local: &'a Local,
    /// The project's folder.
    pub project: &'a Path,
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) line: usize,
}

/// One of the recipe's own files, when it is a text.
pub(crate) struct TextFile<'a> {
    pub(crate) path: &'a ImagePath,
    pub(crate) source: &'a Path,
    pub(crate) text: String,
}

impl TextFile<'_> {
    /// A line of it.
    pub(crate) fn place(&self, line: usize) -> Place {
        Place { file: self.source.to_owned(), line }
    }

    /// Its lines, from 1, without those that are comments in every format that is checked here.
    pub(crate) fn live_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with('#'))
    }

    /// Whether the name ends like this, whatever its case.
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.path.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
        extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
    }
}

/// A subject with the texts of its files, read once for all rules.
pub(crate) struct Scene<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) files: Vec<TextFile<'a>>,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(subject: &Subject<'a>) -> Result<Self, LocalError> {
        let mut files = Vec::new();
        for (path, source) in &subject.local.sources {
            if let Some(text) = subject.local.text(subject.project, path)? {
                files.push(TextFile { path, source, text });
            }
        }
        Ok(Self { subject: *subject, files })
    }

    /// The files that a machine reads: what a README warns of is no mistake.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &TextFile<'a>> {
        self.files.iter().filter(|file| !file.has_extension(&["md", "rst", "adoc"]))
    }

    /// Where a key of the recipe stands, or the nearest table around it.
    pub(crate) fn key(&self, key: &str) -> Place {
        let start = self.subject.document.positions.of(key).start;
        Place { file: self.subject.file.to_owned(), line: line_and_column(self.subject.text, start).0 }
    }

    /// The beginning of one of the recipe's own files, text or not.
    pub(crate) fn file(&self, path: &ImagePath) -> Place {
        let folder = || self.subject.document.value.folder(self.subject.name);
        let source = self.subject.local.sources.get(path).cloned();
        Place { file: source.unwrap_or_else(|| PathBuf::from(format!("{}{path}", folder()))), line: 1 }
    }
}

/// What has been found so far.
#[derive(Default)]
pub(crate) struct Found(Vec<Finding>);

impl Found {
    /// Adds what a rule found at a place.
    pub(crate) fn add(&mut self, rule: &Rule, place: Place, message: impl Into<String>) {
        self.0.push(Finding {
            code: rule.code,
            severity: rule.severity,
            file: place.file,
            line: place.line,
            message: message.into(),
            why: rule.why.to_owned(),
            fix: rule.fix.to_owned(),
        });
    }

    /// Whether any rule of these has found something on that line.
    pub(crate) fn has(&self, rules: &[&Rule], place: &Place) -> bool {
        let here = |finding: &&Finding| finding.line == place.line && finding.file == place.file;
        self.0.iter().filter(here).any(|finding| rules.iter().any(|rule| rule.code == finding.code))
    }

    /// All of it by file, line and code, each once.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        let order = |a: &Finding, b: &Finding| {
            (&a.file, a.line, a.code, &a.message).cmp(&(&b.file, b.line, b.code, &b.message))
        };
        self.0.sort_by(order);
        self.0.dedup();
        self.0
    }
}
