//! An image on its way: its name, and the wait until it is there.

use super::clear::Scope;
use super::desk::{Desk, Looks};
use super::fault::HostError;
use super::guard::Guard;
use crate::bake::event::Event;
use crate::bake::port::{Ask, ImageMade, Machine};

/// EC2 may not show what it has just made; what it does not show for longer is not there.
const UNSEEN: u32 = 1;

/// What came of waiting for an image.
pub(super) enum Came {
    /// It is there.
    Available(Machine),
    /// There is no such image any more: a token can be older than what came of it.
    Gone,
}

/// Waits until an image is there: half an hour is nothing unusual, so only EC2 ends it, or the person.
pub(super) fn wait(scope: &Scope<'_>, id: &str, desk: Desk<'_>) -> Result<Came, HostError> {
    let ask = Ask { ids: [id.to_owned()].into(), ..Ask::default() };
    let mut looks = Looks::new(desk);
    let mut unseen = Looks::new(desk);
    loop {
        desk.check()?;
        let found = desk.ec2.images(&scope.site(), &ask, desk.tell)?.into_iter().next();
        if found.is_some() {
            unseen = Looks::new(desk);
        }
        match found {
            // EC2 may tell the state before the disks.
            Some(machine) if machine.state == "available" && machine.snapshots.contains_key(&machine.root_device) => {
                return Ok(Came::Available(machine));
            }
            Some(machine) if matches!(machine.state.as_str(), "available" | "pending") => {}
            Some(Machine { id: image, state, reason, .. }) => {
                return Err(HostError::Image { image, region: scope.region.clone(), state, reason });
            }
            None if unseen.past(UNSEEN) => return Ok(Came::Gone),
            None => {}
        }
        if let Some(minutes) = looks.minute() {
            (desk.tell)(Event::Note(&format!("{id} in {} is pending for {minutes} min", scope.region)));
        }
        looks.wait()?;
    }
}

/// The id of an image that was asked for. Where the name is taken, that is by ourselves, an earlier or another run: or
/// by somebody else, which is an error.
pub(super) fn named(
    scope: &Scope<'_>,
    made: ImageMade,
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<String, HostError> {
    let id = match made {
        ImageMade::Image(id) => id,
        ImageMade::NameTaken => {
            let machine = holder(scope, desk)?;
            (desk.tell)(Event::Note(&format!("{} in {} is there: going on with it", machine.id, scope.region)));
            machine.id
        }
    };
    guard.holds(&id);
    Ok(id)
}

/// Who has the image's name. EC2 may not show it yet.
fn holder(scope: &Scope<'_>, desk: Desk<'_>) -> Result<Machine, HostError> {
    let name = scope.order.image_name(scope.architecture);
    let ask = Ask { name: Some(name.clone()), ..Ask::default() };
    let mut looks = Looks::new(desk);
    loop {
        let found = desk.ec2.images(&scope.site(), &ask, desk.tell)?.into_iter().next();
        match found {
            Some(machine) if scope.mark().iter().all(|(tag, value)| machine.tags.get(tag) == Some(value)) => {
                return Ok(machine);
            }
            Some(Machine { id, .. }) => {
                return Err(HostError::NameTaken { name, region: scope.region.clone(), id });
            }
            None if looks.past(UNSEEN) => {
                let message = format!("EC2 says that the name {name} is taken, and shows no image that has it");
                return Err(HostError::Misfit { subject: scope.region.to_string(), message });
            }
            None => looks.wait()?,
        }
    }
}
