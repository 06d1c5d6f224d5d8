//! Secrets on their way from the environment into the keystore.

use super::metadata::{HOST, agent, instance};
use super::node::Node;

const ADD: &str = "add --stdin --force";
const STORE: &str = "/usr/share/elasticsearch/config/elasticsearch.keystore";

/// A node with two secrets.
fn node() -> Node {
    Node::new()
        .env("ES_KEYSTORE_DISCOVERY_EC2_ACCESS__KEY", "AK \"$(id)\" 'x' \\n é")
        .env("ES_KEYSTORE_S3_CLIENT_DEFAULT_SECRET__KEY", "-s3cr3t=")
}

#[test]
fn all_secrets_go_in_with_one_call_and_by_standard_input() {
    let node = node();
    let started = node.run();
    assert_eq!(node.read("/calls"), format!("{ADD} discovery.ec2.access_key s3.client.default.secret_key\n"));
    assert_eq!(node.read("/received"), "AK \"$(id)\" 'x' \\n é\n-s3cr3t=\n");
    started.says(&["moved into the keystore: discovery.ec2.access_key s3.client.default.secret_key"]);
    assert!(!started.said.contains("s3cr3t"), "{}", started.said);
    for env in [started.env, node.variables("/environment-of-tool")] {
        assert!(env.contains_key("PATH"));
        assert!(
            env.iter().all(|(name, value)| !name.starts_with("ES_KEYSTORE") && !value.contains("s3cr3t")),
            "{env:?}"
        );
    }
}

#[test]
fn without_secrets_no_jvm_is_started() {
    let node = Node::new().env("ES_KEYSTORE_A_B", "").env("KEYSTORE_PASSWORD", "kp");
    let started = node.run();
    assert_eq!(node.read("/calls"), "");
    assert!(!started.env.contains_key("ES_KEYSTORE_A_B"));
    assert_eq!(started.env["KEYSTORE_PASSWORD"], "kp", "Elasticsearch itself needs it");
}

#[test]
fn a_keystore_with_a_password_is_unlocked_first() {
    let node = node().env("KEYSTORE_PASSWORD", "kp");
    node.file(STORE, "");
    node.file("/protected", "");
    assert_eq!(node.run().env["KEYSTORE_PASSWORD"], "kp");
    assert_eq!(node.read("/calls").lines().next(), Some("has-passwd --silent"));
    assert!(node.read("/received").starts_with("kp\nAK "), "{}", node.read("/received"));
}

#[test]
fn a_keystore_without_a_password_is_not_given_one_for_a_value() {
    let node = node().env("KEYSTORE_PASSWORD", "kp");
    node.file(STORE, "");
    node.run();
    assert!(node.read("/received").starts_with("AK "), "{}", node.read("/received"));
}

#[test]
fn a_new_keystore_gets_the_password_that_is_wanted() {
    let node = node().env("KEYSTORE_PASSWORD_FILE", "/nowhere");
    node.refused().says(&["KEYSTORE_PASSWORD_FILE cannot be read"]);
    node.file("/password", "from file\n");
    let path = node.path("/password").to_str().unwrap().to_owned();
    let node = node.env("KEYSTORE_PASSWORD_FILE", &path);
    assert_eq!(node.run().env["KEYSTORE_PASSWORD_FILE"], path);
    assert_eq!(node.read("/calls").lines().next(), Some("create -p"));
    assert!(node.read("/received").starts_with("from file\nfrom file\nfrom file\nAK "), "{}", node.read("/received"));
}

#[test]
fn what_the_keystore_cannot_take_is_refused_by_name() {
    let several = Node::new().env("ES_KEYSTORE_A_B", "one\ntwo-s3cr3t").refused();
    several.says(&["ES_KEYSTORE_A_B has several lines"]);
    assert!(!several.said.contains("s3cr3t"));
    Node::new()
        .env("ES_KEYSTORE_PASSWORD", "x")
        .refused()
        .says(&["ES_KEYSTORE_PASSWORD names no setting", "`password`"]);
    Node::new().env("ES_KEYSTORE_", "x").refused().says(&["ES_KEYSTORE_ names no setting"]);
    let node = node();
    node.file("/broken", "");
    let started = node.refused();
    started.says(&["did not take discovery.ec2.access_key", "writable"]);
    assert!(!started.said.contains("s3cr3t"));
}

/// A value that looks like another variable is a value.
#[test]
fn a_value_of_several_lines_makes_no_other_variable() {
    let node = Node::new().env("NOTE", "a\nES_KEYSTORE_A_B=c");
    node.run();
    assert_eq!(node.read("/calls"), "");
}

#[test]
fn the_programs_that_look_around_see_no_secret() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::in_task(&agent, &instance).env("ES_KEYSTORE_A_B", "s3cr3t");
    // In front of the real one.
    node.program("/spy/curl", "#!/bin/bash\nenv >> ROOT/spied\nPATH=${PATH#*:} exec curl \"$@\"\n");
    let path = format!("{}:{}", node.path("/spy").display(), std::env::var("PATH").unwrap());
    let node = node.env("PATH", &path);
    assert_eq!(node.run().env["ES_PUBLISH_HOST"], "10.0.1.23");
    let spied = node.read("/spied");
    assert!(spied.contains("PATH=") && !spied.contains("s3cr3t"), "{spied}");
}
