//! What has to be true of a host, however its tuning got there.

use crate::machine::Machine;

pub fn check(machine: &mut Machine) {
    let units = machine.attempt("systemctl is-active elkbake-storage docker ecs").1;
    assert_eq!(units, "active\nactive\nactive\n");
    assert_eq!(machine.shell("sysctl -n vm.max_map_count vm.swappiness"), "1048576\n1");
    assert!(machine.shell("cat /sys/kernel/mm/transparent_hugepage/enabled").contains("[never]"));
    assert_eq!(machine.shell("stat -c '%u:%g %a' /srv/on-the-root-disk"), "990:990 750");
    assert_eq!(machine.shell("id -u baker"), "990");
    volumes(machine);
    docker(machine);
    // All of it once more changes nothing.
    assert_eq!(machine.shell("/usr/libexec/elkbake/storage"), "elkbake storage: nothing to do: volumes mounted: 3");
    let applied = machine.shell("/usr/libexec/elkbake/apply");
    assert_eq!(applied, "elkbake: nothing to change");
    // No unit waits for another in a circle: systemd would leave one of them out, and say so.
    assert_eq!(machine.attempt("journalctl -b -o cat | grep -i 'ordering cycle'").1, "");
    let units = "elkbake-storage.service docker.service ecs.service";
    assert_eq!(machine.attempt(&format!("systemd-analyze verify {units}")), (0, String::new()));
}

fn volumes(machine: &mut Machine) {
    let mut mount = |at: &str| machine.shell(&format!("findmnt -rno FSTYPE,SOURCE,OPTIONS {at}"));
    let data = mount("/var/lib/elasticsearch");
    assert!(data.starts_with("xfs /dev/nvme0n1 rw,noatime"), "{data}");
    let docker = mount("/var/lib/docker");
    assert!(docker.starts_with("xfs /dev/md") && docker.contains("swidth="), "{docker}");
    let scratch = mount("/srv/scratch");
    assert!(scratch.starts_with("ext4 /dev/vd") && scratch.contains("noatime"), "{scratch}");
    assert_eq!(machine.shell("stat -c '%u:%g %a' /var/lib/elasticsearch"), "1000:0 770");
    // Who stops, stops before its volume goes.
    assert!(machine.shell("systemctl show docker -p After").contains("var-lib-docker.mount"));
}

fn docker(machine: &mut Machine) {
    let said = machine.shell("docker info -f '{{.Driver}} {{.DockerRootDir}} {{.LoggingDriver}}'");
    assert_eq!(said, "overlay2 /var/lib/docker json-file");
    // ECS brings an image that does nothing but stay up; in this one limits can be seen from the inside, too.
    let programs =
        "{ ldd /usr/bin/prlimit /usr/bin/sleep | grep -o '/lib[^ ]*' | sort -u; ls /usr/bin/prlimit /usr/bin/sleep; }";
    machine.shell(&format!(
        "{programs} | tar -C / -ch -T - --transform 's,^/,,' -f - 2> /dev/null | \
         docker import -c 'CMD [\"/usr/bin/sleep\", \"600\"]' - pause:limits > /dev/null"
    ));
    let limits = machine.shell(
        "docker run --rm --network none pause:limits /usr/bin/prlimit --memlock --noheadings --raw -o SOFT,HARD",
    );
    assert_eq!(limits, "unlimited unlimited");
    let (status, said) = machine.attempt("/usr/libexec/elkbake/check");
    assert!(status == 0 && said.contains("limits seen in the container elkbake-check\n"), "{said}");
}
