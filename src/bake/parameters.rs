//! References as SSM parameters, for tools that cannot read a file.

use std::collections::BTreeMap;

use crate::bake::event::Listener;
use crate::bake::port::{EcrControl, PortError};
use crate::name::{RecipeName, Reference};
use crate::parallel;
use crate::recipe::Region;

/// Where a recipe's reference is: `/elkbake/prod/kibana/image`.
#[must_use]
pub fn name(target: &str, recipe: &RecipeName) -> String {
    format!("/elkbake/{target}/{recipe}/image")
}

/// Puts each region's reference, which is by digest, into that region. Done when the record is proven, so that nobody
/// reads of what is not everywhere.
///
/// # Errors
/// The first error, when all regions were tried.
pub fn put(
    port: &dyn EcrControl,
    target: &str,
    recipe: &RecipeName,
    references: &BTreeMap<Region, Reference>,
    tell: Listener<'_>,
) -> Result<(), PortError> {
    let name = name(target, recipe);
    let references: Vec<&Reference> = references.values().collect();
    let put = parallel::bounded(&references, references.len(), |reference| {
        port.put_parameter(&reference.registry, &name, &reference.to_string(), tell)
    });
    put.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_by_target_and_recipe() {
        assert_eq!(name("prod", &"kibana".parse().unwrap()), "/elkbake/prod/kibana/image");
    }
}
