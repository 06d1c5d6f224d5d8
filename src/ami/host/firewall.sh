#!/bin/bash
# Puts the recipe's firewall in force, in place of what elkbake put there before: /usr/libexec/elkbake/firewall [--subnet]
#
# The table `inet elkbake` is elkbake's own, and no other is touched. It looks at what is addressed to the host itself: what
# Docker forwards to a container's published port never comes by here. The networks that the host lies in are known once it
# has an address, so they are found here; with --subnet it waits for that.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

rules=/etc/elkbake/firewall.nft

# The interface by which packets leave for the rest of the world.
interface() {
    ip -o "$1" route show default | awk '{ for (i = 1; i < NF; i++) if ($i == "dev") { print $(i + 1); exit } }'
}

# The networks that lie directly at that interface: those of its addresses, and where an IPv6 address stands alone, the
# network that the router has announced.
networks() {
    local at
    at=$(interface "$1")
    [ -n "$at" ] || return 0
    {
        ip -o "$1" addr show dev "$at" scope global | awk '{ print $4 }'
        [ "$1" = -4 ] || ip -o -6 route show dev "$at" | awk '$1 ~ "/" && $1 !~ "^fe80:" && !/ via / { print $1 }'
    } | awk -F/ -v whole="$([ "$1" = -4 ] && echo 32 || echo 128)" '$2 != whole' | sort -u
}

# A set with networks, as a line of nft's.
elements() {
    local found
    found=$(networks "$2")
    [ -z "$found" ] || echo "add element inet elkbake $1 { ${found//$'\n'/, } }"
}

known=''
for _ in $(seq 60); do
    known=$(elements subnet4 -4; elements subnet6 -6)
    if [ -n "$known" ] || [ "${1-}" != --subnet ]; then
        break
    fi
    sleep 1
done
# Both at once: there is no moment without the rules.
printf '%s\n%s\n' "$(cat $rules)" "$known" | nft -f -
if [ -n "$known" ]; then
    echo "elkbake: the firewall stands; ${known//$'\n'/; }"
elif [ "${1-}" = --subnet ]; then
    echo "elkbake: the firewall stands, and lets nobody in of the host's own network: after a minute it has no address" >&2
    exit 1
else
    echo "elkbake: the firewall stands"
fi
