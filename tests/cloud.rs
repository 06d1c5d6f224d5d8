//! The strict cloud of the kitchen is itself tested: other tests are worth no more than it is.

mod disks;
mod hosts;
mod images;
mod shared;
mod troubles;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::kitchen::cloud::Amazon;

pub const REGION: &str = "eu-west-1";
pub const OTHER: &str = "us-east-1";

/// A client that knows nothing but HTTP.
pub struct Client {
    pub amazon: Amazon,
    pub region: String,
    pub key: String,
}

/// What came back.
#[derive(Debug)]
pub struct Said {
    pub status: u16,
    pub body: String,
}

impl Said {
    /// What stands in the first element of a name.
    pub fn get(&self, name: &str) -> String {
        let Some((_, rest)) = self.body.split_once(&format!("<{name}>")) else {
            panic!("no <{name}> in {}", self.body);
        };
        rest.split_once(&format!("</{name}>")).expect("an end").0.to_owned()
    }

    /// How often an element is there.
    pub fn count(&self, name: &str) -> usize {
        self.body.matches(&format!("<{name}>")).count()
    }

    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    pub fn fine(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.body);
        self
    }

    /// Fails unless it is a refusal with this code, in which this is said.
    pub fn refused(self, code: &str, about: &str) {
        assert_ne!(self.status, 200, "{}", self.body);
        assert_eq!((self.get("Code").as_str(), self.has(about)), (code, true), "{about}: {}", self.body);
    }
}

impl Client {
    pub fn new() -> Self {
        let amazon = Amazon::start(&[REGION, OTHER]);
        Self { amazon, region: REGION.to_owned(), key: "AKIDKITCHEN".to_owned() }
    }

    /// The same in another region.
    pub fn there<T>(&mut self, region: &str, ask: impl FnOnce(&Self) -> T) -> T {
        let here = std::mem::replace(&mut self.region, region.to_owned());
        let said = ask(self);
        self.region = here;
        said
    }

    /// The same with another key.
    pub fn with<T>(&mut self, key: &str, ask: impl FnOnce(&Self) -> T) -> T {
        let own = std::mem::replace(&mut self.key, key.to_owned());
        let said = ask(self);
        self.key = own;
        said
    }

    /// Asks EC2: `"CreateImage", "InstanceId=i-1 Name=n"`.
    pub fn ec2(&self, action: &str, params: &str) -> Said {
        self.form("ec2", "2016-11-15", action, params)
    }

    /// Asks another service that takes forms. Parameters are parted by spaces, and `~` stands for one in a value.
    pub fn form(&self, service: &str, version: &str, action: &str, params: &str) -> Said {
        let mut body = format!("Action={action}&Version={version}");
        for pair in params.split(' ').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            body.push_str(&format!("&{name}={}", encoded(&value.replace('~', " "))));
        }
        self.send(service, "Content-Type: application/x-www-form-urlencoded; charset=utf-8", &body).expect("an answer")
    }

    /// Asks SSM.
    pub fn ssm(&self, action: &str, body: &str) -> Said {
        let head = format!("Content-Type: application/x-amz-json-1.1\r\nX-Amz-Target: AmazonSSM.{action}");
        self.send("ssm", &head, body).expect("an answer")
    }

    /// What comes back, if it comes whole.
    pub fn send(&self, service: &str, head: &str, body: &str) -> Option<Said> {
        let mut stream = TcpStream::connect(self.amazon.url().trim_start_matches("http://")).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\nContent-Length: {}\r\nAuthorization: \
             AWS4-HMAC-SHA256 Credential={}/20261127/{}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}",
            body.len(),
            self.key,
            self.region
        )
        .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "))?.parse::<usize>().ok()?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        (length == body.len()).then(|| Said { status, body: body.to_owned() })
    }

    /// Starts an instance of Amazon's image, and gives its id.
    pub fn run(&self, more: &str) -> String {
        let base = self.amazon.base(&self.region, "x86_64");
        let params = format!("ImageId={base} InstanceType=m6i.large MinCount=1 MaxCount=1 {more}");
        self.ec2("RunInstances", &params).fine().get("instanceId")
    }

    /// Asks for something until it is there.
    pub fn wait(&self, action: &str, params: &str, text: &str) -> Said {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let said = self.ec2(action, params);
            if said.has(text) {
                return said;
            }
            assert!(Instant::now() < end, "no {text} in {}", said.body);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Starts an instance that stops itself, and waits until it has.
    pub fn stopped(&self, more: &str) -> String {
        self.amazon.guest(|_| crate::kitchen::cloud::Guest::stops().after(1));
        let id = self.run(more);
        self.wait("DescribeInstances", &format!("InstanceId.1={id}"), "<name>stopped</name>");
        id
    }

    /// Makes an image of a stopped instance, and waits for it.
    pub fn image(&self, name: &str, more: &str) -> String {
        let instance = self.stopped("");
        let made = self.ec2("CreateImage", &format!("InstanceId={instance} Name={name} {more}")).fine().get("imageId");
        self.ec2("TerminateInstances", &format!("InstanceId.1={instance}")).fine();
        self.wait("DescribeInstances", &format!("InstanceId.1={instance}"), "<name>terminated");
        self.available(&made);
        made
    }

    pub fn available(&self, image: &str) -> Said {
        self.wait("DescribeImages", &format!("ImageId.1={image}"), "<imageState>available")
    }
}

fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
