// SPDX-License-Identifier: GPL-2.0-or-later
import {IntuneLab} from '../tests/lab/intune/lab.ts';
import {until} from '../tests/guest/support/waiting.ts';
import {benchIntuneOpen} from './intune-open.ts';
import {benchIntuneStart} from './intune-start.ts';
import type {Row} from './row.ts';

/** The passwords of administrators take no time here. */
const rule = `polkit.addRule(function (action) {
    if (action.id === 'org.frostyard.Snow1.intune.manage') return polkit.Result.YES;
});
`;

/** What a session has for a container. */
const SOCKETS = ['wayland-0', 'pipewire-0', 'pulse/native'].map(name => `/run/user/1001/${name}`);
const LISTEN =
    'const {createServer} = require("net"); for (const path of process.argv.slice(1)) createServer().listen(path)';

/** What alice has of her container. */
export async function benchIntune(): Promise<readonly Row[]> {
    await using lab = await IntuneLab.boot({
        name: 'bench-intune',
        files: {'/etc/polkit-1/rules.d/10-bench.rules': rule},
    });
    const {guest} = lab;
    await using session = await guest.openSession('alice');
    await guest.check('mkdir -p /run/user/1001/pulse', {user: 'alice'});
    guest.start(['node', '-e', LISTEN, ...SOCKETS], {user: 'alice'});
    await until('the registry listens', async () => {
        const {exitCode} = await guest.run('curl -sf http://127.0.0.1:5000/v2/');
        return exitCode === 0;
    });
    const init = ['snowctl', '--quiet', 'intune', 'init', '--no-password'];
    await guest.check(init, {session, timeout: 300_000});
    await guest.check(['snowctl', '--quiet', 'intune', 'start'], {session});
    const open = await benchIntuneOpen(guest, session);
    return [...(await benchIntuneStart(guest, session)), ...open];
}
