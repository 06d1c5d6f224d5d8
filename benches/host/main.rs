//! What elkbake itself takes to get a host's image into four regions, beside Packer with the same job.
//!
//! Both speak to the tests' strict cloud on loopback, in which nothing takes any time: what is left is what the programs
//! do, and how they wait for what is there already. Packer looks once a second at the most often. Prints a table and
//! writes `target/bench/host.json`; they take turns, and ratios count, not seconds. It needs the client of AWS, which no
//! other measurement does.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement is for people to read, and has nobody to hand an error to"
)]

#[path = "../bake/cost.rs"]
mod cost;
mod row;

/// The tests' own, as far as it is needed.
#[path = "../../tests/kitchen"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::panic,
    clippy::too_many_lines,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "what tests share is theirs, and a measurement uses a part of it"
)]
mod kitchen {
    pub(crate) mod cloud;
    pub(crate) mod job;
    pub(crate) mod project;
}

use std::path::Path;

use crate::cost::is_here;
use crate::kitchen::cloud::Amazon;
use crate::kitchen::job::{self, Packer};
use crate::kitchen::project::Kitchen;
use crate::row::{Row, print};

const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "eu-north-1", "us-east-1"];
const RUNS: usize = 5;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let has_packer = is_here("packer");
    let mut pushed = Row::new("elkbake push", "an image in four regions");
    let mut baked = Row::new("Packer", "an image in four regions");
    let mut again = Row::new("elkbake push, nothing changed", "an image in four regions");
    let mut built = Row::new("elkbake build, nothing changed", "what goes into a host");
    let shipped = shipped(root);
    for _ in 0..RUNS {
        let amazon = job::cloud(&REGIONS);
        job::at_once(&amazon);
        let kitchen = job::project(&amazon, &REGIONS);
        kitchen.run(&["lock"]).success();
        pushed.run(&amazon, &mut kitchen.command(&["push"]));
        again.run(&amazon, &mut kitchen.command(&["push"]));
        built.run(&shipped.0, &mut shipped.1.command(&["build", "ecs-host"]));
        if has_packer {
            baked.run(&amazon, &mut Packer::new("packer".into(), &amazon, &REGIONS).command());
        }
        // What was measured is what was asked for.
        let finished = amazon.world(|world| world.images.values().filter(|one| one.state == "available").count());
        assert!(finished >= REGIONS.len() && amazon.left().is_empty(), "{:?}", amazon.left());
    }
    let goals = [("elkbake push", 2.0), ("elkbake build, nothing changed", 0.05)];
    let rows: Vec<_> = [pushed, again, baked, built].into_iter().filter(Row::is_measured).collect();
    print(&rows, &goals);
    if !has_packer {
        println!("left out: packer is not installed");
    }
    let document = serde_json::json!({ "regions": REGIONS, "rows": rows.iter().map(Row::json).collect::<Vec<_>>() });
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("host.json"), format!("{document:#}\n")).expect("a file");
}

/// The recipe that is shipped, built once.
fn shipped(root: &Path) -> (Amazon, Kitchen) {
    let amazon = Amazon::start(&REGIONS);
    let recipe = std::fs::read_to_string(root.join("recipes/ecs-host.toml")).expect("a recipe");
    let mut kitchen = Kitchen::new().file("elkbake.toml", "").recipe("ecs-host", &recipe);
    for (name, value) in amazon.env() {
        kitchen = kitchen.env(name, &value);
    }
    let mut folders = vec![root.join("ami/ecs-host")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let inner = path.strip_prefix(root).expect("a path in there").to_str().expect("a name in Unicode");
                kitchen.write(inner, std::fs::read(&path).expect("a file"));
            }
        }
    }
    kitchen.run(&["lock"]).success();
    kitchen.run(&["build", "ecs-host"]).success();
    (amazon, kitchen)
}
