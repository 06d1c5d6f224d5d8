//! The instance that becomes an image, and a host that starts from that image.

use std::time::Duration;

use elkbake::ami::verdict::Verdict;

use crate::machine::{Machine, OWN, Port};
use crate::project::Documents;
use crate::tuned::check;

#[test]
fn a_bake_ends_well_and_what_starts_from_it_is_a_new_host() {
    let documents = Documents::build();
    let mut machine = Machine::new(&documents.bake);
    machine.begin();
    let machine_id =
        machine.shell("mkdir -p /var/lib/ecs/data; echo baked > /var/lib/ecs/data/id; cat /etc/machine-id");
    machine.wait(Duration::from_secs(3600));
    assert_eq!(documents.verdict(&machine.console()), Some(Verdict::Ok));
    assert!(!agent_has_started(&machine), "an agent that has registered once would be the same one on every host");

    // The image is started: another instance, with disks that the one that baked it had not.
    machine.disk(Port::Nvme("vol0123xvdf"), 1024);
    for serial in ["AWS111", "AWS222", "AWS333"] {
        machine.disk(Port::Nvme(serial), OWN);
    }
    machine.disk(Port::Virtio, 3072);
    machine.seed("i-0fedcba9876543210", b"#cloud-config\n{}\n");
    machine.start();
    assert!(agent_has_started(&machine));
    assert_ne!(machine.shell("cat /var/lib/ecs/data/id"), "baked");
    assert_ne!(machine.shell("cat /etc/machine-id"), machine_id);
    let boot = "$(sed -n 's/^btime //p' /proc/stat)";
    machine.shell(&format!("[ \"$(stat -c %Y /etc/ssh/ssh_host_ed25519_key)\" -ge \"{boot}\" ]"));
    assert_eq!(machine.shell("cat /var/lib/cloud/data/instance-id"), "i-0fedcba9876543210");
    assert_eq!(machine.shell("ls /var/lib/cloud/instances"), "i-0fedcba9876543210");
    check(&mut machine);
    machine.stop();
}

/// Whether systemd has said so in any boot so far, with a name that is printed in bold.
fn agent_has_started(machine: &Machine) -> bool {
    String::from_utf8_lossy(&machine.console()).contains("Started \u{1b}[0;1;39mecs.service")
}
