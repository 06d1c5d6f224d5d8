//! The image in the region in which it is made.

use super::builder::{self, Built};
use super::clear::{self, Scope};
use super::compare::compare;
use super::copy;
use super::desk::Desk;
use super::disks;
use super::fault::HostError;
use super::fit;
use super::guard::{Guard, Kind};
use super::image::{self, Came};
use super::made::Sight;
use super::order::UserData;
use crate::bake::event::Event;
use crate::bake::port::{Ask, ImageOrder, Machine};

/// Has the image made, or goes on with what there is of it. The guard has it until it is finished.
///
/// # Errors
/// When it cannot be made. Instances are ended in any case.
pub(super) fn make(
    scope: &Scope<'_>,
    sight: &Sight,
    user_data: &UserData,
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Machine, HostError> {
    let instances = Guard::new(scope, Kind::Instances(scope.builders()), desk);
    if let Some(machine) = &sight.machine {
        guard.holds(&machine.id);
        hold_left(scope, &instances, desk)?;
        (desk.tell)(Event::Note(&format!("{} in {} is there: going on with it", machine.id, scope.region)));
        return came(scope, image::wait(scope, &machine.id, desk)?, &machine.id);
    }
    sight.check()?;
    clear::failed(scope, &sight.failed, desk);
    let (id, base) = match builder::build(scope, user_data, &instances, desk)? {
        Built::Image(machine) => (machine.id, None),
        Built::Stopped(instance, base) => (of_instance(scope, &instance, guard, desk)?, base),
    };
    guard.holds(&id);
    let machine = came(scope, image::wait(scope, &id, desk)?, &id)?;
    if let Some(base) = base {
        compare(scope.region, &base, &machine, desk);
    }
    Ok(machine)
}

/// Makes an image of an instance that has stopped.
fn of_instance(scope: &Scope<'_>, instance: &str, guard: &Guard<'_>, desk: Desk<'_>) -> Result<String, HostError> {
    let Scope { order, region, architecture } = *scope;
    let base = fit::locked(order, architecture)?;
    let wanted = ImageOrder {
        instance: instance.to_owned(),
        name: order.image_name(architecture),
        description: order.description(),
        mappings: disks::of_image(order, base),
        tags: order.tags(architecture, region),
    };
    desk.check()?;
    let made = guard.begin(|| desk.ec2.make_image(&scope.site(), &wanted, desk.tell))?;
    image::named(scope, made, guard, desk)
}

/// Who has begun an image may not have come to end its instance.
fn hold_left(scope: &Scope<'_>, guard: &Guard<'_>, desk: Desk<'_>) -> Result<(), HostError> {
    let ask = Ask { tags: scope.builders(), ..Ask::default() };
    let found = desk.ec2.instances(&scope.site(), &ask, desk.tell)?;
    found.iter().filter(|instance| clear::is_alive(instance)).for_each(|instance| guard.holds(&instance.id));
    Ok(())
}

fn came(scope: &Scope<'_>, came: Came, id: &str) -> Result<Machine, HostError> {
    match came {
        Came::Available(machine) => Ok(*machine),
        Came::Gone => Err(HostError::Image {
            image: id.to_owned(),
            region: scope.region.clone(),
            state: "not there any more".to_owned(),
            reason: None,
        }),
    }
}

/// Brings the image home from a region that has it, where it was taken away at home.
pub(super) fn bring_back(
    scope: &Scope<'_>,
    (sight, from): (&Sight, &Sight),
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Machine, HostError> {
    match &from.machine {
        Some(machine) => copy::bring(scope, sight, (&from.region, machine), guard, desk),
        None => Err(HostError::NoHome(from.region.clone())),
    }
}
