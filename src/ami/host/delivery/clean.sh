# Takes away what belongs to this one instance: its names and keys, its agents' identities, its past.
empty() {
    local folder
    for folder in "$@"; do
        [ ! -d "$root$folder" ] || find "$root$folder" -xdev -mindepth 1 -delete
    done
}

clean() {
    local home file unit
    # Who writes while it stops, or holds an identity in memory.
    for unit in amazon-ssm-agent amazon-cloudwatch-agent rsyslog chrony chronyd docker.socket docker containerd; do
        systemctl stop "$unit" 2> /dev/null
    done

    if is_debian; then
        rm -f -- "$root/usr/sbin/policy-rc.d"
        apt-get clean
        empty /var/lib/apt/lists
    else
        "$(command -v dnf || command -v yum)" clean all
        empty /var/cache/dnf /var/cache/yum
    fi

    # The next instance is new to cloud-init, and gets its own host keys, names and networks by it. A seed that the base
    # brought along stays.
    cloud-init clean --logs || find "$root/var/lib/cloud" -xdev -mindepth 1 -maxdepth 1 ! -name seed -exec rm -rf -- {} +
    rm -f -- "$root"/etc/ssh/ssh_host_*_key "$root"/etc/ssh/ssh_host_*_key.pub "$root"/etc/ssh/ssh_host_*_key-cert.pub

    # Empty and not away: to systemd a missing one means the first boot ever, at which it enables and disables units
    # as its presets have them, whatever was said here.
    : > "$root/etc/machine-id"
    [ -L "$root/var/lib/dbus/machine-id" ] || rm -f -- "$root/var/lib/dbus/machine-id"
    rm -f -- "$root/var/lib/systemd/random-seed" "$root/var/lib/systemd/credential.secret"

    # As the base has it: cloud-init gives every instance its own.
    [ ! -e "$root/etc/hostname" ] || : > "$root/etc/hostname"
    # By which Docker tells one host from another.
    rm -f -- "$root/var/lib/docker/engine-id" "$root/etc/docker/key.json"

    empty /var/lib/ecs/data /var/log/ecs /var/lib/amazon/ssm /var/log/amazon /var/lib/dhcp /var/lib/dhclient \
        /var/lib/NetworkManager /var/lib/chrony /tmp /var/tmp /var/crash

    while IFS=: read -r _ _ _ _ _ home _; do
        case $home in /root | /home/*) ;; *) continue ;; esac
        for file in .ssh/authorized_keys .bash_history .python_history .lesshst .viminfo .wget-hsts; do
            rm -f -- "$root$home/$file"
        done
    done < "$root/etc/passwd"

    # The journal goes on in memory; what is old in it is no business of the next instance.
    journalctl --relinquish-var 2> /dev/null
    empty /var/log/journal
    find "$root/var/log" -xdev -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.[0-9]' -o -name '*-[0-9]*' \) -delete
    find "$root/var/log" -xdev -type f -exec truncate -s 0 -- {} +
    return 0
}
