// SPDX-License-Identifier: GPL-2.0-or-later
// `install.mjs install|uninstall`, after a build: puts everything into place below DESTDIR and PREFIX
// (/usr), or takes just that away again.
import {cp, mkdir, readdir, rm, rmdir, symlink} from 'node:fs/promises';
import {dirname, join, resolve} from 'node:path';

const UUID = 'snow-control@frostyard.org';
const destination = process.env.DESTDIR ?? '';
const prefix = process.env.PREFIX ?? '/usr';

/** Source in the tree, target below the prefix. */
const files = [
    ['dist/snowctl', 'bin/snowctl'],
    ['dist/snowd', 'lib/snow-control/snowd'],
    ['dist/snow-broker', 'lib/snow-control/snow-broker'],
    ['dist/snow-image-job', 'lib/snow-control/snow-image-job'],
    ['dist/snow-intune-job', 'lib/snow-control/snow-intune-job'],
    ['dist/snow-intune-prepare', 'lib/snow-control/snow-intune-prepare'],
    ['dist/snow-next-boot', 'lib/snow-control/snow-next-boot'],
    ['dist/snow-smart-cards', 'lib/snow-control/snow-smart-cards'],
    ['dist/snow-sso-host', 'lib/snow-control/snow-sso-host'],
    ['dist/man/snowctl.1', 'share/man/man1/snowctl.1'],
    ['dist/completions/snowctl.bash', 'share/bash-completion/completions/snowctl'],
    ['dist/completions/_snowctl', 'share/zsh/vendor-completions/_snowctl'],
    ['dist/completions/snowctl.fish', 'share/fish/vendor_completions.d/snowctl.fish'],
    ['data/dbus/org.frostyard.Snow1.conf', 'share/dbus-1/system.d/org.frostyard.Snow1.conf'],
    [
        'data/dbus/org.frostyard.Snow1.service',
        'share/dbus-1/system-services/org.frostyard.Snow1.service',
    ],
    [
        'data/dbus/com.microsoft.identity.broker1.service',
        'share/dbus-1/services/com.microsoft.identity.broker1.service',
    ],
    ['data/systemd/snowd.service', 'lib/systemd/system/snowd.service'],
    ['data/systemd/snow-broker.service', 'lib/systemd/user/snow-broker.service'],
    [
        'data/systemd/snow-features-update.service',
        'lib/systemd/system/snow-features-update.service',
    ],
    [
        'data/systemd/snow-features-next-boot.service',
        'lib/systemd/system/snow-features-next-boot.service',
    ],
    ['data/systemd/snow-features-update.timer', 'lib/systemd/system/snow-features-update.timer'],
    ['data/libexec/snow-intune-device', 'lib/snow-control/snow-intune-device'],
    ['data/udev/70-snow-control.rules', 'lib/udev/rules.d/70-snow-control.rules'],
    ['data/systemd/snow-intune-device@.service', 'lib/systemd/system/snow-intune-device@.service'],
    ['data/systemd/snow-intune-seat.path', 'lib/systemd/system/snow-intune-seat.path'],
    ['data/systemd/snow-intune-seat.service', 'lib/systemd/system/snow-intune-seat.service'],
    ['data/systemd/snow-image-staged.path', 'lib/systemd/system/snow-image-staged.path'],
    ['data/systemd/snow-image-staged.service', 'lib/systemd/system/snow-image-staged.service'],
    ['polkit/org.frostyard.Snow1.policy', 'share/polkit-1/actions/org.frostyard.Snow1.policy'],
    [
        'polkit/examples/50-snow-control-admins.rules',
        'share/doc/snow-control/50-snow-control-admins.rules',
    ],
    [
        'interfaces/org.frostyard.Snow1.Manager.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Manager.xml',
    ],
    [
        'interfaces/org.frostyard.Snow1.Features.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Features.xml',
    ],
    [
        'interfaces/org.frostyard.Snow1.Feature.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Feature.xml',
    ],
    [
        'interfaces/org.frostyard.Snow1.Image.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Image.xml',
    ],
    [
        'interfaces/org.frostyard.Snow1.Intune.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Intune.xml',
    ],
    [
        'interfaces/org.frostyard.Snow1.Job.xml',
        'share/dbus-1/interfaces/org.frostyard.Snow1.Job.xml',
    ],
    [
        'interfaces/com.microsoft.identity.broker1.xml',
        'share/dbus-1/interfaces/com.microsoft.identity.Broker1.xml',
    ],
    ['data/channels.d/cayo.conf', 'lib/snow-control/channels.d/cayo.conf'],
    ['data/channels.d/cayoloaded.conf', 'lib/snow-control/channels.d/cayoloaded.conf'],
    ['data/channels.d/snow.conf', 'lib/snow-control/channels.d/snow.conf'],
    ['data/channels.d/snowfield.conf', 'lib/snow-control/channels.d/snowfield.conf'],
    ['data/channels.d/snowfieldloaded.conf', 'lib/snow-control/channels.d/snowfieldloaded.conf'],
    ['data/channels.d/snowloaded.conf', 'lib/snow-control/channels.d/snowloaded.conf'],
    [
        'data/systemd/user/snow-intune-autostart.service',
        'lib/systemd/user/snow-intune-autostart.service',
    ],
    ['data/systemd/user/snow-smart-cards.socket', 'lib/systemd/user/snow-smart-cards.socket'],
    ['data/systemd/user/snow-smart-cards.service', 'lib/systemd/user/snow-smart-cards.service'],
    ['data/environment/60-snow-control', 'lib/systemd/user-environment-generators/60-snow-control'],
    ['data/intune.conf', 'share/doc/snow-control/intune.conf'],
    ['COPYING', 'share/doc/snow-control/copyright'],
];
/** What a unit is started with, whatever the administrator enabled: target of the link, link below the prefix. */
const links = [
    [
        '../snow-intune-autostart.service',
        'lib/systemd/user/graphical-session.target.wants/snow-intune-autostart.service',
    ],
    ['../snow-smart-cards.socket', 'lib/systemd/user/sockets.target.wants/snow-smart-cards.socket'],
    [
        '../snow-features-next-boot.service',
        'lib/systemd/system/systemd-sysext.service.wants/snow-features-next-boot.service',
    ],
    [
        '../snow-image-staged.path',
        'lib/systemd/system/multi-user.target.wants/snow-image-staged.path',
    ],
];
/** Directories that are ours alone. */
const directories = [
    ['dist/extension', `share/gnome-shell/extensions/${UUID}`],
    ['data/container', 'lib/snow-control/container'],
    ['data/applications', 'share/snow-control/applications'],
    ['data/icons', 'share/snow-control/icons'],
];

const below = path => resolve('/', join(destination, prefix, path));

if (process.argv[2] === 'install') await install();
else if (process.argv[2] === 'uninstall') await uninstall();
else {
    console.error('usage: install.mjs install|uninstall');
    process.exitCode = 2;
}

async function install() {
    for (const [source, target] of [...files, ...directories]) {
        const path = below(target);
        await mkdir(dirname(path), {recursive: true});
        await rm(path, {recursive: true, force: true});
        await cp(source, path, {recursive: true});
    }
    for (const [target, link] of links) {
        const path = below(link);
        await mkdir(dirname(path), {recursive: true});
        await rm(path, {force: true});
        await symlink(target, path);
    }
}

async function uninstall() {
    for (const [, target] of [...files, ...links, ...directories]) {
        const path = below(target);
        await rm(path, {recursive: true, force: true});
        await removeEmptyParent(dirname(path));
    }
}

/** Only directories that carry our name, or were made for our link; the others are the system's, empty or not. */
async function removeEmptyParent(directory) {
    const ours =
        /\/(snow-control(\/channels\.d)?|(graphical-session|sockets)\.target\.wants|systemd-(sysext\.service\.wants|nspawn@intune-\.service\.d))$/;
    if (!ours.test(directory)) return;
    const left = await readdir(directory).catch(() => ['unknown']);
    if (left.length > 0) return;
    await rmdir(directory);
    await removeEmptyParent(dirname(directory));
}
