//! Targets in ECR, by the program as people call it.

mod announced;
mod kept;
mod killed;
mod places;
mod replicated;
mod rights;

use serde_json::Value;

use crate::build::recipe;
use crate::kitchen::ecr::{ACCOUNT, Ecr, Trouble};
use crate::kitchen::project::Kitchen;

/// A project with a target in all regions of an ECR.
fn project(ecr: &Ecr, regions: &[&str], more: &str) -> Kitchen {
    let endpoints = regions.iter().map(|region| format!("{region} = \"{}\"\n", ecr.registry(region).host()));
    let list: Vec<_> = regions.iter().map(|region| format!("\"{region}\"")).collect();
    let target = format!(
        "[target.prod]\nmanifest = \"prod.json\"\n{}[target.prod.ecr]\naccount = \"{ACCOUNT}\"\nregions = [{}]\nprefix = \"elk\"\n{}\n\
         [target.prod.ecr.endpoints]\n{}",
        if more.contains("parameters") { "manifest_repository = \"bakes\"\n" } else { "" },
        list.join(", "),
        more,
        endpoints.collect::<String>(),
    );
    Kitchen::new()
        .file("elkbake.toml", target)
        .recipe("app", &recipe("scratch", ""))
        .file("images/app/etc/app.conf", "a = 1\n")
        .env("AWS_ENDPOINT_URL", &ecr.url())
        .env("AWS_ACCESS_KEY_ID", "AKIDKITCHEN")
        .env("AWS_SECRET_ACCESS_KEY", "very-secret")
}

fn records(kitchen: &Kitchen) -> Value {
    serde_json::from_str(&kitchen.read("prod.json")).unwrap()
}

const BOTH: [&str; 2] = ["eu-west-1", "us-east-1"];

#[test]
fn repositories_are_made_as_declared_and_every_region_gets_the_image() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "parameters = true\nkeep = 10\n");
    kitchen
        .run(&["push", "--target", "prod", "--dry-run"])
        .success()
        .complains("elk/app in us-east-1")
        .says("would send");
    assert_eq!(ecr.asked("CreateRepository"), 0, "a dry run makes nothing");
    let ran = kitchen.run(&["push", "--target", "prod"]).success();
    assert!(!ran.stderr.contains("very-secret"));
    let record = records(&kitchen)["recipes"]["app"]["current"].clone();
    let digest = record["digest"].as_str().unwrap();
    for region in BOTH {
        let place = format!("{}/elk/app@{digest}", Ecr::name(region));
        assert_eq!(record["regions"][region], place);
        assert!(ecr.registry(region).named("elk/app", record["tag"].as_str().unwrap()).is_some());
        let parameter = ("/elkbake/prod/app/image".to_owned(), region.to_owned());
        let parameters = ecr.state(|state| state.parameters.clone());
        assert_eq!(parameters.get(&(parameter.1, parameter.0)), Some(&place), "{parameters:?}");
        let (_, bytes) = ecr.registry(region).named("elk/bakes", "current").unwrap();
        let artifact: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(artifact["artifactType"], "application/vnd.elkbake.manifest.v1+json");
        let layer = artifact["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        let held = ecr.registry(region).held("elk/bakes", &layer).unwrap();
        assert_eq!(String::from_utf8(held).unwrap(), kitchen.read("prod.json"));
    }
    assert_eq!(record["reference"], record["regions"]["eu-west-1"]);
    ecr.forget();
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    let calls: Vec<_> = ecr.calls().iter().map(|call| call.action.clone()).collect();
    assert!(calls.iter().all(|action| action == "GetAuthorizationToken"), "{calls:?}");
    kitchen.run(&["verify", "--target", "prod"]).success().says("as recorded");
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    kitchen.run(&["push", "--target", "prod"]).success();
    assert_eq!(ecr.asked("CreateRepository"), 0, "they are there");
}

#[test]
fn who_makes_no_repository_is_told_how_to() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let kitchen = project(&ecr, &["eu-west-1"], "");
    let ran = kitchen.run(&["push", "--target", "prod", "--no-provision"]).code(4);
    ran.complains("aws ecr create-repository").complains("aws_ecr_repository");
    assert!(!kitchen.has("prod.json"));
    ecr.repository("eu-west-1", "elk/app", true);
    kitchen.run(&["push", "--target", "prod", "--no-provision"]).success();
}

#[test]
fn another_accounts_credentials_are_noticed_before_a_byte_is_sent() {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.keys_of("AKIDKITCHEN", "999999999999");
    let kitchen = project(&ecr, &["eu-west-1"], "");
    kitchen.run(&["push", "--target", "prod"]).code(5).complains("999999999999").complains(ACCOUNT);
    assert_eq!(ecr.asked("CreateRepository"), 0);
    assert!(!ecr.registry("eu-west-1").lines().iter().any(|line| line.starts_with("POST") || line.starts_with("PUT")));
}

#[test]
fn a_clock_that_is_off_is_said_to_be() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let kitchen = project(&ecr, &["eu-west-1"], "");
    // A wrong key is another matter.
    ecr.fault("DescribeRepositories", 1, Trouble::Clock(0));
    let ran = kitchen.run(&["push", "--target", "prod"]).code(5).complains("InvalidSignatureException");
    assert!(!ran.stderr.contains("clock"), "{}", ran.stderr);
    for (action, minutes, expected) in [
        ("GetCallerIdentity", 17, "clock is 17 minutes off, behind the server's"),
        ("DescribeRepositories", -8, "clock is 8 minutes off, ahead of the server's"),
        ("GetAuthorizationToken", -90, "clock is 90 minutes off, ahead of the server's"),
    ] {
        let times = if action == "GetAuthorizationToken" { 100 } else { 1 };
        ecr.fault(action, times, Trouble::Clock(minutes));
        kitchen.run(&["push", "--target", "prod"]).code(5).complains("Signature").complains(expected);
    }
}

#[test]
fn a_region_that_is_down_is_made_up_for_by_the_next_push() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "");
    // The region's registry is down, not its API.
    ecr.registry("us-east-1").fault("/v2/*", 1000, crate::kitchen::registry::Fault::Status(500, None));
    kitchen.run(&["push", "--target", "prod"]).code(4).complains("us-east-1").says("eu-west-1");
    let manifest = records(&kitchen);
    assert!(manifest["recipes"].as_object().unwrap().is_empty(), "nothing is current that is not everywhere");
    let unfinished = &manifest["unfinished"]["app"];
    assert_eq!(unfinished["regions"], serde_json::json!(["eu-west-1"]));
    assert!(unfinished["missing"]["us-east-1"].as_str().unwrap().contains("500"), "{unfinished}");
    ecr.registry("us-east-1").heal();
    kitchen.run(&["push", "--target", "prod"]).success();
    let manifest = records(&kitchen);
    assert!(manifest.get("unfinished").is_none());
    assert_eq!(manifest["recipes"]["app"]["current"]["regions"].as_object().unwrap().len(), 2);
}

#[test]
fn what_ecr_replicates_is_waited_for() {
    let ecr = Ecr::start(&BOTH);
    let kitchen = project(&ecr, &BOTH, "replication = \"existing\"\n");
    let mut child = kitchen.command(&["push", "--target", "prod", "--quiet"]).spawn().unwrap();
    let tag = loop {
        assert!(child.try_wait().unwrap().is_none(), "it waits");
        let tag = ecr.registry("eu-west-1").lines().into_iter().find_map(|line| {
            let tag = line.strip_prefix("PUT /v2/elk/app/manifests/")?;
            Some(tag.to_owned())
        });
        if let Some(tag) = tag
            && ecr.registry("eu-west-1").named("elk/app", &tag).is_some()
        {
            break tag;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let (kind, bytes) = ecr.registry("eu-west-1").named("elk/app", &tag).unwrap();
    ecr.registry("us-east-1").manifest("elk/app", Some(&tag), &kind, &bytes);
    assert!(child.wait().unwrap().success());
    assert_eq!(ecr.registry("us-east-1").received("elk/app"), 0, "nothing is pushed there");
    assert_eq!(records(&kitchen)["recipes"]["app"]["current"]["regions"].as_object().unwrap().len(), 2);
}

#[test]
fn who_may_describe_repositories_and_no_more_can_push_and_verify() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let more = "keep = 5\nreaders = [\"111122223333\"]\ntags = { team = \"search\" }\n";
    let kitchen = project(&ecr, &["eu-west-1"], more);
    ecr.repository("eu-west-1", "elk/app", false);
    for action in ["GetLifecyclePolicy", "GetRepositoryPolicy", "ListTagsForResource"] {
        ecr.fault(action, 100, Trouble::Error("AccessDeniedException"));
    }
    let ran = kitchen.run(&["push", "--target", "prod", "--no-provision"]).success();
    ran.complains("elk/app in eu-west-1 is not as declared; left to do: make its tags immutable; scan it on push");
    kitchen.run(&["verify", "--target", "prod"]).code(1).says("lets tags be moved");
    ecr.registry("eu-west-1").ecr(|ecr| ecr.repositories.insert("elk/app".to_owned(), (true, [].into())));
    ecr.state(|state| {
        let kept = state.repositories.values_mut().next().unwrap();
        kept.made_with = serde_json::json!({ "imageTagMutability": "IMMUTABLE" });
    });
    kitchen.run(&["verify", "--target", "prod"]).success();
}

#[test]
fn a_repository_whose_tags_can_be_moved_does_not_verify() {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.repository("eu-west-1", "elk/app", false);
    let kitchen = project(&ecr, &["eu-west-1"], "");
    kitchen.run(&["push", "--target", "prod", "--no-provision"]).success();
    kitchen.run(&["verify", "--target", "prod"]).code(1).says("lets tags be moved");
    kitchen.write("images/app/etc/app.conf", "a = 2\n");
    kitchen.run(&["push", "--target", "prod"]).success();
    kitchen.run(&["verify", "--target", "prod"]).success();
}

#[test]
fn fifty_repositories_in_four_regions_go_through_at_the_rates_that_aws_allows() {
    let regions = ["eu-west-1", "eu-central-1", "us-east-1", "us-west-2"];
    let ecr = Ecr::start(&regions);
    for action in ["CreateRepository", "DescribeRepositories", "PutLifecyclePolicy", "BatchCheckLayerAvailability"] {
        ecr.limit(action, 200);
    }
    let mut kitchen = project(&ecr, &regions, "");
    for i in 0..49 {
        kitchen =
            kitchen.recipe(&format!("app{i}"), &recipe("scratch", "")).file(&format!("images/app{i}/a"), i.to_string());
    }
    kitchen.run(&["push", "--target", "prod", "--quiet"]).success();
    let manifest = records(&kitchen);
    let recipes = manifest["recipes"].as_object().unwrap();
    assert_eq!(recipes.len(), 50);
    assert!(recipes.values().all(|entry| entry["current"]["regions"].as_object().unwrap().len() == 4));
    ecr.fault("GetAuthorizationToken", 1, Trouble::Error("ThrottlingException"));
    kitchen.run(&["push", "--target", "prod", "--quiet"]).success();
}
