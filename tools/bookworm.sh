# The Debian that the tests' inputs are of, on whatever distribution they are made. To be sourced in the project's folder.
# shellcheck shell=bash
SUITE=bookworm

# Runs mmdebstrap through apt's own settings, and believes Debian's keys where the machine does not: debian_12 OPTION... TARGET
debian_12() {
    local conf done=0
    tools/need.sh mmdebstrap
    conf=$(mktemp)
    apt-config dump Acquire > "$conf"
    mmdebstrap --quiet --keyring=/usr/share/keyrings/debian-archive-keyring.gpg --aptopt="$conf" \
        "${@:1:$#-1}" "$SUITE" "${@: -1}" || done=$?
    rm "$conf"
    return "$done"
}
