//! An image in a temporary folder, of which nothing is real but the script.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::metadata::Service;
use crate::kitchen::script;

/// Where the script is in the project.
pub const SCRIPT: &str = "images/elasticsearch/usr/local/bin/ecs-entrypoint";

/// The paths of an image that the script uses. For a test they are moved into its folder, in a copy of the script, so
/// that the script itself needs no door for tests.
const PATHS: [&str; 3] = ["/usr/share/elasticsearch", "/usr/local/bin/docker-entrypoint.sh", "/sys/fs/cgroup"];

/// Writes down with what it was called, in place of the image's own entrypoint.
const NEXT: &str = "#!/bin/bash\nfor a; do printf '%s\\0' \"$a\"; done > ROOT/arguments\nenv -0 > ROOT/environment\necho $$ > ROOT/pid\n";

/// In place of the tool, which starts a JVM each time.
const KEYSTORE: &str = "#!/bin/bash
printf '%s\\n' \"$*\" >> ROOT/calls
env -0 > ROOT/environment-of-tool
case $1 in
    has-passwd) [[ -e ROOT/protected ]]; exit ;;
    create) touch ROOT/usr/share/elasticsearch/config/elasticsearch.keystore ;;
esac
cat >> ROOT/received
[[ ! -e ROOT/broken ]]
";

/// How long the script waits for what the agent does not know yet, and how long it does in most tests.
const WAITS: [(&str, &str); 2] =
    [("\nLONGEST_TASK=5\n", "\nLONGEST_TASK=1\n"), ("\nLONGEST_FILE=8\n", "\nLONGEST_FILE=2\n")];

pub struct Node {
    root: tempfile::TempDir,
    env: BTreeMap<String, String>,
}

/// What became of a start.
pub struct Started {
    /// Whether the image's own entrypoint was reached, and if not, what the exit code was.
    pub code: i32,
    pub said: String,
    arguments: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub took: Duration,
}

impl Node {
    /// One with a memory limit, outside of ECS.
    pub fn new() -> Self {
        let node = Self { root: tempfile::tempdir().unwrap(), env: BTreeMap::new() };
        let script = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT)).unwrap();
        let moved = PATHS.iter().fold(script, |script, path| {
            assert!(script.contains(path), "{path}");
            script.replace(path, node.path(path).to_str().unwrap())
        });
        let hasty = WAITS.iter().fold(moved.clone(), |script, (long, short)| {
            assert!(script.contains(long), "{long}");
            script.replace(long, short)
        });
        assert!(moved.starts_with("#!/bin/bash\n"), "it is run by bash below");
        node.file("/usr/local/bin/ecs-entrypoint", &hasty);
        node.file("/usr/local/bin/patient", &moved);
        node.program("/usr/local/bin/docker-entrypoint.sh", NEXT);
        node.program("/usr/share/elasticsearch/bin/elasticsearch-keystore", KEYSTORE);
        node.file("/usr/share/elasticsearch/config/jvm.options", "## -Xms4g\n-XX:+UseG1GC\n14-:-Da=b\n");
        node.file("/usr/share/elasticsearch/config/jvm.options.d/.keep", "");
        node.file("/sys/fs/cgroup/memory.max", "4294967296\n");
        node.env("PATH", &std::env::var("PATH").unwrap()).env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1")
    }

    /// One in a task of ECS.
    pub fn in_task(agent: &Service, instance: &Service) -> Self {
        Self::new().agent(&agent.url).env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("{}/", instance.url))
    }

    pub fn agent(self, url: &str) -> Self {
        self.env("ECS_CONTAINER_METADATA_URI_V4", &format!("{url}/v4/id"))
    }

    /// With the file that the agent writes; `None` when it has not written it yet.
    pub fn metadata_file(self, content: Option<&str>) -> Self {
        if let Some(content) = content {
            self.file("/metadata.json", content);
        }
        let path = self.path("/metadata.json").to_str().unwrap().to_owned();
        self.env("ECS_CONTAINER_METADATA_FILE", &path)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Waits as long as it does in an image.
    pub fn patient(self) -> Self {
        fs::rename(self.path("/usr/local/bin/patient"), self.path("/usr/local/bin/ecs-entrypoint")).unwrap();
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    pub fn file(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    pub fn program(&self, path: &str, content: &str) {
        script::write(&self.path(path), &content.replace("ROOT", self.root.path().to_str().unwrap()));
    }

    /// What one of the programs has written down.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_default()
    }

    pub fn variables(&self, path: &str) -> BTreeMap<String, String> {
        let pair = |text: &str| text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.read(path).split_terminator('\0').filter_map(pair).collect()
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new("/bin/bash");
        command
            .arg(self.path("/usr/local/bin/ecs-entrypoint"))
            .args(arguments)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn start(&self, arguments: &[&str]) -> Started {
        let begin = Instant::now();
        let output = self.spawn(arguments).wait_with_output().unwrap();
        let took = begin.elapsed();
        let code = output.status.code().unwrap_or(-1);
        Started {
            code,
            said: String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap(),
            arguments: self.read("/arguments").split_terminator('\0').map(str::to_owned).collect(),
            env: self.variables("/environment"),
            took,
        }
    }

    /// Starts Elasticsearch, and it has to start.
    #[track_caller]
    pub fn run(&self) -> Started {
        let started = self.start(&["eswrapper"]);
        assert_eq!((started.code, started.words()), (0, vec!["eswrapper"]), "{}", started.said);
        started
    }

    /// Starts Elasticsearch, which must not be reached.
    #[track_caller]
    pub fn refused(&self) -> Started {
        let started = self.start(&["eswrapper"]);
        assert_eq!((started.code, started.words()), (1, vec![]), "{}", started.said);
        started
    }
}

impl Started {
    /// The arguments that the image's own entrypoint got.
    pub fn words(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).collect()
    }

    /// The variables that elasticsearch.yml reads, as far as the script makes them.
    pub fn found(&self) -> String {
        let names = ["ES_PUBLISH_HOST", "ES_PUBLISH_PORT", "NODE_NAME", "NODE_ZONE", "EC2_ENDPOINT"];
        names.map(|name| self.env.get(name).filter(|value| !value.is_empty()).map_or("-", String::as_str)).join(" ")
    }

    #[track_caller]
    pub fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.said.contains(part), "{}\ndoes not say {part}", self.said);
        }
    }
}
