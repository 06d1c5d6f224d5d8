# Packages, by whichever program the base has.
export DEBIAN_FRONTEND=noninteractive

# again COMMAND...: a mirror may be out of reach for a moment.
again() {
    local pause status begun=$SECONDS
    for pause in 5 20 60; do
        "$@" && return
        status=$?
        # What had no end for minutes has none now either, and the bake has a time in which it has to be over.
        [ $((SECONDS - begun)) -lt 300 ] || return "$status"
        sleep "${ELKBAKE_PAUSE:-$pause}"
    done
    "$@"
}

is_debian() {
    command -v apt-get > /dev/null
}

refresh_lists() {
    ! is_debian || again apt-get -o DPkg::Lock::Timeout=600 update
}

# install_packages NAME[=VERSION]|FILE...
install_packages() {
    local package
    if is_debian; then
        again apt-get -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confdef \
            -o Dpkg::Options::=--force-confold --allow-downgrades --no-install-recommends install -- "$@"
    else
        again "$(command -v dnf || command -v yum)" -y install "${@//=/-}" || return
        # To be told an older version than there is, is no mistake to it.
        for package in "$@"; do
            [[ $package != *=* ]] || rpm -q "${package/=/-}" || return
        done
    fi
}

# install_file URL sha256|sha512 HEX
install_file() {
    local folder made
    folder=$(mktemp -d /var/tmp/elkbake.XXXXXX) || return
    if is_debian; then made=$folder/package.deb; else made=$folder/package.rpm; fi
    again curl -fsSL --connect-timeout 30 --max-time 600 -o "$made" -- "$1" &&
        "$2sum" -c - <<< "$3  $made" && install_packages "$made" && rm -rf -- "$folder"
}
