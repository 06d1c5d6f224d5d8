//! `elkbake verify --target` of hosts: the AMIs that are recorded, held against what is in their regions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::bake::event::Event;
use crate::bake::host::{HostFlaw, standing};
use crate::bake::port::Ec2Site;
use crate::cli::failure::Failure;
use crate::cli::host::identify;
use crate::cli::plain::plain;
use crate::cli::route::Route;
use crate::cli::ui::{Paint, Ui};
use crate::cli::world::World;
use crate::name::RecipeName;
use crate::parallel;
use crate::record::{Record, RecordedAmi};

/// So many regions are looked at at one time.
const SIDE_BY_SIDE: usize = 8;

/// One AMI of one record.
#[derive(Clone, Copy)]
pub(super) struct HostCase<'m> {
    route: &'m Route<'m>,
    recipe: &'m RecipeName,
    record: &'m Record,
    ami: &'m RecordedAmi,
}

impl<'m> HostCase<'m> {
    pub(super) fn of(
        route: &'m Route<'m>,
        recipe: &'m RecipeName,
        record: &'m Record,
    ) -> impl Iterator<Item = HostCase<'m>> {
        record.amis.iter().map(move |ami| HostCase { route, recipe, record, ami })
    }

    fn text(&self, flaws: &[HostFlaw], ui: &Ui) -> String {
        let (recipe, RecordedAmi { region, architecture, id, .. }) =
            (ui.paint(Paint::Bold, self.recipe.as_str()), self.ami);
        let said = if flaws.is_empty() {
            ui.paint(Paint::Green, "as recorded")
        } else {
            let said: Vec<_> = flaws.iter().map(|flaw| plain(&flaw.to_string()).into_owned()).collect();
            ui.paint(Paint::Red, &said.join("; "))
        };
        format!("{recipe} {} {region} {architecture} {}: {said}\n", self.record.tag, plain(id))
    }

    fn json(&self, flaws: &[HostFlaw]) -> Value {
        json!({
            "target": self.route.name,
            "recipe": self.recipe,
            "tag": self.record.tag,
            "region": self.ami.region,
            "architecture": self.ami.architecture,
            "id": self.ami.id,
            "flaws": flaws.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }
}

/// What was found of hosts.
#[derive(Default)]
pub(super) struct Hosts {
    pub(super) text: String,
    pub(super) json: Vec<Value>,
    pub(super) flawed: bool,
    pub(super) failures: Vec<Failure>,
}

/// Looks at all of them: in each region of a target with one question for the AMIs, and one for what lies under them.
pub(super) fn look(cases: &[HostCase<'_>], world: &World<'_>, ui: &Ui) -> Hosts {
    let mut places: BTreeMap<_, Vec<HostCase<'_>>> = BTreeMap::new();
    for case in cases {
        places.entry((&case.route.name, &case.ami.region)).or_default().push(*case);
    }
    let places: Vec<_> = places.into_values().collect();
    let found = parallel::bounded(&places, SIDE_BY_SIDE, |cases| in_region(cases, world, ui));
    let mut hosts = Hosts::default();
    for (cases, found) in places.iter().zip(found) {
        match found {
            Ok(found) => {
                for (case, flaws) in cases.iter().zip(found) {
                    hosts.flawed |= !flaws.is_empty();
                    hosts.text += &case.text(&flaws, ui);
                    hosts.json.push(case.json(&flaws));
                }
            }
            Err(failure) => hosts.failures.push(failure),
        }
    }
    hosts
}

fn in_region(cases: &[HostCase<'_>], world: &World<'_>, ui: &Ui) -> Result<Vec<Vec<HostFlaw>>, Failure> {
    let Some(first) = cases.first() else { return Ok(Vec::new()) };
    let (name, region) = (&first.route.name, &first.ami.region);
    let account = first.route.target.ec2.as_ref().ok_or_else(|| {
        Failure::input(format!("the records of {name} name AMIs, and the target has no place for them"))
            .hint(format!("say `[target.{name}.ec2]` in elkbake.toml"))
    })?;
    let tell = |event: Event<'_>| ui.event(event);
    let ec2 = world.open()?.wire();
    identify(ec2, account, region, &tell)?;
    let recorded: Vec<_> = cases.iter().map(|case| (case.record, case.ami)).collect();
    Ok(standing(&Ec2Site::of(account, region), &recorded, ec2, &tell)?)
}
