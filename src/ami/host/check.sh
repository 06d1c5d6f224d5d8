#!/bin/bash
# Checks that this host is what its recipe says: /usr/libexec/elkbake/check
#
#   check                              says what is not as it should be, and ends with 1 if anything is
#   check --timeout SECONDS            gives everything this long to come up
#   check --nonce NONCE                says it on the serial console as well, where whoever started the host reads it
#   check --expect FILE                checks what the file says, too
#   check --bake                       leaves out what needs volumes, or a boot with these settings
#
# What is checked is in /etc/elkbake/checks: calls of the functions below that begin with `is_`.
set -uo pipefail
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

root=${ELKBAKE_ROOT:-}
console=${ELKBAKE_CONSOLE:-/dev/console}
nonce='' timeout=0 live=1
lists=("$root/etc/elkbake/checks")
while [ $# -gt 0 ]; do
    case $1 in
        --nonce) nonce=$2 && shift 2 ;;
        --timeout) timeout=$2 && shift 2 ;;
        --expect) lists+=("$2") && shift 2 ;;
        --bake) live='' && shift ;;
        *) echo "check: I do not know $1" >&2 && exit 2 ;;
    esac
done

say() {
    printf '%s\n' "$*"
    [ -z "$nonce" ] || printf '\nELKBAKE %s %s\n' "$nonce" "$*" >> "$console"
}

wrong() {
    problems+=("$*")
}

# One line of what a program said, short enough for a console.
brief() {
    printf '%s' "$1" | tr -s '[:space:][:cntrl:]' ' ' | cut -c 1-200
}

# is_sysctl KEY VALUE
is_sysctl() {
    local file is want
    file=$root/proc/sys/$(tr . / <<< "$1")
    want=$(printf %s "$2" | tr -s '[:space:]' ' ')
    if [ ! -e "$file" ] || ! is=$(tr -s '[:space:]' ' ' 2> /dev/null < "$file"); then
        wrong "sysctl $1: this kernel has no such setting"
    elif [ "${is% }" != "$want" ]; then
        wrong "sysctl $1 is ${is% }, not $want"
    fi
}

# is_mounted PATH FILESYSTEM
is_mounted() {
    local is
    [ -n "$live" ] || return 0
    if ! is=$(findmnt -rno FSTYPE --mountpoint "$1" | tail -n 1) || [ -z "$is" ]; then
        wrong "$1 is not mounted"
    elif [ "$is" != "$2" ]; then
        wrong "$1 is $is, not $2"
    fi
}

# is_file PATH [MODE|- [UID:GID|-]], is_folder likewise, and is_folder_on_volume for what a bake does not have.
is_file() { is_there file "$@"; }
is_folder() { is_there folder "$@"; }
is_folder_on_volume() { [ -z "$live" ] || is_folder "$@"; }

is_there() {
    local at=$root$2 mode owner
    if [ ! -e "$at" ] || { [ "$1" = folder ] && [ ! -d "$at" ]; }; then
        wrong "there is no $1 $2"
        return
    fi
    read -r mode owner < <(stat -Lc '%a %u:%g' -- "$at")
    [ "${3:--}" = - ] || [ "$mode" = "$3" ] || wrong "$1 $2 has the mode $mode, not $3"
    [ "${4:--}" = - ] || [ "$owner" = "$4" ] || wrong "$1 $2 belongs to $owner, not $4"
}

# is_enabled UNIT, is_disabled UNIT
is_enabled() {
    local is
    is=$(systemctl is-enabled -- "$1" 2> /dev/null)
    case $is in
        enabled | enabled-runtime | static | alias | indirect | generated | linked) ;;
        *) wrong "$1 does not start at boot: it is ${is:-unknown}" ;;
    esac
}

is_disabled() {
    case $(systemctl is-enabled -- "$1" 2> /dev/null) in
        enabled | enabled-runtime) wrong "$1 starts at boot" ;;
    esac
}

# is_active UNIT
is_active() {
    local is
    [ -n "$live" ] || return 0
    is=$(systemctl is-active -- "$1")
    [ "$is" = active ] || wrong "$1 is $is: $(brief "$(journalctl -qn 2 -o cat -u "$1" 2> /dev/null)")"
}

# is_agent_running: where ECS is installed. Without a cluster or a role it begins again and again, and that is not the
# host's fault.
is_agent_running() {
    local is
    [ -n "$live" ] || return 0
    case $(systemctl is-enabled ecs.service 2> /dev/null) in enabled*) ;; *) return 0 ;; esac
    is=$(systemctl is-active ecs.service)
    case $is in
        active) ;;
        activating) seen "ecs is activating: it may have no cluster or role here" ;;
        *) wrong "ecs is $is: $(brief "$(journalctl -qn 2 -o cat -u ecs 2> /dev/null)")" ;;
    esac
}

# is_docker KEY VALUE: what the daemon says of itself, by the names of daemon.json.
is_docker() {
    local field is
    [ -n "$live" ] || return 0
    case $1 in
        data-root) field=.DockerRootDir ;;
        live-restore) field=.LiveRestoreEnabled ;;
        log-driver) field=.LoggingDriver ;;
        storage-driver) field=.Driver ;;
        *) wrong "check: I do not know how to ask Docker for $1" && return ;;
    esac
    if ! is=$(docker info --format "{{$field}}" 2>&1); then
        wrong "docker does not answer: $(brief "$is")"
    elif [ "$is" != "$2" ]; then
        wrong "docker's $1 is $(brief "$is"), not $2"
    fi
}

# is_limit NAME SOFT HARD: the limit of a process in a container that has no limits of its own. Nothing is pulled: without
# a container or an image that stays up, what the daemon was told has to do.
is_limit() {
    local name row told_as
    [ -n "$live" ] || return 0
    case $1 in
        core) row='Max core file size' ;;
        memlock) row='Max locked memory' ;;
        nofile) row='Max open files' ;;
        nproc) row='Max processes' ;;
        stack) row='Max stack size' ;;
        *) return 0 ;;
    esac
    name=$(container_without_limits)
    if [ -n "$name" ]; then
        seen "limits seen in the container $name"
        limit_of "$(docker inspect -f '{{.State.Pid}}' "$name")" "$row" "$1 in a container" "$2" "$3"
    else
        seen "no container to see limits in: what the daemon was told"
        told_as=$(told_limit "$1")
        if [ -z "$told_as" ]; then
            wrong "docker was told nothing about $1"
        elif [ "$told_as" != "$2:$3" ]; then
            wrong "docker was told that $1 is $told_as, not $2:$3"
        fi
    fi
    [ "$name" != elkbake-check ] || docker rm -f elkbake-check > /dev/null 2>&1
}

# What the daemon that runs was told of a limit, SOFT:HARD: as a flag, or in its file, where a name stands in one place.
told_limit() {
    local flag entry soft hard
    flag=$(tr '\0' '\n' 2> /dev/null < "$root/proc/$(pidof -s dockerd)/cmdline" |
        sed -n "s/^\(--default-ulimit=\)\{0,1\}$1=\([-0-9:]*\)\$/\2/p" | tail -n 1)
    if [ -n "$flag" ]; then
        echo "${flag%:*}:${flag#*:}"
        return
    fi
    entry=$(tr -d '[:space:]' 2> /dev/null < "$root/etc/docker/daemon.json" | grep -o "\"$1\":{[^}]*}") || return
    soft=$(sed -n 's/.*"Soft":\([-0-9]*\).*/\1/p' <<< "$entry")
    hard=$(sed -n 's/.*"Hard":\([-0-9]*\).*/\1/p' <<< "$entry")
    echo "${soft:--1}:${hard:--1}"
}

container_without_limits() {
    local id image
    for id in $(docker ps -q 2> /dev/null); do
        case $(docker inspect -f '{{json .HostConfig.Ulimits}}' "$id") in
            null | '[]') docker inspect -f '{{slice .Name 1}}' "$id" && return ;;
        esac
    done
    for image in $(docker images --format '{{.Repository}}:{{.Tag}}' 2> /dev/null | grep -w pause); do
        docker rm -f elkbake-check > /dev/null 2>&1
        if docker run -d --name elkbake-check --network none --pull never "$image" > /dev/null 2>&1; then
            echo elkbake-check
            return
        fi
    done
}

# limit_of PID ROW WHAT SOFT HARD
limit_of() {
    local soft hard
    read -r soft hard _ < <(sed -n "s/^$2 *//p" "/proc/$1/limits" 2> /dev/null)
    [ "${soft:-}" = "${4/#-1/unlimited}" ] || wrong "$3 is ${soft:-unknown}, not $4"
    [ "${hard:-}" = "${5/#-1/unlimited}" ] || wrong "$3 can become ${hard:-unknown}, not $5"
}

# is_huge_pages WHEN
is_huge_pages() {
    local file=$root/sys/kernel/mm/transparent_hugepage/enabled
    [ -n "$live" ] || return 0
    grep -qsF "[$1]" "$file" || wrong "huge pages are given out $(cat "$file" 2> /dev/null), not $1"
}

# is_user NAME UID GROUP...
is_user() {
    local name=$1 is group
    is=$(id -u -- "$name" 2> /dev/null) || { wrong "there is no user $name" && return; }
    [ "$is" = "$2" ] || wrong "user $name is $is, not $2"
    shift 2
    for group in "$@"; do
        id -Gn -- "$name" | tr ' ' '\n' | grep -qxF -- "$group" || wrong "user $name is not in the group $group"
    done
}

# is_table FAMILY NAME: of the firewall.
is_table() {
    [ -n "$live" ] || return 0
    nft list table "$1" "$2" > /dev/null 2>&1 || wrong "the firewall has no table $1 $2"
}

# is_command TEXT WORD...: succeeds, and what it prints holds the text.
is_command() {
    local text=$1 out status
    shift
    # A program, and none of what is defined here.
    out=$(env -- "$@" 2>&1 < /dev/null)
    status=$?
    if [ $status != 0 ]; then
        wrong "$(brief "$*") failed with status $status: $(brief "$out")"
    elif [[ $out != *"$text"* ]]; then
        wrong "$(brief "$*") does not say $(brief "$text"): $(brief "$out")"
    fi
}

# is_answer TEXT URL: with 200, and holds the text.
is_answer() {
    local out
    if ! out=$(curl -sS -m 20 -w '\n%{http_code}' -- "$2" 2>&1); then
        wrong "$2 does not answer: $(brief "${out%$'\n'*}")"
    elif [ "${out##*$'\n'}" != 200 ]; then
        wrong "$2 answers with ${out##*$'\n'}"
    elif [[ ${out%$'\n'*} != *"$1"* ]]; then
        wrong "$2 does not say $(brief "$1")"
    fi
}

declare -A told=()
seen() {
    [ -n "${told[$1]:-}" ] || say note "$1"
    told[$1]=1
}

# Everything once more, until all is well or time is up. What a bash file of checks cannot even read is wrong, too.
while :; do
    problems=()
    count=0
    for list in "${lists[@]}"; do
        # shellcheck disable=SC1090
        . "$list" || wrong "$list cannot be read to its end"
        count=$((count + $(grep -c '^is_' "$list")))
    done
    if [ ${#problems[@]} = 0 ] || [ "$SECONDS" -ge "$timeout" ]; then
        break
    fi
    # Whoever waits is to know for what. What follows the colon may be another thing each time.
    for problem in "${problems[@]}"; do
        [ -n "${told[${problem%%:*}]:-}" ] || say note "not yet: $problem"
        told[${problem%%:*}]=1
    done
    sleep 3
done

if [ ${#problems[@]} = 0 ]; then
    say note "$count checks hold"
    verdict=ok
else
    verdict=failed
fi
for round in 1 2 3; do
    for problem in "${problems[@]}"; do
        say problem "$problem"
    done
    [ -n "$nonce" ] || break
    say $verdict
    sleep $round
done
[ $verdict = ok ]
