//! What happens, told as it happens. Who listens paints it; nobody below `cli` prints.

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Work on something has begun.
    Begin {
        /// What is worked on; unique among what runs at one time.
        task: &'a str,
        /// How many bytes it will be, where that is known.
        bytes: Option<u64>,
    },
    /// More of it is done.
    Advance {
        /// What is worked on.
        task: &'a str,
        /// How many bytes since the last time.
        bytes: u64,
    },
    /// It is done, well or not.
    End {
        /// What was worked on.
        task: &'a str,
    },
    /// A program that runs for the work has printed a line.
    Said {
        /// What is worked on.
        task: &'a str,
        /// The line, as it came.
        line: &'a str,
    },
    /// Worth a line in a log: a retry, a resumed download, a mirror used.
    Note(&'a str),
    /// Worth a person's attention.
    Warn(&'a str),
}

/// Who is told. Called from several threads.
pub type Listener<'a> = &'a (dyn Fn(Event<'_>) + Sync);

/// Tells nobody.
pub const SILENT: Listener<'static> = &|_| {};

/// Says that a task has begun, and that it is over when this is dropped.
pub struct Task<'a> {
    name: &'a str,
    tell: Listener<'a>,
}

impl<'a> Task<'a> {
    /// Begins a task.
    #[must_use]
    pub fn begin(name: &'a str, bytes: Option<u64>, tell: Listener<'a>) -> Self {
        tell(Event::Begin { task: name, bytes });
        Self { name, tell }
    }

    /// Reports progress.
    pub fn advance(&self, bytes: u64) {
        (self.tell)(Event::Advance { task: self.name, bytes });
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        (self.tell)(Event::End { task: self.name });
    }
}
