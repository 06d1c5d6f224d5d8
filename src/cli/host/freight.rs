//! A host for one target: looked for, made where it is not there, tested where that is asked for, and recorded.

use std::sync::Arc;

use super::account::identify;
use super::parcel::{HostParcel, Way};
use super::row::{Ami, HostRow, would};
use super::trial;
use crate::bake::event::Event;
use crate::bake::host::{self, Baked, Desk, Failed, HostError, Order, Pace, Sights};
use crate::bake::ledger::Ledger;
use crate::bake::recorded::{Occasion, recorded_host, unfinished_host};
use crate::cli::check;
use crate::cli::courier::{Courier, Written};
use crate::cli::failure::{Exit, Failure};
use crate::cli::planner::Planner;
use crate::cli::route::Route;
use crate::project;
use crate::recipe::AmiRecipe;
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
        let recipe = untested(parcel.recipe());
        let first = if self.require_test { Order { recipe: &recipe, ..order } } else { order };
        let mut baked = self.bake(courier, &first, &sights, desk)?;
        let boots = self.boots(courier, &order, &baked, desk)?;
        if self.require_test && baked.failed.is_empty() {
            // Only now may anything point to it. It takes another look and no instance.
            baked = self.bake(courier, &order, &host::find(&order, desk)?, desk)?;
        }
        self.record(courier, &order, baked, boots)
    }

    /// What is known of the AMIs in the recipe's region by booting them. Where a test is required, those of which nothing
    /// is known are booted, and one that is not well is refused.
    fn boots(
        &self,
        courier: &Courier<'_>,
        order: &Order<'_>,
        baked: &Baked,
        desk: Desk<'_>,
    ) -> Result<Vec<RecordedBoot>, Failure> {
        let (planner, name) = (courier.planner, &self.parcel.name);
        let store = planner.world.open()?.store();
        let (mut boots, mut unknown) = (Vec::new(), Vec::new());
        for made in baked.made.iter().filter(|made| made.region == *order.home()) {
            match trial::passed(&made.id, store)?.or_else(|| self.recorded(planner, &made.id)) {
                Some(boot) => boots.push(boot),
                None => unknown.push((made.architecture, Some(made.id.clone()))),
            }
        }
        if !self.require_test || unknown.is_empty() || !baked.failed.is_empty() {
            return Ok(boots);
        }
        for (tried, boot) in trial::boot(planner, &self.parcel, order, &unknown, (desk, courier.now))? {
            match (boot, tried.error) {
                (Some(boot), _) => boots.push(boot),
                (None, error) => {
                    let why = error.map_or_else(String::new, |error| format!(": {error}"));
                    let message = format!("{} of {name} is not recorded: its test failed{why}", tried.image);
                    return Err(Failure::new(Exit::Refused, message).with(name));
                }
            }
        }
        Ok(boots)
    }

    /// What a record of the target says of an AMI's test.
    fn recorded(&self, planner: &Planner<'_>, image: &str) -> Option<RecordedBoot> {
        let manifest = planner.workspace.manifest(Some(&self.route.name)).ok()??;
        let boots = &manifest.recipes.get(&self.parcel.name)?.current.boots;
        boots.iter().find(|boot| boot.id == image).cloned()
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

    fn record(
        &self,
        courier: &Courier<'_>,
        order: &Order<'_>,
        baked: Baked,
        boots: Vec<RecordedBoot>,
    ) -> Result<HostRow, Failure> {
        let occasion =
            Occasion { source: courier.source(), elkbake: env!("CARGO_PKG_VERSION"), pushed_at: courier.now };
        let world = courier.planner.world;
        let path = courier.planner.workspace.root.join(self.route.target.manifest());
        let (ledger, target, recipe) = (Ledger::new(&world.interrupt), &self.route.name, &self.parcel.name);
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

/// A recipe without what would point to its AMIs.
fn untested(recipe: &AmiRecipe) -> AmiRecipe {
    let mut recipe = recipe.clone();
    if let Some(output) = &mut recipe.ami {
        output.ssm_parameter = None;
        output.regions.values_mut().for_each(|region| region.launch_templates.clear());
    }
    recipe
}

fn failure(failed: Failed, recipe: &crate::name::RecipeName) -> Failure {
    let Failed { region, architecture, error } = failed;
    if error.is_interrupt() {
        return HostError::Port(crate::bake::port::PortError::Interrupted).into();
    }
    Failure::from(error).about(&format!("{recipe} on {architecture} for {region}")).with(recipe)
}
