//! Processes of a test's own: this very binary, started again with the name of one test and a variable that
//! makes a child of it; without the variable that test has nothing to do.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

/// Set to the store's folder in a child.
pub(crate) const CHILD: &str = "ELKBAKE_TEST_STORE_CHILD";

/// What a child says on its error stream, which the test harness does not write to, when it is at work.
const READY: &str = "at work";

/// The root of the child's store, in a child.
pub(crate) fn root() -> Option<PathBuf> {
    env::var_os(CHILD).map(PathBuf::from)
}

/// This binary as a command that runs one test as a child, by way of another program where `through` names one.
pub(crate) fn child(test: &str, root: &Path, through: &[&str]) -> Command {
    let this = env::current_exe().unwrap();
    let mut command = match through {
        [] => Command::new(this),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(this);
            command
        }
    };
    let test = if test.starts_with("manifest::") { test.to_owned() } else { format!("store_crash::{test}") };
    command.args([&test, "--exact", "--nocapture"]).env(CHILD, root).stdout(Stdio::null());
    command
}

/// A child that has said that it is at work.
pub(crate) struct Working {
    pub(crate) child: Child,
    errors: BufReader<ChildStderr>,
}

impl Working {
    pub(crate) fn start(test: &str, root: &Path) -> Self {
        let mut child = child(test, root, &[]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        errors.read_line(&mut said).unwrap();
        assert_eq!(said.trim_end(), READY);
        Self { child, errors }
    }

    /// Ends it by SIGKILL: no handler, no guard, no flush.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), Some(9), "{}", io::read_to_string(self.errors).unwrap());
    }

    pub(crate) fn finish(mut self) {
        let said = io::read_to_string(self.errors).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
    }
}

pub(crate) fn say_ready() {
    say(READY);
}

/// What a child says at its end, so that one which never ran its test is noticed.
const DONE: &str = "has seen everything";

pub(crate) fn say_done() {
    say(DONE);
}

fn say(line: &str) {
    io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Runs a child to its end, which has to be a good one.
pub(crate) fn run(test: &str, root: &Path, through: &[&str]) {
    let output = child(test, root, through).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains(DONE), "{said}");
}

/// How to run a program where its mounts are seen by nobody else: as root, or as root of a user namespace. None
/// where the system allows neither, as in most containers.
pub(crate) fn mounting(dir: &Path) -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["unshare", "-m", "--"], &["unshare", "-rm", "--"]];
    ways.into_iter().find(|way| {
        let mut tried = Command::new(way[0]);
        tried.args(&way[1..]).args(["mount", "-t", "tmpfs", "none"]).arg(dir);
        tried.output().is_ok_and(|output| output.status.success())
    })
}
