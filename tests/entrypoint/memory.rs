//! The heap, where nothing but the script can tell how large it may be.

use super::metadata::{AWSVPC, agent, agent_of, container, instance, task};
use super::node::Node;

const V2: &str = "/sys/fs/cgroup/memory.max";
const V1: &str = "/sys/fs/cgroup/memory/memory.limit_in_bytes";

fn options(node: &Node) -> Option<String> {
    node.run().env.get("ES_JAVA_OPTS").cloned()
}

/// Without a limit of its own.
fn free(node: Node) -> Node {
    node.file(V2, "max\n");
    node
}

#[test]
fn a_container_with_a_limit_is_left_to_elasticsearch() {
    assert_eq!(options(&Node::new()), None);
    let node = Node::new().env("ES_JAVA_OPTS", "-Da=b");
    assert_eq!(options(&node).as_deref(), Some("-Da=b"));
    node.remove(V2);
    node.file(V1, "2147483648\n");
    assert_eq!(options(&node).as_deref(), Some("-Da=b"));
}

#[test]
fn without_any_limit_the_heap_is_small_and_loud() {
    let no_cgroup = Node::new();
    no_cgroup.remove(V2);
    let v1 = Node::new();
    v1.remove(V2);
    // What the older cgroups say for none: 2^63 rounded down to pages.
    v1.file(V1, "9223372036854771712\n");
    for node in [free(Node::new()), no_cgroup, v1] {
        let started = node.run();
        assert_eq!(started.env["ES_JAVA_OPTS"], "-Xms1024m -Xmx1024m");
        started.says(&["NOTHING LIMITS THE MEMORY", "`memory`", "ES_JAVA_OPTS"]);
    }
    let node = free(Node::new()).env("ES_JAVA_OPTS", "-Da=b");
    assert_eq!(options(&node).as_deref(), Some("-Xms1024m -Xmx1024m -Da=b"));
}

#[test]
fn what_ecs_limits_counts_where_the_container_shows_nothing() {
    let of_task = agent_of(container(AWSVPC, ""), task(r#", "Limits": { "CPU": 2, "Memory": 8192 }"#));
    let node = free(Node::in_task(&of_task, &instance()));
    let started = node.run();
    assert_eq!(started.env["ES_JAVA_OPTS"], "-Xms4096m -Xmx4096m");
    started.says(&["ECS names 8192 MiB", "4096 MiB"]);
    let of_container = agent(AWSVPC, r#", "Limits": { "CPU": 0, "Memory": 6000 }"#);
    assert_eq!(options(&free(Node::in_task(&of_container, &instance()))).as_deref(), Some("-Xms3000m -Xmx3000m"));
    let large = agent(AWSVPC, r#", "Limits": { "Memory": 131072, "CPU": 0 }"#);
    assert_eq!(options(&free(Node::in_task(&large, &instance()))).as_deref(), Some("-Xms31744m -Xmx31744m"));
    // Another container's limit is not the task's, and nothing is no limit.
    let none = agent_of(container(AWSVPC, r#", "Limits": { "CPU": 2, "Memory": 0 }"#), task(""));
    assert_eq!(options(&free(Node::in_task(&none, &instance()))).as_deref(), Some("-Xms1024m -Xmx1024m"));
}

#[test]
fn a_heap_that_somebody_chose_stays() {
    for chosen in ["-Xms2g -Xmx2g", "-Da=b -Xmx2g", "-XX:MaxRAMPercentage=40", "-XX:MaxHeapSize=2g"] {
        assert_eq!(options(&free(Node::new()).env("ES_JAVA_OPTS", chosen)).as_deref(), Some(chosen));
    }
    for (path, line) in [
        ("jvm.options.d/heap.options", "-Xms2g\n-Xmx2g\n"),
        ("jvm.options.d/heap.options", "# heap\n17-:-Xmx2g"),
        ("jvm.options", "-XX:InitialRAMPercentage=40"),
    ] {
        let node = free(Node::new());
        node.file(&format!("/usr/share/elasticsearch/config/{path}"), line);
        assert_eq!(options(&node), None, "{path}: {line}");
    }
    let node = free(Node::new());
    node.file("/usr/share/elasticsearch/config/jvm.options.d/heap.txt", "-Xmx2g");
    assert!(options(&node).is_some(), "Elasticsearch reads no other files than *.options");
}
