//! The import law of the house, read from the sources: Rust does not forbid circles, so this test does.
//!
//! `house` reads the files, `law` judges them. Here the law is put to this repository, and to made-up
//! sources that break it, so that no rule can fall silent unnoticed.

mod house;
mod law;
mod scan;

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use house::House;

fn this_repository() -> &'static House {
    static HOUSE: LazyLock<House> = LazyLock::new(|| House::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap());
    &HOUSE
}

fn assert_kept(broken: &[String]) {
    assert!(broken.is_empty(), "the law of the house is broken:\n{}", broken.join("\n"));
}

#[test]
fn imports_run_down_the_floors() {
    assert_kept(&law::floors(this_repository()));
}

#[test]
fn no_room_imports_in_a_circle() {
    assert_kept(&law::room_circles(this_repository()));
}

#[test]
fn no_files_of_a_room_import_in_a_circle() {
    assert_kept(&law::file_circles(this_repository()));
}

#[test]
fn every_source_file_is_declared() {
    assert_kept(&law::forgotten_files(this_repository()));
}

#[test]
fn files_are_short_and_named_for_what_is_in_them() {
    assert_kept(&law::long_files(this_repository()));
    assert_kept(&law::vague_names(this_repository()));
}

#[test]
fn every_room_has_a_floor_and_a_place_on_the_map() {
    assert_kept(&law::unmapped_rooms(this_repository()));
}

/// The canonical JSON of recipes, and with it every key, counts on maps that sort their keys. One dependency
/// that asks for `preserve_order` would change that for all of the program.
#[test]
fn no_dependency_turns_off_sorted_maps() {
    for package in ["serde_json", "toml"] {
        let tree = feature_tree(package);
        assert!(
            tree.contains(&format!("{package} feature ")),
            "`cargo tree` did not list {package}'s features:\n{tree}"
        );
        assert!(!tree.contains("\"preserve_order\""), "{package} is built with `preserve_order`:\n{tree}");
    }
}

fn feature_tree(package: &str) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["tree", "--locked", "--offline", "--edges", "features", "--invert", package]);
    if !cfg!(feature = "aws") {
        cargo.arg("--no-default-features");
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A house of made-up files: their paths and what stands in them.
fn made_up(files: &[(&str, &str)]) -> House {
    House::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))).unwrap()
}

#[track_caller]
fn assert_broken(broken: &[String], expected: &[&str]) {
    assert_eq!(broken.len(), expected.len(), "{broken:#?}");
    for (line, start) in broken.iter().zip(expected) {
        assert!(line.starts_with(start), "{line:?} does not start with {start:?}");
    }
}

#[test]
fn an_import_up_the_floors_is_found_however_it_is_written() {
    for source in [
        "//! Doc.\nuse crate::bake::port::Fetch;\n",
        "//! Doc.\npub use crate::bake::port::Fetch;\n",
        "//! Doc.\nuse crate::{digest::Digest, bake::{self, port as p}};\n",
        "//! Doc.\nfn f() { crate::bake::port::fetch() }\n",
        "//! Doc.\nfn f() { use crate::bake as b; b::port::fetch() }\n",
        "//! Doc.\nfn f() { super::bake::port::fetch() }\n",
        "//! Doc.\nmacro_rules! m { () => { $crate::bake::port::fetch() } }\n",
        "//! Doc.\n#[derive(crate::bake::Baked)] struct S;\n",
        "//! Doc.\nmod inner { use super::super::bake::port; }\n",
        "//! Doc.\nuse crate::bake::*;\n",
    ] {
        let house = made_up(&[("src/store.rs", source), ("src/bake.rs", ""), ("src/digest.rs", "")]);
        assert_broken(&law::floors(&house)[..1], &["src/store.rs:2: store (HANDS) imports bake (ROAD)"]);
    }
}

#[test]
fn an_import_from_a_file_deep_in_a_room_is_found() {
    let house = made_up(&[
        ("src/text.rs", "mod read;"),
        ("src/text/read.rs", "\n\nuse super::super::recipe::Recipe;"),
        ("src/recipe.rs", ""),
    ]);
    assert_broken(&law::floors(&house), &["src/text/read.rs:3: text (GROUND) imports recipe (PAPER)"]);
}

#[test]
fn what_only_looks_like_an_import_is_none() {
    let house = made_up(&[
        (
            "src/digest.rs",
            "//! [`crate::bake`]\n// use crate::bake;\n/* use crate::bake; */ const A: &str = \"use crate::bake;\";\n\
             const B: &str = r#\"crate::bake::x\"#; pub(crate) struct C; use bake::Other; use ::bake::Another;",
        ),
        ("src/bake.rs", ""),
    ]);
    assert_broken(&law::floors(&house), &[]);
}

#[test]
fn tests_may_import_what_they_like() {
    let house = made_up(&[
        (
            "src/digest.rs",
            "#[cfg(test)]\nmod tests { use crate::bake::Bake; }\n#[cfg(test)] use crate::bake::Bake;\n\
             #[cfg(test)] #[must_use] fn f() -> crate::bake::Bake { crate::bake::new() }\n\
             #[cfg(all(test, unix))] mod more;",
        ),
        ("src/digest/more.rs", "use crate::bake::Bake;"),
        ("src/bake.rs", ""),
    ]);
    assert_broken(&law::floors(&house), &[]);
}

#[test]
fn code_that_is_not_for_tests_is_no_test() {
    let house = made_up(&[("src/digest.rs", "#[cfg(not(test))]\nuse crate::bake::Bake;"), ("src/bake.rs", "")]);
    assert_broken(&law::floors(&house), &["src/digest.rs:2: digest (GROUND) imports bake (ROAD)"]);
}

#[test]
fn the_street_has_its_own_rules() {
    let house = made_up(&[
        ("src/main.rs", "use elkbake::cli;\nuse elkbake::remote::Http;\n"),
        ("src/cli.rs", "use crate::remote::Http; use crate::bake::Road;"),
        (
            "src/remote.rs",
            "use crate::cli::Ui;\nuse crate::bake::port::Fetch; use crate::bake::Event;\nuse crate::bake::Road;",
        ),
        ("src/bake.rs", "mod event; pub mod port; mod road;\npub use event::Event;\npub use road::Road;"),
        ("src/bake/event.rs", ""),
        ("src/bake/port.rs", ""),
        ("src/bake/road.rs", "use crate::cli;"),
    ]);
    assert_broken(
        &law::floors(&house),
        &[
            "src/bake/road.rs:1: bake (ROAD) imports cli (STREET)",
            "src/main.rs:2: main imports remote: only cli joins remote to the rest",
            "src/remote.rs:1: remote imports cli: only main imports cli",
            "src/remote.rs:3: remote imports src/bake/road.rs: of bake it may know port, event and interrupt only",
        ],
    );
}

#[test]
fn nothing_is_imported_from_the_crate_root() {
    let house = made_up(&[("src/lib.rs", "pub mod digest; pub const X: u8 = 1;"), ("src/digest.rs", "use crate::X;")]);
    assert_broken(&law::floors(&house), &["src/digest.rs:1: digest imports `crate::X` from the crate root"]);
}

#[test]
fn a_circle_of_rooms_is_found_even_where_no_files_make_one() {
    let house = made_up(&[
        ("src/plan.rs", "mod a; mod b;"),
        ("src/plan/a.rs", "use crate::lock::a;"),
        ("src/plan/b.rs", ""),
        ("src/lock.rs", "mod a; mod b;"),
        ("src/lock/a.rs", ""),
        ("src/lock/b.rs", "\nuse crate::plan::b;"),
    ]);
    assert_broken(&law::floors(&house), &[]);
    assert_broken(&law::file_circles(&house), &[]);
    assert_broken(
        &law::room_circles(&house),
        &["src/lock/b.rs:2: a circle: lock -> plan -> lock, closed by src/plan/a.rs:1"],
    );
}

#[test]
fn a_circle_of_files_is_found_between_siblings_and_through_the_parent() {
    let siblings = made_up(&[
        ("src/text.rs", "mod a; mod b; mod c;"),
        ("src/text/a.rs", "use super::b::B;"),
        ("src/text/b.rs", "use super::c::C;"),
        ("src/text/c.rs", "\nuse crate::text::a::A;"),
    ]);
    assert_broken(
        &law::file_circles(&siblings),
        &["src/text/a.rs:1: a circle: src/text/a.rs -> src/text/b.rs -> src/text/c.rs -> src/text/a.rs, closed by"],
    );
    let parent = made_up(&[
        ("src/text.rs", "mod a; pub struct Problem;\nfn f() { a::read() }"),
        ("src/text/a.rs", "use super::Problem;"),
    ]);
    assert_broken(
        &law::file_circles(&parent),
        &["src/text.rs:2: a circle: src/text.rs -> src/text/a.rs -> src/text.rs, closed by src/text/a.rs:1"],
    );
}

#[test]
fn a_parent_may_be_the_door_of_its_children() {
    let house = made_up(&[
        ("src/text.rs", "mod a; mod b;\npub use a::A; pub(crate) use b::{B as Bee, C}; pub use toml::Spanned;"),
        ("src/text/a.rs", "use super::{Bee, Spanned}; use crate::text::C;"),
        ("src/text/b.rs", "use toml::Spanned;"),
    ]);
    assert_broken(&law::file_circles(&house), &[]);
}

#[test]
fn a_door_hides_no_circle() {
    let house = made_up(&[
        ("src/text.rs", "mod a; mod b;\npub use a::A; pub use b::B;"),
        ("src/text/a.rs", "use super::B;"),
        ("src/text/b.rs", "use crate::text::A;"),
    ]);
    assert_broken(
        &law::file_circles(&house),
        &["src/text/a.rs:1: a circle: src/text/a.rs -> src/text/b.rs -> src/text/a.rs, closed by src/text/b.rs:1"],
    );
}

#[test]
fn a_file_that_nobody_declares_is_found() {
    let house = made_up(&[
        ("src/lib.rs", "pub mod a; // pub mod c;"),
        ("src/a.rs", "#[cfg(test)] mod tests;"),
        ("src/a/tests.rs", ""),
        ("src/a/b.rs", ""),
        ("src/c.rs", ""),
        ("tests/main.rs", "mod kitchen;"),
        ("tests/kitchen.rs", ""),
        ("tests/check.rs", "#[test] fn f() {}"),
    ]);
    let lost = ["src/a/b.rs:1: no `mod b;`", "src/c.rs:1: no `mod c;`", "tests/check.rs:1: no `mod check;`"];
    assert_broken(&law::forgotten_files(&house), &lost);
    let hidden = made_up(&[("src/lib.rs", "#[path = \"elsewhere.rs\"]\npub mod a;"), ("src/a.rs", "")]);
    assert_broken(&law::forgotten_files(&hidden), &["src/lib.rs:1: `#[path]`"]);
}

#[test]
fn a_long_file_is_found_and_tests_do_not_count() {
    let lines = |n: usize| "const A: u8 = 1;\n".repeat(n);
    let tests = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", lines(400), lines(300));
    let house = made_up(&[("src/a.rs", &lines(401)), ("src/b.rs", &lines(400)), ("src/c.rs", &tests)]);
    assert_broken(&law::long_files(&house), &["src/a.rs:401: 401 lines"]);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    let house =
        made_up(&[("src/text/utils.rs", ""), ("src/text/mod.rs", ""), ("tests/common.rs", ""), ("src/a.rs", "")]);
    let vague = ["src/text/mod.rs:1: ", "src/text/utils.rs:1: ", "tests/common.rs:1: "];
    assert_broken(&law::vague_names(&house), &vague);
}

#[test]
fn a_room_without_floor_or_place_on_the_map_is_found() {
    let house = made_up(&[
        ("src/lib.rs", "//! The map: `digest`.\n\npub mod digest; pub mod name; pub mod attic;"),
        ("src/digest.rs", ""),
        ("src/name.rs", "// `name`"),
        ("src/attic.rs", ""),
    ]);
    assert_broken(
        &law::unmapped_rooms(&house),
        &[
            "src/attic.rs:1: the room `attic` has no floor",
            "src/attic.rs:1: the room `attic` is not on the map",
            "src/name.rs:1: the room `name` is not on the map",
        ],
    );
}

#[test]
fn a_source_that_is_no_rust_is_an_error() {
    assert!(House::new([("src/a.rs".to_owned(), "fn f( {".to_owned())]).is_err());
}
