#!/usr/bin/env bash
# Unpacks packages of Debian 12, and nothing that they depend on: tools/debs.sh FOLDER PACKAGE...
#
# Through apt's own settings, where this machine is a Debian 12; elsewhere mmdebstrap knows where those are. Whoever has none
# and may not install it gets what this machine's distribution calls so, if anything.
set -euo pipefail
cd "$(dirname "$0")/.."

source tools/bookworm.sh

to=$1
shift
debs=$(mktemp -d)
trap 'rm -rf "$debs"' EXIT

# As root, apt downloads as a user who may not write here, and says that it does not mind.
download="cd $debs && apt-get download --quiet=2 -o APT::Sandbox::User=root $*"
own() {
    grep --quiet "^VERSION_CODENAME=$SUITE$" /etc/os-release ||
        { [ "$(id -u)" != 0 ] && ! command -v mmdebstrap > /dev/null; }
}

if own; then
    bash -c "$download" || { apt-get update --quiet=2 && bash -c "$download"; }
else
    debian_12 --variant=custom --customize-hook="export APT_CONFIG=\"\$MMDEBSTRAP_APT_CONFIG\"; $download" /dev/null
fi
find "$debs" -name '*.deb' -exec dpkg-deb --extract {} "$to" \;
