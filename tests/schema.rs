//! The JSON Schemas that editors use: valid, and of one mind with the readers.

use std::path::Path;

use elkbake::lock::{self, Lock};
use elkbake::project::{self, Project};
use elkbake::recipe::{self, Recipe};
use elkbake::text::Read;
use jsonschema::{Draft, Validator};
use serde_json::Value;

const IMAGE: &str = r#"
kind = "image"
product = "elasticsearch"
version = "8.19.3"
from = "docker.elastic.co/elasticsearch/elasticsearch:8.19.3"
platforms = ["linux/amd64", "linux/arm64"]

[[plugin]]
name = "discovery-ec2"

[[archive]]
name = "agent"
url = "https://example.com/agent-1.0.jar"
checksum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
into = "/opt/agent.jar"
unpack = false
mode = "0644"
owner = "1000:0"

[files]
"usr/**" = { mode = "0664" }

[config]
env = { LANG = "C" }
ports = ["9200/tcp"]
stop_signal = "SIGTERM"

[runtime]
memory = 4096
ulimits = { nofile = { soft = 65536, hard = 65536 } }
sysctls = { "net.ipv4.tcp_retries2" = "5" }
"#;

const AMI: &str = r#"
kind = "ami"
version = "2026.11"
region = "eu-west-1"
architectures = ["x86_64", "arm64"]

[base.ssm]
x86_64 = "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
arm64 = "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"

[sysctl]
"vm.max_map_count" = 1048576

[docker.daemon]
log-opts = { max-size = "10m" }

[ecs]
ECS_CONTAINER_STOP_TIMEOUT = "5m"

[[volume]]
name = "data"
kind = "gp3"
size = 100
device = "/dev/xvdf"

[ami.regions.eu-central-1]
kms_key = "alias/elk"

[ami.share]
accounts = ["123456789012"]
"#;

const PROJECT: &str = "[target.local]\noci = \".elkbake/local\"\n[mirror]\n\"docker.elastic.co\" = \"mirror.corp/elastic\"\n\
    [registry.\"registry.corp:5000\"]\nplain_http = true\n[defaults]\ntarget = \"local\"\n";

const LOCK: &str = "format = 1\n[[plugin]]\nname = \"a\"\nwant = \"a\"\nsize = 1\n\
    sha256 = \"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\n";

fn validator(schema: &Value) -> Validator {
    jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("the schema itself is wrong: {error}"));
    jsonschema::options().with_draft(Draft::Draft202012).build(schema).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap()
}

#[track_caller]
fn fits(validator: &Validator, what: &str, text: &str) {
    let value = json(text);
    let wrong: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{what}: {wrong:#?}");
}

#[test]
fn samples_fit_and_are_read() {
    let schema = validator(&Recipe::schema());
    for text in [IMAGE, AMI] {
        fits(&schema, "sample", text);
        recipe::parse(Path::new("r.toml"), text).unwrap_or_else(|error| panic!("{error}"));
    }
    fits(&validator(&Project::schema()), "elkbake.toml", PROJECT);
    project::parse(Path::new("elkbake.toml"), PROJECT).unwrap_or_else(|error| panic!("{error}"));
    fits(&validator(&Lock::schema()), "lock", LOCK);
    lock::parse(Path::new("r.lock"), LOCK).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn shipped_recipes_fit() {
    let schema = validator(&Recipe::schema());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            fits(&schema, &path.display().to_string(), &std::fs::read_to_string(&path).unwrap());
            seen += 1;
        }
    }
    assert!(seen >= 5, "only {seen} recipes are there");
}

/// What the reader refuses for its form, editors mark as well.
#[test]
fn what_is_wrong_in_form_fits_neither() {
    let schema = validator(&Recipe::schema());
    for (text, from, to) in [
        (IMAGE, "product =", "prodcut ="),
        (IMAGE, "version = \"8.19.3\"\n", ""),
        (IMAGE, "version = \"8.19.3\"", "version = 8.19"),
        (IMAGE, "\"elasticsearch\"", "\"elastic\""),
        (IMAGE, "linux/arm64", "arm64"),
        (IMAGE, "linux/arm64", "linux/amd64"),
        (IMAGE, "\"0644\"", "\"rw-r--r--\""),
        (IMAGE, "\"1000:0\"", "\"elasticsearch\""),
        (IMAGE, "https://", "ftp://"),
        (IMAGE, "sha256:", "md5:"),
        (IMAGE, "\"/opt", "\"opt"),
        (IMAGE, "9200/tcp", "9200-9300"),
        (IMAGE, "SIGTERM", "TERM"),
        (IMAGE, "4096", "0"),
        (IMAGE, "4096", "\"4g\""),
        (IMAGE, "nofile", "files"),
        (IMAGE, "LANG =", "\"A=B\" ="),
        (IMAGE, "net.ipv4.tcp_retries2", "retries"),
        (IMAGE, "kind = \"image\"", "kind = \"ami\""),
        (AMI, "eu-west-1", "europe"),
        (AMI, "[\"x86_64\"", "[\"amd64\""),
        (AMI, "x86_64 = ", "amd64 = "),
        (AMI, "\"/aws/service/ecs/optimized-ami/amazon-linux-2023/r", "\"aws/r"),
        (AMI, "1048576", "1048576.5"),
        (AMI, "\"vm.max_map_count\"", "max_map_count"),
        (AMI, "ECS_", "ecs_"),
        (AMI, "gp3", "gp4"),
        (AMI, "/dev/xvdf", "/dev/nvme1n1"),
        (AMI, "regions.eu-central-1", "regions.europe"),
        (AMI, "123456789012", "1234"),
    ] {
        let wrong = text.replacen(from, to, 1);
        assert_ne!(wrong, text, "{from} is not in the sample");
        assert!(!schema.is_valid(&json(&wrong)), "the schema takes `{to}` for `{from}`");
        assert!(recipe::parse(Path::new("r.toml"), &wrong).is_err(), "the reader takes `{to}` for `{from}`");
    }
}
