//! Commands in containers of real engines: Debian's Docker and Podman.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::docker::Daemon;
use super::engine::Engine;
use super::onto_debian::debian;
use super::run as run_program;
use super::seen::assert_same;
use crate::kitchen::project::Kitchen;
use crate::kitchen::script;
use crate::wire::tunnel::authority;

mod shipped;

/// Changes of all sorts, none of which depends on when or where they are made.
const STEP: &str = "set -e
mkdir -p /opt/a /srv/data; echo x > /opt/a/x; ln /opt/a/x /opt/a/y; ln -s x /opt/a/link; chmod 4755 /opt/a/x
chown 7:8 /srv/data; chmod 1770 /srv/data; rm -rf /usr/share/perl5 /etc/issue; cp /etc/group /tmp/g; cat /tmp/g > /etc/group
rm /tmp/g; rm -rf /usr/share/base-passwd; mkdir /usr/share/base-passwd; echo new > /usr/share/base-passwd/new
touch /etc/debian_version; echo 'Bäckerei' > '/opt/a/Brötchen 面包'; mkdir -p /usr/share/empty/inner";

/// A folder in the place of a link: Podman 4.3 cannot tell of what is in it, and all files are compared.
const LINK: &str = "\nrm /etc/os-release; mkdir /etc/os-release; echo was-a-link > /etc/os-release/file";

fn recipe(step: &str, more: &str) -> String {
    format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"rootfs:debian.tar\"\n\n[[run]]\nname = \"step\"\n\
         command = [\"/bin/sh\", \"-c\", '''\n{step}\n''']\n{more}"
    )
}

fn kitchen(address: &str, step: &str, more: &str) -> Option<Kitchen> {
    let kitchen = Kitchen::new().recipe("app", &recipe(step, more)).env("DOCKER_HOST", address);
    debian(&kitchen)?;
    Some(kitchen)
}

/// What an engine has: containers, images, volumes.
fn left(daemon: &Daemon) -> [String; 3] {
    [&["ps", "-aq"][..], &["images", "-aq"], &["volume", "ls", "-q"]]
        .map(|args| run_program(daemon.docker().args(args)))
}

fn loaded(kitchen: &Kitchen, recipe: &str) -> String {
    let told = kitchen.run(&["load", recipe, "--json"]).success().json();
    told["image"].as_str().unwrap().to_owned()
}

/// The same step by `docker build` leaves the same files; ours have one digest, theirs another each time.
#[test]
fn a_command_leaves_what_docker_build_leaves_and_the_same_digest_in_every_engine() {
    let Some(daemon) = Daemon::start() else { return };
    let step = format!("{STEP}{LINK}");
    let Some(kitchen) = kitchen(&daemon.address(), &step, "") else { return };
    let plain = recipe("", "").split("[[run]]").next().unwrap().to_owned();
    kitchen.write("recipes/base.toml", plain);
    let base = loaded(&kitchen, "base");
    kitchen.write("context/Dockerfile", format!("FROM {base}\nRUN {}\n", serde_json::json!(["/bin/sh", "-c", step])));
    let built = |name: &str| {
        let mut docker = daemon.docker();
        docker.env("DOCKER_BUILDKIT", "0").args(["build", "--no-cache", "--network=none", "--quiet", "--tag", name]);
        run_program(docker.arg(kitchen.project().join("context")));
        run_program(daemon.docker().args(["image", "inspect", "--format", "{{json .RootFS.Layers}}", name]))
    };
    let first = built("theirs:1");
    // Times in its layers are of whole seconds.
    std::thread::sleep(Duration::from_millis(1100));
    assert_ne!(first, built("theirs:2"));
    let ours = loaded(&kitchen, "app");
    let folder = tempfile::tempdir().unwrap();
    let files = |image: &str, name: &str| daemon.files(image, &folder.path().join(name));
    assert_same(&files("theirs:1", "theirs"), &files(&ours, "ours"), "elkbake, against docker build");
    kitchen.run(&["verify", "--rebuild", "app"]).success().says("the same");

    let digest = |kitchen: &Kitchen, engine: &str| {
        let store = tempfile::tempdir().unwrap();
        let store = store.path().display().to_string();
        let told = kitchen.run(&["build", "app", "--json", "--engine", engine, "--store", &store]).success().json();
        told["builds"][0]["digest"].clone()
    };
    let Some(engine) = Engine::new() else { return };
    let (_service, podman) = engine.service();
    assert_eq!(digest(&kitchen, &podman), digest(&kitchen, &daemon.address()), "Podman, against Docker");
    assert_eq!(
        run_program(engine.podman().args(["ps", "-aq"])) + &run_program(engine.podman().args(["images", "-aq"])),
        ""
    );
}

#[test]
fn commands_that_fail_hang_and_want_too_much_leave_nothing() {
    let Some(daemon) = Daemon::start() else { return };
    for (step, more, told) in [
        ("echo why; exit 3", "", "ended with exit code 3"),
        ("(sleep 1000 &); echo why; sleep 1000", "timeout = 2", "was not done after 2 s"),
        ("echo why; exec perl -e 'my $x = \"a\" x (300 << 20); sleep 1'", "memory = 64", "64 MiB of memory"),
        ("echo why; mkfifo /opt-pipe", "", "/opt-pipe is a pipe"),
    ] {
        let Some(kitchen) = kitchen(&daemon.address(), step, more) else { return };
        let ran = kitchen.run(&["build", "app"]);
        assert!(ran.code == 6 || step.contains("mkfifo"), "{}: {}", ran.code, ran.stderr);
        ran.complains(told).complains("run step | why");
        assert_eq!(left(&daemon), [""; 3], "{step}");
    }
}

#[test]
fn whoever_is_killed_leaves_what_sweeping_removes() {
    let Some(daemon) = Daemon::start() else { return };
    let Some(kitchen) = kitchen(&daemon.address(), "sleep 1000", "") else { return };
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::KILL] {
        let mut command = kitchen.command(&["build", "app"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while run_program(daemon.docker().args(["ps", "-q"])).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(50));
        }
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let code = child.wait().unwrap().code();
        assert_eq!(code, (signal == rustix::process::Signal::INT).then_some(130));
        if signal == rustix::process::Signal::KILL {
            kitchen.run(&["sweep"]).success().says("1 container, 1 image removed");
        }
        assert_eq!(left(&daemon), [""; 3]);
    }
}

/// Nobody cleans up in an engine that is gone, and nobody waits for it either.
#[test]
fn an_engine_that_dies_ends_the_run() {
    let Some(daemon) = Daemon::start() else { return };
    let Some(kitchen) = kitchen(&daemon.address(), "echo begun; sleep 1000", "") else { return };
    assert_eq!(left(&daemon), [""; 3]);
    let mut command = kitchen.command(&["build", "app"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while run_program(daemon.docker().args(["ps", "-q"])).is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(daemon);
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("`elkbake sweep`") && !stderr.contains("panicked"), "{stderr}");
}

/// Memory is for what is at hand, not for what a command writes.
#[test]
fn a_command_that_writes_much_takes_little_memory() {
    let Some(daemon) = Daemon::start() else { return };
    let step = "mkdir -p /opt; for i in 1 2 3; do head -c 200000000 /dev/zero > /opt/$i; echo $i >> /opt/$i; done";
    let Some(kitchen) = kitchen(&daemon.address(), step, "") else { return };
    let mut command = kitchen.command(&["build", "app", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(kilobytes.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success() && most > 0);
    assert!(most < 150_000, "{most} kB");
}

/// An SSH that is none, but connects with an engine as that does.
#[test]
fn an_engine_is_reached_through_ssh() {
    let Some(daemon) = Daemon::start() else { return };
    let Some(kitchen) = kitchen(&daemon.address(), "echo hello > /hello", "") else { return };
    let path = format!("{}:{}", kitchen.project().join("bin").display(), std::env::var("PATH").unwrap());
    // Its last argument is what is run there.
    let ssh = format!("#!/bin/sh\nfor last; do :; done\nDOCKER_HOST={} exec $last\n", daemon.address());
    script::write(&kitchen.project().join("bin/ssh"), &ssh);
    let kitchen = kitchen.env("PATH", &path).env("DOCKER_HOST", "ssh://me@elsewhere.example");
    kitchen.run(&["build", "app"]).success();
    kitchen.run(&["load", "app"]).success().says("in ssh://me@elsewhere.example");
}

/// As Docker's manual says to set it up: both sides have a certificate of one authority.
#[test]
fn an_engine_is_reached_by_tls_and_by_nobody_without_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let authority = authority(&file("ca.pem"));
    for (certificate, key) in [("cert.pem", "key.pem"), ("server.pem", "server-key.pem")] {
        let pair = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages =
            vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth, rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        std::fs::write(file(certificate), params.signed_by(&pair, &authority).unwrap().pem()).unwrap();
        std::fs::write(file(key), pair.serialize_pem()).unwrap();
    }
    let address = format!("tcp://127.0.0.1:{}", super::port());
    let told = |option: &str, name: &str| format!("--{option}={}", file(name).display());
    let tls = [
        format!("--host={address}"),
        "--tlsverify".to_owned(),
        told("tlscacert", "ca.pem"),
        told("tlscert", "server.pem"),
        told("tlskey", "server-key.pem"),
    ];
    let Some(_daemon) = Daemon::start_with(&tls) else { return };
    let Some(kitchen) = kitchen(&address, "echo hello > /hello", "") else { return };
    kitchen.run(&["build", "app"]).code(6).complains("it does not say what it is");
    let kitchen = kitchen.env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", &folder.path().display().to_string());
    kitchen.run(&["build", "app"]).success();
    std::fs::remove_file(file("key.pem")).unwrap();
    kitchen.run(&["load", "app"]).code(6).complains("key.pem").complains("hint: DOCKER_CERT_PATH names a folder");
}

/// A capability is an attribute of a file, without which the program does not do what it is there for.
#[test]
fn capabilities_stay_on_files() {
    let Some(daemon) = Daemon::start() else { return };
    // The call of the kernel, because the base has no tool for it: 188 is setxattr on 64-bit x86.
    let of = "my ($p, $n) = (\"/usr/bin/ping\", \"security.capability\")";
    let step = format!(
        "cp /usr/bin/cat /usr/bin/ping\nperl -e '{of}; my $v = pack(\"V5\", 0x02000001, 1 << 13, 0, 0, 0); \
         syscall(188, $p, $n, $v, 20, 0) == 0 or die \"$!\"'"
    );
    let Some(kitchen) = kitchen(&daemon.address(), &step, "") else { return };
    let image = loaded(&kitchen, "app");
    let told = format!("{of}; my $x = chr(0) x 64; print syscall(191, $p, $n, $x, 64)");
    let mut ran = daemon.docker();
    ran.args(["run", "--rm", "--network=none", &image, "perl", "-e", &told]);
    assert_eq!(run_program(&mut ran), "20");
}
