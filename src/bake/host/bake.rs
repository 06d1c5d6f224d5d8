//! All regions and processors of an order, side by side.

use super::clear::Scope;
use super::compare::compare;
use super::converge;
use super::copy;
use super::desk::Desk;
use super::fault::HostError;
use super::fit;
use super::guard::{Guard, Kind};
use super::home;
use super::made::{Baked, Failed, Made, Sight, Sights};
use super::order::{Order, UserData};
use crate::bake::event::Event;
use crate::bake::port::Machine;
use crate::parallel;
use crate::recipe::{Architecture, Region};

/// Makes what is missing of an order in all its regions, and makes to hold what it says of what was there.
///
/// A region or processor that fails keeps no other from being finished. What was begun for it is taken down; but an
/// image that is there stays where only something about it could not be changed, and the next run goes on with it.
#[must_use]
pub fn bake(order: &Order<'_>, sights: &Sights, user_data: &UserData, desk: Desk<'_>) -> Baked {
    let architectures: Vec<_> = order.recipe.architectures.iter().copied().collect();
    let done = parallel::bounded(&architectures, architectures.len(), |&architecture| {
        of_one(order, architecture, (sights, user_data), desk)
    });
    let mut baked = Baked::default();
    for (region, architecture, result) in done.into_iter().flatten() {
        match result {
            Ok(made) => baked.made.push(made),
            Err(error) => baked.failed.push(Failed { region, architecture, error }),
        }
    }
    baked
}

type Done = (Region, Architecture, Result<Made, HostError>);

/// All regions for one processor.
fn of_one(
    order: &Order<'_>,
    architecture: Architecture,
    (sights, user_data): (&Sights, &UserData),
    desk: Desk<'_>,
) -> Vec<Done> {
    let at = |region| Scope { order, region, architecture };
    let scope = at(order.home());
    let guard = Guard::new(&scope, Kind::Images, desk);
    let fits = if sights.is_finished() { Ok(()) } else { fit::check_share(order) };
    let home = fits.and_then(|()| at_home(&scope, (sights, user_data), &guard, desk));
    let (source, fault) = match home {
        Ok(machine) => (Some(machine), None),
        Err(error) => (None, Some(error)),
    };
    let regions = order.regions();
    let done = parallel::bounded(&regions, regions.len(), |region| {
        let sight = sight(sights, region, architecture);
        if *region == order.home() {
            let machine = source.as_ref()?;
            return Some(complete(&scope, &sight, machine, &guard, desk));
        }
        let scope = at(region);
        let guard = Guard::new(&scope, Kind::Images, desk);
        let machine = match (&sight.machine, &source) {
            (Some(machine), _) if sight.finished => Ok(machine.clone()),
            (_, Some(source)) => copy::bring(&scope, &sight, (order.home(), source), &guard, desk)
                .inspect(|machine| compare(region, source, machine, desk)),
            (_, None) => Err(HostError::NoHome(order.home().clone())),
        };
        Some(machine.and_then(|machine| complete(&scope, &sight, &machine, &guard, desk)))
    });
    let mut fault = fault;
    let done = regions.into_iter().zip(done).filter_map(|(region, result)| {
        let result = result.or_else(|| fault.take().map(Err))?;
        Some((region.clone(), architecture, result))
    });
    done.collect()
}

fn sight(sights: &Sights, region: &Region, architecture: Architecture) -> Sight {
    let none = || Sight {
        region: region.clone(),
        architecture,
        machine: None,
        finished: false,
        disabled: None,
        failed: Vec::new(),
    };
    sights.at(region, architecture).cloned().unwrap_or_else(none)
}

/// The image in the home region, made where it is not there.
fn at_home(
    scope: &Scope<'_>,
    (sights, user_data): (&Sights, &UserData),
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Machine, HostError> {
    let sight = sight(sights, scope.region, scope.architecture);
    match &sight.machine {
        Some(machine) if sight.finished => return Ok(machine.clone()),
        Some(_) => return home::make(scope, &sight, user_data, guard, desk),
        None => {}
    }
    let elsewhere = sights.all().iter().find(|other| other.finished && other.architecture == scope.architecture);
    if let Some(from) = elsewhere {
        let text = format!("{} has no image any more: it is brought from {}", scope.region, from.region);
        (desk.tell)(Event::Note(&text));
        return home::bring_back(scope, (&sight, from), guard, desk);
    }
    home::make(scope, &sight, user_data, guard, desk)
}

/// Makes an image all that it has to be, says so on it, and then lets others point to it.
fn complete(
    scope: &Scope<'_>,
    sight: &Sight,
    machine: &Machine,
    guard: &Guard<'_>,
    desk: Desk<'_>,
) -> Result<Made, HostError> {
    let Scope { order, region, architecture } = *scope;
    let unfinished = |error: HostError| match error {
        error if error.is_interrupt() => error,
        error => {
            let source = Box::new(error);
            HostError::Unfinished { image: machine.id.clone(), region: region.clone(), source }
        }
    };
    let completed = desk.check().map_err(HostError::from).and_then(|()| {
        let changed = converge::converge(order, (region, architecture), machine, desk)?;
        if !sight.finished {
            converge::finish(order, region, machine, desk)?;
        }
        Ok(changed)
    });
    // It took minutes to make, and there is nothing wrong with it: only who wants to stop gives it up, and only as long
    // as nothing can point to it.
    if !completed.as_ref().is_err_and(HostError::is_interrupt) {
        guard.let_go();
    }
    let mut changed = completed.map_err(unfinished)?;
    converge::point(order, (region, architecture), machine, &mut changed, desk).map_err(unfinished)?;
    let kms_key = converge::kms_key(order, region, machine, desk).map_err(unfinished)?;
    Ok(Made {
        region: region.clone(),
        architecture,
        id: machine.id.clone(),
        name: machine.name.clone(),
        root_device: machine.root_device.clone(),
        snapshots: machine.snapshots.clone(),
        kms_key,
        was_there: sight.finished,
        changed,
    })
}
