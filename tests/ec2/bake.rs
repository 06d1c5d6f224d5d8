//! Whole bakes of AMIs by the real client, against a strict cloud.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use elkbake::bake::event::SILENT;
use elkbake::bake::host::{
    self, Baked, Desk, HostError, Leftover, Order, Pace, Retention, Trial, UserData, Users, boot_test, left, prune,
    pruning, sweep,
};
use elkbake::bake::interrupt::Interrupt;
use elkbake::bake::port::Ec2Site;
use elkbake::lock::{self, Lock};
use elkbake::moment::Moment;
use elkbake::name::RecipeName;
use elkbake::parallel;
use elkbake::plan::Plan;
use elkbake::project::{self, Ec2};
use elkbake::recipe::{self, Architecture, Recipe};
use elkbake::remote::Wire;
use elkbake::text::Document;
use elkbake::tree::Tree;

use crate::kitchen::cloud::{ACCOUNT, Amazon, Asked, Boot, Guest, Trouble};

pub(super) const HOME: &str = "eu-west-1";
const REGIONS: [&str; 4] = [HOME, "eu-central-1", "eu-north-1", "us-east-1"];

pub(super) const RECIPE: &str = r#"
kind = "ami"
version = "2026.1"
region = "eu-west-1"
architectures = ["arm64", "x86_64"]
[base]
name = "al2023-ami-ecs-hvm-*"
owner = "amazon"
[[volume]]
name = "data"
kind = "gp3"
size = 250
iops = 6000
throughput = 400
mount = "/var/lib/docker"
"#;

/// A cloud, the papers of a host for it, and how it is reached.
pub(super) struct Site {
    pub(super) amazon: Amazon,
    name: RecipeName,
    recipe: Document<Recipe>,
    lock: Document<Lock>,
    plan: Plan,
    account: Ec2,
    user_data: UserData,
    /// The cloud has a clock of its own, which has to be the same.
    now: Moment,
    /// For how long what was made is believed to be there though it is not seen; and a token that answers with what is
    /// gone is waited for, for as long.
    settling: Duration,
}

impl Site {
    pub(super) fn new(recipe: &str) -> Self {
        let amazon = Amazon::start(&REGIONS);
        amazon.guest(|boot| {
            let [key, architecture] = ["elkbake:key", "elkbake:architecture"].map(|tag| boot.tags[tag].clone());
            let nonce = format!("{}-{architecture}", &key[..12]);
            let guest = Guest::stops().says(&format!("ELKBAKE {nonce} note on it"));
            let guest = guest.says_at(10, &format!("ELKBAKE {nonce} ok"));
            if boot.tags["elkbake:purpose"] == "test" { stays(boot, &nonce) } else { guest }
        });
        let name: RecipeName = "ecs-host".parse().unwrap();
        let recipe = recipe::parse(Path::new("recipes/ecs-host.toml"), recipe).unwrap();
        let lock = lock::parse(Path::new("recipes/ecs-host.lock"), &lock_text(&amazon, &recipe.value)).unwrap();
        let plan = Plan::new(&name, &recipe, &lock, &Tree::default(), None).unwrap();
        let text =
            format!("[target.prod]\n[target.prod.ec2]\naccount = \"{ACCOUNT}\"\ntags = {{ team = \"search\" }}\n");
        let project = project::parse(Path::new("elkbake.toml"), &text).unwrap();
        let account = project.value.target.values().find_map(|target| target.ec2.clone()).unwrap();
        let of = |one: Architecture| (one, format!("#!/bin/bash\necho {one}\n").into_bytes());
        let user_data = [Architecture::X86, Architecture::Arm].map(of).into();
        let (now, settling) = (Moment::of(SystemTime::now()), Duration::from_millis(300));
        Self { amazon, name, recipe, lock, plan, account, user_data, now, settling }
    }

    /// The recipe says something else about what becomes of the image.
    pub(super) fn says(&mut self, recipe: &str) {
        self.recipe = recipe::parse(Path::new("recipes/ecs-host.toml"), recipe).unwrap();
    }

    /// A small host, and the launch template that is to point to it.
    pub(super) fn small() -> Self {
        let site = Self::new(&small());
        site.amazon.template(HOME, "es", &site.amazon.base(HOME, "x86_64"));
        site
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
            now: self.now,
        }
    }

    fn sites(&self) -> Vec<Ec2Site> {
        let order = self.order();
        order.regions().into_iter().map(|region| order.site(region)).collect()
    }

    /// A process of its own: one client, that may be interrupted.
    pub(super) fn with<T>(&self, interrupt: &Interrupt, work: impl FnOnce(&Order<'_>, Desk<'_>) -> T) -> T {
        let mut config = self.amazon.config();
        config.interrupt = interrupt.clone();
        config.timing.settling = self.settling;
        let wire = Wire::new(config).unwrap();
        let millis = Duration::from_millis;
        let pace = Pace { first: millis(15), longest: millis(60), minute: Duration::from_secs(2) };
        work(&self.order(), Desk { ec2: &wire, pace, interrupt, tell: SILENT })
    }

    pub(super) fn bake(&self, interrupt: &Interrupt) -> Result<Baked, HostError> {
        self.with(interrupt, |order, desk| {
            let sights = host::find(order, desk)?;
            Ok(host::bake(order, &sights, &self.user_data, desk))
        })
    }

    pub(super) fn baked(&self) -> Baked {
        let baked = self.bake(&Interrupt::default()).unwrap();
        assert!(baked.failed.is_empty(), "{:?}", baked.failed);
        baked
    }

    /// What a sweep finds.
    pub(super) fn swept(&self, desk: Desk<'_>) -> Vec<Leftover> {
        let (protected, parameters) = (std::collections::BTreeMap::new(), std::collections::BTreeSet::new());
        left(&self.sites(), None, Users { protected: &protected, parameters: &parameters }, desk).unwrap()
    }

    /// What names an image that is not there.
    pub(super) fn dangling(&self) -> Vec<String> {
        self.amazon.world(|world| {
            let parameters = world.parameters.iter().filter(|((account, ..), _)| !account.is_empty());
            let named = parameters.map(|(_, parameter)| parameter.value.clone());
            let versions = world.templates.values().flat_map(|template| template.versions.values());
            let named = named.chain(versions.filter_map(|(data, _)| Some(data["ImageId"].as_str()?.to_owned())));
            named.filter(|id| !world.images.contains_key(id)).collect()
        })
    }

    /// What is left over and not available: terminated instances are told of for a while.
    pub(super) fn left(&self) -> Vec<String> {
        self.settled();
        self.amazon.left()
    }

    /// What is shutting down is not there soon.
    fn settled(&self) {
        let begun = Instant::now();
        while self.amazon.world(|world| world.instances.values().any(|one| one.state == "shutting-down")) {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn unfinished(&self) -> usize {
        self.amazon.world(|world| {
            let own = world.images.values().filter(|image| image.owner == ACCOUNT);
            own.filter(|image| !image.tags.contains_key("elkbake:finished")).count()
        })
    }
}

fn stays(_: &Boot, nonce: &str) -> Guest {
    Guest::stays().says_at(20, &format!("ELKBAKE {nonce} ok"))
}

fn lock_text(amazon: &Amazon, recipe: &Recipe) -> String {
    let Recipe::Ami(ami) = recipe else { panic!("no AMI") };
    let of = |architecture: &Architecture| {
        let id = amazon.base(HOME, &architecture.to_string());
        let (name, owner, snapshot) = amazon.world(|world| {
            let image = &world.images[&id];
            let snapshot = image.disks[0].ebs.as_ref().unwrap().snapshot.clone().unwrap();
            (image.name.clone(), image.owner.clone(), snapshot)
        });
        format!(
            "[[ami]]\narchitecture = \"{architecture}\"\nregion = \"{HOME}\"\n\
             want = \"name:al2023-ami-ecs-hvm-* owner:amazon in {HOME}\"\nid = \"{id}\"\nname = \"{name}\"\n\
             owner = \"{owner}\"\nsnapshot = \"{snapshot}\"\nroot_device = \"/dev/xvda\"\n\
             created = \"2026-10-01T00:00:00Z\"\n"
        )
    };
    format!("format = 1\n{}", ami.architectures.iter().map(of).collect::<String>())
}

/// One processor in two regions, so that each of its calls can go wrong once.
pub(super) fn small() -> String {
    let recipe = RECIPE.replace("architectures = [\"arm64\", \"x86_64\"]", "architectures = [\"x86_64\"]");
    format!(
        "{recipe}[ami]\ndeprecate_after = 90\nssm_parameter = \"/elk/host\"\n[ami.regions.us-east-1]\n\
             [ami.regions.eu-west-1]\nlaunch_templates = {{ x86_64 = \"es\" }}\n"
    )
}

#[test]
fn a_host_gets_to_four_regions_for_two_processors_and_is_what_it_has_to_be() {
    let regions =
        "[ami]\ndeprecate_after = 90\n[ami.regions.eu-central-1]\n[ami.regions.eu-north-1]\n[ami.regions.us-east-1]\n";
    let site = Site::new(&format!("{RECIPE}{regions}"));
    let baked = site.baked();
    // For each processor its type is looked at, an instance started and ended, and an image made and copied three times;
    // each image is
    // deprecated and tagged. All else is looking whether something is done.
    let looks = ["DescribeImages", "DescribeInstances", "GetConsoleOutput"];
    let calls = site.amazon.calls();
    let acts: Vec<_> = calls.iter().map(|call| call.action.as_str()).filter(|action| !looks.contains(action)).collect();
    assert_eq!(acts.len(), 2 * (4 + 3) + 8 * 2, "{acts:?}");
    assert_eq!(baked.made.len(), 8);
    assert_eq!(site.left(), [""; 0]);
    site.amazon.world(|world| {
        for made in &baked.made {
            let image = &world.images[&made.id];
            assert_eq!((image.imds.as_deref(), image.ena), (Some("v2.0"), true));
            assert!(image.boot_mode.is_some() && image.deprecated.is_some());
            assert_eq!(image.name, site.order().image_name(made.architecture));
            let [root, data] = &image.disks[..] else { panic!("{:?}", image.disks) };
            let (root, data) = (root.ebs.as_ref().unwrap(), data.ebs.as_ref().unwrap());
            assert!(root.encrypted && data.encrypted && data.snapshot.is_none(), "{root:?} {data:?}");
            assert_eq!((data.size, data.iops, data.throughput), (250, Some(6000), Some(400)));
            assert_eq!(root.snapshot.as_deref(), made.root_snapshot());
            let snapshot = &world.snapshots[made.root_snapshot().unwrap()];
            assert_eq!(snapshot.tags["elkbake:key"], image.tags["elkbake:key"]);
            assert!(image.tags.contains_key("elkbake:finished") && image.tags["team"] == "search");
        }
    });
    // Nothing to do is one question to each region.
    site.amazon.forget();
    assert!(site.baked().made.iter().all(|made| made.was_there && made.changed.is_empty()));
    assert_eq!((site.amazon.calls().len(), site.amazon.asked("DescribeImages")), (4, 4));
}

#[test]
fn what_is_new_and_not_seen_yet_is_waited_for() {
    let mut site = Site::small();
    site.settling = Duration::from_secs(20);
    site.amazon.pace(|pace| pace.unseen = Duration::from_millis(60));
    site.baked();
    assert_eq!((site.left(), site.amazon.asked("RunInstances")), (vec![], 1));
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Refused,
    Lost,
    Interrupted,
    /// No call gets through any more, of those that take down neither.
    KilledBefore,
    KilledAfter,
}

/// A bake in which the first call of an action in a region goes wrong, and all that comes after it.
fn go_wrong((action, region): &(String, String), wrong: Wrong) -> Result<(), String> {
    let site = Site::small();
    let interrupt = Interrupt::default();
    let (wish, dead) = (interrupt.clone(), Arc::new(AtomicBool::new(false)));
    let (told, done) = (Arc::clone(&dead), Arc::new(AtomicBool::new(false)));
    let happened = Arc::clone(&done);
    let (named, there) = (action.clone(), region.clone());
    site.amazon.watch(move |asked: &Asked| {
        if told.load(Ordering::Relaxed) {
            return Some(Trouble::Error("UnauthorizedOperation"));
        }
        if (&asked.action, &asked.region) != (&named, &there) || done.swap(true, Ordering::Relaxed) {
            return None;
        }
        told.store(matches!(wrong, Wrong::KilledBefore | Wrong::KilledAfter), Ordering::Relaxed);
        match wrong {
            Wrong::Refused | Wrong::KilledBefore => Some(Trouble::Error("UnauthorizedOperation")),
            Wrong::Lost | Wrong::KilledAfter => Some(Trouble::Lost),
            Wrong::Interrupted => {
                wish.request();
                None
            }
        }
    });
    let result = site.bake(&interrupt);
    let place = format!("{wrong:?} at {action} in {region}");
    if !happened.load(Ordering::Relaxed) {
        return Err(format!("{place}: there was no such call"));
    }
    let killed = matches!(wrong, Wrong::KilledBefore | Wrong::KilledAfter);
    let kept = result.iter().flat_map(|baked| &baked.failed);
    let kept = kept.filter(|failed| matches!(failed.error, HostError::Unfinished { .. })).count();
    let never_ended = wrong == Wrong::Refused && action == "TerminateInstances";
    if !killed && !never_ended && (!site.left().is_empty() || site.unfinished() > kept) {
        return Err(format!("{place}: {:?} is left, {} unfinished: {result:?}", site.left(), site.unfinished()));
    }
    if !site.dangling().is_empty() {
        return Err(format!("{place}: {:?} are named and gone: {result:?}", site.dangling()));
    }
    site.amazon.watch(|_| None);
    if never_ended {
        site.with(&Interrupt::default(), |_, desk| {
            drop(sweep(&site.swept(desk), desk));
        });
    }
    let again = site.bake(&Interrupt::default()).unwrap();
    let started = site.amazon.world(|world| world.instances.len());
    let right = again.failed.is_empty() && again.made.len() == 2 && site.left().is_empty() && site.unfinished() == 0;
    if !right || (killed && started != 1) {
        return Err(format!("{place}, then {started} instances, {:?} left: {again:?}", site.left()));
    }
    Ok(())
}

/// That every single call may go wrong is shown beside the road itself, in memory, where calls cost nothing. Here are
/// those that make something, in the ways in which the client has a say.
#[test]
fn calls_that_make_something_may_go_wrong() {
    use Wrong::{Interrupted, KilledAfter, KilledBefore, Lost, Refused};
    let all = [
        ("RunInstances", HOME, Lost),
        ("RunInstances", HOME, Interrupted),
        ("RunInstances", HOME, KilledAfter),
        ("GetConsoleOutput", HOME, Refused),
        ("CreateImage", HOME, Lost),
        ("CreateImage", HOME, Interrupted),
        ("CreateImage", HOME, KilledAfter),
        ("CopyImage", "us-east-1", Interrupted),
        ("CopyImage", "us-east-1", KilledAfter),
        ("CreateTags", HOME, Interrupted),
        ("GetParameter", HOME, Interrupted),
        ("PutParameter", HOME, Interrupted),
        ("PutParameter", "us-east-1", Refused),
        ("DescribeLaunchTemplates", HOME, Interrupted),
        ("CreateLaunchTemplateVersion", HOME, Interrupted),
        ("CreateLaunchTemplateVersion", HOME, Lost),
        ("CreateLaunchTemplateVersion", HOME, KilledAfter),
        ("EnableImageDeprecation", HOME, Interrupted),
        ("TerminateInstances", HOME, Refused),
        ("CreateTags", HOME, KilledBefore),
    ];
    let failed = parallel::bounded(&all, all.len(), |(action, region, wrong)| {
        go_wrong(&((*action).to_owned(), (*region).to_owned()), *wrong).err()
    });
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), all.len(), failed.join("\n"));
}

#[test]
fn a_host_is_tested_pruned_and_swept() {
    let site = Site::small();
    let made = site.baked().made;
    let nonce = elkbake::ami::verdict::Nonce::of(&site.plan.key(), Architecture::X86);
    let home = made.iter().find(|made| made.region.as_str() == HOME).unwrap();
    site.with(&Interrupt::default(), |order, desk| {
        for image in [Some(home.id.as_str()), None] {
            let trial = Trial { architecture: Architecture::X86, image, user_data: b"#!/bin/sh\n", nonce: &nonce };
            let tried = boot_test(order, &[trial], desk);
            assert!(tried[0].error.is_none(), "{:?}", tried[0]);
        }
        assert!(site.swept(desk).is_empty());
    });
    assert_eq!(site.left(), [""; 0]);
    site.with(&Interrupt::default(), |_, desk| {
        let protected = [(home.id.clone(), "in the manifest".to_owned())].into();
        let parameters = ["/elk/host".to_owned()].into();
        let of = |keep| Retention {
            recipe: &site.name,
            keep,
            users: Users { protected: &protected, parameters: &parameters },
        };
        // The parameter names the image in each region.
        assert!(prune(&pruning(&site.sites(), &of(0), desk).unwrap(), desk).is_empty());
        let none = [].into();
        let of = |keep| Retention { users: Users { parameters: &none, ..of(keep).users }, ..of(keep) };
        let pruned = prune(&pruning(&site.sites(), &of(0), desk).unwrap(), desk);
        assert_eq!(pruned.len(), 1);
        assert!(pruned[0].result.as_ref().is_ok_and(|gone| gone.len() == 1), "{pruned:?}");
    });
    assert_eq!(site.left(), [""; 0]);
    assert_eq!(site.amazon.world(|world| world.images.values().filter(|one| one.owner == ACCOUNT).count()), 1);
}
