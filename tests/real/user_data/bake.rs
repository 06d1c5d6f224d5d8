//! The bake of an instance, run as it is: in a root of its own with this machine's programs, and stubs for what would
//! reach the machine itself, the network or the packages.

mod rpm;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::build::host::{document, kitchen, parts};
use crate::kitchen::project::Kitchen;
use crate::kitchen::script;
use crate::real::program;

/// Binds this machine's programs into the root, read-only, and runs the bake there.
const WORLD: &str = r#"
set -eu
root=$1
for folder in usr/bin usr/sbin usr/lib usr/lib64 usr/share etc/alternatives; do
    mkdir -p "$root/$folder"
    mount --bind "/$folder" "$root/$folder"
    mount -o remount,ro,bind "$root/$folder"
done
[ ! -d "$root/hidden" ] || mount -t overlay overlay -o "lowerdir=$root/hidden:/usr/bin" "$root/usr/bin"
mkdir -p "$root/usr/local/sbin"
mount --bind "$root/stubs" "$root/usr/local/sbin"
mount --bind "$root/stubs/sysctl" "$root/usr/lib/systemd/systemd-sysctl"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
export ELKBAKE_CONSOLE=/console ELKBAKE_PAUSE=0
chroot "$root" bash /run/elkbake/bake now || echo "the bake ended with $?"
"#;

/// Says what it was told, and does what a test has to see.
const SYSTEMCTL: &str = "#!/bin/bash\necho \"$*\" >> /calls/systemctl\n[ \"$1\" != is-enabled ]\n";
const APT_GET: &str = "#!/bin/bash\necho \"$*\" >> /calls/apt-get\n[ ! -e /fail/apt-get ]\n\
    case \" $* \" in *' install '*) echo theirs > /etc/motd ;; esac\n";
const CURL: &str = "#!/bin/bash\nwhile [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\necho \"$1\" >> /calls/curl\n\
    printf package > \"$out\"\n";
const CLOUD_INIT: &str = "#!/bin/bash\necho \"$*\" >> /calls/cloud-init\nrm -rf /var/lib/cloud/instance*\n";
const NOTHING: &str = "#!/bin/bash\n";

struct Root {
    kitchen: Kitchen,
    key: String,
}

impl Root {
    fn new(more: &str) -> Option<Self> {
        program(&["unshare"], "util-linux")?;
        assert!(rustix::process::geteuid().is_root(), "roots are for root only: run as root, or set PEERS=0");
        let kitchen =
            kitchen("").file("ami/host/etc/motd", "ours\n").file("ami/host/home/u/.ssh/authorized_keys", "baked\n");
        let recipe = crate::plan::locked::HOST;
        let swappiness = fs::read_to_string("/proc/sys/vm/swappiness").unwrap();
        // What is checked is what this machine's kernel says: nothing here is to change it.
        let count = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        let sysctl = format!(
            "\"vm.max_map_count\" = {}\n\"vm.swappiness\" = {swappiness}",
            count.trim().parse::<u64>().unwrap()
        );
        kitchen.write("recipes/host.toml", recipe.replace("\"vm.max_map_count\" = 1048576", &sysctl) + more);
        Some(Self { kitchen, key: String::new() })
    }

    /// One with the packages of Debian, as far as they go.
    fn of_deb(more: &str) -> Option<Self> {
        let root = Self::new(more)?;
        root.stub("apt-get", APT_GET);
        root.stub("curl", CURL);
        Some(root)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.kitchen.project().join("root").join(below)
    }

    fn put(&self, path: &str, text: &str) {
        self.kitchen.write(&format!("root/{path}"), text);
    }

    fn stub(&self, name: &str, text: &str) {
        script::write(&self.path("stubs").join(name), text);
    }

    /// A host that has lived a little.
    fn furnish(&self) {
        for folder in ["usr", "proc", "dev", "calls", "tmp", "root", "run", "fail"] {
            fs::create_dir_all(self.path(folder)).unwrap();
        }
        for link in ["bin", "lib", "sbin", "lib64"] {
            std::os::unix::fs::symlink(format!("usr/{link}"), self.path(link)).unwrap();
        }
        for name in ["journalctl", "sysctl", "sync"] {
            self.stub(name, NOTHING);
        }
        self.stub("systemctl", SYSTEMCTL);
        self.stub("cloud-init", CLOUD_INIT);
        self.put(
            "etc/passwd",
            "root:x:0:0::/root:/bin/bash\nu:x:1000:1000::/home/u:/bin/bash\nd:x:3:3::/etc:/bin/false\n",
        );
        self.put("etc/group", "root:x:0:\nu:x:1000:\n");
        for path in INSTANCE {
            self.put(path, "of this instance\n");
        }
        for path in KEPT {
            self.put(path, "kept\n");
        }
    }

    /// Runs the bake and gives what it said on the console.
    fn bake(&mut self, change: impl Fn(String) -> String) -> String {
        let build = self.kitchen.run(&["build", "host", "--json"]).success().json();
        build["builds"][0]["key"].as_str().unwrap()[7..19].clone_into(&mut self.key);
        let script = parts(&document(&self.kitchen, &build, "instance"))["elkbake-bake"].1.clone();
        self.furnish();
        self.put("run/elkbake/bake", &change(script));
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "bash", "-c", WORLD, "bash"]);
        let output = unshare.arg(self.path("")).output().unwrap();
        let console = fs::read_to_string(self.path("console")).unwrap_or_default();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(console.contains("ELKBAKE"), "{said}\n{}", String::from_utf8_lossy(&output.stdout));
        eprintln!("{said}\n{console}");
        console
    }

    fn calls(&self, of: &str) -> String {
        fs::read_to_string(self.path("calls").join(of)).unwrap_or_default()
    }

    /// What a line of the console says after the nonce.
    fn said(&self, console: &str) -> Vec<String> {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { std::env::consts::ARCH };
        let ours = format!("ELKBAKE {}-{architecture} ", self.key);
        console.lines().filter_map(|line| line.strip_prefix(&ours)).map(str::to_owned).collect()
    }
}

const INSTANCE: [&str; 20] = [
    "etc/docker/key.json",
    "var/lib/docker/engine-id",
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_ed25519_key.pub",
    "root/.ssh/authorized_keys",
    "root/.bash_history",
    "home/u/.bash_history",
    "var/lib/ecs/data/agent.db",
    "var/lib/amazon/ssm/i-1/registration",
    "var/lib/cloud/instance/user-data.txt",
    "var/lib/systemd/random-seed",
    "var/lib/dhcp/dhclient.leases",
    "var/lib/apt/lists/index",
    "var/log/ecs/ecs-agent.log",
    "var/log/journal/0123/system.journal",
    "var/log/messages.1",
    "var/log/dpkg.log.2.gz",
    "var/lib/dbus/machine-id",
    "tmp/made",
    "var/tmp/made",
];

const KEPT: [&str; 6] = [
    "etc/ssh/sshd_config",
    "home/u/notes",
    "var/lib/docker/overlay2/agent",
    "var/cache/ecs/ecs-agent.tar",
    "var/lib/cloud/seed/nocloud/meta-data",
    "etc/.bash_history",
];

#[test]
fn a_bake_leaves_what_the_recipe_says_and_nothing_of_the_instance() {
    let digest = elkbake::digest::Digest::of(b"package");
    let package =
        format!("[[package]]\nname = \"tool\"\nurl = \"https://example.com/tool.deb\"\nchecksum = \"{digest}\"\n");
    let run = "[[run]]\nname = \"it's\"\ncommand = [\"bash\", \"-c\", \"printf '%s|' \\\"$0\\\" \\\"$@\\\" > /etc/ran\", \"$HOME `x`\", \"\", \"a\\nb\"]\n";
    let Some(mut root) = Root::of_deb(&format!("{package}{run}")) else { return };
    root.put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
    root.put("var/log/messages", "past\n");
    root.put("etc/hostname", "ip-10-0-1-23\n");
    let console = root.bake(|script| script);
    let said = root.said(&console);
    assert_eq!(said.iter().filter(|line| *line == "ok").count(), 3, "{console}");
    assert!(!said.iter().any(|line| line.starts_with("problem") || line == "failed"), "{console}");
    let notes: Vec<_> = said.iter().filter_map(|line| line.strip_prefix("note ")).collect();
    assert_eq!(
        notes,
        [
            "files of the recipe",
            "lists of packages",
            "packages",
            "package tool",
            "files that packages brought",
            "run it's",
            "settings",
            "check",
            "what is left of this instance",
            "files that were cleaned away"
        ]
    );
    for path in INSTANCE {
        assert!(!root.path(path).exists(), "{path} is still there");
    }
    for path in KEPT {
        assert_eq!(fs::read_to_string(root.path(path)).unwrap(), "kept\n", "{path}");
    }
    for empty in ["etc/machine-id", "etc/hostname", "var/log/messages"] {
        assert_eq!(fs::metadata(root.path(empty)).unwrap().size(), 0, "{empty}");
    }
    assert_eq!(fs::read_to_string(root.path("etc/ran")).unwrap(), "$HOME `x`||a\nb|");
    assert_eq!(fs::read_to_string(root.path("etc/motd")).unwrap(), "ours\n", "a package has its own");
    assert_eq!(fs::read_to_string(root.path("home/u/.ssh/authorized_keys")).unwrap(), "baked\n");
    assert!(
        root.calls("apt-get").contains("install -- amazon-ecr-credential-helper xfsprogs"),
        "{}",
        root.calls("apt-get")
    );
    assert_eq!(root.calls("curl"), "https://example.com/tool.deb\n");
    assert!(root.calls("systemctl").contains("--force poweroff\n"), "{}", root.calls("systemctl"));
    let left: Vec<_> = fs::read_dir(root.path("var/tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_bake_that_fails_says_why_and_switches_off() {
    let run =
        "[[run]]\nname = \"setup\"\ncommand = [\"bash\", \"-c\", \"echo on its way; echo no luck >&2; exit 7\"]\n";
    let Some(mut root) = Root::of_deb(run) else { return };
    let console = root.bake(|script| script);
    let said = root.said(&console);
    let end = &said[said.len() - 4..];
    assert_eq!(end, ["problem run setup: failed with status 7", "problem | on its way", "problem | no luck", "failed"]);
    assert!(root.calls("systemctl").contains("--force poweroff\n"));
    assert!(root.path("etc/ssh/ssh_host_ed25519_key").exists(), "what failed is left as it is");
}

#[test]
fn a_bake_that_hangs_says_so_and_switches_off() {
    let run = "[[run]]\nname = \"wait\"\ncommand = [\"bash\", \"-c\", \"echo waiting; sleep 600\"]\n";
    let Some(mut root) = Root::of_deb(run) else { return };
    let console = root.bake(|script| {
        assert!(script.contains("\nwatch_over 2400 &\n"));
        // Whoever switches off ends everything, here too.
        script
            .replace(
                "watch_over 2400 &",
                "{ until grep -qs waiting \"$log\"; do sleep 0.1; done; watch_over 0; kill -9 $$; } &",
            )
            .replace("\nexit\n}", "\nkill -9 $$\n}")
    });
    let said = root.said(&console);
    let end = &said[said.len() - 3..];
    assert_eq!(
        end,
        [
            "problem the bake was not over after 0 minutes, in the step `run wait`; its last output:",
            "problem | waiting",
            "failed"
        ]
    );
    assert!(root.calls("systemctl").contains("--force poweroff\n"));
}

#[test]
fn a_file_that_is_not_what_it_was_said_to_be_is_not_installed() {
    let package = "[[package]]\nname = \"tool\"\nurl = \"https://example.com/tool.deb\"\nchecksum = \"".to_owned()
        + &"0".repeat(128)
        + "\"\n";
    let Some(mut root) = Root::of_deb(&package) else { return };
    let console = root.bake(|script| script);
    assert!(console.contains("problem package tool: failed with status 1"), "{console}");
    assert!(console.contains("FAILED"), "{console}");
    assert!(!root.calls("apt-get").contains("package.deb"));
}
