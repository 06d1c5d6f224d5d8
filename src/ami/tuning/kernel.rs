//! Kernel settings.

use super::draft::{Draft, TuningError};
use crate::recipe::AmiRecipe;

const SYSCTL: &str = "/etc/sysctl.d/90-elkbake.conf";

pub(super) fn write(draft: &mut Draft, ami: &AmiRecipe) -> Result<(), TuningError> {
    if ami.sysctl.is_empty() {
        return Ok(());
    }
    let line = |(key, value): (&String, &serde_json::Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{key} = {value}\n")
    };
    draft.text(SYSCTL, ami.sysctl.iter().map(line).collect::<String>())
}
