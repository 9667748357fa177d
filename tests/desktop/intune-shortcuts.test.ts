// SPDX-License-Identifier: GPL-2.0-or-later
// The applications of a container in the overview, from when there is one until it is gone, and what is
// seen of a start that fails. The service is real; of the container there are only its shortcuts.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {Desktop} from '../lab/desktop.ts';
import {Guest} from '../lab/guest.ts';
import {installedSystem} from '../lab/installation.ts';

const SHARED = '/usr/share/snow-control';
const OWN = '/var/lib/snow-control/intune/u1001';
const EDGE = 'org.frostyard.Snow1.Edge.desktop';
const AUTOSTART = 'snow-intune-autostart.service';
/** Another browser, for the one of two schemes. */
const other = {
    '/usr/local/share/applications/other.desktop': `[Desktop Entry]
Type=Application
Name=Other
Exec=true %u
MimeType=x-scheme-handler/http;
`,
    '/usr/local/share/applications/mimeinfo.cache':
        '[MIME Cache]\nx-scheme-handler/http=other.desktop;\n',
};
const apps = `import('gi://Shell').then(({default: Shell}) => Shell.AppSystem.get_default())`;

let guest: Guest;
let desktop: Desktop;

beforeAll(async () => {
    guest = await Guest.boot('desktop', {install: await installedSystem(), files: other});
    desktop = await Desktop.start(guest);
}, 300_000);
afterEach(() => desktop.assertNoWarnings());
afterAll(() => guest?.[Symbol.asyncDispose]());

/** As the service does when a container has come into place. */
function addShortcuts(): Promise<string> {
    return guest.check(
        `mkdir -p ${OWN}/share/applications && ln -s ${SHARED}/icons ${OWN}/share/icons &&
            ln -s ${SHARED}/applications/* ${OWN}/share/applications/`,
    );
}

function isListed(): Promise<boolean> {
    return desktop.eval(`${apps}.then(system => system.lookup_app('${EDGE}') !== null)`);
}

async function unit(property: string): Promise<string> {
    const show = ['systemctl', '--user', 'show', '--value', '--property', property, AUTOSTART];
    return (await desktop.run(show)).trim();
}

test('the desktop entries are as the specification wants them', async () => {
    expect(await guest.check(`desktop-file-validate ${SHARED}/applications/*.desktop`)).toBe('');
});

test('nothing is in the overview, and nothing starts at login, where there is no container', async () => {
    expect(await isListed()).toBe(false);
    expect(await unit('WantedBy')).toBe('graphical-session.target');
    await desktop.run(['systemctl', '--user', 'start', AUTOSTART]);
    expect([await unit('ConditionResult'), await unit('ExecMainPID')]).toEqual(['no', '0']);
});

test('applications are there as soon as there is a container, with their icons', async () => {
    await addShortcuts();
    await desktop.waitFor(isListed, {what: 'the shell to know of Edge'});
    await desktop.eval('Main.overview.show()');
    await desktop.waitFor('Main.overview.visible');
    await desktop.type('intune');
    await desktop.find({label: 'Intune Portal'});
    await desktop.screenshot('out/desktop/intune-shortcuts.png');
    const hasIcon = await desktop.eval(
        `import('gi://St').then(({default: St}) => ['snow-intune-edge', 'snow-intune-portal-symbolic']
            .map(name => new St.IconTheme().has_icon(name)))`,
    );
    expect(hasIcon).toEqual([true, true]);
    await desktop.key('Escape');
    await desktop.key('Escape');
    await desktop.eval('Main.overview.hide()');
});

test('a user may choose Edge for links, and it is not chosen beside another browser', async () => {
    const handlers = (scheme: string) =>
        desktop.run([
            ...['systemd-run', '--user', '--quiet', '--pipe', '--wait', '--collect'],
            ...['gio', 'mime', `x-scheme-handler/${scheme}`],
        ]);
    expect(await handlers('http')).toMatch(/^Default application for .*: other\.desktop$/m);
    expect(await handlers('http')).toContain(EDGE);
    expect(await handlers('https')).toContain(EDGE);
});

test('a start that fails says so on the desktop', async () => {
    await desktop.eval(`${apps}.then(system => system.lookup_app('${EDGE}').activate())`);
    const notification = {styleClass: 'notification-banner'};
    await desktop.find(notification, {timeout: 20_000});
    const {text} = await desktop.find(notification);
    await desktop.screenshot('out/desktop/intune-start-failed.png');
    expect(text).toContain('Microsoft Edge could not be started');
    expect(text).toContain('There is no container; make one first (snowctl intune init)');
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
});

test('at login the service is asked, and a container that is not to start is left alone', async () => {
    await desktop.run(['systemctl', '--user', 'start', AUTOSTART]);
    expect([await unit('ConditionResult'), await unit('Result')]).toEqual(['yes', 'success']);
});

test('applications are gone with the container', async () => {
    await guest.check(['rm', '-rf', `${OWN}/share`]);
    await desktop.waitFor(async () => !(await isListed()), {what: 'the shell to forget Edge'});
});
