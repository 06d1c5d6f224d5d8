//! The instance that becomes an image, and a host that starts from that image.

use std::time::Duration;

use elkbake::ami::verdict::Verdict;

use crate::machine::{Machine, Port};
use crate::project::Documents;
use crate::tuned::check;

#[test]
fn a_bake_ends_well_and_what_starts_from_it_is_a_new_host() {
    let documents = Documents::build();
    let mut machine = Machine::new(&documents.bake);
    machine.begin();
    let before = machine.shell("cat /etc/machine-id");
    machine.wait(Duration::from_secs(900));
    assert_eq!(documents.verdict(&machine.console()), Some(Verdict::Ok));

    // The image is started: another instance, with disks that the one that baked it had not.
    machine.disk(Port::Nvme("vol0123xvdf"), 1);
    machine.disk(Port::Nvme("AWS111"), 2);
    machine.disk(Port::Nvme("AWS222"), 2);
    machine.disk(Port::Virtio, 3);
    machine.seed("i-0fedcba9876543210", b"#cloud-config\n{}\n");
    machine.start();
    assert_ne!(machine.shell("cat /etc/machine-id"), before);
    let keys = machine.shell("find /etc/ssh -name 'ssh_host_*_key' -newer /proc/1/cmdline | wc -l");
    assert_ne!(keys, "0");
    assert_eq!(machine.shell("cat /var/lib/cloud/data/instance-id"), "i-0fedcba9876543210");
    assert_eq!(machine.shell("cat /var/lib/cloud/data/previous-instance-id"), "NO_PREVIOUS_INSTANCE_ID");
    assert_eq!(
        machine.attempt("find /var/lib/ecs/data -mindepth 1").1.lines().filter(|l| !l.contains("No such")).count(),
        0
    );
    check(&mut machine);
    machine.stop();
}
