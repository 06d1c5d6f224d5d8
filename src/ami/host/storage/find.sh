# Which disk is whose: by the name under which EC2 has attached it, by its label, by its size, or by being one of the
# instance's own. A part of storage.sh.

# Where the links to disks are, which disks there are, what the kernel says of them, and for how many seconds they have
# to be the same: for who tries this out on disks that are none.
readonly links=${ELKBAKE_DEV:-/dev} only=${ELKBAKE_DISKS-} sys=${ELKBAKE_SYS:-/sys} calm=${ELKBAKE_CALM:-5}

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

# Leaves `found` empty where it is not there yet, and in `missing` why.
find_ebs() {
    local name=$1 device=$2 size=$3 label=$4 disk attached what
    local -a by_name=() by_label=() by_size=() there=()
    found=''
    mapfile -t ebs < <(called nvme-Amazon_Elastic_Block_Store_vol)
    mapfile -t by_label < <(labelled "$label")
    for disk in $(comm -23 <(disks | sort) <(called nvme-Amazon_EC2_NVMe_Instance_Storage_ | sort)); do
        [ -z "${claimed[$disk]-}" ] || { there+=("$disk (${claimed[$disk]})") && continue; }
        attached=$(attached_as "$disk")
        what=$attached
        if [ -n "$attached" ]; then
            [ "$attached" != "$(spelled "$device")" ] || by_name+=("$disk")
        elif is_free "$disk" && [ "$(gib "$disk")" = "$size" ]; then
            what=$(content "$disk")
            [ -n "$what" ] || by_size+=("$disk")
        fi
        there+=("$disk ($(gib "$disk") GiB${what:+, $what})")
    done
    [ ${#by_label[@]} -le 1 ] ||
        die "$name: ${by_label[*]} carry the label $label" "detach the one that is a copy"
    if [ ${#by_label[@]} = 1 ]; then
        found=${by_label[0]}
        [ "${by_name[0]-$found}" = "$found" ] ||
            die "$name: ${by_name[0]} is attached as $device, but $found carries the label $label" \
                "attach the right one as $device and detach the other"
    elif [ ${#by_name[@]} -gt 0 ]; then
        found=${by_name[0]}
    elif [ ${#by_size[@]} -gt 0 ]; then
        found=${by_size[0]}
        [ "${#by_size[@]} $(grep -c "^volume [^ ]* ebs [^ ]* $size " "$conf")" = '1 1' ] ||
            die "$name: which disk it is nobody can tell: ${by_size[*]} are empty, have $size GiB, and do not say their names" \
                "install ebsnvme-id (amazon-ec2-utils) or nvme (nvme-cli), or give the volumes different sizes"
    fi
    missing="no disk is attached as $device or carries the label $label"
    [ "$size" = - ] || missing+=", and none without a name is empty and has $size GiB"
    printf -v what '%s, ' "${there[@]}"
    [ ${#there[@]} = 0 ] || missing+="; there are ${what%, }"
}

# The disks of the instance's own that no volume has yet.
own_disks() {
    local disk
    for disk in $(called nvme-Amazon_EC2_NVMe_Instance_Storage_); do
        [ -n "${claimed[$disk]-}" ] || echo "$disk"
    done
}

ask() {
    curl --noproxy '*' -sfm 2 "${@:2}" "http://169.254.169.254/latest/$1" 2> /dev/null
}

# How many disks of its own the instance has, where its type is one of the recipe's. Nitro's firmware says the type; Xen's
# does not, and the network may not be up yet.
own_count() {
    local type token
    grep -q '^store ' "$conf" || return 0
    type=$(cat "$sys/class/dmi/id/product_name" 2> /dev/null) || true
    if [[ $type != *.* ]]; then
        token=$(ask api/token -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60') || return 0
        type=$(ask meta-data/instance-type -H "X-aws-ec2-metadata-token: $token") || return 0
    fi
    awk -v type="$type" '$1 == "store" && $2 == type { print $3 }' "$conf"
}

# Whether all disks of the instance's own are there: as many as it has, or where nobody knows that, the same ones for
# some seconds. Nothing new is laid out before: a disk that came late would never be part of it.
are_all_there() {
    local path state busy=''
    local -a own
    mapfile -t own < <(called nvme-Amazon_EC2_NVMe_Instance_Storage_)
    for path in "$sys"/class/nvme/nvme*/state; do
        state=$(cat "$path" 2> /dev/null) || continue
        path=${path%/state}
        [ "$state" = live ] || busy+=", ${path##*/} is $state"
    done
    if [ "${own[*]}$busy" != "$seen" ]; then
        seen="${own[*]}$busy"
        since=$SECONDS
    fi
    [ -n "$total" ] || total=$(own_count)
    missing="the instance has ${#own[@]}${total:+ of $total} disks of its own so far${own[*]:+: ${own[*]}}$busy"
    [ -z "$busy" ] || return 1
    if [ -n "$total" ]; then [ ${#own[@]} -ge "$total" ]; else [ $((SECONDS - since)) -ge "$calm" ]; fi
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
    are_all_there || return 0
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
    local name=$1 label=$2 disk what first='' members=0 torn='' array number
    local -a disks=() nodes=() arrays=() state=()
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
        arrays+=("$what")
        [ -n "$what" ] || continue
        members=$((members + 1))
        : "${first:=$what}"
        [ "$what" = "$first" ] || torn=yes
    done
    [ "$members" = 0 ] || [ "$members ${first#* }" = "${#disks[@]} $members" ] || torn=yes
    # Only a whole array needs no waiting. What disks carry is looked at after that: it may take longer than the waiting.
    if [ "$members" = 0 ] || [ -n "$torn" ]; then
        are_all_there || return 0
        for number in "${!disks[@]}"; do
            what=${arrays[number]:+of array ${arrays[number]% *}, which has ${arrays[number]#* } disks}
            if [ -z "$what" ]; then
                what=$(content "${disks[number]}")
                [ -z "$what" ] || torn=yes
            fi
            state+=("${disks[number]} (${what:-empty})")
        done
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

find_disk() {
    case $2 in
        ebs) find_ebs "$1" "$3" "$4" "$5" ;;
        store) if [ "$3" = all ]; then find_all "$1" "$5"; else find_one "$1" "$5"; fi ;;
    esac
}
