//! What differs between two configurations.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::json;

use crate::bake::found::FoundImage;
use crate::bake::inspect::{BASE_DIGEST, BASE_NAME};

/// Something that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// What: `env PATH`, `entrypoint`.
    pub what: String,
    /// What it is in the first image; nothing where that has none.
    pub from: Option<String>,
    /// What it is in the second.
    pub to: Option<String>,
}

impl Changed {
    /// The change, if it is one.
    pub(super) fn of(what: impl Into<String>, from: Option<String>, to: Option<String>) -> Option<Self> {
        (from != to).then(|| Self { what: what.into(), from, to })
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => write!(f, "{what}: {from} -> {to}"),
            (None, Some(to)) => write!(f, "{what}: new, {to}"),
            (Some(from), None) => write!(f, "{what}: gone, was {from}"),
            (None, None) => f.write_str(what),
        }
    }
}

/// What an image says that it was built on.
pub(super) fn base(image: &FoundImage) -> Option<String> {
    let digest = image.annotations.get(BASE_DIGEST);
    match (image.annotations.get(BASE_NAME), digest) {
        (Some(name), Some(digest)) => Some(format!("{name}@{digest}")),
        (name, digest) => name.or(digest).cloned(),
    }
}

/// Each setting that differs; annotations only where both have a manifest to have them in.
pub(super) fn compare(a: &FoundImage, b: &FoundImage, has_manifests: bool) -> Vec<Changed> {
    let (one, two) = (&a.config, &b.config);
    let words = |words: &[String]| (!words.is_empty()).then(|| json!(words).to_string());
    let mut changed: Vec<_> = [
        Changed::of("created", one.created.clone(), two.created.clone()),
        Changed::of("user", one.user.clone(), two.user.clone()),
        Changed::of("workdir", one.workdir.clone(), two.workdir.clone()),
        Changed::of("entrypoint", words(&one.entrypoint), words(&two.entrypoint)),
        Changed::of("cmd", words(&one.cmd), words(&two.cmd)),
        Changed::of("stop signal", one.stop_signal.clone(), two.stop_signal.clone()),
    ]
    .into_iter()
    .flatten()
    .collect();
    // Where a name stands twice, the later one counts.
    let env = |env: &[(String, String)]| env.iter().cloned().collect::<BTreeMap<_, _>>();
    let set = |set: &BTreeSet<String>| set.iter().map(|one| (one.clone(), String::new())).collect::<BTreeMap<_, _>>();
    let notes = |image: &FoundImage| {
        let others = image.annotations.iter().filter(|(name, _)| *name != BASE_NAME && *name != BASE_DIGEST);
        others.map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    changed.extend(changes("env ", &env(&one.env), &env(&two.env)));
    changed.extend(changes("port ", &set(&one.ports), &set(&two.ports)));
    changed.extend(changes("volume ", &set(&one.volumes), &set(&two.volumes)));
    changed.extend(changes("label ", &one.labels, &two.labels));
    if has_manifests {
        changed.extend(changes("annotation ", &notes(a), &notes(b)));
    }
    changed
}

/// Each entry that differs, by name.
pub(super) fn changes(prefix: &str, a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<Changed> {
    let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let change = |name: &String| Changed::of(format!("{prefix}{name}"), a.get(name).cloned(), b.get(name).cloned());
    names.into_iter().filter_map(change).collect()
}
