//! Repositories, how they are set, and replication.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::serve::Call;
use super::{ACCOUNT, Api, Kept, No, no};
use crate::kitchen::registry::ecr;

/// The right answer to a call about repositories.
pub fn answer(api: &Api, call: &Call) -> Result<Value, No> {
    let name = call.body["repositoryName"].as_str().unwrap_or_default().to_owned();
    match call.action.as_str() {
        "DescribeRepositories" => describe(api, call),
        "CreateRepository" => create(api, call, &name),
        "DescribeRegistry" => {
            let none = json!({ "rules": [] });
            let rules = api.state().replication.get(&call.region).cloned().unwrap_or(none);
            Ok(json!({ "registryId": ACCOUNT, "replicationConfiguration": rules }))
        }
        "PutReplicationConfiguration" => {
            let set = call.body["replicationConfiguration"].clone();
            api.state().replication.insert(call.region.clone(), set.clone());
            Ok(json!({ "replicationConfiguration": set }))
        }
        "ListTagsForResource" | "TagResource" => tags(api, call),
        _ => change(api, call, &name),
    }
}

fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{ACCOUNT}:repository/{name}")
}

fn missing(name: &str) -> No {
    no("RepositoryNotFoundException", ecr::unknown(name, ACCOUNT))
}

fn described(region: &str, name: &str, kept: &Kept) -> Value {
    let mut described = json!({
        "repositoryArn": arn(region, name),
        "registryId": ACCOUNT,
        "repositoryName": name,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": { "scanOnPush": false },
        "encryptionConfiguration": { "encryptionType": "AES256" },
    });
    let known = described.as_object_mut().expect("an object");
    known.extend(kept.made_with.as_object().cloned().unwrap_or_default());
    described
}

fn describe(api: &Api, call: &Call) -> Result<Value, No> {
    let names: Vec<&str> =
        call.body["repositoryNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if names.is_empty() || names.len() > 100 {
        return Err(no("InvalidParameterException", "1 to 100 names"));
    }
    let state = api.state();
    let one = |name: &&str| {
        let kept = state.repositories.get(&(call.region.clone(), (*name).to_owned())).ok_or_else(|| missing(name))?;
        Ok(described(&call.region, name, kept))
    };
    let all: Vec<Value> = names.iter().map(one).collect::<Result<_, No>>()?;
    Ok(json!({ "repositories": all }))
}

/// What a repository can be told: at its making, and some of it later.
const TOLD: [&str; 4] = [
    "imageTagMutability",
    "imageTagMutabilityExclusionFilters",
    "imageScanningConfiguration",
    "encryptionConfiguration",
];

fn create(api: &Api, call: &Call, name: &str) -> Result<Value, No> {
    let key = (call.region.clone(), name.to_owned());
    if api.state().repositories.contains_key(&key) {
        let said = format!("The repository with name '{name}' already exists in the registry with id '{ACCOUNT}'");
        return Err(no("RepositoryAlreadyExistsException", said));
    }
    let mut kept = Kept { made_with: json!({}), ..Kept::default() };
    for field in TOLD {
        if !call.body[field].is_null() {
            kept.made_with[field] = call.body[field].clone();
        }
    }
    for tag in call.body["tags"].as_array().into_iter().flatten() {
        let text = |field: &str| tag[field].as_str().unwrap_or_default().to_owned();
        kept.tags.insert(text("Key"), text("Value"));
    }
    fix(api, call, name, &kept.made_with)?;
    let described = described(&call.region, name, &kept);
    api.state().repositories.insert(key, kept);
    Ok(json!({ "repository": described }))
}

/// Lets the registry know which tags are for good.
fn fix(api: &Api, call: &Call, name: &str, set: &Value) -> Result<(), No> {
    let kind = set["imageTagMutability"].as_str().unwrap_or("MUTABLE");
    let filters = set["imageTagMutabilityExclusionFilters"].as_array().cloned().unwrap_or_default();
    if kind.ends_with("_WITH_EXCLUSION") == filters.is_empty() || filters.len() > 5 {
        return Err(no("InvalidParameterException", "exclusion filters belong to _WITH_EXCLUSION, 1 to 5 of them"));
    }
    let except: BTreeSet<String> =
        filters.iter().map(|filter| filter["filter"].as_str().unwrap_or_default().to_owned()).collect();
    let registry = &api.registries[&call.region];
    registry.ecr(|ecr| ecr.repositories.insert(name.to_owned(), (kind.starts_with("IMMUTABLE"), except)));
    Ok(())
}

fn change(api: &Api, call: &Call, name: &str) -> Result<Value, No> {
    let key = (call.region.clone(), name.to_owned());
    if !api.state().repositories.contains_key(&key) {
        return Err(missing(name));
    }
    if call.action == "PutImageTagMutability" {
        fix(api, call, name, &call.body)?;
    }
    let mut state = api.state();
    let kept = state.repositories.get_mut(&key).expect("it was there");
    let text = |field: &str| call.body[field].as_str().map(str::to_owned);
    match call.action.as_str() {
        "PutImageTagMutability" => {
            for field in &TOLD[..2] {
                kept.made_with[*field] = call.body[*field].clone();
            }
            Ok(json!({ "repositoryName": name }))
        }
        "PutImageScanningConfiguration" => {
            kept.made_with[TOLD[2]] = call.body[TOLD[2]].clone();
            Ok(json!({ "repositoryName": name }))
        }
        "PutLifecyclePolicy" => {
            kept.lifecycle = text("lifecyclePolicyText");
            Ok(json!({ "repositoryName": name }))
        }
        "GetLifecyclePolicy" => match &kept.lifecycle {
            Some(policy) => Ok(json!({ "lifecyclePolicyText": policy })),
            None => Err(no("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")),
        },
        "DeleteLifecyclePolicy" => match kept.lifecycle.take() {
            Some(policy) => Ok(json!({ "lifecyclePolicyText": policy })),
            None => Err(no("LifecyclePolicyNotFoundException", "Lifecycle policy does not exist")),
        },
        "SetRepositoryPolicy" => {
            kept.policy = text("policyText");
            Ok(json!({ "policyText": kept.policy }))
        }
        "GetRepositoryPolicy" => match &kept.policy {
            Some(policy) => Ok(json!({ "policyText": policy })),
            None => Err(no("RepositoryPolicyNotFoundException", "Repository policy does not exist")),
        },
        "DeleteRepositoryPolicy" => match kept.policy.take() {
            Some(policy) => Ok(json!({ "policyText": policy })),
            None => Err(no("RepositoryPolicyNotFoundException", "Repository policy does not exist")),
        },
        other => Err(no("UnknownOperationException", other)),
    }
}

fn tags(api: &Api, call: &Call) -> Result<Value, No> {
    let mut state = api.state();
    let is_meant = |region: &str, name: &str| call.body["resourceArn"] == arn(region, name);
    let found = state.repositories.iter_mut().find(|((region, name), _)| is_meant(region, name));
    let Some((_, kept)) = found else { return Err(missing("of that ARN")) };
    for tag in call.body["tags"].as_array().into_iter().flatten() {
        let text = |field: &str| tag[field].as_str().unwrap_or_default().to_owned();
        kept.tags.insert(text("Key"), text("Value"));
    }
    let tags: Vec<Value> = kept.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "tags": tags }))
}
