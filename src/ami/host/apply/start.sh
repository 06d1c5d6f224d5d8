# The ECS agent, the clock, the journal and units, and the order of it all. A part of apply.sh.

# --- the ECS agent ----------------------------------------------------------------------------------------------------

# agent_settings WANTED BEFORE NOW: keys of the recipe take the place of the same keys; what an earlier recipe wrote and this
# one does not goes; all else, as the cluster's name that came at launch, stays as it is.
agent_settings() {
    awk '
        side == 1 { wanted[key($0)] = $0; order[++count] = key($0); next }
        side == 2 { ours[$0] = 1; next }
        key($0) in wanted { if (!(key($0) in said)) print wanted[key($0)]; said[key($0)] = 1; next }
        $0 in ours { next }
        { print }
        END { for (i = 1; i <= count; i++) if (!(order[i] in said)) print wanted[order[i]] }
        function key(line) { sub(/^[[:space:]]+/, "", line); sub(/=.*/, "", line); return line }
    ' side=1 "$1" side=2 "$2" side=3 "$3"
}

agent() {
    local config=/etc/ecs/ecs.config now=/dev/null wanted=/dev/null before=/dev/null
    [ -f $own/ecs.config ] || [ -f $state/ecs.config ] || return 0
    mkdir -p /etc/ecs
    [ ! -f $config ] || now=$config
    [ ! -f $own/ecs.config ] || wanted=$own/ecs.config
    [ ! -f $state/ecs.config ] || before=$state/ecs.config
    write $config "$config has the recipe's settings" agent_settings $wanted $before $now &&
        replace $state/ecs.config cat $wanted
    refresh ecs.service $config
}

# --- time, journal, units ---------------------------------------------------------------------------------------------

# The servers of the base, and those that DHCP names, give way to the recipe's.
with_servers() {
    awk '
        FILENAME == ARGV[1] { servers = servers $0 "\n"; next }
        /^# elkbake: time servers$/ { inside = 1; next }
        inside && /^# elkbake: end$/ { inside = 0; next }
        inside { next }
        /^[[:space:]]*(server|pool|peer|sourcedir)[[:space:]]/ { print "# elkbake: not used: " $0; next }
        { print }
        END { printf "# elkbake: time servers\n%s# elkbake: end\n", servers }
    ' $own/time-servers "$1"
}

clock() {
    local config
    [ -f $own/time-servers ] || return 0
    for config in /etc/chrony.conf /etc/chrony/chrony.conf; do
        [ -f $config ] || continue
        write $config "$config has the recipe's time servers" with_servers $config
        refresh chronyd.service $config
        return 0
    done
    echo "elkbake: chrony is not there yet"
}

# systemd knows units as they were when it last read them.
reload() {
    local since
    is_running && since=$(moment UnitsLoadTimestamp) || return 0
    if [ -n "$(find /etc/systemd/system -newerct "@$since" -print -quit)" ]; then
        systemctl daemon-reload && did "systemd has read its units again"
    fi
}

units() {
    local verb unit is
    [ -f $own/units ] || return 0
    while read -r verb unit; do
        is=$(systemctl is-enabled "$unit" 2> /dev/null)
        case "$verb $is" in
            # Older versions of systemd say nothing.
            *' ' | *' not-found') echo "elkbake: there is no $unit yet" ;;
            'enable disabled' | 'enable masked')
                [ "$is" != masked ] || systemctl --quiet unmask "$unit"
                if systemctl --quiet enable "$unit"; then
                    did "enabled $unit"
                    ! is_running || systemctl --no-block start "$unit"
                else
                    problem "$unit cannot be enabled"
                fi
                ;;
            'disable enabled' | 'disable enabled-runtime' | 'disable alias')
                if systemctl --quiet disable "$unit"; then
                    did "disabled $unit"
                    ! is_running || systemctl --no-block stop "$unit"
                else
                    problem "$unit cannot be disabled"
                fi
                ;;
        esac
    done < $own/units
}

# What this boot has begun without: it was not there, or not known, when systemd decided what to start. Where volumes are
# there only now, who does not start without them has failed before.
start() {
    local unit
    is_running || return 0
    for unit in elkbake-storage elkbake-firewall elkbake-firewall-subnet; do
        [ -f /etc/systemd/system/$unit.service ] || continue
        [ $unit = elkbake-storage ] || command -v nft > /dev/null || continue
        if systemctl --quiet is-active $unit.service; then
            # Not started anew: whoever requires it would be, too.
            if [ $unit = elkbake-firewall ] && [ $own/firewall.nft -nt /run/elkbake-firewall ]; then
                systemctl reload $unit.service && did "the firewall has the recipe's rules"
            fi
            continue
        fi
        # The last one waits for the network, and the network may wait for who runs this.
        local how=()
        [ $unit != elkbake-firewall-subnet ] || how=(--no-block)
        if systemctl "${how[@]}" start $unit.service; then
            did "started $unit"
            # Not default.target, where that is another one: a target that is reached already passes nothing on.
            [ $unit != elkbake-storage ] || systemctl --no-block start multi-user.target
        else
            problem "$unit does not start: journalctl -u $unit"
        fi
    done
}

for argument in "$@"; do
    case $argument in
        --bake) bake=yes ;;
        *)
            echo "usage: $0 [--bake]" >&2
            exit 2
            ;;
    esac
done
mkdir -p $state
users
folders
kernel
daemon
agent
clock
reload
units
! is_running || refresh systemd-journald.service /etc/systemd/journald.conf.d/90-elkbake.conf
start
if [ $failed -gt 0 ]; then
    echo "elkbake: $failed problems" >&2
    exit 1
fi
[ $changed -gt 0 ] || echo "elkbake: nothing to change"
