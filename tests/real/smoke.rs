//! Smoke tests in real engines, Debian's Docker and Podman, of real programs.

use serde_json::{Value, json};

use super::docker::Daemon;
use super::engine::Engine;
use super::onto_debian::{debian, place};
use super::{artefact, run};
use crate::kitchen::project::Kitchen;

/// Looks at all that a task would give it, and says what it finds.
const APP: &str = r#"#!/bin/bash
trap 'sleep "${SLOW:-0}"; exit 0' TERM
ask() { curl -sf --max-time 5 "$@"; }
token=$(ask -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/api/token")
echo "zone $(ask -H "X-aws-ec2-metadata-token: $token" "$AWS_EC2_METADATA_SERVICE_ENDPOINT/latest/meta-data/placement/availability-zone")"
echo "agent $(ask "$ECS_CONTAINER_METADATA_URI_V4")"
echo "limits $(ulimit -Sn) $(ulimit -Hn)"
touch /not-here 2>/dev/null && echo 'the root can be written'
touch /data/here /tmp/here && echo 'volumes can be written'
ls -ld --numeric-uid-gid /data
ask http://192.0.2.1/ || echo 'nothing outside'
echo "secret $SECRET"
touch /tmp/up
while :; do sleep 0.05; done
"#;

const RECIPE: &str = r#"
kind    = "image"
product = "generic"
version = "1"
from    = "rootfs:debian.tar"

[files]
"bin/app" = { mode = "0755" }
"data/"   = { owner = "1000:1000", mode = "0750" }

[config]
cmd  = ["/bin/app"]
user = "1000:1000"

[runtime]
memory       = 64
writable     = ["/tmp", "/data"]
secrets      = ["SECRET"]
stop_timeout = 60

# Podman asks for more processes than a machine may allow.
[runtime.ulimits]
nofile = { soft = 500, hard = 600 }
nproc  = { soft = 4096, hard = 4096 }

[runtime.health_check]
command = ["CMD-SHELL", "test -e /tmp/up"]

[test]
timeout = 60

[test.ready]
log = "secret made-up-by-elkbake"

[[test.expect]]
command  = ["sh", "-c", "cat /sys/fs/cgroup/memory.max || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"]
contains = "67108864"

[[test.expect]]
file  = "/bin/app"
mode  = "0755"
owner = "0:0"

[[test.expect]]
file  = "/data"
mode  = "0750"
owner = "1000:1000"
"#;

fn app() -> Option<Kitchen> {
    let kitchen = Kitchen::new().recipe("app", RECIPE).file("images/app/bin/app", APP);
    std::fs::create_dir_all(kitchen.project().join("images/app/data")).unwrap();
    debian(&kitchen)?;
    Some(kitchen)
}

/// Tests an image, and gives what was found and the log.
fn tested(kitchen: &Kitchen, address: &str, code: i32) -> (Value, String) {
    let ran = kitchen.run(&["test", "app", "--json", "--engine", address]);
    assert!(ran.stdout.starts_with('{'), "{}", ran.stderr);
    let test = ran.json()["tests"][0].clone();
    assert!(test["log"].is_string(), "{}", ran.stderr);
    let log = std::fs::read_to_string(kitchen.blob_path(test["log"].as_str().unwrap())).unwrap();
    assert_eq!(ran.code, code, "{test}\n{log}");
    (test, log)
}

fn passes_and_fails(address: &str) {
    let Some(kitchen) = app() else { return };
    let (test, log) = tested(&kitchen, address, 0);
    for part in [
        "zone eu-west-1a\n",
        "\"NetworkMode\":\"awsvpc\"",
        "limits 500 600\n",
        "volumes can be written\n",
        "1000 1000",
        "nothing outside\n",
        "secret made-up-by-elkbake-for-a-test-SECRET\n",
    ] {
        assert!(log.contains(part), "{part}\n{log}");
    }
    assert!(!log.contains("the root can be written"), "{log}");
    assert!(test["stop_ms"].as_u64().unwrap() < 60_000, "{test}");
    assert_eq!(test["asked"][0], json!("PUT /latest/api/token"));

    kitchen.write(
        "recipes/app.toml",
        RECIPE.replace("stop_timeout = 60", "stop_timeout = 1") + "[test.env]\nSLOW = \"30\"\n",
    );
    let (test, _) = tested(&kitchen, address, 1);
    assert_eq!(test["checks"].as_array().unwrap().last().unwrap()["name"], "stop", "{test}");
    kitchen.write("images/app/bin/app", "#!/bin/sh\necho why\nexit 3\n");
    let (test, log) = tested(&kitchen, address, 1);
    assert_eq!(test["checks"][0]["failure"], "it ended with exit code 3");
    assert!(log.contains("why\n"), "{log}");
    kitchen.write("images/app/bin/app", "#!/bin/sh\nexec perl -e 'my $x = \"a\" x (300 << 20); sleep 9'\n");
    let (test, _) = tested(&kitchen, address, 1);
    assert!(test["checks"][0]["failure"].as_str().unwrap().starts_with("it "), "{test}");
    kitchen.write("images/app/bin/app", "no program\n");
    kitchen.write("recipes/app.toml", RECIPE.replace("0755", "0644"));
    kitchen.run(&["test", "app", "--engine", address]).code(6);
}

fn left(docker: &mut dyn FnMut(&[&str]) -> String) {
    for what in [&["ps", "-aq"][..], &["images", "-aq"], &["volume", "ls", "-q"]] {
        assert_eq!(docker(what), "", "{what:?}");
    }
}

#[test]
fn an_image_is_tested_in_docker_as_a_task_would_run_it() {
    let Some(daemon) = Daemon::start() else { return };
    passes_and_fails(&daemon.address());
    left(&mut |args| run(daemon.docker().args(args)));
}

#[test]
fn an_image_is_tested_in_podman_as_a_task_would_run_it() {
    let Some(engine) = Engine::new() else { return };
    let (_service, address) = engine.service();
    passes_and_fails(&address);
    left(&mut |args| run(engine.podman().args(args)));
}

const SHIPPER: &str = r#"
kind    = "image"
product = "filebeat"
version = "8.1.3"
from    = "rootfs:debian.tar"

[[archive]]
name  = "filebeat"
path  = "filebeat.tar"
into  = "/usr/share/filebeat"
strip = 1

[files]
"usr/share/filebeat/data/" = { owner = "1000:0" }
"usr/share/filebeat/logs/" = { owner = "1000:0" }

[config]
entrypoint = ["/usr/share/filebeat/filebeat"]
cmd        = ["--environment", "container"]
user       = "1000:0"
workdir    = "/usr/share/filebeat"

[runtime]
writable     = ["/usr/share/filebeat/data", "/usr/share/filebeat/logs"]
stop_timeout = 20

[test]
with    = ["es"]
timeout = 120

[test.ready]
log = "filebeat start running"

[[test.expect]]
command = ["sh", "-c", "echo 'the oven is hot' >> /usr/share/filebeat/logs/house.log"]

[[test.expect]]
http     = "http://es:9200/lines/_search?q=message:oven"
json     = { "/hits/total/value" = 1 }
contains = "the oven is hot"
within   = 120
"#;

const SHIPS: &str = r#"
filebeat.inputs:
  - type: log
    paths: ["/usr/share/filebeat/logs/house.log"]
    scan_frequency: 1s
setup.ilm.enabled: false
setup.template.enabled: false
output.elasticsearch:
  hosts: ["http://es:9200"]
  index: lines
"#;

/// As much of Elasticsearch as Filebeat wants to see. The distribution that can be had for tests has no answer at `/`.
const MADE_UP: &str = r#"#!/usr/bin/perl
use strict;
use IO::Socket::INET;
$| = 1;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 9200, Listen => 50, ReuseAddr => 1) or die $!;
my @lines;
while (my $client = $server->accept) {
    my $first = <$client>;
    my ($method, $path) = split ' ', $first;
    my ($length, $body) = (0, '');
    while (my $line = <$client>) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^content-length: (\d+)/i;
    }
    read $client, $body, $length if $length;
    my $answer = '{}';
    if ($path =~ m{^/(\?|$)}) {
        $answer = '{"name":"es","cluster_name":"c","cluster_uuid":"u","version":{"number":"8.1.3","build_flavor":"default"}}';
    } elsif ($path =~ m{^/_license}) {
        $answer = '{"license":{"status":"active","uid":"u","type":"basic","issue_date_in_millis":1,"expiry_date_in_millis":9}}';
    } elsif ($path =~ m{/_bulk}) {
        my @documents = grep { /"message"/ } split /\n/, $body;
        push @lines, @documents;
        $answer = '{"took":1,"errors":false,"items":[' . join(',', map { '{"create":{"status":201}}' } @documents) . ']}';
    } elsif ($path =~ m{/_search\?q=message:(\w+)}) {
        my @found = grep { /$1/ } @lines;
        $answer = '{"hits":{"total":{"value":' . @found . '},"hits":[' . join(',', @found) . ']}}';
    }
    print $client "HTTP/1.1 200 OK\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: application/json\r\n",
        'Content-Length: ', length $answer, "\r\nConnection: close\r\n\r\n$answer";
    close $client;
}
"#;

const MADE_UP_RECIPE: &str = r#"
kind    = "image"
product = "generic"
version = "1"
from    = "rootfs:debian.tar"

[files]
"bin/*" = { mode = "0755" }

[config]
cmd  = ["/bin/elasticsearch"]
user = "1000:1000"

[test.ready]
http = "http://localhost:9200/"
json = { "/version/number" = "8.1.3" }
"#;

/// A line that Filebeat finds is found by a search.
#[test]
fn what_a_shipper_reads_is_found_by_a_search() {
    let Some(daemon) = Daemon::start() else { return };
    let kitchen = Kitchen::new()
        .recipe("app", SHIPPER)
        .file("images/app/usr/share/filebeat/filebeat.yml", SHIPS)
        .recipe("es", MADE_UP_RECIPE)
        .file("images/es/bin/elasticsearch", MADE_UP);
    for folder in ["data", "logs"] {
        std::fs::create_dir_all(kitchen.project().join("images/app/usr/share/filebeat").join(folder)).unwrap();
    }
    let Some(_) = debian(&kitchen) else { return };
    let Some(filebeat) = artefact("filebeat.tar", "filebeat") else { return };
    place(&filebeat, &kitchen.project().join("filebeat.tar"));
    let (test, log) = tested(&kitchen, &daemon.address(), 0);
    let names: Vec<_> =
        test["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["es ready", "ready"], "{test}\n{log}");
    assert!(test["with"]["es"].is_string() && log.contains("== es\n"), "{test}");
    left(&mut |args| run(daemon.docker().args(args)));
}

const READY: &str = r#"
[runtime]
writable = ["/tmp", "/usr/share/elasticsearch/config", "/usr/share/elasticsearch/data", "/usr/share/elasticsearch/logs"]

[test]
timeout = 1200

[test.ready]
http = "http://localhost:9200/_cluster/health"
json = { "/status" = ["green", "yellow"] }

[[test.expect]]
command = ["curl", "-sfXPUT", "-HContent-Type: application/json", "-d{\"oven\":\"hot\"}", "http://localhost:9200/lines/_doc/1"]

[[test.expect]]
http     = "http://localhost:9200/lines/_search?q=oven:hot"
json     = { "/hits/total/value" = 1, "/timed_out" = false }
contains = "\"oven\":\"hot\""
within   = 60
"#;

/// A real node starts on a root that is read-only, finds what was put in, and stops in its time.
#[test]
fn a_real_elasticsearch_is_started_searched_and_stopped() {
    let Some(daemon) = Daemon::start() else { return };
    let kitchen = Kitchen::new()
        .recipe("app", &format!("{}{READY}", super::elasticsearch::BASE))
        .file("images/app/usr/share/elasticsearch/config/elasticsearch.yml", super::elasticsearch::PLAIN_NODE);
    for folder in ["data", "logs"] {
        std::fs::create_dir_all(kitchen.project().join("images/app/usr/share/elasticsearch").join(folder)).unwrap();
    }
    let Some(_) = debian(&kitchen) else { return };
    for (name, fetch) in [("java.tar", "java"), ("elasticsearch.zip", "elasticsearch")] {
        let Some(file) = artefact(name, fetch) else { return };
        place(&file, &kitchen.project().join(name));
    }
    let (test, log) = tested(&kitchen, &daemon.address(), 0);
    assert_eq!(test["checks"].as_array().unwrap().last().unwrap()["name"], "stop", "{test}\n{log}");
    left(&mut |args| run(daemon.docker().args(args)));
}
