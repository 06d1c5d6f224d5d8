//! The host's check of itself, beside stubs for what it asks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::kitchen::script;
use crate::real::program;

const SYSTEMCTL: &str = "case \"$1 ${*: -1}\" in\n'is-active up.service') echo active ;;\n'is-active '*) echo failed; exit 3 ;;\n\
    'is-enabled up.service') echo enabled ;;\n'is-enabled '*) echo disabled; exit 1 ;;\nesac\n";
const DOCKER: &str = "case \"$*\" in\n*LoggingDriver*) echo json-file ;;\n*'ps -q'*) echo 0123 ;;\n*Ulimits*) echo null ;;\n\
    *Name*) echo agent ;;\n*Pid*) echo self ;;\nesac\n";
const FINDMNT: &str = "[ \"${*: -1}\" = /data ] && echo xfs\n";

struct Host(tempfile::TempDir);

impl Host {
    fn new(checks: &str) -> Option<Self> {
        program(&["bash"], "bash")?;
        let host = Self(tempfile::tempdir().unwrap());
        for (name, text) in [
            ("systemctl", SYSTEMCTL),
            ("docker", DOCKER),
            ("findmnt", FINDMNT),
            ("journalctl", ""),
            ("nft", "exit 1\n"),
        ] {
            host.stub(name, text);
        }
        host.put("etc/elkbake/checks", checks);
        host.put("proc/sys/vm/a_b", "1\t2  3\n");
        host.put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
        Some(host)
    }

    fn put(&self, path: &str, text: &str) -> std::path::PathBuf {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        path
    }

    fn stub(&self, name: &str, text: &str) {
        script::write(&self.0.path().join("stubs").join(name), &format!("#!/bin/bash\n{text}"));
    }

    /// How it ended, what it printed and what it said on the console.
    fn check(&self, args: &[&str]) -> (i32, String, String) {
        let console = self.put("console", "");
        let path = format!("{}:{}", self.0.path().join("stubs").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.arg("src/ami/host/check.sh").args(args).env("PATH", path);
        let output = command.env("ELKBAKE_ROOT", self.0.path()).env("ELKBAKE_CONSOLE", &console).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.code().unwrap(), said, fs::read_to_string(console).unwrap())
    }
}

#[test]
fn what_holds_is_counted() {
    let checks = "is_sysctl vm.a_b '1 2 3'\nis_mounted /data xfs\nis_active up.service\nis_enabled up.service\nis_disabled no.service\n\
        is_docker log-driver json-file\nis_huge_pages never\nis_file /etc/elkbake/checks 644\nis_folder /etc - -\nis_user root 0 root\n\
        is_command 'b c' echo 'a b c'\nis_agent_running\n";
    let Some(host) = Host::new(checks) else { return };
    let expected = "note 12 checks hold\n".to_owned();
    assert_eq!(host.check(&[]), (0, expected.clone(), String::new()));
    let (code, said, console) = host.check(&["--nonce", "abc-x86_64"]);
    assert_eq!((code, said), (0, expected + &"ok\n".repeat(3)));
    assert_eq!(console, format!("\nELKBAKE abc-x86_64 note 12 checks hold\n{}", "\nELKBAKE abc-x86_64 ok\n".repeat(3)));
}

#[test]
fn what_does_not_hold_is_told_one_by_one() {
    let cases = [
        ("is_sysctl vm.a_b 4", "sysctl vm.a_b is 1 2 3, not 4"),
        ("is_sysctl vm.none 4", "sysctl vm.none: this kernel has no such setting"),
        ("is_mounted /data ext4", "/data is xfs, not ext4"),
        ("is_mounted /other xfs", "/other is not mounted"),
        ("is_active no.service", "no.service is failed: "),
        ("is_enabled no.service", "no.service does not start at boot: it is disabled"),
        ("is_disabled up.service", "up.service starts at boot"),
        ("is_docker log-driver journald", "docker's log-driver is json-file, not journald"),
        ("is_huge_pages always", "huge pages are given out always madvise [never], not always"),
        ("is_file /none", "there is no file /none"),
        ("is_file /etc/elkbake/checks 600", "file /etc/elkbake/checks has the mode 644, not 600"),
        ("is_file /etc/elkbake/checks - 7:7", "file /etc/elkbake/checks belongs to 0:0, not 7:7"),
        ("is_user nobody-such 1", "there is no user nobody-such"),
        ("is_user root 5 none", "user root is 0, not 5\nproblem user root is not in the group none"),
        ("is_table inet elkbake", "the firewall has no table inet elkbake"),
        ("is_command x echo y", "echo y does not say x: y"),
        ("is_command '' sh -c 'echo a; exit 7'", "sh -c echo a; exit 7 failed with status 7: a"),
        ("is_command '' say x", "say x failed with status 127: "),
        ("is_answer x http://127.0.0.1:1/", "http://127.0.0.1:1/ does not answer: "),
    ];
    let Some(host) = Host::new("") else { return };
    let owner = format!("{}:{}", rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    for (check, expected) in cases {
        host.put("etc/elkbake/checks", &format!("{check}\n"));
        let (code, said, console) = host.check(&[]);
        let expected = format!("problem {}", expected.replace("0:0", &owner));
        assert!(code == 1 && said.starts_with(&expected), "{check}\n{said}");
        assert_eq!(console, "");
    }
    let (_, _, console) = host.check(&["--nonce", "n"]);
    assert!(
        console.ends_with("\nELKBAKE n failed\n") && console.matches("ELKBAKE n problem").count() == 3,
        "{console}"
    );
}

#[test]
fn a_bake_is_not_asked_for_what_it_has_not() {
    let checks = "is_mounted /other xfs\nis_folder_on_volume /other 755\nis_active no.service\nis_docker log-driver x\nis_limit nofile 1 1\n\
        is_table inet elkbake\nis_huge_pages always\nis_enabled up.service\n";
    let Some(host) = Host::new(checks) else { return };
    assert_eq!(host.check(&["--bake"]), (0, "note 8 checks hold\n".to_owned(), String::new()));
}

#[test]
fn limits_are_those_of_a_container() {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let row = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut sides = row["Max open files".len()..].split_whitespace();
    let (soft, hard) = (sides.next().unwrap(), sides.next().unwrap());
    let Some(host) = Host::new(&format!("is_limit nofile {soft} {hard}\n")) else { return };
    let (code, said, _) = host.check(&[]);
    assert!(code == 0 && said.contains("note limits seen in the container agent\n"), "{said}");
    host.put("etc/elkbake/checks", "is_limit nofile 5 6\n");
    let expected = format!(
        "problem nofile in a container is {soft}, not 5\nproblem nofile in a container can become {hard}, not 6\n"
    );
    assert!(host.check(&[]).1.ends_with(&expected));
}

/// Without a container there is what the daemon was told: as a flag, or in its file.
#[test]
fn limits_without_a_container_are_those_that_docker_was_told() {
    let told = |checks: &str, flags: &str, file: &str| {
        let host = Host::new(checks)?;
        for (name, text) in [("docker", ""), ("pidof", "echo 7\n")] {
            host.stub(name, text);
        }
        host.put("proc/7/cmdline", &flags.replace(' ', "\0"));
        host.put("etc/docker/daemon.json", file);
        let (_, said, _) = host.check(&[]);
        Some(said.lines().find_map(|line| line.strip_prefix("problem ")).unwrap_or("well").to_owned())
    };
    let file = "{\n  \"default-ulimits\": {\n    \"memlock\": { \"Hard\": -1, \"Soft\": -1 },\n \"nofile\": {\n \"Hard\": 6,\n \"Name\": \"nofile\", \"Soft\": 5 } } }";
    for (check, flags, file, expected) in [
        ("is_limit nofile 5 6\n", "dockerd", file, "well"),
        ("is_limit memlock -1 -1\n", "dockerd", file, "well"),
        ("is_limit nofile 5 7\n", "dockerd", file, "docker was told that nofile is 5:6, not 5:7"),
        ("is_limit nofile 5 6\n", "dockerd --default-ulimit nofile=5:6 -D", "{}", "well"),
        ("is_limit nofile 5 5\n", "dockerd --default-ulimit=nofile=5", "{}", "well"),
        (
            "is_limit nofile 5 6\n",
            "dockerd --default-ulimit=nofile=1:6",
            "",
            "docker was told that nofile is 1:6, not 5:6",
        ),
        ("is_limit nofile 5 6\n", "dockerd", "{ \"debug\": true }", "docker was told nothing about nofile"),
    ] {
        let Some(said) = told(check, flags, file) else { return };
        assert_eq!(said, expected, "{check} {flags}");
    }
}

#[test]
fn what_is_expected_may_take_its_time_and_a_torn_list_is_no_list() {
    let Some(host) = Host::new("") else { return };
    // It is there when it is asked for the second time.
    let here = host.0.path().join("here").display().to_string();
    let expect = host.put("expect", &format!("is_command '' sh -c 'test -e {here} || {{ touch {here}; exit 1; }}'\n"));
    let (code, said, _) = host.check(&["--timeout", "120", "--expect", expect.to_str().unwrap()]);
    let (waits, said) = said.split_once('\n').unwrap();
    assert!(waits.starts_with("note not yet: sh -c test -e ") && waits.contains("failed with status 1"), "{waits}");
    assert_eq!((code, said), (0, "note 1 checks hold\n"));
}
