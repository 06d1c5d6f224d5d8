//! Launch templates and their versions.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::call::{Answer, Call, No, no, refuse};
use super::filter::{filters, matches, page, part};
use super::params::Params;
use super::token;
use super::world::{Tags, Template, World};

pub fn describe(world: &mut World, call: &mut Call) -> Answer {
    let ids = call.params.list("LaunchTemplateId")?;
    let names = call.params.list("LaunchTemplateName")?;
    let filters = filters(&mut call.params)?;
    let page = page(&mut call.params, false, (1, 200))?;
    call.params.finished()?;
    let is_here = |one: &&Template| one.region == call.region && one.owner == call.account;
    if let Some(id) = ids.iter().find(|id| !world.templates.get(*id).is_some_and(|one| is_here(&one))) {
        return Err(no_id(id));
    }
    if let Some(name) =
        names.iter().find(|name| !world.templates.values().any(|one| is_here(&one) && one.name == **name))
    {
        return Err(no_name(name));
    }
    let mut list = Vec::new();
    for template in world.templates.values().filter(is_here) {
        let is_meant =
            ids.is_empty() && names.is_empty() || ids.contains(&template.id) || names.contains(&template.name);
        let said = |name: &str| (name == "launch-template-name").then(|| vec![template.name.clone()]);
        if is_meant && matches(&filters, &Tags::new(), said)? {
            list.push(written(template));
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "launchTemplates": list, "nextToken": next }))
}

fn no_id(id: &str) -> No {
    no(
        "InvalidLaunchTemplateId.NotFound",
        format!("The specified launch template, with template ID {id}, does not exist."),
    )
}

fn no_name(name: &str) -> No {
    let code = "InvalidLaunchTemplateName.NotFoundException";
    no(code, format!("The specified launch template, with template name {name}, does not exist."))
}

/// The template that a call names by its id or name.
fn named(world: &World, call: &mut Call) -> Result<String, No> {
    let (id, name) = (call.params.text("LaunchTemplateId"), call.params.text("LaunchTemplateName"));
    let is_here = |one: &&Template| one.region == call.region && one.owner == call.account;
    match (id, name) {
        (Some(id), None) => {
            if !id.starts_with("lt-") {
                return refuse(
                    "InvalidLaunchTemplateId.Malformed",
                    format!("The launch template ID {id} is not valid"),
                );
            }
            world.templates.get(&id).filter(is_here).map(|one| one.id.clone()).ok_or_else(|| no_id(&id))
        }
        (None, Some(name)) => {
            let found = world.templates.values().filter(is_here).find(|one| one.name == name);
            found.map(|one| one.id.clone()).ok_or_else(|| no_name(&name))
        }
        (Some(_), Some(_)) => refuse("InvalidParameterCombination", "Either a template's id or its name"),
        (None, None) => Err(call.params.missing("LaunchTemplateId")),
    }
}

fn written(template: &Template) -> Value {
    json!({
        "launchTemplateId": template.id, "launchTemplateName": template.name, "createTime": template.birth.created,
        "createdBy": format!("arn:aws:iam::{}:user/kitchen", template.owner), "defaultVersionNumber": template.default,
        "latestVersionNumber": template.versions.keys().last(), "tagSet": [],
    })
}

fn version(template: &Template, number: u32) -> Value {
    let (data, description) = &template.versions[&number];
    json!({
        "launchTemplateId": template.id, "launchTemplateName": template.name, "versionNumber": number,
        "versionDescription": (!description.is_empty()).then_some(description), "createTime": template.birth.created,
        "createdBy": format!("arn:aws:iam::{}:user/kitchen", template.owner),
        "defaultVersion": number == template.default, "launchTemplateData": answered(data),
    })
}

/// A version's data as answers have it: names begin with a small letter, and those of lists end in `Set`.
fn answered(data: &Value) -> Value {
    let small = |name: &str| format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
    match data {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let name = if value.is_array() { format!("{}Set", small(name)) } else { small(name) };
                let name = if name == "tagSpecificationSet" { "tagSpecificationSet".to_owned() } else { name };
                (name, answered(value))
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(answered).collect(),
        value => value.clone(),
    }
}

pub fn describe_versions(world: &mut World, call: &mut Call) -> Answer {
    let versions = call.params.list("LaunchTemplateVersion")?;
    let page = page(&mut call.params, false, (1, 200))?;
    let is_named =
        ["LaunchTemplateId", "LaunchTemplateName"].iter().any(|name| call.params.fields().contains_key(*name));
    let template = if is_named { Some(named(world, call)?) } else { None };
    call.params.flag("ResolveAlias")?;
    call.params.finished()?;
    let mut list = Vec::new();
    match template {
        Some(id) => {
            let template = &world.templates[&id];
            let all: Vec<String> = template.versions.keys().rev().map(u32::to_string).collect();
            for said in if versions.is_empty() { all } else { versions } {
                list.push(version(template, number(template, &said)?));
            }
        }
        None => {
            if versions.is_empty() || versions.iter().any(|said| !said.starts_with('$')) {
                let said = "Without a launch template, the versions can be '$Latest' and '$Default' only";
                return refuse("InvalidParameterCombination", said);
            }
            let here = world.templates.values().filter(|one| one.region == call.region && one.owner == call.account);
            for template in here {
                let mut numbers = Vec::new();
                for said in &versions {
                    numbers.push(number(template, said)?);
                }
                numbers.dedup();
                list.extend(numbers.into_iter().map(|number| version(template, number)));
            }
        }
    }
    let (list, next) = part(world, list, &page);
    Ok(json!({ "launchTemplateVersionSet": list, "nextToken": next }))
}

fn number(template: &Template, said: &str) -> Result<u32, No> {
    let number = match said {
        "$Latest" => template.versions.keys().last().copied(),
        "$Default" => Some(template.default),
        said => said.parse().ok(),
    };
    let missing = || {
        let said =
            format!("Could not find the specified version {said} for the launch template with ID {}.", template.id);
        no("InvalidLaunchTemplateId.VersionNotFound", said)
    };
    number.filter(|number| template.versions.contains_key(number)).ok_or_else(missing)
}

/// Takes a version's data, as it is, into a tree.
fn data(params: &mut Params) -> Value {
    let mut tree = Value::Object(Map::new());
    let group = params.group("LaunchTemplateData");
    for (name, value) in group.fields() {
        let mut at = &mut tree;
        for part in name.split('.') {
            at = &mut at[part];
        }
        *at = Value::String(value.clone());
    }
    listed(tree)
}

/// Members that are called 1, 2, … are a list's.
fn listed(tree: Value) -> Value {
    let Value::Object(members) = tree else { return tree };
    if !members.is_empty() && members.keys().all(|name| name.parse::<u32>().is_ok()) {
        let numbered: BTreeMap<u32, Value> =
            members.into_iter().filter_map(|(name, value)| Some((name.parse().ok()?, listed(value)))).collect();
        return numbered.into_values().collect();
    }
    members.into_iter().map(|(name, value)| (name, listed(value))).collect::<Map<_, _>>().into()
}

pub fn create(world: &mut World, call: &mut Call) -> Answer {
    let token = token::taken(call)?;
    let name = call.params.need("LaunchTemplateName")?;
    let description = call.params.text("VersionDescription").unwrap_or_default();
    let data = data(&mut call.params);
    call.params.finished()?;
    if let Some(id) = token.before(world)? {
        return Ok(json!({ "launchTemplate": written(&world.templates[&id]) }));
    }
    if world.templates.values().any(|one| one.region == call.region && one.owner == call.account && one.name == name) {
        return refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use.");
    }
    let template = Template {
        id: world.id("lt"),
        region: call.region.clone(),
        owner: call.account.clone(),
        name,
        default: 1,
        versions: BTreeMap::from([(1, (data, description))]),
        birth: world.born(call.now),
    };
    let (id, answer) = (template.id.clone(), json!({ "launchTemplate": written(&template) }));
    world.templates.insert(id.clone(), template);
    token.keep(world, &id);
    Ok(answer)
}

pub fn create_version(world: &mut World, call: &mut Call) -> Answer {
    let token = token::taken(call)?;
    let id = named(world, call)?;
    let source = call.params.text("SourceVersion");
    let description = call.params.text("VersionDescription").unwrap_or_default();
    let new = data(&mut call.params);
    call.params.flag("ResolveAlias")?;
    call.params.finished()?;
    if let Some(number) = token.before(world)?.and_then(|number| number.parse().ok()) {
        return Ok(json!({ "launchTemplateVersion": version(&world.templates[&id], number) }));
    }
    if new.as_object().is_none_or(Map::is_empty) {
        return Err(call.params.missing("LaunchTemplateData"));
    }
    if description.chars().count() > 255 {
        return refuse("InvalidParameterValue", "The version description has more than 255 characters");
    }
    if let Some(image) =
        new["ImageId"].as_str().filter(|image| !image.starts_with("ami-") && !image.starts_with("resolve:ssm:"))
    {
        return refuse("InvalidAMIID.Malformed", format!("The image ID '{image}' is not valid"));
    }
    let template = &world.templates[&id];
    let mut whole = match source {
        None => Value::Object(Map::new()),
        Some(source) => template.versions[&number(template, &source)?].0.clone(),
    };
    if let (Value::Object(whole), Value::Object(new)) = (&mut whole, new) {
        whole.extend(new);
    }
    let number = template.versions.keys().last().copied().unwrap_or(0) + 1;
    if let Some(template) = world.templates.get_mut(&id) {
        template.versions.insert(number, (whole, description));
    }
    token.keep(world, &number.to_string());
    Ok(json!({ "launchTemplateVersion": version(&world.templates[&id], number) }))
}

pub fn modify(world: &mut World, call: &mut Call) -> Answer {
    let token = token::taken(call)?;
    let id = named(world, call)?;
    let default = call.params.text("SetDefaultVersion");
    call.params.finished()?;
    token.before(world)?;
    let Some(default) = default else { return Err(call.params.missing("SetDefaultVersion")) };
    let number = number(&world.templates[&id], &default)?;
    if let Some(template) = world.templates.get_mut(&id) {
        template.default = number;
    }
    token.keep(world, &id);
    Ok(json!({ "launchTemplate": written(&world.templates[&id]) }))
}
