use std::sync::Mutex;

use crate::bake::event::{Event, SILENT};
use crate::bake::host::fixture::{Guest, Papers, RECIPE, World, desk};
use crate::bake::host::{Baked, HostError, bake, find};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::{Mapped, Mapping};
use crate::recipe::{Architecture, VolumeKind};

pub(super) fn baked(papers: &Papers, world: &World) -> Baked {
    told(papers, world).0
}

/// What came of a bake, and all that was told of it.
pub(super) fn told(papers: &Papers, world: &World) -> (Baked, String) {
    let heard = Mutex::new(String::new());
    let tell = |event: Event<'_>| heard.lock().unwrap().push_str(&format!("{event:?}\n"));
    let (order, interrupt) = (papers.order(), Interrupt::default());
    let desk = desk(world, &interrupt, &tell);
    let sights = find(&order, desk).unwrap();
    let baked = bake(&order, &sights, &papers.user_data, desk);
    (baked, heard.into_inner().unwrap())
}

pub(super) fn only_error(baked: Baked) -> HostError {
    let mut failed = baked.failed;
    assert_eq!(failed.len(), 1, "{failed:?}");
    failed.remove(0).error
}

#[test]
fn an_image_gets_to_every_region_for_every_processor() {
    let regions = "[ami.regions.eu-central-1]\n[ami.regions.us-east-1]\n";
    let papers = Papers::new(
        &format!("{RECIPE}{regions}").replace("region =", "architectures = [\"arm64\", \"x86_64\"]\nregion ="),
    );
    let world = World::new();
    let (baked, heard) = told(&papers, &world);
    assert!(baked.failed.is_empty(), "{:?}", baked.failed);
    assert_eq!(baked.made.len(), 6);
    assert!(baked.made.iter().all(|made| !made.was_there && made.root_snapshot().is_some()));
    let inventory = world.inventory();
    assert_eq!((inventory.finished.len(), inventory.left), (6, vec![]));
    assert_eq!(world.started(), 2);
    assert!(heard.contains("installing jq"), "{heard}");
    let tag = papers.order().plan.tag().to_string();
    assert!(baked.made.iter().any(|made| made.name == format!("ecs-host-{tag}-arm64")));
}

#[test]
fn what_is_there_is_not_made_again() {
    let papers = Papers::new(&format!("{RECIPE}[ami.regions.eu-central-1]\n"));
    let world = World::new();
    baked(&papers, &world);
    world.new_process();
    let again = baked(&papers, &world);
    assert!(again.made.iter().all(|made| made.was_there && made.changed.is_empty()), "{again:?}");
    assert_eq!(world.calls().len(), 2, "{:?}", world.calls());
}

#[test]
fn a_bake_takes_few_calls() {
    let world = World::new();
    baked(&Papers::new(RECIPE), &world);
    let polls = |call: &&String| !call.contains("console") && !call.contains("instances") && !call.contains("images");
    let acts: Vec<_> = world.calls().iter().filter(polls).cloned().collect();
    // Packer takes 21 for this, and gives the image no tag.
    assert_eq!(acts.len(), 7, "{acts:?}");
}

#[test]
fn root_disks_are_encrypted_from_the_start_and_others_are_mapped_in_the_image() {
    let papers = Papers::new(&format!(
        "{RECIPE}[[volume]]\nname = \"root\"\nkind = \"gp3\"\nsize = 50\ndevice = \"/dev/xvda\"\n\
         [[volume]]\nname = \"data\"\nkind = \"io2\"\nsize = 100\niops = 5000\nmount = \"/var/lib/elasticsearch\"\n\
         [[volume]]\nname = \"fast\"\nkind = \"instance-store\"\nraid0 = true\nmount = \"/fast\"\n"
    ));
    let (order, base) = (papers.order(), &papers.order().lock.ami[0]);
    let root = crate::bake::host::disks::root(&order, base);
    let Mapped::Ebs { kind, size, encrypted, delete_on_termination, .. } = root.what else { panic!() };
    assert_eq!((kind, size, encrypted), (Some(VolumeKind::Gp3), Some(50), Some(true)));
    assert!(delete_on_termination && root.device == "/dev/xvda");
    let data = crate::bake::host::disks::of_image(&order, base);
    let [Mapping { device, what: Mapped::Ebs { iops: Some(5000), size: Some(100), .. } }] = &data[..] else {
        panic!("{data:?}")
    };
    assert_eq!(device, "/dev/xvdf");
}

#[test]
fn what_outlives_hosts_outlives_no_test() {
    use crate::bake::host::disks;
    let papers = Papers::new(&format!(
        "{RECIPE}[[volume]]\nname = \"root\"\nkind = \"gp3\"\ndevice = \"/dev/xvda\"\ndelete_on_termination = false\n\
         [[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 100\ndelete_on_termination = false\nmount = \"/data\"\n\
         [[volume]]\nname = \"old\"\nkind = \"instance-store\"\ndevice = \"/dev/sdb\"\nmount = \"/old\"\n"
    ));
    let (order, base) = (papers.order(), &papers.order().lock.ami[0]);
    let goes = |mapping: &Mapping| match mapping.what {
        Mapped::Ebs { delete_on_termination, .. } => Some(delete_on_termination),
        Mapped::Ephemeral(_) => None,
    };
    let of = |mappings: Vec<Mapping>| mappings.iter().map(|one| (one.device.clone(), goes(one))).collect::<Vec<_>>();
    let named =
        |all: &[(&str, Option<bool>)]| all.iter().map(|(at, goes)| ((*at).to_owned(), *goes)).collect::<Vec<_>>();
    let no = Some(false);
    let image = [("/dev/xvda", no), ("/dev/xvdf", no), ("/dev/sdb", None)];
    assert_eq!(of(disks::of_image(&order, base)), named(&image));
    let yes = Some(true);
    assert_eq!(of(disks::of_trial(&order, base, true)), named(&[("/dev/xvda", yes), ("/dev/xvdf", yes)]));
    let stock = [("/dev/xvdf", yes), ("/dev/sdb", None), ("/dev/xvda", yes)];
    assert_eq!(of(disks::of_trial(&order, base, false)), named(&stock));
}

#[test]
fn the_verdict_decides() {
    let papers = Papers::new(RECIPE);
    for (guest, words) in [
        (Guest::Bad, "failed:\n  dnf install jq: no such package\nthe end of its console:"),
        (Guest::Silent, "stopped without a verdict"),
        (Guest::Foreign, "stopped without a verdict"),
        (Guest::Endless, "is still running after 1 min"),
    ] {
        let papers = if guest == Guest::Endless {
            Papers::new(&format!("{RECIPE}[bake]\ntimeout = 1\n"))
        } else {
            Papers::new(RECIPE)
        };
        let world = World::new();
        world.change(|state| state.guest = guest);
        let error = only_error(baked(&papers, &world)).to_string();
        assert!(error.contains(words), "{guest:?}: {error}");
        assert!(error.contains("kernel line 99") && error.lines().count() < 48, "{error}");
        assert_eq!(world.inventory().left, Vec::<String>::new(), "{guest:?}");
    }
    drop(papers);
}

#[test]
fn where_there_is_no_spot_instance_it_is_none() {
    let papers = Papers::new(&format!("{RECIPE}[bake]\nspot = true\n"));
    let world = World::new();
    world.change(|state| state.no_spot = true);
    let (done, heard) = told(&papers, &world);
    assert!(done.failed.is_empty() && heard.contains("no spot instance now"), "{done:?} {heard}");
    // One that is taken away is replaced, once, by one that cannot be.
    let world = World::new();
    world.change(|state| state.guest = Guest::Taken);
    let (done, heard) = told(&papers, &world);
    assert!(done.failed.is_empty() && heard.contains("SpotInstanceShutdown"), "{done:?} {heard}");
    assert_eq!((world.started(), world.inventory().left), (2, vec![]));
}

#[test]
fn a_name_of_somebody_else_is_an_error_and_stays() {
    let papers = Papers::new(RECIPE);
    let world = World::new();
    baked(&papers, &world);
    world.change(|state| {
        for held in state.regions.values_mut().flat_map(|place| place.images.values_mut()) {
            held.machine.tags.clear();
        }
    });
    world.new_process();
    let error = only_error(baked(&papers, &world));
    assert!(matches!(error, HostError::NameTaken { .. }), "{error}");
    let state = world.state();
    assert_eq!(state.regions.values().map(|place| place.images.len()).sum::<usize>(), 1);
}

#[test]
fn a_region_that_fails_keeps_no_other_from_being_finished() {
    let regions = "[ami.regions.eu-central-1]\n[ami.regions.eu-north-1]\n[ami.regions.us-east-1]\n";
    let papers = Papers::new(&format!("{RECIPE}{regions}"));
    let world = World::new();
    world.change(|state| state.place(&"us-east-1".parse().unwrap()).fails_copies = true);
    let first = baked(&papers, &world);
    assert_eq!(first.made.len(), 3);
    let error = only_error(first).to_string();
    assert!(error.contains("us-east-1 is failed: Client.KmsKeyInaccessible"), "{error}");
    assert_eq!(world.inventory().left, Vec::<String>::new());
    world.change(|state| state.place(&"us-east-1".parse().unwrap()).fails_copies = false);
    world.new_process();
    let second = baked(&papers, &world);
    assert!(second.failed.is_empty(), "{second:?}");
    assert_eq!(second.made.iter().filter(|made| !made.was_there).count(), 1);
    assert_eq!((world.started(), world.count("run"), world.inventory().finished.len()), (1, 0, 4));
}

#[test]
fn an_image_that_is_gone_at_home_is_brought_back_without_an_instance() {
    let papers = Papers::new(&format!("{RECIPE}[ami.regions.eu-central-1]\n"));
    let world = World::new();
    baked(&papers, &world);
    world.change(|state| {
        let home = state.place(&"eu-west-1".parse().unwrap());
        home.images.clear();
        home.snapshots.clear();
    });
    world.new_process();
    let again = baked(&papers, &world);
    assert!(again.failed.is_empty(), "{again:?}");
    assert_eq!((world.started(), world.inventory().finished.len()), (1, 2));
}

#[test]
fn a_base_that_is_another_now_is_refused_before_anything_is_started() {
    let papers = Papers::new(RECIPE);
    let world = World::new();
    world.change(|state| state.base_snapshot = "snap-other".to_owned());
    let error = only_error(baked(&papers, &world)).to_string();
    assert!(error.contains("its snapshot is snap-other, the lock says snap-base-x86_64"), "{error}");
    assert_eq!((world.started(), world.count("run")), (0, 0));
    let world = World::new();
    world.change(|state| state.base_deprecated = Some("2026-11-01T00:00:00.000Z".to_owned()));
    let (done, heard) = told(&papers, &world);
    assert!(done.failed.is_empty() && heard.contains("is deprecated since 2026-11-01"), "{heard}");
}

#[test]
fn what_an_image_loses_of_its_base_is_told() {
    let world = World::new();
    world.change(|state| state.loses_boot_mode = true);
    let (_, heard) = told(&Papers::new(RECIPE), &world);
    assert!(heard.contains("boot mode is none"), "{heard}");
}

#[test]
fn instance_types_have_to_carry_the_volumes() {
    let volume = |n: u32| format!("[[volume]]\nname = \"v{n}\"\nkind = \"io2\"\nsize = 100\niops = 9000\n");
    let types = RECIPE.replace("[base]", "instance_types = [\"m6i.4xlarge\"]\n[base]");
    let world = World::new();
    let (done, heard) = told(&Papers::new(&format!("{types}{}{}", volume(1), volume(2))), &world);
    assert!(done.failed.is_empty() && heard.contains("18000 IOPS together, and it reaches 12000"), "{heard}");
    let world = World::new();
    let many: String = (0..4).map(volume).collect();
    let error = only_error(baked(&Papers::new(&format!("{types}{many}")), &world)).to_string();
    assert!(error.starts_with("m6i.4xlarge: it takes 3 volumes, the recipe has 5"), "{error}");
    assert_eq!(world.started(), 0);
    let world = World::new();
    let arm = format!("{RECIPE}[bake]\ninstance_types = {{ x86_64 = \"m6g.large\" }}\n");
    let error = only_error(baked(&Papers::new(&arm), &world)).to_string();
    assert!(error.contains("it is not for x86_64"), "{error}");
}

#[test]
fn two_runs_of_one_key_make_one_image() {
    let papers = Papers::new(&format!("{RECIPE}[ami.regions.eu-central-1]\n"));
    for _ in 0..20 {
        let world = World::new();
        let both: Vec<_> = std::thread::scope(|scope| {
            let runs = [(); 2].map(|()| scope.spawn(|| baked(&papers, &world)));
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        assert!(both.iter().all(|baked| baked.failed.is_empty()), "{both:?}");
        let inventory = world.inventory();
        assert_eq!((inventory.finished.len(), inventory.left), (2, vec![]));
        assert_eq!(world.started(), 1);
    }
}

#[test]
fn a_processor_without_user_data_is_an_error() {
    let mut papers = Papers::new(RECIPE);
    papers.user_data.clear();
    let error = only_error(baked(&papers, &World::new()));
    assert!(matches!(error, HostError::NoUserData(Architecture::X86)), "{error}");
}

#[test]
fn looking_is_one_question_for_each_region() {
    let papers = Papers::new(&format!("{RECIPE}[ami.regions.eu-central-1]\n"));
    let world = World::new();
    let sights = find(&papers.order(), desk(&world, &Interrupt::default(), SILENT)).unwrap();
    assert!(!sights.is_finished() && sights.all().len() == 2);
    assert!(sights.needs_instance(papers.order().home(), Architecture::X86));
    assert_eq!(world.calls().len(), 2);
}
