//! What the documents take for granted: Elastic's images and plugins, a registry of one's own, ECR, and programs of others.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha512};

use crate::kitchen::baked::tarball;
#[cfg(feature = "aws")]
use crate::kitchen::cloud::Amazon;
#[cfg(feature = "aws")]
use crate::kitchen::ecr::Ecr;
use crate::kitchen::project::Kitchen;
use crate::kitchen::registry::Registry;

/// Programs that take everything and do nothing.
const STAND_INS: [&str; 4] = ["aws", "docker", "skopeo", "terraform"];

/// The name that documents give to a registry of one's own.
const COMPANY: &str = "registry.example.com";

/// The name that documents give to what stands for public registries and sites.
const MIRROR: &str = "mirror.example.com";

/// A project in its world.
pub struct World {
    kitchen: Kitchen,
    registry: Registry,
    #[cfg(feature = "aws")]
    ecr: Ecr,
    /// Where hosts are made; other documents push images only.
    #[cfg(feature = "aws")]
    ec2: Option<Amazon>,
}

impl World {
    /// A project with nothing in it but a plugin that somebody has built.
    pub fn new() -> Self {
        Self::around(Kitchen::new().file("plugins/analysis-house-8.19.3.zip", plugin("analysis-house")))
    }

    /// A project that has recorded all shipped recipes in `production`.
    pub fn recorded() -> Self {
        Self::around(crate::export::kitchen())
    }

    /// A project in a cloud in which hosts are well.
    #[cfg(feature = "aws")]
    pub fn of_hosts() -> Self {
        let ec2 = Amazon::start(&["eu-west-1", "eu-central-1"]);
        ec2.guest(crate::host::tested);
        Self { ec2: Some(ec2), ..Self::new() }
    }

    fn around(kitchen: Kitchen) -> Self {
        let registry = Registry::start();
        market(&registry);
        let world = Self {
            kitchen,
            registry,
            #[cfg(feature = "aws")]
            ecr: Ecr::start(&["eu-west-1", "eu-central-1"]),
            #[cfg(feature = "aws")]
            ec2: None,
        };
        let programs = world.programs();
        std::fs::create_dir(&programs).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_elkbake"), programs.join("elkbake")).unwrap();
        for program in STAND_INS {
            std::os::unix::fs::symlink("/bin/true", programs.join(program)).unwrap();
        }
        if !world.kitchen.has("elkbake.toml") {
            world.write("elkbake.toml", "");
        }
        world
    }

    fn programs(&self) -> PathBuf {
        self.kitchen.project().parent().unwrap().join("programs")
    }

    /// Puts a file into the project. Names that lead to the world get addresses that lead to this one.
    pub fn write(&self, path: &str, text: &str) {
        let host = self.registry.host();
        let text = text.replace(COMPANY, &host).replace(MIRROR, &host);
        let more = if path == "elkbake.toml" { self.ways(&text) } else { String::new() };
        self.kitchen.write(path, text + &more);
    }

    /// What a project file has to say besides, to reach this world.
    fn ways(&self, text: &str) -> String {
        let mut ways = String::new();
        if !text.contains("[mirror]") {
            let host = self.registry.host();
            ways.push_str(&format!(
                "\n[mirror]\n\"docker.elastic.co\" = \"{host}/elastic\"\n\"https://artifacts.elastic.co\" = \"http://{host}/files\"\n"
            ));
        }
        #[cfg(feature = "aws")]
        if text.contains("[target.prod.ecr]") {
            ways.push_str("\n[target.prod.ecr.endpoints]\n");
            for region in ["eu-west-1", "eu-central-1"] {
                ways.push_str(&format!("{region} = \"{}\"\n", self.ecr.registry(region).host()));
            }
        }
        ways
    }

    /// Runs a block to its end.
    pub fn run(&self, place: &str, script: &str) {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", script]).current_dir(self.kitchen.project()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.kitchen.project().parent().unwrap().join("home"));
        command.env("PATH", format!("{}:{path}", self.programs().display()));
        // What people set before they deploy, and their pipelines before each step.
        let role = "arn:aws:iam::123456789012:role/tasks";
        command.envs([("ROLE", role), ("GITHUB_OUTPUT", "/dev/null"), ("GIT_CONFIG_GLOBAL", "/dev/null")]);
        #[cfg(feature = "aws")]
        command.envs([
            ("AWS_ENDPOINT_URL", self.ec2.as_ref().map_or_else(|| self.ecr.url(), Amazon::url).as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDKITCHEN"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret"),
        ]);
        let output = command.output().unwrap();
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(
            output.status.success(),
            "{place}: {}\n{script}\n-- stdout\n{stdout}\n-- stderr\n{stderr}",
            output.status
        );
    }
}

/// A zip of files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A plugin of Elasticsearch.
fn plugin(name: &str) -> Vec<u8> {
    let descriptor = format!(
        "name={name}\ndescription=made up\nversion=8.19.3\nelasticsearch.version=8.19.3\njava.version=17\n\
         classname=org.example.Plugin\n"
    );
    zipped(&[("plugin-descriptor.properties", descriptor.as_bytes())])
}

/// What Elastic publishes, as far as somebody bakes from it.
fn market(registry: &Registry) {
    let platforms = ["linux/amd64", "linux/arm64"];
    let server = zipped(&[("org/elasticsearch/Node.class", b"node")]);
    let home = "usr/share/elasticsearch";
    let folders = ["usr", "usr/share", home].map(|folder| format!("{folder}/")).into_iter();
    let inner = ["bin", "config", "jdk", "lib", "modules", "plugins"].map(|folder| format!("{home}/{folder}/"));
    let mut entries: Vec<(String, u32, &[u8])> = folders.chain(inner).map(|name| (name, 0o775, &b""[..])).collect();
    entries.push((format!("{home}/jdk/release"), 0o444, b"JAVA_VERSION=\"21.0.2\"\n"));
    entries.push((format!("{home}/lib/elasticsearch-8.19.3.jar"), 0o444, &server));
    let entries: Vec<_> = entries.iter().map(|(name, mode, bytes)| (name.as_str(), *mode, *bytes)).collect();
    registry.image_of_tar("elastic/elasticsearch/elasticsearch", "8.19.3", &platforms, &tarball(&entries));
    let shipper = tarball(&[("usr/", 0o755, ""), ("usr/share/", 0o755, ""), ("usr/share/filebeat/", 0o755, "")]);
    registry.image_of_tar("elastic/beats/filebeat", "8.19.3", &platforms, &shipper);
    registry.image("elastic/kibana/kibana", "8.19.3", &platforms);
    for name in ["discovery-ec2", "analysis-icu"] {
        let zip = plugin(name);
        let path = format!("downloads/elasticsearch-plugins/{name}/{name}-8.19.3.zip");
        let checksum: String = Sha512::digest(&zip).iter().map(|byte| format!("{byte:02x}")).collect();
        registry.file(&path, &zip);
        registry.file(&format!("{path}.sha512"), format!("{checksum}  {name}-8.19.3.zip\n").as_bytes());
    }
}
