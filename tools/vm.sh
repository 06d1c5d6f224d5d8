#!/usr/bin/env bash
# Makes the machine that tests/vm boots: a disk with Debian 12 as a cloud would have it, its kernel and its initial RAM
# disk. They are in a folder of target/tools/vm that has its name from the digest of what makes it, so that another version
# makes another machine. As root; packages come through apt's own settings.
#
# It has no boot loader: qemu starts the kernel itself. What Amazon's images have and Debian has not is put in by hand:
# the names under /dev/disk/by-id, here made from a disk's serial number.
set -euo pipefail
cd "$(dirname "$0")/.."

source tools/bookworm.sh

SIZE=3G
PACKAGES=systemd-sysv,udev,dbus,kmod,iproute2,linux-image-cloud-amd64,initramfs-tools,zstd,cloud-init,openssh-server
PACKAGES+=,mdadm,xfsprogs,e2fsprogs,docker.io,chrony,nftables,python3,ca-certificates,procps

vm=$PWD/target/tools/vm/$(cat tools/vm.sh tools/bookworm.sh | sha256sum | cut -c 1-12)
[ ! -e "$vm/disk" ] || exit 0

tools/need.sh mkfs.ext4
if [ "$(id -u)" != 0 ]; then
    echo "vm: the disk of a virtual machine is made by root only" >&2
    exit 1
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/elkbake-vm.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "vm: making a disk of $SUITE"

# What tells it from a machine in a cloud is what makes it start faster, under an emulated processor that is 20 times
# slower: few modules in the initial RAM disk and in cloud-init, one host key, no timers, no waiting for names.
cat > "$work/customize" << 'END'
set -eu
root=$1
echo elkbake-vm > "$root/etc/hostname"
printf '127.0.0.1 localhost elkbake-vm\n' > "$root/etc/hosts"
printf 'LABEL=elkbake-root / ext4 defaults 0 1\n' > "$root/etc/fstab"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\n' > "$root/etc/systemd/network/10-all.network"
mkdir -p "$root/etc/cloud/cloud.cfg.d"
cat > "$root/etc/cloud/cloud.cfg.d/90-vm.cfg" << 'CFG'
datasource_list: [NoCloud, None]
network: {config: disabled}
apt: {preserve_sources_list: true}
locale: C.UTF-8
ssh_genkeytypes: [ed25519]
cloud_init_modules: [write-files, set_hostname, update_hostname, users-groups, ssh]
cloud_config_modules: [set-passwords, runcmd]
cloud_final_modules: [package-update-upgrade-install, scripts-per-boot, scripts-per-instance, scripts-user, final-message]
CFG
cat > "$root/etc/udev/rules.d/70-ec2-nvme-devices.rules" << 'RULES'
KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="vol*", SYMLINK+="disk/by-id/nvme-Amazon_Elastic_Block_Store_$attr{serial}"
KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="AWS*", SYMLINK+="disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_$attr{serial}", SYMLINK+="disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_$attr{serial}-ns-1"
KERNEL=="nvme[0-9]*n[0-9]*", ENV{DEVTYPE}=="disk", ATTRS{serial}=="vol*xvdf", SYMLINK+="xvdf"
RULES
printf 'MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n' > "$root/etc/initramfs-tools/conf.d/vm"
printf 'virtio_pci\nvirtio_blk\next4\n' > "$root/etc/initramfs-tools/modules"
ln -sf /run/systemd/resolve/resolv.conf "$root/etc/resolv.conf"
# How a test looks in: a line of base64 on the second serial port is a script, and its answer another.
cat > "$root/usr/local/sbin/vm-agent" << 'AGENT'
#!/bin/bash
stty -F /dev/ttyS1 raw -echo
exec 3<> /dev/ttyS1
echo ready >&3
while read -r line <&3; do
    answer=$(timeout 300 bash -c "$(base64 -d <<< "$line")" 2>&1 < /dev/null 3<&-; echo "status $?")
    base64 -w 0 <<< "$answer" >&3
    echo >&3
done
AGENT
chmod +x "$root/usr/local/sbin/vm-agent"
cat > "$root/etc/systemd/system/vm-agent.service" << 'UNIT'
[Unit]
DefaultDependencies=no
After=local-fs.target systemd-udevd.service
Conflicts=shutdown.target
Before=shutdown.target
[Service]
ExecStart=/usr/local/sbin/vm-agent
[Install]
WantedBy=sysinit.target
UNIT
# On Debian the end of cloud-init comes after multi-user.target; on Amazon Linux it does not, or the ECS agent, which is
# wanted by that and comes after this, would wait in a circle.
sed -i '/^After=multi-user.target$/d' "$root/usr/lib/systemd/system/cloud-final.service"
chroot "$root" systemctl --quiet enable systemd-networkd vm-agent
chroot "$root" systemctl --quiet disable apt-daily.timer apt-daily-upgrade.timer e2scrub_reap.service
chroot "$root" systemctl --quiet mask e2scrub_all.timer fstrim.timer dpkg-db-backup.timer mdcheck_start.timer \
    mdcheck_continue.timer mdmonitor-oneshot.timer getty@tty1.service serial-getty@ttyS0.service apparmor.service man-db.timer
chroot "$root" update-initramfs -u > /dev/null
cp "$root"/boot/vmlinuz-* "$root/vmlinuz.out"
cp "$root"/boot/initrd.img-* "$root/initrd.out"
: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_*
# It reaches no mirror: what is to be installed is here already.
rm -rf "$root"/etc/apt/sources.list* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
END

debian_12 --variant=minbase --include="$PACKAGES" \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="sh $work/customize \"\$1\"" "$work/root"

mkdir -p "$vm"
mv "$work/root/vmlinuz.out" "$vm/vmlinuz"
mv "$work/root/initrd.out" "$vm/initrd"
truncate -s "$SIZE" "$work/disk"
mkfs.ext4 -q -L elkbake-root -d "$work/root" "$work/disk"
cp --sparse=always "$work/disk" "$vm/disk.partial"
mv "$vm/disk.partial" "$vm/disk"
