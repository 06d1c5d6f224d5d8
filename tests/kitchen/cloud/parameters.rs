//! SSM's parameters.

use serde_json::{Map, Value, json};

use super::call::{Answer, Call, No, no, refuse};
use super::world::{Parameter, Tags, World};

/// How long after it was put it is found out whether a parameter's value is an image.
const CHECK: std::time::Duration = std::time::Duration::from_millis(15);

pub fn answer(world: &mut World, call: &Call) -> Answer {
    match call.action.as_str() {
        "GetParameter" => get(world, call),
        "GetParameters" => get_all(world, call),
        "PutParameter" => put(world, call),
        "DeleteParameter" => delete(world, call),
        other => refuse("UnknownOperationException", format!("there is no {other}")),
    }
}

/// A call's members, of which none may be unknown.
fn members<'a>(call: &'a Call, known: &[&str]) -> Result<&'a Map<String, Value>, No> {
    let Value::Object(members) = &call.json else { return refuse("SerializationException", "not an object") };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(members),
        Some(name) => refuse("SerializationException", format!("Unexpected field {name}")),
    }
}

fn text(call: &Call, name: &str) -> Result<String, No> {
    match call.json[name].as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => refuse("ValidationException", format!("Value null at '{name}' failed to satisfy constraint: not null")),
    }
}

/// A parameter, and its name without its ARN.
fn found(world: &World, call: &Call, name: &str) -> Option<Value> {
    let account = if name.starts_with("/aws/") { String::new() } else { call.account.clone() };
    let own = account.clone();
    let parameter = world.parameters.get(&(account, call.region.clone(), name.to_owned()))?;
    Some(json!({
        "Name": name, "Type": "String", "Value": parameter.value, "Version": parameter.version,
        "LastModifiedDate": 1_764_252_000.123, "DataType": parameter.data_type,
        "ARN": format!("arn:aws:ssm:{}:{own}:parameter{name}", call.region),
    }))
}

fn get(world: &World, call: &Call) -> Answer {
    members(call, &["Name", "WithDecryption"])?;
    let name = text(call, "Name")?;
    match found(world, call, &name) {
        Some(parameter) => Ok(json!({ "Parameter": parameter })),
        // This is all that the service says.
        None => refuse("ParameterNotFound", ""),
    }
}

fn get_all(world: &World, call: &Call) -> Answer {
    members(call, &["Names", "WithDecryption"])?;
    let names: Vec<String> = serde_json::from_value(call.json["Names"].clone())
        .map_err(|error| no("SerializationException", error.to_string()))?;
    if !(1..=10).contains(&names.len()) {
        return refuse("ValidationException", "Member must have length less than or equal to 10");
    }
    let (known, unknown): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| found(world, call, name).is_some());
    let known: Vec<Value> = known.iter().filter_map(|name| found(world, call, name)).collect();
    Ok(json!({ "Parameters": known, "InvalidParameters": unknown }))
}

fn put(world: &mut World, call: &Call) -> Answer {
    let all = ["Name", "Description", "Value", "Type", "Overwrite", "Tags", "Tier", "DataType", "AllowedPattern"];
    members(call, &all)?;
    let (name, value) = (text(call, "Name")?, text(call, "Value")?);
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let has_root = name.trim_start_matches('/').starts_with("aws") || name.trim_start_matches('/').starts_with("ssm");
    if !name.chars().all(is_fine) || (name.contains('/') && !name.starts_with('/')) || name.len() > 1011 {
        return refuse("ValidationException", format!("Parameter name: {name} can't be taken"));
    }
    if has_root {
        return Err(no("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    if name.matches('/').count() > 15 {
        return refuse("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of 15 levels.");
    }
    let overwrite = call.json["Overwrite"].as_bool().unwrap_or(false);
    let key = (call.account.clone(), call.region.clone(), name.clone());
    let before = world.parameters.get(&key).cloned();
    if before.is_some() && !overwrite {
        let said =
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
        return refuse("ParameterAlreadyExists", said);
    }
    if before.is_none() && call.json["Type"] != "String" {
        return refuse("ValidationException", "A parameter type is required when you create a parameter.");
    }
    let tags = tags(call)?;
    if overwrite && !tags.is_empty() {
        let said = "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please \
                    remove overwrite flag.";
        return refuse("ValidationException", said);
    }
    let data_type = call.json["DataType"].as_str().unwrap_or("text").to_owned();
    if !["text", "aws:ec2:image"].contains(&data_type.as_str()) {
        return refuse("ValidationException", format!("The following data type is not supported: {data_type}"));
    }
    if data_type == "aws:ec2:image" && !value.starts_with("ami-") {
        return refuse("ValidationException", format!("The value {value} is no AMI id"));
    }
    let version = before.as_ref().map_or(1, |before| before.version + 1);
    let checked = (data_type == "aws:ec2:image").then(|| call.now + CHECK);
    let tags = before.map_or(tags, |before| before.tags);
    world.parameters.insert(key, Parameter { value, data_type, version, tags, checked });
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

fn tags(call: &Call) -> Result<Tags, No> {
    let mut tags = Tags::new();
    for one in call.json["Tags"].as_array().into_iter().flatten() {
        let (Some(key), Some(value)) = (one["Key"].as_str(), one["Value"].as_str()) else {
            return refuse("ValidationException", "A tag has a key and a value");
        };
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags)
}

fn delete(world: &mut World, call: &Call) -> Answer {
    members(call, &["Name"])?;
    let key = (call.account.clone(), call.region.clone(), text(call, "Name")?);
    match world.parameters.remove(&key) {
        Some(_) => Ok(json!({})),
        None => refuse("ParameterNotFound", ""),
    }
}
