//! The address that a node publishes, its port, name and zone.

use std::time::Duration;

use super::metadata::{AWSVPC, Answer, BRIDGE, HOST, Service, agent, agent_of, container, file, instance, task, text};
use super::node::Node;

/// More than the script's own bound, for a busy machine.
const BOUND: Duration = Duration::from_secs(25);

/// The same for each case, at one time: most of it is waiting.
fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

const ENDPOINT: &str = "https://ec2.eu-west-1.amazonaws.com";

#[test]
fn host_mode_publishes_the_instance_of_the_file() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::in_task(&agent, &instance).metadata_file(Some(&file(HOST, "", "READY")));
    assert_eq!(node.run().found(), format!("10.0.1.42 - ip-10-0-1-42 eu-west-1a {ENDPOINT}"));
    assert_eq!(instance.asked(), [""; 0]);
}

#[test]
fn host_mode_without_a_file_asks_the_instance_with_a_token() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let started = Node::in_task(&agent, &instance).run();
    assert_eq!(started.found(), format!("10.0.1.23 - ip-10-0-1-23 eu-west-1a {ENDPOINT}"));
    assert_eq!(instance.asked(), ["PUT /latest/api/token", "GET /latest/meta-data/local-ipv4"]);
    started.says(&["publishes 10.0.1.23, in network mode host"]);
}

#[test]
fn bridge_mode_publishes_the_instance_and_its_port() {
    for ports in [
        r#", "Ports": [{ "ContainerPort": 9200, "Protocol": "tcp", "HostPort": 9200 }, { "ContainerPort": 9300, "Protocol": "tcp", "HostPort": 32769 }]"#,
        r#", "Ports": [{ "HostPort": 32769, "Protocol": "tcp", "ContainerPort": 9300 }, { "HostPort": 1, "ContainerPort": 93001 }]"#,
        r#", "Ports": [{ "HostPort": 1, "ContainerPort": 19300 }, { "HostPort": 32769, "ContainerPort": 9300 }]"#,
    ] {
        let (agent, instance) = (agent(BRIDGE, ports), instance());
        let started = Node::in_task(&agent, &instance).run();
        assert_eq!(started.found(), format!("10.0.1.23 32769 ip-10-0-1-23-32769 eu-west-1a {ENDPOINT}"), "{ports}");
        started.says(&["publishes 10.0.1.23:32769, in network mode bridge"]);
    }
}

#[test]
fn bridge_mode_with_the_same_port_outside_has_a_plain_name() {
    let (agent, instance) = (agent(BRIDGE, r#", "Ports": [{ "ContainerPort": 9300, "HostPort": 9300 }]"#), instance());
    let found = Node::in_task(&agent, &instance).run().found();
    assert_eq!(found, format!("10.0.1.23 9300 ip-10-0-1-23 eu-west-1a {ENDPOINT}"));
}

#[test]
fn bridge_mode_needs_the_port() {
    let (agent, instance) = (agent(BRIDGE, r#", "Ports": [{ "ContainerPort": 9200, "HostPort": 9200 }]"#), instance());
    let started = Node::in_task(&agent, &instance).refused();
    started.says(&["port 9300", "ES_PUBLISH_PORT"]);
    let found = Node::in_task(&agent, &instance).env("ES_PUBLISH_PORT", "9301").run().found();
    assert_eq!(found, format!("10.0.1.23 9301 ip-10-0-1-23-9301 eu-west-1a {ENDPOINT}"));
}

#[test]
fn bridge_mode_by_the_file_alone() {
    let ports = r#"{ "ContainerPort": 9300, "HostPort": 9310, "BindIp": "0.0.0.0", "Protocol": "tcp" }"#;
    let node = Node::new().metadata_file(Some(&file(BRIDGE, ports, "READY")));
    assert_eq!(node.run().found(), format!("10.0.1.42 9310 ip-10-0-1-42-9310 eu-west-1c {ENDPOINT}"));
}

#[test]
fn awsvpc_publishes_the_task_and_never_the_instance() {
    let (agent, instance) = (agent(AWSVPC, ""), instance());
    let node = Node::in_task(&agent, &instance).metadata_file(Some(&file(AWSVPC, "", "READY")));
    let started = node.run();
    assert_eq!(started.found(), format!("10.0.2.100 - ip-10-0-2-100 eu-west-1a {ENDPOINT}"));
    assert_eq!((instance.asked(), agent.asked().len()), (vec![], 2));
}

#[test]
fn awsvpc_without_ipv4() {
    let network = r#"{ "NetworkMode": "awsvpc", "IPv4Addresses": [], "IPv6Addresses": ["2001:db8::7"] }"#;
    let (agent, instance) = (agent(network, ""), instance());
    let started = Node::in_task(&agent, &instance).run();
    assert_eq!(started.found(), format!("2001:db8::7 - ip-2001-db8--7 eu-west-1a {ENDPOINT}"));
}

#[test]
fn awsvpc_without_an_address_is_told() {
    let (agent, instance) = (agent(r#"{ "NetworkMode": "awsvpc" }"#, ""), instance());
    Node::in_task(&agent, &instance).refused().says(&["the task has no address yet", "set ES_PUBLISH_HOST"]);
    assert_eq!(instance.asked(), [""; 0]);
}

#[test]
fn an_agent_that_learns_of_the_container_later_is_asked_again() {
    let agent = Service::new(|question, _, before| match (question, before) {
        ("GET /v4/id", 0) => Answer::Status(500),
        ("GET /v4/id", 1) => text("{ \"DockerId\": \"ea32\", \"Name\": \"es\" }"),
        ("GET /v4/id", _) => text(container(AWSVPC, "")),
        _ => text(task("")),
    });
    let found = Node::in_task(&agent, &instance()).patient().run().found();
    assert_eq!(found, format!("10.0.2.100 - ip-10-0-2-100 eu-west-1a {ENDPOINT}"));
}

#[test]
fn ports_that_the_agent_learns_of_later_are_waited_for() {
    let agent = Service::new(|question, _, before| match (question, before) {
        ("GET /v4/id", 0) => text(container(BRIDGE, "")),
        ("GET /v4/id", _) => text(container(BRIDGE, r#", "Ports": [{ "ContainerPort": 9300, "HostPort": 9305 }]"#)),
        _ => text(task("")),
    });
    assert_eq!(Node::in_task(&agent, &instance()).patient().run().env["ES_PUBLISH_PORT"], "9305");
}

#[test]
fn a_file_that_is_not_ready_is_waited_for() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::in_task(&agent, &instance).patient().metadata_file(Some("{ \"Cluster\": \"default\", "));
    let started = std::thread::scope(|scope| {
        let start = scope.spawn(|| node.run());
        std::thread::sleep(Duration::from_millis(700));
        node.file("/metadata.json", &file(HOST, "", "READY"));
        start.join().unwrap()
    });
    assert_eq!(started.env["ES_PUBLISH_HOST"], "10.0.1.42");
}

#[test]
fn a_file_that_never_comes_leaves_the_instance() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let started = Node::in_task(&agent, &instance).metadata_file(None).run();
    assert_eq!(started.env["ES_PUBLISH_HOST"], "10.0.1.23");
    assert!(started.took < BOUND, "{:?}", started.took);
}

#[test]
fn an_instance_that_refuses_is_told_with_its_answer() {
    for status in [401, 403] {
        let refuses = Service::new(move |_, _, _| Answer::Status(status));
        let agent = agent(HOST, "");
        let started = Node::in_task(&agent, &refuses).refused();
        let hints = ["ECS_ENABLE_CONTAINER_METADATA", "HttpPutResponseHopLimit", "ES_PUBLISH_HOST"];
        started.says(&["no address to publish", "/latest/api/token", &status.to_string()]);
        started.says(&hints);
        assert_eq!(refuses.asked(), ["PUT /latest/api/token"]);
    }
}

#[test]
fn an_instance_that_wants_no_token_is_not_asked_without() {
    let old = Service::new(|question, _, _| match question {
        "GET /latest/meta-data/local-ipv4" => text("10.0.1.23"),
        _ => Answer::Status(404),
    });
    Node::in_task(&agent(HOST, ""), &old).refused().says(&["404"]);
}

/// Where instance metadata may take one hop only, the answer with the token never arrives.
#[test]
fn an_instance_that_is_silent_is_not_waited_for() {
    let silent = Service::new(|_, _, _| Answer::Silence);
    let started = Node::in_task(&agent(HOST, ""), &silent).refused();
    started.says(&["/latest/api/token", "(28)"]);
    assert!(started.took < BOUND, "{:?}", started.took);
    assert_eq!(silent.asked().len(), 1);
}

#[test]
fn an_instance_that_is_not_there_is_told() {
    let node = Node::new().agent(&agent(HOST, "").url);
    let started = node.refused();
    started.says(&["http://127.0.0.1:1/latest/api/token", "(7)"]);
    assert!(started.took < BOUND, "{:?}", started.took);
}

#[test]
fn an_answer_that_is_no_address_is_no_address() {
    for wrong in ["<html>welcome</html>", "10.0.1", "10.0.1.23\n10.0.1.24", "; rm -rf /", ""] {
        let odd = Service::new(move |question, _, _| text(if question.starts_with("PUT") { "t" } else { wrong }));
        Node::in_task(&agent(HOST, ""), &odd).refused().says(&["no address to publish"]);
    }
}

#[test]
fn an_agent_that_cannot_be_understood_leaves_the_network_mode_open() {
    at_once(["", "{", "<html>", r#"{ "Networks": [{ "NetworkMode": 7 }] }"#, r#"{ "Networks": [] }"#], |answer| {
        let odd = agent_of(answer.to_owned(), answer.to_owned());
        let started = Node::in_task(&odd, &instance()).refused();
        started.says(&["network mode is not known", "names no network mode", "set ES_PUBLISH_HOST"]);
        assert!(started.took < BOUND, "{:?}", started.took);
    });
}

#[test]
fn an_agent_that_is_silent_or_away_is_not_waited_for() {
    let silent = Service::new(|_, _, _| Answer::Silence);
    let cases = [(silent.url.as_str(), "(28)"), ("http://127.0.0.1:1", "(7)")];
    at_once([(cases[0], true), (cases[1], true), (cases[0], false), (cases[1], false)], |((url, code), with_file)| {
        let node = Node::new().agent(url);
        let took = if with_file {
            let started = node.metadata_file(Some(&file(HOST, "", "READY"))).run();
            assert_eq!(
                started.found(),
                format!("10.0.1.42 - ip-10-0-1-42 eu-west-1c {ENDPOINT}"),
                "the file has it all"
            );
            started.took
        } else {
            let started = node.refused();
            started.says(&["network mode is not known", code]);
            started.took
        };
        assert!(took < BOUND, "{took:?}");
    });
}

#[test]
fn when_everything_is_silent_there_is_still_an_end() {
    let silent = Service::new(|_, _, _| Answer::Silence);
    let node = Node::in_task(&silent, &silent).patient().metadata_file(None).env("ES_PUBLISH_HOST", "10.0.1.1");
    let started = node.refused();
    started.says(&["no availability zone was found", "set NODE_ZONE"]);
    assert!(started.took < BOUND, "{:?}", started.took);
}

#[test]
fn the_zone_is_the_tasks_the_files_or_the_instances() {
    let bare = || agent_of(container(AWSVPC, ""), "{ \"Cluster\": \"c\", \"Containers\": [] }".to_owned());
    let found = |node: Node| node.run().env["NODE_ZONE"].clone();
    assert_eq!(found(Node::in_task(&agent(AWSVPC, ""), &instance())), "eu-west-1a");
    let with_file = Node::in_task(&bare(), &instance()).metadata_file(Some(&file(AWSVPC, "", "READY")));
    assert_eq!(found(with_file), "eu-west-1c");
    assert_eq!(found(Node::in_task(&bare(), &instance())), "eu-west-1b");
    let node = Node::new().agent(&bare().url).env("NODE_ZONE", "rack-7");
    assert_eq!(node.run().found(), "10.0.2.100 - ip-10-0-2-100 rack-7 -");
}

#[test]
fn the_endpoint_follows_from_the_zone() {
    for (zone, endpoint) in [
        ("us-gov-west-1a", "https://ec2.us-gov-west-1.amazonaws.com"),
        ("us-west-2-lax-1a", "https://ec2.us-west-2.amazonaws.com"),
        ("cn-north-1b", "https://ec2.cn-north-1.amazonaws.com.cn"),
    ] {
        let task = task("").replace("eu-west-1a", zone);
        let started = Node::in_task(&agent_of(container(AWSVPC, ""), task), &instance()).run();
        assert_eq!((started.env["NODE_ZONE"].as_str(), started.env["EC2_ENDPOINT"].as_str()), (zone, endpoint));
    }
}

/// An image without curl is none of Elastic's; what is missing is told all the same, and nobody waits for it.
#[test]
fn a_curl_that_is_not_there_is_told() {
    let (agent, instance) = (agent(HOST, ""), instance());
    let node = Node::in_task(&agent, &instance);
    let path = node.path("/few");
    std::fs::create_dir(&path).unwrap();
    for program in ["cat", "grep", "sleep", "printenv"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(program))
            .find(|file| file.is_file());
        std::os::unix::fs::symlink(found.unwrap(), path.join(program)).unwrap();
    }
    let started = node.env("PATH", path.to_str().unwrap()).refused();
    started.says(&["no address to publish", "curl: command not found", "set ES_PUBLISH_HOST"]);
    assert!(started.took < BOUND, "{:?}", started.took);
}
