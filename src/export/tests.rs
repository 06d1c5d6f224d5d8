mod task;

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json as document};

use super::*;
use crate::name::RecipeName;
use crate::recipe::Region;
use crate::record::{Manifest, parse};

/// A target in ECR with an image, a host and a push that did not reach all regions.
const SAMPLE: &str = include_str!("../../tests/golden/manifest-1.json");

/// The sample, changed.
fn manifest(change: impl FnOnce(&mut Value)) -> Manifest {
    let mut value: Value = serde_json::from_str(SAMPLE).unwrap();
    change(&mut value);
    parse(Path::new("m.json"), value.to_string().as_bytes()).unwrap()
}

/// The sample with the image of another recipe beside the first one.
fn with(name: &str, change: impl FnOnce(&mut Value)) -> impl FnOnce(&mut Value) {
    move |value| {
        let mut record = value["recipes"]["elasticsearch"].clone();
        change(&mut record["current"]);
        value["recipes"][name] = record;
    }
}

fn in_folder(value: &mut Value) {
    let record = &mut value["recipes"]["elasticsearch"]["current"];
    record.as_object_mut().unwrap().remove("reference");
    record["regions"] = document!({});
    record["layout"] = "out/elk".into();
}

fn names(named: &[&str]) -> Vec<RecipeName> {
    named.iter().map(|name| name.parse().unwrap()).collect()
}

/// What a format makes of recipes, or the error with its help.
fn exported<T>(
    manifest: &Manifest,
    named: &[&str],
    region: Option<&str>,
    format: impl FnOnce(&Choice<'_>) -> Result<T, ExportError>,
) -> Result<T, String> {
    let (named, region) = (names(named), region.map(|region| region.parse::<Region>().unwrap()));
    let choice = Choice::of(manifest, &named, region.as_ref());
    choice.and_then(|choice| format(&choice)).map_err(|error| format!("{error}; {}", error.help().unwrap()))
}

fn none_of(value: &mut Value) {
    value["recipes"] = document!({});
}

#[test]
fn what_is_not_recorded_is_told_from_what_is_not_finished() {
    let all = manifest(|_| ());
    let none = manifest(|value| {
        none_of(value);
        value.as_object_mut().unwrap().remove("unfinished");
    });
    let begun = manifest(none_of);
    let error = |manifest: &Manifest, named: &[&str]| exported(manifest, named, None, json).unwrap_err();
    for (said, expected) in [
        (error(&none, &[]), "nothing is recorded of the target production; run `elkbake push --target production`"),
        (error(&none, &["es"]), "nothing is recorded of the target production"),
        (error(&all, &["elasticsaerch"]), "has no record of elasticsaerch; did you mean `elasticsearch`?"),
        (error(&all, &["grafana"]), "recorded are: ecs-host, elasticsearch; `elkbake push --target production`"),
        (
            error(&all, &["kibana"]),
            "kibana has no record in the target production: its push did not reach eu-central-1",
        ),
        (error(&begun, &[]), "run `elkbake push kibana --target production` again"),
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn pushes_that_are_not_finished_are_told_where_they_matter() {
    let all = manifest(|value| value["unfinished"]["elasticsearch"] = value["unfinished"]["kibana"].clone());
    let remarks = |named: &[&str]| Choice::of(&all, &names(named), None).unwrap().remarks();
    assert_eq!(remarks(&["ecs-host"]), [""; 0]);
    let both = remarks(&[]);
    assert!(both[0].contains("eu-central-1, so 8.19.3-bbbbbbbbbbbb is exported; `elkbake push elasticsearch --target"));
    assert!(both[1].contains("kibana 8.19.3-ffffffffffff did not reach eu-central-1, so it is left out"), "{both:?}");
}

#[test]
fn a_region_has_its_own_references_and_amis() {
    let all = manifest(|_| ());
    let image =
        |region| exported(&all, &["elasticsearch"], region, json).unwrap()["images"]["elasticsearch"]["image"].clone();
    assert!(image(None).as_str().unwrap().contains(".eu-west-1."));
    assert!(image(Some("eu-central-1")).as_str().unwrap().contains(".eu-central-1."));
    let error = exported(&all, &["elasticsearch"], Some("us-east-1"), json).unwrap_err();
    assert_eq!(error, "elasticsearch is not in us-east-1; it is in: eu-central-1, eu-west-1");
    let error = exported(&all, &["ecs-host"], Some("us-east-1"), cloudformation).unwrap_err();
    assert_eq!(error, "ecs-host is not in us-east-1; it is in: eu-west-1");
    // A registry that is no ECR is reached from everywhere.
    let registry = manifest(|value| value["recipes"]["elasticsearch"]["current"]["regions"] = document!({}));
    exported(&registry, &["elasticsearch"], Some("us-east-1"), json).unwrap();
}

#[test]
fn a_folder_is_nothing_to_deploy_from() {
    let folder = manifest(in_folder);
    let image = "oci:out/elk@sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
    assert_eq!(exported(&folder, &[], None, json).unwrap()["images"]["elasticsearch"]["image"], image);
    assert!(exported(&folder, &[], None, env).unwrap().contains(&format!("ELASTICSEARCH_IMAGE='{image}'\n")));
    assert!(exported(&folder, &[], None, github).unwrap().contains(&format!("elasticsearch_image={image}\n")));
    for error in [
        exported(&folder, &[], None, terraform).unwrap_err(),
        exported(&folder, &[], None, cloudformation).unwrap_err(),
        exported(&folder, &[], None, |choice| task(choice, &TaskWishes::default()).map(|_| ())).unwrap_err(),
    ] {
        assert!(error.contains("elasticsearch is in the folder out/elk, and "), "{error}");
        assert!(
            error.contains("cannot pull from there; name a target in a registry with --target, or use --format json")
        );
    }
    // Its hosts can be deployed all the same.
    assert!(exported(&folder, &["ecs-host"], None, terraform).is_ok());
}

#[test]
fn a_record_without_a_place_is_refused() {
    let lost = manifest(|value| {
        let record = value["recipes"]["elasticsearch"]["current"].as_object_mut().unwrap();
        record.remove("reference");
    });
    let error = exported(&lost, &[], None, env).unwrap_err();
    assert!(error.contains("the record of elasticsearch does not say where the image is; push"), "{error}");
}

#[test]
fn programs_find_all_keys_whatever_is_recorded() {
    let bare = manifest(with("bare", |record| {
        for key in ["product", "base", "source"] {
            record.as_object_mut().unwrap().remove(key);
        }
        record["needs"] = document!({});
    }));
    let images = exported(&bare, &["bare", "elasticsearch"], None, terraform).unwrap()["elkbake_images"].clone();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&images["bare"]), keys(&images["elasticsearch"]));
    assert_eq!(keys(&images["bare"]["needs"]), keys(&images["elasticsearch"]["needs"]));
    assert_eq!(images["bare"]["needs"]["memory"], Value::Null);
    let nothing = exported(&bare, &["bare"], None, terraform).unwrap();
    assert_eq!(nothing["elkbake_amis"], document!({}), "a variable without a value is asked for");
}

#[test]
fn a_stack_is_given_what_it_deploys_and_nothing_else() {
    let hosts = manifest(|value| {
        let amis = &mut value["recipes"]["ecs-host"]["current"]["amis"];
        let mut other = amis[0].clone();
        other["region"] = "eu-central-1".into();
        other["id"] = "ami-1".into();
        let mut x86 = other.clone();
        x86["architecture"] = "x86_64".into();
        x86["id"] = "ami-2".into();
        *amis = document!([amis[0], other, x86]);
    });
    let keys = |region| {
        let all = exported(&hosts, &[], region, cloudformation)?;
        Ok::<_, String>(all.as_array().unwrap().iter().map(|one| one["ParameterKey"].clone()).collect::<Vec<_>>())
    };
    assert_eq!(keys(Some("eu-west-1")).unwrap(), ["ElasticsearchImage", "EcsHostAmiArm64"]);
    assert_eq!(keys(Some("eu-central-1")).unwrap(), ["ElasticsearchImage", "EcsHostAmiArm64", "EcsHostAmiX8664"]);
    let error = keys(None).unwrap_err();
    assert!(
        error.contains("ecs-host are in eu-central-1, eu-west-1, and a stack is in one region; say which with"),
        "{error}"
    );
    // A shell is told of all, by region.
    let all = exported(&hosts, &["ecs-host"], None, env).unwrap();
    assert!(
        all.contains("ECS_HOST_AMI_EU_CENTRAL_1_X86_64='ami-2'\n") && !all.contains("ECS_HOST_AMI_ARM64="),
        "{all}"
    );
    let one = exported(&hosts, &["ecs-host"], Some("eu-central-1"), env).unwrap();
    assert!(one.contains("ECS_HOST_AMI_ARM64='ami-1'\n"), "{one}");
}

#[test]
fn names_are_spelled_as_each_tool_takes_them() {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    for (name, snake, camel) in [
        (vec!["es", "image"], "es_image", "EsImage"),
        (
            vec!["ecs-host.a_b", "ami", "eu-west-1", "x86_64"],
            "ecs_host_a_b_ami_eu_west_1_x86_64",
            "EcsHostABAmiEuWest1X8664",
        ),
        (vec!["0day", "image"], "_0day_image", "0dayImage"),
    ] {
        assert_eq!(named::snake(&words(&name)), snake);
        assert_eq!(named::camel(&words(&name)), camel);
    }
}

#[test]
fn two_recipes_are_never_given_one_name() {
    let both = manifest(|value| {
        with("a.b", |_| ())(value);
        with("a-b", |_| ())(value);
    });
    let error = exported(&both, &["a.b", "a-b"], None, env).unwrap_err();
    assert!(error.starts_with("a.b and a-b would both be called A_B_IMAGE; export them one at a time"), "{error}");
    assert!(exported(&both, &["a.b", "a-b"], None, github).unwrap_err().contains("a_b_image"));
    assert!(exported(&both, &["a.b", "a-b"], None, cloudformation).unwrap_err().contains("ABImage"));
    assert!(exported(&both, &["a.b"], None, env).is_ok());
}

#[test]
fn a_value_that_shells_and_compose_read_differently_is_refused() {
    for folder in ["it's", "a\\b"] {
        let odd = manifest(|value| {
            in_folder(value);
            value["recipes"]["elasticsearch"]["current"]["layout"] = folder.into();
        });
        let error = exported(&odd, &["elasticsearch"], None, env).unwrap_err();
        assert!(error.contains("ELASTICSEARCH_IMAGE would be `oci:") && error.contains("use --format json"), "{error}");
    }
    let broken =
        manifest(|value| value["recipes"]["ecs-host"]["current"]["amis"][0]["id"] = "ami-1\nPATH=/evil".into());
    assert!(exported(&broken, &["ecs-host"], None, env).unwrap_err().contains("`ami-1\\nPATH=/evil`"));
}

#[test]
fn no_value_can_pose_as_another_output() {
    assert_eq!(github::line("a", "x=y z"), "a=x=y z\n");
    let line = github::line("a", "1\nb=2");
    let lines: Vec<_> = line.lines().collect();
    let end = lines[0].strip_prefix("a<<").unwrap();
    assert_eq!(lines[1..], ["1", "b=2", end]);
    // Even one that knows how the end is made.
    let known = format!("1\n{end}\n");
    let line = github::line("a", &known);
    assert_eq!(line.matches(line.lines().next().unwrap().strip_prefix("a<<").unwrap()).count(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_output_is_read_as_it_was_written(value in "[a-z=\\n\\r<]{0,12}") {
        let written = github::line("name", &value);
        let read = match written.split_once("<<").filter(|(name, _)| *name == "name") {
            None => written.strip_prefix("name=").unwrap().strip_suffix('\n').unwrap().to_owned(),
            Some((_, rest)) => {
                let (end, rest) = rest.split_once('\n').unwrap();
                rest.strip_suffix(&format!("\n{end}\n")).unwrap().to_owned()
            }
        };
        prop_assert_eq!(read, value);
    }
}
