//! `elkbake push --print-policy` against what is really asked of AWS.

use std::collections::BTreeSet;

use super::project;
use crate::real::pipelines::lint;

#[test]
fn the_policy_allows_all_that_a_push_asks_for() {
    let (amazon, kitchen) = project();
    let policy = kitchen.run(&["push", "--print-policy"]).success().json();
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|one| one["Action"].as_array().unwrap());
    let allowed: BTreeSet<&str> = actions.map(|action| action.as_str().unwrap()).collect();
    lint(&policy.to_string());
    amazon.forget();
    kitchen.run(&["push"]).success();
    for call in amazon.calls() {
        let action = format!("{}:{}", call.service, call.action);
        // AWS allows it to everybody.
        assert!(action == "sts:GetCallerIdentity" || allowed.contains(action.as_str()), "{action} is not allowed");
    }
}

#[test]
fn a_policy_is_for_one_target_in_aws() {
    let (_amazon, kitchen) = project();
    kitchen.run(&["push", "--print-policy", "--dry-run"]).code(2).complains("cannot be used with");
    kitchen.write("elkbake.toml", "[target.a]\noci = \"a\"\nmanifest = \"a.json\"\n[target.b]\noci = \"b\"\n");
    kitchen.run(&["push", "--print-policy", "--target", "a", "--target", "b"]).code(2).complains("one target");
    kitchen.run(&["push", "--print-policy", "--target", "a"]).code(3).complains("nothing of this target is in AWS");
}
