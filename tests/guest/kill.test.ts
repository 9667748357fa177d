// SPDX-License-Identifier: GPL-2.0-or-later
// snowd killed at many instants of its work, and what of it would survive a power cut.
import {copyFile} from 'node:fs/promises';
import {basename, join} from 'node:path';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {makeImage} from '../lab/images.ts';
import {componentDirectory} from '../lab/publication.ts';
import {SNAPSHOT, SnowGuest, imageName} from './support/snow-guest.ts';
import {callsOf} from './support/system-calls.ts';

let snow: SnowGuest;

/** What is done in a cycle, which ends as it began. Each needs the repository to offer something newer. */
const operations = [
    {line: 'features enable figlet', offered: ['1.0']},
    {line: 'features update figlet', offered: ['1.0', '1.1']},
    // a third version, for which InstancesMax= leaves no room
    {line: 'features update figlet', offered: ['1.0', '1.1', '1.2']},
    {line: 'features disable figlet', offered: ['1.0']},
] as const;

/** When snowd is killed: at a fraction of the time that the job takes, or when it says that it begins a step. */
type Instant = {readonly at: number} | {readonly step: string};

const instants: readonly Instant[] = [
    ...[0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.88, 0.94, 0.98].map(at => ({at})),
    ...['Preparing', 'Downloading', 'Installing', 'Merging'].map(step => ({step})),
];
const ENOUGH = 50;

beforeAll(async () => {
    snow = await SnowGuest.boot('desktop', {
        components: [{name: 'figlet', target: {InstancesMax: '2'}}, {name: 'jq'}],
    });
    await snow.offer('jq', ['1.7']);
    await snow.ok('features enable jq');
    await snow.repository.setFault('*', {kind: 'throttle', bytesPerSecond: 500_000});
});
afterAll(() => snow?.[Symbol.asyncDispose]());

/** Made once, so that it is the same whenever it is offered. */
let third: readonly string[] | undefined;

async function offer(versions: readonly string[]) {
    const made = versions.filter(version => version !== '1.2');
    await snow.offer('figlet', made);
    if (made.length === versions.length) return;
    third ??= await makeImage(join(snow.directory, 'made'), {
        name: 'figlet',
        version: '1.2',
        padding: 120_000,
        files: {'/usr/share/snow-lab/figlet.version': '1.2\n'},
    });
    for (const path of third)
        await copyFile(path, join(componentDirectory(snow.directory, 'figlet'), basename(path)));
    await snow.publish('figlet');
}

/** Prints all that an operation changes: the switch, the link, the images on disk, and what is merged. */
const STATE = `${SNAPSHOT}
systemd-sysext status --json=short | grep -o '"/usr","extensions":[^]]*'
cat /usr/share/snow-lab/figlet.version 2>/dev/null || echo no figlet
`;

interface Aftermath {
    /** Exit statuses of the command that lost its service, of the one after it, of doctor and of the second try. */
    readonly statuses: readonly number[];
    /** Whether the service was killed before the command had ended. */
    readonly isKilled: boolean;
    /** Images under their final names that are not what was signed. */
    readonly torn: string;
    readonly recovered: string;
    readonly doctor: string;
    readonly retried: string;
}

/** Kills the service in the middle of an operation, and looks at what the next commands find and leave. */
async function kill(line: string, instant: Instant, duration: number): Promise<Aftermath> {
    const [event, delay] =
        'at' in instant
            ? ['"type":"job"', (instant.at * duration).toFixed(3)]
            : [`"step":"${instant.step}`, '0'];
    const output = await snow.guest.check(`
        rm -f /run/stream
        # so many starts in so short a time systemd takes for a loop
        systemctl reset-failed snowd 2>/dev/null
        { snowctl ${line} --json=stream 2>&1; echo $? >/run/status; } | while read -r text; do
            echo "$text" >>/run/stream
            case $text in *'"type":"job"'*) pid=$(systemctl show --value -p MainPID snowd);; esac
            # systemd then ends what the service has started
            case $text in *'${event}'*) sleep ${delay}; kill -KILL "$pid" 2>/dev/null;; esac
        done
        cat /run/status
        echo ---; grep -c '"type":"error"' /run/stream
        echo ---; cd /var/lib/extensions.d && sha256sum [!.]*_*.raw 2>/dev/null
        echo ---; snowctl features check -q; echo $?
        echo ---; ${STATE}
        echo ---; snowctl doctor; echo $?
        echo ---; snowctl ${line} -q; echo $?
        echo ---; ${STATE}`);
    const [
        first = '',
        errors,
        sums = '',
        next = '',
        recovered = '',
        doctor = '',
        last = '',
        retried = '',
    ] = output.split('---\n');
    const numbers = (text: string) => (text.match(/^\d+$/gm) ?? []).map(Number);
    return {
        statuses: [...numbers(next), ...numbers(doctor), ...numbers(last)],
        isKilled: Number(errors) > 0 && numbers(first)[0] !== 0,
        torn: sums
            .split('\n')
            .filter(text => text !== '' && !known.has(text))
            .join('\n'),
        recovered,
        doctor: doctor.replace(/\d+\n$/, ''),
        retried,
    };
}

/** `HASH  NAME` of the images as they are when nothing went wrong. */
const known = new Set<string>();

test('killed at any instant leaves the old state or the new one, and the next command works', async () => {
    const states: string[] = [];
    const durations: number[] = [];
    const state = () => snow.guest.check(STATE);
    for (let round = 0; round < 2; round++) {
        for (const [index, {line, offered}] of operations.entries()) {
            await offer(offered);
            await snow.ok(`${line} -q`);
            const log = await snow.guest.journal('snowd.service');
            durations[index] = Number(/ done in ([\d.]+) s [^\n]*\n$/.exec(log)?.[1]);
            states[index] = await state();
            const sums = await snow.guest.run('cd /var/lib/extensions.d && sha256sum [!.]*_*.raw');
            sums.stdout.split('\n').forEach(text => known.add(text));
        }
    }

    const found = {old: 0, new: 0, done: 0};
    const attempt = async (index: number, instant: Instant) => {
        const {line, offered} = operations[index] ?? operations[0];
        await offer(offered);
        const [before, after] = [states.at(index - 1), states[index]];
        const aftermath = await kill(line, instant, durations[index] ?? 1);
        const where = `${line}, ${JSON.stringify(instant)}`;
        expect(aftermath.torn, where).toBe('');
        if (aftermath.recovered !== after) expect(aftermath.recovered, where).toBe(before);
        expect(aftermath.retried, where).toBe(after);
        expect(aftermath.doctor, where).toBe('No problem was found.\n');
        expect(aftermath.statuses, where).toEqual([0, 0, 0]);
        if (!aftermath.isKilled) found.done++;
        else if (aftermath.recovered === after) found.new++;
        else found.old++;
    };
    // some come too late, when the machine is quick or busy: then again
    const isEnough = () => found.old + found.new >= ENOUGH && found.new > 0;
    for (const instant of [...instants, ...instants, ...instants]) {
        if (isEnough()) break;
        for (const index of operations.keys()) await attempt(index, instant);
    }
    console.log(
        `snowd was killed ${found.old + found.new} times: ${found.old} times nothing had happened, ` +
            `${found.new} times all; ${found.done} times it was too late`,
    );
    expect(found.old + found.new).toBeGreaterThanOrEqual(ENOUGH);
    expect(found.new).toBeGreaterThan(0);
}, 600_000);

describe('in the order in which a power cut would find it', () => {
    test('everything is on the disk before it gets its name, and the name before what comes next', async () => {
        await offer(['1.0']);
        await snow.ok('features check');
        const pid = (
            await snow.guest.check(['systemctl', 'show', '--value', '-p', 'MainPID', 'snowd'])
        ).trim();
        const tracer = snow.guest.start([
            ...['strace', '-f', '-y', '-s', '200', '-o', '/run/trace', '-p', pid],
            `--trace=${traced.join(',')}`,
        ]);
        let said = '';
        tracer.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
        await expect.poll(() => said).toContain('attached');
        await snow.ok('features enable figlet');
        await offer(['1.0', '1.1']);
        await snow.ok('features update figlet');
        await snow.ok('features disable figlet');
        const closed = new Promise(resolve => tracer.once('close', resolve));
        await snow.guest.check(['pkill', '-INT', 'strace']);
        await closed;

        const calls = callsOf((await snow.guest.getFile('/run/trace')).toString()).filter(
            ({path}) => /^\/(etc|var)\//.test(path),
        );
        const renames = calls.filter(({name}) => name.startsWith('rename'));
        const targets = renames.map(({target}) => target);
        const journal = '/var/lib/snow-control/transaction.json';
        expect(targets).toEqual(
            expect.arrayContaining([
                journal,
                `/var/lib/extensions.d/${imageName('figlet', '1.0')}`,
                `/var/lib/extensions.d/${imageName('figlet', '1.1')}`,
                '/var/lib/extensions/figlet.raw',
                '/etc/sysupdate.figlet.d/figlet.feature.d/00-updex.conf',
            ]),
        );
        for (const rename of renames) {
            const at = calls.indexOf(rename);
            const before = calls.slice(0, at).filter(({path}) => path === rename.path);
            // a link has no content
            const isLink = before.some(({name}) => name.startsWith('symlink'));
            if (!isLink) expect(before.at(-1)?.name, rename.target).toMatch(/^f(data)?sync$/);
            expect(nextNaming(calls, at), rename.target).toBe('fsync');
        }
        for (const [at, call] of calls.entries())
            if (call.name.startsWith('unlink') && !call.path.includes('/.#'))
                expect(nextNaming(calls, at), call.path).toBe('fsync');

        // what the journal promises to undo is done after the journal, and finished before it goes
        const names = calls.flatMap(({name, path, target}) =>
            name.startsWith('rename') ? [target] : name.startsWith('unlink') ? [path] : [],
        );
        const visible = names.filter(name => !/\/\.#|^\/var\/cache\//.test(name));
        const groups = visible.join('\n').split(`${journal}\n`);
        expect(visible[0]).toBe(journal);
        expect(visible.at(-1)).toBe(journal);
        expect(groups.length).toBeGreaterThanOrEqual(4);
    });
});

const traced = [
    ...['write', 'pwrite64', 'writev', 'ftruncate', 'fsync', 'fdatasync'],
    ...['rename', 'renameat', 'renameat2', 'symlink', 'symlinkat', 'unlink', 'unlinkat'],
];

/** What is done to a directory after a name in it changed, before another name changes anywhere: `fsync`, or not. */
function nextNaming(calls: ReturnType<typeof callsOf>, at: number): string {
    const {path, target, name} = calls[at] ?? {path: '', target: '', name: ''};
    const changed = name.startsWith('rename') ? target : path;
    const directory = changed.slice(0, changed.lastIndexOf('/'));
    for (const call of calls.slice(at + 1)) {
        if (call.name === 'fsync' && call.path === directory) return 'fsync';
        if (/^(rename|unlink)/.test(call.name)) return `${call.name} ${call.path}`;
    }
    return 'the end';
}
