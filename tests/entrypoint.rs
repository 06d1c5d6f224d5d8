//! The entrypoint of the Elasticsearch image that is shipped, run against a made-up host of ECS.

mod keystore;
mod memory;
pub mod metadata;
mod network;
mod node;

use std::time::Duration;

use metadata::{AWSVPC, HOST, agent, file, instance};
use node::{Node, SCRIPT};

/// Where the configuration is in the project.
const CONFIGURATION: &str = "images/elasticsearch/usr/share/elasticsearch/config/elasticsearch.yml";

#[test]
fn arguments_and_other_variables_go_through_as_they_are() {
    let node = Node::new().env("network.bind_host", "0.0.0.0").env("A", "b  c\n\"d").env("ELASTIC_PASSWORD", "pw");
    let arguments = ["eswrapper", "-Ea.b=c d", "", "*", "x\ny", "-E", "node.attr.rack=$HOME \"1\""];
    let started = node.start(&arguments);
    assert_eq!((started.code, started.words()), (0, arguments.to_vec()), "{}", started.said);
    for (name, value) in [("network.bind_host", "0.0.0.0"), ("A", "b  c\n\"d"), ("ELASTIC_PASSWORD", "pw")] {
        assert_eq!(started.env[name], value);
    }
}

#[test]
fn another_command_than_elasticsearch_is_passed_on_at_once() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::in_task(&agent, &instance).env("ES_KEYSTORE_A_B", "secret");
    for arguments in [&["bash", "-c", "true"][..], &["elasticsearch-keystore", "list"], &[]] {
        let started = node.start(arguments);
        assert_eq!((started.code, started.words()), (0, arguments.to_vec()), "{}", started.said);
        assert_eq!((started.found().as_str(), started.said.as_str()), ("- - - - -", ""));
    }
    assert_eq!((agent.asked(), instance.asked(), node.read("/calls")), (vec![], vec![], String::new()));
    let by_path = node.start(&["/usr/share/elasticsearch/bin/elasticsearch"]);
    assert_ne!(by_path.env.get("NODE_ZONE"), None, "{}", by_path.said);
}

#[test]
fn without_ecs_everything_is_left_to_elasticsearch() {
    let started = Node::new().run();
    assert_eq!(started.found(), "- - - - -");
    started.says(&["this is no task of ECS"]);
}

/// A process that does not replace itself would keep signals from Elasticsearch: ECS would kill it after its timeout.
#[test]
fn elasticsearch_takes_the_place_of_the_script_and_gets_its_signals() {
    let node = Node::new();
    let waits = "#!/bin/bash\ntrap 'echo stopped > ROOT/stopped; exit 7' TERM\necho $$ > ROOT/pid\nwhile :; do sleep 0.05; done\n";
    node.program("/usr/local/bin/docker-entrypoint.sh", waits);
    let mut child = node.spawn(&["eswrapper"]);
    while node.read("/pid").is_empty() {
        assert!(child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(node.read("/pid").trim(), child.id().to_string());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert_eq!(node.read("/stopped"), "stopped\n");
}

/// What Elasticsearch cannot resolve stops it, and so it does its tools: all that the file reads is in the environment of
/// the image, and what the script finds out is read.
#[test]
fn the_configuration_reads_what_the_script_finds_out_and_the_image_says() {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = std::fs::read_to_string(home.join(CONFIGURATION)).unwrap();
    let settings = config.lines().filter(|line| !line.starts_with('#') && line.contains("${"));
    let mut read = std::collections::BTreeSet::new();
    for line in settings {
        // In quotes, because an empty one would be a setting without a value; and without a default, which 8.2 and later
        // take whatever the environment says.
        let name = line.split_once(": '${").and_then(|(_, rest)| rest.strip_suffix("}'"));
        let name = name.unwrap_or_else(|| panic!("{line}"));
        assert!(name.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_'), "{line}");
        read.insert(name.to_owned());
    }
    let recipe = std::fs::read_to_string(home.join("recipes/elasticsearch.toml")).unwrap();
    let recipe: toml::Table = toml::from_str(&recipe).unwrap();
    let said: std::collections::BTreeSet<_> =
        recipe["config"]["env"].as_table().unwrap().keys().map(ToOwned::to_owned).collect();
    assert_eq!(read, said);
    let script = std::fs::read_to_string(home.join(SCRIPT)).unwrap();
    let exported = script.lines().find(|line| line.starts_with("for variable in ES_PUBLISH_HOST")).unwrap();
    for variable in exported.trim_end_matches("; do").split(' ').skip(3) {
        let told = format!("#   {variable} ");
        assert!(script.contains(&told), "{variable} is not explained");
        assert!(read.contains(variable), "{variable} is not read");
        assert_eq!(recipe["config"]["env"][variable].as_str(), Some(""), "{variable} would not be looked up");
    }
}

/// Elasticsearch puts variables into its file as text.
#[test]
fn variables_that_the_configuration_cannot_take_are_refused() {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_to_string(home.join(CONFIGURATION)).unwrap();
    let node = |text: &str| {
        let node =
            Node::new().env("SET", "x").env("WITH", "it's").env("LINES", "a\nb: c").env("ODD", "a # \"b\\: ${SET}");
        node.file("/usr/share/elasticsearch/config/elasticsearch.yml", text);
        node
    };
    for (text, says) in [
        (shipped.as_str(), "reads the variable CLUSTER_NAME, which is not set"),
        ("a: '${SET}'\nb: 'x-${SET}-${NOT}'", "reads the variable NOT, which is not set"),
        ("a: '${WITH}'", "WITH has a quote or a line break"),
        ("a: '${LINES}'\n", "LINES has a quote or a line break"),
    ] {
        node(text).refused().says(&[says]);
    }
    for text in
        ["", "# '${NOT}'\n  # ${NOT}\na: '${SET}' '${ODD}'", "a: ${HOSTNAME}-${node.name}-${NOT:default}", "a: $NOT"]
    {
        node(text).run();
    }
}

#[test]
fn what_is_said_by_hand_counts_and_is_not_looked_up() {
    let given = [
        ("ES_PUBLISH_HOST", "es.example.com"),
        ("NODE_NAME", "n1"),
        ("NODE_ZONE", "z-1"),
        ("EC2_ENDPOINT", "https://e"),
    ];
    let (agent, instance) = (agent(AWSVPC, ""), instance());
    let node = || given.iter().fold(Node::in_task(&agent, &instance), |node, (name, value)| node.env(name, value));
    assert_eq!(node().run().found(), "es.example.com - n1 z-1 https://e");
    assert_eq!((agent.asked(), instance.asked()), (vec![], vec![]));
}

/// The image sets them to nothing, because there has to be something.
#[test]
fn variables_that_are_empty_are_looked_up_and_are_there_in_any_case() {
    let names = ["ES_PUBLISH_HOST", "ES_PUBLISH_PORT", "NODE_NAME", "NODE_ZONE", "EC2_ENDPOINT"];
    let (agent, instance) = (agent(AWSVPC, ""), instance());
    let node = names.iter().fold(Node::in_task(&agent, &instance), |node, name| node.env(name, ""));
    assert_eq!(node.run().found(), "10.0.2.100 - ip-10-0-2-100 eu-west-1a https://ec2.eu-west-1.amazonaws.com");
    let outside = Node::new().run();
    assert!(names.iter().all(|name| outside.env[*name].is_empty()), "{:?}", outside.env);
}

#[test]
fn what_elasticsearch_is_told_itself_is_not_looked_up() {
    let settings = ["network.publish_host", "node.name", "node.attr.aws_availability_zone", "discovery.ec2.endpoint"];
    let (agent, instance) = (agent(AWSVPC, ""), instance());
    let node = || Node::in_task(&agent, &instance);
    let joined: Vec<_> = settings.iter().map(|setting| format!("-E{setting}=x")).collect();
    let apart: Vec<_> = settings.iter().flat_map(|setting| ["-E".to_owned(), format!("{setting}=x")]).collect();
    for options in [joined, apart] {
        let arguments: Vec<_> = ["eswrapper"].into_iter().chain(options.iter().map(String::as_str)).collect();
        let started = node().start(&arguments);
        assert_eq!((started.found().as_str(), started.words()), ("- - - - -", arguments));
    }
    let dotted = settings.iter().fold(node(), |node, setting| node.env(setting, "x"));
    let upper = |setting: &str| format!("ES_SETTING_{}", setting.replace('_', "__").replace('.', "_").to_uppercase());
    let named = settings.iter().fold(node(), |node, setting| node.env(&upper(setting), "x"));
    for node in [dotted, named] {
        assert_eq!(node.run().found(), "- - - - -");
    }
    assert_eq!((agent.asked(), instance.asked()), (vec![], vec![]));
    // What only looks alike is another setting.
    let other = node().env("networkXpublish_host", "x").start(&["eswrapper", "node.name=x", "-Enode.names=x"]);
    assert_eq!(other.found(), "10.0.2.100 - ip-10-0-2-100 eu-west-1a https://ec2.eu-west-1.amazonaws.com");
}

#[test]
fn a_proxy_is_no_way_to_the_host() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node =
        Node::in_task(&agent, &instance).env("http_proxy", "http://127.0.0.1:1").env("ALL_PROXY", "http://127.0.0.1:1");
    assert_eq!(node.run().env["ES_PUBLISH_HOST"], "10.0.1.23");
}

#[test]
fn the_file_is_enough() {
    let node = Node::new().metadata_file(Some(&file(HOST, "", "READY")));
    assert_eq!(node.run().found(), "10.0.1.42 - ip-10-0-1-42 eu-west-1c https://ec2.eu-west-1.amazonaws.com");
}
