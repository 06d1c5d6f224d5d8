//! Programs that know credentials: `docker-credential-NAME get`, the server on stdin, JSON on stdout.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::remote::docker_config::{Proof, login};

/// Tokens of cloud registries have a few KB.
const LONGEST_ANSWER: u64 = 1024 * 1024;

/// Asks a program for a server's credentials; `None` when it has none. Errors repeat nothing that may be secret.
pub(super) async fn ask(
    name: &str,
    server: &str,
    search_path: &[PathBuf],
    limit: Duration,
) -> Result<Option<Proof>, String> {
    let file = format!("docker-credential-{name}");
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let found = search_path.iter().map(|folder| folder.join(&file)).find(|path| is_program(path));
    let Some(program) = found.filter(|_| is_name) else {
        return Err(format!("`{file}`, which Docker's config.json names for {server}, is not in the PATH"));
    };
    match timeout(limit, run(&program, server)).await {
        Ok(Ok((true, answer))) => {
            read(&answer).map(Some).ok_or_else(|| format!("`{file}` does not answer as it should"))
        }
        // The words are fixed by the protocol of these programs.
        Ok(Ok((false, answer))) if answer.contains("credentials not found") => Ok(None),
        Ok(Ok((false, answer))) => {
            let said: String = answer.lines().next().unwrap_or_default().chars().take(300).collect();
            Err(format!("`{file}` fails for {server}: {}", said.trim()))
        }
        Ok(Err(error)) => Err(format!("cannot run {}: {error}", program.display())),
        Err(_) => Err(format!("`{file}` does not answer within {limit:?}")),
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// Whether it succeeded, and what it said.
async fn run(program: &Path, server: &str) -> std::io::Result<(bool, String)> {
    let mut child = Command::new(program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that answers without reading closes its end early.
        match stdin.write_all(server.as_bytes()).await {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), String::from_utf8_lossy(&answer).into_owned()))
}

fn read(answer: &str) -> Option<Proof> {
    let json: serde_json::Value = serde_json::from_str(answer).ok()?;
    let text = |field| json.get(field).and_then(serde_json::Value::as_str);
    Some(login(text("Username")?, text("Secret")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_of(script: &str, limit: Duration) -> Result<Option<Proof>, String> {
        let folder = tempfile::tempdir().unwrap();
        // Another process writes it: while this one has a file open for writing, so has a child that another test starts
        // at that moment, and then the file cannot be run.
        let write = r#"printf '#!/bin/sh\n%s' "$1" > docker-credential-x && chmod 755 docker-credential-x"#;
        let mut shell = std::process::Command::new("sh");
        assert!(shell.args(["-c", write, "sh", script]).current_dir(folder.path()).status().unwrap().success());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(ask("x", "a.b", &[folder.path().to_owned()], limit))
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_program_is_asked_for_the_server() {
        let script = r#"read server; echo "{\"ServerURL\":\"$server\",\"Username\":\"$1\",\"Secret\":\"$server\"}""#;
        assert_eq!(answer_of(script, LONG), Ok(Some(login("get", "a.b"))));
        let token = r#"echo '{"Username":"<token>","Secret":"t"}'"#;
        assert_eq!(answer_of(token, LONG), Ok(Some(login("<token>", "t"))));
    }

    #[test]
    fn a_program_may_know_nothing() {
        assert_eq!(answer_of("echo credentials not found in native keychain; exit 1", LONG), Ok(None));
    }

    #[test]
    fn a_program_that_fails_is_named_and_its_secrets_are_not() {
        let error = answer_of("echo token expired; exit 1", LONG).unwrap_err();
        assert!(error.contains("docker-credential-x") && error.contains("token expired"), "{error}");
        let error = answer_of("echo '{\"Secret\": \"hunter2\"'", LONG).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        let error = answer_of("exec sleep 100", Duration::from_millis(20)).unwrap_err();
        assert!(error.contains("within"), "{error}");
    }

    #[test]
    fn a_name_that_is_a_path_is_not_run() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for name in ["../x", "", "a/b", "none"] {
            let error = runtime.block_on(ask(name, "a.b", &["/bin".into()], LONG)).unwrap_err();
            assert!(error.contains("PATH"), "{error}");
        }
    }
}
