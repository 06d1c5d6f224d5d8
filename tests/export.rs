//! `elkbake export`, as a user sees it.

use std::collections::BTreeMap;
use std::path::Path;

use elkbake::digest::Digest;
use elkbake::lock::Lock;
use elkbake::recipe::{Recipe, Region};
use elkbake::record::{
    Entry, FORMAT, Manifest, Needs, Record, RecordKind, RecordedAmi, RecordedBase, RecordedHost, RecordedPlatform,
    SourceRevision,
};
use serde_json::{Value, json};

use crate::kitchen::project::{Kitchen, golden};

const PROJECT: &str = "[target.production]\nmanifest = \"production.json\"\n[target.production.ecr]\n\
    account = \"123456789012\"\nregions = [\"eu-west-1\", \"eu-central-1\"]\n\
    [target.staging]\noci = \"out\"\nmanifest = \"staging.json\"\n[defaults]\ntarget = \"production\"\n";

const REGIONS: [&str; 2] = ["eu-west-1", "eu-central-1"];

/// A launch template of a host.
pub const LAUNCH_TEMPLATE: [&str; 8] =
    ["launch-template", "ecs-host", "--region", "eu-central-1", "--architecture", "arm64", "--cluster", "elk"];

/// What a push of a recipe of this repository records, with digests that are made up.
fn record(name: &str, recipe: &Recipe) -> Record {
    let made_up = |what: &str| Digest::of(format!("{name} {what}").as_bytes());
    let key = made_up("key");
    let regions = || REGIONS.iter().map(|region| region.parse::<Region>().unwrap());
    let version = match recipe {
        Recipe::Image(image) => image.version.clone(),
        Recipe::Ami(ami) => ami.version.clone(),
    };
    let mut record = Record {
        kind: RecordKind::Ami,
        product: None,
        reference: None,
        layout: None,
        digest: None,
        tag: format!("{version}-{}", &key.to_string()["sha256:".len()..][..12]).parse().unwrap(),
        key,
        version,
        platforms: Vec::new(),
        amis: Vec::new(),
        host: None,
        base: Some(RecordedBase { name: "base".to_owned(), digest: None }),
        plugins: Vec::new(),
        archives: Vec::new(),
        inputs: BTreeMap::new(),
        needs: Needs::default(),
        tests: Vec::new(),
        boots: Vec::new(),
        nondeterminism: None,
        regions: BTreeMap::new(),
        source: Some(SourceRevision { revision: "0123456789abcdef0123456789abcdef01234567".to_owned(), dirty: false }),
        elkbake: "0.1.0".to_owned(),
        created: "2026-11-21T03:04:05Z".to_owned(),
        pushed_at: "2026-11-21T03:05:06Z".to_owned(),
    };
    match recipe {
        Recipe::Image(image) => {
            let digest = made_up("image");
            let repository = image.repository.as_ref().map_or(name, |repository| repository.as_str());
            let place = |region: &Region| {
                let reference = format!("123456789012.dkr.ecr.{region}.amazonaws.com/{repository}@{digest}");
                reference.parse().unwrap()
            };
            let platform = |name: &elkbake::name::Platform| RecordedPlatform {
                name: name.clone(),
                digest: made_up(&name.to_string()),
                size: 1 << 20,
            };
            record.kind = RecordKind::Image;
            record.product = Some(image.product);
            record.platforms = image.platforms.iter().map(platform).collect();
            record.needs = Needs::of(image);
            record.regions = regions().map(|region| (region.clone(), place(&region))).collect();
            record.reference = regions().next().map(|region| place(&region));
            record.digest = Some(digest);
            if name == "fluent-bit" {
                record.inputs = BTreeMap::from([("file /extra.conf".to_owned(), made_up("file"))]);
            }
        }
        Recipe::Ami(ami) => {
            let lock = Lock { format: 1, base: None, plugin: Vec::new(), archive: Vec::new(), ami: Vec::new() };
            record.host = Some(RecordedHost::of(ami, &lock));
            for (at, region) in regions().enumerate() {
                record.amis.extend(ami.architectures.iter().map(|architecture| RecordedAmi {
                    region: region.clone(),
                    architecture: *architecture,
                    id: format!("ami-0{at}{}", &made_up(architecture.as_str()).to_string()["sha256:".len()..][..15]),
                    snapshot: format!("snap-0{at}{}", &made_up("snap").to_string()["sha256:".len()..][..15]),
                    name: Some(format!("{name}-{}-{architecture}", record.tag)),
                    account: Some("123456789012".to_owned()),
                    kms_key: None,
                    snapshots: BTreeMap::new(),
                }));
            }
        }
    }
    record
}

/// The manifest of a target in ECR that has all recipes of this repository.
fn recorded() -> String {
    let mut recipes = BTreeMap::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            let current = record(name, &elkbake::recipe::parse(&file, &text).unwrap().value);
            recipes.insert(name.parse().unwrap(), Entry { current, history: Vec::new() });
        }
    }
    let manifest = Manifest { format: FORMAT, target: "production".to_owned(), recipes, unfinished: BTreeMap::new() };
    serde_json::to_string_pretty(&manifest).unwrap()
}

/// The project in which that was recorded.
pub fn kitchen() -> Kitchen {
    Kitchen::new().file("elkbake.toml", PROJECT).file("production.json", recorded())
}

#[test]
fn every_format_is_reviewed_like_code() {
    let kitchen = kitchen();
    for (name, args) in [
        ("terraform.json", vec!["terraform"]),
        ("cloudformation.json", vec!["cloudformation", "--region", "eu-west-1"]),
        ("variables.env", vec!["env"]),
        ("github.txt", vec!["github"]),
        ("document.json", vec!["json", "--region", "eu-central-1"]),
        ("launch-template.json", LAUNCH_TEMPLATE.to_vec()),
        ("ecs-elasticsearch.json", vec!["ecs", "elasticsearch"]),
        (
            "ecs-kibana.json",
            vec!["ecs", "kibana", "fluent-bit", "--execution-role", "arn:aws:iam::123456789012:role/x"],
        ),
        (
            "ecs-filebeat.json",
            vec!["ecs", "filebeat", "--volume", "/var/lib/docker/containers:/var/lib/docker/containers:ro"],
        ),
        ("ecs-logstash-fargate.json", vec!["ecs", "logstash", "--fargate", "--platform", "linux/arm64"]),
    ] {
        let ran = kitchen.run(&[&["export", "--format"], &args[..]].concat()).success();
        golden(&format!("export/{name}"), &ran.stdout);
        assert!(!ran.stdout.contains("warning"), "remarks are for standard error");
    }
}

#[test]
fn what_a_person_has_to_know_is_on_standard_error() {
    let kitchen = kitchen();
    let ran = kitchen.run(&["export", "--format", "ecs", "elasticsearch"]).success();
    ran.complains("warning: executionRoleArn is FILL-IN-EXECUTION-ROLE-ARN: say --execution-role ARN");
    let mut unfinished: Value = serde_json::from_str(&recorded()).unwrap();
    unfinished["unfinished"] = json!({ "kibana": {
        "tag": "8.19.4-ffffffffffff", "digest": unfinished["recipes"]["kibana"]["current"]["digest"],
        "regions": ["eu-west-1"], "missing": { "eu-central-1": "no answer" }, "at": "2026-11-21T03:05:06Z",
    }});
    kitchen.write("production.json", unfinished.to_string());
    let ran = kitchen.run(&["export", "--format", "env", "kibana"]).success();
    ran.says("KIBANA_TAG='8.19.3-")
        .complains("warning: the push of kibana 8.19.4-ffffffffffff did not reach eu-central-1");
    assert_eq!(kitchen.run(&["export", "--format", "env", "kibana", "--quiet"]).success().stderr, "");
}

#[test]
fn mistakes_end_with_what_to_do_and_print_nothing() {
    let kitchen = kitchen();
    let wrong = |args: &[&str], code: i32, parts: &[&str]| {
        let ran = kitchen.run(&[&["export"], args].concat()).code(code);
        assert_eq!(ran.stdout, "", "half an export is none");
        parts.iter().fold(ran, |ran, part| ran.complains(part));
    };
    wrong(&[], 2, &["--format"]);
    wrong(&["--format", "helm"], 2, &["terraform, cloudformation, ecs, launch-template, env, github, json"]);
    wrong(&["--format", "env", "kibanna"], 3, &["production has no record of kibanna", "hint: did you mean `kibana`?"]);
    wrong(&["--format", "env", "../x"], 2, &["is no recipe name"]);
    wrong(
        &["--format", "env", "--target", "prod"],
        2,
        &["there is no target `prod`", "elkbake.toml has: production, staging"],
    );
    wrong(&["--format", "env", "--target", "productoin"], 2, &["did you mean `production`?"]);
    wrong(
        &["--format", "env", "--target", "staging"],
        3,
        &["nothing is recorded of the target staging: staging.json does not exist", "`elkbake push --target staging`"],
    );
    wrong(&["--format", "env", "--region", "Europe"], 2, &["`Europe` is no AWS region"]);
    wrong(&["--format", "env", "--fargate"], 2, &["--fargate is for --format ecs only"]);
    wrong(&["--format", "ecs"], 2, &["a task definition is for one task", "name the recipes"]);
    wrong(&["--format", "ecs", "kibana", "--volume", "x"], 2, &["HOST-PATH:PATH"]);
    wrong(&["--format", "ecs", "kibana", "--fargate", "--volume", "/a:/b"], 2, &["cannot be used with"]);
    let host = |args: &[&'static str]| [&["--format", "launch-template"], args].concat();
    wrong(&host(&["kibana"]), 2, &["kibana is a container image", "use --format ecs"]);
    wrong(&host(&["ecs-host"]), 2, &["say which with --region"]);
    wrong(&host(&["ecs-host", "--region", "eu-west-1"]), 2, &["for x86_64, arm64", "say which with --architecture"]);
    wrong(&host(&["ecs-host", "--cluster", "a'b"]), 2, &["a cluster's name has letters"]);
    wrong(&["--format", "env", "--cluster", "a"], 2, &["--cluster is for --format launch-template only"]);
    wrong(&["--format", "ecs", "elasticsearch", "kibana"], 2, &["cannot be in one task"]);
    kitchen.write("staging.json", recorded());
    let parts = ["staging.json has the records of target `production`, not of `staging`"];
    wrong(&["--format", "env", "--target", "staging"], 3, &parts);
    kitchen.write("staging.json", recorded().replace("\"format\": 1", "\"format\": 2"));
    wrong(&["--format", "env", "--target", "staging"], 3, &["staging.json has format 2"]);
}

#[test]
fn a_shell_reads_what_was_written() {
    let kitchen = kitchen();
    let document = kitchen.run(&["export", "--format", "json"]).success().json();
    let variables = kitchen.run(&["export", "--format", "env"]).success().stdout;
    kitchen.write("images.env", &variables);
    // `set -u` ends the shell where a name is none.
    let script = "set -eu; . ./images.env; printf '%s\n' \"$KIBANA_IMAGE\" \"$ECS_HOST_AMI_EU_CENTRAL_1_ARM64\"";
    let mut shell = std::process::Command::new("/bin/sh");
    let output = shell.args(["-c", script]).current_dir(kitchen.project()).output().unwrap();
    let read = String::from_utf8(output.stdout).unwrap();
    let image = document["images"]["kibana"]["image"].as_str().unwrap();
    let ami = document["amis"]["ecs-host"]["ids"]["eu-central-1"]["arm64"].as_str().unwrap();
    assert_eq!(read, format!("{image}\n{ami}\n"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_recipe_need_not_be_in_the_project_any_more() {
    // A folder with a manifest alone will do, as a deploy pipeline has it.
    let kitchen = Kitchen::new()
        .file("bake-manifest.json", recorded().replace("\"target\": \"production\"", "\"target\": \"local\""));
    kitchen.run(&["export", "--format", "env", "recipes/kibana.toml"]).success().says("KIBANA_IMAGE='");
}

#[test]
fn the_docs_tell_of_every_key() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/export.md")).unwrap();
    let document = kitchen().run(&["export", "--format", "json"]).success().json();
    let mut keys: Vec<String> = Vec::new();
    for one in [
        &document,
        &document["images"]["kibana"],
        &document["images"]["kibana"]["needs"],
        &document["amis"]["ecs-host"],
    ] {
        keys.extend(one.as_object().unwrap().keys().cloned());
    }
    for key in keys {
        assert!(docs.contains(&format!("\"{key}\"")), "docs/export.md does not tell of {key}");
    }
}
