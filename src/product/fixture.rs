//! A small project for one test: a recipe and its files.

use std::fs;
use std::path::Path;

use super::subject::Subject;
use crate::finding::Finding;
use crate::local::{self, LocalError};
use crate::lock::{self, Lock};
use crate::recipe::{self, Recipe};
use crate::text::Document;

/// A digest, where a test needs any.
pub(crate) const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A recipe called `test`, with files.
#[derive(Clone)]
pub(crate) struct Fixture {
    recipe: String,
    files: Vec<(String, Vec<u8>)>,
    lock: Option<String>,
    check: Check,
}

/// The check for a kind of recipe.
type Check = fn(&Subject<'_>) -> Result<Vec<Finding>, LocalError>;

impl Fixture {
    /// An image without any finding.
    pub(crate) fn image(product: &str, version: &str) -> Self {
        let from = format!("docker.elastic.co/x/{product}:{version}@{DIGEST}");
        let nofile = "runtime.ulimits.nofile = { soft = 65536, hard = 65536 }";
        let recipe = format!(
            "kind = \"image\"\nproduct = \"{product}\"\nversion = \"{version}\"\nfrom = \"{from}\"\n{nofile}\n"
        );
        Self { recipe, files: Vec::new(), lock: None, check: super::check }
    }

    /// A host without any finding, and its check: nothing in this room may know the rooms that stand on it.
    pub(crate) fn host(check: Check) -> Self {
        let recipe = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase.id = \"ami-0123456789abcdef0\"\n\
                      sysctl.\"vm.max_map_count\" = 1048576\n";
        Self { recipe: recipe.to_owned(), files: Vec::new(), lock: None, check }
    }

    /// Adds lines to the recipe.
    pub(crate) fn with(mut self, lines: &str) -> Self {
        self.recipe.push_str(lines);
        self.recipe.push('\n');
        self
    }

    /// Changes the recipe's text.
    pub(crate) fn replace(mut self, from: &str, to: &str) -> Self {
        assert!(self.recipe.contains(from), "{from}");
        self.recipe = self.recipe.replace(from, to);
        self
    }

    /// Adds a file.
    pub(crate) fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// Adds the lock.
    pub(crate) fn lock(mut self, text: &str) -> Self {
        self.lock = Some(text.to_owned());
        self
    }

    /// All that the checks for its kind find.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let project = tempfile::TempDir::new().unwrap();
        let file = Path::new("recipes/test.toml");
        let document: Document<Recipe> =
            recipe::parse(file, &self.recipe).unwrap_or_else(|error| panic!("{error}\n{}", self.recipe));
        let lock: Option<Lock> = self.lock.as_ref().map(|text| lock::parse(Path::new("x.lock"), text).unwrap().value);
        let name = "test".parse().unwrap();
        let folder = document.value.folder(&name);
        for (path, content) in &self.files {
            let path = project.path().join(&folder).join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let rules = match &document.value {
            Recipe::Image(image) => &image.files,
            Recipe::Ami(ami) => &ami.files,
        };
        let local = local::read(project.path(), &folder, rules).unwrap();
        let subject = Subject {
            name: &name,
            file,
            text: &self.recipe,
            document: &document,
            lock: lock.as_ref(),
            local: &local,
            project: project.path(),
        };
        (self.check)(&subject).unwrap()
    }

    /// The codes of what is found, with `file:line`.
    pub(crate) fn codes(&self) -> Vec<String> {
        let show = |f: Finding| format!("{} {}:{}", f.code, f.file.display(), f.line);
        self.findings().into_iter().map(show).collect()
    }
}

/// Checks that each rule has exactly one example, that what should show it does, and that its counterpart does not.
pub(crate) fn prove(rules: &[super::Rule], examples: &[(&str, Fixture, Fixture)]) {
    for rule in rules {
        let code = rule.code.0;
        let mut own = examples.iter().filter(|(of, ..)| *of == code);
        let (_, wrong, right) = own.next().unwrap_or_else(|| panic!("{code} has no example"));
        assert!(own.next().is_none(), "{code} has two examples");
        let found = wrong.findings();
        let finding = found.iter().find(|f| f.code.0 == code).unwrap_or_else(|| panic!("{code}: {found:#?}"));
        assert!(finding.line >= 1 && finding.severity == rule.severity, "{finding:?}");
        let clean = right.findings();
        assert!(clean.iter().all(|f| f.code.0 != code), "{code} is found in its counterpart: {clean:#?}");
    }
    assert_eq!(rules.len(), examples.len(), "there is an example for a rule that is not");
}
