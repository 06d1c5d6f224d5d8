//! The sources as the law sees them: which file is which module, what it declares and what it imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use super::scan;

/// A path from a crate's root: `["text", "Reader"]`.
pub(super) type ModulePath = Vec<String>;

/// One use of something of the crate.
pub(super) struct Import {
    /// Where.
    pub(super) line: usize,
    /// Of what.
    pub(super) path: ModulePath,
    /// The name under which a `pub use` hands it on.
    pub(super) door: Option<String>,
}

impl Import {
    pub(super) fn room(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }
}

/// A module that is declared here and stands in another file: `mod name;`.
pub(super) struct Child {
    pub(super) module: ModulePath,
    pub(super) only_for_tests: bool,
}

/// One file.
#[derive(Default)]
pub(super) struct Source {
    /// Its path from the project's folder, with `/`.
    pub(super) file: String,
    /// Its module, from the root of the crate it belongs to; empty for the root itself.
    pub(super) module: ModulePath,
    /// How many lines it has without inline tests.
    pub(super) lines: usize,
    /// Its imports outside of tests, in the order of their lines.
    pub(super) imports: Vec<Import>,
    /// The lines of `#[path]` attributes.
    pub(super) path_attributes: Vec<usize>,
    /// What others find in its modules under which name; `None` for names of other crates.
    pub(super) doors: BTreeMap<(ModulePath, String), Option<ModulePath>>,
    /// Names that its code mentions, other than to import them.
    pub(super) mentions: BTreeSet<String>,
    pub(super) children: Vec<Child>,
    pub(super) is_test: bool,
}

impl Source {
    /// The top-level module that it belongs to.
    pub(super) fn room(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// Whether it is part of the program, not of its tests.
    pub(super) fn is_product(&self) -> bool {
        self.krate() == "src" && !self.is_test
    }

    /// Whether an import is a mere door: a parent's `pub use child::Name` whose name the parent has no use for.
    pub(super) fn is_mere_door(&self, import: &Import) -> bool {
        let to_child = import.path.len() > self.module.len() && import.path.starts_with(&self.module);
        to_child && import.door.as_ref().is_some_and(|name| !self.mentions.contains(name))
    }

    fn krate(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    fn is_root(&self) -> bool {
        matches!(self.file.as_str(), "src/lib.rs" | "src/main.rs" | "tests/main.rs" | "tests/vm/main.rs")
    }
}

/// All of them.
pub(super) struct House {
    sources: BTreeMap<String, Source>,
    /// The product's files by their modules.
    files: BTreeMap<ModulePath, String>,
    /// The documentation of the crate.
    map: String,
}

impl House {
    /// Reads the sources of a project.
    pub(super) fn read(project: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        for folder in ["src", "tests"] {
            collect(&project.join(folder), folder, &mut files).map_err(|error| format!("{folder}: {error}"))?;
        }
        Self::new(files)
    }

    /// Takes paths and texts.
    pub(super) fn new(files: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        let mut sources = BTreeMap::new();
        let mut map = String::new();
        for (file, text) in files {
            if file == "src/lib.rs" {
                map = text.lines().filter(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
            }
            let source = scan::scan(&file, &module_of(&file), &text)?;
            sources.insert(file, source);
        }
        let tests: Vec<_> = declared(&sources).filter(|(_, child)| child.only_for_tests).map(owned).collect();
        for source in sources.values_mut() {
            source.is_test =
                tests.iter().any(|(krate, test)| source.krate() == krate && source.module.starts_with(test));
        }
        let product = sources.values().filter(|source| source.is_product());
        let files = product.map(|source| (source.module.clone(), source.file.clone())).collect();
        Ok(Self { sources, files, map })
    }

    /// The files, in the order of their paths.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values()
    }

    /// What the documentation of the crate says.
    pub(super) fn map(&self) -> &str {
        &self.map
    }

    pub(super) fn has_room(&self, room: &str) -> bool {
        self.files.contains_key([room.to_owned()].as_slice())
    }

    /// Whether some `mod` names this file.
    pub(super) fn is_declared(&self, source: &Source) -> bool {
        source.is_root()
            || declared(&self.sources).any(|(krate, child)| krate == source.krate() && child.module == source.module)
    }

    /// The file in which the imported thing stands, doors gone through; `None` if it stands in another crate.
    pub(super) fn file_of(&self, import: &Import) -> Option<&str> {
        let mut path = import.path.clone();
        // A door may lead to a door, but not for ever: rustc refuses circles of them.
        for _ in 0..16 {
            let Some((length, target)) = self.door(&path) else { break };
            path = target?.iter().chain(&path[length..]).cloned().collect();
        }
        let file = (1..=path.len()).rev().find_map(|length| self.files.get(&path[..length]));
        file.map(String::as_str)
    }

    /// The first door on a path: its length as a path, and where it leads.
    fn door(&self, path: &[String]) -> Option<(usize, Option<&ModulePath>)> {
        (1..path.len()).find_map(|at| {
            // A module and a function may share a name; with more of the path to come it is the module.
            let is_module = at + 1 < path.len() && self.files.contains_key(&path[..=at]);
            let key = (path[..at].to_vec(), path[at].clone());
            let target = self.sources.values().filter(|_| !is_module).find_map(|source| source.doors.get(&key))?;
            Some((at + 1, target.as_ref()))
        })
    }
}

fn declared(sources: &BTreeMap<String, Source>) -> impl Iterator<Item = (&str, &Child)> {
    sources.values().flat_map(|source| source.children.iter().map(|child| (source.krate(), child)))
}

fn owned((krate, child): (&str, &Child)) -> (String, ModulePath) {
    (krate.to_owned(), child.module.clone())
}

fn module_of(file: &str) -> ModulePath {
    let inside = file.split_once('/').map_or(file, |(_, inside)| inside);
    match file {
        "src/lib.rs" | "tests/main.rs" => Vec::new(),
        "tests/vm/main.rs" => vec!["vm".to_owned()],
        _ => inside.strip_suffix(".rs").unwrap_or(inside).split('/').map(str::to_owned).collect(),
    }
}

fn collect(folder: &Path, name: &str, into: &mut Vec<(String, String)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &name, into)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            into.push((name, fs::read_to_string(entry.path())?));
        }
    }
    Ok(())
}
