//! A made-up host of ECS: what its agent and its instance metadata service answer to a task.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a question gets.
#[derive(Clone)]
pub enum Answer {
    Text(String),
    Status(u16),
    /// Nothing, for longer than anybody waits.
    Silence,
}

pub fn text(text: impl Into<String>) -> Answer {
    Answer::Text(text.into())
}

/// A service on loopback.
pub struct Service {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Service {
    /// Answers `METHOD PATH`, with all headers in lower case, and the number of questions before this one.
    pub fn new(answer: impl Fn(&str, &str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { url, asked }
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<String>>, answer: &dyn Fn(&str, &str, usize) -> Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    let question = first.rsplit_once(' ').unwrap().0.to_owned();
    let headers: Vec<_> = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let before = {
        let mut log = log.lock().unwrap();
        log.push(question.clone());
        log.len() - 1
    };
    let (status, body) = match answer(&question, &headers.join("\n"), before) {
        Answer::Text(body) => (200, body),
        Answer::Status(status) => (status, "<html>no</html>".to_owned()),
        Answer::Silence => {
            std::thread::sleep(Duration::from_secs(60));
            return;
        }
    };
    let length = body.len();
    // Whoever asked may have gone.
    let _ = write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}

/// The instance metadata service as it should be: no answer without the token it gave.
pub fn instance() -> Service {
    Service::new(|question, headers, _| match question {
        "PUT /latest/api/token" if headers.contains("x-aws-ec2-metadata-token-ttl-seconds: ") => text("TOKEN=="),
        "PUT /latest/api/token" => Answer::Status(400),
        _ if !headers.contains("x-aws-ec2-metadata-token: token==") => Answer::Status(401),
        "GET /latest/meta-data/local-ipv4" => text("10.0.1.23"),
        "GET /latest/meta-data/placement/availability-zone" => text("eu-west-1b"),
        _ => Answer::Status(404),
    })
}

/// The agent's answer about a container. Its labels try what they can to look like something else.
pub fn container(network: &str, more: &str) -> String {
    let labels =
        r#"{ "a": "\"Networks\":[{\"NetworkMode\":\"awsvpc\",\"IPv4Addresses\":[\"1.1.1.1\"]}]", "b": "}]{[" }"#;
    format!(
        r#"{{ "DockerId": "ea32", "Name": "es", "Labels": {labels}, "KnownStatus": "RUNNING", "Networks": [{network}]{more} }}"#
    )
}

pub const HOST: &str = r#"{ "NetworkMode": "host", "IPv4Addresses": [""] }"#;
pub const BRIDGE: &str = r#"{ "NetworkMode": "bridge", "IPv4Addresses": ["172.17.0.2"] }"#;
pub const AWSVPC: &str = r#"{
    "NetworkMode": "awsvpc",
    "IPv4Addresses": ["10.0.2.100"],
    "AttachmentIndex": 0,
    "PrivateDNSName": "ip-10-0-2-100.eu-west-1.compute.internal"
}"#;

/// The agent's answer about the task.
pub fn task(more: &str) -> String {
    let container = r#"{ "Name": "proxy", "Limits": { "CPU": 2, "Memory": 64 } }"#;
    format!(
        r#"{{ "Cluster": "c", "Family": "es", "AvailabilityZone": "eu-west-1a"{more}, "Containers": [{container}] }}"#
    )
}

/// An agent that knows a container of this network.
pub fn agent(network: &'static str, more: &'static str) -> Service {
    agent_of(container(network, more), task(""))
}

pub fn agent_of(container: String, task: String) -> Service {
    Service::new(move |question, _, _| match question {
        "GET /v4/id" => text(container.clone()),
        "GET /v4/id/task" => text(task.clone()),
        _ => Answer::Status(404),
    })
}

/// What the agent writes into a container's file.
pub fn file(network: &str, ports: &str, status: &str) -> String {
    format!(
        r#"{{
    "Cluster": "default",
    "TaskDefinitionFamily": "es",
    "PortMappings": [{ports}],
    "Networks": [
        {network}
    ],
    "MetadataFileStatus": "{status}",
    "AvailabilityZone": "eu-west-1c",
    "HostPrivateIPv4Address": "10.0.1.42",
    "HostPublicIPv4Address": "203.0.113.7"
}}"#
    )
}
