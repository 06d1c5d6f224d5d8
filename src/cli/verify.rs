//! `elkbake verify`.

mod asked;
mod hosts;
mod noted;
mod rebuild;
mod standing;

use super::failure::{Exit, Failure};
use super::global::Global;
use super::surroundings::Surroundings;
use super::ui::Ui;

pub(super) use asked::VerifyArgs;

pub(super) fn verify(
    args: &VerifyArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    let act = if args.rebuild { rebuild::rebuild } else { standing::standing };
    act(args, global, ui, surroundings)
}
