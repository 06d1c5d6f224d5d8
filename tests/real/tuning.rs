//! The files of a host, and the programs among them, as systemd, Docker, chrony and nftables of this machine take them.
//! What needs a whole machine is in `tests/vm`.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use elkbake::ami::{Identity, Tuning};
use elkbake::digest::Digest;
use elkbake::local::Local;
use elkbake::recipe::{self, Recipe};
use elkbake::tree::Node;

use super::{program, run};

const EVERYTHING: &str = include_str!("../host/everything.toml");

fn home(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(below)
}

/// Whether all programs are there; `PEERS=0` says that they may be missing.
fn peers() -> Option<()> {
    let needed = [
        ("systemd-analyze", "systemd"),
        ("nft", "nftables"),
        ("ip", "iproute2"),
        ("unshare", "util-linux"),
        ("dockerd", "docker.io"),
        ("chronyd", "chrony"),
        ("curl", "curl"),
        ("python3", "python3"),
    ];
    for (name, package) in needed {
        program(&[name], package)?;
    }
    assert!(rustix::process::geteuid().is_root(), "machines are made by root only: run as root, or set PEERS=0");
    Some(())
}

/// What this kernel is set to, which a test must not change.
fn as_it_is(key: &str) -> String {
    fs::read_to_string(Path::new("/proc/sys").join(key.replace('.', "/"))).unwrap().trim().to_owned()
}

/// The tuning of a recipe, in a folder.
fn unpacked(text: &str) -> tempfile::TempDir {
    let Recipe::Ami(ami) = recipe::parse(Path::new("r.toml"), text).unwrap_or_else(|error| panic!("{error}")).value
    else {
        panic!("this is no host: {text}")
    };
    let (recipe, tag) = ("host".parse().unwrap(), "2026.1-0123456789ab".parse().unwrap());
    let identity = Identity { recipe: &recipe, version: &ami.version, tag: &tag, key: Digest::of(b"") };
    let tuning = Tuning::of(&ami, &Local::default(), Path::new("/nowhere"), &identity).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    for (path, entry) in tuning.tree().iter() {
        let to = folder.path().join(path.as_str().trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        match &entry.node {
            Node::Folder => fs::create_dir_all(&to).unwrap(),
            Node::Link(target) => symlink(target, &to).unwrap(),
            Node::File { digest, .. } => {
                fs::write(&to, tuning.contents().bytes(digest, 1 << 20).unwrap()).unwrap();
                fs::set_permissions(&to, Permissions::from_mode(u32::from(entry.mode.bits()))).unwrap();
            }
        }
    }
    folder
}

/// A host with every table, on the settings that this kernel has anyway.
fn everything() -> tempfile::TempDir {
    let (maps, swap) = (as_it_is("vm.max_map_count"), as_it_is("vm.swappiness"));
    let text =
        EVERYTHING.replace("1048576", &maps).replace("= 1\n", &format!("= {swap}\n\"net.core.somaxconn\" = 4321\n"));
    assert!(text.contains("somaxconn"));
    unpacked(&text)
}

fn machine(files: &tempfile::TempDir, script: &str) -> String {
    run(Command::new(home("tests/host/machine.sh")).arg(files.path()).arg(script))
}

/// The Docker of Amazon Linux reads this file, and the cluster's name comes at launch.
const AMAZON: &str = r#"
printf '%s\n' 'DAEMON_MAXFILES=1048576' '# OPTIONS="--debug"' \
    'OPTIONS="--default-ulimit nofile=32768:65536 --label \"a=b c\" \' '  --log-opt=tag=x"' 'DAEMON_PIDFILE_TIMEOUT=10' > /etc/sysconfig/docker
chmod 0640 /etc/sysconfig/docker
printf '%s\n' 'ECS_CLUSTER=blue' '# ECS_CONTAINER_STOP_TIMEOUT=1s' 'ECS_CONTAINER_STOP_TIMEOUT=2s' 'ECS_CONTAINER_STOP_TIMEOUT=3s' > /etc/ecs/ecs.config
"#;

#[test]
fn what_is_applied_stands_and_applied_again_it_changes_nothing() {
    let Some(()) = peers() else { return };
    let script = r#"
        /usr/libexec/elkbake/apply --bake
        echo "== again"
        seen() { find /etc /var/lib/elkbake '/var/lib/file beat' -mindepth 1 ! -name .pwd.lock -printf '%p %T@ %m %U:%G %i\n' | sort; }
        seen > /tmp/before
        /usr/libexec/elkbake/apply --bake
        seen | diff /tmp/before -
        echo "== docker"; stat -c %a /etc/sysconfig/docker; cat /etc/sysconfig/docker
        echo "== ecs"; cat /etc/ecs/ecs.config
        echo "== clock"; chronyd -p -f /etc/chrony/chrony.conf | grep -E '^(server|pool|sourcedir)'
        echo "== rest"
        cat /proc/sys/net/core/somaxconn /sys/kernel/mm/transparent_hugepage/enabled
        id baker; getent passwd baker; stat -c '%a %u:%g %n' '/var/lib/file beat/100%'
        systemctl is-enabled e2scrub_all.timer fstrim.timer || true
    "#;
    let told = machine(&everything(), &format!("{AMAZON}{script}"));
    let part = |name: &str| {
        let (_, rest) = told.split_once(&format!("== {name}\n")).unwrap_or_else(|| panic!("no {name}: {told}"));
        rest.split("== ").next().unwrap_or_default().to_owned()
    };
    assert_eq!(part("again"), "elkbake: there is no amazon-cloudwatch-agent.service yet\nelkbake: nothing to change\n");
    let docker = "640\nDAEMON_MAXFILES=1048576\n# OPTIONS=\"--debug\"\n\
        OPTIONS=\"--label \\\"a=b c\\\" --log-opt tag={{.Name}}/100%\"\nDAEMON_PIDFILE_TIMEOUT=10\n";
    assert_eq!(part("docker"), docker);
    let ecs = "ECS_CLUSTER=blue\n# ECS_CONTAINER_STOP_TIMEOUT=1s\nECS_CONTAINER_STOP_TIMEOUT=120s\n\
        ECS_AVAILABLE_LOGGING_DRIVERS=[\"json-file\",\"awslogs\"]\n";
    assert_eq!(part("ecs"), ecs);
    assert_eq!(part("clock"), "server 169.254.169.123 iburst minpoll 4 maxpoll 4\nserver time.example.com iburst\n");
    let rest = part("rest");
    for wanted in [
        "4321\nnever\n",
        "uid=990(baker) gid=990(baker) groups=990(baker),4(adm)",
        "baker:x:990:990::/srv/baker:/usr/sbin/nologin",
        "750 0:0 /var/lib/file beat/100%",
        "disabled\nenabled\n",
    ] {
        assert!(rest.contains(wanted), "{wanted}: {rest}");
    }
}

#[test]
fn what_a_recipe_no_longer_says_goes_and_what_others_say_stays() {
    let Some(()) = peers() else { return };
    let script = r"
        cp /etc/sysconfig/docker /tmp/base
        /usr/libexec/elkbake/apply --bake > /dev/null
        echo 'ECS_RESERVED_MEMORY=9' >> /etc/ecs/ecs.config
        rm /etc/elkbake/docker-flags
        echo 'ECS_LOGLEVEL=debug' > /etc/elkbake/ecs.config
        /usr/libexec/elkbake/apply --bake | grep OPTIONS
        cat /etc/ecs/ecs.config
    ";
    let told = machine(&everything(), &format!("{AMAZON}{script}"));
    let expected = "elkbake: OPTIONS in /etc/sysconfig/docker is now: --default-ulimit nofile=32768:65536 --label \"a=b c\" \
        --log-opt=tag=x\nECS_CLUSTER=blue\n# ECS_CONTAINER_STOP_TIMEOUT=1s\nECS_RESERVED_MEMORY=9\nECS_LOGLEVEL=debug\n";
    assert_eq!(told, expected);
}

/// What the launch has brought, as the cluster's name, is not lost where a program fails.
#[test]
fn files_stay_as_they_are_where_they_cannot_be_made_anew() {
    let Some(()) = peers() else { return };
    let script = r"
        printf '#!/bin/bash\nexit 2\n' > /tmp/awk; chmod 755 /tmp/awk
        sed -i 's,^export LC_ALL=C PATH=,&/tmp:,' /usr/libexec/elkbake/apply
        cp /etc/ecs/ecs.config /etc/sysconfig/docker /etc/chrony/chrony.conf /tmp
        if /usr/libexec/elkbake/apply --bake; then exit 1; fi
        cmp /tmp/ecs.config /etc/ecs/ecs.config; cmp /tmp/docker /etc/sysconfig/docker
        cmp /tmp/chrony.conf /etc/chrony/chrony.conf; [ ! -e /var/lib/elkbake/ecs.config ]
    ";
    machine(&everything(), &format!("{AMAZON}{script}"));
}

/// The daemon exits at what it is told twice. That it is this which makes it exit is shown with the base's own flags.
#[test]
fn dockerd_starts_with_the_flags_and_the_file() {
    let Some(()) = peers() else { return };
    let script = r#"
        starts() {
            local options
            options=$(sed -n 's/^OPTIONS="\(.*\)"$/\1/p' /etc/sysconfig/docker | sed 's/\\"/"/g')
            eval "timeout 20 dockerd $options --data-root /tmp/d --exec-root /tmp/e -H unix:///tmp/s --pidfile /tmp/p \
                --iptables=false --ip6tables=false --bridge=none --log-driver=json-file" > /tmp/log 2>&1 &
            for _ in $(seq 200); do
                if grep -q 'specified both as a flag and in the configuration file' /tmp/log; then echo twice; return; fi
                if grep -qE 'started new containerd|failed to start daemon' /tmp/log; then echo once; return; fi
                sleep 0.1
            done
            cat /tmp/log
        }
        echo 'OPTIONS="--default-ulimit nofile=32768:65536"' > /etc/sysconfig/docker
        starts
        /usr/libexec/elkbake/apply --bake > /dev/null
        starts
        kill $(jobs -p) || true
        wait
    "#;
    assert_eq!(machine(&everything(), script), "twice\nonce\n");
}

/// Debian's docker.service reads a file of its own; that of Docker itself reads none.
#[test]
fn flags_reach_the_daemons_of_other_distributions() {
    let Some(()) = peers() else { return };
    let script = r"
        rm -rf /etc/sysconfig
        unit=/etc/systemd/system/docker.service
        # Debian's reads a file, Ubuntu's does not any more.
        sed 's/ [$]DOCKER_OPTS//; /^ExecStart=/s/$/ $DOCKER_OPTS/' /lib/systemd/system/docker.service > $unit
        /usr/libexec/elkbake/apply --bake > /dev/null
        cat /etc/default/docker
        sed -i 's/ [$]DOCKER_OPTS//; s/-H fd:/-H fd: --debug/' $unit
        echo 'drop D
drop debug
drop H
flag -H tcp://127.0.0.1:1' >> /etc/elkbake/docker-flags
        mkdir -p /etc/systemd/system/docker.service.d
        printf '%s\n' '[Service]' ExecStart= 'ExecStart=/usr/sbin/dockerd -D -H fd:// \' \
            ' --containerd=/run/containerd/containerd.sock --mtu 9000' > /etc/systemd/system/docker.service.d/override.conf
        printf '[Service]\nExecStart=/bin/false\n' > /etc/systemd/system/docker.service.d/an-earlier-one.conf
        for _ in 1 2; do
            /usr/libexec/elkbake/apply --bake | tail -n 1
        done
        grep ExecStart /etc/systemd/system/docker.service.d/zz-elkbake-flags.conf
    ";
    let expected = "DOCKER_OPTS=\"--log-opt tag={{.Name}}/100%\"\n\
        elkbake: there is no amazon-cloudwatch-agent.service yet\nelkbake: nothing to change\nExecStart=\n\
        ExecStart=/usr/sbin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock --mtu 9000 \
        --log-opt tag={{.Name}}/100%% -H tcp://127.0.0.1:1\n";
    assert_eq!(machine(&everything(), &script.replace("-H fd: --debug", "-D -H fd:")), expected);
}

/// Units of Amazon's and cloud-init's, as far as their order goes.
const OTHERS: &str = r#"
unit() {
    printf '[Unit]\n%b\n[Service]\nType=oneshot\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' "$2" > /etc/systemd/system/$1.service
    mkdir -p /etc/systemd/system/multi-user.target.wants
    ln -sf ../$1.service /etc/systemd/system/multi-user.target.wants/
}
order() {
    unit cloud-init-local 'DefaultDependencies=no\nAfter=systemd-remount-fs.service\nBefore=network-pre.target\nWants=network-pre.target'
    unit cloud-init 'DefaultDependencies=no\nAfter=cloud-init-local.service\nBefore=network-online.target\nBefore=sshd.service'
    unit cloud-config 'After=network-online.target'
    unit cloud-final 'After=network-online.target\nAfter=cloud-config.service'
    unit ecs 'Requires=docker.service\nPartOf=docker.service\nAfter=docker.service\nAfter=cloud-final.service'
    unit elasticsearch 'Wants=network-online.target\nAfter=network-online.target'
}
"#;

#[test]
fn systemd_takes_the_units_and_sees_no_circle() {
    let Some(()) = peers() else { return };
    let files = everything();
    // The shipped node has units of its own.
    run(Command::new("cp").arg("-r").arg(home("ami/es-node/etc")).arg(home("ami/es-node/usr")).arg(files.path()));
    let verify = |more: &str| {
        let script = format!(
            "{OTHERS}\norder\nsystemctl --quiet enable elasticsearch-secrets\n{more}\n\
             systemd-analyze verify --man=no multi-user.target docker.service /etc/systemd/system/elkbake-*.service \
             elasticsearch-secrets.service 2>&1 | grep -E 'elkbake|elasticsearch|cycle' || echo fine"
        );
        machine(&files, &script)
    };
    assert_eq!(verify(""), "fine\n");
    let wrong = verify(
        "sed -i 's/^Before=network-pre.target/After=docker.service &/; s/After=docker.service Before/After=docker.service\\nBefore/' /etc/systemd/system/elkbake-firewall.service",
    );
    assert!(wrong.contains("cycle"), "{wrong}");
}

#[test]
fn only_who_may_reaches_the_ports_of_a_host() {
    let Some(()) = peers() else { return };
    let files = everything();
    let mut command = Command::new("unshare");
    command.arg("--net").arg(home("tests/host/firewall.sh"));
    command.arg(files.path().join("usr/libexec/elkbake/firewall")).arg(files.path().join("etc/elkbake/firewall.nft"));
    let all = |who: &str| ["22", "80", "9200", "9303"].map(|port| format!("{who} {port}")).join("\n");
    let open = |who: &str| ["22", "9200", "9303"].map(|port| format!("{who} {port}")).join("\n");
    let expected =
        [all("itself"), open("subnet"), open("subnet6"), all("task"), "elsewhere 22".to_owned(), open("named")];
    assert_eq!(run(&mut command).trim(), expected.join("\n"));
}
