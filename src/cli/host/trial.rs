//! Whether the AMIs of a host boot and are well, and the memory of that.

use super::parcel::{HostParcel, Way};
use crate::ami::verdict::Nonce;
use crate::bake::host::{self, Desk, HostError, Order, Trial, Tried};
use crate::bake::port::PortError;
use crate::cli::failure::Failure;
use crate::cli::planner::Planner;
use crate::digest::Digest;
use crate::moment::Moment;
use crate::recipe::Architecture;
use crate::record::RecordedBoot;
use crate::store::{Store, StoreError};

/// An AMI that is to be tried; the base as it is where none is named.
pub(in crate::cli) type Subject = (Architecture, Option<String>);

/// Boots hosts in the recipe's region, side by side. What is well is noted in the store.
pub(in crate::cli) fn boot(
    planner: &Planner<'_>,
    parcel: &HostParcel,
    order: &Order<'_>,
    subjects: &[Subject],
    (desk, now): (Desk<'_>, Moment),
) -> Result<Vec<(Tried, Option<RecordedBoot>)>, Failure> {
    let way = if subjects.iter().any(|(_, image)| image.is_none()) { Way::Stock } else { Way::Test };
    let data = parcel.user_data(planner, way)?;
    let nonces: Vec<_> = subjects.iter().map(|(architecture, _)| Nonce::of(&order.plan.key(), *architecture)).collect();
    let trials: Vec<_> = subjects
        .iter()
        .zip(&nonces)
        .map(|((architecture, image), nonce)| Trial {
            architecture: *architecture,
            image: image.as_deref(),
            user_data: data.get(architecture).map_or(&[], Vec::as_slice),
            nonce,
        })
        .collect();
    let tried = host::boot_test(order, &trials, desk);
    let is_stopped = |one: &Tried| one.error.as_ref().is_some_and(HostError::is_interrupt);
    if tried.iter().any(is_stopped) {
        return Err(PortError::Interrupted.into());
    }
    let store = planner.world.open()?.store();
    let noted = tried.into_iter().map(|tried| {
        let boot = well(&tried, order, now);
        if way == Way::Test {
            note(&tried.image, boot.as_ref(), store)?;
        }
        Ok((tried, boot))
    });
    noted.collect()
}

fn well(tried: &Tried, order: &Order<'_>, now: Moment) -> Option<RecordedBoot> {
    tried.error.is_none().then(|| RecordedBoot {
        id: tried.image.clone(),
        region: order.home().clone(),
        architecture: tried.architecture,
        at: now.to_string(),
        ms: tried.ms,
        notes: tried.notes.clone(),
    })
}

/// What was found of an AMI here, where it was well.
pub(in crate::cli) fn passed(image: &str, store: &Store) -> Result<Option<RecordedBoot>, StoreError> {
    store.result(&key(image))
}

fn note(image: &str, boot: Option<&RecordedBoot>, store: &Store) -> Result<(), StoreError> {
    match boot {
        Some(boot) => store.keep_lightly(&key(image), boot, &[]),
        None => store.forget(&key(image)),
    }
}

fn key(image: &str) -> Digest {
    Digest::of(format!("boot test of {image}").as_bytes())
}
