//! `elkbake verify --rebuild --record-nondeterminism`: the records say what does not come out the same.

use crate::bake::interrupt::Interrupt;
use crate::bake::ledger::Ledger;
use crate::cli::failure::Failure;
use crate::cli::workspace::Workspace;
use crate::digest::Digest;
use crate::name::RecipeName;

/// Notes in the manifests of all targets where a result differs: it is the same image wherever it is. Tells the targets
/// that have a record of it.
pub(super) fn note(
    (recipe, key, digest): (&RecipeName, Digest, Digest),
    place: &str,
    workspace: &Workspace,
    interrupt: &Interrupt,
) -> Result<Vec<String>, Failure> {
    let named = workspace.project.target.keys().map(RecipeName::as_str);
    let mut names: Vec<_> = named.chain([workspace.project.default_target()]).collect();
    names.sort_unstable();
    names.dedup();
    let mut noted = Vec::new();
    for name in names {
        let recorded = workspace.manifest(Some(name))?;
        if recorded.is_some_and(|mut manifest| manifest.note_nondeterminism(recipe, key, digest, place)) {
            let (_, target) = workspace.target(Some(name))?;
            let file = workspace.root.join(target.manifest());
            Ledger::new(interrupt).update(&file, name, |manifest| {
                manifest.note_nondeterminism(recipe, key, digest, place);
            })?;
            noted.push(name.to_owned());
        }
    }
    Ok(noted)
}
