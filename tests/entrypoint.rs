//! The entrypoint of the Elasticsearch image that is shipped, run against a made-up host of ECS.

mod keystore;
mod memory;
mod metadata;
mod network;
mod node;

use std::time::Duration;

use metadata::{AWSVPC, HOST, agent, file, instance};
use node::{Node, SCRIPT};

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

/// What Elasticsearch cannot resolve stops it: everything has a default, and what the script finds out is read.
#[test]
fn the_configuration_reads_what_the_script_finds_out() {
    let home = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = home.join("images/elasticsearch/usr/share/elasticsearch/config/elasticsearch.yml");
    let config = std::fs::read_to_string(config).unwrap();
    let settings: Vec<_> = config.lines().filter(|line| !line.starts_with('#') && line.contains("${")).collect();
    assert!(settings.len() > 10, "{settings:?}");
    for line in &settings {
        let inside = line.split_once("${").unwrap().1;
        assert!(inside.ends_with('}') && inside.contains(':'), "no default: {line}");
    }
    let script = std::fs::read_to_string(home.join(SCRIPT)).unwrap();
    let exported = script.lines().find(|line| line.starts_with("for variable in ES_PUBLISH_HOST")).unwrap();
    for variable in exported.trim_end_matches("; do").split(' ').skip(3) {
        let told = format!("#   {variable} ");
        assert!(script.contains(&told), "{variable} is not explained");
        assert!(settings.iter().any(|line| line.contains(&format!("${{{variable}:"))), "{variable} is not read");
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
    let none = given.iter().fold(node(), |node, (name, _)| node.env(name, ""));
    let started = none.run();
    assert_eq!((started.found(), started.env["NODE_ZONE"].as_str()), (" -   ".to_owned(), ""));
    assert_eq!((agent.asked(), instance.asked()), (vec![], vec![]));
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
