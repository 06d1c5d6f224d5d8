//! Who calls: STS, and tokens for the registries.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::serve::Call;
use super::{ACCOUNT, Api};

/// The right answer to a call of STS, as XML.
pub fn answer(api: &Api, call: &Call) -> Result<String, String> {
    let mut state = api.state();
    let account = state.accounts.get(&call.key).cloned().unwrap_or_else(|| ACCOUNT.to_owned());
    let field = |name: &str| call.body[name].as_str();
    match call.action.as_str() {
        "GetCallerIdentity" => Ok(format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::{account}:user/kitchen</Arn><UserId>AIDA</UserId><Account>{account}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        )),
        "AssumeRole" if state.external_id.is_none() || field("ExternalId") == state.external_id.as_deref() => {
            let role = field("RoleArn").unwrap_or_default();
            let account = role.split(':').nth(4).unwrap_or_default().to_owned();
            let key = format!("ASIA{account}");
            state.accounts.insert(key.clone(), account);
            Ok(format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                 <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>assumed-secret</SecretAccessKey>\
                 <SessionToken>session</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
                 <AssumedRoleUser><AssumedRoleId>AROA:elkbake</AssumedRoleId><Arn>{role}</Arn></AssumedRoleUser>\
                 </AssumeRoleResult></AssumeRoleResponse>"
            ))
        }
        _ => Err(error("AccessDenied", "not authorized to perform: sts:AssumeRole")),
    }
}

/// An error as STS writes it.
pub fn error(code: &str, said: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{said}</Message></Error></ErrorResponse>"
    )
}

/// A token, good until it is said to be worthless.
pub fn token(api: &Api, call: &Call) -> Value {
    let mut state = api.state();
    state.given += 1;
    let password = format!("password-{}-{}", call.region, state.given);
    let registry = &api.registries[&call.region];
    registry.ecr(|ecr| ecr.passwords.insert(password.clone()));
    json!({ "authorizationData": [{
        "authorizationToken": STANDARD.encode(format!("AWS:{password}")),
        "expiresAt": 4_070_908_800_u64,
        "proxyEndpoint": format!("https://{ACCOUNT}.dkr.ecr.{}.amazonaws.com", call.region),
    }] })
}
