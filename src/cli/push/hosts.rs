//! Hosts to their targets.

use std::sync::Arc;

use crate::bake::port::PortError;
use crate::cli::courier::{Courier, Written};
use crate::cli::failure::{Exit, Failure};
use crate::cli::host::{Freight, HostParcel, HostRow};
use crate::cli::route::Route;
use crate::name::RecipeName;
use crate::parallel;

/// So many are made at one time: they wait, mostly.
const SIDE_BY_SIDE: usize = 8;

/// Brings hosts to all targets that have a place for them.
pub(super) fn push(
    recipes: &[RecipeName],
    routes: &[Route<'_>],
    courier: &Courier<'_>,
    require_test: bool,
    failures: &mut Vec<Failure>,
) -> Result<Vec<HostRow>, Failure> {
    let mut freights = Vec::new();
    for name in recipes {
        if routes.iter().all(|route| route.target.ec2.is_none()) {
            continue;
        }
        let parcel = HostParcel::plan(courier.planner, name);
        match parcel.and_then(|parcel| parcel.refuse_user_data().map(|()| Arc::new(parcel))) {
            Ok(parcel) => freights.extend(routes.iter().filter_map(|route| Freight::new(&parcel, route, require_test))),
            Err(failure) => failures.push(failure.with(name)),
        }
    }
    if courier.planner.world.interrupt.requested() {
        return Err(PortError::Interrupted.into());
    }
    let mut rows = Vec::new();
    for outcome in parallel::bounded(&freights, SIDE_BY_SIDE, |freight| freight.deliver(courier)) {
        match outcome {
            Ok(mut row) => {
                failures.append(&mut row.failures);
                rows.push(row);
            }
            Err(failure) => failures.push(failure),
        }
    }
    // What was taken down was told; it is one wish to stop, however many were under way.
    let stopped = failures.iter().any(|failure| failure.exit == Exit::Interrupted);
    if stopped { Err(PortError::Interrupted.into()) } else { Ok(rows) }
}

/// What is recorded of a target now.
pub(super) fn written_of<'r>(rows: &'r [HostRow], target: &str) -> Vec<(&'r RecipeName, &'r Written)> {
    let rows = rows.iter().filter(|row| row.target == target);
    rows.filter_map(|row| Some((&row.name, row.written.as_ref()?))).collect()
}
