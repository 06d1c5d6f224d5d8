//! The ECS agent's settings, and what holds them against user data that writes over them.

use super::draft::{Draft, TuningError};
use crate::recipe::AmiRecipe;

const UNIT: &str = include_str!("../host/elkbake-apply.service");
const UNIT_NAME: &str = "elkbake-apply.service";

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    if ami.ecs.is_empty() {
        return Ok(());
    }
    // The agent's starter takes what stands behind the `=` as it is, quotes included, so there are none.
    let lines = ami.ecs.iter().map(|(key, value)| format!("{key}={value}\n"));
    draft.text("/etc/elkbake/ecs.config", lines.collect::<String>())?;
    draft.text(&format!("/etc/systemd/system/{UNIT_NAME}"), UNIT)?;
    // By the agent and by nothing else: the agent's unit waits for cloud-init, which may wait for all others.
    draft.wanted(UNIT_NAME, &["ecs.service"], "wants")
}
