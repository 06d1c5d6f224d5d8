//! What was begun another way than it can go on: spot instances that go, wrong keys, what somebody has disabled.

use super::bake::{baked, only_error, told};
use crate::bake::event::SILENT;
use crate::bake::host::fixture::{Guest, NOBODY, Papers, RECIPE, Trouble, World, desk};
use crate::bake::host::{HostError, Remains, left, sweep};
use crate::bake::interrupt::Interrupt;

#[test]
fn a_spot_instance_that_was_taken_and_not_seen_is_swept_with_its_request() {
    let papers = Papers::new(&format!("{RECIPE}[bake]\nspot = true\n"));
    let world = World::new();
    world.trouble("eu-west-1 console 1", Trouble::Killed { done: true });
    baked(&papers, &world);
    world.new_process();
    world.change(|state| {
        let run = state.place(&"eu-west-1".parse().unwrap()).instances.values().next().unwrap().order.clone();
        // It may start instances for a day, and not for ever.
        assert_eq!(run.spot.as_deref(), Some("2026-11-28T00:00:00Z"));
    });
    let (order, interrupt) = (papers.order(), Interrupt::default());
    let desk = desk(&world, &interrupt, SILENT);
    let found = left(&[order.site(order.home())], None, NOBODY, desk).unwrap();
    assert_eq!(found.iter().map(|one| one.what).collect::<Vec<_>>(), [Remains::SpotRequest, Remains::Instance]);
    assert!(sweep(&found, desk).iter().all(|swept| swept.error.is_none()));
    assert_eq!(world.inventory().left, Vec::<String>::new());
    assert_eq!((world.count("cancel"), world.count("terminate")), (1, 1));
}

#[test]
fn an_instance_whose_console_is_forgotten_is_replaced() {
    let papers = Papers::new(RECIPE);
    let world = World::new();
    world.trouble("eu-west-1 make_image 1", Trouble::Killed { done: false });
    baked(&papers, &world);
    world.new_process();
    world.change(|state| {
        let runs = state.place(&"eu-west-1".parse().unwrap()).instances.values_mut();
        runs.for_each(|run| run.guest = Guest::Mute);
    });
    let (done, heard) = told(&papers, &world);
    assert!(done.failed.is_empty() && heard.contains("stopped long ago"), "{done:?} {heard}");
    assert_eq!((world.started(), world.inventory().left), (2, vec![]));
    // A new one that says nothing is not well.
    let world = World::new();
    world.change(|state| state.guest = Guest::Mute);
    let error = only_error(baked(&papers, &world));
    assert!(matches!(error, HostError::NoVerdict { .. }) && world.started() == 1, "{error}");
}

#[test]
fn a_copy_that_failed_for_a_wrong_key_is_made_with_the_right_one() {
    let with = |key: &str| Papers::new(&format!("{RECIPE}[ami.regions.us-east-1]\nkms_key = \"alias/{key}\"\n"));
    let world = World::new();
    let there = "us-east-1".parse().unwrap();
    world.change(|state| state.place(&there).fails_copies = true);
    assert_eq!(baked(&with("wrong"), &world).failed.len(), 1);
    world.change(|state| state.place(&there).fails_copies = false);
    world.new_process();
    let again = baked(&with("right"), &world);
    assert!(again.failed.is_empty(), "{:?}", again.failed);
    assert_eq!(again.made.iter().find_map(|made| made.kms_key.as_deref()), Some("alias/right"));
    assert_eq!((world.started(), world.count("copy_image"), world.inventory().left), (1, 1, vec![]));
}

#[test]
fn a_key_that_was_changed_since_is_told_and_not_recorded() {
    let with = |key: char| {
        let arn = format!("arn:aws:kms:eu-west-1:123456789012:key/{}", key.to_string().repeat(36));
        (Papers::new(&format!("{RECIPE}[ami.regions.eu-west-1]\nkms_key = \"{arn}\"\n")), arn)
    };
    let ((first, old), (second, _), world) = (with('1'), with('2'), World::new());
    let (made, heard) = told(&first, &world);
    assert_eq!((made.made[0].kms_key.as_ref(), heard.contains("Warn")), (Some(&old), false), "{heard}");
    let (made, heard) = told(&second, &world);
    assert!(made.failed.is_empty() && heard.contains("raise its `version`"), "{heard}");
    assert_eq!(made.made[0].kms_key, Some(old));
}

#[test]
fn images_name_no_keys_for_disks_that_are_made_empty() {
    let papers = Papers::new(&format!(
        "{RECIPE}[[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 100\nmount = \"/data\"\n\
         [ami.regions.eu-west-1]\nkms_key = \"alias/elk\"\n"
    ));
    let (done, heard) = told(&papers, &World::new());
    assert!(done.failed.is_empty() && heard.contains("cannot say which key encrypts `data`"), "{done:?} {heard}");
}

#[test]
fn a_disabled_image_is_somebodys_wish() {
    let papers = Papers::new(RECIPE);
    let world = World::new();
    baked(&papers, &world);
    let home = "eu-west-1".parse().unwrap();
    world.change(|state| {
        let images = state.place(&home).images.values_mut();
        images.for_each(|held| held.machine.state = "disabled".to_owned());
    });
    world.new_process();
    let error = only_error(baked(&papers, &world)).to_string();
    assert!(error.contains("somebody has disabled it: enable it, or raise"), "{error}");
    let (order, interrupt) = (papers.order(), Interrupt::default());
    let desk = desk(&world, &interrupt, SILENT);
    assert!(left(&[order.site(&home)], None, NOBODY, desk).unwrap().is_empty());
    let mut state = world.state();
    let place = state.place(&home);
    assert_eq!((place.images.len(), place.snapshots.len(), place.instances.len()), (1, 1, 1));
}

#[test]
fn what_is_encrypted_with_the_default_key_is_not_shared() {
    let share = "[ami]\nshare = { accounts = [\"111111111111\"] }\n";
    for (more, region) in [
        ("", "eu-west-1"),
        ("[ami.regions.eu-west-1]\nkms_key = \"alias/aws/ebs\"\n", "eu-west-1"),
        ("[ami.regions.eu-west-1]\nkms_key = \"alias/elk\"\n[ami.regions.us-east-1]\n", "us-east-1"),
    ] {
        let world = World::new();
        let error = baked(&Papers::new(&format!("{RECIPE}{share}{more}")), &world).failed.remove(0).error.to_string();
        assert!(error.contains(&format!("name a `kms_key` of the account in `[ami.regions.{region}]`")), "{error}");
        assert_eq!((world.started(), world.calls().len()), (0, if region == "us-east-1" { 2 } else { 1 }));
    }
}

#[test]
fn names_and_descriptions_are_what_ec2_takes() {
    let long = format!("version = \"{}\"", "9".repeat(100));
    let papers = Papers::new(&RECIPE.replace("version = \"2026.1\"", &long));
    let world = World::new();
    let error = only_error(baked(&papers, &world)).to_string();
    assert!(error.contains("characters, and EC2 takes 128: shorten the recipe's name or version"), "{error}");
    assert_eq!(world.started(), 0);
    let description = |said: &str| {
        let papers = Papers::new(&RECIPE.replace("hosts for the stack", said));
        papers.order().description()
    };
    assert_eq!(description("für alle – “so”"), "fr alle  so");
    assert_eq!(description("日本語"), "made by elkbake");
}

#[test]
fn what_is_about_to_end_is_looked_at_more_often() {
    let (world, interrupt) = (World::new(), Interrupt::default());
    let desk = desk(&world, &interrupt, SILENT);
    let mut looks = crate::bake::host::desk::Looks::new(desk);
    (0..9).for_each(|_| looks.wait().unwrap());
    assert_eq!(looks.pause(), desk.pace.longest);
    looks.hurry();
    assert_eq!(looks.pause(), desk.pace.first);
}
