//! What is not built, although it could be: images that would not work. The store stays as it was.

use crate::build::{recipe, rootfs};
use crate::kitchen::project::{Kitchen, Ran};

/// A recipe of a product, on a root file system, with one file of its own.
pub(super) fn kitchen(product: &str, path: &str, text: &str, more: &str) -> Kitchen {
    let recipe = recipe("rootfs:base.tar.gz", more)
        .replace("\"generic\"", &format!("\"{product}\""))
        .replace("\"1.0\"", "\"8.19.3\"");
    Kitchen::new().recipe("app", &recipe).file("base.tar.gz", rootfs()).file(&format!("images/app/{path}"), text)
}

/// Builds, which has to fail, and to leave the store as it was when the recipe had been locked.
pub(super) fn refused(kitchen: &Kitchen, code: i32) -> Ran {
    kitchen.run(&["lock"]).success();
    kitchen.run(&["store", "verify"]).success();
    let before = kitchen.stored();
    let ran = kitchen.run(&["build", "app"]).code(code).complains("hint: ");
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error")).count(), 1, "{}", ran.stderr);
    assert_eq!(kitchen.stored(), before, "{}", ran.stderr);
    ran
}

#[test]
fn findings_that_are_errors_stop_a_build_with_code_place_and_remedy() {
    let es = "usr/share/elasticsearch/config";
    let loose = "[files]\n\"**/filebeat.yml\" = { mode = \"0666\" }\n";
    for (product, path, text, more, place, remedy) in [
        (
            "elasticsearch",
            format!("{es}/elasticsearch-plugins.yml"),
            "plugins: []\n",
            "",
            ":1: ",
            "[ES040]\n    Leave the file out and list",
        ),
        ("elasticsearch", format!("{es}/elasticsearch.yml"), "a: 1\nb: [\n", "", ":", "[ES060]\n    "),
        ("elasticsearch", "usr/share/elasticsearch/plugins/readme".into(), "x", "", ":1: ", "[ES041]\n    "),
        (
            "fluent-bit",
            "fluent-bit/etc/fluent-bit.conf".into(),
            "[SERVICE]\n",
            "",
            ":1: ",
            "[FL001]\n    Bake it under",
        ),
        ("filebeat", "usr/share/filebeat/filebeat.yml".into(), "a: 1\n", loose, ":1: ", "[FB001]\n    Give it `mode"),
    ] {
        let kitchen = kitchen(product, &path, text, more);
        let ran = refused(&kitchen, 3).complains("recipe app would make an image that does not work:\n");
        ran.complains(&format!("  images/app/{path}{place}")).complains(remedy).complains("`elkbake check app`");
        // Who knows better has an image of no product.
        let recipe = kitchen.read("recipes/app.toml").replace(&format!("\"{product}\""), "\"generic\"");
        kitchen.write("recipes/app.toml", recipe);
        kitchen.run(&["build", "app"]).success();
    }
}

#[test]
fn a_recipe_below_is_held_to_the_same_rules() {
    let kitchen = kitchen("fluent-bit", "fluent-bit/etc/fluent-bit.conf", "[SERVICE]\n", "");
    let kitchen = kitchen.recipe("child", &recipe("recipe:app", "")).file("images/child/etc/child", "child");
    let ran = kitchen.run(&["build", "child"]).code(3).complains("recipe app would make an image");
    ran.complains("images/app/fluent-bit/etc/fluent-bit.conf:1: ");
}

#[test]
fn a_secret_counts_for_more_and_a_warning_for_less() {
    let path = "fluent-bit/etc/fluent-bit.conf";
    let kitchen = kitchen("fluent-bit", path, "[SERVICE]\n# AKIAIOSFODNN7EXAMPLA\n", "");
    kitchen.run(&["build", "app"]).code(7).complains(&format!("images/app/{path}:2: ")).complains("[GEN010]");
    std::fs::remove_file(kitchen.project().join("images/app").join(path)).unwrap();
    kitchen.write("images/app/etc/app.conf~", "older\n");
    kitchen.run(&["check", "app"]).success().says("warning[GEN019]");
    let ran = kitchen.run(&["build", "app"]).success();
    assert!(!ran.stderr.contains("GEN019"), "{}", ran.stderr);
}
