use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::project;
use crate::recipe::{From, Recipe};

const EC2: &str = "[target.prod]\nmanifest = \"p.json\"\n[target.prod.ec2]\naccount = \"123456789012\"\n";
const ECR: &str = "[target.prod.ecr]\naccount = \"123456789012\"\nregions = [\"eu-west-1\", \"eu-central-1\"]\n";
const HOST: &str = "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\n[base]\nid = \"ami-0123456789abcdef0\"\n";

fn image(name: &str) -> (String, String) {
    let text = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nplatforms = [\"linux/amd64\"]\n\
         from = \"210987654321.dkr.ecr.us-east-1.amazonaws.com/base/{name}:1\"\n"
    );
    (name.to_owned(), text)
}

fn policy(project: &str, recipes: &[(String, String)]) -> Result<Value, PolicyError> {
    policy_of(project, recipes, true)
}

fn policy_of(project: &str, recipes: &[(String, String)], provision: bool) -> Result<Value, PolicyError> {
    let project = project::parse(Path::new("elkbake.toml"), project).unwrap().value;
    let read = |(name, text): &(String, String)| {
        (name.parse().unwrap(), crate::recipe::parse(Path::new("r.toml"), text).unwrap().value)
    };
    let recipes: Vec<_> = recipes.iter().map(read).collect();
    let target = project.target("prod").unwrap();
    let base = |(_, recipe): &(_, Recipe)| match recipe {
        Recipe::Image(image) => match &image.from {
            From::Registry(reference) => Some(reference.clone()),
            _ => None,
        },
        Recipe::Ami(_) => None,
    };
    let bases: Vec<_> = recipes.iter().filter_map(base).collect();
    let rights = Rights { name: "prod", target: &target, recipes: &recipes, bases: &bases, provision };
    Policy::of(&rights).map(|policy| serde_json::to_value(policy).unwrap())
}

fn statement<'p>(policy: &'p Value, sid: &str) -> &'p Value {
    let all = policy["Statement"].as_array().unwrap();
    all.iter().find(|one| one["Sid"] == sid).unwrap_or_else(|| panic!("no {sid} in {policy:#}"))
}

fn host(more: &str) -> Vec<(String, String)> {
    vec![("host".to_owned(), HOST.to_owned() + more)]
}

#[test]
fn images_get_their_repositories_and_nothing_of_ec2() {
    let policy = policy(&(EC2.to_owned() + ECR), &[image("kibana")]).unwrap();
    let repositories = &statement(&policy, "Images")["Resource"];
    assert_eq!(
        *repositories,
        json!([
            "arn:aws:ecr:eu-central-1:123456789012:repository/kibana",
            "arn:aws:ecr:eu-west-1:123456789012:repository/kibana"
        ])
    );
    assert_eq!(
        statement(&policy, "Bases")["Resource"],
        json!(["arn:aws:ecr:us-east-1:210987654321:repository/base/kibana"])
    );
    assert!(!policy.to_string().contains("ec2:"), "{policy:#}");
}

#[test]
fn bases_that_the_accounts_own_parameters_name_are_read_in_the_shorter_form_too() {
    let many: Vec<_> = (0..100)
        .map(|i| {
            let base = format!("[base.ssm]\nx86_64 = \"/elk/base-of-a-host-with-a-long-name-{i}\"\n");
            let text = HOST.replace("[base]\nid = \"ami-0123456789abcdef0\"\n", &base);
            (format!("host-{i}"), if i == 0 { text } else { text.replace("/elk/", "/aws/service/") })
        })
        .collect();
    let policy = policy(EC2, &many).unwrap();
    assert_eq!(
        statement(&policy, "BaseParameters")["Resource"],
        json!([
            "arn:aws:ssm:eu-west-1:123456789012:parameter/elk/base-of-a-host-with-a-long-name-0",
            "arn:aws:ssm:eu-west-1::parameter/aws/service/*"
        ])
    );
}

#[test]
fn who_makes_no_repository_looks_at_them_and_no_more() {
    let policy = policy_of(&(EC2.to_owned() + ECR), &[image("kibana")], false).unwrap();
    assert_eq!(statement(&policy, "Repositories")["Action"], json!(["ecr:DescribeRepositories"]));
    let all: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].clone()).collect();
    assert_eq!(all, ["Token", "Images", "Repositories", "Bases"]);
}

#[test]
fn keys_are_named_where_the_target_names_one_and_used_through_ecr_only() {
    let of = |more: &str| policy(&format!("{EC2}{ECR}encryption = \"KMS\"\n{more}"), &[image("kibana")]).unwrap();
    // That of the account's own lets in whoever comes through ECR.
    assert!(!of("").to_string().contains("kms:"));
    let policy = of("kms_key = \"11111111-2222-3333-4444-555555555555\"\n");
    let keys = statement(&policy, "Keys");
    assert_eq!(keys["Resource"][1], "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555");
    let through = json!(["ecr.eu-central-1.amazonaws.com", "ecr.eu-west-1.amazonaws.com"]);
    assert_eq!(keys["Condition"]["StringEquals"]["kms:ViaService"], through);
}

#[test]
fn bases_under_any_name_of_ecrs_are_read() {
    for name in ["dkr.ecr-fips.us-east-1.amazonaws.com", "dkr-ecr.us-east-1.on.aws"] {
        let (recipe, text) = image("kibana");
        let text = text.replace("dkr.ecr.us-east-1.amazonaws.com", name);
        let policy = policy(&(EC2.to_owned() + ECR), &[(recipe, text)]).unwrap();
        let bases = &statement(&policy, "Bases")["Resource"];
        assert_eq!(*bases, json!(["arn:aws:ecr:us-east-1:210987654321:repository/base/kibana"]), "{name}");
    }
}

#[test]
fn what_does_not_fit_is_said_by_the_prefix() {
    let many: Vec<_> = (0..100).map(|i| image(&format!("a-recipe-with-a-long-name-{i}"))).collect();
    let text = format!("{EC2}{ECR}prefix = \"elk\"\n");
    let without_bases: Vec<_> =
        many.iter().map(|(name, text)| (name.clone(), text.replace("210987654321.dkr.ecr.us-east-1", "a"))).collect();
    let rough = policy(&text, &without_bases).unwrap();
    assert_eq!(statement(&rough, "Images")["Resource"][1], "arn:aws:ecr:eu-west-1:123456789012:repository/elk/*");
    assert!(matches!(policy(&text, &many), Err(PolicyError::TooLong(_))));
}

#[test]
fn hosts_may_touch_only_what_bears_their_mark() {
    let policy = policy(EC2, &host("")).unwrap();
    for sid in ["Run", "Image", "Tag"] {
        assert_eq!(statement(&policy, sid)["Condition"]["Null"], json!({ "aws:RequestTag/elkbake:run": "false" }));
    }
    let own = statement(&policy, "Own");
    assert_eq!(own["Condition"]["Null"], json!({ "aws:ResourceTag/elkbake:run": "false" }));
    assert_eq!(own["Condition"]["StringEquals"], json!({ "aws:RequestedRegion": "eu-west-1" }));
    for absent in ["kms:", "ssm:PutParameter", "iam:", "LaunchTemplateVersion\"", "Spot"] {
        // What another version of the recipe has asked for is found and taken back all the same.
        let seen = ["DescribeLaunchTemplateVersions", "DescribeSpotInstanceRequests", "CancelSpotInstanceRequests"];
        let text = seen.iter().fold(policy.to_string(), |text, seen| text.replace(seen, ""));
        assert!(!text.contains(absent), "{absent}");
    }
}

#[test]
fn what_a_recipe_asks_for_is_allowed_and_no_more() {
    let more = "ssm_parameter = \"/elk/host\"\nmove_default = true\n[ami.regions.eu-central-1]\n\
        kms_key = \"alias/elk\"\n[ami.regions.eu-central-1.launch_templates]\nx86_64 = \"lt-0123456789abcdef0\"\n\
        [bake]\nspot = true\n";
    let project = format!(
        "{EC2}subnet = \"subnet-0123456789abcdef0\"\nsecurity_groups = [\"sg-0123456789abcdef0\"]\n\
         instance_profile = \"bake\"\n"
    );
    let policy = policy(&project, &host(&format!("[ami]\n{more}"))).unwrap();
    assert_eq!(statement(&policy, "HostKeys")["Resource"], json!(["arn:aws:kms:eu-central-1:123456789012:key/*"]));
    assert_eq!(
        statement(&policy, "HostParameters")["Resource"],
        json!([
            "arn:aws:ssm:eu-central-1:123456789012:parameter/elk/host",
            "arn:aws:ssm:eu-west-1:123456789012:parameter/elk/host"
        ])
    );
    let templates = statement(&policy, "Templates");
    assert_eq!(templates["Resource"], json!(["arn:aws:ec2:*:123456789012:launch-template/lt-0123456789abcdef0"]));
    assert_eq!(templates["Action"], json!(["ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"]));
    let from = &statement(&policy, "RunFrom")["Resource"];
    assert!(from.to_string().contains("subnet/subnet-0123456789abcdef0") && !from.to_string().contains("group/*"));
    statement(&policy, "PassRole");
    assert!(statement(&policy, "Own")["Action"].to_string().contains("CancelSpotInstanceRequests"));
}

#[test]
fn user_data_is_tested_by_an_instance_that_becomes_no_image() {
    let user_data = HOST.replace("[base]", "engine = \"user-data\"\n[base]") + "[ami.regions.eu-central-1]\n";
    let policy = policy(EC2, &[("host".to_owned(), user_data)]).unwrap();
    assert_eq!(
        statement(&policy, "RunFrom")["Condition"]["StringEquals"],
        json!({ "aws:RequestedRegion": "eu-west-1" })
    );
    let all: Vec<_> = policy["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].clone()).collect();
    assert_eq!(all, ["RunFrom", "Run", "Tag", "Seen", "Own"]);
    let own = statement(&policy, "Own")["Action"].to_string();
    assert!(own.contains("ec2:TerminateInstances") && !own.contains("ec2:CreateImage"), "{own}");
}

#[test]
fn folders_need_no_right() {
    let folder = "[target.prod]\noci = \"out\"\n";
    assert_eq!(policy(folder, &[image("kibana")]).unwrap_err(), PolicyError::NotAws);
}

#[test]
fn what_launch_templates_of_others_name_may_be_read_to_prune() {
    let policy = policy(EC2, &host("")).unwrap();
    assert_eq!(
        statement(&policy, "PruneParameters")["Resource"],
        json!(["arn:aws:ssm:*:123456789012:parameter/*", "arn:aws:ssm:*::parameter/aws/service/*"])
    );
}

#[test]
fn china_is_a_part_of_its_own() {
    let policy =
        policy(EC2, &host("").into_iter().map(|(n, t)| (n, t.replace("eu-west-1", "cn-north-1"))).collect::<Vec<_>>());
    assert!(policy.unwrap().to_string().contains("arn:aws-cn:ec2:"));
}

#[test]
fn whatever_may_be_needed_is_allowed_to_who_needs_it() {
    let project = format!(
        "{EC2}instance_profile = \"bake\"\n{ECR}encryption = \"KMS\"\nreplication = \"declared\"\nparameters = true\n"
    );
    let more = "ssm_parameter = \"/elk/host\"\nmove_default = true\n[ami.regions.eu-central-1]\n\
        kms_key = \"alias/elk\"\n[ami.regions.eu-central-1.launch_templates]\nx86_64 = \"elk\"\n[bake]\nspot = true\n";
    let mut recipes = host(&format!("[ami]\n{more}"));
    recipes.push(image("kibana"));
    let policy = policy(&project, &recipes).unwrap();
    let all = policy["Statement"].as_array().unwrap();
    let sids: std::collections::BTreeSet<_> = all.iter().map(|one| one["Sid"].as_str().unwrap()).collect();
    assert_eq!(sids.len(), all.len(), "no two statements may have one name");
    let actions = policy["Statement"].as_array().unwrap().iter().flat_map(|one| one["Action"].as_array().unwrap());
    let allowed: std::collections::BTreeSet<&str> = actions.map(|action| action.as_str().unwrap()).collect();
    let listed = project::PERMISSIONS.iter().filter(|one| !one.needs.is_empty()).map(|one| one.action).collect();
    assert_eq!(allowed, listed);
}
