//! An image brought to another region.

use super::clear::{self, Scope};
use super::desk::Desk;
use super::fault::HostError;
use super::guard::Guard;
use super::image::{self, Came};
use super::made::Sight;
use crate::bake::event::Event;
use crate::bake::port::{CopyOrder, Machine};
use crate::recipe::Region;

/// A token answers with what came of it once; where that was taken away, another one is taken.
const TRIES: u32 = 5;

/// Brings an image to a region, or goes on with what there is of it. The guard has it until it is finished.
pub(super) fn bring(
    scope: &Scope<'_>,
    sight: &Sight,
    from: (&Region, &Machine),
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Machine, HostError> {
    if let Some(machine) = &sight.machine {
        guard.holds(&machine.id);
        (desk.tell)(Event::Note(&format!("{} in {} is there: going on with it", machine.id, scope.region)));
        if let Came::Available(machine) = image::wait(scope, &machine.id, desk)? {
            return Ok(*machine);
        }
        guard.let_go();
    }
    sight.check()?;
    clear::failed(scope, &sight.failed, desk);
    for attempt in 0..TRIES {
        desk.check()?;
        let wanted = order(scope, from, attempt);
        let made = guard.begin(|| desk.ec2.copy_image(&scope.site(), &wanted, desk.tell))?;
        let id = image::named(scope, made, guard, desk)?;
        if let Came::Available(machine) = image::wait(scope, &id, desk)? {
            return Ok(*machine);
        }
        guard.let_go();
    }
    let message = format!("EC2 has made {TRIES} copies, and shows none of them");
    Err(HostError::Misfit { subject: scope.region.to_string(), message })
}

/// The token says all that the order says: one that failed for a wrong key is another one with the right key.
fn order(scope: &Scope<'_>, from: (&Region, &Machine), attempt: u32) -> CopyOrder {
    let wanted = without_token(scope, from);
    let token = scope.order.token("copy", scope.architecture, scope.region, &format!("{wanted:?} {attempt}"));
    CopyOrder { token, ..wanted }
}

fn without_token(scope: &Scope<'_>, (region, machine): (&Region, &Machine)) -> CopyOrder {
    let order = scope.order;
    CopyOrder {
        from: region.clone(),
        image: machine.id.clone(),
        name: order.image_name(scope.architecture),
        description: order.description(),
        encrypted: order.encrypted(),
        kms_key: order.kms_key(scope.region).filter(|_| order.encrypted()),
        tags: order.tags(scope.architecture, scope.region),
        token: String::new(),
    }
}
