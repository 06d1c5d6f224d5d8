//! The list of permissions against what the program calls: neither names an action that the other does not.

use std::collections::BTreeSet;
use std::path::Path;

use elkbake::project::Need::{Image, ImageParameter, Provision};
use elkbake::project::{Need, PERMISSIONS};

const SERVICES: [&str; 7] = ["autoscaling", "ec2", "ecr", "iam", "kms", "ssm", "sts"];

/// The actions in a source: texts like `"ec2:RunInstances"`.
fn actions(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|text| {
        text.split_once(':').is_some_and(|(service, name)| {
            SERVICES.contains(&service)
                && name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    })
}

fn read(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else {
            into.extend(actions(&std::fs::read_to_string(&path).unwrap()).map(str::to_owned));
        }
    }
}

#[test]
fn what_is_called_is_what_is_listed() {
    let mut called = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/remote"), &mut called);
    let listed: BTreeSet<String> =
        PERMISSIONS.iter().filter(|one| one.called).map(|one| one.action.to_owned()).collect();
    assert_eq!(called, listed);
}

#[test]
fn the_policy_for_images_in_the_documents_names_no_other_actions() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pipelines/ecr-policy.json"));
    let text = text.unwrap();
    let documented: BTreeSet<&str> = actions(&text).collect();
    let needed = |needs: &[Need]| needs.iter().any(|need| [Image, Provision, ImageParameter].contains(need));
    let listed: BTreeSet<&str> = PERMISSIONS.iter().filter(|one| needed(one.needs)).map(|one| one.action).collect();
    assert_eq!(documented, listed);
}
