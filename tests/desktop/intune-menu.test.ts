// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, afterEach, beforeAll, describe, expect, test} from 'vitest';

import type {Desktop} from '../lab/desktop.ts';
import {absent, failed, outdated, running, stopped} from './containers.ts';
import {
    ExtensionDesktop,
    INTUNE_PATH,
    activeFeature,
    confirmation,
    indicator,
    intuneJob,
    intuneMenu,
    intuneToggle,
    jobPath,
} from './extension-desktop.ts';

const INTERACTIVE = 4;
const features = [activeFeature('docker', '27.5.1')];
const item = (label: string) => ({type: 'SnowControlActionItem', label, inside: intuneMenu});
const button = (label: string) => ({styleClass: 'modal-dialog-button', label});
const banner = {styleClass: 'notification-banner'};

let extension: ExtensionDesktop;
let desktop: Desktop;

beforeAll(async () => {
    extension = await ExtensionDesktop.start();
    desktop = extension.desktop;
});
afterEach(async () => {
    await extension.closeMenu();
    await extension.calls();
    await desktop.eval('Main.messageTray.getSources().forEach(source => source.destroy())');
    await desktop.assertNoWarnings();
});
afterAll(() => extension?.[Symbol.asyncDispose]());

async function texts(): Promise<string> {
    return (await desktop.find(intuneMenu)).text;
}

async function subtitle(): Promise<string> {
    return (await desktop.find(intuneToggle)).text.replace('Intune\n', '');
}

describe('the toggle', () => {
    test.each([
        ['no container', absent, 'Not set up', false],
        ['one that is stopped', stopped, 'Stopped', false],
        ['one that starts', {...stopped, State: 'starting'}, 'Starting…', true],
        ['one that runs', running, 'Running', true],
        ['one that stops', {...running, State: 'stopping'}, 'Stopping…', false],
        ['one that failed', failed, 'Failed', false],
    ])('tells of %s', async (title, intune, text, checked) => {
        await extension.show({features, intune});
        await desktop.openQuickSettings();
        expect(await desktop.find(intuneToggle)).toMatchObject({checked, text: `Intune\n${text}`});
        await extension.screenshot(`intune-toggle-${title.replaceAll(' ', '-')}`);
    });

    test('starts it by a click, with the variables of the session', async () => {
        await extension.show({features, intune: stopped});
        await desktop.openQuickSettings();
        await extension.calls();
        await desktop.click({label: 'Intune', inside: intuneToggle});
        await extension.settle();
        const [call, ...others] = await extension.calls();
        expect(others).toEqual([]);
        expect(call).toMatchObject({path: INTUNE_PATH, method: 'Start', flags: INTERACTIVE});
        const [{session}] = call?.args as [{session: readonly string[]}];
        expect(session).toContainEqual(expect.stringMatching(/^WAYLAND_DISPLAY=wayland-/));
        for (const variable of session)
            expect(variable).toMatch(/^(DISPLAY|XAUTHORITY|WAYLAND_DISPLAY|LANG)=./);
        expect(await subtitle()).toBe('Starting…');
        expect(await desktop.isShown(indicator)).toBe(true);
        await extension.screenshot('intune-starting');

        const number = await extension.lastJob();
        await extension.changeIntune({State: 'running'});
        await extension.finishJob(number, 'done');
        expect(await subtitle()).toBe('Running');
        expect(await desktop.isShown(indicator)).toBe(false);
    });

    test('stops it by a click', async () => {
        await extension.show({features, intune: running});
        await desktop.openQuickSettings();
        await extension.calls();
        await desktop.click({label: 'Intune', inside: intuneToggle});
        await extension.settle();
        expect(await extension.calls()).toEqual([
            {path: INTUNE_PATH, method: 'Stop', args: [{}], flags: INTERACTIVE},
        ]);
        expect(await subtitle()).toBe('Stopping…');
        await extension.changeIntune({State: 'stopped'});
        await extension.finishJob(await extension.lastJob(), 'done');
        expect(await subtitle()).toBe('Stopped');
    });

    test.each([
        ['there is no container', {features, intune: absent}],
        ['a job is on its way', {features, intune: stopped, jobs: {1: intuneJob('start')}}],
    ])('opens the menu by a click where %s', async (_what, world) => {
        await extension.show(world);
        await desktop.openQuickSettings();
        await extension.calls();
        await desktop.click({label: 'Intune', inside: intuneToggle});
        await desktop.find(intuneMenu);
        expect(await extension.calls()).toEqual([]);
    });

    test('is hidden where the service has no container of the user, as without a service', async () => {
        await extension.show({features, intune: null});
        await desktop.openQuickSettings();
        expect(await desktop.isShown(intuneToggle)).toBe(false);
    });

    test('is hidden by a setting', async () => {
        await extension.show({features, intune: stopped});
        await extension.changeSetting('show-intune', false);
        await desktop.openQuickSettings();
        expect(await desktop.isShown(intuneToggle)).toBe(false);
        await extension.changeSetting('show-intune', true);
        expect(await desktop.isShown(intuneToggle)).toBe(true);
    });

    test('keeps quiet about what runs in the container, and about the container of another', async () => {
        const world = {features, intune: running};
        const jobs = {
            1: intuneJob('run'),
            2: intuneJob('init', {Target: 'intune-u1002', StartedByUID: 1002}),
        };
        await extension.show({...world, jobs});
        await desktop.openQuickSettings();
        expect(await subtitle()).toBe('Running');
        expect(await desktop.isShown(indicator)).toBe(false);
        await extension.finishJob(1, 'failed', {error: ['x', 'exit status 1']});
        expect(await desktop.isShown(banner)).toBe(false);
    });
});

describe('what others do', () => {
    const unit = 'systemd-nspawn@intune-u1001.service';

    beforeAll(async () => {
        const register = [
            'busctl call org.freedesktop.machine1 /org/freedesktop/machine1',
            'org.freedesktop.machine1.Manager RegisterMachine sayssus',
            'intune-u1001 0 test container',
        ].join(' ');
        await extension.guest.check(`mkdir -p /run/systemd/system/${unit}.d
cat >/run/systemd/system/${unit}.d/90-test.conf <<'EOF'
[Service]
Type=exec
ExecStart=
ExecStart=/usr/bin/sleep infinity
ExecStartPost=/bin/sh -c '${register} $MAINPID ""'
DevicePolicy=auto
EOF
systemctl daemon-reload`);
    });

    /** In ms, from the command's end to what the toggle says. */
    async function timeOf(command: readonly string[], wanted: string): Promise<number> {
        await desktop.eval(`(() => {
            const find = actor => actor.constructor.$gtype?.name === '${intuneToggle.type}'
                ? actor
                : actor.get_children().map(find).find(Boolean);
            globalThis.seen = new Promise(resolve => {
                const toggle = find(global.stage);
                const id = toggle.connect('notify::subtitle', () => {
                    if (toggle.subtitle !== '${wanted}') return;
                    toggle.disconnect(id);
                    resolve(imports.gi.GLib.get_real_time() / 1000);
                });
            });
            return true;
        })()`);
        const ended = Number(await extension.guest.check(`${command.join(' ')} && date +%s%3N`));
        return (await desktop.eval<number>('globalThis.seen')) - ended;
    }

    test('with machinectl and systemctl shows within a second, though the service is silent', async () => {
        await extension.show({features, intune: stopped});
        await desktop.openQuickSettings();
        expect(await subtitle()).toBe('Stopped');
        await extension.changeIntune({State: 'running'}, true);
        expect(await subtitle()).toBe('Stopped');
        const started = await timeOf(['systemctl', 'start', unit], 'Running');

        await extension.changeIntune({State: 'stopped'}, true);
        const terminated = await timeOf(['machinectl', 'terminate', 'intune-u1001'], 'Stopped');
        console.log(`shown after ${started.toFixed(0)} and ${terminated.toFixed(0)} ms`);
        expect(Math.max(started, terminated)).toBeLessThan(3000);
        await extension.calls();
    });
});

describe('the menu', () => {
    test('offers to set it up, in a terminal', async () => {
        await extension.show({features, intune: absent});
        await extension.openIntuneMenu();
        expect(await texts()).not.toMatch(/Shell|Edge|Update/);
        await extension.screenshot('intune-absent');
        await terminal('xdg-terminal-exec');
        await desktop.click(item('Set Up…'));
        const [program, ...argv] = await terminalCall();
        expect(program).toBe('xdg-terminal-exec');
        expect(argv.slice(0, 2)).toEqual(['sh', '-c']);
        expect(argv.slice(-3)).toEqual(['snowctl', 'intune', 'init']);
        await desktop.waitGone(intuneMenu);
    });

    test('opens a shell in the terminal of the user, or in one that is there', async () => {
        await extension.show({features, intune: running});
        for (const [program, before] of [
            ['xterm', ['-e']],
            ['kgx', ['--']],
            ['xdg-terminal-exec', []],
        ] as const) {
            await terminal(program, program === 'xterm');
            await extension.openIntuneMenu();
            await desktop.click(item('Shell'));
            expect(await terminalCall()).toEqual([
                program,
                ...before,
                'snowctl',
                'intune',
                'shell',
            ]);
        }
        const scopes = await desktop.run('systemctl --user list-units --all --no-legend');
        expect(scopes).not.toMatch(/failed.*terminal/);
    });

    test('says that there is no terminal', async () => {
        await terminal(null);
        await extension.show({features, intune: running});
        await extension.openIntuneMenu();
        await desktop.click(item('Shell'));
        await desktop.find(banner);
        expect((await desktop.find(banner)).text).toContain('There is no terminal: install one');
    });

    test('opens an application at once in a container that runs', async () => {
        await extension.show({features, intune: running});
        await extension.openIntuneMenu();
        const text = await texts();
        expect(text).toMatch(/Microsoft Edge\nIntune Portal\nShell/);
        expect(text).toContain('Devices\nGraphics, Smart Cards');
        expect(text).not.toMatch(/Update…|Set up/);
        await extension.screenshot('intune-running');
        await extension.calls();
        await desktop.click(item('Intune Portal'));
        await extension.settle();
        const [call, ...others] = await extension.calls();
        expect(others).toEqual([]);
        expect(call).toMatchObject({
            path: INTUNE_PATH,
            method: 'Open',
            args: ['portal', {session: expect.any(Array) as unknown}],
            flags: INTERACTIVE,
        });
        expect(await subtitle()).toBe('Running');
        await extension.finishJob(await extension.lastJob(), 'done');
        await desktop.waitGone(intuneMenu);
    });

    test('shows that the container starts for an application, until its window comes', async () => {
        await extension.show({features, intune: stopped});
        await extension.openIntuneMenu();
        await extension.screenshot('intune-stopped');
        await desktop.click(item('Microsoft Edge'));
        await extension.settle();
        const number = await extension.lastJob();
        await extension.changeJob(number, {Step: 'Starting the container'});
        expect(await subtitle()).toBe('Starting…');
        expect(await texts()).toContain('Starting the container');
        await extension.screenshot('intune-open-starting');
        await extension.changeIntune({State: 'running'});
        await extension.finishJob(number, 'done');
        await desktop.waitGone(intuneMenu);
        expect(await desktop.isShown(banner)).toBe(false);
    });

    test('shows the progress of the setting up, and cancels it', async () => {
        const init = intuneJob('init', {
            Step: 'Downloading ghcr.io/frostyard/ubuntu-intune:latest (1.2 of 2.6 GB)',
        });
        await extension.show({features, intune: absent, jobs: {1: init}});
        await extension.openIntuneMenu();
        expect(await subtitle()).toBe('Setting up 45 %');
        expect(await texts()).toContain(`${init.Step}\n45 %`);
        await extension.screenshot('intune-init');
        await extension.calls();
        await desktop.click({styleClass: 'snow-cancel', name: 'Cancel: Intune'});
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{path: jobPath(1), method: 'Cancel'}]);
        expect(await subtitle()).toBe('Not set up');
    });

    test('updates it, after it said what that means', async () => {
        await extension.show({features, intune: outdated});
        await extension.openIntuneMenu();
        await extension.screenshot('intune-outdated');
        await desktop.click(item('Update…'));
        const {text} = await desktop.find(confirmation);
        expect(text).toContain('Update Intune?');
        expect(text).toContain('open applications are closed');
        await extension.screenshot('intune-confirm-update');
        await extension.calls();
        await desktop.click(button('Update'));
        await desktop.waitGone(confirmation);
        await extension.settle();
        expect(await extension.calls()).toMatchObject([
            {
                path: INTUNE_PATH,
                method: 'Recreate',
                args: [{session: expect.any(Array) as unknown}],
            },
        ]);
        const number = await extension.lastJob();
        await extension.changeJob(number, {Step: 'Unpacking ubuntu-intune', Progress: 0.7});
        await extension.openIntuneMenu();
        expect(await subtitle()).toBe('Updating 70 %');
        expect(await desktop.find(intuneToggle)).toMatchObject({checked: true});
        await extension.screenshot('intune-updating');
        await extension.closeMenu();
        await extension.changeIntune(running);
        await extension.finishJob(number, 'done');
        expect((await desktop.find(banner)).text).toContain('Intune updated');
        await extension.screenshot('intune-updated');
    });

    test('opens applications while the update is fetched', async () => {
        await extension.show({features, intune: outdated, jobs: {1: intuneJob('recreate')}});
        await extension.openIntuneMenu();
        await extension.calls();
        await desktop.click(item('Microsoft Edge'));
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{method: 'Open'}]);
        expect(await subtitle()).toBe('Updating 45 %');
        await extension.finishJob(await extension.lastJob(), 'done');
        await desktop.waitGone(intuneMenu);
    });

    test('checks for an update', async () => {
        await extension.show({features, intune: stopped});
        await extension.openIntuneMenu();
        await extension.calls();
        await desktop.click(item('Check for Updates'));
        await extension.settle();
        expect(await extension.calls()).toMatchObject([{method: 'Check', args: [{}]}]);
        expect(await subtitle()).toBe('Stopped');
        await extension.changeIntune({NewestDigest: outdated.NewestDigest});
        await extension.finishJob(await extension.lastJob(), 'done');
        await desktop.find(item('Update…'));
    });

    test('shows a problem in full, and why it did not start', async () => {
        await extension.show({features, intune: failed});
        await extension.openIntuneMenu();
        expect(await texts()).toContain(failed.Problem);
        await extension.screenshot('intune-failed');
        await extension.closeMenu();

        await extension.show({features, intune: stopped, jobs: {1: intuneJob('start')}});
        const error = ['org.frostyard.Snow1.Error.WrongState', 'The home is not there'] as const;
        await extension.finishJob(1, 'failed', {error});
        const {text} = await desktop.find(banner);
        expect(text).toContain('Could not start Intune');
        expect(text).toContain('The home is not there');
        await extension.openIntuneMenu();
        expect(await subtitle()).toBe('Failed');
        expect(await texts()).toContain('The home is not there');
    });
});

/** Puts a terminal in the guest that notes its arguments; without `isAlone` those before it stay. */
async function terminal(program: string | null, isAlone = true): Promise<void> {
    const directory = '/run/terminals';
    if (isAlone) await extension.guest.check(`rm -rf ${directory} && mkdir ${directory}`);
    await desktop.eval(
        `imports.gi.GLib.setenv('PATH', '${directory}:/usr/local/bin:/usr/bin:/bin', true)`,
    );
    if (program === null) return;
    await extension.guest.check(`cat >${directory}/${program} <<'EOF'
#!/bin/sh
{ printf '%s\\n' "\${0##*/}" "$@"; } >/tmp/terminal-call.new
mv /tmp/terminal-call.new /tmp/terminal-call
exec sleep 2
EOF
chmod +x ${directory}/${program}`);
}

/** The lines are its name and its arguments. */
async function terminalCall(): Promise<readonly string[]> {
    const file = '/tmp/terminal-call';
    await desktop.waitFor(
        async () => (await extension.guest.run(['test', '-e', file])).exitCode === 0,
    );
    const text = await extension.guest.check(`cat ${file} && rm ${file}`);
    return text.trim().split('\n');
}
