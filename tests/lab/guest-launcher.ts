// SPDX-License-Identifier: GPL-2.0-or-later

/**
 * The shell program that holds one guest. It runs in a mount namespace of its own, so that its mounts
 * end with it: cgroup v2 in place of whatever the host has (as on real systems), the guest's root as an
 * overlay of the tree, its /usr as a read-only one. It ends the guest when its standard input ends, so
 * that no guest outlives the process that booted it.
 *
 * Environment: NAME, SCRATCH (its directory), LOWER and USR (overlay lower directories, the first on top),
 * IMMUTABLE and MACHINES (1 or empty), NETWORK (nspawn's option). nspawn's console goes to standard output.
 */
export const launcherScript = String.raw`
set -eu
mountpoint -q /sys/fs/cgroup && umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
group=/sys/fs/cgroup/$NAME
mkdir -p "$group"

mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$SCRATCH/upper,workdir=$SCRATCH/work" "$SCRATCH/root"
set -- --quiet --register=no --keep-unit --settings=no --link-journal=no --resolv-conf=off --timezone=off \
    --machine="$NAME" --console=pipe --system-call-filter=bpf $NETWORK --directory="$SCRATCH/root"
if [ "$IMMUTABLE" ]; then
    case $USR in
    *:*) mount -t overlay -o "ro,lowerdir=$USR" overlay "$SCRATCH/usr" ;;
    *) mount --bind "$USR" "$SCRATCH/usr" ;;
    esac
    set -- "$@" --bind-ro="$SCRATCH/usr:/usr"
fi

if [ "$MACHINES" ]; then
    mkdir -m 700 "$SCRATCH/machines"
    cp -a "$SCRATCH/root/home" "$SCRATCH/home"
    set -- "$@" --bind="$SCRATCH/machines:/var/lib/machines" --bind="$SCRATCH/home:/home"
fi

# dash gives a background job no standard input but /dev/null: hence descriptor 3
exec 3<&0
(
    cat <&3 >/dev/null
    # again and again, for a reboot may just be starting the next one
    while :; do
        echo 1 >"$group/cgroup.kill"
        touch "$SCRATCH/ending"
        sleep 0.1
    done
) 2>/dev/null &
watcher=$!
status=133
# 133: the guest wants to be rebooted
while [ "$status" = 133 ] && ! [ -e "$SCRATCH/ending" ]; do
    sh -c 'echo $$ >"$0/cgroup.procs"; exec 3<&-; export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1; exec systemd-nspawn "$@"' \
        "$group" "$@" --boot </dev/null &
    nspawn=$!
    status=0
    wait "$nspawn" || status=$?
done
kill "$watcher" 2>/dev/null || true
for pid in $(find "$group" -name cgroup.procs -exec cat {} +); do kill -9 "$pid" 2>/dev/null || true; done
for try in 1 2 3 4 5 6 7 8 9 10; do
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
done
exit "$status"
`;
