//! What changed from one lock to the next, for people to read before they commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Lock;

/// A pin that changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Moved {
    /// Which input, with the platform where it has several.
    pub input: String,
    /// What it was; nothing where it is new.
    pub from: Option<String>,
    /// What it is; nothing where it is gone.
    pub to: Option<String>,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{}: {from} -> {to}", self.input),
            (None, Some(to)) => write!(f, "{}: new, {to}", self.input),
            (Some(from), None) => write!(f, "{}: gone, was {from}", self.input),
            (None, None) => f.write_str(&self.input),
        }
    }
}

/// Each pin that differs between two locks, sorted by input.
#[must_use]
pub fn moved(old: &Lock, new: &Lock) -> Vec<Moved> {
    let (old, new) = (pins(old), pins(new));
    let inputs: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = inputs.into_iter().filter(|input| old.get(*input) != new.get(*input));
    changed
        .map(|input| Moved { input: input.clone(), from: old.get(input).cloned(), to: new.get(input).cloned() })
        .collect()
}

fn pins(lock: &Lock) -> BTreeMap<String, String> {
    let mut pins = BTreeMap::new();
    if let Some(base) = &lock.base {
        let pin = match &base.digest {
            Some(digest) => format!("{} {digest}", base.from),
            None => base.from.clone(),
        };
        pins.insert("base".to_owned(), pin);
        pins.extend(base.platform.iter().map(|on| (format!("base {}", on.name), on.manifest.to_string())));
    }
    for (kind, files) in [("plugin", &lock.plugin), ("archive", &lock.archive)] {
        for file in files {
            let on = file.platform.as_ref().map_or_else(String::new, |platform| format!(" {platform}"));
            pins.insert(format!("{kind} {}{on}", file.name), format!("{} {}", file.want, file.sha256));
        }
    }
    let hosts = lock.ami.iter().map(|ami| (format!("ami {}", ami.architecture), format!("{} {}", ami.id, ami.name)));
    pins.extend(hosts);
    pins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::lock::{FORMAT, LockedBase, LockedFile};

    fn lock(base: &str, plugin: &str) -> Lock {
        let file = |name: &str| LockedFile {
            name: name.to_owned(),
            platform: None,
            want: name.to_owned(),
            url: None,
            sha256: Digest::of(name.as_bytes()),
            size: 1,
            published: None,
        };
        let digest = Some(Digest::of(base.as_bytes()));
        let base = Some(LockedBase { from: "es:8".to_owned(), digest, platform: Vec::new(), below: Vec::new() });
        Lock { format: FORMAT, base, plugin: vec![file(plugin), file("same")], archive: Vec::new(), ami: Vec::new() }
    }

    #[test]
    fn only_what_moved_is_told() {
        assert_eq!(moved(&lock("a", "x"), &lock("a", "x")), []);
        let told: Vec<_> = moved(&lock("a", "x"), &lock("b", "y"))
            .into_iter()
            .map(|moved| (moved.input, moved.from.is_some(), moved.to.is_some()))
            .collect();
        assert_eq!(
            told,
            [("base".into(), true, true), ("plugin x".into(), true, false), ("plugin y".into(), false, true)]
        );
    }
}
