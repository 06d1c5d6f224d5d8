//! The host's storage program on real file systems of this kernel: disks are loop devices, what EC2 and udev call them
//! are links in a folder. What needs a whole machine is in `tests/vm`.

mod bench;
mod refused;

use std::process::Command;

use bench::{Bench, GIB, MIB, host};
use elkbake::ami::storage::configuration;

use super::{program, run};

const DATA: &str = "volume data ebs /dev/xvdf 1 elk-data xfs @/data\nfolder @/data/es 1000:0 0770\n";

/// A volume is made, mounted and given its owners; a second run does nothing, and a reboot keeps what is on it.
#[test]
fn an_empty_disk_is_formatted_once_and_then_kept() {
    for filesystem in ["xfs", "ext4"] {
        let Some(mut bench) = Bench::new() else { return };
        let disk = bench.disk(GIB);
        bench.attach(&disk, "sdf");
        let conf = DATA.replace(" xfs ", &format!(" {filesystem} "));

        let first = bench.run(&conf);
        assert!(first.contains(&format!("data: making {filesystem} on {disk}, 1 GiB, which is empty")), "{first}");
        assert!(first.contains("/data/es has mode 0770"), "{first}");
        assert_eq!(bench.stat("data/es"), "1000:0 770");
        let options = bench.mount_options("data");
        assert!(options.contains("noatime"), "{options}");
        bench.write("data/es/kept", "by the reboot");

        assert_eq!(bench.run(&conf), "elkbake storage: nothing to do: volumes mounted: 1\n");

        bench.reboot();
        let again = bench.run(&conf);
        assert_eq!(again, format!("elkbake storage: data: {disk} mounted on {}/data\n", bench.path("")));
        assert_eq!(bench.read("data/es/kept"), "by the reboot");
    }
}

#[test]
fn what_the_image_has_at_the_mount_point_is_on_the_new_volume_and_not_on_an_old_one() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.attach(&disk, "xvdf");
    bench.write("data/es/baked", "once");
    bench.shell("chown 12:34 @/data; chmod 0710 @/data; ln -s baked @/data/es/link; mknod @/data/es/whiteout c 0 0");

    let first = bench.run(DATA);
    assert!(first.contains("copying what the image has in"), "{first}");
    assert_eq!((bench.read("data/es/link"), bench.stat("data")), ("once".to_owned(), "12:34 710".to_owned()));
    assert_eq!(bench.shell("stat -c %F @/data/es/whiteout"), "character special file\n");

    bench.reboot();
    bench.write("data/es/baked", "twice");
    bench.run(DATA);
    assert_eq!(bench.read("data/es/baked"), "once");
}

/// Killed between making a file system and giving it its label: what is there is no foreign one.
#[test]
fn a_copy_that_was_interrupted_is_gone_on_with() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.attach(&disk, "xvdf");
    bench.write("data/es/baked", "whole");
    bench.shell(&format!("mkfs.xfs -q -L el~-data /dev/{disk}"));

    let run = bench.run(DATA);
    assert!(!run.contains("making"), "{run}");
    assert_eq!(bench.read("data/es/baked"), "whole");
    assert_eq!(bench.shell(&format!("blkid -p -o value -s LABEL /dev/{disk}")), "elk-data\n");
}

#[test]
fn a_disk_that_comes_late_is_waited_for_and_one_that_does_not_is_named() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    let error = bench.fail(&format!("wait 1\n{}", DATA.replace(" 1 elk", " 7 elk")));
    let why = format!(
        "data: not there after 1 seconds: no disk is attached as /dev/xvdf or carries the label elk-data, and none without \
         a name is empty and has 7 GiB; there are {disk} (1 GiB)"
    );
    assert!(error.contains(&why), "{error}");

    let late = bench.link_later(&disk, "xvdf", 3);
    let run = bench.run(&format!("wait 60\n{}", DATA.replace(" 1 elk", " - elk")));
    late.join().unwrap();
    assert!(run.contains(&format!("{disk} mounted")), "{run}");
}

/// EC2 attaches it under the name that is free, and there every disk says its name.
#[test]
fn a_volume_without_a_device_name_is_found_under_the_one_that_it_gets() {
    let Some(mut bench) = Bench::new() else { return };
    let (root, data) = (bench.disk(GIB), bench.disk(GIB));
    bench.attach(&root, "xvda");
    let ami = host("[[volume]]\nname = \"data\"\nkind = \"gp3\"\nsize = 1\nmount = \"/data\"\n");
    bench.attach(&data, ami.device_of(&ami.volume[0]).unwrap().trim_start_matches("/dev/"));
    let run = bench.run(&configuration(&ami).replace("120", "0").replace("/data", "@/data"));
    assert!(run.contains(&format!("data: {data} mounted")), "{run}");
    assert_eq!(bench.signature(&root), "");
}

/// The message names what was said, and the disks that are there.
#[test]
fn a_volume_of_no_size_is_missed_in_plain_words() {
    let Some(mut bench) = Bench::new() else { return };
    let (data, other) = (bench.disk(GIB), bench.disk(2 * GIB));
    bench.attach(&data, "xvdf");
    bench.attach(&other, "sdb");
    let logs = "volume logs ebs /dev/xvdg - elk-logs xfs @/logs\n";
    let error = bench.fail(&format!("wait 0\n{}{logs}", DATA.lines().next().unwrap().to_owned() + "\n"));
    let why =
        "logs: not there after 0 seconds: no disk is attached as /dev/xvdg or carries the label elk-logs; there are ";
    assert!(error.contains(why), "{error}");
    assert!(error.contains(&format!("{data} (data)")) && error.contains(&format!("{other} (2 GiB, xvdb)")), "{error}");
}

/// Where no disk says its name, the size tells, as long as it does.
#[test]
fn a_disk_without_a_name_is_known_by_its_size_and_then_by_its_label() {
    let Some(mut bench) = Bench::new() else { return };
    let (other, right) = (bench.disk(2 * GIB), bench.disk(GIB));
    let run = bench.run(DATA);
    assert!(run.contains(&format!("data: {right} mounted")), "{run}");
    bench.reboot();

    // Another empty one of the same size is no riddle any more.
    let twin = bench.disk(GIB);
    let run = bench.run(DATA);
    assert!(run.contains(&format!("data: {right} mounted")), "{run}");
    assert_eq!((bench.signature(&other), bench.signature(&twin)), (String::new(), String::new()));
}

#[test]
fn disks_that_cannot_be_told_apart_are_left_alone() {
    let Some(mut bench) = Bench::new() else { return };
    let (one, two) = (bench.disk(GIB), bench.disk(GIB));
    let error = bench.fail(DATA);
    assert!(error.contains(&format!("nobody can tell: {one} {two} are empty")), "{error}");

    // One disk for two volumes of one size: whose it is, nobody can say.
    bench.remove(&two);
    let log = "volume logs ebs /dev/xvdg 1 elk-logs xfs @/logs\n";
    let error = bench.fail(&format!("{DATA}{log}"));
    assert!(error.contains(&format!("nobody can tell: {one} are empty")), "{error}");
    assert_eq!(bench.signature(&one), "");
}

#[test]
fn a_label_on_another_disk_stops_the_boot() {
    let Some(mut bench) = Bench::new() else { return };
    let (empty, labelled) = (bench.disk(GIB), bench.disk(GIB));
    bench.shell(&format!("mkfs.xfs -q -L elk-data /dev/{labelled}"));
    bench.attach(&empty, "xvdf");
    bench.attach(&labelled, "xvdg");
    let error = bench.fail(DATA);
    assert!(error.contains(&format!("{empty} is attached as /dev/xvdf, but {labelled} carries the label")), "{error}");
    assert_eq!(bench.signature(&empty), "");

    bench.shell(&format!("mkfs.xfs -q -L elk-data /dev/{empty}"));
    let error = bench.fail(DATA);
    assert!(error.contains("carry the label elk-data"), "{error}");
}

#[test]
fn a_disk_that_is_too_small_is_not_formatted_and_one_that_has_grown_is_filled() {
    let Some(mut bench) = Bench::new() else { return };
    let small = bench.disk(GIB);
    bench.attach(&small, "xvdf");
    let error = bench.fail(&DATA.replace(" 1 elk", " 2 elk"));
    assert!(error.contains(&format!("{small} has 1 GiB, and 2 were to be there")), "{error}");
    assert_eq!(bench.signature(&small), "");

    bench.run(DATA);
    bench.reboot();
    Bench::grow(&small, 2 * GIB);
    let run = bench.run(DATA);
    assert!(run.contains("grown to 2 GiB"), "{run}");
}

#[test]
fn a_mount_that_is_somebody_elses_is_not_covered() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.attach(&disk, "xvdf");
    bench.shell("mkdir @/data; mount -t tmpfs none @/data");
    let error = bench.fail(DATA);
    assert!(error.contains("something else is mounted on"), "{error}");
    assert_eq!(bench.signature(&disk), "");
}

/// Docker mounts parts of its volume once more, and so do containers.
#[test]
fn a_volume_that_is_mounted_in_other_places_as_well_is_in_its_place() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.attach(&disk, "xvdf");
    bench.run(DATA);
    bench.shell("mkdir @/other; mount --bind @/data/es @/other");
    assert_eq!(bench.run(DATA), "elkbake storage: nothing to do: volumes mounted: 1\n");

    bench.shell("umount @/data");
    let error = bench.fail(DATA);
    assert!(error.contains(&format!("{disk} is mounted on ")), "{error}");
}

#[test]
fn what_does_not_fit_leaves_the_mount_point_as_it_was() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(16 * MIB);
    bench.attach(&disk, "xvdf");
    bench.shell("mkdir @/data; dd if=/dev/urandom of=@/data/large bs=1M count=24 status=none");
    let error = bench.fail(&DATA.replace(" 1 elk-data xfs", " - elk-data ext4"));
    assert!(error.contains("cannot copy what the image has in"), "{error}");
    // Of this disk only: other tests fill theirs at the same time.
    assert_eq!(bench.shell(&format!("findmnt -rno TARGET -S /dev/{disk} || true")), "");
    assert_eq!(bench.shell("mountpoint -q @/data || stat -c %s @/data/large"), "25165824\n");
}

/// A container may write to a volume; what it leaves there must not make root change files elsewhere.
#[test]
fn a_link_where_a_folder_is_to_be_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.attach(&disk, "xvdf");
    bench.run(DATA);
    bench.shell("mkdir @/precious; rmdir @/data/es; ln -s @/precious @/data/es");
    let error = bench.fail(DATA);
    assert!(error.contains("/data/es is a symbolic link"), "{error}");
    assert_eq!(bench.stat("precious"), "0:0 755");
}

/// Two disks of the instance's own as two volumes: each is known again by its label, whatever the order.
#[test]
fn an_instances_own_disks_are_told_apart_by_label() {
    let Some(mut bench) = Bench::new() else { return };
    let disks = [bench.disk(GIB), bench.disk(GIB)];
    bench.own(&disks[0], "AWS2");
    bench.own(&disks[1], "AWS1");
    let conf =
        "volume a store one - elk-a ext4 @/a\nvolume b store one - elk-b xfs @/b b\n".replace("@/b b", "@/b\\x20b");
    bench.run(&conf);
    bench.write("a/whose", "a");
    bench.write("b b/whose", "b");
    bench.reboot();
    bench.own(&disks[0], "AWS1");
    bench.own(&disks[1], "AWS2");
    bench.run(&conf);
    assert_eq!((bench.read("a/whose"), bench.read("b b/whose")), ("a".to_owned(), "b".to_owned()));

    bench.reboot();
    let error = bench.fail(&format!("wait 0\n{conf}volume c store one - elk-c xfs @/c\n"));
    assert!(
        error.contains("c: not there after 0 seconds: the instance has no disk of its own that is free"),
        "{error}"
    );
}

/// A disk that comes late would never be part of what is laid out.
#[test]
fn an_instances_own_disks_are_waited_for_until_they_are_all_there() {
    let Some(mut bench) = Bench::new() else { return };
    let disks: Vec<_> = (0..4).map(|_| bench.disk(GIB)).collect();
    let all = "store i3.8xlarge 4\nvolume data store all - elk-data xfs @/data\n";
    bench.kernel("class/dmi/id/product_name", "i3.8xlarge");
    bench.tool("mdadm", "echo \"$*\" >> @/mdadm; exit 1");
    for (there, disk) in disks.iter().enumerate() {
        let error = bench.fail(&format!("wait 1\n{all}"));
        assert!(error.contains(&format!("the instance has {there} of 4 disks of its own so far")), "{error}");
        bench.own(disk, &format!("AWS{there}"));
    }
    assert!(disks.iter().all(|disk| bench.signature(disk).is_empty()));
    // The fourth is there, and no driver of any is still at work.
    bench.kernel("class/nvme/nvme3/state", "connecting");
    let error = bench.fail(&format!("wait 1\n{all}"));
    assert!(error.contains("nvme3 is connecting"), "{error}");
    bench.kernel("class/nvme/nvme3/state", "live");
    bench.crash(all);
    let nodes: Vec<_> = disks.iter().map(|disk| format!("/dev/{disk}")).collect();
    assert!(bench.read("mdadm").contains("--raid-devices=4"), "{}", bench.read("mdadm"));
    assert!(nodes.iter().all(|node| bench.read("mdadm").contains(node)), "{}", bench.read("mdadm"));
}

/// Xen's firmware does not say the type: the metadata does, and without a network nobody.
#[test]
fn where_the_number_of_disks_is_not_known_they_have_to_stay_the_same_for_a_while() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.own(&disk, "AWS1");
    bench.kernel("class/dmi/id/product_name", "HVM domU");
    let one = "store i3.large 1\nstore i3.8xlarge 4\nvolume data store one - elk-data xfs @/data\n";
    bench.calm = 60;
    let error = bench.fail(&format!("wait 1\n{one}"));
    assert!(error.contains(&format!("the instance has 1 disks of its own so far: {disk}")), "{error}");

    let type_of =
        |name: &str| format!("case \"$*\" in *api/token) echo key ;; *token:\\ key*instance-type) echo {name} ;; esac");
    bench.tool("curl", &type_of("i3.8xlarge"));
    let error = bench.fail(&format!("wait 1\n{one}"));
    assert!(error.contains("the instance has 1 of 4 disks"), "{error}");
    bench.tool("curl", &type_of("i3.large"));
    bench.run(&format!("wait 1\n{one}"));

    // What is laid out already is not waited for.
    bench.reboot();
    bench.tool("curl", "exit 7");
    bench.run(&format!("wait 0\n{one}"));

    // And for a type that no recipe names, what counts is that nothing changes any more.
    let other = bench.disk(GIB);
    bench.own(&other, "AWS2");
    bench.calm = 2;
    bench.run(&format!("wait 30\n{one}volume more store one - elk-more xfs @/more\n"));
}

/// To copy what the image has, and to look whether a disk is empty, may take longer than a disk is waited for.
#[test]
fn what_takes_long_is_no_disk_that_is_missing() {
    let Some(mut bench) = Bench::new() else { return };
    let disks = [bench.disk(GIB), bench.disk(GIB), bench.disk(GIB)];
    bench.attach(&disks[0], "xvdf");
    for (n, disk) in disks.iter().enumerate().skip(1) {
        bench.own(disk, &format!("AWS{n}"));
    }
    bench.calm = 1;
    bench.tool("cp", "sleep 3; exec /bin/cp $*");
    bench.tool("dd", "sleep 0.02; exec /bin/dd $*");
    bench.tool("mdadm", "echo \"$*\" >> @/mdadm; exit 1");
    bench.crash("wait 2\nvolume a ebs /dev/xvdf - elk-a xfs @/a\nvolume b store all - elk-b xfs @/b\n");
    assert!(bench.read("mdadm").contains("--raid-devices=2"), "{}", bench.read("mdadm"));
}

#[test]
fn shellcheck_likes_the_program() {
    let Some(shellcheck) = program(&["shellcheck"], "shellcheck") else { return };
    let Some(bench) = Bench::new() else { return };
    run(Command::new(shellcheck).arg(bench.program()));
}
