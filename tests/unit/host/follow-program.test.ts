// SPDX-License-Identifier: GPL-2.0-or-later
import {setTimeout as sleep} from 'node:timers/promises';

import {describe, expect, it} from 'vitest';

import type {FollowOptions, LineSource} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

const {follow} = localHost().programs;

interface Followed {
    readonly lines: (readonly [LineSource, string])[];
    readonly options: FollowOptions;
}

function follower(options: Partial<FollowOptions> = {}): Followed {
    const lines: (readonly [LineSource, string])[] = [];
    return {lines, options: {onLine: (line, from) => void lines.push([from, line]), ...options}};
}

function isAlive(pid: number): boolean {
    try {
        process.kill(pid, 0);
        return true;
    } catch {
        return false;
    }
}

async function untilGone(pid: number): Promise<void> {
    for (let tries = 0; isAlive(pid); tries++) {
        if (tries > 100) throw new Error(`${pid} is still there`);
        await sleep(20);
    }
}

describe('follow', () => {
    it('hands over lines as they come, and returns the end', async () => {
        const {lines, options} = follower();
        const result = await follow(
            [
                'sh',
                '-c',
                'echo one; echo two >&2; sleep .1; printf "three\\r\\nfour\\n\\nfive"; exit 3',
            ],
            options,
        );
        expect(result).toEqual({
            exitCode: 3,
            signal: null,
            stdout: 'one\nthree\nfour\nfive\n',
            stderr: 'two\n',
        });
        expect(lines.filter(([from]) => from === 'stdout').map(([, line]) => line)).toEqual([
            'one',
            'three',
            'four',
            'five',
        ]);
        expect(lines).toContainEqual(['stderr', 'two']);
    });

    it('hands over a line before the program ends', async () => {
        const stop = new AbortController();
        const {options} = follower({signal: stop.signal, onLine: () => stop.abort()});
        await expect(follow(['sh', '-c', 'echo started; sleep 60'], options)).rejects.toMatchObject(
            {
                code: 'Cancelled',
            },
        );
    });

    it('keeps characters whole that come in two pieces', async () => {
        const {lines, options} = follower();
        await follow(['sh', '-c', String.raw`printf '\303'; sleep .05; printf '\274\n'`], options);
        expect(lines).toEqual([['stdout', 'ü']]);
    });

    it('cuts long lines, also such that never end', async () => {
        const {lines, options} = follower({maxLine: 1000});
        const program =
            "const long = 'x'.repeat(3e6); console.log(long); console.log('short'); process.stdout.write(long)";
        const {stdout} = await follow([process.execPath, '-e', program], options);
        expect(lines.map(([, line]) => line.length)).toEqual([1000, 5, 1000]);
        expect(stdout).toHaveLength(2008);
    });

    it('keeps the last 64 KiB of what was printed', async () => {
        const {options} = follower();
        const {stderr} = await follow(
            ['sh', '-c', 'seq 1 100000 >&2; echo the reason >&2'],
            options,
        );
        expect(stderr.length).toBe(64 * 1024);
        expect(stderr.endsWith('100000\nthe reason\n')).toBe(true);
    });

    it('gives the program a real pipe for its progress', async () => {
        const {lines, options} = follower({progressPipe: true});
        const result = await follow(
            [
                'sh',
                '-c',
                'test -p "/proc/self/fd/$1" && echo pipe; echo "{\\"bytes\\": 1}" >&"$1"; seq 1 5000 >&"$1"',
                'sh',
                '{progress-fd}',
            ],
            options,
        );
        expect(result).toMatchObject({exitCode: 0, stdout: 'pipe\n'});
        const progress = lines.filter(([from]) => from === 'progress').map(([, line]) => line);
        expect(progress).toHaveLength(5001);
        expect(progress[0]).toBe('{"bytes": 1}');
        expect(progress.at(-1)).toBe('5000');
    });

    it('stops what the program started, too', async () => {
        const stop = new AbortController();
        let child = 0;
        const {options} = follower({
            signal: stop.signal,
            onLine(line) {
                child = Number(line);
                stop.abort();
            },
        });
        const start = performance.now();
        await expect(
            follow(['sh', '-c', 'sleep 60 & echo $!; wait'], options),
        ).rejects.toMatchObject({code: 'Cancelled'});
        await untilGone(child);
        expect(performance.now() - start).toBeLessThan(20_000);
    });

    it('kills what does not stop when it is asked to', async () => {
        const stop = new AbortController();
        const {lines, options} = follower({signal: stop.signal, stopGrace: 200});
        const running = follow(
            ['sh', '-c', 'trap "echo no" TERM; echo $$; while :; do sleep .05; done'],
            options,
        );
        while (lines.length === 0) await sleep(10);
        stop.abort();
        await expect(running).rejects.toMatchObject({code: 'Cancelled'});
        await untilGone(Number(lines[0]?.[1]));
        expect(lines).toContainEqual(['stdout', 'no']);
    });

    it('does not wait for a daemon that holds its output', async () => {
        const {lines, options} = follower();
        const start = performance.now();
        await follow(['sh', '-c', 'setsid sleep 30 & echo $!'], options);
        expect(performance.now() - start).toBeLessThan(20_000);
        process.kill(Number(lines[0]?.[1]), 'SIGKILL');
    });

    it('stops the program when its lines cannot be taken', async () => {
        const {options} = follower({
            onLine() {
                throw new Error('that is no line of ours');
            },
        });
        await expect(follow(['sh', '-c', 'echo one; sleep 60'], options)).rejects.toThrow(
            'that is no line of ours',
        );
    });

    it('says which program is missing, and starts none when it was aborted before', async () => {
        await expect(follow(['no-such-program'], follower().options)).rejects.toMatchObject({
            code: 'NotSupported',
            message: 'no-such-program is not installed',
        });
        const {lines, options} = follower({signal: AbortSignal.abort(), progressPipe: true});
        await expect(follow(['echo', 'started'], options)).rejects.toMatchObject({
            code: 'Cancelled',
        });
        expect(lines).toEqual([]);
    });

    it('passes an environment on, beside what every program gets', async () => {
        const {options} = follower({environment: {SNOW_TEST: 'a b'}});
        expect(await follow(['sh', '-c', 'echo "$SNOW_TEST $LC_ALL"'], options)).toMatchObject({
            stdout: 'a b C.UTF-8\n',
        });
    });
});
