#!/bin/bash
# A host behind the firewall of RULES and two others, one in its network and one elsewhere: who reaches which of its
# ports? firewall.sh PROGRAM RULES, in a network of its own; prints WHO PORT, for each that is open.
set -euo pipefail
program=$1 rules=$2

# The host's interface must be none of those that containers are at, so it is not the cable itself.
ip link set lo up
ip link add cable type veth peer name there
ip link set cable arp off up
ip link add link cable name outside type macvlan mode bridge
ip addr add 10.9.1.10/24 dev outside
ip addr add fd00:9::10/64 dev outside nodad
ip link set outside up
unshare --net sleep 300 &
trap 'kill $(jobs -p)' EXIT
other=$!
until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set there netns $other
at() {
    nsenter --net=/proc/$other/ns/net "$@"
}
at ip link set lo up
at ip addr add 10.9.1.20/24 dev there
at ip addr add fd00:9::20/64 dev there nodad
at ip link set there up
ip route add default via 10.9.1.20
ip -6 route add default via fd00:9::20

# A task's network, as Docker makes it.
ip link add bridge0 type bridge
ip addr add 172.17.0.1/24 dev bridge0
ip link set bridge0 up
unshare --net sleep 300 &
task=$!
until [ "$(readlink /proc/$task/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link add task0 type veth peer name eth0
ip link set task0 master bridge0 up
ip link set eth0 netns $task
nsenter --net=/proc/$task/ns/net ip addr add 172.17.0.2/24 dev eth0
nsenter --net=/proc/$task/ns/net ip link set eth0 up

for port in 22 80 9200 9303; do
    python3 -m http.server $port --bind :: > /dev/null 2>&1 &
done
for port in 22 80 9200 9303; do
    until curl --silent --output /dev/null --max-time 1 http://127.0.0.1:$port/; do sleep 0.1; done
done

nft add table inet others
nft add chain inet others input '{ type filter hook input priority 0; }'
# Twice: what stands is replaced, and stays one.
for how in '' --subnet; do
    sed "s|^rules=.*|rules=$rules|" "$program" | bash -s -- $how > /dev/null
done
[ "$(nft list tables | sort | tr '\n' ' ')" = 'table inet elkbake table inet others ' ]

reach() {
    local who=$1 to=$2 port
    shift 2
    # Side by side: what is dropped is waited for to the end.
    {
        for port in 22 80 9200 9303; do
            { "$@" curl --silent --output /dev/null --max-time 2 "http://$to:$port/" && echo "$who $port"; } &
        done
        wait
    } | sort -k 2n
}
reach itself 10.9.1.10
{
    reach subnet 10.9.1.10 at &
    reach subnet6 '[fd00:9::10]' at &
    wait
} | LC_ALL=C sort -k 1,1 -k 2n
reach task 172.17.0.1 nsenter --net=/proc/$task/ns/net
# The other one moves to another network.
moves() {
    at ip -4 addr flush dev there
    at ip addr add "$1" dev there
    at ip route add 10.9.1.0/24 dev there
    ip route replace "$2" dev outside
}
moves 10.9.2.20/24 10.9.2.0/24
reach elsewhere 10.9.1.10 at
moves 10.1.2.3/16 10.1.0.0/16
reach named 10.9.1.10 at
