#!/bin/bash
# Makes the host what the files of elkbake say, as far as files alone do not: /usr/libexec/elkbake/apply [--bake]
#
# What the base's own packages configure is changed line by line and only where the recipe says something, so that what
# the base, or the user data of a launch template, says beside it stays. It says each thing that it changes, and run
# again it changes nothing. With --bake nothing is started: the machine is about to become an image.
#
# What belongs to a package that is not installed yet is left for the next run; the host's own check tells what is missing.
set -uo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
umask 022

own=/etc/elkbake
# What was written into files of others, so that it can be told from what they say themselves.
state=/var/lib/elkbake
bake=no
changed=0
failed=0

did() {
    changed=$((changed + 1))
    echo "elkbake: $*"
}

problem() {
    failed=$((failed + 1))
    echo "elkbake: problem: $*" >&2
}

# Whether systemd runs, and is to start things.
is_running() {
    [ "$bake" = no ] && [ -d /run/systemd/system ]
}

# replace PATH PROGRAM [WORD...]: puts what the program prints in the place of a file, in one step and with its owner and
# mode; nothing where the program fails. Says whether that changed it.
replace() {
    local path new text
    text=$("${@:2}" && echo .) && path=$(readlink -f -- "$1") || return 2
    text=${text%.}
    if [ -e "$path" ] && printf %s "$text" | cmp -s -- - "$path"; then
        return 1
    fi
    new=$(mktemp -- "$path.XXXXXX") || return 2
    if [ -e "$path" ]; then
        chown --reference="$path" -- "$new" && chmod --reference="$path" -- "$new"
    else
        chmod 0644 -- "$new"
    fi && printf %s "$text" > "$new" && mv -f -- "$new" "$path" && return 0
    rm -f -- "$new"
    return 2
}

# write PATH TITLE PROGRAM [WORD...]: the same, and tells it.
write() {
    replace "$1" "${@:3}"
    case $? in
        0) did "$2" ;;
        1) ;;
        *) problem "$1 cannot be written" && return 1 ;;
    esac
}

# When a property of systemd's, a time, was; nothing where it never was.
moment() {
    local at
    at=$(systemctl show --timestamp=us+utc --property="$1" --value "${@:2}") || return 1
    [ -n "$at" ] && date -d "$at" +%s.%6N
}

# Restarts a service that runs with files older than these. Nobody waits for it: in a boot it may come after who asks.
refresh() {
    local since
    is_running && systemctl --quiet is-active "$1" && since=$(moment ActiveEnterTimestamp "$1") || return 0
    if [ -n "$(find "${@:2}" -maxdepth 0 -newerct "@$since" -print -quit 2> /dev/null)" ]; then
        systemctl --no-block try-restart "$1" && did "restarts $1, which runs with older settings"
    fi
}

# --- users, folders, kernel -------------------------------------------------------------------------------------------

users() {
    [ -f /etc/sysusers.d/90-elkbake.conf ] || return 0
    local before after name uid
    before=$(cat /etc/passwd /etc/group)
    systemd-sysusers /etc/sysusers.d/90-elkbake.conf || problem "a user could not be made"
    after=$(cat /etc/passwd /etc/group)
    [ "$before" = "$after" ] || did "made users"
    # Where a number is taken, systemd takes another one and says so where nobody looks.
    while read -r _ name uid _; do
        uid=${uid%%:*}
        [ "$(id -u "$name" 2> /dev/null)" = "$uid" ] || problem "user $name is not number $uid: who has it? getent passwd $uid"
    done < <(grep '^u ' /etc/sysusers.d/90-elkbake.conf)
}

folders() {
    [ -f /etc/tmpfiles.d/90-elkbake.conf ] || return 0
    systemd-tmpfiles --create /etc/tmpfiles.d/90-elkbake.conf || problem "a folder or a setting of the kernel could not be made"
}

# The values of the recipe's settings of the kernel, one a line.
kernel_values() {
    local name file
    while read -r name _; do
        for file in /proc/sys/${name//.//}; do
            if [ -r "$file" ]; then echo "$file $(cat "$file")"; fi
        done
    done < /etc/sysctl.d/90-elkbake.conf
}

kernel() {
    [ -f /etc/sysctl.d/90-elkbake.conf ] || return 0
    local before
    before=$(kernel_values)
    # All files, as at every boot: which one counts is decided there too.
    /usr/lib/systemd/systemd-sysctl || problem "a setting of the kernel was not taken"
    [ "$before" = "$(kernel_values)" ] || did "set what the kernel is told"
}

# --- Docker -----------------------------------------------------------------------------------------------------------

# The value that a file gives a variable, as systemd reads it.
value_of() {
    local line value='' more=''
    while IFS= read -r line || [ -n "$line" ]; do
        if [ -n "$more" ]; then
            line=$more$line more=''
        elif ! [[ $line =~ ^[[:space:]]*$2= ]]; then
            continue
        fi
        if [[ $line == *\\ ]]; then
            more=${line%\\}
        else
            value=${line#*=}
        fi
    done < "$1"
    value=$(sed 's/^[[:space:]]*//; s/[[:space:]]*$//' <<< "$value")
    case $value in
        \"*\") sed -E 's/\\(["\\`$])/\1/g' <<< "${value:1:-1}" ;;
        \'*\') echo "${value:1:-1}" ;;
        *) echo "$value" ;;
    esac
}

# A file with another value for a variable: where it had one first, or at the end. With nothing to say, without it.
with_value() {
    local quoted
    quoted=$(sed -E 's/(["\\`$])/\\\1/g' <<< "$3")
    VALUE="$2=\"$quoted\"" awk -v name="$2" -v says="$3" '
        function put() { if (!done && says != "") print ENVIRON["VALUE"]; done = 1 }
        goes_on { goes_on = /\\$/; next }
        $0 ~ "^[[:space:]]*" name "=" { put(); goes_on = /\\$/; next }
        { print }
        END { put() }
    ' "$1"
}

# Splits a text into `words` where systemd does, and leaves quotes as they are.
split() {
    local word='' quote='' c i
    words=()
    for ((i = 0; i < ${#1}; i++)); do
        c=${1:i:1}
        if [ -z "$quote" ] && [[ $c == [[:space:]] ]]; then
            [ -z "$word" ] || words+=("$word")
            word=''
            continue
        fi
        word+=$c
        if [ "$c" = "$quote" ]; then
            quote=''
        elif [ -z "$quote" ] && [[ $c == [\"\'] ]]; then
            quote=$c
        fi
    done
    [ -z "$word" ] || words+=("$word")
}

# The base's options without those that the recipe says itself, and then the recipe's: the daemon exits where it is told
# something twice, as a flag and in daemon.json.
options_from() {
    local word name skips=no options=()
    split "$1"
    for word in "${words[@]}"; do
        if [ "$skips" = yes ] && [[ $word != -* ]]; then
            skips=no
            continue
        fi
        skips=no
        case $word in
            --*) name=${word#--} name=${name%%=*} ;;
            -?*) name=${word:1:1} ;;
            *) name='' ;;
        esac
        if [ -n "$name" ] && [ -n "${drop[$name]-}" ]; then
            # Its value may be a word of its own.
            [[ $word == *=* ]] || skips=yes
        else
            options+=("$word")
        fi
    done
    options+=("${flags[@]}")
    echo "${options[*]}"
}

merge_options() {
    local file=$1 name=$2 now base wanted
    [ -e "$file" ] || : > "$file"
    now=$(value_of "$file" "$name") base=$now
    # What was written here before is no word of the base's.
    if [ -f "$state/docker-options" ] && [ "$(sed -n 2p "$state/docker-options")" = "$now" ]; then
        base=$(sed -n 1p "$state/docker-options")
    fi
    wanted=$(options_from "$base")
    [ "$wanted" != "$now" ] || return 0
    replace "$state/docker-options" printf '%s\n%s\n' "$base" "$wanted"
    write "$file" "$name in $file is now: $wanted" with_value "$file" "$name" "$wanted"
}

daemon() {
    local unit='' path verb rest command
    declare -A drop=()
    flags=()
    [ -f $own/docker-flags ] || [ -f $state/docker-options ] || return 0
    if [ -f $own/docker-flags ]; then
        while read -r verb rest; do
            case $verb in
                drop) drop[$rest]=1 ;;
                flag) flags+=("$rest") ;;
            esac
        done < $own/docker-flags
    fi
    for path in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        if [ -f $path/docker.service ]; then
            unit=$path/docker.service
            break
        fi
    done
    if [ -z "$unit" ]; then
        echo "elkbake: there is no docker.service yet"
    elif [ -f /etc/sysconfig/docker ]; then
        merge_options /etc/sysconfig/docker OPTIONS
    elif grep -q '^ExecStart=.*[$]DOCKER_OPTS' "$unit"; then
        merge_options /etc/default/docker DOCKER_OPTS
    elif command=$(grep -m 1 '^ExecStart=.' "$unit"); then
        # The unit reads no file: it is told another command, where a percent sign means something to systemd. The socket
        # that it hands over stays, whatever else the daemon listens at.
        unset 'drop[H]' 'drop[host]'
        flags=("${flags[@]//%/%%}")
        mkdir -p /etc/systemd/system/docker.service.d
        write /etc/systemd/system/docker.service.d/90-elkbake-flags.conf "docker.service has the recipe's flags" \
            printf '[Service]\nExecStart=\nExecStart=%s\n' "$(options_from "${command#ExecStart=}")"
    fi
    refresh docker.service /etc/docker/daemon.json /etc/sysconfig/docker /etc/default/docker \
        /etc/systemd/system/docker.service.d/*.conf
}

# --- the ECS agent ----------------------------------------------------------------------------------------------------

# agent_settings WANTED BEFORE NOW: keys of the recipe take the place of the same keys; what an earlier recipe wrote and this
# one does not goes; all else, as the cluster's name that came at launch, stays as it is.
agent_settings() {
    awk '
        side == 1 { wanted[key($0)] = $0; order[++count] = key($0); next }
        side == 2 { ours[$0] = 1; next }
        key($0) in wanted { if (!(key($0) in said)) print wanted[key($0)]; said[key($0)] = 1; next }
        $0 in ours { next }
        { print }
        END { for (i = 1; i <= count; i++) if (!(order[i] in said)) print wanted[order[i]] }
        function key(line) { sub(/^[[:space:]]+/, "", line); sub(/=.*/, "", line); return line }
    ' side=1 "$1" side=2 "$2" side=3 "$3"
}

agent() {
    local config=/etc/ecs/ecs.config now=/dev/null wanted=/dev/null before=/dev/null
    [ -f $own/ecs.config ] || [ -f $state/ecs.config ] || return 0
    mkdir -p /etc/ecs
    [ ! -f $config ] || now=$config
    [ ! -f $own/ecs.config ] || wanted=$own/ecs.config
    [ ! -f $state/ecs.config ] || before=$state/ecs.config
    write $config "$config has the recipe's settings" agent_settings $wanted $before $now &&
        replace $state/ecs.config cat $wanted
    refresh ecs.service $config
}

# --- time, journal, units ---------------------------------------------------------------------------------------------

# The servers of the base, and those that DHCP names, give way to the recipe's.
with_servers() {
    awk '
        FILENAME == ARGV[1] { servers = servers $0 "\n"; next }
        /^# elkbake: time servers$/ { inside = 1; next }
        inside && /^# elkbake: end$/ { inside = 0; next }
        inside { next }
        /^[[:space:]]*(server|pool|peer|sourcedir)[[:space:]]/ { print "# elkbake: not used: " $0; next }
        { print }
        END { printf "# elkbake: time servers\n%s# elkbake: end\n", servers }
    ' $own/time-servers "$1"
}

clock() {
    local config
    [ -f $own/time-servers ] || return 0
    for config in /etc/chrony.conf /etc/chrony/chrony.conf; do
        [ -f $config ] || continue
        write $config "$config has the recipe's time servers" with_servers $config
        refresh chronyd.service $config
        return 0
    done
    echo "elkbake: chrony is not there yet"
}

# systemd knows units as they were when it last read them.
reload() {
    local since
    is_running && since=$(moment UnitsLoadTimestamp) || return 0
    if [ -n "$(find /etc/systemd/system -newerct "@$since" -print -quit)" ]; then
        systemctl daemon-reload && did "systemd has read its units again"
    fi
}

units() {
    local verb unit is
    [ -f $own/units ] || return 0
    while read -r verb unit; do
        is=$(systemctl is-enabled "$unit" 2> /dev/null)
        case "$verb $is" in
            *' ') echo "elkbake: there is no $unit yet" ;;
            'enable disabled' | 'enable masked')
                [ "$is" != masked ] || systemctl --quiet unmask "$unit"
                if systemctl --quiet enable "$unit"; then
                    did "enabled $unit"
                    ! is_running || systemctl --no-block start "$unit"
                else
                    problem "$unit cannot be enabled"
                fi
                ;;
            'disable enabled' | 'disable enabled-runtime' | 'disable alias')
                if systemctl --quiet disable "$unit"; then
                    did "disabled $unit"
                    ! is_running || systemctl --no-block stop "$unit"
                else
                    problem "$unit cannot be disabled"
                fi
                ;;
        esac
    done < $own/units
}

# What this boot has begun without: it was not there, or not known, when systemd decided what to start. Where volumes are
# there only now, who does not start without them has failed before.
start() {
    local unit
    is_running || return 0
    for unit in elkbake-storage elkbake-firewall elkbake-firewall-subnet; do
        [ -f /etc/systemd/system/$unit.service ] || continue
        [ $unit = elkbake-storage ] || command -v nft > /dev/null || continue
        if systemctl --quiet is-active $unit.service; then
            # Not started anew: whoever requires it would be, too.
            if [ $unit = elkbake-firewall ] && [ $own/firewall.nft -nt /run/elkbake-firewall ]; then
                systemctl reload $unit.service && did "the firewall has the recipe's rules"
            fi
            continue
        fi
        # The last one waits for the network, and the network may wait for who runs this.
        local how=()
        [ $unit != elkbake-firewall-subnet ] || how=(--no-block)
        if systemctl "${how[@]}" start $unit.service; then
            did "started $unit"
            [ $unit != elkbake-storage ] || systemctl --no-block start default.target
        else
            problem "$unit does not start: journalctl -u $unit"
        fi
    done
}

for argument in "$@"; do
    case $argument in
        --bake) bake=yes ;;
        *)
            echo "usage: $0 [--bake]" >&2
            exit 2
            ;;
    esac
done
mkdir -p $state
users
folders
kernel
daemon
agent
clock
reload
units
! is_running || refresh systemd-journald.service /etc/systemd/journald.conf.d/90-elkbake.conf
start
if [ $failed -gt 0 ]; then
    echo "elkbake: $failed problems" >&2
    exit 1
fi
[ $changed -gt 0 ] || echo "elkbake: nothing to change"
