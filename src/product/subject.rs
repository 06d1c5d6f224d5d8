//! What a check looks at, and where its findings go.

use std::path::{Path, PathBuf};

use super::rule::Rule;
use crate::finding::Finding;
use crate::local::{Local, LocalError};
use crate::lock::Lock;
use crate::name::{ImagePath, RecipeName};
use crate::parallel;
use crate::recipe::Recipe;
use crate::text::{Document, line_and_column};

/// So many files are looked at at a time: that nothing was found in one takes memory, too.
const AT_ONCE: usize = 1024;

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
    pub(crate) source: PathBuf,
    pub(crate) text: String,
}

impl TextFile<'_> {
    /// A line of it.
    pub(crate) fn place(&self, line: usize) -> Place {
        Place { file: self.source.clone(), line }
    }

    /// Its lines, from 1, without those that are comments in every format that is checked here.
    pub(crate) fn live_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with('#'))
    }

    /// What a README warns of is no mistake.
    pub(crate) fn is_for_people(&self) -> bool {
        self.has_extension(&["md", "rst", "adoc"])
    }

    /// Whether the name ends like this, whatever its case.
    pub(crate) fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension = self.path.file_name().rsplit_once('.').map_or("", |(_, extension)| extension);
        extensions.iter().any(|wanted| extension.eq_ignore_ascii_case(wanted))
    }
}

/// A subject with the texts of those files that rules about a program look at together.
pub(crate) struct Scene<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) files: Vec<TextFile<'a>>,
}

impl<'a> Scene<'a> {
    /// Reads the files that are of interest. All others are looked at by [`Scene::each_text`]: a recipe may have more of
    /// them than memory holds.
    pub(crate) fn new(subject: &Subject<'a>, interest: impl Fn(&ImagePath) -> bool) -> Result<Self, LocalError> {
        let paths = subject.local.files().map(|(path, _)| path).filter(|path| interest(path));
        let files = paths.filter_map(|path| text(subject, path).transpose()).collect::<Result<_, _>>()?;
        Ok(Self { subject: *subject, files })
    }

    /// Looks at each of the recipe's own files that is a text, and takes in what is found.
    pub(crate) fn each_text(
        &self,
        found: &mut Found,
        look: impl Fn(&TextFile<'_>, &mut Found) + Sync,
    ) -> Result<(), LocalError> {
        let paths: Vec<_> = self.subject.local.files().map(|(path, _)| path).collect();
        let look = |path: &&'a ImagePath| {
            let mut found = Found::default();
            if let Some(file) = text(&self.subject, path)? {
                look(&file, &mut found);
            }
            Ok(found)
        };
        for paths in paths.chunks(AT_ONCE) {
            for of_file in parallel::map_light(paths, look) {
                found.0.extend(of_file?.0);
            }
        }
        Ok(())
    }

    /// The files of interest that a machine reads.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &TextFile<'a>> {
        self.files.iter().filter(|file| !file.is_for_people())
    }

    /// Where a key of the recipe stands, or the nearest table around it.
    pub(crate) fn key(&self, key: &str) -> Place {
        let start = self.subject.document.positions.of(key).start;
        Place { file: self.subject.file.to_owned(), line: line_and_column(self.subject.text, start).0 }
    }

    /// The beginning of one of the recipe's own files, text or not.
    pub(crate) fn file(&self, path: &ImagePath) -> Place {
        Place { file: self.subject.local.source(path), line: 1 }
    }
}

/// One of the recipe's own files, if it is a text.
fn text<'a>(subject: &Subject<'a>, path: &'a ImagePath) -> Result<Option<TextFile<'a>>, LocalError> {
    let text = subject.local.text(subject.project, path)?;
    Ok(text.map(|text| TextFile { path, source: subject.local.source(path), text }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::RULES;
    use crate::product::fixture::Fixture;

    #[test]
    fn only_texts_of_interest_are_held() {
        fn look(subject: &Subject<'_>) -> Result<Vec<Finding>, LocalError> {
            let scene = Scene::new(subject, |path| path.as_str() == "/etc/a.yml")?;
            let held: Vec<_> = scene.files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
            assert_eq!(held, [("/etc/a.yml", "a")]);
            let mut found = Found::default();
            scene.each_text(&mut found, |file, found| found.add(&RULES[0], file.place(7), file.text.as_str()))?;
            Ok(found.finish())
        }
        let files = Fixture::host(look).file("/etc/a.yml", "a").file("/etc/b.txt", "b").file("/etc/c", "\0");
        let found: Vec<_> = files.findings().into_iter().map(|found| (found.file, found.line, found.message)).collect();
        let of = |file: &str, text: &str| (PathBuf::from(file), 7, text.to_owned());
        assert_eq!(found, [of("ami/test/etc/a.yml", "a"), of("ami/test/etc/b.txt", "b")]);
    }
}
