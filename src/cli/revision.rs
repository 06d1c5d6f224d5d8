//! The revision that a project's sources are at, as git says it.

use std::path::Path;
use std::process::{Command, Output};

use super::global::Global;
use super::ui::Ui;
use super::workspace::Workspace;
use crate::project::{Place, Project};
use crate::record::SourceRevision;

/// What elkbake itself writes into a project without being asked where.
const OWN: &str = ".elkbake";

/// The revision that `--revision` says, or the one that is checked out, and whether something of the project was changed
/// since; `None` where the project is in no repository, or git is not there to ask.
pub(super) fn source(global: &Global, workspace: &Workspace, ui: &Ui) -> Option<SourceRevision> {
    if let Some(revision) = &global.revision {
        return Some(SourceRevision { revision: revision.clone(), dirty: false });
    }
    match asked(&workspace.root, &workspace.project) {
        Ok(source) => source,
        Err(said) => {
            ui.warn(&format!("records do not say from which sources this is baked: git says: {said}"));
            None
        }
    }
}

fn asked(root: &Path, project: &Project) -> Result<Option<SourceRevision>, String> {
    let Some(head) = git(root, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])? else {
        return Ok(None);
    };
    let mut status = vec!["status".to_owned(), "--porcelain".to_owned(), "--".to_owned(), ".".to_owned()];
    status.extend(written(project).iter().map(|path| format!(":(exclude,literal){path}")));
    let status: Vec<_> = status.iter().map(String::as_str).collect();
    let changed = git(root, &status)?;
    Ok(changed.map(|changed| SourceRevision { revision: head, dirty: !changed.is_empty() }))
}

/// What pushes write: a manifest that the push of one recipe changed makes the next one's sources no others.
fn written(project: &Project) -> Vec<String> {
    let mut paths = vec![OWN.to_owned(), project.manifest().display().to_string()];
    for target in project.target.values() {
        paths.push(target.manifest().to_owned());
        if let Some(Place::Layouts(folder)) = target.place() {
            paths.push(folder.to_string());
        }
    }
    paths
}

/// What git prints. `None` where there is no git, no repository, or nothing was committed yet.
fn git(root: &Path, args: &[&str]) -> Result<Option<String>, String> {
    let mut command = Command::new("git");
    // In the language of its sources; nothing is written, not even an index that is fresher, and no hook is run.
    command.args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-C"]).arg(root).args(args).env("LC_ALL", "C");
    let Ok(Output { status, stdout, stderr }) = command.stdin(std::process::Stdio::null()).output() else {
        return Ok(None);
    };
    if status.success() {
        return Ok(Some(String::from_utf8_lossy(&stdout).trim_end().to_owned()));
    }
    let said = String::from_utf8_lossy(&stderr);
    let said = said.lines().find(|line| !line.is_empty()).unwrap_or_default();
    if said.is_empty() || said.contains("not a git repository") { Ok(None) } else { Err(said.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(root: &Path, args: &[&str]) {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
        let ran = Command::new("git").arg("-C").arg(root).args(identity).args(args).output().unwrap();
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    #[test]
    fn what_is_checked_out_is_told_and_whether_it_was_changed() {
        let dir = tempfile::tempdir().unwrap();
        // A project in a folder of a larger repository.
        let root = dir.path().join("elk");
        std::fs::create_dir_all(root.join("recipes")).unwrap();
        let text = "[target.prod]\noci = \"out\"\nmanifest = \"prod.json\"\n[target.local]\noci = \"o2\"\n";
        let project = crate::project::parse(Path::new("elkbake.toml"), text).unwrap().value;
        let ask = || asked(&root, &project).unwrap();
        assert_eq!(ask(), None, "there is no repository");
        run(dir.path(), &["init", "--quiet"]);
        assert_eq!(ask(), None, "nothing was committed");
        std::fs::write(root.join("recipes/a.toml"), "a").unwrap();
        run(dir.path(), &["add", "."]);
        run(dir.path(), &["commit", "--quiet", "-m", "a"]);
        let clean = ask().unwrap();
        assert!(clean.revision.len() >= 40 && !clean.dirty, "{clean:?}");
        // What is written by pushing, and what is not the project's.
        for (path, dirty) in [
            ("elk/prod.json", false),
            ("elk/bake-manifest.json", false),
            ("elk/out/oci-layout", false),
            ("elk/.elkbake/local/x", false),
            ("other", false),
            ("elk/images/a/etc/new", true),
        ] {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), "x").unwrap();
            assert_eq!(ask().unwrap(), SourceRevision { dirty, ..clean.clone() }, "{path}");
        }
        std::fs::remove_dir_all(root.join("images")).unwrap();
        std::fs::write(root.join("recipes/a.toml"), "b").unwrap();
        assert!(ask().unwrap().dirty);
    }
}
