//! The services that ECS and EC2 have for a container, made up: the agent's metadata, version 4, and the instance's,
//! version 2, which wants a token.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::recipe::NetworkMode;
use crate::record::Needs;

/// Where the probe listens for who asks them.
const SERVICES: &str = "http://127.0.0.1:51679";

/// The zone that all is in.
const ZONE: &str = "eu-west-1a";
const TOKEN: &str = "made-up-token";

/// So many questions are noted.
const MOST_ASKED: usize = 100;

/// What the services know of the containers of a test.
#[derive(Debug, Default)]
pub(super) struct Ecs {
    containers: BTreeMap<String, Value>,
    asked: Mutex<Vec<String>>,
}

impl Ecs {
    /// The services, for containers by their names.
    pub(super) fn of<'n>(all: impl IntoIterator<Item = (&'n str, &'n Needs)>) -> Self {
        let containers = all.into_iter().map(|(name, needs)| (name.to_owned(), container(name, needs))).collect();
        Self { containers, asked: Mutex::default() }
    }

    /// The variables by which a container finds them.
    pub(super) fn variables(name: &str) -> [(String, String); 3] {
        [
            ("ECS_CONTAINER_METADATA_URI_V4", format!("{SERVICES}/v4/{name}")),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", SERVICES.to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_ECS_EC2".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// What was asked of them, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a question of HTTP.
    pub(super) fn answer(&self, question: &[u8]) -> Vec<u8> {
        let question = String::from_utf8_lossy(question);
        let mut lines = question.lines();
        let mut words = lines.next().unwrap_or_default().split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: Vec<String> = lines.map(str::to_lowercase).collect();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() < MOST_ASKED {
            asked.push(format!("{method} {path}"));
        }
        drop(asked);
        let body = match path.trim_end_matches('/') {
            path if path.starts_with("/v4/") && method == "GET" => self.of_agent(&path["/v4/".len()..]),
            path if path.starts_with("/latest/") => of_instance(method, &path["/latest/".len()..], &headers),
            _ => Err(404),
        };
        let (status, body) = body.map_or_else(|status| (status, String::new()), |body| (200, body));
        let length = body.len();
        format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
    }

    fn of_agent(&self, path: &str) -> Result<String, u16> {
        let (name, what) = path.split_once('/').unwrap_or((path, ""));
        let container = self.containers.get(name).ok_or(404_u16)?;
        match what {
            "" => Ok(container.to_string()),
            "task" => Ok(json!({
                "Cluster": "elkbake",
                "TaskARN": "arn:aws:ecs:eu-west-1:000000000000:task/elkbake/00000000000000000000000000000000",
                "Family": name, "Revision": "1", "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING",
                "Containers": self.containers.values().collect::<Vec<_>>(),
                "LaunchType": "EC2", "AvailabilityZone": ZONE,
            })
            .to_string()),
            "stats" | "task/stats" => Ok("{}".to_owned()),
            _ => Err(404),
        }
    }
}

/// What the agent knows of a container.
fn container(name: &str, needs: &Needs) -> Value {
    let mode = needs.network_mode.unwrap_or(NetworkMode::Awsvpc);
    // Elasticsearch's own ports are said by its base, and its port for nodes has to be mapped.
    let known = ["9200/tcp".to_owned(), "9300/tcp".to_owned()];
    let ports = needs.ports.iter().chain(&known).filter_map(|port| port.split_once('/')?.0.parse::<u16>().ok());
    let ports = ports.map(|port| json!({ "ContainerPort": port, "HostPort": port, "Protocol": "tcp" }));
    let mut limits = json!({ "CPU": needs.cpu.unwrap_or(0) });
    if let Some(memory) = needs.memory {
        limits["Memory"] = memory.into();
    }
    let mut known = json!({
        "DockerId": name, "Name": name, "DockerName": name, "Image": name, "Labels": {}, "Type": "NORMAL",
        "DesiredStatus": "RUNNING", "KnownStatus": "RUNNING", "Limits": limits,
        "Networks": [{ "NetworkMode": mode.as_str(), "IPv4Addresses": ["127.0.0.1"] }],
    });
    if mode == NetworkMode::Bridge {
        known["Ports"] = ports.collect();
    }
    known
}

/// An answer of the instance metadata service.
fn of_instance(method: &str, path: &str, headers: &[String]) -> Result<String, u16> {
    let has = |start: &str| headers.iter().any(|header| header.starts_with(start));
    let is_known = headers.iter().any(|header| *header == format!("x-aws-ec2-metadata-token: {TOKEN}"));
    match (method, path) {
        ("PUT", "api/token") if has("x-aws-ec2-metadata-token-ttl-seconds:") => return Ok(TOKEN.to_owned()),
        ("PUT", "api/token") => return Err(400),
        ("GET", _) if !is_known => return Err(401),
        _ => {}
    }
    let answer = match path {
        "meta-data/local-ipv4" => "127.0.0.1",
        "meta-data/placement/availability-zone" => ZONE,
        "meta-data/placement/region" => "eu-west-1",
        "meta-data/instance-id" => "i-00000000000000000",
        "meta-data/instance-type" => "m6i.large",
        "meta-data/hostname" | "meta-data/local-hostname" => "ip-127-0-0-1.eu-west-1.compute.internal",
        "dynamic/instance-identity/document" => {
            r#"{"accountId":"000000000000","region":"eu-west-1","availabilityZone":"eu-west-1a","instanceId":"i-00000000000000000"}"#
        }
        _ => return Err(404),
    };
    Ok(answer.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(ecs: &Ecs, question: &str) -> (u16, String) {
        let answer = String::from_utf8(ecs.answer(format!("{question}\r\n\r\n").as_bytes())).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[test]
    fn the_agent_knows_the_containers_of_the_test() {
        let bridge = Needs {
            network_mode: Some(NetworkMode::Bridge),
            memory: Some(64),
            ports: ["80/tcp".to_owned()].into(),
            ..Needs::default()
        };
        let ecs = Ecs::of([("es", &bridge), ("kibana", &Needs::default())]);
        let json =
            |path: &str| -> Value { serde_json::from_str(&ask(&ecs, &format!("GET {path} HTTP/1.1")).1).unwrap() };
        let container = json("/v4/es");
        assert_eq!(
            (&container["Networks"][0]["NetworkMode"], &container["Limits"]["Memory"]),
            (&json!("bridge"), &json!(64))
        );
        assert_eq!(container["Ports"][0]["HostPort"], 80);
        assert_eq!(json("/v4/kibana")["Networks"][0]["NetworkMode"], "awsvpc");
        let task = json("/v4/es/task");
        assert_eq!((task["Containers"].as_array().unwrap().len(), &task["AvailabilityZone"]), (2, &json!(ZONE)));
        for (question, status) in
            [("GET /v4/other", 404), ("GET /v4/es/other", 404), ("PUT /v4/es", 404), ("GET /", 404)]
        {
            assert_eq!(ask(&ecs, question).0, status, "{question}");
        }
        assert_eq!(ecs.asked()[0], "GET /v4/es");
    }

    #[test]
    fn the_instance_answers_who_has_its_token() {
        let ecs = Ecs::default();
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 60";
        assert_eq!(ask(&ecs, "PUT /latest/api/token HTTP/1.1").0, 400);
        let (status, token) = ask(&ecs, &format!("PUT /latest/api/token HTTP/1.1\r\n{ttl}"));
        assert_eq!(status, 200);
        let zone = "GET /latest/meta-data/placement/availability-zone HTTP/1.1";
        assert_eq!(ask(&ecs, zone).0, 401);
        let with = format!("{zone}\r\nX-aws-ec2-metadata-token: {token}");
        assert_eq!(ask(&ecs, &with), (200, ZONE.to_owned()));
        assert_eq!(ask(&ecs, &with.replace("placement", "no")).0, 404);
    }
}
