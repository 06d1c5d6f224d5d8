use std::time::Duration;

use crate::ami::verdict::Nonce;
use crate::bake::event::SILENT;
use crate::bake::host::fixture::{Guest, Papers, RECIPE, Trouble, World, desk};
use crate::bake::host::{Desk, HostError, Pace, Trial, Tried, boot_test};
use crate::bake::interrupt::Interrupt;
use crate::recipe::Architecture;

fn tried(recipe: &str, world: &World, image: Option<&str>, interrupt: &Interrupt) -> Vec<Tried> {
    tried_at(desk(world, interrupt, SILENT), recipe, image)
}

/// With other minutes. Whoever comes to an end by what it says or does has to have the time for it on a busy machine.
fn patient(recipe: &str, world: &World, minute: Duration) -> Vec<Tried> {
    let interrupt = Interrupt::default();
    let desk = desk(world, &interrupt, SILENT);
    tried_at(Desk { pace: Pace { minute, ..desk.pace }, ..desk }, recipe, None)
}

fn tried_at(desk: Desk<'_>, recipe: &str, image: Option<&str>) -> Vec<Tried> {
    let papers = Papers::new(recipe);
    let order = papers.order();
    let nonces: Vec<_> =
        order.recipe.architectures.iter().map(|&one| (one, Nonce::of(&order.plan.key(), one))).collect();
    let trial = |(architecture, nonce)| Trial { architecture, image, user_data: b"#!/bin/sh\n", nonce };
    let trials: Vec<_> = nonces.iter().map(|(architecture, nonce)| trial((*architecture, nonce))).collect();
    boot_test(&order, &trials, desk)
}

#[test]
fn a_host_that_says_that_it_is_well_passes_and_is_ended() {
    let recipe = RECIPE.replace("[base]", "architectures = [\"arm64\", \"x86_64\"]\n[base]");
    let world = World::new();
    world.change(|state| state.guest = Guest::Well);
    let tried = patient(&recipe, &world, Duration::from_secs(2));
    assert_eq!(tried.len(), 2);
    for one in tried {
        assert!(one.error.is_none() && one.notes == ["installing jq"], "{one:?}");
        assert!(one.console.last().unwrap().ends_with(" ok") && one.image.starts_with("ami-"), "{one:?}");
        let kind = if one.architecture == Architecture::Arm { "m6g.large" } else { "m6i.large" };
        assert_eq!(one.instance_type, kind);
    }
    assert_eq!((world.started(), world.inventory().left), (2, vec![]));
}

#[test]
fn the_smallest_of_the_types_that_hosts_run_on_is_taken() {
    let types = "instance_types = [\"m6i.12xlarge\", \"m6i.4xlarge\", \"c9.xlarge\"]\n[base]";
    let world = World::new();
    world.change(|state| state.guest = Guest::Well);
    let tried = tried(&RECIPE.replace("[base]", types), &world, Some("ami-1"), &Interrupt::default());
    // There is no c9 in this region.
    assert_eq!((tried[0].instance_type.as_str(), tried[0].image.as_str()), ("m6i.4xlarge", "ami-1"));
}

#[test]
fn a_host_that_is_not_well_fails_and_is_ended() {
    for (guest, words, minute) in [
        (Guest::Bad, "no such package", 2000),
        // Its verdict is waited for, for some minutes more.
        (Guest::Silent, "without a verdict", 200),
        (Guest::Endless, "still running", 20),
    ] {
        let world = World::new();
        world.change(|state| state.guest = guest);
        let timeout = if guest == Guest::Endless { 30 } else { 600 };
        let recipe = format!("{RECIPE}[test]\ntimeout = {timeout}\n");
        let tried = patient(&recipe, &world, Duration::from_millis(minute));
        let error = tried[0].error.as_ref().unwrap().to_string();
        assert!(error.contains(words), "{guest:?}: {error}");
        assert_eq!(world.inventory().left, Vec::<String>::new(), "{guest:?}");
    }
}

#[test]
fn a_test_that_is_cut_off_at_any_call_leaves_no_instance() {
    let whole = World::new();
    whole.change(|state| state.guest = Guest::Well);
    tried(RECIPE, &whole, None, &Interrupt::default());
    for call in whole.calls() {
        let interrupt = Interrupt::default();
        for trouble in [Trouble::Refused, Trouble::Lost, Trouble::Interrupt(interrupt.clone())] {
            if call == "eu-west-1 terminate 1" && matches!(trouble, Trouble::Refused) {
                continue;
            }
            let world = World::new();
            world.change(|state| state.guest = Guest::Well);
            world.trouble(&call, trouble.clone());
            let tried = tried(RECIPE, &world, None, &interrupt);
            assert_eq!(world.inventory().left, Vec::<String>::new(), "{call} {trouble:?}: {tried:?}");
        }
    }
}

#[test]
fn an_instance_that_cannot_be_ended_is_told() {
    let world = World::new();
    world.change(|state| state.guest = Guest::Well);
    world.trouble("eu-west-1 terminate 1", Trouble::Refused);
    let heard = std::sync::Mutex::new(String::new());
    let papers = Papers::new(RECIPE);
    let order = papers.order();
    let nonce = Nonce::of(&order.plan.key(), Architecture::X86);
    let trial = Trial { architecture: Architecture::X86, image: None, user_data: b"", nonce: &nonce };
    let interrupt = Interrupt::default();
    let tell = |event: crate::bake::event::Event<'_>| heard.lock().unwrap().push_str(&format!("{event:?}\n"));
    let tried = boot_test(&order, &[trial], desk(&world, &interrupt, &tell));
    assert!(!matches!(tried[0].error, Some(HostError::Port(_))));
    let heard = heard.into_inner().unwrap();
    assert!(heard.contains("could not be taken down") && heard.contains("`elkbake sweep` will"), "{heard}");
}
