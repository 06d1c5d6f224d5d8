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

