#!/usr/bin/env bash
# Lays out a host's data volumes: finds their disks, formats those that are empty, mounts them, and sees to the owners
# of the folders on them. It runs at every boot before docker, ecs and elasticsearch, who do not start where it fails:
# data must never land on the root disk instead. It may run again at any time.
#
# A disk that carries anything is never formatted. Whatever is done is one line on standard output.
#
# It reads /etc/elkbake/storage.conf, a line each, where a byte of a value that means something else is \xHH:
#   wait SECONDS                                   how long disks may be missing
#   volume NAME ebs DEVICE GIB LABEL TYPE MOUNT    - for a device or a size that nobody has said
#   volume NAME store one|all - LABEL TYPE MOUNT   one disk of the instance's own, or all of them as one
#   folder PATH UID:GID MODE
set -euo pipefail
export LC_ALL=C

readonly conf=${1:-/etc/elkbake/storage.conf}
# Where links to disks are, and which disks there are, for who tries this out on disks that are none.
readonly links=${ELKBAKE_DEV:-/dev}
readonly only=${ELKBAKE_DISKS-}

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

# --- which disks there are ---

disks() {
    local path
    if [ -n "$only" ]; then
        tr ' ' '\n' <<< "$only"
        return
    fi
    for path in /sys/block/*; do
        case ${path##*/} in
            nvme*c*) ;; # a path to a disk that has several
            nvme* | xvd* | vd* | sd*) echo "${path##*/}" ;;
        esac
    done
}

# The disks that udev calls so, each once: most have several names, and their partitions have names, too.
called() {
    local link name
    for link in "$links/disk/by-id/$1"*; do
        [ -e "$link" ] || continue
        name=$(basename "$(realpath "$link")")
        [ ! -d "/sys/block/$name" ] || echo "$name"
    done | sort --unique --version-sort
}

# A device name as EC2 knows it, in one spelling: sdf and /dev/xvdf are the same.
spelled() {
    local name=${1#/dev/}
    case $name in
        sd*) echo "xvd${name#sd}" ;;
        *) echo "$name" ;;
    esac
}

# The name under which EC2 has attached a disk: the disk itself says it, and udev where Amazon's rules are.
attached_as() {
    local name='' link
    for link in "$links"/xvd* "$links"/sd*; do
        if [ -L "$link" ] && [ "$(realpath "$link")" = "/dev/$1" ]; then
            spelled "${link##*/}"
            return
        fi
    done
    case $1 in
        xvd*) name=$1 ;;
        nvme*)
            if [[ " ${ebs[*]-} " = *" $1 "* ]]; then
                name=$(ebsnvme-id -b "/dev/$1" 2> /dev/null) ||
                    name=$(nvme id-ctrl --raw-binary "/dev/$1" 2> /dev/null | dd bs=1 skip=3072 count=32 status=none | tr -d '\0 ') ||
                    name=''
            fi
            ;;
    esac
    [ -z "$name" ] || spelled "$name"
}

gib() {
    local bytes
    bytes=$(blockdev --getsize64 "/dev/$1")
    [ $((bytes % (1 << 30))) = 0 ] && echo $((bytes >> 30)) || echo "$((bytes >> 30)).x"
}

property() {
    blkid --probe --output value --match-tag "$2" "/dev/$1" 2> /dev/null || true
}

# --- what is on a disk ---

# Whether there is nothing but zeros at the beginning, at the end and in 127 places between; of a small disk, everywhere.
# It says what it found.
look() {
    local half=$((1 << 19)) all number seen status=0
    local -a places
    all=$((($(blockdev --getsize64 "/dev/$1") + half - 1) / half))
    if [ "$all" -le 1024 ]; then
        places=("0 $all")
    else
        places=("0 16" "$((all - 16)) 16")
        for number in {1..127}; do places+=("$((all * number / 128)) 1"); done
    fi
    # It stops at the first byte, and what reads ends in a broken pipe then: the status counts where nothing was seen.
    seen=$(printf '%s\n' "${places[@]}" | while read -r first count; do
        dd "if=/dev/$1" bs=$half skip="$first" count="$count" iflag=direct status=none || exit
    done | tr -d '\0' | head -c 1 | wc -c) || status=$?
    if [ "$seen" != 0 ]; then
        echo "data of no known kind"
    elif [ "$status" != 0 ]; then
        echo "something that cannot be read"
    fi
}

# What a disk carries, in words; nothing where it is empty. Everything that may know is asked: no tool knows all.
content() {
    local node=/dev/$1 answer status=0
    answer=$(blkid --probe --output export "$node" 2> /dev/null) || status=$?
    case $status in
        0) answer=$(grep -E '^(TYPE|PTTYPE|LABEL|UUID)=' <<< "$answer" | tr '\n' ' ') && echo "${answer% }" && return ;;
        2) ;; # nothing that it knows
        *) echo "several signatures that contradict each other" && return ;;
    esac
    answer=$(wipefs --noheadings --output TYPE "$node" 2>&1) || { echo "something that wipefs cannot read" && return; }
    [ -z "$answer" ] || { echo "signature of ${answer//$'\n'/, }" && return; }
    answer=$(lsblk --noheadings --raw --output NAME "$node" | tail -n +2 | tr '\n' ' ')
    [ -z "$answer" ] || { echo "in use by ${answer% }" && return; }
    ! grep -q "^$node " /proc/swaps || { echo "swap in use" && return; }
    look "$1"
}

# Whether a disk is free to be looked for: nothing on it is mounted or used otherwise.
is_free() {
    [ -z "${claimed[$1]-}" ] && [ -z "$(lsblk --noheadings --raw --output MOUNTPOINT "/dev/$1" | tr -d '\n')" ]
}

# A label is given when all is in place; until then a file system that was begun has another.
unfinished() {
    echo "${1/elk/el~}"
}

is_ours() {
    local label
    label=$(property "$1" LABEL)
    [ "$label" = "$2" ] || [ "$label" = "$(unfinished "$2")" ]
}

labelled() {
    local disk
    for disk in $(disks); do
        ! is_ours "$disk" "$1" || echo "$disk"
    done
}

# --- which disk is a volume's ---

# By the name under which it is attached, by its label, or by its size among disks that do not say their name. Leaves
# `found` empty where it is not there yet.
find_ebs() {
    local name=$1 device=$2 size=$3 label=$4 disk attached what
    local -a by_name=() by_label=() by_size=() taken=()
    found=''
    mapfile -t ebs < <(called nvme-Amazon_Elastic_Block_Store_vol)
    mapfile -t by_label < <(labelled "$label")
    for disk in $(comm -23 <(disks | sort) <(called nvme-Amazon_EC2_NVMe_Instance_Storage_ | sort)); do
        [ -z "${claimed[$disk]-}" ] || continue
        attached=$(attached_as "$disk")
        if [ -n "$attached" ]; then
            [ "$device" = - ] || [ "$attached" != "$(spelled "$device")" ] || by_name+=("$disk")
        elif is_free "$disk" && [ "$(gib "$disk")" = "$size" ]; then
            what=$(content "$disk")
            if [ -z "$what" ]; then by_size+=("$disk"); else taken+=("$disk ($what)"); fi
        fi
    done
    [ ${#by_label[@]} -le 1 ] ||
        die "$name: ${by_label[*]} carry the label $label" "detach the one that is a copy"
    if [ ${#by_name[@]} = 1 ] && [ ${#by_label[@]} = 1 ] && [ "${by_name[0]}" != "${by_label[0]}" ]; then
        die "$name: ${by_name[0]} is attached as $device, but ${by_label[0]} carries the label $label" \
            "attach the right one as $device and detach the other"
    fi
    if [ ${#by_label[@]} = 1 ]; then
        found=${by_label[0]}
    elif [ ${#by_name[@]} -gt 0 ]; then
        found=${by_name[0]}
    elif [ ${#by_size[@]} -gt 0 ] && [ "$(grep -c "^volume [^ ]* ebs [^ ]* $size " "$conf")" -gt 1 ]; then
        die "$name: several volumes have $size GiB, and ${by_size[*]} do not say under which name they are attached" \
            "install ebsnvme-id (amazon-ec2-utils) or nvme (nvme-cli), or give the volumes different sizes"
    elif [ ${#by_size[@]} -gt 1 ]; then
        die "$name: ${by_size[*]} are empty, of $size GiB, and do not say under which name they are attached" \
            "install ebsnvme-id (amazon-ec2-utils) or nvme (nvme-cli), or give the volumes different sizes"
    elif [ ${#by_size[@]} = 1 ]; then
        found=${by_size[0]}
    fi
    missing="no disk is attached as $device, carries the label $label, or is empty and of $size GiB"
    [ ${#taken[@]} = 0 ] || missing+="; left alone: ${taken[*]}"
}

# The disks of the instance's own that no volume has yet.
own_disks() {
    local disk
    for disk in $(called nvme-Amazon_EC2_NVMe_Instance_Storage_); do
        [ -n "${claimed[$disk]-}" ] || echo "$disk"
    done
}

# One of them: the one that has the label, else one that is empty.
find_one() {
    local name=$1 label=$2 disk what
    local -a disks=() left=()
    found=''
    mapfile -t disks < <(own_disks)
    for disk in "${disks[@]}"; do
        ! is_ours "$disk" "$label" || { found=$disk; return; }
    done
    for disk in "${disks[@]}"; do
        what=$(content "$disk")
        [ -n "$what" ] || { found=$disk; return; }
        left+=("$disk ($what)")
    done
    missing="the instance has no disk of its own that is free"
    [ ${#left[@]} = 0 ] || missing+="; left alone: ${left[*]}"
}

# All of them, as one array where there are several. A stop and a start bring other disks, and all of them are empty: then
# the array is made anew. Where some are empty and some are not, the data is torn, and what to do is for a person to say.
find_all() {
    local name=$1 label=$2 disk what first='' members=0 torn='' array
    local -a disks=() nodes=() state=()
    found=''
    mapfile -t disks < <(own_disks)
    if [ ${#disks[@]} -le 1 ]; then
        find_one "$name" "$label"
        return
    fi
    needs mdadm mdadm
    for disk in "${disks[@]}"; do
        nodes+=("/dev/$disk")
        what=$(member "$disk" "$label")
        if [ -n "$what" ]; then
            members=$((members + 1))
            : "${first:=$what}"
            [ "$what" = "$first" ] || torn=yes
            state+=("$disk (of array ${what% *}, which has ${what#* } disks)")
        else
            what=$(content "$disk")
            [ -z "$what" ] || torn=yes
            state+=("$disk (${what:-empty})")
        fi
    done
    if [ "$members" -gt 0 ]; then
        [ "$members" = ${#disks[@]} ] && [ "${first#* }" = "$members" ] || torn=yes
    fi
    [ -z "$torn" ] || die "$name: the instance's own disks are neither empty nor a whole array: ${state[*]}" \
        "replace the instance, or save what is on them and empty each with \`wipefs --all\`"
    if [ "$members" = 0 ]; then
        did "$name: joining ${disks[*]}, which are empty"
        mdadm --create "/dev/md/$label" --run --quiet --level=0 --raid-devices=${#disks[@]} --homehost=any \
            --name="$label" "${nodes[@]}"
    fi
    array=$(holder "${disks[0]}")
    if [ -n "$array" ] && [[ $(cat "/sys/block/$array/md/array_state") =~ ^(clear|inactive)$ ]]; then
        mdadm --stop --quiet "/dev/$array"
        array=''
    fi
    if [ -z "$array" ]; then
        did "$name: assembling ${disks[*]}"
        mdadm --assemble --run --quiet "/dev/md/$label" "${nodes[@]}"
        array=$(holder "${disks[0]}")
    fi
    found=$array
    for disk in "${disks[@]}"; do claimed[$disk]=$name; done
}

# Identity and number of disks of the array with a label that a disk is part of. The host's name may stand before the
# label, depending on who has assembled it.
member() {
    local MD_NAME='' MD_UUID='' MD_DEVICES='' MD_LEVEL='' line
    [ "$(property "$1" TYPE)" = linux_raid_member ] || return 0
    while read -r line; do
        case $line in
            MD_NAME=*) MD_NAME=${line#*=} ;;
            MD_UUID=*) MD_UUID=${line#*=} ;;
            MD_DEVICES=*) MD_DEVICES=${line#*=} ;;
            MD_LEVEL=*) MD_LEVEL=${line#*=} ;;
        esac
    done < <(mdadm --examine --export "/dev/$1")
    [ "${MD_NAME##*:}" != "$2" ] || [ "$MD_LEVEL" != raid0 ] || echo "$MD_UUID $MD_DEVICES"
}

holder() {
    local path
    for path in "/sys/block/$1/holders"/md*; do
        [ ! -e "$path" ] || echo "${path##*/}"
    done
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

find_disk() {
    case $2 in
        ebs) find_ebs "$1" "$3" "$4" "$5" ;;
        store) if [ "$3" = all ]; then find_all "$1" "$5"; else find_one "$1" "$5"; fi ;;
    esac
}

volume() {
    local name=$1 kind=$2 device=$3 size=$4 label=$5 type=$6 at=$7 missing=''
    find_disk "$name" "$kind" "$device" "$size" "$label"
    while [ -z "$found" ]; do
        [ "$SECONDS" -lt "$wait" ] ||
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

wait=120
current="$conf"
trap finish EXIT
exec 9< "$conf"
flock 9
udevadm settle --timeout=30 || true
main
