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
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    fn project(files: &[(&str, &str)]) -> TempDir {
        let project = TempDir::new().unwrap();
        for (path, text) in files {
            let path = project.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        project
    }

    fn rules(rules: &[(&str, Option<&str>, Option<&str>)]) -> BTreeMap<Glob, FileRule> {
        let rule = |owner: Option<&str>, mode: Option<&str>| FileRule {
            owner: owner.map(|owner| owner.parse().unwrap()),
            mode: mode.map(|mode| mode.parse().unwrap()),
        };
        rules.iter().map(|(glob, owner, mode)| (glob.parse().unwrap(), rule(*owner, *mode))).collect()
    }

    fn listing(local: &Local) -> Vec<String> {
        let node = |node: &Node| match node {
            Node::Folder => "/".to_owned(),
            Node::File { size, .. } => format!(" {size}"),
            Node::Link(target) => format!(" -> {target}"),
        };
        local.tree.iter().map(|(path, e)| format!("{} {} {path}{}", e.mode, e.owner, node(&e.node))).collect()
    }

    fn error(project: &TempDir) -> String {
        read(project.path(), "images/es", &BTreeMap::new()).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_empty_one() {
        assert!(read(project(&[]).path(), "images/es", &BTreeMap::new()).unwrap().tree.is_empty());
    }

    #[test]
    fn a_pattern_with_a_slash_at_its_end_is_for_folders() {
        let project = project(&[("images/es/tmp/in/x", "x"), ("images/es/data/x", "x")]);
        let rules = rules(&[
            ("tmp/", None, Some("1777")),
            ("**", Some("7:7"), Some("0600")),
            ("/data/", Some("8:8"), None),
            ("**/in/", Some("9:9"), Some("0700")),
        ]);
        let local = read(project.path(), "images/es", &rules).unwrap();
        let expected =
            ["0755 8:8 /data/", "0600 7:7 /data/x 1", "1777 7:7 /tmp/", "0700 9:9 /tmp/in/", "0600 7:7 /tmp/in/x 1"];
        assert_eq!(listing(&local), expected);
        let said: Vec<_> = local.said.iter().map(|(path, said)| (path.as_str(), said.owner, said.mode)).collect();
        assert_eq!(said, [("/data", true, false), ("/tmp", true, true), ("/tmp/in", true, true)]);
    }

    #[test]
    fn files_folders_and_links_get_their_default_modes() {
        let project = project(&[
            ("images/es/usr/local/bin/run", "#!"),
            ("images/es/usr/local/bin/lib/x", "x"),
            ("images/es/sbin/init", ""),
            ("images/es/etc/es.yml", "a: b"),
        ]);
        symlink("../etc/es.yml", project.path().join("images/es/sbin/link")).unwrap();
        fs::create_dir(project.path().join("images/es/empty")).unwrap();
        let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        assert_eq!(
            listing(&local),
            [
                "0755 0:0 /empty/",
                "0755 0:0 /etc/",
                "0644 0:0 /etc/es.yml 4",
                "0755 0:0 /sbin/",
                "0755 0:0 /sbin/init 0",
                "0777 0:0 /sbin/link -> ../etc/es.yml",
                "0755 0:0 /usr/",
                "0755 0:0 /usr/local/",
                "0755 0:0 /usr/local/bin/",
                "0755 0:0 /usr/local/bin/lib/",
                "0644 0:0 /usr/local/bin/lib/x 1",
                "0755 0:0 /usr/local/bin/run 2",
            ]
        );
        let path: ImagePath = "/etc/es.yml".parse().unwrap();
        assert_eq!(local.source(&path), Path::new("images/es/etc/es.yml"));
        assert!(
            matches!(&local.tree.get(&path).unwrap().node, Node::File { digest, .. } if *digest == Digest::of(b"a: b"))
        );
    }

    #[test]
    fn the_longest_pattern_that_says_something_counts() {
        let project = project(&[("images/es/a/b/c.sh", ""), ("images/es/a/d", "")]);
        symlink("d", project.path().join("images/es/a/e")).unwrap();
        let rules = rules(&[
            ("**", Some("1:1"), Some("0600")),
            ("a/**", Some("2:2"), None),
            ("/a/b/*.sh", None, Some("0750")),
            ("a", Some("3:3"), Some("0700")),
        ]);
        assert_eq!(
            listing(&read(project.path(), "images/es", &rules).unwrap()),
            ["0755 1:1 /a/", "0755 2:2 /a/b/", "0750 2:2 /a/b/c.sh 0", "0600 2:2 /a/d 0", "0777 2:2 /a/e -> d",]
        );
    }

    #[test]
    fn modes_and_times_of_the_checkout_do_not_count() {
        let project = project(&[("images/es/etc/a", "x")]);
        let before = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        let file = project.path().join("images/es/etc/a");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
        fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(before.tree, read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree);
    }

    #[test]
    fn what_git_and_file_managers_drop_is_left_out() {
        let project = project(&[("images/es/data/.gitkeep", ""), ("images/es/.DS_Store", "x")]);
        let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        assert_eq!(listing(&local), ["0755 0:0 /data/"]);
    }

    #[test]
    fn links_out_of_the_image_are_refused() {
        for (target, refused) in [
            ("../../etc/passwd", true),
            ("x/../../../y", true),
            ("/../x", true),
            ("../x", false),
            ("..", false),
            ("/etc/passwd", false),
            ("./nowhere", false),
        ] {
            let project = project(&[("images/es/etc/a", "")]);
            symlink(target, project.path().join("images/es/etc/l")).unwrap();
            let read = read(project.path(), "images/es", &BTreeMap::new());
            assert_eq!(read.is_err(), refused, "{target}");
            if let Err(error) = read {
                let text = error.to_string();
                assert!(text.contains("images/es/etc/l") && text.contains(target), "{text}");
            }
        }
    }

    #[test]
    fn a_linked_folder_inside_the_image_is_not_followed() {
        let project = project(&[("images/es/a/x", "")]);
        symlink("a", project.path().join("images/es/b")).unwrap();
        let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        assert_eq!(listing(&local), ["0755 0:0 /a/", "0644 0:0 /a/x 0", "0777 0:0 /b -> a"]);
    }

    #[test]
    fn a_recipes_folder_may_link_inside_the_project_only() {
        let outside = project(&[("x", "secret")]);
        for link in ["images", "images/es"] {
            let project = project(&[("shared/es/x", "")]);
            let link = project.path().join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            fs::create_dir_all(outside.path().join("es")).unwrap();
            symlink(outside.path(), &link).unwrap();
            assert!(error(&project).contains("images/es is a link that leaves the project"), "{}", error(&project));
            fs::remove_file(&link).unwrap();
            symlink(project.path().join("nowhere"), &link).unwrap();
            assert!(error(&project).contains("images/es cannot be read"), "{}", error(&project));
        }
        let project = project(&[("shared/x", ""), ("images/.gitkeep", "")]);
        symlink("../shared", project.path().join("images/es")).unwrap();
        assert_eq!(read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree.len(), 1);
    }

    #[test]
    fn a_file_in_the_folders_place_is_named() {
        assert!(error(&project(&[("images/es", "")])).contains("images/es is no folder"));
    }

    #[test]
    fn sockets_and_pipes_are_refused() {
        let project = project(&[("images/es/run/.gitkeep", "")]);
        let path = project.path().join("images/es/run/socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(error(&project).contains("images/es/run/socket is a socket"));
        fs::remove_file(&path).unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(error(&project).contains("images/es/run/socket is a pipe"));
    }

    #[test]
    fn names_that_are_not_utf_8_are_refused() {
        let project = project(&[("images/es/.gitkeep", "")]);
        let wrong = std::ffi::OsStr::from_bytes(b"\xff");
        symlink(wrong, project.path().join("images/es/link")).unwrap();
        assert!(error(&project).contains("images/es/link is a link to a name that is not UTF-8"));
        fs::remove_file(project.path().join("images/es/link")).unwrap();
        fs::write(project.path().join("images/es").join(wrong), "").unwrap();
        assert!(error(&project).contains("is not UTF-8"));
    }

    #[test]
    fn each_of_many_files_gets_its_own_bytes() {
        // More than are read at a time, in one folder and over several.
        let names = (0..2 * AT_ONCE + 7).map(|i| (format!("images/es/{}/{i}", i % 3 * (i / 1500)), format!("{i}")));
        let names: Vec<_> = names.collect();
        let files: Vec<_> = names.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let project = project(&files);
        let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
        assert_eq!(local.files().count(), files.len());
        for (path, digest) in local.files() {
            assert_eq!(*digest, Digest::of(path.file_name().as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_very_deep_tree_is_read() {
        let project = project(&[(&format!("images/es/{}x", "d/".repeat(60)), "")]);
        assert_eq!(read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree.len(), 61);
    }

    /// A minute after the last change of a file.
    fn later(path: &Path) -> SystemTime {
        let meta = fs::metadata(path).unwrap();
        let changed = std::time::Duration::new(meta.ctime().cast_unsigned(), 0);
        SystemTime::UNIX_EPOCH + changed + std::time::Duration::from_mins(1)
    }

    #[test]
    fn a_file_that_looks_as_it_did_is_not_read_again_and_any_edit_shows() {
        let text = |c: char| c.to_string().repeat(20_000);
        let project = project(&[("images/es/big", &text('a')), ("images/es/small", "a"), ("aside", &text('c'))]);
        let big = project.path().join("images/es/big");
        let again = |seen: &Seen, now| read_again(project.path(), "images/es", &BTreeMap::new(), seen, now).unwrap();
        let digest = |local: &Local| match local.tree.get(&"/big".parse().unwrap()).unwrap().node {
            Node::File { digest, size: 20_000 } => digest,
            _ => panic!("another size"),
        };

        let (local, fresh) = again(&Seen::default(), later(&big) - std::time::Duration::from_secs(59));
        assert_eq!(
            (digest(&local), fresh),
            (Digest::of(text('a').as_bytes()), Seen::default()),
            "too fresh to believe"
        );
        let (_, seen) = again(&Seen::default(), later(&big));
        assert_ne!(seen, Seen::default());
        assert_eq!(again(&seen, later(&big)), (local.clone(), seen.clone()));
        // That it was not read shows when notes of another file stand in for it.
        let json = serde_json::to_string(&seen).unwrap();
        let wrong = json.replace(&Digest::of(text('a').as_bytes()).hex(), &Digest::of(b"?").hex());
        let (lied_to, _) = again(&serde_json::from_str(&wrong).unwrap(), later(&big));
        assert_eq!(digest(&lied_to), Digest::of(b"?"));

        // Times go in steps of up to ten milliseconds; what is closer together is what `SETTLED` is for.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let dates = fs::metadata(&big).unwrap().modified().unwrap();
        let keep_dates = |path: &Path| File::open(path).unwrap().set_modified(dates).unwrap();
        fs::write(&big, text('b')).unwrap();
        keep_dates(&big);
        assert_eq!(digest(&again(&seen, later(&big)).0), Digest::of(text('b').as_bytes()), "edited in its place");
        let (_, seen) = again(&seen, later(&big));
        keep_dates(&project.path().join("aside"));
        fs::rename(project.path().join("aside"), &big).unwrap();
        assert_eq!(digest(&again(&seen, later(&big)).0), Digest::of(text('c').as_bytes()), "another in its place");
        fs::remove_file(&big).unwrap();
        assert_eq!(again(&seen, later(project.path())).1, Seen::default());
    }
}
