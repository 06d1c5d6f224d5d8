//! The Docker daemon's settings.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::draft::{Draft, TuningError};
use crate::ami::docker::{flags_of, key_names, keys_of};
use crate::local::Local;
use crate::recipe::AmiRecipe;

const DAEMON: &str = "/etc/docker/daemon.json";

/// The keys of the recipe's own `daemon.json`, where it has one.
pub(super) fn own_keys(local: &Local, project: &Path) -> Result<Vec<String>, TuningError> {
    Ok(local.text(project, &DAEMON.parse()?)?.map(|text| keys_of(&text)).unwrap_or_default())
}

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe, own_keys: &[String]) -> Result<(), TuningError> {
    let (mut keys, mut flags) = (own_keys.iter().cloned().collect::<BTreeSet<_>>(), &[][..]);
    if let Some(docker) = &ami.docker {
        if !docker.daemon.is_empty() {
            let daemon = serde_json::Value::from_iter(docker.daemon.clone());
            draft.text(DAEMON, format!("{daemon:#}\n"))?;
        }
        keys.extend(docker.daemon.keys().cloned());
        keys.extend(docker.flags.iter().flat_map(|flag| key_names(flag)));
        flags = &docker.flags;
    }
    if keys.is_empty() {
        return Ok(());
    }
    // The base's own flags for the same settings have to go, under whatever name they have.
    let mut text = String::from("# Flags of the Docker daemon: those of the base that go, and the recipe's.\n");
    for name in keys.iter().flat_map(|key| flags_of(key)) {
        let _ = writeln!(text, "drop {name}");
    }
    for flag in flags {
        let _ = writeln!(text, "flag {flag}");
    }
    draft.text("/etc/elkbake/docker-flags", text)
}
