# Run at every boot before Docker and ECS start, and once more when packages are there.
unpack
settle
apply=$root/usr/libexec/elkbake/apply
if [ -x "$apply" ]; then
    "$apply" || missed+=("$apply")
fi
# What units have begun to ask for was not known when this boot was planned. Nobody waits here: most of it starts after us.
if [ "$changed" != 0 ] && [ -d /run/systemd/system ]; then
    systemctl start --no-block default.target
fi
printf 'elkbake: %s files were not as they should be\n' "$changed"
if [ ${#missed[@]} != 0 ]; then
    printf 'elkbake: problem: %s\n' "${missed[@]}"
    exit 1
fi
