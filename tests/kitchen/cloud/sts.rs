//! Who calls.

use serde_json::json;

use super::ACCOUNT;
use super::call::{Answer, Call, No, no};
use super::world::World;

/// Whose an access key is.
pub fn account(world: &World, key: &str) -> String {
    let assumed = key.strip_prefix("ASIA").filter(|account| account.len() == 12);
    world.accounts.get(key).map_or(assumed.unwrap_or(ACCOUNT), String::as_str).to_owned()
}

pub fn answer(world: &mut World, call: &mut Call) -> Answer {
    match call.action.as_str() {
        "GetCallerIdentity" => {
            call.params.done()?;
            let arn = format!("arn:aws:iam::{}:user/kitchen", call.account);
            Ok(json!({ "Arn": arn, "UserId": "AIDAKITCHEN", "Account": call.account }))
        }
        "AssumeRole" => assume(world, call),
        other => Err(no("InvalidAction", format!("Could not find operation {other}"))),
    }
}

fn assume(world: &mut World, call: &mut Call) -> Answer {
    let role = call.params.need("RoleArn")?;
    call.params.need("RoleSessionName")?;
    call.params.number("DurationSeconds")?;
    let external_id = call.params.text("ExternalId");
    call.params.done()?;
    let parts: Vec<&str> = role.split(':').collect();
    let account = parts.get(4).copied().unwrap_or_default();
    let is_role = parts.len() == 6 && parts[5].starts_with("role/") && account.len() == 12;
    if !is_role || (world.external_id.is_some() && external_id != world.external_id) {
        let said = format!(
            "User: arn:aws:iam::{}:user/kitchen is not authorized to perform: sts:AssumeRole on resource: {role}",
            call.account
        );
        return Err(No { status: 403, ..no("AccessDenied", said) });
    }
    Ok(json!({
        "Credentials": {
            "AccessKeyId": format!("ASIA{account}"), "SecretAccessKey": "assumed-secret", "SessionToken": "session",
            "Expiration": "2099-01-01T00:00:00Z",
        },
        "AssumedRoleUser": { "AssumedRoleId": "AROAKITCHEN:elkbake", "Arn": role },
    }))
}
