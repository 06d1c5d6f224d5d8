//! The recipe for Elasticsearch that is shipped, with its files as they are: baked onto a base that is laid out as the
//! official image is, and started in a made-up task of ECS.
//!
//! Made up is what cannot be had: discovery-ec2 and analysis-icu, and the image's own entrypoint.

use std::path::Path;

use serde_json::{Value, json};

use super::{Node, VERSION, class, descriptor, loaded, packed};
use crate::entrypoint::metadata::{HOST, agent, instance};
use crate::kitchen::project::Kitchen;
use crate::real::engine::Engine;
use crate::real::run;

/// What the official one does with a command that is none of Elasticsearch's, and with one that is.
const ENTRYPOINT: &str = "#!/bin/bash
case $1 in
    eswrapper | elasticsearch) exec /usr/share/elasticsearch/bin/elasticsearch \"${@:2}\" ;;
    *) exec \"$@\" ;;
esac
";

/// The shipped recipe on a base that can be had, with plugins that can be had.
fn recipe() -> String {
    let mut text = shipped("recipes/elasticsearch.toml");
    for (from, to) in [
        ("version     = \"8.19.3\"", format!("version = \"{VERSION}\"")),
        ("from        = \"docker.elastic.co/elasticsearch/elasticsearch:8.19.3\"", "from = \"recipe:base\"".to_owned()),
        ("\"linux/amd64\", \"linux/arm64\"", "\"linux/amd64\"".to_owned()),
        ("name = \"discovery-ec2\"", "name = \"discovery-ec2\"\npath = \"zips/discovery-ec2.zip\"".to_owned()),
        ("name = \"analysis-icu\"", "name = \"analysis-icu\"\npath = \"zips/analysis-icu.zip\"".to_owned()),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    text
}

fn shipped(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Puts the shipped recipe and its files into a project that has a base.
pub(super) fn add(kitchen: &Kitchen) {
    kitchen.write("recipes/elasticsearch.toml", recipe());
    kitchen.write("images/base/usr/local/bin/docker-entrypoint.sh", ENTRYPOINT);
    for path in ["usr/local/bin/ecs-entrypoint", "usr/share/elasticsearch/config/elasticsearch.yml"] {
        let path = format!("images/elasticsearch/{path}");
        kitchen.write(&path, shipped(&path));
    }
}

/// Compiles the made-up plugins with the image's own Java, and packs them.
fn plugins(kitchen: &Kitchen, engine: &Engine, base: &str) {
    let folder = kitchen.project().join("java");
    kitchen.write("java/Made.java", shipped("tests/real/elasticsearch/Made.java"));
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let volume = format!("--volume={}:/java", folder.display());
    // Its program javac is not there, but what that would start is.
    let compile = "exec jdk/bin/java -m jdk.compiler/com.sun.tools.javac.Main -d /java \
                   -cp \"$(printf '%s:' lib/*.jar)\" /java/Made.java";
    engine.run(&[&volume, "--entrypoint=bash"], base, &["-c", compile]).success();
    let made = std::fs::read(folder.join("made/Made.class")).unwrap();
    let made = packed(&[("made/Made.class", &made)]);
    let icu = packed(&[("made/Icu.class", &class("made/Icu", "org/elasticsearch/plugins/Plugin"))]);
    for (name, main, jar) in [("discovery-ec2", "made.Made", made), ("analysis-icu", "made.Icu", icu)] {
        let text = descriptor(name, main);
        let zip = packed(&[("plugin-descriptor.properties", text.as_bytes()), ("made.jar", &jar)]);
        kitchen.write(&format!("zips/{name}.zip"), zip);
    }
}

/// Starts it, and looks at what it has become.
pub(super) fn starts_as_its_task_says(kitchen: &Kitchen, engine: &Engine, base: &str) {
    plugins(kitchen, engine, base);
    let image = loaded(kitchen, engine, "elasticsearch");
    starts_with_all_that_a_task_says(engine, &image);
    starts_without_security(engine, &image);
}

/// The setting of a node, by its answer.
fn setting(answer: &Value, key: &str) -> Value {
    answer["settings"][key].clone()
}

fn first_node(answer: &Value) -> Value {
    answer["nodes"].as_object().unwrap().values().next().unwrap().clone()
}

/// For clusters that are closed by their network alone; and what has no variable of its own is an argument.
fn starts_without_security(engine: &Engine, image: &str) {
    let node = Node::start_with(
        engine,
        image,
        &["ES_SECURITY=false", "ES_EC2_ANY_GROUP=false", "ES_DISCOVERY_TYPE=single-node", "ES_MEMORY_LOCK=false"],
        &["eswrapper", "-Enetwork.host=127.0.0.1", "-Enode.roles=master"],
    );
    let answer = first_node(&node.wait("/_nodes/settings?flat_settings=true"));
    assert_eq!(answer["roles"], json!(["master"]));
    for (key, value) in [
        ("cluster.name", json!("elk")),
        ("xpack.security.enabled", json!("false")),
        ("discovery.ec2.any_group", json!("false")),
        ("discovery.ec2.groups", Value::Null),
        ("reindex.remote.whitelist", Value::Null),
        ("s3.client.default.endpoint", Value::Null),
    ] {
        assert_eq!(setting(&answer, key), value, "{key}");
    }
}

fn starts_with_all_that_a_task_says(engine: &Engine, image: &str) {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::start_with(
        engine,
        image,
        &[
            &format!("ECS_CONTAINER_METADATA_URI_V4={}/v4/id", agent.url),
            &format!("AWS_EC2_METADATA_SERVICE_ENDPOINT={}", instance.url),
            "CLUSTER_NAME=of bread # \"rye\"",
            "ES_DISCOVERY_TYPE=single-node",
            "ES_MEMORY_LOCK=false",
            "ES_EC2_GROUPS=sg-0123456789abcdef0, nodes",
            "ES_CORS=true",
            "ES_CORS_ORIGIN=/https?:\\/\\/localhost(:[0-9]+)?/",
            "ES_REINDEX_WHITELIST=old.example:9200, older.example:9200",
            "S3_ENDPOINT=https://s3.example",
            "ES_KEYSTORE_BOOTSTRAP_PASSWORD=s3cr3t: \"of\" $(rye)",
            "ES_KEYSTORE_S3_CLIENT_DEFAULT_SECRET__KEY=k3y",
        ],
        // Bound to loopback, whatever it publishes.
        &["eswrapper", "-Enetwork.host=127.0.0.1"],
    )
    .user("elastic:s3cr3t: \"of\" $(rye)");
    let answer = first_node(&node.wait("/_nodes/settings?flat_settings=true"));
    assert_eq!(answer["name"], "ip-10-0-1-23");
    assert!(answer["transport_address"].as_str().unwrap().starts_with("10.0.1.23:"), "{answer}");
    for (key, value) in [
        ("cluster.name", "of bread # \"rye\""),
        ("node.attr.aws_availability_zone", "eu-west-1a"),
        ("discovery.seed_providers", "ec2"),
        ("discovery.ec2.endpoint", "https://ec2.eu-west-1.amazonaws.com"),
        ("discovery.ec2.groups", "sg-0123456789abcdef0, nodes"),
        ("discovery.ec2.any_group", "true"),
        ("xpack.security.enabled", "true"),
        ("discovery.ec2.tag.elk-cluster", "of bread # \"rye\""),
        ("reindex.remote.whitelist", "old.example:9200, older.example:9200"),
        ("s3.client.default.endpoint", "https://s3.example"),
        ("http.cors.enabled", "true"),
        ("http.cors.allow-origin", "/https?:\\/\\/localhost(:[0-9]+)?/"),
        ("xpack.security.http.ssl.enabled", "false"),
    ] {
        assert_eq!(setting(&answer, key), value, "{key}");
    }
    for empty in ["cluster.initial_master_nodes", "transport.publish_port", "xpack.security.http.ssl.key"] {
        assert_eq!(setting(&answer, empty), Value::Null, "{empty}");
    }
    let within = |args: &[&str]| run(engine.podman().args(["exec", "node"]).args(args));
    // The tools read the same file, without the entrypoint in front of them.
    assert_eq!(
        within(&["elasticsearch-keystore", "list"]),
        "bootstrap.password\nkeystore.seed\ns3.client.default.secret_key\n"
    );
    assert_eq!(within(&["elasticsearch-plugin", "list"]), "analysis-icu\ndiscovery-ec2\n");
    let recipe: toml::Table = toml::from_str(&recipe()).unwrap();
    let check = recipe["runtime"]["health_check"]["command"][1].as_str().unwrap();
    within(&["bash", "-c", &check.replace("9200", &node.port.to_string())]);
    let nobody = engine.podman().args(["exec", "node", "bash", "-c", &check.replace("9200", "1")]).status();
    assert!(!nobody.unwrap().success(), "it would call anything healthy");
}
