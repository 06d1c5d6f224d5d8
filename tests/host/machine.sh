#!/bin/bash
# A machine like this one, without its disks and network, whose files are thrown away at the end: machine.sh FILES SCRIPT
#
# FILES are put over its own, then SCRIPT runs there. Kernel settings that are the whole kernel's are the real ones.
set -euo pipefail

if [ "${3-}" != inside ]; then
    exec unshare --mount --net --pid --fork --kill-child "$0" "$1" "$2" inside
fi
files=$1
work=$(mktemp -d)
mount -t tmpfs none "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"
mount -t proc none proc
mount --bind /dev dev
mount -t tmpfs none run
mount -t tmpfs none tmp
# What this machine says itself of its kernel and Docker is no part of the test.
rm -f etc/sysctl.conf etc/sysctl.d/* usr/lib/sysctl.d/* etc/docker/daemon.json etc/default/docker
mkdir -p sys/kernel/mm/transparent_hugepage etc/sysconfig etc/ecs
# A setting of the whole kernel's; what is written takes the place of as many letters.
echo other > sys/kernel/mm/transparent_hugepage/enabled
ip link set lo up
cp -a "$files/." .
status=0
chroot . bash -euc "$2" || status=$?
cd /
umount --recursive --lazy "$work"
rmdir "$work"
exit $status
