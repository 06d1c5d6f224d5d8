//! Who may use images and snapshots, and other attributes of theirs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::call::{Answer, Call, No, done, no, refuse};
use super::params::Params;
use super::world::{Grant, World};
use super::{encryption, images, snapshots};

pub fn image(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("ImageId")?;
    let attribute = call.params.need("Attribute")?;
    call.params.finished()?;
    let image = images::own(world, call, &id)?;
    let value = |value: Option<&String>| json!({ "value": value });
    let (name, said) = match attribute.as_str() {
        "description" => ("description", value(Some(&image.description))),
        "bootMode" => ("bootMode", value(image.boot_mode.as_ref())),
        "tpmSupport" => ("tpmSupport", value(image.tpm.as_ref())),
        "imdsSupport" => ("imdsSupport", value(image.imds.as_ref())),
        "launchPermission" => ("launchPermission", image.shared.iter().map(granted).collect()),
        other => {
            return refuse("InvalidParameterValue", format!("Value ({other}) for parameter attribute is invalid."));
        }
    };
    Ok(json!({ "imageId": id, name: said }))
}

fn granted(grant: &Grant) -> Value {
    match grant {
        Grant::Account(account) => json!({ "userId": account }),
        Grant::Organization(arn) => json!({ "organizationArn": arn }),
        Grant::Unit(arn) => json!({ "organizationalUnitArn": arn }),
        Grant::Everybody => json!({ "group": "all" }),
    }
}

pub fn modify_image(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("ImageId")?;
    let mut attribute = call.params.text("Attribute");
    let (mut add, mut remove) = (BTreeSet::new(), BTreeSet::new());
    let mut changes = 0;
    let mut permission = call.params.group("LaunchPermission");
    if !permission.is_empty() {
        attribute = Some("launchPermission".to_owned());
        for (name, into) in [("Add", &mut add), ("Remove", &mut remove)] {
            for mut one in permission.groups(name)? {
                into.insert(grant(&mut one)?);
            }
        }
        permission.done()?;
        changes += 1;
    }
    changes += listed(&mut call.params, attribute.as_deref(), &mut add, &mut remove)?;
    let mut value_of = |name: &str| {
        let mut group = call.params.group(name);
        let value = group.text("Value");
        group.done().map(|()| value)
    };
    let (description, imds) = (value_of("Description")?, value_of("ImdsSupport")?);
    changes += usize::from(description.is_some()) + usize::from(imds.is_some());
    call.params.finished()?;
    if changes != 1 {
        return refuse(
            "InvalidParameterCombination",
            format!("{changes} attributes, and one can be changed at a time"),
        );
    }
    if let Some(imds) = imds.as_ref().filter(|imds| *imds != "v2.0") {
        return refuse("InvalidParameterValue", format!("Value ({imds}) for parameter imdsSupport is invalid."));
    }
    let keys: Vec<String> = {
        let disks = images::own(world, call, &id)?.disks.clone();
        // A disk that begins empty is encrypted for whoever starts the image.
        disks
            .into_iter()
            .filter_map(|disk| disk.ebs)
            .filter(|ebs| ebs.snapshot.is_some())
            .filter_map(|ebs| ebs.kms_key)
            .collect()
    };
    if !add.is_empty() && keys.iter().any(|key| encryption::is_default(key)) {
        let said = "Snapshots encrypted with the AWS Managed CMK can’t be shared. Specify another snapshot.";
        return refuse("InvalidParameter", said);
    }
    if add.contains(&Grant::Everybody) && !keys.is_empty() {
        return refuse("InvalidParameter", "An image with encrypted snapshots cannot be public");
    }
    known(&add)?;
    let image = images::own(world, call, &id)?;
    if image.state != "available" {
        return refuse("InvalidAMIID.Unavailable", format!("The image ID '{id}' is {}", image.state));
    }
    image.shared.extend(add);
    image.shared.retain(|grant| !remove.contains(grant));
    if let Some(description) = description {
        image.description = description;
    }
    if imds.is_some() {
        image.imds = imds;
    }
    Ok(done())
}

/// The older way to say who: an operation, and lists.
fn listed(
    params: &mut Params,
    attribute: Option<&str>,
    add: &mut BTreeSet<Grant>,
    remove: &mut BTreeSet<Grant>,
) -> Result<usize, No> {
    let operation = params.word("OperationType", &["add", "remove"])?;
    let mut grants: BTreeSet<Grant> = params.list("UserId")?.into_iter().map(Grant::Account).collect();
    grants.extend(params.list("OrganizationArn")?.into_iter().map(Grant::Organization));
    grants.extend(params.list("OrganizationalUnitArn")?.into_iter().map(Grant::Unit));
    for group in params.list("UserGroup")? {
        grants.insert(everybody(&group)?);
    }
    match (grants.is_empty(), operation.as_deref()) {
        (true, None) => return Ok(0),
        // Clients that say it in both ways are understood by the newer one.
        (false, None) if grants.iter().all(|grant| add.contains(grant) || remove.contains(grant)) => return Ok(0),
        (false, Some(operation)) if attribute == Some("launchPermission") => {
            if operation == "add" { add } else { remove }.extend(grants);
        }
        _ => return refuse("InvalidParameterCombination", "Who, what is done and the attribute belong together"),
    }
    Ok(1)
}

fn grant(params: &mut Params) -> Result<Grant, No> {
    let grant = match (params.text("UserId"), params.text("OrganizationArn"), params.text("OrganizationalUnitArn")) {
        (Some(account), None, None) => Grant::Account(account),
        (None, Some(arn), None) => Grant::Organization(arn),
        (None, None, Some(arn)) => Grant::Unit(arn),
        (None, None, None) => everybody(&params.need("Group")?)?,
        _ => return refuse("InvalidParameterCombination", "A permission is for one"),
    };
    params.done()?;
    Ok(grant)
}

fn everybody(group: &str) -> Result<Grant, No> {
    if group == "all" { Ok(Grant::Everybody) } else { refuse("InvalidUserGroup", format!("{group} is no group")) }
}

fn known(grants: &BTreeSet<Grant>) -> Result<(), No> {
    for grant in grants {
        let (is_known, said) = match grant {
            Grant::Account(account) => (is_account(account), account.clone()),
            Grant::Organization(arn) => (is_organizations(arn, "organization"), arn.clone()),
            Grant::Unit(arn) => (is_organizations(arn, "ou"), arn.clone()),
            Grant::Everybody => (true, String::new()),
        };
        if !is_known {
            let code = if matches!(grant, Grant::Account(_)) {
                "InvalidAMIAttributeItemValue"
            } else {
                "InvalidParameterValue"
            };
            let said = format!("Invalid attribute item value \"{said}\" for userId item type.");
            return refuse(code, said);
        }
    }
    Ok(())
}

fn is_account(account: &str) -> bool {
    account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit())
}

/// `arn:aws:organizations::ACCOUNT:organization/o-…`, or `…:ou/o-…/ou-…`.
fn is_organizations(arn: &str, kind: &str) -> bool {
    let Some((account, rest)) = arn.strip_prefix("arn:aws:organizations::").and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let parts: Vec<&str> = rest.split('/').collect();
    let is_path = match kind {
        "ou" => parts.len() == 3 && parts[2].starts_with("ou-"),
        _ => parts.len() == 2,
    };
    is_account(account) && parts[0] == kind && is_path && parts[1].starts_with("o-")
}

pub fn snapshot(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("SnapshotId")?;
    let attribute = call.params.need("Attribute")?;
    call.params.finished()?;
    if attribute != "createVolumePermission" {
        return refuse("InvalidParameterValue", format!("Value ({attribute}) for parameter attribute is invalid."));
    }
    let shared = &snapshots::own(world, call, &id)?.shared;
    let shared: Vec<Value> = shared.iter().map(|account| json!({ "userId": account })).collect();
    Ok(json!({ "snapshotId": id, "createVolumePermission": shared }))
}

pub fn modify_snapshot(world: &mut World, call: &mut Call) -> Answer {
    let id = call.params.need("SnapshotId")?;
    let attribute = call.params.text("Attribute");
    let operation = call.params.word("OperationType", &["add", "remove"])?;
    let users = call.params.list("UserId")?;
    let mut permission = call.params.group("CreateVolumePermission");
    let (mut add, mut remove): (BTreeSet<String>, BTreeSet<String>) = Default::default();
    for (name, into) in [("Add", &mut add), ("Remove", &mut remove)] {
        for mut one in permission.groups(name)? {
            into.insert(one.need("UserId")?);
            one.done()?;
        }
    }
    permission.done()?;
    call.params.finished()?;
    match (operation.as_deref(), attribute.as_deref()) {
        (Some("add"), Some("createVolumePermission")) => add.extend(users),
        (Some("remove"), Some("createVolumePermission")) => remove.extend(users),
        (None, None | Some("createVolumePermission"))
            if users.iter().all(|user| add.contains(user) || remove.contains(user)) => {}
        _ => return refuse("InvalidParameterCombination", "Who, what is done and the attribute belong together"),
    }
    if add.is_empty() && remove.is_empty() {
        return Err(call.params.missing("createVolumePermission"));
    }
    let snapshot = snapshots::own(world, call, &id)?;
    if let Some(wrong) = add.iter().find(|account| !is_account(account)) {
        return Err(no("InvalidUserID.Malformed", format!("Invalid user id: \"{wrong}\"")));
    }
    if !add.is_empty() && snapshot.kms_key.as_deref().is_some_and(encryption::is_default) {
        return refuse("OperationNotPermitted", "Encrypted snapshots with EBS default key cannot be shared");
    }
    if snapshot.state != "completed" {
        return refuse("IncorrectState", format!("The snapshot '{id}' is {}", snapshot.state));
    }
    snapshot.shared.extend(add);
    snapshot.shared.retain(|account| !remove.contains(account));
    Ok(done())
}
