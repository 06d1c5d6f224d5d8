//! `elkbake test` of hosts: an instance is started from the AMI, or from the base as it is, and says how it is.

use serde_json::{Value, json};

use crate::bake::event::Event;
use crate::bake::host::{self, Desk, Order, Pace, Tried};
use crate::cli::check;
use crate::cli::failure::Failure;
use crate::cli::host::{HostParcel, boot, identify};
use crate::cli::plain::plain;
use crate::cli::planner::Planner;
use crate::cli::route::{Route, route};
use crate::cli::ui::{Paint, Ui};
use crate::moment::Moment;
use crate::name::{RecipeName, Tag};
use crate::project;
use crate::recipe::Region;

/// A host that was tested.
pub(super) struct HostRow {
    pub(super) name: RecipeName,
    pub(super) tag: Tag,
    pub(super) region: Region,
    pub(super) stock: bool,
    pub(super) tried: Tried,
}

/// Tests a host on each of its processors, or on those that were named.
pub(super) fn test(
    planner: &Planner<'_>,
    name: &RecipeName,
    (target, stock): (Option<&str>, bool),
    now: Moment,
) -> Result<Vec<HostRow>, Failure> {
    let route = route(planner.workspace, target)?;
    let account = account(&route, name)?;
    let parcel = HostParcel::plan(planner, name)?;
    if stock {
        check::refuse_errors(planner.workspace, &parcel.planned().loaded)?;
    }
    let tell = |event: Event<'_>| planner.ui.event(event);
    let ec2 = planner.world.open()?.wire();
    let desk = Desk { ec2, pace: Pace::default(), interrupt: &planner.world.interrupt, tell: &tell };
    identify(ec2, account, &parcel.recipe().region, &tell)?;
    let order = parcel.order(parcel.recipe(), account, (None, now));
    let subjects = if stock { bases(&order) } else { made(&order, &route, desk)? };
    let row = |tried| HostRow {
        name: name.clone(),
        tag: order.plan.tag().clone(),
        region: order.home().clone(),
        stock,
        tried,
    };
    let tried = boot(planner, &parcel, &order, &subjects, (desk, now))?;
    Ok(tried.into_iter().map(|(tried, _)| row(tried)).collect())
}

fn account<'r>(route: &'r Route<'_>, name: &RecipeName) -> Result<&'r project::Ec2, Failure> {
    let target = &route.name;
    route.target.ec2.as_ref().ok_or_else(|| {
        let failure = Failure::input(format!("{name} is a host's, and the target {target} has no place for hosts"));
        failure.hint(format!("say `[target.{target}.ec2]` in elkbake.toml, or name another --target"))
    })
}

type Subjects = Vec<(crate::recipe::Architecture, Option<String>)>;

fn bases(order: &Order<'_>) -> Subjects {
    order.recipe.architectures.iter().map(|architecture| (*architecture, None)).collect()
}

/// The AMIs of the recipe as it is now, in its region.
fn made(order: &Order<'_>, route: &Route<'_>, desk: Desk<'_>) -> Result<Subjects, Failure> {
    let sights = host::find(order, desk)?;
    let there = |architecture: &crate::recipe::Architecture| {
        let sight = sights.at(order.home(), *architecture).filter(|sight| sight.finished);
        let machine = sight.and_then(|sight| sight.machine.as_ref());
        machine.map(|machine| (*architecture, Some(machine.id.clone()))).ok_or_else(|| {
            let (name, tag, home) = (order.name, order.plan.tag(), order.home());
            let failure = Failure::input(format!("there is no AMI of {name} {tag} on {architecture} in {home}"));
            let target = &route.name;
            failure.hint(format!(
                "`elkbake push {name} --target {target} --require-test` makes and tests it; `--stock` tests the base as it is with the recipe's user data"
            ))
        })
    };
    order.recipe.architectures.iter().map(there).collect()
}

impl HostRow {
    /// Why it failed.
    pub(super) fn failure(&self) -> Option<String> {
        self.tried.error.as_ref().map(ToString::to_string)
    }

    /// The processor, and what was started.
    pub(super) fn subject(&self) -> String {
        let what = if self.stock { "base " } else { "" };
        format!("{} {what}{}", self.tried.architecture, self.tried.image)
    }

    pub(super) fn text(&self, ui: &Ui) -> String {
        let failure = self.failure();
        let word = match failure {
            Some(_) => ui.paint(Paint::Red, "failed"),
            None => ui.paint(Paint::Green, "passed"),
        };
        let (name, took) = (ui.paint(Paint::Bold, self.name.as_str()), super::row::seconds(self.tried.ms));
        let (tag, region, kind) = (&self.tag, &self.region, &self.tried.instance_type);
        let mut text = format!("{name} {tag} {} {word} ({took:.1} s, {kind} in {region})\n", self.subject());
        text.extend(self.tried.notes.iter().map(|note| format!("  {}\n", plain(note))));
        if let Some(why) = failure {
            text += &format!("  failed  {}\n", plain(&why.replace('\n', "\n  ")));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let Tried { architecture, image, instance_type, notes, ms, console, .. } = &self.tried;
        json!({
            "recipe": self.name, "tag": self.tag, "region": self.region, "architecture": architecture, "image": image,
            "stock": self.stock, "instance_type": instance_type, "passed": self.tried.error.is_none(),
            "failure": self.failure(), "notes": notes, "console": console, "ms": ms,
        })
    }
}
