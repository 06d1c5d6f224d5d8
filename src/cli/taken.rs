//! A tag that is another image's: what differs, beside the two digests.

use super::diff;
use super::failure::Failure;
use super::planner::Planner;
use super::subject::Opener;
use crate::bake::event::Event;
use crate::bake::push::PushError;
use crate::name::RecipeName;

/// Puts the error of a push into words; `ours` is what was to be pushed, as `elkbake diff` takes it, and `remedy` what
/// becomes of it.
pub(super) fn explained(
    error: PushError,
    planner: &Planner<'_>,
    name: &RecipeName,
    ours: &str,
    remedy: &str,
) -> Failure {
    let PushError::Taken { at, .. } = &error else { return error.into() };
    let tell = |event: Event<'_>| planner.ui.event(event);
    let opener = Opener { planner, folder: &planner.workspace.root, tell: &tell };
    // Where the other image cannot be read, its digest has to do.
    let lines = diff::in_short(opener, at, ours).unwrap_or_default();
    let hint = format!("`elkbake diff {at} {ours}` shows all of it; {remedy}");
    Failure::from(error).hint(hint).and_lines(&lines).with(name)
}
