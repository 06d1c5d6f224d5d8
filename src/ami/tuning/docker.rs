//! The Docker daemon's settings.

use super::draft::{Draft, TuningError};
use crate::recipe::AmiRecipe;

const DAEMON: &str = "/etc/docker/daemon.json";

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    let Some(docker) = &ami.docker else { return Ok(()) };
    if !docker.daemon.is_empty() {
        let daemon = serde_json::Value::from_iter(docker.daemon.clone());
        draft.text(DAEMON, format!("{daemon:#}\n"))?;
    }
    Ok(())
}
