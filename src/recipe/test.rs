//! How to tell that what was baked works.

use std::collections::{BTreeMap, BTreeSet};

use super::grammar::{EnvName, JsonPointer, Login};
use super::value::Url;
use crate::name::{ImagePath, RecipeName};
use crate::text::{Positive, Reader, Text, table};
use crate::tree::{Mode, Owner};

table! {
    /// How to tell that the image works.
    #[checked(check)]
    pub struct Test {
        /// When the container counts as started.
        pub ready: Option<Ready>,
        /// Seconds until it has to be.
        pub timeout: u32 as Positive = 120,
        /// What has to hold then.
        pub expect: Vec<Expect>,
        /// Recipes whose images run beside it, and are found by these names.
        pub with: BTreeSet<RecipeName>,
        /// Environment variables for the test only, in place of the image's and of made-up secrets.
        pub env: BTreeMap<String, String> as BTreeMap<Text<EnvName>, String>,
        /// The hard limit of memory in MiB while it is tested, where a machine that tests has less than what it runs on.
        pub memory: Option<u32> as Option<Positive>,
    }

    /// When a container counts as started; all that is given has to hold.
    #[checked(check)]
    pub struct Ready {
        /// An address that answers: `"http://localhost:9200/"`.
        pub http: Option<Url>,
        /// The status that it answers with.
        pub status: u16 = 200,
        /// Values in its answer, by JSON pointer: `"/status" = "green"`. Of a list, one.
        pub json: BTreeMap<String, serde_json::Value> as BTreeMap<Text<JsonPointer>, serde_json::Value>,
        /// Who asks, and the variable with the password: `"elastic:ELASTIC_PASSWORD"`.
        pub login: Option<String> as Option<Text<Login>>,
        /// A port that takes connections.
        pub tcp: Option<u16>,
        /// A text in the container's log.
        pub log: Option<String>,
        /// The exit code that the program ends with by itself.
        pub exit: Option<u8>,
    }

    /// Something that has to hold in a started container.
    #[checked(check)]
    pub struct Expect {
        /// A command in the container that has to succeed.
        pub command: Vec<String>,
        /// An address that has to answer.
        pub http: Option<Url>,
        /// The status that it answers with; 200 where none is given.
        pub status: Option<u16>,
        /// A text that the command prints or the answer holds.
        pub contains: Option<String>,
        /// Values in the answer, by JSON pointer: `"/hits/total/value" = 1`. Of a list, one.
        pub json: BTreeMap<String, serde_json::Value> as BTreeMap<Text<JsonPointer>, serde_json::Value>,
        /// Who asks, and the variable with the password: `"elastic:ELASTIC_PASSWORD"`.
        pub login: Option<String> as Option<Text<Login>>,
        /// A file that has to be there.
        pub file: Option<ImagePath>,
        /// The mode it has.
        pub mode: Option<Mode>,
        /// The owner it has.
        pub owner: Option<Owner>,
        /// A plugin that every node says it has loaded.
        pub plugin: Option<String>,
        /// Seconds in which it may come to hold; it is tried until then.
        pub within: u32 = 0,
    }

    /// Something that has to hold on a started host.
    #[checked(check)]
    pub struct HostExpect {
        /// A command on the host that has to succeed.
        pub command: Vec<String>,
        /// An address that has to answer with 200.
        pub http: Option<Url>,
        /// A text that the command prints or the answer holds.
        pub contains: Option<String>,
        /// A file that has to be there.
        pub file: Option<ImagePath>,
        /// The mode it has.
        pub mode: Option<Mode>,
        /// The owner it has.
        pub owner: Option<Owner>,
    }
}

impl Test {
    fn check(&self, reader: &mut Reader) {
        let known = |host: &str| {
            matches!(host, "localhost" | "127.0.0.1") || self.with.iter().any(|name| name.as_str() == host)
        };
        let asked = self.ready.iter().filter_map(|ready| Some(("ready.http".to_owned(), ready.http.as_ref()?)));
        let expected = self.expect.iter().enumerate();
        let expected = expected.filter_map(|(i, expect)| Some((format!("expect.{i}.http"), expect.http.as_ref()?)));
        for (key, url) in asked.chain(expected) {
            let host = url.authority().split(':').next().unwrap_or_default();
            if !url.is_plain() {
                let help = "say `http://`, or ask with a `command` of the container";
                reader.mistake(&key, "smoke tests speak plain HTTP only", help);
            } else if !known(host) {
                let message = format!("nobody in the test's network is called `{host}`");
                reader.mistake(
                    &key,
                    message,
                    "say `localhost` for the container itself, or name a recipe under `with`",
                );
            }
        }
        let ends = self.ready.as_ref().is_some_and(|ready| ready.exit.is_some());
        if let Some(i) = self.expect.iter().position(|expect| ends && expect.file.is_none()) {
            let message = "nothing can be asked of a container that has ended";
            reader.mistake(&format!("expect.{i}"), message, "remove `exit`, or expect files only");
        }
    }
}

impl Ready {
    fn check(&self, reader: &mut Reader) {
        if self.http.is_none() && self.tcp.is_none() && self.log.is_none() && self.exit.is_none() {
            reader.mistake("", "this waits for nothing", "say `http`, `tcp`, `log` or `exit`");
        } else if self.exit.is_some() && (self.http.is_some() || self.tcp.is_some()) {
            reader.mistake("exit", "what has ended answers no more", "say `http` and `tcp`, or `exit`");
        } else if self.http.is_none() && (!self.json.is_empty() || self.login.is_some()) {
            let key = if self.json.is_empty() { "login" } else { "json" };
            reader.mistake(key, format!("`{key}` is about an answer"), "say which with `http`");
        }
    }
}

impl Expect {
    fn check(&self, reader: &mut Reader) {
        let is_file = self.file.is_some();
        let subjects = [!self.command.is_empty(), self.http.is_some(), is_file, self.plugin.is_some()];
        let of_file = (self.mode.is_some(), self.owner.is_some());
        let contains = self.contains.is_some() && (is_file || self.plugin.is_some());
        if is_about_one(subjects, "say one of `command`, `http`, `file` and `plugin`", contains, of_file, reader)
            && self.http.is_none()
        {
            let login = self.login.is_some() && self.plugin.is_none();
            let said = [("json", !self.json.is_empty()), ("status", self.status.is_some()), ("login", login)];
            if let Some((key, _)) = said.into_iter().find(|(_, said)| *said) {
                reader.mistake(key, format!("`{key}` is about an answer"), "say which with `http`");
            }
        }
    }
}

impl HostExpect {
    fn check(&self, reader: &mut Reader) {
        let is_file = self.file.is_some();
        let subjects = [!self.command.is_empty(), self.http.is_some(), is_file, false];
        let of_file = (self.mode.is_some(), self.owner.is_some());
        let contains = self.contains.is_some() && is_file;
        is_about_one(subjects, "say one of `command`, `http` and `file`", contains, of_file, reader);
    }
}

/// Whether an expectation is about one thing (a command, an answer, a file, a plugin) and says nothing that is about
/// another; notes what is wrong.
fn is_about_one(
    subjects: [bool; 4],
    which: &str,
    holds_no_text: bool,
    (mode, owner): (bool, bool),
    reader: &mut Reader,
) -> bool {
    let [.., file, _] = subjects;
    if subjects.iter().filter(|&&said| said).count() != 1 {
        reader.mistake("", "an expectation is about one thing", which);
    } else if holds_no_text {
        reader.mistake("contains", "`contains` is about what a command prints or an address answers", "");
    } else if !file && (mode || owner) {
        let key = if mode { "mode" } else { "owner" };
        reader.mistake(key, format!("`{key}` is about a file"), "say which with `file`");
    } else {
        return true;
    }
    false
}
