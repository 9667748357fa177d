// SPDX-License-Identifier: GPL-2.0-or-later
// What is written down of the image: for snow's own readers, for the history, for the next service.
import {execFileSync} from 'node:child_process';
import {join} from 'node:path';

import fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import {
    HISTORY,
    type HistoryEntry,
    addToHistory,
    parseHistory,
    readHistory,
} from '../../../helper/src/image/history.ts';
import {parseJobArguments, jobArguments} from '../../../helper/src/image/job-request.ts';
import {initialState, parseJobState} from '../../../helper/src/image/job-state.ts';
import {
    availableOffer,
    readLastCheck,
    recordCheck,
    recordFailedCheck,
} from '../../../helper/src/image/last-check.ts';
import {readNextSystem, recordNextSystem} from '../../../helper/src/image/next-system.ts';
import {
    UPDATE_CHECK,
    UPDATE_STAGED,
    readUpdateCheck,
    readUpdateStaged,
    writeUpdateCheck,
    writeUpdateStaged,
} from '../../../helper/src/image/snosi-files.ts';
import {
    type ImageMachine,
    SNOW,
    deployment,
    digestOf,
    makeImageMachine,
    offer,
    statusOf,
} from './image-machine.ts';

let machine: ImageMachine;

beforeEach(async () => {
    machine = await makeImageMachine();
});
afterEach(() => machine.dispose());

/** As snow's scripts read their files. */
function key(name: string, path: string): string {
    const file = join(machine.root, path);
    return execFileSync('sed', ['-n', `s/^${name}=//p`, file], {encoding: 'utf8'}).trim();
}

/** As `date --iso-8601=seconds` says it. */
function isoDate(seconds: number): string {
    return execFileSync('date', ['--iso-8601=seconds', '-d', `@${seconds}`], {
        encoding: 'utf8',
        env: {...process.env, TZ: 'Europe/Berlin'},
    }).trim();
}

describe('update-check', () => {
    it('is read as the script wrote it, in any time zone', async () => {
        await machine.write({
            [UPDATE_CHECK]: `outcome=staged\nchecked_at=${isoDate(1_784_000_000)}\nimage=${SNOW}\nrunning_version=20260714\nremote_version=20260715\n`,
        });
        expect(await readUpdateCheck(machine.host)).toEqual({
            outcome: 'staged',
            checkedAt: 1_784_000_000,
            image: SNOW,
            runningVersion: '20260714',
            remoteVersion: '20260715',
        });
    });

    it('is written with the keys that the script writes, in their order', async () => {
        await writeUpdateCheck(machine.host, {
            outcome: 'failed',
            checkedAt: 1_784_000_000,
            image: SNOW,
            runningVersion: '20260714',
            remoteVersion: '',
        });
        expect(await machine.read(UPDATE_CHECK)).toBe(
            `outcome=failed\nchecked_at=2026-07-14T03:33:20+00:00\nimage=${SNOW}\nrunning_version=20260714\nremote_version=\n`,
        );
        expect(key('outcome', UPDATE_CHECK)).toBe('failed');
        expect(Date.parse(key('checked_at', UPDATE_CHECK))).toBe(1_784_000_000_000);
    });

    it('that makes no sense is none', async () => {
        for (const text of [
            '',
            'outcome=current',
            'outcome=perfect\nchecked_at=2026-07-14T03:33:20+00:00\n',
            'outcome=current\nchecked_at=yesterday\n',
            '\0\0\0',
        ]) {
            await machine.write({[UPDATE_CHECK]: text});
            expect(await readUpdateCheck(machine.host)).toBeNull();
        }
    });

    it('takes no second line from a version', async () => {
        await writeUpdateCheck(machine.host, {
            outcome: 'current',
            checkedAt: 1,
            image: SNOW,
            runningVersion: '1\noutcome=failed',
            remoteVersion: '',
        });
        expect(key('outcome', UPDATE_CHECK)).toBe('current');
    });
});

describe('update-staged', () => {
    it('names a container by its digest, and a native image by its version', async () => {
        await writeUpdateStaged(machine.host, 'bootc', deployment('2'), 1_784_000_000);
        expect(await machine.read(UPDATE_STAGED)).toBe(
            `image=${SNOW}\ndigest=${digestOf('2')}\nstaged_at=2026-07-14T03:33:20+00:00\n`,
        );
        const native = {...deployment('20260715120000'), image: 'snow-ab', digest: null};
        await writeUpdateStaged(machine.host, 'native', native, 1_784_000_000);
        expect(await machine.read(UPDATE_STAGED)).toBe(
            'image=snow-ab\nversion=20260715120000\nstaged_at=2026-07-14T03:33:20+00:00\n',
        );
        expect(await readUpdateStaged(machine.host)).toEqual({
            image: 'snow-ab',
            identity: {key: 'version', value: '20260715120000'},
            stagedAt: 1_784_000_000,
        });
        await writeUpdateStaged(machine.host, 'native', null, 1);
        expect(await machine.read(UPDATE_STAGED)).toBeNull();
    });

    it('of the same image stays word for word', async () => {
        const text = `image=${SNOW}\ndigest=${digestOf('2')}\nstaged_at=${isoDate(1_784_000_000)}\n`;
        await machine.write({[UPDATE_STAGED]: text});
        await writeUpdateStaged(machine.host, 'bootc', deployment('2'), 1_785_000_000);
        expect(await machine.read(UPDATE_STAGED)).toBe(text);
        await writeUpdateStaged(machine.host, 'bootc', deployment('3'), 1_785_000_000);
        expect(key('digest', UPDATE_STAGED)).toBe(digestOf('3'));
    });
});

describe('the last check', () => {
    const status = statusOf();

    it('is the later one of ours and the script’s', async () => {
        const available = {outcome: 'available', offer: offer('2')} as const;
        await recordCheck(machine.host, status, available, 1000);
        expect(await readLastCheck(machine.host)).toMatchObject({time: 1000, outcome: 'available'});
        const write = (outcome: string, at: number): Promise<void> =>
            machine.write({
                [UPDATE_CHECK]: `outcome=${outcome}\nchecked_at=${isoDate(at)}\nimage=${SNOW}\nrunning_version=1\nremote_version=\n`,
            });
        await write('current', 500);
        expect(await readLastCheck(machine.host)).toMatchObject({time: 1000});
        await write('failed', 2000);
        const failed = await readLastCheck(machine.host);
        expect(failed).toMatchObject({time: 2000, outcome: 'failed'});
        expect(availableOffer(failed, status)).toMatchObject({version: '2'});
        await write('current', 3000);
        expect(availableOffer(await readLastCheck(machine.host), status)).toBeNull();
    });

    it('offers nothing that is here, or of another image', () => {
        const check = {time: 1, outcome: 'available', followed: SNOW, offer: offer('2')} as const;
        expect(availableOffer(check, status)).toEqual(offer('2'));
        expect(availableOffer(check, statusOf({booted: deployment('2')}))).toBeNull();
        expect(availableOffer(check, statusOf({staged: deployment('2')}))).toBeNull();
        expect(availableOffer(check, statusOf({rollback: deployment('2')}))).toBeNull();
        expect(availableOffer(check, statusOf({followed: 'quay.io/a/b'}))).toBeNull();
        expect(availableOffer(null, status)).toBeNull();
    });

    it('that failed keeps what was found before', async () => {
        await recordCheck(machine.host, status, {outcome: 'available', offer: offer('2')}, 1000);
        await recordFailedCheck(machine.host, status, 2000);
        expect(await readLastCheck(machine.host)).toEqual({
            time: 2000,
            outcome: 'failed',
            followed: SNOW,
            offer: offer('2'),
        });
        expect(key('remote_version', UPDATE_CHECK)).toBe('2');
    });

    it('of rubbish is none', async () => {
        await machine.write({'/run/snow-control/image-check.json': '{"time": -1}'});
        expect(await readLastCheck(machine.host)).toBeNull();
    });
});

describe('the history', () => {
    const entry: HistoryEntry = {
        time: 1,
        operation: 'update',
        target: '',
        from: {image: SNOW, version: '1', digest: null},
        to: {image: SNOW, version: '2', digest: digestOf('2')},
        uid: 1000,
        outcome: 'done',
        error: '',
    };

    it('keeps the last 200 entries', async () => {
        for (let time = 0; time < 205; time++) await addToHistory(machine.host, {...entry, time});
        const history = await readHistory(machine.host);
        expect(history).toHaveLength(200);
        expect(history[0]?.time).toBe(5);
        expect(history.at(-1)).toEqual({...entry, time: 204});
    });

    it('keeps the last of several checks', async () => {
        const check = {...entry, operation: 'check'};
        for (const [time, one] of [entry, check, check, entry, check].entries())
            await addToHistory(machine.host, {...one, time});
        const history = await readHistory(machine.host);
        expect(history.map(({time}) => time)).toEqual([0, 2, 3, 4]);
    });

    it('reads what it can', () => {
        const line = JSON.stringify(entry);
        expect(
            parseHistory(`${line}\n\nrubbish\n[]\n{"time": "1"}\n${line.slice(0, 40)}\n${line}`),
        ).toEqual([entry, entry]);
        const old = '{"time":1,"operation":"check","uid":0,"outcome":"failed"}';
        expect(parseHistory(old)).toEqual([
            {
                time: 1,
                operation: 'check',
                target: '',
                from: null,
                to: null,
                uid: 0,
                outcome: 'failed',
                error: '',
            },
        ]);
    });

    it('begins anew when its file is larger than it can be', async () => {
        await machine.write({[HISTORY]: 'x'.repeat(2 * 1024 * 1024)});
        await addToHistory(machine.host, entry);
        expect(await readHistory(machine.host)).toEqual([entry]);
    });

    it('is there for everyone to read', async () => {
        await addToHistory(machine.host, entry);
        expect((await machine.host.files.status(HISTORY))?.mode).toBe(0o644);
    });
});

describe('the state of a job', () => {
    const request = {
        id: '6b8e5d3a-0000-4000-8000-000000000000',
        operation: 'switch',
        target: 'snowfield',
        reference: 'ghcr.io/frostyard/snowfield:latest',
        startedBy: 1000,
        maySoftReboot: false,
    } as const;
    const state = initialState(request);

    it('comes back as it was written', () => {
        const done = {...state, state: 'done', results: {version: '1', warnings: ['a'], n: 1}};
        expect(parseJobState(JSON.stringify(done))).toEqual(done);
        const failed = {...state, state: 'failed', error: ['Network', 'gone'], more: 1};
        expect(parseJobState(JSON.stringify(failed))).toMatchObject({error: ['Network', 'gone']});
    });

    it.each([
        ['state', 'perfect'],
        ['operation', 'destroy'],
        ['bytesDone', -1],
        ['bytesTotal', 'many'],
        ['startedBy', 1.5],
        ['error', ['Network']],
        ['error', ['NoSuchCode', 'text']],
        ['results', []],
        ['results', {version: null}],
        ['step', null],
        ['id', undefined],
    ])('is refused with %s of %j, naming the field', (field, value) => {
        const text = JSON.stringify({...state, [field]: value});
        expect(() => parseJobState(text)).toThrow(new RegExp(`state\\.json.*${field}`));
    });

    it('is refused in all other ways with an error of ours', () => {
        fc.assert(
            fc.property(fc.oneof(fc.string(), fc.json()), text => {
                expect(() => parseJobState(text)).toThrow(SnowError);
            }),
        );
    });

    it('is asked for in arguments that come back as they were', () => {
        expect(parseJobArguments(jobArguments(request))).toEqual(request);
        const update = {...request, operation: 'update', target: '', reference: ''} as const;
        expect(parseJobArguments(jobArguments(update))).toEqual(update);
        const soft = {...update, maySoftReboot: true};
        expect(parseJobArguments(jobArguments(soft))).toEqual(soft);
        expect(() => parseJobArguments(jobArguments({...request, maySoftReboot: true}))).toThrow(
            'switch does not take --soft-reboot',
        );
    });

    it.each([
        [['--job=x', '--started-by=0', '--', 'update']],
        [[`--job=${request.id}`, '--started-by=-1', '--', 'update']],
        [[`--job=${request.id}`, '--started-by=4294967296', '--', 'update']],
        [[`--job=${request.id}`, '--', 'update']],
        [[`--job=${request.id}`, '--started-by=0', '--', 'destroy']],
        [[`--job=${request.id}`, '--started-by=0', '--', 'switch']],
        [[`--job=${request.id}`, '--started-by=0', '--', 'switch', '--option']],
        [[`--job=${request.id}`, '--started-by=0', '--', 'update', SNOW]],
        [[`--job=${request.id}`, '--started-by=0', '--', 'switch', SNOW, 'more']],
        [[`--job=${request.id}`, '--started-by=0', '--root=/', '--', 'update']],
        [[`--job=${request.id}`, '--started-by=0', '--target=a b', '--', 'update']],
        [[]],
    ])('is refused when it is asked for as %j', args => {
        expect(() => parseJobArguments(args)).toThrow(
            expect.objectContaining({code: 'InvalidArgs'}),
        );
    });
});

describe('what is kept of the next system', () => {
    const system = {
        release: {ID: 'debian', PRETTY_NAME: 'A "quoted" $name `x` \\'},
        tree: '/sysroot/next',
    };

    it('is that of the very image', async () => {
        await recordNextSystem(machine.host, deployment('2'), system);
        expect(await readNextSystem(machine.host, deployment('2'))).toEqual(system);
        expect(await readNextSystem(machine.host, deployment('3'))).toBeNull();
        await recordNextSystem(machine.host, null, null);
        expect(await readNextSystem(machine.host, deployment('2'))).toBeNull();
        expect(await machine.host.files.list('/run/snow-control/next-system')).toEqual([]);
    });
});
