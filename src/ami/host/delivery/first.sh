# Once on every instance, when cloud-init has installed what has a name.
run=${ELKBAKE_RUN:-/run}/elkbake
(umask 077 && mkdir -p "$run")

# once TITLE COMMAND...
once() {
    local title=$1
    shift
    "$@" || say problem "$title: failed with status $?"
}

# What could not start before its packages were there: Docker without its volumes, for one.
start_rest() {
    systemctl start --no-block multi-user.target
}

# The check waits for Docker and ECS, and ECS waits for cloud-init: who waited for the check here would wait for ever.
begin_check() {
    systemd-run --no-block --unit=elkbake-check /usr/libexec/elkbake/check --nonce "$nonce" \
        --timeout "$1" --expect "$run/expect" || say failed
}
