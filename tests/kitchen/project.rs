//! A project in a folder of its own, and the elkbake command run in it with nothing of the machine around it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A project and what a run of elkbake finds around it.
pub struct Kitchen {
    folder: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

/// How a run ended, with what it printed.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Kitchen {
    /// An empty project, an empty store, an empty environment.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        let home = folder.path().join("home").display().to_string();
        // PATH stays: credential helpers are looked up in it.
        let path = std::env::var("PATH").unwrap_or_default();
        let env = BTreeMap::from([("HOME".to_owned(), home), ("PATH".to_owned(), path)]);
        Self { folder, env }
    }

    /// The project's folder.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// The store's folder, as elkbake finds it by itself.
    pub fn store(&self) -> PathBuf {
        self.folder.path().join("home/.cache/elkbake")
    }

    /// All that the store holds, by its path in there.
    pub fn stored(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut stored = BTreeMap::new();
        let mut folders = vec![self.store()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    stored.insert(path.strip_prefix(self.store()).unwrap().to_owned(), std::fs::read(&path).unwrap());
                }
            }
        }
        stored
    }

    /// Puts a file into the project, with the folders above it.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// The same on a project that is in use.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Puts a recipe into the project.
    pub fn recipe(self, name: &str, text: &str) -> Self {
        self.file(&format!("recipes/{name}.toml"), text)
    }

    /// What a file of the project says.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project().join(path)).unwrap()
    }

    /// Whether something is there.
    pub fn has(&self, path: &str) -> bool {
        self.project().join(path).exists()
    }

    /// Sets an environment variable for the runs to come.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A run that is not started yet, for tests that need it in another way.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elkbake"));
        command.args(args).current_dir(self.project()).env_clear().envs(&self.env).stdin(Stdio::null());
        command
    }

    /// Runs elkbake in the project.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(&self.project(), args)
    }

    /// Runs elkbake on a terminal, where a person is asked and types an answer. What it prints comes as one text.
    #[cfg(feature = "aws")]
    pub fn answered(&self, args: &[&str], answer: &str) -> Ran {
        use std::io::{Read as _, Write as _};

        let words = std::iter::once(env!("CARGO_BIN_EXE_elkbake")).chain(args.iter().copied());
        let line = words.map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).current_dir(self.project()).env_clear().envs(&self.env);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdout, mut out) = (Vec::new(), child.stdout.take().unwrap());
        let mut byte = [0];
        while !stdout.ends_with(b"[y/N] ") && out.read(&mut byte).unwrap() == 1 {
            stdout.push(byte[0]);
        }
        // Who is not asked answers nothing.
        drop(child.stdin.take().unwrap().write_all(answer.as_bytes()));
        out.read_to_end(&mut stdout).unwrap();
        Ran::of(Output { stdout, ..child.wait_with_output().unwrap() })
    }

    /// Runs elkbake in another folder.
    pub fn run_in(&self, folder: &Path, args: &[&str]) -> Ran {
        Ran::of(self.command(args).current_dir(folder).output().unwrap())
    }
}

impl Ran {
    /// What came of a run that was started in another way.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails unless the run ended with this code.
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n-- stdout\n{}\n-- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless all went well.
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// Fails unless standard output holds a text.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in\n-- stdout\n{}\n-- stderr\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless standard error holds a text.
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in\n-- stderr\n{}\n-- stdout\n{}", self.stderr, self.stdout);
        self
    }

    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

/// Compares a text with the golden one in `tests/golden`; `UPDATE=1` renews it.
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path)
        .unwrap_or_else(|e| panic!("{}: {e}; UPDATE=1 makes it, and its text is to be reviewed", path.display()));
    assert_eq!(known, text, "tests/golden/{name} differs; UPDATE=1 renews it, and the change is to be reviewed");
}

/// The end of a run on which the person presses Ctrl-C.
pub fn interrupted(child: Child) -> Ran {
    interrupt(&child);
    Ran::of(child.wait_with_output().unwrap())
}

/// Presses Ctrl-C, and waits until the run has been told: on a busy machine that takes a while.
pub fn interrupt(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::INT).unwrap();
    let waits = || {
        // Signals that wait for the process, a bit for each; that of SIGINT is the second.
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
        let pending = u64::from_str_radix(status.lines().find_map(|line| line.strip_prefix("ShdPnd:"))?.trim(), 16);
        (!status.contains("State:\tZ") && pending.unwrap() & 2 != 0).then_some(())
    };
    while waits().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
