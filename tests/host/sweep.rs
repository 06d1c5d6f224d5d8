//! `elkbake sweep --target`: where it looks.

use super::{AWAY, Guest, HOME, HOST, project};
use crate::kitchen::cloud::Trouble;

#[test]
fn a_region_is_looked_into_where_a_test_or_an_unfinished_push_was() {
    let (amazon, kitchen) = project();
    kitchen.write("recipes/host.toml", HOST.replace("[base.ssm]", "engine = \"user-data\"\n[base.ssm]"));
    let looked = |more: &[&str]| {
        let all = [&["sweep", "--target", "prod", "--all", "--dry-run", "--json"], more].concat();
        let told = kitchen.run(&all).success().json();
        told["regions"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(looked(&[]), [HOME], "a test starts an instance there");
    assert_eq!(looked(&["--region", AWAY]), [AWAY]);
    kitchen.run(&["sweep", "--target", "prod", "--all"]).success().says("prod: nothing is left in eu-west-1");
    kitchen.run(&["sweep", "--region", AWAY]).code(2).complains("--target");
    // The push of a recipe that has gone by now did not reach a region.
    kitchen.write("recipes/host.toml", HOST);
    amazon.fault("CopyImage", 1, Trouble::Error("ResourceLimitExceeded"));
    kitchen.run(&["push"]).code(5);
    std::fs::remove_file(kitchen.project().join("recipes/host.toml")).unwrap();
    assert_eq!(looked(&[]), [AWAY, HOME]);
}

#[test]
fn what_a_killed_test_of_user_data_leaves_is_swept() {
    let (amazon, kitchen) = project();
    amazon.guest(|_| Guest::stays());
    kitchen.write("recipes/host.toml", HOST.replace("[base.ssm]", "engine = \"user-data\"\n[base.ssm]"));
    super::after::killed(&amazon, &kitchen, &["test", "host", "--stock"]);
    let swept = kitchen.run(&["sweep", "--target", "prod", "--all"]).success();
    swept.says("prod: left in eu-west-1").says(" goes").says(" removed");
    super::assert_clean(&amazon);
}
