# Run at every boot before Docker and ECS start, and once more when packages are there.

# cloud-init keeps to itself what a boothook prints.
tell() {
    printf '%s\n' "$1"
    [ -n "$root" ] || logger -t elkbake -- "$1"
}

unpack
settle
apply=$root/usr/libexec/elkbake/apply
if [ -x "$apply" ]; then
    said=$("$apply" 2>&1) || missed+=("$apply")
    tell "$said"
fi
# What units have begun to ask for was not known when this boot was planned. Nobody waits here: most of it starts after us.
if [ "$changed" != 0 ] && [ -d /run/systemd/system ]; then
    systemctl start --no-block multi-user.target
fi
tell "elkbake: $changed files were not as they should be"
if [ ${#missed[@]} != 0 ]; then
    tell "$(printf 'elkbake: problem: %s\n' "${missed[@]}")"
    exit 1
fi
