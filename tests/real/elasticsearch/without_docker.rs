//! The node on a host of its own that is shipped: what its files and programs come to beside a real Elasticsearch. Its
//! tools are run as the bake and the boot run them, without the environment that only the service has.
//!
//! discovery-ec2 cannot be had, so a node starts without the lines that are for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::VERSION;
use crate::kitchen::script;
use crate::real::{artefact, port, program, run};

/// Answers as the instance's own address and as the parameter store, out of a file.
const CURL: &str = "#!/bin/sh\necho eu-west-1\n";
const AWS: &str = "#!/bin/sh\ncat \"$FOUND\"\n";

struct Installed {
    folder: tempfile::TempDir,
}

impl Installed {
    fn new() -> Option<Self> {
        let (zip, java) = (artefact("elasticsearch.zip", "elasticsearch")?, artefact("java.tar", "java")?);
        for (name, package) in [("unzip", "unzip"), ("jq", "jq"), ("openssl", "openssl"), ("setpriv", "util-linux")] {
            program(&[name], package)?;
        }
        let installed = Self { folder: tempfile::tempdir().unwrap() };
        let at = |below: &str| installed.folder.path().join(below);
        fs::set_permissions(at(""), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(at("jdk")).unwrap();
        run(Command::new("unzip").arg("-q").arg(zip).arg("-d").arg(at("")));
        run(Command::new("tar").arg("-xf").arg(java).arg("-C").arg(at("jdk")));
        for (name, text) in [("curl", CURL), ("aws", AWS)] {
            script::write(&at("stubs").join(name), text);
        }
        fs::copy(shipped("etc/elasticsearch/elasticsearch.yml"), installed.config("elasticsearch.yml")).unwrap();
        Some(installed)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join(format!("elasticsearch-{VERSION}"))
    }

    fn config(&self, file: &str) -> PathBuf {
        self.home().join("config").join(file)
    }

    /// With what the package's own file of settings says, and no more.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("stubs").display());
        command.env_clear().env("PATH", path).env("ES_JAVA_HOME", self.folder.path().join("jdk"));
        command.env("ES_HOME", self.home()).env("ES_PATH_CONF", self.config(""));
        command
    }

    fn tool(&self, words: &[&str]) -> String {
        run(self.command(self.home().join("bin").join(words[0])).args(&words[1..]))
    }

    fn boot(&self, env: &[(&str, &str)]) -> String {
        let run_one = |name: &str| run(self.command(shipped("usr/local/bin").join(name)).envs(env.iter().copied()));
        run_one("elasticsearch-secrets") + &run_one("elasticsearch-settings")
    }

    fn settings(&self) -> String {
        fs::read_to_string(self.config("elasticsearch.yml")).unwrap()
    }

    /// Starts a node on loopback, and says what it answers with who does not say who it is.
    fn answers(&self, scheme: &str) -> String {
        let is_kept =
            |line: &&str| !["discovery.", "cloud.", "plugin.", "network."].iter().any(|of| line.starts_with(of));
        let text: String = self.settings().lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
        let text = text.replace("/var/", &format!("{}/var/", self.folder.path().display()));
        fs::write(self.config("elasticsearch.yml"), text).unwrap();
        run(Command::new("chown").args(["-R", "1000:1000"]).arg(self.home()));
        let var = self.folder.path().join("var");
        run(Command::new("install").args(["-d", "-m", "0777"]).arg(&var).arg(var.join("lib")).arg(var.join("log")));
        let (http, transport, log) = (port(), port(), self.folder.path().join("log"));
        let mut command = self.command("setpriv");
        command.args(["--reuid=1000", "--regid=1000", "--clear-groups"]).arg(self.home().join("bin/elasticsearch"));
        command.args(["-Ediscovery.type=single-node", "-Enetwork.host=127.0.0.1"]);
        command.arg(format!("-Ehttp.port={http}")).arg(format!("-Etransport.port={transport}"));
        command.env("ES_JAVA_OPTS", "-Xms384m -Xmx384m").stdin(Stdio::null());
        let out = fs::File::create(&log).unwrap();
        let node = Node(command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap());
        node.wait(&format!("{scheme}://127.0.0.1:{http}/_nodes"), &log)
    }
}

struct Node(Child);

impl Node {
    fn wait(mut self, url: &str, log: &Path) -> String {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1200) {
            let asked =
                Command::new("curl").args(["-ks", "-o", "/dev/null", "-w", "%{http_code}", url]).output().unwrap();
            let code = String::from_utf8(asked.stdout).unwrap();
            // Until it has a master it knows nobody.
            if ["200", "401"].contains(&code.as_str()) {
                return code;
            }
            if let Some(status) = self.0.try_wait().unwrap() {
                panic!("the node ended, {status}:\n{}", fs::read_to_string(log).unwrap());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        panic!("the node does not answer:\n{}", fs::read_to_string(log).unwrap());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Its starter ends the node where it is asked to, and not where it is killed.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ami/es-node").join(path)
}

#[test]
fn the_tools_know_what_the_node_is_told() {
    let Some(installed) = Installed::new() else { return };
    // As the bake has it.
    assert_eq!(installed.tool(&["elasticsearch-plugin", "list"]), "");
    assert!(!installed.config("elasticsearch.keystore").exists());
    // A boot without secrets, and one with a name that YAML and shells read things into.
    installed.boot(&[]);
    assert_eq!(installed.tool(&["elasticsearch-keystore", "list"]), "keystore.seed\n");
    let before = (installed.settings(), fs::read(installed.config("certs/node.key")).unwrap());
    let keystore = fs::read(installed.config("elasticsearch.keystore")).unwrap();
    installed.boot(&[]);
    assert!(before == (installed.settings(), fs::read(installed.config("certs/node.key")).unwrap()));
    assert!(keystore == fs::read(installed.config("elasticsearch.keystore")).unwrap(), "a new seed at each boot");
    let named = [("CLUSTER_NAME", "o'rye # 1"), ("NODE_ROLES", ""), ("INITIAL_MASTERS", "a,b"), ("TLS", "false")];
    installed.boot(&named);
    let text = installed.settings();
    for line in [
        "cluster.name: 'o''rye # 1'",
        "discovery.ec2.tag.elk-cluster: 'o''rye # 1'",
        "node.roles: []",
        "cluster.initial_master_nodes: 'a,b'",
        "xpack.security.http.ssl.enabled: 'false'",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
    assert!(!text.contains("certs/"), "what is named is read: {text}");
    assert_eq!(installed.tool(&["elasticsearch-keystore", "list"]), "keystore.seed\n");
    let mut wrong = installed.command(shipped("usr/local/bin/elasticsearch-settings"));
    let output = wrong.env("TLS", "yes").output().unwrap();
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("not `yes`"));
    assert_eq!(installed.settings(), text);
    keystore_survives(&installed);
}

/// What the store of parameters has takes the place of what was there, or nothing does.
fn keystore_survives(installed: &Installed) {
    let found = installed.folder.path().join("found");
    let parameters = r#"[["/elk/blue/keystore/bootstrap.password", "s3cr3t"], ["/elk/blue/certs/ca.crt", "theirs\n"]]"#;
    fs::write(&found, parameters).unwrap();
    let env = [("SECRETS_PATH", "/elk/blue"), ("FOUND", found.to_str().unwrap())];
    assert!(installed.boot(&env).contains("1 files and 1 settings came from /elk/blue"));
    assert_eq!(installed.tool(&["elasticsearch-keystore", "list"]), "bootstrap.password\nkeystore.seed\n");
    assert_eq!(fs::read_to_string(installed.config("certs/ca.crt")).unwrap(), "theirs\n");
    let keystore = fs::read(installed.config("elasticsearch.keystore")).unwrap();
    fs::write(&found, r#"[["/elk/blue/keystore/No Such Name", "x"]]"#).unwrap();
    let mut secrets = installed.command(shipped("usr/local/bin/elasticsearch-secrets"));
    assert!(!secrets.envs(env).output().unwrap().status.success());
    assert!(keystore == fs::read(installed.config("elasticsearch.keystore")).unwrap(), "the old one is gone");
    assert!(!installed.config("elasticsearch.keystore.before").exists());
}

#[test]
fn a_node_starts_without_certificates_and_without_tls() {
    let Some(installed) = Installed::new() else { return };
    assert!(rustix::process::geteuid().is_root(), "a node runs as another one: run as root, or set PEERS=0");
    installed.boot(&[("TLS", "false"), ("SECURITY", "false")]);
    assert_eq!(installed.answers("http"), "200");
    fs::copy(shipped("etc/elasticsearch/elasticsearch.yml"), installed.config("elasticsearch.yml")).unwrap();
    let said = installed.boot(&[]);
    assert!(said.contains("it has made one that nobody else trusts"), "{said}");
    assert_eq!(installed.answers("https"), "401");
}
