// SPDX-License-Identifier: GPL-2.0-or-later
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {rm} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

import {build} from 'esbuild';
import {Agent, request} from 'undici';

import type {Guest} from './guest.ts';
import type {Command, Started} from './repository-program.ts';
import type {Repository, RequestLog} from './repository.ts';
import {makeOwnDirectory} from './scratch.ts';

let count = 0;

/**
 * Serves a directory of the host on the loopback of a guest, which has a network of its own. Publish
 * into the directory from the test; faults and the log go over a socket.
 */
export async function serveInGuest(
    guest: Guest,
    options: {
        readonly directory: string;
        readonly port?: number;
        readonly tls?: {key: string; cert: string};
    },
): Promise<Repository> {
    const work = await makeOwnDirectory(`repository-${process.pid}-${++count}`);
    const socket = join(work, 'control');
    const program = join(work, 'repository-program.mjs');
    await build({
        entryPoints: [join(sourceDirectory(), 'repository-program.ts')],
        outfile: program,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        logLevel: 'warning',
    });
    const child = spawn(
        'nsenter',
        [
            `--target=${guest.leader}`,
            '--net',
            process.execPath,
            program,
            JSON.stringify({...options, socket}),
        ],
        {stdio: ['pipe', 'pipe', 'inherit']},
    );
    const ended = once(child, 'close');
    const [line] = (await Promise.race([once(child.stdout, 'data'), ended])) as [unknown];
    if (!Buffer.isBuffer(line)) throw new Error('the repository did not start');
    const {url} = JSON.parse(line.toString()) as Started;

    const agent = new Agent({connect: {socketPath: socket}});
    const send = async (command: Command): Promise<unknown> => {
        const {body} = await request('http://control/', {
            dispatcher: agent,
            method: 'POST',
            body: JSON.stringify(command),
        });
        return body.json();
    };
    const close = async () => {
        child.stdin.end();
        await ended;
        await agent.close();
        await rm(work, {recursive: true, force: true});
    };
    return {
        url,
        setFault: async (path, fault) => void (await send({do: 'setFault', path, fault})),
        clearFaults: async () => void (await send({do: 'clearFaults'})),
        log: async () => (await send({do: 'log'})) as RequestLog,
        clearLog: async () => void (await send({do: 'clearLog'})),
        close,
        [Symbol.asyncDispose]: close,
    };
}

/** tests/lab, whether this runs from there or from dist/lab. */
function sourceDirectory() {
    return join(dirname(fileURLToPath(import.meta.url)), '../../tests/lab');
}
