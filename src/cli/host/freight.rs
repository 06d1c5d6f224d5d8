//! A host for one target: looked for, made where it is not there, tested where that is asked for, and recorded.

use std::sync::Arc;

use super::account::identify;
use super::parcel::{HostParcel, Way};
use super::row::{Ami, HostRow, would};
use crate::bake::event::Event;
use crate::bake::host::{self, Baked, Desk, Failed, HostError, Order, Pace, Sights};
use crate::bake::ledger::Ledger;
use crate::bake::recorded::{Occasion, recorded_host, unfinished_host};
use crate::cli::check;
use crate::cli::courier::{Courier, Written};
use crate::cli::failure::Failure;
use crate::cli::route::Route;
use crate::project;
use crate::record::RecordedBoot;

/// A host for a target.
pub(in crate::cli) struct Freight<'f> {
    parcel: Arc<HostParcel>,
    route: &'f Route<'f>,
    account: &'f project::Ec2,
    /// Whether only what boots is recorded, and pointed to.
    require_test: bool,
}

impl<'f> Freight<'f> {
    /// A host for a target; `None` where that has no place for it.
    pub(in crate::cli) fn new(parcel: &Arc<HostParcel>, route: &'f Route<'f>, require_test: bool) -> Option<Self> {
        let account = route.target.ec2.as_ref()?;
        Some(Self { parcel: Arc::clone(parcel), route, account, require_test })
    }

    /// Makes what is missing, and records it when all regions have it.
    pub(in crate::cli) fn deliver(&self, courier: &Courier<'_>) -> Result<HostRow, Failure> {
        let (planner, parcel) = (courier.planner, &self.parcel);
        check::refuse_errors(planner.workspace, &parcel.planned().loaded)?;
        let tell = |event: Event<'_>| planner.ui.event(event);
        let opened = planner.world.open()?;
        let desk = Desk { ec2: opened.wire(), pace: Pace::default(), interrupt: &planner.world.interrupt, tell: &tell };
        identify(opened.wire(), self.account, &parcel.recipe().region, &tell)?;
        let source = courier.source();
        let revision = source.as_ref().map(|source| source.revision.as_str());
        let order = parcel.order(parcel.recipe(), self.account, (revision, courier.now));
        let sights = host::find(&order, desk)?;
        if courier.dry_run {
            return Ok(self.row(&order, would(&sights, order.home()), Vec::new()));
        }
        let baked = self.bake(courier, &order, &sights, desk)?;
        self.record(courier, &order, baked)
    }

    fn bake(
        &self,
        courier: &Courier<'_>,
        order: &Order<'_>,
        sights: &Sights,
        desk: Desk<'_>,
    ) -> Result<Baked, Failure> {
        let is_needed = order.recipe.architectures.iter().any(|&one| sights.needs_instance(order.home(), one));
        let data = if is_needed { self.parcel.user_data(courier.planner, Way::Bake)? } else { host::UserData::new() };
        Ok(host::bake(order, sights, &data, desk))
    }

    fn record(&self, courier: &Courier<'_>, order: &Order<'_>, baked: Baked) -> Result<HostRow, Failure> {
        let occasion =
            Occasion { source: courier.source(), elkbake: env!("CARGO_PKG_VERSION"), pushed_at: courier.now };
        let world = courier.planner.world;
        let path = courier.planner.workspace.root.join(self.route.target.manifest());
        let (ledger, target, recipe) = (Ledger::new(&world.interrupt), &self.route.name, &self.parcel.name);
        let boots: Vec<RecordedBoot> = Vec::new();
        let mut written = None;
        if baked.failed.is_empty() {
            let record = recorded_host(order, &baked.made, boots.clone(), &occasion);
            let is_new = ledger.update(&path, target, |manifest| manifest.publish(recipe, &record))?;
            written = Some(Written { record, is_new });
        } else if let Some(unfinished) = unfinished_host(order, &baked, &occasion) {
            // Also of who stopped: what was finished by then is there.
            ledger.update(&path, target, |manifest| manifest.put_unfinished(recipe, &unfinished))?;
        }
        let Baked { made, failed } = baked;
        let failures = failed.into_iter().map(|failed| failure(failed, recipe)).collect();
        let row = self.row(order, made.into_iter().map(Ami::There).collect(), boots);
        Ok(HostRow { written, failures, ..row })
    }

    fn row(&self, order: &Order<'_>, amis: Vec<Ami>, boots: Vec<RecordedBoot>) -> HostRow {
        HostRow {
            name: self.parcel.name.clone(),
            target: self.route.name.clone(),
            tag: order.plan.tag().clone(),
            key: order.plan.key(),
            amis,
            boots,
            written: None,
            failures: Vec::new(),
        }
    }
}

fn failure(failed: Failed, recipe: &crate::name::RecipeName) -> Failure {
    let Failed { region, architecture, error } = failed;
    if error.is_interrupt() {
        return HostError::Port(crate::bake::port::PortError::Interrupted).into();
    }
    Failure::from(error).about(&format!("{recipe} on {architecture} for {region}")).with(recipe)
}
