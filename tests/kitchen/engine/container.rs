//! Containers, and what their commands do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::files::{File, Files, What, remove};

static NEXT: AtomicUsize = AtomicUsize::new(0);

#[expect(clippy::struct_excessive_bools, reason = "each is a thing of its own")]
pub struct Container {
    pub body: Value,
    pub files: Files,
    pub started: bool,
    pub hangs: bool,
    pub output: Vec<u8>,
    pub code: i64,
    pub out_of_memory: bool,
    /// What is answered at which port, while it runs.
    pub serves: BTreeMap<u16, String>,
    /// Whether it does not hear the signal that stops it.
    pub deaf: bool,
    /// What it asks the services of ECS.
    pub asks: Vec<String>,
    /// What became of paths: 0 changed, 1 added, 2 removed.
    pub changes: BTreeMap<String, u8>,
}

impl Container {
    pub fn new(body: Value, files: Files) -> Self {
        Self {
            body,
            files,
            started: false,
            hangs: false,
            output: Vec::new(),
            code: 0,
            out_of_memory: false,
            serves: BTreeMap::new(),
            deaf: false,
            asks: Vec::new(),
            changes: BTreeMap::new(),
        }
    }

    /// Does what the command says.
    pub fn start(&mut self) {
        self.started = true;
        let words: Vec<String> = serde_json::from_value(self.body["Cmd"].clone()).unwrap();
        self.perform(&words);
    }

    /// Does what a command says beside its own; gives what that prints, and its exit code.
    pub fn exec(&mut self, words: &[String]) -> (Vec<u8>, i64) {
        let (output, code) = (std::mem::take(&mut self.output), std::mem::take(&mut self.code));
        self.perform(words);
        (std::mem::replace(&mut self.output, output), std::mem::replace(&mut self.code, code))
    }

    fn perform(&mut self, words: &[String]) {
        for word in words {
            let (verb, rest) = word.split_once(':').unwrap_or((word, ""));
            let (path, text) = rest.split_once('=').unwrap_or((rest, ""));
            match verb {
                "print" => self.output.extend(format!("{rest}\n").bytes()),
                "env" => self.output.extend(format!("{}\n", self.body["Env"]).bytes()),
                "put" => self.put(path, File::text(text)),
                "folder" => self.put(path, File::folder()),
                "link" => {
                    self.put(
                        path,
                        File { what: What::Hard(text.trim_start_matches('/').to_owned()), ..File::text("") },
                    );
                }
                "pipe" => self.put(path, File { what: What::Pipe, ..File::text("") }),
                "remove" => {
                    remove(&mut self.files, path.trim_start_matches('/'));
                    self.changes.insert(path.to_owned(), 2);
                    self.touch_parents(path);
                }
                // Another text each time.
                "random" => self.put(path, File::text(&NEXT.fetch_add(1, Ordering::Relaxed).to_string())),
                "exit" => self.code = rest.parse().unwrap(),
                "memory" => (self.code, self.out_of_memory) = (137, true),
                "hang" => self.hangs = true,
                "end" => self.hangs = false,
                "deaf" => (self.hangs, self.deaf) = (true, true),
                "ask" => self.asks.push(format!("{rest}\r\n\r\n")),
                "serve" => {
                    let (status, body) = text.split_once(' ').unwrap_or((text, ""));
                    let answer = format!("HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n{body}");
                    self.serves.insert(path.parse().unwrap(), answer);
                }
                other => panic!("the kitchen's engine has no `{other}`"),
            }
        }
    }

    fn put(&mut self, path: &str, file: File) {
        let kind = u8::from(self.files.insert(path.trim_start_matches('/').to_owned(), file).is_none());
        self.changes.insert(path.to_owned(), kind);
        self.touch_parents(path);
    }

    /// An engine tells of all folders that lead to something that changed.
    fn touch_parents(&mut self, path: &str) {
        let mut at = path;
        while let Some((folder, _)) = at.rsplit_once('/').filter(|(folder, _)| !folder.is_empty()) {
            let is_new = !self.files.contains_key(folder.trim_start_matches('/'));
            if is_new {
                self.files.insert(folder.trim_start_matches('/').to_owned(), File::folder());
            }
            self.changes.entry(folder.to_owned()).or_insert(u8::from(is_new));
            at = folder;
        }
    }

    pub fn told(&self, status: &str) -> Value {
        json!({
            "State": { "Status": status, "Running": false, "ExitCode": self.code, "OOMKilled": self.out_of_memory },
            "HostConfig": { "Memory": self.body["HostConfig"]["Memory"] },
        })
    }

    /// What it changed; nothing at all is `null`, as Docker has it.
    pub fn changed(&self) -> Value {
        let changes: Vec<_> = self.changes.iter().map(|(path, kind)| json!({ "Path": path, "Kind": kind })).collect();
        if changes.is_empty() { Value::Null } else { json!(changes) }
    }
}
