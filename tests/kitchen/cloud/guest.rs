//! What runs on an instance: what it prints on its console, and how it ends.

use std::collections::BTreeMap;
use std::time::Duration;

/// What an instance has when it starts.
#[derive(Clone, Debug)]
pub struct Boot {
    pub region: String,
    pub account: String,
    pub image: String,
    /// Whether the image is Amazon's.
    pub is_stock: bool,
    pub instance_type: String,
    /// In EC2's words.
    pub architecture: String,
    /// As it was sent, before any gunzip.
    pub user_data: Vec<u8>,
    pub tags: BTreeMap<String, String>,
    pub is_spot: bool,
}

/// How it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It shuts itself down.
    Stops(Duration),
    /// It runs until somebody else ends it.
    Never,
    /// EC2 takes it away, as with spot instances.
    Taken(Duration),
}

/// What an instance does, in times since it began to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    pub lines: Vec<(Duration, String)>,
    pub end: End,
}

impl Guest {
    /// It shuts itself down after 20 ms.
    pub fn stops() -> Self {
        Self { lines: Vec::new(), end: End::Stops(Duration::from_millis(20)) }
    }

    /// It runs on.
    pub fn stays() -> Self {
        Self { lines: Vec::new(), end: End::Never }
    }

    /// EC2 takes it away after so many ms.
    pub fn taken(after: u64) -> Self {
        Self { lines: Vec::new(), end: End::Taken(Duration::from_millis(after)) }
    }

    /// It shuts itself down after so many ms.
    pub fn after(mut self, millis: u64) -> Self {
        self.end = End::Stops(Duration::from_millis(millis));
        self
    }

    /// It prints this right away, with a line's end.
    pub fn says(self, line: &str) -> Self {
        self.says_at(0, line)
    }

    /// It prints this after so many ms.
    pub fn says_at(self, millis: u64, line: &str) -> Self {
        self.prints(millis, &format!("{line}\r\n"))
    }

    /// It prints just this.
    pub fn prints(mut self, millis: u64, text: &str) -> Self {
        self.lines.push((Duration::from_millis(millis), text.to_owned()));
        self
    }
}

/// What a host prints that nobody has planned anything for.
pub fn prompt(_: &Boot) -> Guest {
    Guest::stays().says("Amazon Linux 2023\r\nKernel 6.1 on an x86_64 (-)\r\n\r\nip-172-31-0-10 login: ")
}
