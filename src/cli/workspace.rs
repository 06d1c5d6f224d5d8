//! The project on disk: where it is, which recipes it has, and what one of them consists of.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::global::Global;
use super::sights::Sights;
use super::surroundings::Surroundings;
use crate::bake::interrupt::Interrupt;
use crate::bake::ledger::Ledger;
use crate::local::{self, Local};
use crate::lock::{self, Lock};
use crate::name::RecipeName;
use crate::project::{self, Project, Target};
use crate::recipe::{self, FileRule, Glob, Recipe};
use crate::record::Manifest;
use crate::text::{self, Document, TextError};

/// A project.
pub(super) struct Workspace {
    /// Its folder.
    pub(super) root: PathBuf,
    /// The folder that paths on the command line are counted from.
    pub(super) folder: PathBuf,
    /// What its `elkbake.toml` says.
    pub(super) project: Project,
    sights: Sights,
}

/// Everything that one recipe is made of.
pub(super) struct Loaded {
    pub(super) name: RecipeName,
    /// `recipes/NAME.toml`, from the project's folder.
    pub(super) file: PathBuf,
    pub(super) text: String,
    pub(super) recipe: Document<Recipe>,
    pub(super) lock: Option<Document<Lock>>,
    /// The text that `lock` was read from.
    pub(super) lock_text: Option<String>,
    pub(super) local: Local,
}

const PROJECT_FILE: &str = "elkbake.toml";
/// The folder of the recipes, in the project's.
pub(super) const RECIPES: &str = "recipes";

impl Workspace {
    /// Finds the project: the folder that was named, or the nearest upwards that holds `elkbake.toml`, or else
    /// the nearest that holds `recipes/`.
    pub(super) fn find(global: &Global, surroundings: &Surroundings) -> Result<Self, Failure> {
        let root = match &global.project {
            Some(named) => {
                let root = surroundings.folder.join(named);
                if !root.is_dir() {
                    return Err(Failure::usage(format!("--project {}: there is no such folder", named.display())));
                }
                root
            }
            None => nearest(&surroundings.folder, |folder| folder.join(PROJECT_FILE).is_file())
                .or_else(|| nearest(&surroundings.folder, |folder| folder.join(RECIPES).is_dir()))
                .unwrap_or_else(|| surroundings.folder.clone()),
        };
        let project = match read_text(&root, Path::new(PROJECT_FILE)) {
            Ok(Some(text)) => project::parse(Path::new(PROJECT_FILE), &text)?.value,
            Ok(None) => Project::default(),
            Err(error) => return Err(error.into()),
        };
        let sights = Sights::new(&root, global, surroundings);
        Ok(Self { root, folder: surroundings.folder.clone(), project, sights })
    }

    /// The names of all recipes, sorted.
    pub(super) fn recipes(&self) -> Result<Vec<RecipeName>, Failure> {
        let folder = self.root.join(RECIPES);
        let unreadable = |error: &io::Error| Failure::file("cannot read", &folder, error);
        if fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_symlink())
            && leaves(&self.root, &folder).map_err(|error| unreadable(&error))?
        {
            return Err(outside(&LoadError::Outside { path: RECIPES.into() }));
        }
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| unreadable(&error))?.file_name();
            let name = name.to_string_lossy();
            // A dot in front is an editor's or our own unfinished file.
            if let Some(stem) = name.strip_suffix(".toml").filter(|stem| !stem.starts_with('.')) {
                let bad = |error| Failure::input(format!("recipes/{name}: {error}")).hint("rename the file");
                names.push(stem.parse().map_err(bad)?);
            }
        }
        names.sort();
        Ok(names)
    }

    /// What a recipe says, without its lock and files; nothing where it cannot be read.
    pub(super) fn glance(&self, name: &RecipeName) -> Option<Recipe> {
        self.read(name).ok().map(|(_, _, recipe)| recipe.value)
    }

    /// Whether there is a recipe of a name.
    pub(super) fn has(&self, name: &RecipeName) -> bool {
        self.root.join(recipe_file(name)).is_file()
    }

    /// A target by its name, or the one that counts where none is named.
    pub(super) fn target<'w>(&'w self, named: Option<&'w str>) -> Result<(&'w str, Cow<'w, Target>), Failure> {
        let name = named.unwrap_or_else(|| self.project.default_target());
        if let Some(target) = self.project.target(name) {
            return Ok((name, target));
        }
        let known: Vec<_> = self.project.target.keys().map(RecipeName::as_str).collect();
        let hint = match text::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("add `[target.{name}]` to elkbake.toml; without any there is `local`"),
            None => format!("elkbake.toml has: {}", known.join(", ")),
        };
        Err(Failure::usage(format!("there is no target `{name}`")).hint(hint))
    }

    /// What was recorded of a target, or of the one that counts where none is named, if anything was.
    pub(super) fn manifest(&self, target: Option<&str>) -> Result<Option<Manifest>, Failure> {
        let (name, target) = self.target(target)?;
        let interrupt = Interrupt::default();
        Ok(Ledger::new(&interrupt).read(&self.root.join(target.manifest()), name)?)
    }

    fn read(&self, name: &RecipeName) -> Result<(PathBuf, String, Document<Recipe>), LoadError> {
        let (file, text) = self.recipe_text(name)?;
        let recipe = recipe::parse(&file, &text)?;
        Ok((file, text, recipe))
    }

    /// Reads a recipe with its lock and its own files.
    pub(super) fn load(&self, name: &RecipeName) -> Result<Loaded, LoadError> {
        let (file, text, recipe) = self.read(name)?;
        let lock_text = self.lock_text(name)?;
        let lock = lock_text.as_ref().map(|text| lock::parse(&lock_file(name), text)).transpose()?;
        let local = self.sights.read(&recipe.value.folder(name), file_rules(&recipe.value))?;
        Ok(Loaded { name: name.clone(), file, text, recipe, lock, lock_text, local })
    }

    /// What a recipe says, without a look at all else that it is made of.
    pub(super) fn recipe(&self, name: &RecipeName) -> Result<Document<Recipe>, LoadError> {
        let (file, text) = self.recipe_text(name)?;
        Ok(recipe::parse(&file, &text)?)
    }

    fn recipe_text(&self, name: &RecipeName) -> Result<(PathBuf, String), LoadError> {
        let file = recipe_file(name);
        let text = read_text(&self.root, &file)?.ok_or_else(|| LoadError::missing(&file))?;
        Ok((file, text))
    }

    /// What the lock of a recipe says now, if there is one.
    pub(super) fn lock_text(&self, name: &RecipeName) -> Result<Option<String>, LoadError> {
        read_text(&self.root, &lock_file(name))
    }

    /// Keeps other runs from writing locks until the guard is dropped. Held for the moment of comparing and writing
    /// only, so nobody waits for a download.
    pub(super) fn writing(&self) -> Result<fs::File, Failure> {
        let folder = self.root.join(RECIPES);
        let failed = |error: &io::Error| Failure::file("cannot lock", &folder, error);
        let guard = fs::File::open(&folder).map_err(|error| failed(&error))?;
        loop {
            match guard.lock() {
                Ok(()) => return Ok(guard),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A file system without locks is no reason to write no lock: the last writer wins there.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(guard),
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    /// Refuses to go on when a file of the project is not the one that the lock pins. Sizes are compared only: plans
    /// are instant, and `lock --check` reads the bytes.
    pub(super) fn pinned_files(&self, loaded: &Loaded, lock: &Lock) -> Result<(), Failure> {
        let Recipe::Image(image) = &loaded.recipe.value else {
            return Ok(());
        };
        let plugins =
            image.plugin.iter().filter_map(|plugin| Some((&plugin.name, plugin.path.as_ref()?, &lock.plugin)));
        let archives = image.archive.iter().filter_map(|one| Some((&one.name, one.path.as_ref()?, &lock.archive)));
        for (name, path, locked) in plugins.chain(archives) {
            let size = fs::metadata(path.below(&self.root)).map(|meta| meta.len());
            let wanted = format!("path:{path}");
            let pinned = locked.iter().filter(|one| one.name == *name && one.want.split(' ').next() == Some(&wanted));
            if pinned.into_iter().any(|one| size.as_ref().ok() != Some(&one.size)) {
                let message = format!("recipe {}: {path} is not the file that the lock pins for {name}", loaded.name);
                return Err(Failure::input(message).hint("run `elkbake lock`"));
            }
        }
        Ok(())
    }
}

/// What can be wrong with the files of a recipe.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Local(#[from] local::LocalError),
    #[error("cannot read {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} leads out of the project", path.display())]
    Outside { path: PathBuf },
    #[error("{} is no regular file", path.display())]
    NoFile { path: PathBuf },
}

impl LoadError {
    fn missing(path: &Path) -> Self {
        Self::Unreadable { path: path.to_owned(), source: io::ErrorKind::NotFound.into() }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Text(error) => error.into(),
            LoadError::Outside { .. } => outside(&error),
            other => Self::input(other),
        }
    }
}

fn outside(error: &LoadError) -> Failure {
    Failure::input(error).hint("replace the link by what it leads to: what is baked has to be in the project")
}

/// The recipe that somebody means by a name, or by the path of its file.
pub(super) fn recipe_name(named: &str) -> Result<RecipeName, Failure> {
    let name = named.strip_prefix("recipes/").unwrap_or(named);
    name.strip_suffix(".toml").unwrap_or(name).parse().map_err(Failure::usage)
}

/// Where a recipe is, from the project's folder.
pub(super) fn recipe_file(name: &RecipeName) -> PathBuf {
    PathBuf::from(format!("{RECIPES}/{name}.toml"))
}

/// Where its lock is, from the project's folder.
pub(super) fn lock_file(name: &RecipeName) -> PathBuf {
    PathBuf::from(format!("{RECIPES}/{name}.lock"))
}

fn file_rules(recipe: &Recipe) -> &std::collections::BTreeMap<Glob, FileRule> {
    match recipe {
        Recipe::Image(image) => &image.files,
        Recipe::Ami(ami) => &ami.files,
    }
}

fn nearest(from: &Path, is_it: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    from.ancestors().find(|folder| is_it(folder)).map(Path::to_owned)
}

/// Whether a path leads out of the project when its links are followed.
fn leaves(root: &Path, path: &Path) -> io::Result<bool> {
    Ok(!fs::canonicalize(path)?.starts_with(fs::canonicalize(root)?))
}

/// Reads a text of the project.
fn read_text(root: &Path, file: &Path) -> Result<Option<String>, LoadError> {
    match read_bytes(root, file, text::LONGEST_TEXT)? {
        Some(bytes) => Ok(Some(text::decode(file, bytes)?)),
        None => Ok(None),
    }
}

/// Reads a file of the project, and of one that is too long a little more than `longest`, so that whoever parses it
/// can say so. A link that leaves the project is not followed.
fn read_bytes(root: &Path, file: &Path, longest: usize) -> Result<Option<Vec<u8>>, LoadError> {
    let path = root.join(file);
    let unreadable = |source| LoadError::Unreadable { path: file.to_owned(), source };
    match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
        Ok(meta) if meta.is_symlink() && leaves(root, &path).map_err(unreadable)? => {
            return Err(LoadError::Outside { path: file.to_owned() });
        }
        Ok(_) => {}
    }
    // Looked at before it is opened: to open a pipe would wait for its writer.
    if !fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(LoadError::NoFile { path: file.to_owned() });
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(&path).map_err(unreadable)?;
    opened.take(longest as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(Some(bytes))
}
