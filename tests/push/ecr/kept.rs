//! No repository lets go of what a manifest names as current.

use super::{project, records};
use crate::build::recipe;
use crate::kitchen::ecr::Ecr;
use crate::kitchen::project::Kitchen;

const REGION: &str = "eu-west-1";

/// Two recipes in one repository, of which one image is kept.
fn shared(ecr: &Ecr) -> Kitchen {
    let text = recipe("scratch", "repository = \"shared\"\n");
    project(ecr, &[REGION], "keep = 1\n")
        .recipe("app", &text)
        .recipe("other", &text)
        .file("images/other/etc/other.conf", "b = 1\n")
}

fn tag(kitchen: &Kitchen, manifest: &str, recipe: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_str(&kitchen.read(manifest)).unwrap();
    manifest["recipes"][recipe]["current"]["tag"].as_str().unwrap().to_owned()
}

fn keeps(ecr: &Ecr, tag: &str) -> bool {
    ecr.kept(REGION, "elk/shared").unwrap().lifecycle.unwrap().contains(&format!("[\"{tag}\"]"))
}

#[test]
fn what_another_recipe_has_in_the_same_repository_stays() {
    let ecr = Ecr::start(&[REGION]);
    let kitchen = shared(&ecr);
    kitchen.run(&["push", "--target", "prod"]).success();
    let other = tag(&kitchen, "prod.json", "other");
    let before = tag(&kitchen, "prod.json", "app");
    // By itself, and in a call in which the other has nothing to do.
    for (content, recipes) in [("a = 2\n", &["app"][..]), ("a = 3\n", &[])] {
        kitchen.write("images/app/etc/app.conf", content);
        kitchen.run(&[&["push", "--target", "prod"], recipes].concat()).success();
        assert!(keeps(&ecr, &other) && keeps(&ecr, &tag(&kitchen, "prod.json", "app")));
    }
    assert!(!keeps(&ecr, &before), "what nobody names goes");
}

#[test]
fn what_another_target_has_in_the_same_repository_stays() {
    let ecr = Ecr::start(&[REGION]);
    let kitchen = shared(&ecr);
    let prod = kitchen.read("elkbake.toml");
    let twin = prod.replace("target.prod", "target.twin").replace("prod.json", "twin.json");
    kitchen.write("elkbake.toml", prod + &twin);
    kitchen.run(&["push", "app", "--target", "prod"]).success();
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    kitchen.run(&["push", "app", "--target", "twin"]).success();
    assert!(keeps(&ecr, &tag(&kitchen, "prod.json", "app")) && keeps(&ecr, &tag(&kitchen, "twin.json", "app")));
}

#[test]
fn what_has_not_reached_all_regions_yet_stays() {
    let ecr = Ecr::start(&super::BOTH);
    let kitchen = project(&ecr, &super::BOTH, "keep = 1\n")
        .recipe("app", &recipe("scratch", "repository = \"shared\"\n"))
        .recipe("other", &recipe("scratch", "repository = \"shared\"\n"))
        .file("images/other/etc/other.conf", "b = 1\n");
    ecr.registry("us-east-1").fault("/v2/*", 1000, crate::kitchen::registry::Fault::Status(500, None));
    kitchen.run(&["push", "app", "--target", "prod"]).code(4);
    let unfinished = records(&kitchen)["unfinished"]["app"]["tag"].as_str().unwrap().to_owned();
    ecr.registry("us-east-1").heal();
    kitchen.run(&["push", "other", "--target", "prod"]).success();
    assert!(keeps(&ecr, &unfinished));
}
