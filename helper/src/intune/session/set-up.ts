// SPDX-License-Identifier: GPL-2.0-or-later
// What is done in a new root directory, as a script for its own shell, which sees nothing but that tree.

import type {Owner} from '../model.ts';
import type {Command} from './accounts.ts';

/** Where our files are in every container; bound there when it starts. */
export const CONTAINER_FILES = '/usr/lib/snow-control';

/** Where the device broker keeps who the device is. */
export const DEVICE_BROKER = '/var/lib/microsoft-identity-device-broker';

/** What has no business in a container that shares the network, the clock and the devices of its host. */
const MASKED = [
    'ModemManager.service',
    'NetworkManager.service',
    'NetworkManager-wait-online.service',
    'bluetooth.service',
    'console-getty.service',
    'e2scrub_all.timer',
    'e2scrub_reap.service',
    'fstrim.timer',
    'getty@.service',
    'serial-getty@.service',
    'systemd-networkd-wait-online.service',
    'systemd-networkd.service',
    'systemd-networkd.socket',
    'systemd-resolved.service',
    'systemd-timesyncd.service',
    'wpa_supplicant.service',
];

/** There is to be one keyring, which is unlocked. */
const MASKED_FOR_USERS = ['gnome-keyring-daemon.service', 'gnome-keyring-daemon.socket'];

/** Not started where the computer's own has the readers. */
const PCSCD = ['pcscd.service', 'pcscd.socket'];

/** Whoever asks the session's bus for a keyring gets ours. */
const BUS_NAMES = [
    'org.freedesktop.impl.portal.Secret',
    'org.freedesktop.secrets',
    'org.gnome.keyring',
];

export interface SetUp {
    readonly owner: Owner;
    readonly accounts: readonly Command[];
    readonly hostName: string;
    readonly machineId: string;
}

/** For `sh -euc`. */
export function setUpScript({owner, accounts, hostName, machineId}: SetUp): string {
    const {uid, gid, name} = owner;
    const home = `/home/${name}`;
    const session = 'snow-intune-session@.service';
    const system = '/etc/systemd/system';
    const users = '/etc/systemd/user';
    const services = '/usr/local/share/dbus-1/services';
    const ours = (unit: string): string => `${CONTAINER_FILES}/${unit}`;
    const commands: readonly Command[] = [
        ...accounts,

        // The user's home directory is bound there, and is to have this one's owner.
        ['mkdir', '-p', '--', '/home', '/var/lib/systemd/linger', CONTAINER_FILES],
        ['sh', '-c', 'if [ -h "$1" ] || [ ! -d "$1" ]; then rm -rf -- "$1"; fi', 'sh', home],
        ['mkdir', '-p', '--', home],
        ['chown', `${uid}:${gid}`, '--', home],
        ['chmod', '0700', '--', home],

        ['touch', '--', `/var/lib/systemd/linger/${name}`],
        ['mkdir', '-p', '--', `${system}/multi-user.target.wants`, users, services],
        ['mkdir', '-p', '--', '/etc/tmpfiles.d', ...PCSCD.map(unit => `${system}/${unit}.d`)],
        ...PCSCD.map(unit =>
            link(ours('snow-intune-pcscd.conf'), `${system}/${unit}.d/50-snow-control.conf`),
        ),
        link(ours('snow-intune-devices.conf'), '/etc/tmpfiles.d/snow-intune-devices.conf'),
        link(ours(session), `${system}/${session}`),
        link(`../${session}`, `${system}/multi-user.target.wants/${sessionUnit(uid)}`),
        link(ours('snow-intune-keyring.service'), `${users}/snow-intune-keyring.service`),
        ...BUS_NAMES.map(bus => link(ours(`${bus}.service`), `${services}/${bus}.service`)),
        ...MASKED.map(unit => link('/dev/null', `${system}/${unit}`)),
        ...MASKED_FOR_USERS.map(unit => link('/dev/null', `${users}/${unit}`)),
    ];
    const files: readonly (readonly [path: string, content: string])[] = [
        ['/etc/hostname', `${hostName}\n`],
        ['/etc/hosts', `127.0.0.1 localhost ${hostName}\n::1 localhost\n`],
        ['/etc/machine-id', `${machineId}\n`],
    ];
    return [
        ...commands.map(command => command.map(quote).join(' ')),
        ...files.flatMap(([path, content]) => [
            `rm -rf -- ${quote(path)}`,
            `printf %s ${quote(content)} >${quote(path)}`,
        ]),
        'rm -f /var/lib/dbus/machine-id',
        '',
    ].join('\n');
}

/** Of the container's own service manager: what it is ready with. */
export function sessionUnit(uid: number): string {
    return `snow-intune-session@${uid}.service`;
}

/** The container's, from the host's. */
export function containerHostName(host: string): string {
    const [name = ''] = host.split('.');
    return `${
        name
            .replace(/[^A-Za-z0-9-]/g, '')
            .replace(/^-+/, '')
            .slice(0, 60) || 'snow'
    }LXC`;
}

/** Whatever is there is replaced; a directory stays, and has the link fail. */
function link(target: string, path: string): Command {
    return ['ln', '-sfnT', '--', target, path];
}

function quote(word: string): string {
    return `'${word.replaceAll("'", `'\\''`)}'`;
}
