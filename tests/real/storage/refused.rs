//! Disks that carry something, of each kind: none of them is ever formatted, and not a byte of them changes.

use std::fs;
use std::os::unix::fs::FileExt;

use super::bench::{Bench, GIB, MIB};

/// What makes the disk what it is: a shell command with its node as `$disk`, or bytes at a place.
enum Made {
    By(&'static str),
    Of(u64, &'static [u8]),
}

/// Large enough that it is not read whole.
const SIZE: u64 = 640 * MIB;

/// Name, how it is made, and what has to be said of it.
const CARRIES: &[(&str, Made, &str)] = &[
    ("ext4", Made::By("mkfs.ext4 -q $disk"), "TYPE=ext4"),
    ("xfs", Made::By("mkfs.xfs -q -L theirs $disk"), "LABEL=theirs"),
    ("our label on another type", Made::By("mkfs.ext4 -q -L elk-data $disk"), "TYPE=ext4"),
    ("swap", Made::By("mkswap -q $disk"), "TYPE=swap"),
    ("GPT", Made::By("echo 'type=linux' | sfdisk -q --label gpt $disk"), "PTTYPE=gpt"),
    ("MBR", Made::By("echo 'type=83' | sfdisk -q --label dos $disk"), "PTTYPE=dos"),
    ("an empty partition table", Made::By("echo label: gpt | sfdisk -q $disk"), ""),
    (
        "what two tools made",
        Made::By(
            "mkfs.ext4 -q $disk; mkswap -q $disk; printf '\\1\\1' | dd of=$disk bs=1 seek=1080 conv=notrunc status=none",
        ),
        "",
    ),
    ("btrfs", Made::Of(0x1_0040, b"_BHRfS_M"), ""),
    ("LUKS", Made::Of(0, b"LUKS\xba\xbe\x00\x02"), ""),
    ("LVM", Made::Of(512, b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001"), ""),
    ("md member", Made::Of(4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0"), ""),
    ("old md member, at the end", Made::Of(SIZE - 65_536, b"\xfc\x4e\x2b\xa9"), ""),
    ("ISO 9660", Made::Of(32_769, b"CD001\x01"), ""),
    ("a zip file", Made::Of(0, b"PK\x03\x04\x14"), "data of no known kind"),
    ("the very first byte", Made::Of(0, b"\x01"), "data of no known kind"),
    ("the very last byte", Made::Of(SIZE - 1, b"\x80"), "data of no known kind"),
    ("a byte in the middle", Made::Of(SIZE / 2 + 77, b"x"), "data of no known kind"),
    ("a byte in a sample", Made::Of(SIZE / 128 * 83, b"\n"), "data of no known kind"),
];

#[test]
fn a_disk_that_carries_anything_is_left_as_it_is() {
    let conf = "volume data ebs /dev/xvdf - elk-data xfs @/data\n";
    for (name, made, said) in CARRIES {
        let Some(mut bench) = Bench::new() else { return };
        let disk = bench.disk(SIZE);
        bench.attach(&disk, "xvdf");
        let node = format!("/dev/{disk}");
        match made {
            Made::By(command) => drop(bench.shell(&format!("disk={node}; {command}"))),
            Made::Of(at, bytes) => {
                let device = fs::OpenOptions::new().write(true).open(&node).unwrap();
                device.write_all_at(bytes, *at).unwrap();
                device.sync_all().unwrap();
            }
        }
        eprintln!("{name}");
        let before = bench.bytes(&disk);
        let error = bench.fail(conf);
        assert!(error.contains(&format!("{disk} is not empty: ")) || error.contains("carr"), "{name}: {error}");
        assert!(error.contains(said), "{name}: {error}");
        assert_eq!(bench.bytes(&disk), before, "{name}");
    }
}

/// A small disk is read whole, so that nothing hides between samples.
#[test]
fn every_byte_of_a_small_disk_counts() {
    let conf = "volume data ebs /dev/xvdf - elk-data ext4 @/data\n";
    for at in [11 * MIB + 3, 500 * MIB - 1] {
        let Some(mut bench) = Bench::new() else { return };
        let disk = bench.disk(500 * MIB);
        bench.attach(&disk, "xvdf");
        let device = fs::OpenOptions::new().write(true).open(format!("/dev/{disk}")).unwrap();
        device.write_all_at(b"!", at).unwrap();
        device.sync_all().unwrap();
        let error = bench.fail(conf);
        assert!(error.contains("data of no known kind"), "{at}: {error}");
    }
}

/// By size, too, and by being one of the instance's own: whatever way a disk was found, what it carries counts.
#[test]
fn a_disk_that_was_looked_for_is_left_alone_where_it_carries_something() {
    let Some(mut bench) = Bench::new() else { return };
    let disk = bench.disk(GIB);
    bench.shell(&format!("mkfs.ext4 -q -L theirs /dev/{disk}"));
    for kind in ["ebs /dev/xvdf 1", "store one -", "store all -"] {
        if kind.starts_with("store") {
            bench.own(&disk, "AWS1");
        }
        let error = bench.fail(&format!("wait 0\nvolume data {kind} elk-data xfs @/data\n"));
        assert!(error.contains(&format!("{disk} (")) && error.contains("LABEL=theirs"), "{kind}: {error}");
    }
}
