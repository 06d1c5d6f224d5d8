# Makes an instance into what becomes an image. cloud-init starts it as a boothook, and it starts itself anew for when
# cloud-init has finished: what is cleaned up then stays clean.
run=${ELKBAKE_RUN:-/run}/elkbake
log=$run/log

if [ "${1:-}" != now ]; then
    (umask 077 && mkdir -p "$run")
    cp -- "$0" "$run/bake"
    # An agent that has registered once would be the same one on every host. Debian starts what it installs.
    systemctl mask --runtime ecs.service
    if is_debian; then
        printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
        chmod 755 "$root/usr/sbin/policy-rc.d"
    fi
    exec systemd-run --no-block --unit=elkbake-bake --property=After=cloud-final.service bash "$run/bake" now
fi

# One line is lost where others write into it, and the console's last ones are all that is read of it.
finish() {
    local round line
    for round in 1 2 3; do
        for line in "${problems[@]}"; do
            say problem "$line"
        done
        say "$1"
        sleep "${ELKBAKE_PAUSE:-$round}"
    done
    sync
    # By force: what services write as they stop (logs, seeds, leases) would get into the image again.
    systemctl --force poweroff
    sleep "${ELKBAKE_PAUSE:-60}"
    systemctl --force --force poweroff
    exit
}

problems=()

# step TITLE COMMAND...
step() {
    local title=$1 status line
    shift
    say note "$title"
    printf '%s\n' "$title" > "$run/step"
    "$@" > "$log" 2>&1 < /dev/null && return
    status=$?
    problems=("$title: failed with status $status")
    while IFS= read -r line; do
        problems+=("| ${line:0:200}")
    done < <(tail -n 12 -- "$log")
    finish failed
}

# What enables the agent for the image's hosts has to find it as it is; nothing starts it any more.
unmask() {
    systemctl unmask --runtime ecs.service
}

# program NAME [WORD...]: one of elkbake's own, where the recipe needs it.
program() {
    local at=$root/usr/libexec/elkbake/$1
    shift
    [ ! -x "$at" ] || "$at" "$@"
}

files() {
    missed=()
    unpack
    settle
    [ ${#missed[@]} = 0 ] || { printf 'cannot be put: %s\n' "${missed[@]}"; return 1; }
}

watch_over() {
    sleep "$1"
    problems=("the bake was not over after $(($1 / 60)) minutes, in the step \`$(cat "$run/step")\`; its last output:")
    while IFS= read -r line; do
        problems+=("| ${line:0:200}")
    done < <(tail -n 12 -- "$log")
    finish failed
}
