// SPDX-License-Identifier: GPL-2.0-or-later
// SIGKILL right before every single change of the disk: what is left is the old state or the new
// one, once the next run has cleaned up, and nothing else lies around.
import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {build} from 'esbuild';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {mapBounded} from '../../../helper/src/features/concurrency.ts';
import {enable, recover, update} from '../../../helper/src/features/operations.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {imageFileName} from '../../lab/images.ts';
import {type Machine, copyTree, makeMachine, quiet, snapshot, unstopped} from './machine.ts';
import {noUnits, refreshTree} from './sysext-tree.ts';

type Verb = 'enable' | 'disable' | 'update' | 'rollback';

let machine: Machine;
let work: string;
let program: string;
/** The tree from which each operation starts. */
const trees = new Map<Verb, string>();

beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'snow-crash-'));
    program = join(work, 'program.cjs');
    await build({
        entryPoints: [join(import.meta.dirname, 'crash-program.ts')],
        outfile: program,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        logLevel: 'error',
    });
    machine = await makeMachine();
    await machine.define({name: 'hello', target: {InstancesMax: '2'}}, {name: 'other'});
    await machine.offer([{name: 'other', version: '3'}]);
    await enable(machine.host, 'other', {}, quiet, unstopped);
    await machine.offer([{name: 'hello', version: '1.0'}]);
    trees.set('enable', await copyTree(machine.root));
    await enable(machine.host, 'hello', {}, quiet, unstopped);
    await machine.offer([{name: 'hello', version: '1.1'}]);
    await update(machine.host, null, {}, quiet, unstopped);
    trees.set('disable', await copyTree(machine.root));
    trees.set('rollback', await copyTree(machine.root));
    await machine.offer([
        {name: 'hello', version: '1.2'},
        {name: 'other', version: '4'},
    ]);
    trees.set('update', await copyTree(machine.root));
    // Copies have new time stamps of links: what is merged is merged from them.
    for (const tree of trees.values()) await refreshTree(tree, manner);
}, 60_000);

afterAll(async () => {
    await machine.dispose();
    for (const tree of [...trees.values(), work]) await rm(tree, {recursive: true, force: true});
});

const manner = {ignored: new Set<string>(), tellsOrigin: false};

/** The next start of the service on a tree. */
function hostOf(root: string): Host {
    return {
        ...localHost(root),
        systemd: {
            async runUnit(_name, command) {
                if (command[0] === 'systemd-sysext') await refreshTree(root, manner);
                return {exitCode: 0, signal: null, stdout: '', stderr: ''};
            },
            ...noUnits,
        },
    };
}

interface Crash {
    readonly root: string;
    readonly wasKilled: boolean;
    readonly log: readonly string[];
}

async function crash(verb: Verb, at: number): Promise<Crash> {
    const root = await copyTree(trees.get(verb) ?? '');
    await refreshTree(root, manner);
    return run(verb, root, at);
}

async function run(verb: Verb | 'recover', root: string, at: number): Promise<Crash> {
    const log = join(work, `${verb}-${at}.log`);
    await writeFile(log, '');
    const child = spawn(process.execPath, [program, root, verb, String(at), log], {
        stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (signal === null && code !== 0) throw new Error(`${verb} failed`);
    const lines = (await readFile(log, 'utf8')).split('\n').filter(Boolean);
    return {root, wasKilled: signal === 'SIGKILL', log: lines};
}

describe.each(['enable', 'disable', 'update', 'rollback'] as const)('%s', verb => {
    it('killed before any change of the disk leaves the old state or the new one', async () => {
        const start = await copyTree(trees.get(verb) ?? '');
        await refreshTree(start, manner);
        const before = await snapshot(start);
        const whole = await crash(verb, -1);
        const after = await snapshot(whole.root);
        expect(after).not.toEqual(before);
        const outcomes = new Set<string>();
        await mapBounded([...whole.log.keys()], 3, async at => {
            const {root, wasKilled, log} = await crash(verb, at);
            expect(wasKilled).toBe(true);
            await recover(hostOf(root));
            const found = await snapshot(root);
            const outcome = JSON.stringify(found) === JSON.stringify(after) ? 'new' : 'old';
            outcomes.add(outcome);
            expect(found, `killed before step ${at}: ${whole.log[at]}\n${log.join('\n')}`).toEqual(
                outcome === 'new' ? after : before,
            );
            await rm(root, {recursive: true, force: true});
        });
        expect(outcomes).toContain('old');
        await rm(start, {recursive: true, force: true});
        await rm(whole.root, {recursive: true, force: true});
    }, 120_000);

    it('has every file on the disk before it gets its name, and the name before it goes on', async () => {
        const {log, root} = await crash(verb, -1);
        for (const [index, line] of log.entries()) {
            const [, from, to] = /^rename (\S+) (\S+)$/.exec(line) ?? [];
            if (from === undefined || to === undefined) continue;
            const isLink = log.includes(`symlink ${from}`);
            if (!isLink) expect(log.slice(0, index)).toContain(`fsync ${from}`);
            const directory = to.slice(0, to.lastIndexOf('/'));
            // The manifests of several sources are cached at the same time, all else one by one.
            const isNext = (other: string): boolean =>
                !other.startsWith('open') &&
                (isCached(line) ? other.includes(directory) : !isCached(other));
            expect(log.slice(index + 1).find(isNext)).toBe(`fsync ${directory}`);
        }
        await rm(root, {recursive: true, force: true});
    });
});

function isCached(line: string): boolean {
    return line.includes('/var/cache/');
}

describe('the order of steps', () => {
    const position = (log: readonly string[], pattern: RegExp): number => {
        const found = log.findIndex(line => pattern.test(line));
        expect(found, `${pattern} in\n${log.join('\n')}`).toBeGreaterThanOrEqual(0);
        return found;
    };

    it('of enable: journal, image, link, merge, and only then the switch', async () => {
        const {log, root} = await crash('enable', -1);
        const steps = [
            /rename .*\/transaction\.json$/,
            new RegExp(`rename .*/${imageFileName('hello', '1.2', 'raw')}$`),
            /rename .*\/var\/lib\/extensions\/hello\.raw$/,
            /after the refresh/,
            /rename .*\/00-updex\.conf$/,
            /unlink .*\/transaction\.json$/,
        ].map(pattern => position(log, pattern));
        expect(steps).toEqual([...steps].sort((a, b) => a - b));
        await rm(root, {recursive: true, force: true});
    });

    it('of disable: link, unmerge, switch, and the images last', async () => {
        const {log, root} = await crash('disable', -1);
        const steps = [
            /rename .*\/transaction\.json$/,
            /unlink .*\/var\/lib\/extensions\/hello\.raw$/,
            /after the refresh/,
            /rename .*\/00-updex\.conf$/,
            /unlink .*\/hello_1\.0/,
            /unlink .*\/transaction\.json$/,
        ].map(pattern => position(log, pattern));
        expect(steps).toEqual([...steps].sort((a, b) => a - b));
        await rm(root, {recursive: true, force: true});
    });
});

it('a recovery that is killed itself is done by the next one', async () => {
    const start = await copyTree(trees.get('update') ?? '');
    await refreshTree(start, manner);
    const before = await snapshot(start);
    const {log} = await crash('update', -1);
    const afterRefresh = log.indexOf('after the refresh') + 1;
    const left = async (): Promise<string> => (await crash('update', afterRefresh)).root;
    const whole = await run('recover', await left(), -1);
    expect(whole.log.length).toBeGreaterThan(5);
    await mapBounded([...whole.log.keys()], 3, async at => {
        const {root, wasKilled} = await run('recover', await left(), at);
        expect(wasKilled).toBe(true);
        await recover(hostOf(root));
        expect(await snapshot(root), `killed before ${whole.log[at]}`).toEqual(before);
        await rm(root, {recursive: true, force: true});
    });
    await rm(start, {recursive: true, force: true});
}, 120_000);

it('a process that was killed while it unpacked leaves no decompressor', async () => {
    const image = `/ext/hello/${imageFileName('hello', '1.2')}`;
    await machine.repository.setFault(image, {kind: 'stall', afterBytes: 100});
    const root = await copyTree(trees.get('update') ?? '');
    const log = join(work, 'stalled.log');
    await writeFile(log, '');
    const child = spawn(process.execPath, [program, root, 'update', '-1', log], {stdio: 'ignore'});
    const ended = once(child, 'close');
    await until(async () => (await readFile(log, 'utf8')).includes('open /var/lib/extensions.d/'));
    await until(async () => decompressors(child.pid).length > 0);
    const [decompressor = 0] = decompressors(child.pid);
    child.kill('SIGKILL');
    await ended;
    await until(async () => spawnSync('kill', ['-0', String(decompressor)]).status !== 0);
    await machine.repository.clearFaults();
    await recover(hostOf(root));
    expect(Object.keys(await snapshot(root)).filter(path => path.includes('.#'))).toEqual([]);
    await rm(root, {recursive: true, force: true});
});

function decompressors(parent: number | undefined): readonly number[] {
    const {stdout} = spawnSync('ps', ['-o', 'pid=', '--ppid', String(parent)], {encoding: 'utf8'});
    return stdout.split('\n').filter(Boolean).map(Number);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
    while (!(await isTrue())) await new Promise(resolve => setTimeout(resolve, 20));
}
