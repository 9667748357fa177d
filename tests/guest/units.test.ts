// SPDX-License-Identifier: GPL-2.0-or-later
// Units that systemd runs for snowd, with the systemd of Debian 13 and the newest one.
import {type ChildProcess, spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import {bundle} from '../bus/harness/bundle.ts';
import {Guest} from '../lab/guest.ts';
import type {Answer, Call} from './support/units-program.ts';
import {until} from './support/waiting.ts';

const PROGRAM = '/run/lab/units.cjs';

/** A process of a guest that calls systemd for us. */
class Caller {
    readonly #child: ChildProcess;
    readonly #waiting = new Map<number, (answer: Answer) => void>();
    #calls = 0;

    constructor(guest: Guest) {
        const [file = '', ...args] = guest.commandLine(['node', PROGRAM], {timeout: Infinity});
        this.#child = spawn(file, args, {stdio: ['pipe', 'pipe', 'inherit']});
        if (!this.#child.stdout) throw new Error('it has no output');
        createInterface(this.#child.stdout).on('line', line => {
            const answer = JSON.parse(line) as Answer;
            this.#waiting.get(answer.id)?.(answer);
        });
    }

    call(
        method: Call['method'],
        args: Call['args'],
        options: {readonly abortAfter?: number} = {},
    ): Promise<Answer> {
        const id = ++this.#calls;
        this.#child.stdin?.write(`${JSON.stringify({id, method, args, ...options})}\n`);
        return new Promise(resolve => this.#waiting.set(id, resolve));
    }

    kill(): void {
        this.#child.kill('SIGKILL');
    }

    end(): void {
        this.#child.stdin?.end();
    }
}

describe.each(['desktop', 'peer'] as const)('units of the tree %s', tree => {
    let guest: Guest;
    let caller: Caller;
    let unit = '';
    let count = 0;

    beforeAll(async () => {
        guest = await Guest.boot(tree, {name: `units-${tree}`});
        const directory = await mkdtemp(join(tmpdir(), 'units-'));
        await guest.copyIn(
            await bundle('tests/guest/support/units-program.ts', directory),
            PROGRAM,
        );
        await rm(directory, {recursive: true});
        caller = new Caller(guest);
    });
    afterAll(async () => {
        caller?.end();
        await guest?.kill();
    });

    const sh = (script: string) => ['sh', '-c', script] as const;
    const nextUnit = () => (unit = `lab-unit-${++count}`);
    const isLoaded = async () =>
        (await guest.check(['systemctl', 'list-units', '--all', '--plain', `${unit}*`])).includes(
            `${unit}.service`,
        );
    const isGone = () => until('the unit is gone', async () => !(await isLoaded()));
    /** Not at once: a start is queued first. */
    const isActivating = () =>
        expect
            .poll(async () => (await caller.call('activeState', [unit])).result)
            .toBe('activating');

    describe('runUnit', () => {
        test('returns what the program printed and its exit status', async () => {
            const script = 'echo out; echo err >&2; exit 7';
            const {result} = await caller.call('runUnit', [nextUnit(), sh(script)]);
            expect(result).toEqual({exitCode: 7, signal: null, stdout: 'out\n', stderr: 'err\n'});
            await isGone();
        });

        test('gives the program its input', async () => {
            const input = 'a line\nand another';
            const {result} = await caller.call('runUnit', [nextUnit(), ['cat'], {input}]);
            expect(result).toMatchObject({exitCode: 0, stdout: input});
        });

        test('tells of a signal', async () => {
            const {result} = await caller.call('runUnit', [nextUnit(), sh('kill -SEGV $$')]);
            expect(result).toMatchObject({exitCode: null, signal: 'SIGSEGV'});
        });

        test('ends a program that takes too long', async () => {
            const {result} = await caller.call('runUnit', [
                nextUnit(),
                sh('echo begun; exec sleep 60'),
                {timeout: 3000},
            ]);
            expect(result).toMatchObject({exitCode: null, signal: 'SIGTERM', stdout: 'begun\n'});
            await isGone();
        });

        test('passes the arguments word for word', async () => {
            const words = ['$HOME', '${PATH}', '%n', 'a b', '"', "'", '\\x41', '$$', ';', 'ä'];
            const {result} = await caller.call('runUnit', [
                nextUnit(),
                ['printf', '%s\n', ...words],
            ]);
            expect(result).toMatchObject({stdout: `${words.join('\n')}\n`});
        });

        test('fails for a program that is not there', async () => {
            const {result} = await caller.call('runUnit', [nextUnit(), ['/no/such/program']]);
            expect(result).toMatchObject({exitCode: 203});
            await isGone();
        });

        test('refuses more output than there may be', async () => {
            const {error, message} = await caller.call('runUnit', [
                nextUnit(),
                ['head', '-c', '2000', '/dev/zero'],
                {maxBuffer: 1000},
            ]);
            expect(error).toBe('Failed');
            expect(message).toContain('larger than 1000 bytes');
            await isGone();
        });

        test('stops the unit when it is aborted, and waits for its end', async () => {
            const {error} = await caller.call(
                'runUnit',
                [nextUnit(), sh('trap "sleep 0.5; exit 0" TERM; sleep 60 & wait')],
                {abortAfter: 200},
            );
            expect(error).toBe('Cancelled');
            expect((await caller.call('activeState', [unit])).result).toBe('inactive');
            await isGone();
        });

        test('tells of a unit that somebody else stopped', async () => {
            const running = caller.call('runUnit', [nextUnit(), ['sleep', '60']]);
            await until('it runs', async () => await isLoaded());
            await guest.check(['systemctl', 'stop', unit]);
            expect((await running).result).toMatchObject({exitCode: null, signal: 'SIGTERM'});
        });

        test('is Busy with a name that is in use, also without a process that waits for it', async () => {
            const other = new Caller(guest);
            void other.call('runUnit', [nextUnit(), ['sleep', '60']]);
            await until('it runs', async () => await isLoaded());
            expect((await caller.call('runUnit', [unit, ['true']])).error).toBe('Busy');
            other.kill();
            expect((await caller.call('runUnit', [unit, ['true']])).error).toBe('Busy');
            const waiting = caller.call('waitForUnit', [unit]);
            await guest.check(['systemctl', 'stop', unit]);
            await waiting;
            await isGone();
            expect((await caller.call('runUnit', [unit, ['true']])).result).toMatchObject({
                exitCode: 0,
            });
        });

        test('has no network where it is to have none', async () => {
            const list = ['cat', '/proc/net/dev'] as const;
            const properties = {privateNetwork: true};
            const {result} = await caller.call('runUnit', [nextUnit(), list, {properties}]);
            const {stdout} = result as {stdout: string};
            expect(stdout.match(/^ *\w+:/gm)).toEqual(['    lo:']);
            const own = await guest.check(['readlink', '/proc/self/ns/net']);
            const inside = await caller.call('runUnit', [
                nextUnit(),
                ['readlink', '/proc/self/ns/net'],
                {properties},
            ]);
            expect(inside.result).not.toMatchObject({stdout: own});
        });

        test('runs many at the same time, and keeps them apart', async () => {
            const names = Array.from({length: 10}, () => nextUnit());
            const answers = await Promise.all(
                names.map(name => caller.call('runUnit', [name, ['echo', name]])),
            );
            expect(answers.map(({result}) => (result as {stdout: string}).stdout)).toEqual(
                names.map(name => `${name}\n`),
            );
        });

        test('takes no name that is none', async () => {
            for (const name of ['', '../x', 'a b', 'x'.repeat(300), 'a\nb'])
                expect((await caller.call('runUnit', [name, ['true']])).error).toBe('InvalidArgs');
        });
    });

    describe('startUnit', () => {
        const description = 'A long work of the lab';

        test('outlives the process that started it, and says in the journal what it printed', async () => {
            const other = new Caller(guest);
            const {result} = await other.call('startUnit', [
                nextUnit(),
                sh(
                    'until test -e /run/lab/alone; do sleep 0.1; done; echo "said $WORD" >&2; touch /run/lab/outlived',
                ),
                {description, environment: {WORD: 'a b'}},
            ]);
            expect(result).toBeNull();
            other.kill();
            await isActivating();
            await guest.check(['touch', '/run/lab/alone']);
            expect((await caller.call('waitForUnit', [unit])).result).toBeNull();
            await guest.check(['test', '-e', '/run/lab/outlived']);
            await expect.poll(() => guest.journal(`${unit}.service`)).toContain('said a b\n');
            await isGone();
        });

        test('makes the unit that was asked for', async () => {
            await caller.call('startUnit', [
                nextUnit(),
                ['sleep', '60'],
                {description, before: ['shutdown.target', 'reboot.target'], stopTimeout: 3},
            ]);
            const shown = await guest.check(['systemctl', 'show', `${unit}.service`]);
            for (const line of [
                `Description=${description}`,
                'Type=oneshot',
                'CollectMode=inactive-or-failed',
                'KillMode=mixed',
                'TimeoutStartUSec=infinity',
                'TimeoutStopUSec=3s',
            ])
                expect(shown.split('\n')).toContain(line);
            expect(/^Before=(.*)$/m.exec(shown)?.[1]?.split(' ')).toEqual(
                expect.arrayContaining(['shutdown.target', 'reboot.target']),
            );
            await caller.call('stopUnit', [unit]);
            await isGone();
        });

        test('is Busy with a name that is in use', async () => {
            const args = [nextUnit(), ['sleep', '60'], {description}] as const;
            expect((await caller.call('startUnit', args)).error).toBeUndefined();
            expect((await caller.call('startUnit', args)).error).toBe('Busy');
            await caller.call('stopUnit', [unit]);
            await caller.call('waitForUnit', [unit]);
        });

        test('leaves nothing of a unit that failed', async () => {
            await caller.call('startUnit', [nextUnit(), ['false'], {description}]);
            await caller.call('waitForUnit', [unit]);
            await isGone();
        });
    });

    describe('waitForUnit', () => {
        test('returns at once for what is not there', async () => {
            expect((await caller.call('waitForUnit', [nextUnit()])).result).toBeNull();
            expect((await caller.call('activeState', [unit])).result).toBe('inactive');
        });

        test('goes on through a reload and a restart of systemd', async () => {
            const waiter = sh('until test -e /run/lab/reloaded; do sleep 0.1; done');
            await caller.call('startUnit', [nextUnit(), waiter, {description: 'Wait'}]);
            let isOver = false;
            const waiting = caller.call('waitForUnit', [unit]).finally(() => (isOver = true));
            await guest.check(['systemctl', 'daemon-reload']);
            await guest.check(['systemctl', 'daemon-reexec']);
            await isActivating();
            expect(isOver).toBe(false);
            await guest.check(['touch', '/run/lab/reloaded']);
            expect((await waiting).error).toBeUndefined();
            await isGone();
        });

        test('ends with the unit when that is stopped', async () => {
            await caller.call('startUnit', [nextUnit(), ['sleep', '60'], {description: 'Sleep'}]);
            const waiting = caller.call('waitForUnit', [unit]);
            expect((await caller.call('stopUnit', [unit])).result).toBeNull();
            expect((await waiting).result).toBeNull();
        });

        test('can be aborted, and leaves the unit alone', async () => {
            await caller.call('startUnit', [nextUnit(), ['sleep', '60'], {description: 'Sleep'}]);
            const {error} = await caller.call('waitForUnit', [unit], {abortAfter: 200});
            expect(error).toBe('Cancelled');
            await isActivating();
            await caller.call('stopUnit', [unit]);
            await isGone();
        });
    });

    test('stopUnit is content with a unit that is not there', async () => {
        expect((await caller.call('stopUnit', [nextUnit()])).result).toBeNull();
    });

    test('leaves no files behind, and takes those away of processes that were killed', async () => {
        await guest.check(['mkdir', '/run/snow-control/scratch-4194305-abcdef']);
        // One that was killed above may not be reaped yet.
        await expect
            .poll(async () => {
                await caller.call('runUnit', [nextUnit(), ['true']]);
                return guest.check('ls /run/snow-control');
            })
            .toBe('');
    });
});
