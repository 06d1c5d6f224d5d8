#!/usr/bin/env bash
# Lays out a host's data volumes: finds their disks, formats those that are empty, mounts them, and sees to the owners
# of the folders on them. It runs at every boot before docker, ecs and elasticsearch, who do not start where it fails:
# data must never land on the root disk instead. It may run again at any time.
#
# A disk that carries anything is never formatted. Whatever is done is one line on standard output.
#
# It reads /etc/elkbake/storage.conf, a line each, where a byte of a value that means something else is \xHH:
#   wait SECONDS                                   how long disks may be missing
#   store TYPE COUNT                               how many disks of their own instances of a type have
#   volume NAME ebs DEVICE GIB LABEL TYPE MOUNT    - for a size that nobody has said
#   volume NAME store one|all - LABEL TYPE MOUNT   one disk of the instance's own, or all of them as one
#   folder PATH UID:GID MODE
set -euo pipefail
export LC_ALL=C

readonly conf=${1:-/etc/elkbake/storage.conf}

declare -A claimed=() # disk -> the volume that has it
changes=0
told='' # whether it was said why this ends
place='' # where a new volume is mounted for a while
found='' # what a function gives back that may also end everything

say() {
    echo "elkbake storage: $*"
}

did() {
    changes=$((changes + 1))
    say "$@"
}

die() {
    told=yes
    echo "elkbake storage: FAILED: $1" >&2
    echo "elkbake storage: $2; then run \`/usr/libexec/elkbake/apply\` or reboot" >&2
    exit 1
}

finish() {
    local status=$?
    [ -z "$place" ] || { umount "$place" && rmdir "$place"; }
    [ "$status" = 0 ] || [ -n "$told" ] || echo "elkbake storage: FAILED: $current: see what was said before" >&2
}

# Packages may be installed after the first boot has begun: then this has to be tried again.
needs() {
    command -v "$1" > /dev/null || die "$1 is not installed" "install $2"
}

# --- from a disk to a mount ---

format() {
    local name=$1 disk=$2 label=$3 type=$4 size=$5 what
    what=$(content "$disk")
    [ -z "$what" ] || die "$name: $disk is not empty: $what" "save what is on it and empty it with \`wipefs --all\`, or detach it"
    [ "$size" = - ] || [ $(($(blockdev --getsize64 "/dev/$disk") >> 30)) -ge "$size" ] ||
        die "$name: $disk has $(gib "$disk") GiB, and $size were to be there" "attach a volume of that size, or say the smaller one"
    if [ "$type" = xfs ]; then needs mkfs.xfs xfsprogs; else needs mkfs.ext4 e2fsprogs; fi
    did "$name: making $type on $disk, $(gib "$disk") GiB, which is empty"
    # Neither is told to overwrite what it finds: they look once more. Discarding blocks takes minutes on large volumes.
    case $type in
        xfs) mkfs.xfs -q -K -L "$label" "/dev/$disk" ;;
        ext4) mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -m 1 -L "$label" "/dev/$disk" < /dev/null ;;
    esac
}

# Puts what the image has at the mount point onto a volume that is new, and only then gives it its label: where that is
# interrupted, the next run goes on with it.
fill() {
    local name=$1 disk=$2 label=$3 type=$4 at=$5
    mkdir -p "$at"
    place=$(mktemp -d /run/elkbake-storage.XXXXXX)
    mount -t "$type" "/dev/$disk" "$place"
    [ -z "$(ls -A "$at")" ] || did "$name: copying what the image has in $at"
    cp --archive --one-file-system "$at/." "$place/" ||
        die "$name: cannot copy what the image has in $at onto $disk" "see what was said before, or attach a larger volume"
    umount "$place"
    rmdir "$place"
    place=''
    case $type in
        xfs) xfs_admin -L "$label" "/dev/$disk" > /dev/null ;;
        ext4) e2label "/dev/$disk" "$label" ;;
    esac
}

# The disk is named and not its UUID: it was found by more than that, and a copy of it has the same.
attach() {
    local name=$1 disk=$2 size=$3 label=$4 type=$5 at=$6 where has status=0
    where=$(findmnt --noheadings --raw --output MAJ:MIN --mountpoint "$at" | tail -n 1 || true)
    [ "$where" != "$(lsblk --noheadings --raw --nodeps --output MAJ:MIN "/dev/$disk")" ] || return 0
    where=$(lsblk --noheadings --raw --output MOUNTPOINT "/dev/$disk" | tr '\n' ' ')
    [ -z "${where// }" ] || die "$name: $disk is mounted on ${where% } and not on $at" "unmount it there"
    ! mountpoint -q "$at" || die "$name: something else is mounted on $at" "unmount it, and remove it from /etc/fstab"
    has=$(property "$disk" LABEL)
    if [ "$(property "$disk" TYPE)" != "$type" ] || { [ "$has" != "$label" ] && [ "$has" != "$(unfinished "$label")" ]; }; then
        format "$name" "$disk" "$(unfinished "$label")" "$type" "$size"
        has=$(unfinished "$label")
    fi
    [ "$has" = "$label" ] || fill "$name" "$disk" "$label" "$type" "$at"
    if [ "$type" = ext4 ]; then
        e2fsck -p "/dev/$disk" > /dev/null || status=$?
        [ "$status" -le 1 ] || die "$name: e2fsck cannot repair $disk by itself" "repair it with \`e2fsck /dev/$disk\`"
    fi
    mkdir -p "$at"
    mount -t "$type" -o noatime "/dev/$disk" "$at" || die "$name: $disk cannot be mounted on $at" "see what the kernel says in \`dmesg\`"
    did "$name: $disk mounted on $at"
    grow "$name" "$disk" "$type" "$at"
}

# A volume may have been enlarged since. Where that does not work it is no reason not to start.
grow() {
    local name=$1 disk=$2 type=$3 at=$4 before answer
    local -a tool=(xfs_growfs -d "$at")
    [ "$type" = xfs ] || tool=(resize2fs "/dev/$disk")
    before=$(stat --file-system --format=%b "$at")
    answer=$("${tool[@]}" 2>&1) || say "$name: not grown: ${answer##*$'\n'}"
    [ "$(stat --file-system --format=%b "$at")" = "$before" ] || did "$name: $type on $disk grown to $(gib "$disk") GiB"
}

# Containers may write there: what they have made a link of must not lead the root user elsewhere.
own() {
    local path=$1 owner=$2 mode=$3 part='' name
    local -a names
    IFS=/ read -r -a names <<< "${path#/}"
    for name in "${names[@]}"; do
        part+=/$name
        [ ! -L "$part" ] || die "$part is a symbolic link, and $path is to be a folder" "remove the link"
    done
    [ -d "$path" ] || { mkdir -p "$path" && did "folder $path made"; }
    if [ "$(stat --format=%u:%g "$path")" != "$owner" ]; then
        chown "$owner" "$path"
        did "folder $path belongs to $owner"
    fi
    if [ $((8#$(stat --format=%a "$path"))) != $((8#$mode)) ]; then
        chmod "$mode" "$path"
        did "folder $path has mode $mode"
    fi
}

volume() {
    local name=$1 kind=$2 device=$3 size=$4 label=$5 type=$6 at=$7 missing='' begun=$SECONDS
    find_disk "$name" "$kind" "$device" "$size" "$label"
    while [ -z "$found" ]; do
        [ $((SECONDS - begun)) -lt "$wait" ] ||
            die "$name: not there after $wait seconds: $missing" "attach it, or start an instance type that has one"
        sleep 1
        udevadm settle --timeout=10 || true
        find_disk "$name" "$kind" "$device" "$size" "$label"
    done
    [ -z "${claimed[$found]-}" ] || die "$name: $found is ${claimed[$found]}'s" "give each volume its own device"
    claimed[$found]=$name
    attach "$name" "$found" "$size" "$label" "$type" "$at"
}

main() {
    local line word a b c d e f g volumes=0
    local -a lines
    mapfile -t lines < "$conf"
    for line in "${lines[@]}"; do
        current=$line
        read -r word a b c d e f g <<< "$line"
        case $word in
            wait) wait=$a ;;
            store) ;; # read where the disks are counted
            volume)
                volume "$(printf %b "$a")" "$b" "$c" "$d" "$e" "$f" "$(printf %b "$g")"
                volumes=$((volumes + 1))
                ;;
            folder) own "$(printf %b "$a")" "$b" "$c" ;;
            '' | '#'*) ;;
            *) die "$conf: \`$word\` means nothing" "let elkbake write it anew" ;;
        esac
    done
    [ "$changes" -gt 0 ] || say "nothing to do: volumes mounted: $volumes"
}
