//! What is there of an order, by the tags of the images.

use super::desk::Desk;
use super::fault::HostError;
use super::made::{Sight, Sights};
use super::order::Order;
use super::words;
use crate::bake::port::{Ask, Machine};
use crate::parallel;
use crate::recipe::{Architecture, Region};

/// Looks what is there of an order in all its regions, with one question to each of them. Nothing is changed.
///
/// # Errors
/// When a region does not answer, or does not let us.
pub fn find(order: &Order<'_>, desk: Desk<'_>) -> Result<Sights, HostError> {
    let regions = order.regions();
    let found = parallel::bounded(&regions, regions.len(), |region| in_region(order, region, desk));
    Ok(Sights(found.into_iter().collect::<Result<Vec<_>, _>>()?.concat()))
}

fn in_region(order: &Order<'_>, region: &Region, desk: Desk<'_>) -> Result<Vec<Sight>, HostError> {
    let ask = Ask { tags: order.mark(None), ..Ask::default() };
    let all = desk.ec2.images(&order.site(region), &ask, desk.tell)?;
    Ok(order.recipe.architectures.iter().map(|&architecture| sight(&all, region, architecture)).collect())
}

/// The images of one processor among all of a key in a region.
fn sight(all: &[Machine], region: &Region, architecture: Architecture) -> Sight {
    let word = architecture.to_string();
    let of_it = all.iter().filter(|machine| machine.tags.get(words::ARCHITECTURE) == Some(&word));
    let (going, rest): (Vec<_>, Vec<_>) = of_it.cloned().partition(|machine| progress(machine).is_some());
    let (mut disabled, mut failed) = (None, Vec::new());
    for machine in rest {
        match machine.state.as_str() {
            DISABLED => disabled = Some(machine),
            "failed" | "error" | "invalid" => failed.push(machine),
            _ => {}
        }
    }
    let mut going = going;
    // Of several, all runs take the same one.
    going.sort_by_key(|machine| (progress(machine), machine.created.clone(), machine.id.clone()));
    let machine = going.into_iter().next();
    let finished = machine.as_ref().is_some_and(is_finished);
    Sight { region: region.clone(), architecture, machine, finished, disabled, failed }
}

/// The state of an image that somebody has disabled: it is there, and nothing can be started from it.
const DISABLED: &str = "disabled";

/// Whether an image is somebody's wish as it is: nobody takes it away but who has it so.
pub(super) fn is_kept(machine: &Machine) -> bool {
    is_finished(machine) || machine.state == DISABLED
}

/// How far an image has got, the furthest first; none where it got nowhere.
fn progress(machine: &Machine) -> Option<u8> {
    match machine.state.as_str() {
        "available" => Some(u8::from(!machine.tags.contains_key(words::FINISHED))),
        "pending" => Some(2),
        _ => None,
    }
}

/// Whether an image is all that it has to be.
pub(super) fn is_finished(machine: &Machine) -> bool {
    progress(machine) == Some(0)
}

/// What is there of an order for one processor in one region.
pub(super) fn look(
    order: &Order<'_>,
    (region, architecture): (&Region, Architecture),
    desk: Desk<'_>,
) -> Result<Sight, HostError> {
    let ask = Ask { tags: order.mark(Some(architecture)), ..Ask::default() };
    let all = desk.ec2.images(&order.site(region), &ask, desk.tell)?;
    Ok(sight(&all, region, architecture))
}
