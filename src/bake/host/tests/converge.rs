use crate::bake::event::SILENT;
use crate::bake::host::fixture::{NOBODY, Papers, RECIPE, World, desk};
use crate::bake::host::{Baked, bake, find, left};
use crate::bake::interrupt::Interrupt;
use crate::bake::port::Template;

fn baked(recipe: &str, world: &World) -> Baked {
    let papers = Papers::new(recipe);
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(world, &interrupt, SILENT));
    let baked = bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk);
    assert!(baked.failed.is_empty(), "{:?}", baked.failed);
    baked
}

fn shared(world: &World) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut state = world.state();
    let held = state.place(&"eu-west-1".parse().unwrap()).images.values().next().unwrap();
    let all = |set: &std::collections::BTreeSet<String>| set.iter().cloned().collect();
    (all(&held.share.accounts), all(&held.share.organizations), all(&held.snapshot_share))
}

#[test]
fn an_image_is_shared_with_its_snapshots_and_with_nobody_else() {
    let with = |share: &str| format!("{RECIPE}[ami]\nencrypted = false\nshare = {{ {share} }}\n");
    let organization = "arn:aws:organizations::111122223333:organization/o-abcdefghij";
    let world = World::new();
    baked(
        &with(&format!("accounts = [\"111111111111\", \"222222222222\"], organizations = [\"{organization}\"]")),
        &world,
    );
    let accounts = ["111111111111".to_owned(), "222222222222".to_owned()].to_vec();
    assert_eq!(shared(&world), (accounts.clone(), vec![organization.to_owned()], accounts));
    // Sharing has no say in the key, so these are pushes of one image.
    let key = |recipe: &str| Papers::new(recipe).order().plan.key();
    let nobody = format!("{RECIPE}[ami]\nencrypted = false\n");
    assert_eq!(key(&with("accounts = [\"111111111111\"]")), key(&nobody));
    baked(&with("accounts = [\"111111111111\"]"), &world);
    assert_eq!(shared(&world).0, ["111111111111"]);
    baked(&nobody, &world);
    assert_eq!(shared(&world), (vec![], vec![], vec![]));
}

#[test]
fn what_was_changed_by_hand_is_made_to_hold_again() {
    let recipe = format!(
        "{RECIPE}[ami]\nencrypted = false\nshare = {{ accounts = [\"111111111111\"] }}\nssm_parameter = \"/elk/host\"\n"
    );
    let world = World::new();
    let first = baked(&recipe, &world);
    assert!(first.made[0].changed.iter().any(|one| one.starts_with("parameter /elk/host is ami-")), "{first:?}");
    let home = "eu-west-1".parse().unwrap();
    world.change(|state| {
        let place = state.place(&home);
        place.parameters.insert("/elk/host".to_owned(), "ami-other".to_owned());
        place.images.values_mut().for_each(|held| held.share.accounts = ["999999999999".to_owned()].into());
    });
    let second = baked(&recipe, &world);
    assert_eq!(
        second.made[0].changed,
        [
            "shared with 111111111111".to_owned(),
            "not shared any more with 999999999999".to_owned(),
            format!("parameter /elk/host is {}, was ami-other", second.made[0].id),
        ]
    );
    assert!(second.made[0].was_there);
    assert!(baked(&recipe, &world).made[0].changed.is_empty());
}

#[test]
fn a_launch_template_gets_one_version_and_its_default_moves_when_asked() {
    let recipe = |moves: bool| {
        format!(
            "{RECIPE}[ami]\nmove_default = {moves}\n[ami.regions.eu-west-1]\nlaunch_templates = {{ x86_64 = \"es\" }}\n"
        )
    };
    let world = World::new();
    let home = "eu-west-1".parse().unwrap();
    let template = Template { id: "lt-1".into(), name: "es".into(), default: 3, latest: 3, latest_image: None };
    world.change(|state| drop(state.place(&home).templates.insert("es".to_owned(), template)));
    baked(&recipe(false), &world);
    let now = || world.state().place(&"eu-west-1".parse().unwrap()).templates["es"].clone();
    assert_eq!((now().default, now().latest), (3, 4));
    let again = baked(&recipe(false), &world);
    assert_eq!((now().default, now().latest, again.made[0].changed.len()), (3, 4, 0));
    baked(&recipe(true), &world);
    assert_eq!(now().default, now().latest);
}

#[test]
fn a_template_that_is_not_there_leaves_an_image_that_the_next_push_goes_on_with() {
    let recipe = format!(
        "{RECIPE}[ami]\nssm_parameter = \"/elk/host\"\ndeprecate_after = 9\n\
         [ami.regions.eu-west-1]\nlaunch_templates = {{ x86_64 = \"es\" }}\n"
    );
    let world = World::new();
    let papers = Papers::new(&recipe);
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    let first = bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk);
    let error = first.failed[0].error.to_string();
    assert!(error.contains("launch template es in eu-west-1: there is none"), "{error}");
    // What is in use by the parameter is nothing that a sweep may take away; and the other steps are done.
    assert!(left(&[order.site(order.home())], None, NOBODY, desk).unwrap().is_empty());
    let home = world.inventory();
    assert_eq!((home.finished.len(), home.left, world.dangling()), (1, vec![], vec![]));
    assert_eq!((world.count("put_parameter"), world.count("change")), (1, 2));
    let template = Template { id: "lt-1".into(), name: "es".into(), default: 1, latest: 1, latest_image: None };
    world.change(|state| drop(state.place(&"eu-west-1".parse().unwrap()).templates.insert("es".to_owned(), template)));
    let second = baked(&recipe, &world);
    assert!(second.made[0].was_there && second.made[0].changed.len() == 1, "{second:?}");
    assert_eq!((world.started(), world.inventory().left), (1, vec![]));
}

#[test]
fn tags_say_what_made_it() {
    let world = World::new();
    let papers = Papers::new(&format!("{RECIPE}[ami]\ntags = {{ stage = \"prod\", \"elkbake:key\" = \"forged\" }}\n"));
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    let mut state = world.state();
    let place = state.place(&"eu-west-1".parse().unwrap());
    let machine = &place.images.values().next().unwrap().machine;
    let (key, run) = (order.plan.key().hex(), order.run(order.home()));
    for (name, value) in [
        ("elkbake:key", key.as_str()),
        ("elkbake:recipe", "ecs-host"),
        ("elkbake:version", "2026.1"),
        ("elkbake:tag", order.plan.tag().as_str()),
        ("elkbake:architecture", "x86_64"),
        ("elkbake:run", &run),
        ("elkbake:revision", "0123abc"),
        ("elkbake:finished", "2026-11-27T12:00:00Z"),
        ("Name", &machine.name),
        ("team", "search"),
        ("stage", "prod"),
    ] {
        assert_eq!(machine.tags.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert_eq!((run.len(), machine.tags.len()), (16, 11));
    let same = |tags: &crate::bake::port::Tags| *tags == machine.tags;
    assert!(place.snapshots.values().all(same), "{:?}", place.snapshots);
}

#[test]
fn deprecation_follows_the_recipe_back_and_forth_and_never_into_the_past() {
    let with = |days: u32| format!("{RECIPE}[ami]\ndeprecate_after = {days}\n");
    let world = World::new();
    let now = || world.state().place(&"eu-west-1".parse().unwrap()).images.values().next().unwrap().machine.clone();
    baked(&with(90), &world);
    assert_eq!(now().deprecated.as_deref(), Some("2027-02-25T11:00:00Z"));
    // It was made half a year ago, and all at once a month is enough.
    world.change(|state| {
        let images = state.place(&"eu-west-1".parse().unwrap()).images.values_mut();
        images.for_each(|held| held.machine.created = "2026-06-01T00:00:00Z".to_owned());
    });
    assert_eq!(baked(&with(30), &world).made[0].changed, ["deprecated from 2026-11-27T12:02:00Z on"]);
    assert!(baked(&with(30), &world).made[0].changed.is_empty());
    assert_eq!(baked(RECIPE, &world).made[0].changed, ["not deprecated any more"]);
    assert_eq!(now().deprecated, None);
    assert!(baked(RECIPE, &world).made[0].changed.is_empty());
}
