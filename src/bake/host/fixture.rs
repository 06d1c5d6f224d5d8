//! A small EC2 in memory: it keeps what it was told, takes its time, and goes wrong at the call that a test names.

mod life;
mod port;
mod world;

pub(super) use world::{Guest, Trouble, World};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use super::desk::{Desk, Pace};
use super::needed::Users;
use super::order::{Order, UserData};
use crate::bake::event::Listener;
use crate::bake::interrupt::Interrupt;
use crate::lock::{self, Lock};
use crate::moment::Moment;
use crate::name::RecipeName;
use crate::plan::Plan;
use crate::project::{self, Ec2};
use crate::recipe::{self, AmiRecipe, Architecture, Recipe};
use crate::text::Document;
use crate::tree::Tree;

pub(super) const RECIPE: &str = r#"
kind = "ami"
version = "2026.1"
description = "hosts for the stack"
region = "eu-west-1"
[base]
name = "al2023-ecs-*"
owner = "amazon"
"#;

pub(super) const PROJECT: &str = "[target.prod]\n[target.prod.ec2]\naccount = \"123456789012\"\n\
    subnet = \"subnet-0123456789abcdef0\"\ntags = { team = \"search\" }\n";

/// All that an order borrows.
pub(super) struct Papers {
    name: RecipeName,
    recipe: Document<Recipe>,
    lock: Document<Lock>,
    plan: Plan,
    account: Ec2,
    pub(super) user_data: UserData,
}

impl Papers {
    pub(super) fn new(recipe: &str) -> Self {
        let name: RecipeName = "ecs-host".parse().unwrap();
        let recipe = recipe::parse(Path::new("recipes/ecs-host.toml"), recipe).unwrap();
        let Recipe::Ami(ami) = &recipe.value else { panic!("no AMI") };
        let lock = lock::parse(Path::new("recipes/ecs-host.lock"), &lock_text(ami)).unwrap();
        let plan = Plan::new(&name, &recipe, &lock, &Tree::default(), None).unwrap();
        let project = project::parse(Path::new("elkbake.toml"), PROJECT).unwrap();
        let account = project.value.target.values().find_map(|target| target.ec2.clone()).unwrap();
        let user_data =
            [Architecture::X86, Architecture::Arm].map(|one| (one, format!("data {one}").into_bytes())).into();
        Self { name, recipe, lock, plan, account, user_data }
    }

    pub(super) fn order(&self) -> Order<'_> {
        let Recipe::Ami(recipe) = &self.recipe.value else { panic!("no AMI") };
        Order {
            name: &self.name,
            recipe,
            plan: &self.plan,
            lock: &self.lock.value,
            account: &self.account,
            revision: Some("0123abc"),
            now: Moment::parse("2026-11-27T12:00:00Z").unwrap(),
        }
    }
}

fn lock_text(ami: &AmiRecipe) -> String {
    let of = |architecture: &Architecture| {
        let word = architecture.to_string();
        format!(
            "[[ami]]\narchitecture = \"{word}\"\nregion = \"{}\"\nwant = \"name:al2023-ecs-* owner:amazon in {}\"\n\
             id = \"{}\"\nname = \"al2023-ecs-{word}\"\nowner = \"amazon\"\nsnapshot = \"snap-base-{word}\"\n\
             root_device = \"/dev/xvda\"\ncreated = \"2026-10-01T00:00:00Z\"\n",
            ami.region,
            ami.region,
            world::base_id(&word)
        )
    };
    format!("format = 1\n{}", ami.architectures.iter().map(of).collect::<String>())
}

static NOTHING: BTreeMap<String, String> = BTreeMap::new();
static NONE: BTreeSet<String> = BTreeSet::new();

/// Nobody needs anything that EC2 does not know of.
pub(super) static NOBODY: Users<'static> = Users { protected: &NOTHING, parameters: &NONE };

/// A second takes microseconds.
pub(super) fn pace() -> Pace {
    Pace { first: Duration::from_micros(20), longest: Duration::from_micros(200), minute: Duration::from_millis(20) }
}

pub(super) fn desk<'d>(world: &'d World, interrupt: &'d Interrupt, tell: Listener<'d>) -> Desk<'d> {
    Desk { ec2: world, pace: pace(), interrupt, tell }
}
