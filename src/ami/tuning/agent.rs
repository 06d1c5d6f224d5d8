//! The ECS agent's settings.

use super::draft::{Draft, TuningError};
use crate::recipe::AmiRecipe;

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    if ami.ecs.is_empty() {
        return Ok(());
    }
    // The agent's starter takes what stands behind the `=` as it is, quotes included, so there are none.
    let lines = ami.ecs.iter().map(|(key, value)| format!("{key}={value}\n"));
    draft.text("/etc/elkbake/ecs.config", lines.collect::<String>())
}
