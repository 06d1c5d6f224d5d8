//! The walk through a recipe's folder.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use globset::GlobMatcher;

use super::seen::{Look, Seen};
use super::{Local, LocalError, open};
use crate::digest::{Digest, Hasher};
use crate::name::ImagePath;
use crate::parallel;
use crate::recipe::{FileRule, Glob};
use crate::tree::{Entry, Mode, Node, Owner, Said};

/// Reads the folder (`images/NAME`) of a recipe in a project. A folder that is not there is an empty one.
///
/// # Errors
/// When something in it cannot be read or may not be in an image.
pub fn read(project: &Path, folder: &str, rules: &BTreeMap<Glob, FileRule>) -> Result<Local, LocalError> {
    // At the beginning of time every file has just changed, so nothing is noted.
    read_again(project, folder, rules, &Seen::default(), SystemTime::UNIX_EPOCH).map(|(local, _)| local)
}

/// The same, without reading big files again that look as they did when they were `seen`; and what is seen this time.
/// `now` is any time before the call.
///
/// # Errors
/// As [`read`].
pub fn read_again(
    project: &Path,
    folder: &str,
    rules: &BTreeMap<Glob, FileRule>,
    seen: &Seen,
    now: SystemTime,
) -> Result<(Local, Seen), LocalError> {
    let local = Local { folder: PathBuf::from(folder), ..Local::default() };
    let mut walk = Walk {
        project,
        rules: Rules::new(rules),
        local,
        entries: Vec::new(),
        folders: Vec::new(),
        files: Vec::new(),
        before: seen,
        seen: Seen::default(),
        now,
    };
    if find_folder(project, Path::new(folder))? {
        walk.folders.push((PathBuf::from(folder), ImagePath::root()));
    }
    // A list of folders instead of recursion: depth is the checkout's to choose, the stack is not.
    while let Some((source, at)) = walk.folders.pop() {
        walk.folder(&source, &at)?;
    }
    walk.read_files()?;
    let tree = walk.entries.into_iter().collect();
    Ok((Local { tree, ..walk.local }, walk.seen))
}

/// So many files are read at a time: what is known of each takes memory until all are.
const AT_ONCE: usize = 1024;

/// What a file holds, and what it looked like, if that did not change meanwhile.
struct Content {
    digest: Digest,
    size: u64,
    look: Option<Look>,
}

fn hash(mut file: &File, size: u64) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::default();
    // One byte more shows the end in the same call, where the file is small.
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(LARGEST_READ).saturating_add(1).min(LARGEST_READ)];
    loop {
        match file.read(&mut buffer) {
            Ok(n) => {
                hasher.update(&buffer[..n]);
                // It had room for more, and all that was promised is here: there is nothing to ask for.
                if n == 0 || (n < buffer.len() && hasher.size() == size) {
                    return Ok(hasher.finish());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

const LARGEST_READ: usize = 64 << 10;

/// Whether the folder is there, once it is sure that it is in the project.
fn find_folder(project: &Path, folder: &Path) -> Result<bool, LocalError> {
    let fail = |error| LocalError::Unreadable { path: folder.to_owned(), source: error };
    let target = match fs::canonicalize(project.join(folder)) {
        Ok(target) => target,
        // A link to nothing is not the same as nothing: its owner believes that files are baked.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_link(project, folder) => return Ok(false),
        Err(error) => return Err(fail(error)),
    };
    if !target.starts_with(fs::canonicalize(project).map_err(fail)?) {
        return Err(LocalError::LeavesProject { path: folder.to_owned(), target });
    }
    if target.is_dir() { Ok(true) } else { Err(LocalError::NoFolder(folder.to_owned())) }
}

fn is_link(project: &Path, folder: &Path) -> bool {
    let steps = folder.ancestors().filter(|step| !step.as_os_str().is_empty());
    steps.into_iter().any(|step| project.join(step).is_symlink())
}

struct Walk<'a> {
    project: &'a Path,
    rules: Rules,
    local: Local,
    /// What was found so far. A tree that takes all of it at once needs half the memory.
    entries: Vec<(ImagePath, Entry)>,
    folders: Vec<(PathBuf, ImagePath)>,
    /// Files that were found and not read yet.
    files: Vec<ImagePath>,
    before: &'a Seen,
    seen: Seen,
    now: SystemTime,
}

impl Walk<'_> {
    fn folder(&mut self, source: &Path, at: &ImagePath) -> Result<(), LocalError> {
        let fail = |error| LocalError::Unreadable { path: source.to_owned(), source: error };
        let entries = fs::read_dir(self.project.join(source)).map_err(fail)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(fail)?;
        // Sorted so that of several mistakes it is always the same one that is named.
        entries.sort_by_key(DirEntry::file_name);
        entries.iter().try_for_each(|entry| self.entry(entry, source, at))?;
        if self.files.len() < AT_ONCE { Ok(()) } else { self.read_files() }
    }

    fn entry(&mut self, entry: &DirEntry, source: &Path, at: &ImagePath) -> Result<(), LocalError> {
        let name = entry.file_name();
        let source = source.join(&name);
        let Some(name) = name.to_str() else { return Err(LocalError::Encoding(source)) };
        if matches!(name, ".gitkeep" | ".DS_Store") {
            return Ok(());
        }
        let path = match at.join(name) {
            Ok(path) => path,
            Err(error) => return Err(LocalError::Name { path: source, source: error }),
        };
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => return Err(LocalError::Unreadable { path: source, source: error }),
        };
        let made = if kind.is_file() {
            self.files.push(path);
            return Ok(());
        } else if kind.is_dir() {
            self.folders.push((source, path.clone()));
            let (owner, mode) = self.rules.of_folder(&path);
            let said = Said { owner: owner.is_some(), mode: mode.is_some() };
            if said != Said::default() {
                self.local.said.insert(path.clone(), said);
            }
            let mode = mode.unwrap_or(Mode::new(0o755));
            Entry { mode, owner: owner.unwrap_or_default(), node: Node::Folder }
        } else if kind.is_symlink() {
            let target = self.link(source, at)?;
            Entry { mode: Mode::new(0o777), owner: self.rules.owner(&path), node: Node::Link(target) }
        } else {
            return Err(LocalError::Special { path: source, kind: special(kind) });
        };
        self.entries.push((path, made));
        Ok(())
    }

    /// Reads the files that were found, on several threads where they are many.
    fn read_files(&mut self) -> Result<(), LocalError> {
        let files = std::mem::take(&mut self.files);
        for files in files.chunks(AT_ONCE) {
            let read = parallel::map_light(files, |path| self.content(&self.local.source(path)));
            for (path, content) in files.iter().zip(read) {
                let Content { digest, size, look } = content?;
                if let Some(look) = look {
                    self.seen.note(&self.local.source(path), look, digest, self.now);
                }
                let node = Node::File { digest, size };
                let entry = Entry { mode: self.rules.mode(path), owner: self.rules.owner(path), node };
                self.entries.push((path.clone(), entry));
            }
        }
        Ok(())
    }

    fn content(&self, source: &Path) -> Result<Content, LocalError> {
        let fail = |error| LocalError::Unreadable { path: source.to_owned(), source: error };
        let file = open(&self.project.join(source)).map_err(fail)?;
        let look = Look::at(&file.metadata().map_err(fail)?);
        let (digest, size) = match self.before.digest(source, &look) {
            Some(digest) => (digest, look.size()),
            None => hash(&file, look.size()).map_err(fail)?,
        };
        // Who was changed while it was read is no witness.
        let is_witness = look.is_worth_noting() && look.size() == size;
        let same = is_witness && look == Look::at(&file.metadata().map_err(fail)?);
        Ok(Content { digest, size, look: same.then_some(look) })
    }

    /// The text of a link in the folder `at`, when it stays in the image. An absolute one always does.
    fn link(&self, path: PathBuf, at: &ImagePath) -> Result<String, LocalError> {
        let target = match fs::read_link(self.project.join(&path)) {
            Ok(target) => target,
            Err(error) => return Err(LocalError::Unreadable { path, source: error }),
        };
        let Some(target) = target.to_str() else { return Err(LocalError::LinkEncoding(path)) };
        let mut depth = if target.starts_with('/') { 0 } else { at.components().count() };
        for part in target.split('/') {
            depth = match part {
                "" | "." => depth,
                ".." if depth == 0 => {
                    return Err(LocalError::LeavesImage { path, target: target.to_owned() });
                }
                ".." => depth - 1,
                _ => depth + 1,
            };
        }
        Ok(target.to_owned())
    }
}

fn special(kind: fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_fifo() {
        "pipe"
    } else if kind.is_socket() {
        "socket"
    } else {
        "device"
    }
}

/// The rules of `[files]`, longest pattern first, so that the first that matches is the one that counts.
struct Rules(Vec<Matching>);

struct Matching {
    glob: GlobMatcher,
    folders_only: bool,
    rule: FileRule,
}

impl Rules {
    fn new(rules: &BTreeMap<Glob, FileRule>) -> Self {
        let mut sorted: Vec<_> = rules.iter().collect();
        // Stable: of two patterns of one length the first in byte order counts.
        sorted.sort_by_key(|(glob, _)| std::cmp::Reverse(glob.as_str().trim_start_matches('/').len()));
        let matching = |(glob, rule): (&Glob, &FileRule)| {
            let folders_only = glob.folders_only();
            Some(Matching { glob: glob.matcher()?, folders_only, rule: rule.clone() })
        };
        Self(sorted.into_iter().filter_map(matching).collect())
    }

    fn matching(&self, path: &ImagePath) -> impl Iterator<Item = &Matching> {
        let path = path.as_str().trim_start_matches('/').to_owned();
        self.0.iter().filter(move |matching| matching.glob.is_match(&path))
    }

    fn of_files(&self, path: &ImagePath) -> impl Iterator<Item = &FileRule> {
        self.matching(path).filter(|matching| !matching.folders_only).map(|matching| &matching.rule)
    }

    fn owner(&self, path: &ImagePath) -> Owner {
        self.of_files(path).find_map(|rule| rule.owner).unwrap_or_default()
    }

    fn mode(&self, path: &ImagePath) -> Mode {
        let folder = path.as_str().rsplit('/').nth(1).unwrap_or_default();
        let default = if matches!(folder, "bin" | "sbin") { 0o755 } else { 0o644 };
        self.of_files(path).find_map(|rule| rule.mode).unwrap_or(Mode::new(default))
    }

    /// What is said of a folder's owner and mode.
    fn of_folder(&self, path: &ImagePath) -> (Option<Owner>, Option<Mode>) {
        let owner = self.matching(path).find_map(|matching| matching.rule.owner);
        let mode = self.matching(path).filter(|matching| matching.folders_only).find_map(|matching| matching.rule.mode);
        (owner, mode)
    }
}

#[cfg(test)]
mod tests;
