# How it begins. A part of storage.sh.
wait=120
seen='' # the disks of the instance's own, since when they are these, and how many it has where that is known
since=0
total=''
current="$conf"
trap finish EXIT
exec 9< "$conf"
flock 9
udevadm settle --timeout=30 || true
main
