//! How to tell that what was baked works.

use std::collections::BTreeSet;

use super::value::Url;
use crate::name::{ImagePath, RecipeName};
use crate::text::{Reader, table};
use crate::tree::{Mode, Owner};

table! {
    /// How to tell that the image works.
    pub struct Test {
        /// When the container counts as started.
        pub ready: Option<Ready>,
        /// Seconds until it has to be.
        pub timeout: u32 = 120,
        /// What has to hold then.
        pub expect: Vec<Expect>,
        /// Recipes whose images run beside it.
        pub with: BTreeSet<RecipeName>,
    }

    /// When a container counts as started; all that is given has to hold.
    #[checked(check)]
    pub struct Ready {
        /// An address that answers: `"http://localhost:9200/"`.
        pub http: Option<Url>,
        /// The status that it answers with.
        pub status: u16 = 200,
        /// A port that takes connections.
        pub tcp: Option<u16>,
        /// A text in the container's log.
        pub log: Option<String>,
    }

    /// Something that has to hold in a started container.
    #[checked(check)]
    pub struct Expect {
        /// A command in the container that has to succeed.
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

impl Ready {
    fn check(&self, reader: &mut Reader) {
        if self.http.is_none() && self.tcp.is_none() && self.log.is_none() {
            reader.mistake("", "this waits for nothing", "say `http`, `tcp` or `log`");
        }
    }
}

impl Expect {
    fn check(&self, reader: &mut Reader) {
        let subjects = [!self.command.is_empty(), self.http.is_some(), self.file.is_some()];
        if subjects.iter().filter(|&&said| said).count() != 1 {
            reader.mistake("", "an expectation is about one thing", "say one of `command`, `http` and `file`");
        } else if self.file.is_some() && self.contains.is_some() {
            reader.mistake("contains", "`contains` is about what a command prints or an address answers", "");
        } else if self.file.is_none() && (self.mode.is_some() || self.owner.is_some()) {
            let key = if self.mode.is_some() { "mode" } else { "owner" };
            reader.mistake(key, format!("`{key}` is about a file"), "say which with `file`");
        }
    }
}
