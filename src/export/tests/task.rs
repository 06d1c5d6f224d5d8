//! Task definitions.

use serde_json::{Value, json as document};

use super::super::*;
use super::{exported, manifest, with};

/// The definition of a task, and what was remarked; or the error with its help.
fn made(change: impl FnOnce(&mut Value), named: &[&str], wishes: &TaskWishes) -> Result<(Value, Vec<String>), String> {
    let made = exported(&manifest(change), named, None, |choice| task(choice, wishes))?;
    Ok((serde_json::to_value(&made.definition).unwrap(), made.remarks))
}

/// A task of one image with other needs.
fn alone(needs: Value, product: &str, wishes: &TaskWishes) -> Result<(Value, Vec<String>), String> {
    let change = with("es", |record| {
        record["needs"] = needs;
        record["product"] = product.into();
    });
    made(change, &["es"], wishes)
}

fn container(needs: Value, product: &str) -> Value {
    alone(needs, product, &TaskWishes::default()).unwrap().0["containerDefinitions"][0].clone()
}

fn fargate() -> TaskWishes {
    TaskWishes { fargate: true, execution_role: Some("r".to_owned()), ..TaskWishes::default() }
}

fn router(value: &mut Value) {
    with("logs", |record| {
        record["product"] = "fluent-bit".into();
        record["needs"] = document!({ "memory_reservation": 64 });
        record["inputs"] = document!({
            "file /fluent-bit/etc/fluent-bit.conf": record["key"], "file /extra.conf": record["key"],
            "file /fluent-bit/parsers_extra.conf": record["key"],
        });
    })(value);
}

#[test]
fn a_task_is_one_only_where_that_is_said() {
    let error = made(router, &[], &TaskWishes::default()).unwrap_err();
    assert!(
        error.contains("a task definition is for one task, and the target production has 2 images; name"),
        "{error}"
    );
    assert!(error.ends_with("there are: elasticsearch, logs"), "{error}");
    assert_eq!(made(|_| (), &[], &TaskWishes::default()).unwrap().0["family"], "elasticsearch");
    let error = made(|_| (), &["elasticsearch", "ecs-host"], &TaskWishes::default()).unwrap_err();
    assert!(error.contains("ecs-host is a host's image"), "{error}");
    let hosts = |value: &mut Value| drop(value["recipes"].as_object_mut().unwrap().remove("elasticsearch"));
    assert!(made(hosts, &[], &TaskWishes::default()).unwrap_err().contains("ecs-host is a host's image"));
}

#[test]
fn memory_has_to_come_from_somewhere() {
    let error = alone(document!({}), "generic", &TaskWishes::default()).unwrap_err();
    assert!(
        error.contains("es: nothing says how much memory its container has") && error.contains("--memory MIB"),
        "{error}"
    );
    let wishes = TaskWishes { memory: Some(512), cpu: Some(256), ..TaskWishes::default() };
    let (task, _) = alone(document!({}), "generic", &wishes).unwrap();
    assert_eq!((&task["memory"], &task["cpu"]), (&"512".into(), &"256".into()));
    let error = alone(document!({ "memory": 513 }), "generic", &wishes).unwrap_err();
    assert!(error.contains("a task of 512 MiB is too small for its containers, which need 513"), "{error}");
    let error = alone(document!({ "memory": 5, "memory_reservation": 6 }), "generic", &wishes).unwrap_err();
    assert!(error.contains("6 MiB are reserved, of 5 MiB"), "{error}");
}

#[test]
fn ports_are_mapped_as_the_network_mode_wants_it() {
    let ports = |mode: Value, product: &str, ports: &[&str]| {
        container(document!({ "memory": 9, "ports": ports, "network_mode": mode }), product)["portMappings"].clone()
    };
    let map = |port: u16, host: Option<u16>, protocol: &str| match host {
        Some(host) => document!({ "containerPort": port, "hostPort": host, "protocol": protocol }),
        None => document!({ "containerPort": port, "protocol": protocol }),
    };
    assert_eq!(ports("host".into(), "generic", &["53/udp"]), document!([map(53, Some(53), "udp")]));
    assert_eq!(ports("awsvpc".into(), "generic", &["80"]), document!([map(80, None, "tcp")]));
    assert_eq!(ports("bridge".into(), "generic", &["80/tcp"]), document!([map(80, Some(0), "tcp")]));
    assert_eq!(ports(Value::Null, "generic", &["80/tcp"]), document!([map(80, Some(0), "tcp")]));
    // Nodes publish the address of the host, and the port that they know.
    assert_eq!(ports("bridge".into(), "elasticsearch", &["9300"]), document!([map(9300, Some(9300), "tcp")]));
    // What the base image listens on is in no record.
    assert_eq!(ports("awsvpc".into(), "kibana", &[]), document!([map(5601, None, "tcp")]));
    assert_eq!(ports("awsvpc".into(), "generic", &[]), Value::Null);
}

#[test]
fn what_is_written_has_its_place_and_the_rest_is_read_only() {
    let paths = ["/tmp", "/usr/share/elasticsearch/config", "/usr/share/elasticsearch/data"];
    let (task, _) =
        alone(document!({ "memory": 9, "writable": paths }), "elasticsearch", &TaskWishes::default()).unwrap();
    let es = &task["containerDefinitions"][0];
    assert_eq!(es["readonlyRootFilesystem"], true);
    let tmpfs =
        document!([{ "containerPath": "/tmp", "size": 256, "mountOptions": ["rw", "exec", "nosuid", "nodev"] }]);
    assert_eq!(es["linuxParameters"]["tmpfs"], tmpfs);
    assert_eq!(
        es["mountPoints"],
        document!([
            { "sourceVolume": "es-config", "containerPath": paths[1] },
            { "sourceVolume": "es-data", "containerPath": paths[2] },
        ])
    );
    assert_eq!(
        task["volumes"],
        document!([
            { "name": "es-config", "dockerVolumeConfiguration": { "scope": "task", "driver": "local" } },
            { "name": "es-data", "host": { "sourcePath": "/var/lib/elasticsearch" } },
        ])
    );
    let bare = container(document!({ "memory": 9 }), "generic");
    assert_eq!((&bare["readonlyRootFilesystem"], &bare["mountPoints"]), (&Value::Null, &Value::Null));
}

#[test]
fn data_outlives_its_task_whatever_the_recipe_says() {
    let (task, _) = alone(document!({ "memory": 9 }), "filebeat", &TaskWishes::default()).unwrap();
    assert_eq!(task["containerDefinitions"][0]["readonlyRootFilesystem"], Value::Null);
    assert_eq!(task["volumes"], document!([{ "name": "es-data", "host": { "sourcePath": "/var/lib/filebeat" } }]));
    let mounts = vec!["/mnt:/usr/share/filebeat/data".parse().unwrap()];
    let wishes = TaskWishes { mounts, ..TaskWishes::default() };
    let (task, _) = alone(document!({ "memory": 9 }), "filebeat", &wishes).unwrap();
    assert_eq!(task["volumes"], document!([{ "name": "es-data", "host": { "sourcePath": "/mnt" } }]));
    let (_, remarks) = alone(document!({ "memory": 9 }), "elasticsearch", &fargate()).unwrap();
    assert!(remarks.iter().any(|remark| remark.contains("/data goes when the task goes")), "{remarks:?}");
}

#[test]
fn volumes_have_names_of_their_own() {
    let needs = document!({ "memory": 9, "writable": ["/a/data", "/b/data", "/b-data", "/b.data"] });
    let (task, _) = alone(needs, "generic", &TaskWishes::default()).unwrap();
    let names: Vec<_> = task["volumes"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["es-data", "es-b-data", "es-b-data-2", "es-b-data-3"]);
}

#[test]
fn folders_of_the_host_go_to_whoever_writes_there() {
    let mounts = vec!["/mnt/es:/d".parse().unwrap(), "/var/lib/docker/containers:/logs:ro".parse().unwrap()];
    let change = |value: &mut Value| {
        let generic = |name: &'static str, needs: Value| {
            with(name, |record| {
                record["needs"] = needs;
                record["product"] = "generic".into();
            })
        };
        generic("a", document!({ "memory": 9 }))(value);
        generic("b", document!({ "memory": 9, "writable": ["/d"] }))(value);
    };
    let (task, _) = made(change, &["a", "b"], &TaskWishes { mounts, ..TaskWishes::default() }).unwrap();
    let points = |at: usize| task["containerDefinitions"][at]["mountPoints"].clone();
    assert_eq!(points(0), document!([{ "sourceVolume": "a-logs", "containerPath": "/logs", "readOnly": true }]));
    assert_eq!(points(1), document!([{ "sourceVolume": "b-d", "containerPath": "/d" }]));
    assert_eq!(task["volumes"][1], document!({ "name": "b-d", "host": { "sourcePath": "/mnt/es" } }));
    // Elasticsearch writes to its data whether its recipe says so or not.
    let mounts = vec!["/mnt/es:/usr/share/elasticsearch/data".parse().unwrap()];
    let (task, _) = made(
        |value| {
            change(value);
            value["recipes"]["elasticsearch"]["current"]["needs"] = document!({ "memory": 9 });
        },
        &["a", "elasticsearch"],
        &TaskWishes { mounts, ..TaskWishes::default() },
    )
    .unwrap();
    assert_eq!(task["containerDefinitions"][0]["mountPoints"], Value::Null);
    assert_eq!(task["volumes"], document!([{ "name": "elasticsearch-data", "host": { "sourcePath": "/mnt/es" } }]));
    for wrong in ["", "/a", "a:/b", "/a:b", "/a:/b:z", "/a:/b:ro:ro"] {
        assert_eq!(wrong.parse::<Mount>(), Err(MountError), "{wrong}");
    }
}

#[test]
fn secrets_come_by_a_scheme_and_ask_for_a_role() {
    let needs = document!({ "memory": 9, "secrets": ["B", "A"] });
    let (task, remarks) = alone(needs.clone(), "generic", &TaskWishes::default()).unwrap();
    assert_eq!(
        task["containerDefinitions"][0]["secrets"],
        document!([
            { "name": "A", "valueFrom": "/elkbake/production/es/A" },
            { "name": "B", "valueFrom": "/elkbake/production/es/B" },
        ])
    );
    assert_eq!(task["executionRoleArn"], "FILL-IN-EXECUTION-ROLE-ARN");
    assert!(remarks[0].contains("say --execution-role ARN, the role that reads the secrets"), "{remarks:?}");
    let secrets =
        Some("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{target}-{recipe}-AbCdEf:{name}::".to_owned());
    let wishes = TaskWishes { secrets, execution_role: Some("arn:x".to_owned()), ..TaskWishes::default() };
    let (task, remarks) = alone(needs, "generic", &wishes).unwrap();
    let from = &task["containerDefinitions"][0]["secrets"][0]["valueFrom"];
    assert_eq!(from, "arn:aws:secretsmanager:eu-west-1:123456789012:secret:production-es-AbCdEf:A::");
    assert_eq!((&task["executionRoleArn"], remarks.len()), (&"arn:x".into(), 0));
    let (task, _) = alone(document!({ "memory": 9 }), "generic", &TaskWishes::default()).unwrap();
    assert_eq!(task["executionRoleArn"], Value::Null, "nobody needs one");
}

#[test]
fn a_health_check_is_one_that_ecs_takes() {
    let check = |key: &str, value: u16| {
        let mut check =
            document!({ "command": ["CMD", "x"], "interval": 30, "timeout": 5, "retries": 3, "start_period": 0 });
        check[key] = value.into();
        alone(document!({ "memory": 9, "health_check": check }), "generic", &TaskWishes::default())
    };
    let good = check("interval", 300).unwrap().0["containerDefinitions"][0]["healthCheck"].clone();
    assert_eq!(good, document!({ "command": ["CMD", "x"], "interval": 300, "timeout": 5, "retries": 3 }));
    for (key, value) in [
        ("interval", 4),
        ("interval", 301),
        ("timeout", 1),
        ("timeout", 61),
        ("retries", 0),
        ("retries", 11),
        ("start_period", 301),
    ] {
        let error = check(key, value).unwrap_err();
        assert!(error.contains(&format!("es: `{key}` of its health check is {value}, and ECS takes")), "{error}");
    }
}

#[test]
fn kernel_settings_are_the_containers_own_or_none() {
    let sysctls = |mode: &str, key: &str| {
        let needs = document!({ "memory": 9, "network_mode": mode, "sysctls": { key: "1" } });
        alone(needs, "generic", &TaskWishes::default())
    };
    let controls = |made: (Value, Vec<String>)| made.0["containerDefinitions"][0]["systemControls"].clone();
    let one = |key: &str| document!([{ "namespace": key, "value": "1" }]);
    assert_eq!(controls(sysctls("awsvpc", "net.core.somaxconn").unwrap()), one("net.core.somaxconn"));
    assert_eq!(controls(sysctls("host", "kernel.shmmax").unwrap()), one("kernel.shmmax"));
    let host = sysctls("host", "net.core.somaxconn").unwrap();
    assert!(
        host.1[0].contains("es: net.core.somaxconn is left out: in network mode host the host's counts"),
        "{:?}",
        host.1
    );
    assert_eq!(controls(host), Value::Null);
    let error = sysctls("awsvpc", "vm.max_map_count").unwrap_err();
    assert!(
        error.contains("es: vm.max_map_count is the host's") && error.contains("[sysctl] of the host's"),
        "{error}"
    );
}

#[test]
fn fluent_bit_routes_the_logs_of_the_others() {
    let (task, remarks) = made(router, &["elasticsearch", "logs"], &fargate()).unwrap();
    let [es, logs] = [0, 1].map(|at| task["containerDefinitions"][at].clone());
    assert_eq!(task["family"], "elasticsearch");
    assert_eq!(es["logConfiguration"], document!({ "logDriver": "awsfirelens" }));
    assert_eq!(es["dependsOn"], document!([{ "containerName": "logs", "condition": "START" }]));
    assert_eq!(
        (&logs["user"], &logs["logConfiguration"], &logs["dependsOn"]),
        (&"0".into(), &Value::Null, &Value::Null)
    );
    let options = document!({ "config-file-type": "file", "config-file-value": "/extra.conf" });
    assert_eq!(logs["firelensConfiguration"], document!({ "type": "fluentbit", "options": options }));
    assert!(!remarks.iter().any(|remark| remark.contains("extra.conf")), "{remarks:?}");
    // The agent's own file is never named: it hides what is baked there.
    let without = |value: &mut Value| {
        router(value);
        let key = value["recipes"]["logs"]["current"]["key"].clone();
        value["recipes"]["logs"]["current"]["inputs"] = document!({ "file /fluent-bit/etc/fluent-bit.conf": key });
    };
    let (task, remarks) = made(without, &["logs"], &TaskWishes::default()).unwrap();
    assert_eq!(task["containerDefinitions"][0]["firelensConfiguration"], document!({ "type": "fluentbit" }));
    assert!(remarks[0].contains("logs has no file of its own called extra.conf"), "{remarks:?}");
    let two = |value: &mut Value| {
        router(value);
        value["recipes"]["more"] = value["recipes"]["logs"].clone();
    };
    let error = made(two, &["logs", "more"], &TaskWishes::default()).unwrap_err();
    assert!(error.contains("logs and more cannot be in one task: a task has one log router"), "{error}");
}

#[test]
fn containers_that_contradict_each_other_are_kept_apart() {
    let change = |value: &mut Value| {
        with("a.b", |record| record["needs"]["network_mode"] = "awsvpc".into())(value);
        with("a-b", |_| ())(value);
        with("arm", |record| record["platforms"] = document!([record["platforms"][1]]))(value);
        with("amd", |record| record["platforms"] = document!([record["platforms"][0]]))(value);
        with("big", |record| record["platforms"][0]["name"] = "linux/s390x".into())(value);
        with("odd", |record| {
            record["platforms"] = document!([{ "name": "linux/s390x", "digest": record["key"], "size": 1 }]);
        })(value);
    };
    let error = |named: &[&str]| made(change, named, &TaskWishes::default()).unwrap_err();
    for (named, expected) in [
        (vec!["elasticsearch", "a.b"], "elasticsearch and a.b cannot be in one task: the one is for network mode host"),
        (vec!["elasticsearch", "arm", "amd"], "arm and amd cannot be in one task: there is no processor"),
        (vec!["odd"], "odd: it is for no platform that ECS runs"),
    ] {
        assert!(error(&named).contains(expected), "{}", error(&named));
    }
    // All of them on Fargate have the same network, and names as ECS takes them.
    let error = made(change, &["a.b", "a-b"], &fargate()).unwrap_err();
    assert!(error.contains("a.b and a-b would both be called a-b"), "{error}");
    let platform = |named: &[&str]| made(change, named, &TaskWishes::default()).unwrap().0["runtimePlatform"].clone();
    assert_eq!(platform(&["elasticsearch"]), document!({ "operatingSystemFamily": "LINUX" }));
    let arm = document!({ "operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64" });
    assert_eq!(platform(&["elasticsearch", "arm"]), arm);
    assert_eq!(platform(&["big"]), arm);
}

#[test]
fn a_platform_is_one_that_all_are_for() {
    let wishes = |name: &str| TaskWishes { platform: Some(name.parse().unwrap()), ..TaskWishes::default() };
    let (task, _) = made(|_| (), &[], &wishes("linux/arm64/v8")).unwrap();
    assert_eq!(task["runtimePlatform"]["cpuArchitecture"], "ARM64");
    let error = made(|_| (), &[], &wishes("linux/s390x")).unwrap_err();
    assert!(
        error.contains("the task cannot run on linux/s390x: elasticsearch is not for it; it is for: linux/amd64"),
        "{error}"
    );
}

#[test]
fn fargate_is_told_what_it_takes_and_people_what_it_does_not() {
    let needs = document!({
        "memory": 1000, "stop_timeout": 300, "network_mode": "host", "writable": ["/tmp", "/data"],
        "ulimits": { "memlock": { "soft": -1, "hard": -1 }, "nofile": { "soft": 1, "hard": 2 } },
    });
    let (task, remarks) = alone(needs, "generic", &TaskWishes { execution_role: None, ..fargate() }).unwrap();
    let es = &task["containerDefinitions"][0];
    assert_eq!(task["requiresCompatibilities"], document!(["FARGATE"]));
    assert_eq!(
        (&task["networkMode"], &task["cpu"], &task["memory"]),
        (&"awsvpc".into(), &"256".into(), &"1024".into())
    );
    assert_eq!(task["runtimePlatform"]["cpuArchitecture"], "X86_64");
    assert_eq!(es["ulimits"], document!([{ "name": "nofile", "softLimit": 1, "hardLimit": 2 }]));
    assert_eq!(es["stopTimeout"], 120);
    assert_eq!(
        (&es["readonlyRootFilesystem"], &es["mountPoints"], &task["volumes"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    for part in [
        "network mode host",
        "would need 300 s to stop",
        "memlock is left out",
        "role that pulls",
        "--platform linux/arm64",
    ] {
        assert!(remarks.iter().any(|remark| remark.contains(part)), "no {part} in {remarks:?}");
    }
    let error = alone(document!({}), "generic", &TaskWishes { cpu: Some(7), ..fargate() }).unwrap_err();
    assert!(
        error.contains("Fargate has no size of 7 CPU units and 0 MiB; say others with --cpu and --memory"),
        "{error}"
    );
}
