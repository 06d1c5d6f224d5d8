//! The data volumes, over several boots of one machine.

use std::path::Path;
use std::process::Command;

use elkbake::ami::storage;
use elkbake::recipe::{self, AmiRecipe, Recipe};

use crate::machine::{Machine, Port, empty, run};

/// One volume of each kind: known by its name, by being the instance's own, and by its size alone.
const RECIPE: &str = r#"
kind = "ami"
version = "1"
region = "eu-west-1"
base.id = "ami-0123456789abcdef0"

[[volume]]
name = "data"
kind = "gp3"
size = 1
device = "/dev/xvdf"
mount = "/var/lib/elasticsearch"

[[volume]]
name = "docker"
kind = "instance-store"
raid0 = true
mount = "/var/lib/docker"

[[volume]]
name = "scratch"
kind = "gp3"
size = 3
filesystem = "ext4"
mount = "/srv/scratch"

[[folder]]
path = "/var/lib/elasticsearch"
owner = "1000:0"
mode = "0770"
"#;

/// What is put into the seed is put in its place before anything else happens, as a boothook does it.
const BOOTHOOK: &str = "#cloud-boothook\n#!/bin/bash\nset -eu\nmkdir -p /run/seed\n\
    mount -o ro /dev/disk/by-label/cidata /run/seed\ntar -xf /run/seed/files.tar -C /\numount /run/seed\n\
    systemctl daemon-reload\nsystemctl start --no-block default.target\n";

/// An agent that would start as Amazon's does.
const ECS: &str = "[Unit]\nAfter=docker.service\nRequires=docker.service\n[Service]\nExecStart=/bin/sleep infinity\n\
    [Install]\nWantedBy=multi-user.target\n";

fn recipe() -> AmiRecipe {
    let document = recipe::parse(Path::new("r.toml"), RECIPE).unwrap_or_else(|error| panic!("{error}"));
    let Recipe::Ami(ami) = document.value else { panic!("no host") };
    *ami
}

fn files(ami: &AmiRecipe) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut files = storage::files(ami);
    files.push(("/etc/systemd/system/ecs.service".to_owned(), elkbake::tree::Mode::new(0o644), ECS.into()));
    for (path, mode, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(mode.bits().into());
        header.set_size(bytes.len() as u64);
        tar.append_data(&mut header, path.trim_start_matches('/'), &bytes[..]).unwrap();
    }
    let mut links = storage::links(ami);
    links.push(("/etc/systemd/system/multi-user.target.wants/ecs.service".to_owned(), "../ecs.service".to_owned()));
    for (path, to) in links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, path.trim_start_matches('/'), to).unwrap();
    }
    tar.into_inner().unwrap()
}

#[test]
fn volumes_are_laid_out_kept_rebuilt_and_never_overwritten() {
    let mut machine = Machine::new(BOOTHOOK.as_bytes(), &[("files.tar", &files(&recipe()))]);
    let data = machine.disk(Port::Nvme("vol0123xvdf"), 1);
    let own = [machine.disk(Port::Nvme("AWS111"), 2), machine.disk(Port::Nvme("AWS222"), 2)];
    machine.disk(Port::Virtio, 3);

    machine.start();
    made(&mut machine);
    machine.reboot();
    kept(&mut machine);
    machine.stop();

    // A stop and a start: other disks are in the place of the instance's own.
    for disk in &own {
        empty(disk, 2);
    }
    machine.start();
    rebuilt(&mut machine);
    torn(&mut machine);
    machine.stop();

    // Somebody else's disk is attached in the place of ours.
    empty(&data, 1);
    run(Command::new("mkfs.ext4").args(["-q", "-L", "theirs"]).arg(&data));
    for disk in &own {
        empty(disk, 2);
    }
    machine.start();
    foreign(&mut machine);
    machine.stop();
}

const UNITS: &str = "elkbake-storage docker ecs";

fn made(machine: &mut Machine) {
    assert_eq!(machine.attempt(&format!("systemctl is-active {UNITS}")).1, "active\nactive\nactive\n");
    let mounts = "findmnt -rno FSTYPE,SOURCE,OPTIONS";
    let mount = |machine: &mut Machine, at: &str| machine.shell(&format!("{mounts} {at}"));
    assert!(mount(machine, "/var/lib/elasticsearch").starts_with("xfs /dev/nvme0n1 rw,noatime"));
    let docker = mount(machine, "/var/lib/docker");
    assert!(docker.starts_with("xfs /dev/md") && docker.contains("swidth="), "{docker}");
    assert!(mount(machine, "/srv/scratch").starts_with("ext4 /dev/vd"));
    assert_eq!(machine.shell("stat -c '%u:%g %a' /var/lib/elasticsearch"), "1000:0 770");

    assert_eq!(machine.shell("docker info -f '{{.Driver}} {{.DockerRootDir}}'"), "overlay2 /var/lib/docker");
    machine.shell(
        "tar -C / -c usr/bin/true | docker import - kept:1; touch /var/lib/elasticsearch/kept /srv/scratch/kept",
    );

    let verified = machine
        .attempt("cd /etc/systemd/system; systemd-analyze verify elkbake-storage.service docker.service ecs.service");
    assert_eq!(verified, (0, String::new()));
    unordered(machine);
    again(machine);
}

/// No unit waits for another in a circle: systemd would leave one of them out, and say so.
fn unordered(machine: &mut Machine) {
    let (_, cycles) = machine.attempt("journalctl -b -o cat | grep -i 'ordering cycle'");
    assert_eq!(cycles, "");
}

fn again(machine: &mut Machine) {
    let answer = machine.shell("/usr/libexec/elkbake/storage");
    assert_eq!(answer, "elkbake storage: nothing to do: volumes mounted: 3");
}

fn kept(machine: &mut Machine) {
    assert_eq!(machine.attempt(&format!("systemctl is-active {UNITS}")).1, "active\nactive\nactive\n");
    machine.shell("ls /var/lib/elasticsearch/kept /srv/scratch/kept; docker image inspect kept:1 > /dev/null");
    let log = machine.shell("journalctl -b -u elkbake-storage -o cat");
    assert!(!log.contains("making") && !log.contains("joining"), "{log}");
    unordered(machine);
    again(machine);
    // Who stops, stops before its volume goes.
    assert!(machine.shell("systemctl show docker -p After").contains("var-lib-docker.mount"));
}

fn rebuilt(machine: &mut Machine) {
    assert_eq!(machine.attempt(&format!("systemctl is-active {UNITS}")).1, "active\nactive\nactive\n");
    let log = machine.shell("journalctl -b -u elkbake-storage -o cat");
    assert!(log.contains("docker: joining nvme1n1 nvme2n1, which are empty"), "{log}");
    assert_ne!(machine.attempt("docker image inspect kept:1").0, 0);
    machine.shell("ls /var/lib/elasticsearch/kept /srv/scratch/kept");
}

/// One disk of an array is another one now: the other half of the data is not written over.
fn torn(machine: &mut Machine) {
    machine.shell(
        "systemctl stop ecs docker.socket docker; umount /var/lib/docker; mdadm --quiet --stop /dev/md1*; \
         wipefs --quiet --all /dev/nvme1n1; dd if=/dev/zero of=/dev/nvme1n1 bs=1M status=none || true",
    );
    let before = machine.shell("md5sum < /dev/nvme2n1");
    let (status, said) = machine.attempt("/usr/libexec/elkbake/storage");
    assert!(
        status == 1 && said.contains("neither empty nor a whole array: nvme1n1 (empty) nvme2n1 (of array"),
        "{said}"
    );
    assert_eq!(machine.shell("md5sum < /dev/nvme2n1"), before);
    // Docker does not start on the root disk meanwhile, though nothing has told systemd that the volume is gone.
    let (status, _) = machine.attempt("systemctl start docker");
    assert_ne!(status, 0);
}

fn foreign(machine: &mut Machine) {
    let state = "systemctl is-active elkbake-storage docker ecs";
    assert_eq!(machine.attempt(state).1, "failed\ninactive\ninactive\n");
    let log = machine.shell("journalctl -b -u elkbake-storage -o cat");
    assert!(log.contains("data: nvme0n1 is not empty: LABEL=theirs"), "{log}");
    let console = machine.console();
    assert!(String::from_utf8_lossy(&console).contains("elkbake storage: FAILED: data: nvme0n1 is not empty"));
    assert_eq!(machine.shell("blkid -p -o value -s LABEL /dev/nvme0n1"), "theirs");
    unordered(machine);

    // What it says is what helps.
    machine.shell(
        "wipefs --quiet --all /dev/nvme0n1; dd if=/dev/zero of=/dev/nvme0n1 bs=1M status=none || true; \
         systemctl restart elkbake-storage; systemctl start docker ecs",
    );
    assert_eq!(machine.attempt(state).1, "active\nactive\nactive\n");
}
