#!/usr/bin/env bash
# Sees to it that programs are there: tools/need.sh PROGRAM...
#
# Debian's programs are installed by apt-get, as root; otherwise it says which are missing and fails. Programs
# of Rust and Python go to target/tools, where they disturb nobody; the versions are pinned here.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
MOTO=5.2.1

tools=$PWD/target/tools
mkdir -p "$tools/bin"
export PATH="$tools/bin:$PATH"

# The Debian package that holds a program.
package_of() {
    case $1 in
        bundle) echo bundler ;;
        c++) echo g++ ;;
        cc) echo gcc ;;
        docker | dockerd) echo docker.io ;;
        venv) echo python3-venv ;;
        xz) echo xz-utils ;;
        *) echo "$1" ;;
    esac
}

is_here() {
    case $1 in
        # Debian's python3 has the module venv but not what it needs to make one.
        venv) python3 -c 'import ensurepip, venv' 2> /dev/null ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

from_debian() {
    local program packages=()
    for program in "$@"; do
        is_here "$program" || packages+=("$(package_of "$program")")
    done
    [ ${#packages[@]} -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        echo "need: missing: ${packages[*]} (the names of Debian's packages)" >&2
        echo "need: install them, or run as root where apt-get is, or leave the peers out with PEERS=0" >&2
        return 1
    fi
    echo "need: installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends "${packages[@]}" > "$tools/apt.log" 2>&1 || {
        cat "$tools/apt.log" >&2
        return 1
    }
}

# A program of Rust, of one version, built without optimisation: that takes a third of the time.
from_cargo() {
    local program=$1 version=$2
    [ "$("$tools/bin/$program" --version 2> /dev/null | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" != "$version" ] || return 0
    echo "need: building $program $version"
    cargo install "$program" --version "$version" --locked --debug --quiet --force --root "$tools" --target-dir "$tools/build"
    rm -rf "$tools/build"
}

# moto answers as EC2 and SSM do.
moto() {
    [ "$(cat "$tools/moto/version" 2> /dev/null)" != "$MOTO" ] || return 0
    from_debian python3 venv
    echo "need: installing moto $MOTO"
    rm -rf "$tools/moto"
    python3 -m venv "$tools/moto"
    "$tools/moto/bin/pip" install --quiet "moto[server]==$MOTO"
    ln -sf "$tools/moto/bin/moto_server" "$tools/bin/moto_server"
    echo "$MOTO" > "$tools/moto/version"
}

for program in "$@"; do
    case $program in
        cargo-deny) from_cargo cargo-deny "$CARGO_DENY" ;;
        cargo-fuzz) from_cargo cargo-fuzz "$CARGO_FUZZ" ;;
        moto_server) moto ;;
        *) debian+=("$program") ;;
    esac
done
[ -z "${debian+x}" ] || from_debian "${debian[@]}"
