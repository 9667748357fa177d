// SPDX-License-Identifier: GPL-2.0-or-later
// npm start: a snow desktop on which a person turns on an extension by a click, told step by step.
// --keep: leaves it running, to be looked at in a browser.
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {definitionFiles} from './definitions.ts';
import {Desktop, type Query} from './desktop.ts';
import {builtExtensions, copyExtensions, extensions} from './extensions.ts';
import {serveInGuest} from './guest-repository.ts';
import {Guest} from './guest.ts';
import {installedSystem} from './installation.ts';
import {publish} from './publication.ts';
import {makeKey} from './signing.ts';
import {PASSWORD, tree} from './trees.ts';
import {viewDesktop} from './viewer.ts';

const uuid = 'snow-control@frostyard.org';
const feature = 'podman';
const descriptions: Readonly<Record<string, string>> = {
    podman: 'Containers with Podman',
    jq: 'Query JSON on the command line',
};
const port = 8000;
const started = Date.now();

/** What is to be undone at the end, whatever that is; last first. */
const undo: (() => PromiseLike<void>)[] = [];
const stopped = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopped.abort());

try {
    await Promise.race([demonstrate(), untilStopped()]);
} catch (error) {
    process.exitCode = 1;
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
} finally {
    for (const step of undo.reverse()) await step();
}

function own<T extends AsyncDisposable>(thing: T): T {
    undo.push(() => thing[Symbol.asyncDispose]());
    return thing;
}

async function demonstrate() {
    step('Building the desktop and the extensions (minutes the first time, then cached)');
    await tree('desktop');
    await builtExtensions();

    step('Publishing them in a signed repository');
    const directory = await mkdtemp(join(tmpdir(), 'demo-repository-'));
    undo.push(() => rm(directory, {recursive: true, force: true}));
    const names = Object.keys(extensions);
    await copyExtensions(join(directory, 'ext'), names);
    const key = own(await makeKey());
    for (const name of names) await publish(directory, name, {key});

    step('Booting Debian 13 with an immutable /usr and Snow Control installed');
    const url = `http://127.0.0.1:${port}`;
    const guest = own(
        await Guest.boot('desktop', {
            install: await installedSystem(),
            files: {
                ...definitionFiles(
                    ...names.map(name => ({
                        name,
                        url,
                        description: descriptions[name] ?? `Programs of ${name}`,
                    })),
                ),
                '/etc/systemd/import-pubring.gpg': await key.exportKeyring('binary'),
            },
        }),
    );
    const repository = own(await serveInGuest(guest, {directory, port}));
    await prove(guest, 'systemctl is-system-running; findmnt -no OPTIONS /usr | cut -c1-2');
    await prove(guest, 'snowctl features list');
    await prove(guest, `${feature} --version`, 127);

    step('Starting GNOME Shell, logged in as alice');
    const desktop = await Desktop.start(guest, {extensions: [uuid]});
    await prove(guest, 'gnome-shell --version');
    await picture(desktop, '1-desktop');

    step('Opening Quick Settings and its Extensions menu by two clicks');
    await openMenu(desktop);
    await picture(desktop, '2-extensions');

    step(`Clicking on the switch of ${feature}, and typing the administrator's password`);
    // slowed down, for the progress to be seen
    await repository.setFault('*', {kind: 'throttle', bytesPerSecond: 8_000_000});
    await desktop.click(row(feature));
    await desktop.find({styleClass: 'prompt-dialog-password-entry'}, {timeout: 15_000});
    await picture(desktop, '3-password');
    await desktop.type(PASSWORD);
    await desktop.key('Return');
    await desktop.waitGone({styleClass: 'prompt-dialog-password-entry'}, {timeout: 15_000});

    step('Watching its progress');
    if (!(await desktop.isShown(row(feature)))) await openMenu(desktop);
    await sleep(700);
    await picture(desktop, '4-progress');
    await desktop.waitFor(async () => (await isOn(desktop)) && !(await isWorking(desktop)), {
        timeout: 120_000,
        what: `the switch of ${feature} is on and its job has ended`,
    });
    await picture(desktop, '5-enabled');

    step('It is merged, and its program is there');
    await prove(guest, 'systemd-sysext status');
    await prove(guest, `${feature} --version`);
    await prove(guest, 'snowctl features list');
    await prove(guest, 'journalctl -o cat --no-pager -u snowd.service | tail -n 5');
    await desktop.assertNoWarnings();
    console.log(`\nDone in ${seconds()} s. The screenshots are in out/.`);
    await repository.clearFaults();
    if (process.argv.includes('--keep')) await keep(guest, desktop);
}

/** Lets a person look until Ctrl-C. */
async function keep(guest: Guest, desktop: Desktop) {
    const viewer = own(await viewDesktop(desktop));
    const shell = guest
        .commandLine(['bash', '--login'], {timeout: Infinity})
        .map(argument => (/^[\w=/.-]+$/.test(argument) ? argument : `'${argument}'`))
        .join(' ');
    console.log(`
The desktop is still running, until you press Ctrl-C.
  Look at it and click in it: ${viewer.url}
  The administrator's password is ${PASSWORD}
  A root shell in it:
    ${shell}`);
    await untilStopped();
}

function untilStopped(): Promise<void> {
    return new Promise(resolve => {
        if (stopped.signal.aborted) resolve();
        stopped.signal.addEventListener('abort', () => resolve(), {once: true});
    });
}

async function openMenu(desktop: Desktop) {
    if (!(await desktop.isShown({styleClass: 'quick-settings'}))) await desktop.openQuickSettings();
    await desktop.click({type: 'SnowControlFeaturesToggle', label: 'Extensions'});
    await desktop.find(row(feature));
}

/** The row of a feature, by the name that a screen reader says. */
function row(name: string): Query {
    return {name, type: 'SnowControlFeatureItem'};
}

async function isOn(desktop: Desktop): Promise<boolean> {
    const [widget] = await desktop.findAll({type: 'Switch', inside: row(feature)});
    return widget?.checked === true;
}

async function isWorking(desktop: Desktop): Promise<boolean> {
    return desktop.isShown({styleClass: 'snow-job'});
}

function step(text: string) {
    console.log(`\n[${seconds()} s] ${text}`);
}

function seconds() {
    return ((Date.now() - started) / 1000).toFixed(1);
}

/** Shows a command and what it says in the guest, where it must end with the exit status. */
async function prove(guest: Guest, command: string, exitCode = 0) {
    const {stdout, stderr, exitCode: found} = await guest.run(`${command} 2>&1`);
    console.log(`  # ${command}`);
    for (const line of `${stdout}${stderr}`.trimEnd().split('\n')) console.log(`  | ${line}`);
    if (found !== exitCode) throw new Error(`"${command}" ended with ${found}, not ${exitCode}`);
}

async function picture(desktop: Desktop, name: string) {
    console.log(`  picture: ${await desktop.screenshot(`out/demo-${name}.png`)}`);
}
