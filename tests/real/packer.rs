//! Packer on the strict cloud, with the job that elkbake does: what it asks for, and what it leaves behind when it is
//! killed.

#[cfg(feature = "aws")]
mod beside;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::program;
use crate::kitchen::cloud::{ACCOUNT, Amazon, Pace, World};
use crate::kitchen::job::{self, Packer};

const HOME: &str = "eu-west-1";
const REGIONS: [&str; 2] = [HOME, "us-east-1"];

/// Packer with its job, and the cloud for it.
struct Job {
    packer: Packer,
    amazon: Amazon,
}

/// `None` where there is no Packer.
fn job() -> Option<Job> {
    let program = program(&["packer"], "packer")?;
    let amazon = job::cloud(&REGIONS);
    Some(Job { packer: Packer::new(program, &amazon, &REGIONS), amazon })
}

/// How often each action was called.
fn counts(amazon: &Amazon) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in amazon.calls() {
        *counts.entry(call.action).or_default() += 1;
    }
    counts
}

/// Where a program is killed.
#[derive(Clone, Copy, Debug)]
enum Point {
    /// Its instance runs.
    Running,
    /// Its first image is begun, and not there yet.
    Pending,
}

impl Point {
    const ALL: [Self; 2] = [Self::Running, Self::Pending];

    fn is_reached(self, world: &World) -> bool {
        match self {
            Self::Running => world.instances.values().any(|one| one.state == "running"),
            Self::Pending => world.images.values().any(|one| one.owner == ACCOUNT && one.state == "pending"),
        }
    }

    /// Waits until the point is reached.
    fn reach(self, amazon: &Amazon, child: &mut Child) {
        while !amazon.world(|world| self.is_reached(world)) {
            assert!(child.try_wait().unwrap().is_none(), "it has ended after {:?}", counts(amazon));
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Lets instances and images take so long that a point between is not missed, however busy the machine is.
fn slowly(amazon: &Amazon, point: Point) {
    amazon.pace(|pace| (pace.image, pace.copy) = (Duration::from_secs(3600), Duration::from_secs(3600)));
    if matches!(point, Point::Running) {
        amazon.guest(|boot| job::well(boot, 3_600_000));
        // Packer stops its instance itself, as soon as that runs.
        amazon.slow("StopInstances", Duration::from_secs(3600));
    }
}

/// Lets all of it be as fast as ever again; what was under way takes a little longer than who comes next needs to see it.
fn go_on(amazon: &Amazon) {
    amazon.pace(|pace| *pace = Pace::default());
    amazon.guest(|boot| job::well(boot, 20));
    amazon.slow("StopInstances", Duration::ZERO);
    amazon.hasten(Duration::from_millis(700));
}

/// The kinds of all that there is in the region in which the image is made, but for its instances that are going.
fn kinds(amazon: &Amazon) -> BTreeSet<&'static str> {
    amazon.inventory().get(HOME).into_iter().flatten().map(|thing| thing.kind).collect()
}

#[test]
fn packer_bakes_on_the_strict_cloud() {
    let Some(job) = job() else { return };
    let output = job.packer.command().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(job.amazon.left(), [""; 0]);
    let inventory = job.amazon.inventory();
    for region in REGIONS {
        let kinds: Vec<_> = inventory[region].iter().map(|thing| thing.kind).collect();
        assert_eq!(kinds, ["image", "snapshot"], "{region}");
    }
    let counts = counts(&job.amazon);
    let sum: usize = counts.values().sum();
    assert!((35..=60).contains(&sum), "{sum} calls: {counts:?}");
}

#[test]
fn packer_leaves_what_it_began_when_it_is_killed_and_never_finds_it_again() {
    for point in Point::ALL {
        let Some(job) = job() else { return };
        slowly(&job.amazon, point);
        let mut packer = job.packer.command().spawn().unwrap();
        point.reach(&job.amazon, &mut packer);
        // The first of its processes only watches over the one that works and the one that speaks to AWS.
        kill_process_group(Pid::from_child(&packer), Signal::KILL).unwrap();
        packer.wait().unwrap();
        let left = kinds(&job.amazon);
        let made = match point {
            Point::Running => &["instance", "volume", "security-group", "key-pair"][..],
            Point::Pending => &["instance", "volume", "security-group", "key-pair", "image", "snapshot"],
        };
        assert!(made.iter().all(|kind| left.contains(kind)), "{point:?}: only {left:?} is left");
        go_on(&job.amazon);
        // What is pending is an image under a name of its own, from which the encrypted one is copied.
        assert!(job.packer.command().output().unwrap().status.success(), "{point:?}");
        let still = kinds(&job.amazon);
        assert!(still.is_superset(&left), "{point:?}: of {left:?} only {still:?} is left");
    }
}
