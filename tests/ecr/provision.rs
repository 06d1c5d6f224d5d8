//! Repositories are brought to what a target declares, and nothing is called for that is so already.

use std::collections::BTreeSet;
use std::path::Path;

use elkbake::bake::event::{Event, SILENT};
use elkbake::bake::port::EcrControl;
use elkbake::bake::provision::{Order, Wanted, apply, identify, movable, survey};
use elkbake::project::{self, Ecr as Declared};
use elkbake::remote::Wire;
use elkbake::remote::config::{Aws, WireConfig};
use serde_json::Value;

use crate::kitchen::ecr::{ACCOUNT, Ecr, Trouble};
use crate::wire::bench::{config, error};

fn declared(regions: &[&str], more: &str) -> Declared {
    let text = format!("[target.prod.ecr]\naccount = \"{ACCOUNT}\"\nregions = {regions:?}\n{more}\n");
    let project = project::parse(Path::new("elkbake.toml"), &text).unwrap().value;
    project.target.into_values().next().unwrap().ecr.unwrap()
}

fn orders<'d>(declared: &'d Declared, names: &[String], current: &str) -> Vec<Order<'d>> {
    let one = |region| {
        let wanted = names.iter().map(|name| Wanted {
            name: name.parse().unwrap(),
            ecr: declared,
            region,
            current: [current.parse().unwrap()].into(),
            moving: BTreeSet::new(),
        });
        Order { ecr: declared, region, repositories: wanted.collect() }
    };
    declared.regions.iter().map(one).collect()
}

/// Surveys, and does what was found; tells what was to be done.
fn provisioned(wire: &Wire, orders: &[Order<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for (found, order) in survey(wire, orders, SILENT).into_iter().zip(orders) {
        let found = found.unwrap();
        lines.extend(found.lines(order.region));
        apply(wire, &found, SILENT).unwrap();
    }
    lines
}

const ALL: &str = "keep = 5\nreaders = [\"111122223333\"]\nmutable_tags = [\"dev-*\"]\ntags = { team = \"search\" }\n\
    encryption = \"KMS\"\nkms_key = \"alias/elk\"";

#[test]
fn a_repository_is_made_as_declared_and_then_left_alone() {
    let ecr = Ecr::start(&["eu-west-1", "us-east-1"]);
    let declared = declared(&["eu-west-1", "us-east-1"], ALL);
    let wire = Wire::new(ecr.config()).unwrap();
    let orders = orders(&declared, &["elk/kibana".to_owned()], "8.19.3-abc");
    let lines = provisioned(&wire, &orders);
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("elk/kibana in eu-west-1: make it, immutable but for dev-*, scanned on push"),
        "{lines:?}"
    );
    let kept = ecr.kept("us-east-1", "elk/kibana").unwrap();
    assert_eq!(kept.made_with["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(kept.made_with["encryptionConfiguration"]["kmsKey"], "alias/elk");
    assert_eq!(kept.made_with["imageScanningConfiguration"]["scanOnPush"], true);
    assert_eq!(kept.tags["team"], "search");
    let lifecycle: Value = serde_json::from_str(&kept.lifecycle.unwrap()).unwrap();
    assert_eq!(lifecycle["rules"][0]["selection"]["tagPatternList"][0], "8.19.3-abc");
    assert!(kept.policy.unwrap().contains("arn:aws:iam::111122223333:root"));

    let made = ecr.calls().into_iter().filter(|call| call.action == "CreateRepository").map(|call| call.region);
    assert_eq!(made.collect::<BTreeSet<_>>(), ["eu-west-1".to_owned(), "us-east-1".to_owned()].into());
    ecr.forget();
    assert_eq!(provisioned(&wire, &orders), Vec::<String>::new());
    let changes = ecr
        .calls()
        .into_iter()
        .filter(|call| !["Describe", "Get", "List"].iter().any(|reading| call.action.starts_with(reading)));
    assert_eq!(changes.map(|call| call.action).collect::<Vec<_>>(), Vec::<String>::new());
    assert!(movable(&wire, &orders[0], SILENT).unwrap().is_empty());
}

#[test]
fn what_differs_is_changed_by_one_call_each() {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.repository("eu-west-1", "elk/kibana", false);
    let declared = declared(&["eu-west-1"], &ALL.replace("encryption = \"KMS\"\nkms_key = \"alias/elk\"", ""));
    let wire = Wire::new(ecr.config()).unwrap();
    let orders = orders(&declared, &["elk/kibana".to_owned()], "8.19.3-abc");
    assert_eq!(movable(&wire, &orders[0], SILENT).unwrap().len(), 1);
    provisioned(&wire, &orders);
    for action in [
        "PutImageTagMutability",
        "PutImageScanningConfiguration",
        "TagResource",
        "PutLifecyclePolicy",
        "SetRepositoryPolicy",
    ] {
        assert_eq!(ecr.asked(action), 1, "{action}");
    }
    assert_eq!(provisioned(&wire, &orders), Vec::<String>::new());

    let less = self::declared(&["eu-west-1"], "immutable = false\nscan_on_push = false");
    let orders = self::orders(&less, &["elk/kibana".to_owned()], "8.19.3-abc");
    let lines = provisioned(&wire, &orders).join("\n");
    for part in
        ["make its tags mutable", "scan it no more", "remove its lifecycle policy", "remove its repository policy"]
    {
        assert!(lines.contains(part), "no {part} in {lines}");
    }
    let kept = ecr.kept("eu-west-1", "elk/kibana").unwrap();
    assert_eq!((kept.lifecycle, kept.policy), (None, None));
    assert_eq!(provisioned(&wire, &orders), Vec::<String>::new());
}

#[test]
fn the_registry_replicates_from_the_first_region_where_that_is_declared() {
    let regions = ["eu-west-1", "us-east-1"];
    let ecr = Ecr::start(&regions);
    let declared = declared(&regions, "replication = \"declared\"\nprefix = \"elk\"");
    let wire = Wire::new(ecr.config()).unwrap();
    let orders = orders(&declared, &["elk/kibana".to_owned()], "1");
    provisioned(&wire, &orders);
    let rules = ecr.state(|state| state.replication.clone());
    assert_eq!(rules.len(), 1);
    let rule = &rules["eu-west-1"]["rules"][0];
    assert_eq!(
        (&rule["destinations"][0]["region"], &rule["repositoryFilters"][0]["filter"]),
        (&"us-east-1".into(), &"elk/".into())
    );
    assert_eq!(provisioned(&wire, &orders), Vec::<String>::new());
}

#[test]
fn another_account_is_found_out_before_anything_is_asked_of_ecr() {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.keys_of("AKIDKITCHEN", "999999999999");
    let declared = declared(&["eu-west-1"], "");
    let wire = Wire::new(ecr.config()).unwrap();
    let found = survey(&wire, &orders(&declared, &["a".to_owned()], "1"), SILENT).remove(0);
    let message = error!(found, Cloud);
    assert!(message.contains("account 999999999999") && message.contains(ACCOUNT), "{message}");
    assert_eq!(ecr.calls().iter().map(|call| call.action.as_str()).collect::<Vec<_>>(), ["GetCallerIdentity"]);
}

#[test]
fn a_role_is_assumed_once_with_what_it_asks_for() {
    let ecr = Ecr::start(&["eu-west-1", "us-east-1"]);
    ecr.keys_of("AKIDKITCHEN", "999999999999");
    ecr.ask_for("the-external-id");
    let declared = declared(&["eu-west-1", "us-east-1"], "");
    let with = |external_id: &str| {
        let mut config = ecr.config();
        for site in &mut config.ecr {
            site.role = Some(format!("arn:aws:iam::{ACCOUNT}:role/push"));
            site.external_id = Some(external_id.to_owned());
        }
        Wire::new(config).unwrap()
    };
    let wire = with("the-external-id");
    for region in &declared.regions {
        identify(&wire, &declared, region, SILENT).unwrap();
    }
    assert_eq!(ecr.asked("AssumeRole"), 1);
    let message = error!(identify(&with("wrong"), &declared, &declared.regions[0], SILENT), Cloud);
    assert!(message.contains("AssumeRole"), "{message}");
}

#[test]
fn fifty_repositories_in_four_regions_go_through_whatever_the_rates() {
    let regions = ["eu-west-1", "us-east-1", "ap-south-1", "eu-north-1"];
    let ecr = Ecr::start(&regions);
    ecr.limit("CreateRepository", 40);
    ecr.limit("GetLifecyclePolicy", 100);
    // Whether these rates are too low for us depends on how fast the machine is.
    ecr.fault("CreateRepository", 20, Trouble::Error("ThrottlingException"));
    let declared = declared(&regions, "keep = 5");
    let names: Vec<String> = (0..50).map(|n| format!("elk/r{n}")).collect();
    let mut config = ecr.config();
    // Waits of real length, since only they let a rate recover.
    config.timing.first_wait = std::time::Duration::from_millis(100);
    config.timing.longest_wait = std::time::Duration::from_secs(2);
    let wire = Wire::new(config).unwrap();
    let orders = orders(&declared, &names, "1");
    provisioned(&wire, &orders);
    assert_eq!(ecr.state(|state| state.repositories.len()), 200);
    let asked = ecr.asked("CreateRepository");
    assert!(asked >= 200 + 20, "{asked}");
    assert_eq!(provisioned(&wire, &orders), Vec::<String>::new());
}

#[test]
fn what_passes_is_waited_for_and_told() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let declared = declared(&["eu-west-1"], "");
    let notes = std::sync::Mutex::new(Vec::new());
    let tell = |event: Event<'_>| {
        if let Event::Note(note) = event {
            notes.lock().unwrap().push(note.to_owned());
        }
    };
    ecr.fault("GetCallerIdentity", 2, Trouble::Status(503));
    ecr.fault("GetCallerIdentity", 6, Trouble::Error("ThrottlingException"));
    ecr.fault("GetCallerIdentity", 2, Trouble::HangUp);
    let wire = Wire::new(ecr.config()).unwrap();
    identify(&wire, &declared, &declared.regions[0], &tell).unwrap();
    let notes = notes.into_inner().unwrap().join("\n");
    assert!(notes.contains("HTTP 503") && notes.contains("slow down"), "{notes}");

    // It is known then; by another way it is not.
    ecr.fault("GetCallerIdentity", 100, Trouble::Status(500));
    identify(&wire, &declared, &declared.regions[0], SILENT).unwrap();
    let wire = Wire::new(ecr.config()).unwrap();
    error!(identify(&wire, &declared, &declared.regions[0], SILENT), Unreachable);
}

#[test]
fn a_missing_permission_is_named() {
    let ecr = Ecr::start(&["eu-west-1"]);
    ecr.fault("DescribeRepositories", 1, Trouble::Error("AccessDeniedException"));
    let declared = declared(&["eu-west-1"], "");
    let wire = Wire::new(ecr.config()).unwrap();
    let found = survey(&wire, &orders(&declared, &["a".to_owned()], "1"), SILENT).remove(0);
    let message = error!(found, Cloud);
    assert!(message.contains("the permission ecr:DescribeRepositories"), "{message}");
    assert!(!message.contains("very-secret"), "{message}");
}

#[test]
fn a_region_that_is_down_is_unreachable_and_the_others_are_not() {
    let ecr = Ecr::start(&["eu-west-1"]);
    let declared = declared(&["eu-west-1"], "");
    let aws = Aws { endpoint: Some("http://127.0.0.1:1".to_owned()), ..ecr.config().aws };
    let wire = Wire::new(WireConfig { aws, ecr: ecr.config().ecr, ..config() }).unwrap();
    let message = error!(identify(&wire, &declared, &declared.regions[0], SILENT), Unreachable);
    assert!(message.contains("refused"), "{message}");
}

#[test]
fn parameters_are_put_and_put_again() {
    let ecr = Ecr::start(&["eu-west-1", "us-east-1"]);
    let wire = Wire::new(ecr.config()).unwrap();
    let registry = Ecr::name("us-east-1").parse().unwrap();
    for value in ["a@sha256:1", "a@sha256:2"] {
        wire.put_parameter(&registry, "/elkbake/prod/kibana/image", value, SILENT).unwrap();
    }
    let parameters = ecr.state(|state| state.parameters.clone());
    let key = ("us-east-1".to_owned(), "/elkbake/prod/kibana/image".to_owned());
    assert_eq!(parameters.into_iter().collect::<Vec<_>>(), [(key, "a@sha256:2".to_owned())]);
}
