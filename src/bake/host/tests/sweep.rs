use crate::bake::event::SILENT;
use crate::bake::host::fixture::{Guest, NOBODY, Papers, RECIPE, Trouble, World, desk};
use crate::bake::host::{Remains, Users, bake, find, left, sweep};
use crate::bake::interrupt::Interrupt;
use crate::moment::Moment;

/// A world in which a run was killed while its instance ran.
fn killed(papers: &Papers) -> World {
    let world = World::new();
    world.trouble("eu-west-1 console 2", Trouble::Killed { done: true });
    let interrupt = Interrupt::default();
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    world.new_process();
    world
}

#[test]
fn what_a_killed_run_left_is_found_once_it_is_old_enough() {
    let papers = Papers::new(RECIPE);
    let (world, interrupt) = (killed(&papers), Interrupt::default());
    let desk = desk(&world, &interrupt, SILENT);
    let sites = [papers.order().site(papers.order().home())];
    let begun = Moment::parse("2026-11-27T11:00:00Z").unwrap();
    assert!(left(&sites, Some(begun), NOBODY, desk).unwrap().is_empty());
    let found = left(&sites, Some(begun.next()), NOBODY, desk).unwrap();
    assert_eq!(found.iter().map(|one| one.what).collect::<Vec<_>>(), [Remains::Instance]);
    assert_eq!(found[0].recipe.as_deref(), Some("ecs-host"));
    assert!(found[0].name.as_ref().unwrap().starts_with("ecs-host-2026.1-"));
    assert!(sweep(&found, desk).iter().all(|swept| swept.error.is_none()));
    assert_eq!(world.inventory().left, Vec::<String>::new());
}

#[test]
fn what_is_finished_or_used_or_not_ours_is_not_left() {
    let papers = Papers::new(RECIPE);
    let (world, interrupt) = (World::new(), Interrupt::default());
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    let tags = order.tags(crate::recipe::Architecture::X86, order.home());
    world.change(|state| {
        let home = state.place(order.home());
        home.volumes.insert("vol-used".to_owned(), ("in-use".to_owned(), tags.clone()));
        home.volumes.insert("vol-left".to_owned(), ("available".to_owned(), tags.clone()));
        home.volumes.insert("vol-foreign".to_owned(), ("available".to_owned(), crate::bake::port::Tags::default()));
        home.snapshots.insert("snap-left".to_owned(), tags);
        home.snapshots.insert("snap-foreign".to_owned(), crate::bake::port::Tags::default());
    });
    let found = left(&[order.site(order.home())], None, NOBODY, desk).unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["snap-left", "vol-left"]);
}

#[test]
fn an_image_that_was_finished_meanwhile_stays() {
    let papers = Papers::new(RECIPE);
    let (world, interrupt) = (World::new(), Interrupt::default());
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    world.trouble("eu-west-1 tag 1", Trouble::Killed { done: false });
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    world.new_process();
    let found = left(&[order.site(order.home())], None, NOBODY, desk).unwrap();
    assert!(found.iter().any(|one| one.what == Remains::Image), "{found:?}");
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    let swept = sweep(&found, desk);
    let refused: Vec<_> = swept.iter().filter_map(|swept| swept.error.as_ref()).map(ToString::to_string).collect();
    assert!(refused.iter().any(|error| error.contains("a run has finished it meanwhile")), "{refused:?}");
    assert_eq!(world.inventory().finished.len(), 1);
    assert_eq!(world.inventory().left, Vec::<String>::new());
    world.change(|state| state.guest = Guest::Good);
}

#[test]
fn an_image_that_somebody_uses_stays_whatever_is_left_to_do_for_it() {
    let papers = Papers::new(RECIPE);
    let (world, interrupt) = (World::new(), Interrupt::default());
    let (order, desk) = (papers.order(), desk(&world, &interrupt, SILENT));
    world.trouble("eu-west-1 tag 1", Trouble::Killed { done: false });
    drop(bake(&order, &find(&order, desk).unwrap(), &papers.user_data, desk));
    world.new_process();
    let sites = [order.site(order.home())];
    let id = world.state().place(order.home()).images.keys().next().unwrap().clone();
    let (protected, parameters) = ([(id.clone(), "recorded".to_owned())].into(), ["/elk/host".to_owned()].into());
    let check = |users: Users<'_>, why: &str| {
        let found = left(&sites, None, users, desk).unwrap();
        let [image] = &found.iter().filter(|one| one.what != Remains::Instance).collect::<Vec<_>>()[..] else {
            panic!("{found:?}")
        };
        assert_eq!((image.what, image.stays.as_deref()), (Remains::Image, Some(why)));
        let swept = sweep(&found, desk);
        assert!(swept.iter().all(|one| one.leftover.what == Remains::Instance && one.error.is_none()), "{swept:?}");
        assert!(world.state().place(order.home()).images.contains_key(&id));
    };
    check(Users { protected: &protected, ..NOBODY }, "recorded");
    let home = order.home();
    world.change(|state| drop(state.place(home).parameters.insert("/elk/host".to_owned(), id.clone())));
    check(Users { parameters: &parameters, ..NOBODY }, "parameter /elk/host");
    world.change(|state| drop(state.place(home).in_use.insert(id.clone(), ["instance i-1".to_owned()].into())));
    check(NOBODY, "used by instance i-1");
}
