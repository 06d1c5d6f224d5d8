//! The data volumes, over several boots of one machine that has its tuning by user data.

use std::process::Command;

use elkbake::ami::verdict::Verdict;

use crate::machine::{Machine, OWN, Port, empty, run};
use crate::project::Documents;
use crate::tuned::check;

#[test]
fn volumes_are_laid_out_kept_rebuilt_and_never_overwritten() {
    let documents = Documents::build();
    let mut machine = Machine::new(&documents.host);
    let data = machine.disk(Port::Nvme("vol0123xvdf"), 1024);
    let own = ["AWS111", "AWS222", "AWS333"].map(|serial| machine.disk(Port::Nvme(serial), OWN));
    machine.disk(Port::Virtio, 3072);

    machine.start();
    made(&mut machine);
    assert_eq!(documents.verdict(&machine.console()), Some(Verdict::Ok));
    machine.reboot();
    kept(&mut machine);
    machine.stop();

    // A stop and a start: other disks are in the place of the instance's own, and somebody else's is attached as our data.
    for disk in &own {
        empty(disk, OWN);
    }
    empty(&data, 1024);
    run(Command::new("mkfs.ext4").args(["-q", "-L", "theirs"]).arg(&data));
    machine.start();
    foreign(&mut machine);
    rebuilt(&mut machine);
    torn(&mut machine);
    machine.stop();
}

fn made(machine: &mut Machine) {
    check(machine);
    machine.shell("docker tag pause:limits kept:1; touch /var/lib/elasticsearch/kept /srv/scratch/kept");
}

fn kept(machine: &mut Machine) {
    machine.shell("ls /var/lib/elasticsearch/kept /srv/scratch/kept; docker image inspect kept:1 > /dev/null");
    let log = machine.shell("journalctl -b -u elkbake-storage -o cat");
    assert!(!log.contains("making") && !log.contains("joining"), "{log}");
    let boot = machine.shell("journalctl -b -o cat | grep -a 'files were not as they should be'");
    assert!(boot.contains("elkbake: 0 files"), "{boot}");
    check(machine);
}

fn rebuilt(machine: &mut Machine) {
    let log = machine.shell("journalctl -b -u elkbake-storage -o cat");
    assert!(log.contains("docker: joining nvme1n1 nvme2n1 nvme3n1, which are empty"), "{log}");
    assert_ne!(machine.attempt("docker image inspect kept:1").0, 0);
    machine.shell("ls /srv/scratch/kept");
    check(machine);
}

/// One disk of an array is another one now: the other half of the data is not written over.
fn torn(machine: &mut Machine) {
    machine.shell(
        "systemctl stop ecs docker.socket docker; umount /var/lib/docker; mdadm --quiet --stop /dev/md1*; \
         wipefs --quiet --all /dev/nvme1n1; blkdiscard --force --zeroout /dev/nvme1n1",
    );
    let beginning = "dd if=/dev/nvme2n1 bs=1M count=64 iflag=direct status=none | md5sum";
    let before = machine.shell(beginning);
    let (status, said) = machine.attempt("/usr/libexec/elkbake/storage");
    assert!(
        status == 1 && said.contains("neither empty nor a whole array: nvme1n1 (empty) nvme2n1 (of array"),
        "{said}"
    );
    assert_eq!(machine.shell(beginning), before);
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

    // What it says is what helps.
    machine.shell(
        "wipefs --quiet --all /dev/nvme0n1; blkdiscard --force --zeroout /dev/nvme0n1; \
         /usr/libexec/elkbake/apply; while [ -n \"$(systemctl list-jobs --no-legend)\" ]; do sleep 1; done",
    );
    assert_eq!(machine.attempt(state).1, "active\nactive\nactive\n");
}
