//! What big files were seen to hold, so that those that have not changed since are not read again.
//!
//! A digest is believed only while the file is the same one (device and inode), and its size and both its times are
//! what they were. Nobody can set the time of the last change (`ctime`) back, so an edit that keeps size and date shows
//! too. One case is left: two changes so close to each other that they bear the same time, with the look between them.
//! So what changed just before it was looked at is not noted, and is read again the next time.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::digest::Digest;

/// Smaller files are as quickly read as looked up.
const SMALLEST: u64 = 16 << 10;

/// How long a file has to have been left alone before a look at it is believed: the coarsest times in use, those of
/// FAT, have steps of two seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// Digests of big files by their path in the project, with what the files looked like.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Seen(BTreeMap<String, Sight>);

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Sight {
    look: Look,
    digest: Digest,
}

/// All by which a change is noticed; the times in seconds and nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Look {
    pub(super) fn at(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// The size, which is part of what did not change.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is quicker to look it up than to read it again.
    pub(super) fn is_worth_noting(&self) -> bool {
        self.size >= SMALLEST
    }

    /// Whether the last change was long enough before `now`. A change in the future never was.
    fn is_settled(&self, now: SystemTime) -> bool {
        let settled = now.checked_sub(SETTLED).and_then(|then| then.duration_since(SystemTime::UNIX_EPOCH).ok());
        let now =
            settled.map(|then| (i64::try_from(then.as_secs()).unwrap_or(i64::MAX), i64::from(then.subsec_nanos())));
        now.is_some_and(|now| self.changed < now)
    }
}

impl Seen {
    /// What a file holds, when it looks as it did.
    pub(super) fn digest(&self, path: &Path, look: &Look) -> Option<Digest> {
        let sight = self.0.get(path.to_str()?)?;
        (sight.look == *look).then_some(sight.digest)
    }

    /// Notes what a file holds that looked the same before and after it was read, `now` or later.
    pub(super) fn note(&mut self, path: &Path, look: Look, digest: Digest, now: SystemTime) {
        if let Some(path) = path.to_str().filter(|_| look.is_worth_noting() && look.is_settled(now)) {
            self.0.insert(path.to_owned(), Sight { look, digest });
        }
    }

    /// Whether what was seen in a folder just now is what had been seen there before.
    #[must_use]
    pub fn knows_all(&self, folder: &str, now: &Self) -> bool {
        self.within(folder).eq(&now.0)
    }

    /// Takes over what was seen in a folder just now, in place of what had been seen there before.
    pub fn renew(&mut self, folder: &str, now: Self) {
        let gone: Vec<_> = self.within(folder).map(|(path, _)| path.clone()).collect();
        for path in gone {
            self.0.remove(&path);
        }
        self.0.extend(now.0);
    }

    fn within(&self, folder: &str) -> impl Iterator<Item = (&String, &Sight)> {
        let folder = format!("{folder}/");
        self.0.range(folder.clone()..).take_while(move |(path, _)| path.starts_with(&folder))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(changed: (i64, i64)) -> Look {
        Look { device: 1, inode: 2, size: SMALLEST, modified: (1, 1), changed }
    }

    #[test]
    fn any_difference_makes_a_file_unknown() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let (path, digest, seen) = (Path::new("images/es/a"), Digest::of(b"a"), look((900, 5)));
        let mut notes = Seen::default();
        notes.note(path, seen, digest, now);
        assert_eq!(notes.digest(path, &seen), Some(digest));
        assert_eq!(notes.digest(Path::new("images/es/b"), &seen), None);
        for other in [
            Look { device: 9, ..seen },
            Look { inode: 9, ..seen },
            Look { size: 9, ..seen },
            Look { modified: (1, 2), ..seen },
            look((900, 6)),
        ] {
            assert_eq!(notes.digest(path, &other), None, "{other:?}");
        }
        let text = serde_json::to_string(&notes).unwrap();
        assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), notes);
    }

    #[test]
    fn what_changed_just_now_and_what_is_small_is_not_noted() {
        let now = SystemTime::UNIX_EPOCH + Duration::new(1000, 7);
        for (look, noted) in [
            (look((997, 6)), true),
            (look((997, 7)), false),
            (look((1000, 0)), false),
            (look((2000, 0)), false),
            (Look { size: SMALLEST - 1, ..look((1, 0)) }, false),
        ] {
            let mut notes = Seen::default();
            notes.note(Path::new("a"), look, Digest::of(b"a"), now);
            assert_eq!(notes.0.len(), usize::from(noted), "{look:?}");
        }
        let mut notes = Seen::default();
        notes.note(Path::new("a"), look((-5, 0)), Digest::of(b"a"), SystemTime::UNIX_EPOCH);
        assert_eq!(notes, Seen::default(), "without a clock nothing is believed");
    }

    #[test]
    fn what_is_gone_from_a_folder_is_forgotten() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let notes = |paths: &[&str]| {
            let mut notes = Seen::default();
            paths.iter().for_each(|path| notes.note(Path::new(path), look((1, 0)), Digest::of(b"a"), now));
            notes
        };
        let mut all = notes(&["images/a/x", "images/a/y", "images/ab/z"]);
        let now = notes(&["images/a/y"]);
        assert!(!all.knows_all("images/a", &now));
        all.renew("images/a", now.clone());
        assert_eq!(all, notes(&["images/a/y", "images/ab/z"]));
        assert!(all.knows_all("images/a", &now) && all.knows_all("images/none", &Seen::default()));
    }
}
