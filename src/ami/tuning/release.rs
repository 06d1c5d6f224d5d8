//! What a host is called, for whoever looks at one.

use super::draft::{Draft, TuningError};
use crate::digest::Digest;
use crate::name::{RecipeName, Tag};
use crate::recipe::Version;

/// Which recipe's host it is, as of which inputs.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'i> {
    /// The recipe.
    pub recipe: &'i RecipeName,
    /// Its version.
    pub version: &'i Version,
    /// What its plan is called.
    pub tag: &'i Tag,
    /// What its plan was made of.
    pub key: Digest,
}

pub(super) const PATH: &str = "/etc/elkbake/release";

pub(super) fn write(draft: &mut Draft, identity: &Identity<'_>) -> Result<(), TuningError> {
    let Identity { recipe, version, tag, key } = identity;
    draft.text("/etc/elkbake/release", format!("RECIPE={recipe}\nVERSION={version}\nTAG={tag}\nKEY={}\n", key.hex()))
}
