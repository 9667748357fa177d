// SPDX-License-Identifier: GPL-2.0-or-later
// SIGKILL right before every single change of the disk while extensions are fetched for a staged OS
// image, and while the links are changed at boot.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {build} from 'esbuild';
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {followAtBoot} from '../../../helper/src/features/boot.ts';
import {mapBounded} from '../../../helper/src/features/concurrency.ts';
import {extensionsOfNextBoot} from '../../../helper/src/features/next-boot.ts';
import {NEXT_BOOT_RECORD} from '../../../helper/src/features/next-boot-record.ts';
import {enable, recover} from '../../../helper/src/features/operations.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {writeTree} from '../../lab/definitions.ts';
import {type Machine, copyTree, makeMachine, quiet, snapshot, unstopped} from './machine.ts';
import {noUnits, refreshTree} from './sysext-tree.ts';

const NEXT_RELEASE = '/run/snow-control/next-system/os-release';
const manner = {ignored: new Set<string>(), tellsOrigin: false};

let machine: Machine;
let work: string;
let program: string;
/** Before and after what is staged was fetched for, on Debian 13. */
let unfetched: string;
let fetched: string;

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
    await machine.define({name: 'hello'}, {name: 'other'});
    await machine.offer(
        ['13', '14'].flatMap(system => [
            {name: 'hello', version: '1.0', system},
            {name: 'other', version: '3', system},
        ]),
    );
    for (const name of ['hello', 'other']) await enable(machine.host, name, {}, quiet, unstopped);
    unfetched = await copyTree(machine.root);
    await writeTree(unfetched, {[NEXT_RELEASE]: release('14')});
    fetched = await copyTree(unfetched);
    await extensionsOfNextBoot(hostOf(fetched)).fetch(debian14, quiet, unstopped);
    for (const tree of [unfetched, fetched]) await refreshTree(tree, manner);
}, 60_000);

afterAll(async () => {
    await machine.dispose();
    for (const tree of [unfetched, fetched, work]) await rm(tree, {recursive: true, force: true});
});

const debian14 = {release: {ID: 'debian', VERSION_ID: '14'}, tree: null};

function release(version: string): string {
    return `ID=debian\nVERSION_ID=${version}\n`;
}

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

/** Runs an operation on a tree and kills it before its n-th change; the changes before that. */
async function kill(verb: 'fetch' | 'boot', root: string, at: number): Promise<readonly string[]> {
    const log = join(work, `${crypto.randomUUID()}.log`);
    await writeFile(log, '');
    const child = spawn(process.execPath, [program, root, verb, String(at), log], {
        stdio: ['ignore', 'inherit', 'inherit'],
    });
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    expect(signal).toBe(at < 0 ? null : 'SIGKILL');
    return (await readFile(log, 'utf8')).split('\n').filter(Boolean);
}

async function copyOf(tree: string): Promise<string> {
    const root = await copyTree(tree);
    await refreshTree(root, manner);
    return root;
}

/** As the restart into a system. */
async function setRelease(root: string, version: string): Promise<void> {
    await rm(join(root, 'run'), {recursive: true, force: true});
    await writeTree(root, {'/etc/os-release': release(version)});
}

async function bootInto(root: string, version: string): Promise<void> {
    await setRelease(root, version);
    await followAtBoot({...hostOf(root), systemd: null});
    await refreshTree(root, manner);
}

/** With what the record says, too. */
async function wholeSnapshot(root: string): Promise<object> {
    const record = await readFile(join(root, NEXT_BOOT_RECORD), 'utf8').catch(() => null);
    return {...(await snapshot(root)), record};
}

describe('fetching for a staged system, killed before any change of the disk,', () => {
    it('has not touched what runs, is done by the next try, and forgotten when nothing is staged', async () => {
        const start = await copyOf(unfetched);
        const before = await snapshot(start);
        const {merged} = before;
        const whole = await copyOf(unfetched);
        const log = await kill('fetch', whole, -1);
        expect(log.length).toBeGreaterThan(15);
        const after = await wholeSnapshot(whole);
        expect(after).not.toEqual(await wholeSnapshot(start));
        await mapBounded([...log.keys()], 3, async at => {
            const why = `killed before step ${at}: ${log[at]}`;
            const root = await copyOf(unfetched);
            await kill('fetch', root, at);
            const killed = await snapshot(root);
            expect(killed['merged'], why).toBe(merged);
            expect(killed['/var/lib/extensions/hello.raw'], why).toBe(
                before['/var/lib/extensions/hello.raw'],
            );
            const again = await copyOf(root);
            await extensionsOfNextBoot(hostOf(again)).fetch(debian14, quiet, unstopped);
            expect(await wholeSnapshot(again), why).toEqual(after);
            await rm(join(root, NEXT_RELEASE));
            await recover(hostOf(root));
            expect(await snapshot(root), why).toEqual(before);
            for (const tree of [root, again]) await rm(tree, {recursive: true, force: true});
        });
        for (const tree of [start, whole]) await rm(tree, {recursive: true, force: true});
    }, 120_000);
});

describe('changing the links at boot, killed before any change of the disk,', () => {
    it('is done by the next boot, into whichever system that is', async () => {
        const there = await copyOf(fetched);
        await bootInto(there, '14');
        const inNext = await wholeSnapshot(there);
        const back = await copyOf(there);
        await bootInto(back, '13');
        const inOld = await snapshot(back);
        expect(inOld).toMatchObject({merged: (await snapshot(fetched))['merged']});
        const whole = await copyOf(fetched);
        await setRelease(whole, '14');
        const log = await kill('boot', whole, -1);
        expect(log.length).toBeGreaterThan(10);
        await mapBounded([...log.keys()], 3, async at => {
            const why = `killed before step ${at}: ${log[at]}`;
            const root = await copyOf(fetched);
            await setRelease(root, '14');
            await kill('boot', root, at);
            const other = await copyOf(root);
            await bootInto(root, '14');
            expect(await wholeSnapshot(root), why).toEqual(inNext);
            await bootInto(other, '13');
            expect(await snapshot(other), why).toEqual(inOld);
            await bootInto(other, '14');
            expect(await snapshot(other), why).toMatchObject({
                merged: inNext['merged' as keyof object],
            });
            for (const tree of [root, other]) await rm(tree, {recursive: true, force: true});
        });
        for (const tree of [there, back, whole]) await rm(tree, {recursive: true, force: true});
    }, 120_000);
});
