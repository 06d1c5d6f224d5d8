//! Every call of a bake goes wrong once, in every way: nothing is left over, and the next run comes to the right end.

use std::collections::BTreeSet;

use crate::bake::event::SILENT;
use crate::bake::host::fixture::{NOBODY, Papers, RECIPE, Trouble, World, desk};
use crate::bake::host::{Baked, HostError, bake, find, left, sweep};
use crate::bake::interrupt::Interrupt;

const OUTPUT: &str = "
[ami]
encrypted = false
deprecate_after = 90
ssm_parameter = \"/elk/host\"
share = { accounts = [\"210987654321\"] }
[ami.regions.eu-west-1]
launch_templates = { x86_64 = \"es\" }
[ami.regions.eu-central-1]
[ami.regions.us-east-1]
";

fn papers() -> Papers {
    Papers::new(&format!("{RECIPE}{OUTPUT}"))
}

fn world() -> World {
    let world = World::new();
    world.change(|state| {
        let template = crate::bake::port::Template {
            id: "lt-1".to_owned(),
            name: "es".to_owned(),
            default: 1,
            latest: 1,
            latest_image: None,
        };
        state.place(&"eu-west-1".parse().unwrap()).templates.insert("es".to_owned(), template);
    });
    world
}

fn run(papers: &Papers, world: &World, interrupt: &Interrupt) -> Result<Baked, HostError> {
    let (order, desk) = (papers.order(), desk(world, interrupt, SILENT));
    let sights = find(&order, desk)?;
    Ok(bake(&order, &sights, &papers.user_data, desk))
}

/// All calls of a bake that goes well.
fn all_calls(papers: &Papers) -> BTreeSet<String> {
    let world = world();
    let baked = run(papers, &world, &Interrupt::default()).unwrap();
    assert!(baked.failed.is_empty(), "{:?}", baked.failed);
    world.calls().into_iter().collect()
}

fn assert_right(papers: &Papers, world: &World, call: &str) {
    world.new_process();
    let baked = run(papers, world, &Interrupt::default()).unwrap();
    assert!(baked.failed.is_empty(), "{call}: {:?}", baked.failed);
    let inventory = world.inventory();
    assert_eq!((inventory.finished.len(), &inventory.left), (3, &vec![]), "{call}");
    let mut state = world.state();
    for made in &baked.made {
        assert_eq!(state.place(&made.region).parameters.get("/elk/host"), Some(&made.id), "{call}");
        let held = &state.place(&made.region).images[&made.id];
        assert!(held.machine.imds_v2 && held.machine.deprecated.as_deref() == Some("2027-02-25T11:00:00Z"), "{call}");
        assert_eq!(held.share.accounts.len(), 1, "{call}");
        assert_eq!(held.snapshot_share.len(), 1, "{call}");
    }
    let home = "eu-west-1".parse().unwrap();
    let id = baked.made.iter().find(|made| made.region == home).map(|made| made.id.clone());
    assert_eq!(state.place(&home).templates["es"].latest_image, id, "{call}");
}

/// What is left of a run that was not killed: nothing, but images that only lack something.
fn assert_clean(world: &World, result: &Result<Baked, HostError>, call: &str) {
    assert_eq!(world.dangling(), Vec::<String>::new(), "{call}");
    let failed = result.as_ref().map(|baked| &baked.failed[..]).unwrap_or_default();
    let kept = failed.iter().filter(|failed| matches!(failed.error, HostError::Unfinished { .. })).count();
    let left = world.inventory().left;
    assert!(left.len() <= kept, "{call}: {left:?}, {failed:?}");
    assert!(left.iter().all(|one| one.contains("available")), "{call}: {left:?}");
}

/// Lets each call of a bake meet some trouble once, looks at what the run has left, and then pushes again.
fn after_each(trouble: impl Fn(Interrupt) -> Trouble, look: impl Fn(&Papers, &World, &Result<Baked, HostError>, &str)) {
    let papers = papers();
    for call in all_calls(&papers) {
        let (world, interrupt) = (world(), Interrupt::default());
        world.trouble(&call, trouble(interrupt.clone()));
        let result = run(&papers, &world, &interrupt);
        look(&papers, &world, &result, &call);
        assert_right(&papers, &world, &call);
    }
}

#[test]
fn a_call_that_is_refused_leaves_nothing() {
    after_each(
        |_| Trouble::Refused,
        |papers, world, result, call| {
            if call.contains(" terminate ") {
                assert_eq!(world.inventory().left.len(), 1, "{call}");
                swept(papers, world, call);
            }
            assert_clean(world, result, call);
        },
    );
}

#[test]
fn a_call_whose_answer_is_lost_leaves_nothing() {
    after_each(|_| Trouble::Lost, |_, world, result, call| assert_clean(world, result, call));
}

#[test]
fn ctrl_c_at_any_call_leaves_nothing() {
    after_each(Trouble::Interrupt, |_, world, result, call| {
        let left = world.inventory().left;
        assert_eq!(left, Vec::<String>::new(), "{call}: {result:?}");
        assert_eq!(world.dangling(), Vec::<String>::new(), "{call}");
    });
}

/// Who does not push again can sweep.
fn swept(papers: &Papers, world: &World, call: &str) {
    world.new_process();
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(world, &interrupt, SILENT));
    let sites: Vec<_> = order.regions().into_iter().map(|region| order.site(region)).collect();
    let found = left(&sites, None, NOBODY, desk).unwrap();
    let swept = sweep(&found, desk);
    assert!(swept.iter().all(|swept| swept.error.is_none()), "{call}: {swept:?}");
    assert_eq!(world.inventory().left, Vec::<String>::new(), "{call}: {found:?}");
    assert!(left(&sites, None, NOBODY, desk).unwrap().is_empty(), "{call}");
    assert_eq!(world.dangling(), Vec::<String>::new(), "{call}");
}

#[test]
fn what_a_killed_run_left_can_be_swept() {
    let papers = papers();
    for call in all_calls(&papers) {
        for done in [false, true] {
            let world = world();
            world.trouble(&call, Trouble::Killed { done });
            drop(run(&papers, &world, &Interrupt::default()));
            swept(&papers, &world, &format!("{call} {done}"));
        }
    }
}

#[test]
fn a_run_goes_on_where_another_was_killed_with_the_instance_that_it_had() {
    let papers = papers();
    for call in all_calls(&papers) {
        for done in [false, true] {
            let world = world();
            world.trouble(&call, Trouble::Killed { done });
            drop(run(&papers, &world, &Interrupt::default()));
            let call = format!("{call} {done}");
            assert_right(&papers, &world, &call);
            assert_eq!(world.started(), 1, "{call}");
        }
    }
}
