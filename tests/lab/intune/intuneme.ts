// SPDX-License-Identifier: GPL-2.0-or-later
// An installation that intuneme left: its configuration, its root directory in the user's home, and a
// device that was enrolled there.

import type {User} from '../trees.ts';
import {CONTAINER_PASSWORD, IMAGE, type IntuneLab} from './lab.ts';

const PORTAL = '/opt/microsoft/intune/bin/intune-portal';

export interface Intuneme {
    /** ~/.local/share/intuneme */
    readonly directory: string;
    /** As `intune-portal --check` in it says: account, device and token. */
    readonly enrolment: Readonly<Record<'account' | 'device' | 'token', string>>;
}

/**
 * Installs it for a user whose desktop runs, for the broker needs a display. Takes 15 s; afterwards
 * nothing of it runs.
 */
export async function makeIntuneme(lab: IntuneLab, user: User, account: string): Promise<Intuneme> {
    const environment = {
        OWNER: user,
        IMAGE: `docker://${IMAGE}:latest`,
        PASSWORD: CONTAINER_PASSWORD,
    };
    await lab.guest.check(install, {env: environment, timeout: 120_000});
    await startIntuneme(lab, user);
    await runInIntuneme(lab, user, `${PORTAL} --enrol ${account}`);
    const checked = await runInIntuneme(lab, user, `${PORTAL} --check`);
    await stopIntuneme(lab);
    return {
        directory: `/home/${user}/.local/share/intuneme`,
        enrolment: JSON.parse(checked) as Intuneme['enrolment'],
    };
}

/** Boots it, and makes its session ready for applications. */
export async function startIntuneme(lab: IntuneLab, user: User): Promise<void> {
    await lab.guest.check(start, {env: {OWNER: user}});
    // What it starts has to outlive it.
    await lab.guest.check([
        ...['systemd-run', `--machine=${user}@intuneme`, '--user', '--wait', '--quiet'],
        ...['--property=KillMode=process', '/usr/local/bin/intuneme-session-setup'],
    ]);
}

export async function stopIntuneme(lab: IntuneLab): Promise<void> {
    await lab.guest.check(['systemctl', 'stop', 'intuneme.service']);
}

/** Runs a shell script as its user, with the display; throws unless it exits with 0. Its output. */
export function runInIntuneme(lab: IntuneLab, user: User, script: string): Promise<string> {
    return lab.guest.check([
        ...['systemd-run', `--machine=${user}@intuneme`, '--user', '--wait', '--pipe', '--quiet'],
        ...['--setenv=WAYLAND_DISPLAY=/run/host-wayland', 'bash', '-c', script],
    ]);
}

/** What its `init` does, as far as it stays on the disk. */
const install = String.raw`
set -eu
home=/home/$OWNER
uid=$(id -u "$OWNER")
own() { setpriv --reuid="$OWNER" --regid="$OWNER" --init-groups env HOME="$home" "$@"; }
own mkdir -p "$home/.local/share/intuneme" "$home/Intune"
cd "$home/.local/share/intuneme"
skopeo copy --quiet "$IMAGE" oci:/var/tmp/intuneme:image
umoci unpack --image /var/tmp/intuneme:image /var/tmp/intuneme-bundle >/dev/null
mkdir rootfs
cp -a --no-target-directory /var/tmp/intuneme-bundle/rootfs rootfs
rm -rf /var/tmp/intuneme /var/tmp/intuneme-bundle

cd rootfs
groups=adm,sudo,video,audio,plugdev
inside() { chroot . "$@"; }
taken=$(inside getent group 992 | cut -d : -f 1)
inside groupmod --gid 991 "$taken"
inside groupmod --gid 992 render
inside useradd --uid "$uid" --create-home --shell /bin/bash --groups "$groups,render" "$OWNER"
printf '%s:%s\n' "$OWNER" "$PASSWORD" | inside chpasswd 2>/dev/null
echo "$(hostname)LXC" >etc/hostname
echo "127.0.0.1 $(hostname)LXC localhost" >etc/hosts
printf '%s\n' '[Unit]' 'Description=Fix home directory ownership' \
    'ConditionPathExists=!/var/lib/fix-home-ownership-done' '[Service]' 'Type=oneshot' \
    "ExecStart=/bin/chown -R $uid:$uid /home/$OWNER" \
    'ExecStartPost=/bin/touch /var/lib/fix-home-ownership-done' 'RemainAfterExit=yes' \
    '[Install]' 'WantedBy=multi-user.target' >etc/systemd/system/fix-home-ownership.service
ln -s /etc/systemd/system/fix-home-ownership.service etc/systemd/system/multi-user.target.wants/
echo "$OWNER ALL=(ALL) NOPASSWD: ALL" >etc/sudoers.d/intuneme
chmod 440 etc/sudoers.d/intuneme
printf '%s\n' '#!/bin/bash' 'export DISPLAY=:0 WAYLAND_DISPLAY=/run/host-wayland' \
    'dbus-update-activation-environment --systemd DISPLAY WAYLAND_DISPLAY' \
    'pkill -u "$(id -u)" -x gnome-keyring-d' \
    'mkdir -p ~/.local/share/keyrings' '[ -f ~/.local/share/keyrings/default ] || echo login >~/.local/share/keyrings/default' \
    'echo "" | gnome-keyring-daemon --unlock --components=secrets,pkcs11 -d 2>/dev/null' \
    'echo init | secret-tool store --label="Keyring Init" _keyring_init _keyring_init' \
    'sudo systemctl restart microsoft-identity-device-broker.service' >usr/local/bin/intuneme-session-setup
chmod 755 usr/local/bin/intuneme-session-setup
echo '[ -r /usr/local/bin/intuneme-session-setup ] && . /usr/local/bin/intuneme-session-setup' >etc/profile.d/intuneme.sh
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id

cat >"$home/.local/share/intuneme/config.toml" <<TOML
machine_name = "intuneme"
rootfs_path = "$home/.local/share/intuneme/rootfs"
host_uid = $uid
host_user = "$OWNER"
broker_proxy = false
insiders = false
mcp_binary = ""
TOML
chown "$OWNER:" "$home/.local/share/intuneme/config.toml"
`;

/** As its `start` does; the user manager stays. */
const start = String.raw`
set -eu
home=/home/$OWNER
uid=$(id -u "$OWNER")
mkdir -p "$home/.local/share/intuneme/rootfs/var/lib/systemd/linger"
touch "$home/.local/share/intuneme/rootfs/var/lib/systemd/linger/$OWNER"
systemd-run --quiet --collect --unit=intuneme --property=Type=notify --property=Delegate=yes \
    --property=KillMode=mixed \
    systemd-nspawn --quiet --keep-unit --notify-ready=yes --console=pipe --machine=intuneme \
    --directory="$home/.local/share/intuneme/rootfs" --boot --resolv-conf=off \
    --bind="$home/Intune:/home/$OWNER" --bind="/run/user/$uid/wayland-0:/run/host-wayland"
`;
