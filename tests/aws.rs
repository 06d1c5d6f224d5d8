//! What `elkbake lock` makes of a cloud that says no.

use crate::kitchen::cloud::Cloud;
use crate::kitchen::project::{Kitchen, Ran};

const BY_ID: &str =
    "kind = \"ami\"\nversion = \"1\"\nregion = \"eu-west-1\"\nbase = { id = \"ami-0123456789abcdef0\" }\n";

fn lock(cloud: &Cloud) -> Ran {
    let kitchen = Kitchen::new()
        .recipe("host", BY_ID)
        .env("AWS_ENDPOINT_URL", &cloud.url())
        .env("AWS_MAX_ATTEMPTS", "1")
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "very-secret");
    let ran = kitchen.run(&["lock"]);
    assert!(!ran.stderr.contains("very-secret"), "{}", ran.stderr);
    assert!(!kitchen.has("recipes/host.lock"));
    ran
}

fn error(code: &str, message: &str) -> &'static str {
    let xml = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>1</RequestID></Response>"
    );
    Box::leak(xml.into_boxed_str())
}

#[test]
fn a_missing_permission_is_named() {
    let cloud = Cloud::saying(403, error("UnauthorizedOperation", "You are not authorized"));
    lock(&cloud).code(5).complains("the permission ec2:DescribeImages").complains("eu-west-1");
    assert!(cloud.asked()[0].contains("Action=DescribeImages"));
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let cloud =
        Cloud::saying(400, error("InvalidAMIID.NotFound", "The image id '[ami-0123456789abcdef0]' does not exist"));
    lock(&cloud).code(5).complains("ami-0123456789abcdef0");
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    lock(&Cloud::saying(200, "<html>proxy login</html>")).code(5);
    lock(&Cloud::saying(500, "")).code(5);
}

/// Nothing but this machine is asked for credentials.
fn lock_as(profile: Option<&str>) -> Ran {
    let cloud = Cloud::saying(200, "");
    let kitchen = Kitchen::new()
        .recipe("host", BY_ID)
        .env("AWS_ENDPOINT_URL", &cloud.url())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let kitchen = match profile {
        Some(profile) => {
            kitchen.write("aws", format!("[default]\n{profile}"));
            let config = kitchen.project().join("aws");
            kitchen.env("AWS_CONFIG_FILE", config.to_str().unwrap())
        }
        None => kitchen,
    };
    let ran = kitchen.run(&["lock"]).code(5);
    assert!(cloud.asked().is_empty());
    assert!(!ran.stderr.contains("Error {") && !ran.stderr.contains("source:"), "{}", ran.stderr);
    ran
}

#[test]
fn without_credentials_it_says_so_and_what_to_do() {
    lock_as(None).complains("there are no credentials for AWS").complains("`aws sso login`").complains("AWS_PROFILE");
    lock_as(Some("role_arn = arn:aws:iam::1:role/a\ncredential_source = Nowhere\n")).complains("~/.aws/config");
    lock_as(Some("credential_process = false\n")).complains("asked for and not given").complains("`aws sso login`");
}

#[test]
fn only_the_service_knows_who_self_is() {
    let cloud = Cloud::saying(403, error("UnauthorizedOperation", "no"));
    Kitchen::new()
        .recipe("host", &BY_ID.replace("id =", "owner = \"self\", id ="))
        .env("AWS_ENDPOINT_URL", &cloud.url())
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b")
        .run(&["lock"])
        .code(5);
    assert!(cloud.asked()[0].contains("Owner.1=self"), "{:?}", cloud.asked());
}
