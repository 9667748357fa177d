// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {type IncomingMessage, type ServerResponse, createServer} from 'node:http';
import {createServer as createTlsServer} from 'node:https';
import type {AddressInfo} from 'node:net';
import {join, normalize} from 'node:path';

import {type Fault, announcedLength, answer, answerInstead, sendContent} from './faults.ts';

export type {Fault} from './faults.ts';

/** One request as it came. */
export interface RequestRecord {
    readonly method: string;
    readonly path: string;
    readonly range: string | null;
    readonly userAgent: string | null;
    /** Milliseconds since the epoch. */
    readonly at: number;
}

export interface RequestLog {
    readonly requests: readonly RequestRecord[];
    /** The most requests that were being answered at the same time. */
    readonly mostAtOnce: number;
}

export interface RepositoryOptions {
    /** Its files are served as they are at that moment; what is published later is there at once. */
    readonly directory: string;
    /** 0, the default: any free one. */
    readonly port?: number;
    readonly tls?: {readonly key: string; readonly cert: string};
}

/**
 * A download server that can be made to fail. In a guest's network it runs as a program of its own
 * (`GuestRepository`), driven over a control socket with the same methods.
 */
export interface Repository extends AsyncDisposable {
    /** `http://127.0.0.1:PORT`, without a slash at the end. */
    readonly url: string;
    /** Makes this path (`*`: every path without a fault of its own) fail, or work again with null. */
    setFault(path: string, fault: Fault | null): Promise<void>;
    clearFaults(): Promise<void>;
    /** What was asked for since the start or the last `clearLog`. */
    log(): Promise<RequestLog>;
    clearLog(): Promise<void>;
    close(): Promise<void>;
}

/** Serves a directory on the loopback of this process. */
export async function serveRepository(options: RepositoryOptions): Promise<Repository> {
    const {directory, port = 0, tls} = options;
    const faults = new Map<string, Fault>();
    let requests: RequestRecord[] = [];
    let active = 0;
    let mostAtOnce = 0;

    const takeFault = (path: string) => {
        const key = faults.has(path) ? path : '*';
        const fault = faults.get(key);
        if (fault?.times !== undefined) {
            if (fault.times > 1) faults.set(key, {...fault, times: fault.times - 1});
            else faults.delete(key);
        }
        return fault;
    };

    const handle = async (request: IncomingMessage, response: ServerResponse) => {
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        requests.push({
            method: request.method ?? '',
            path,
            range: request.headers.range ?? null,
            userAgent: request.headers['user-agent'] ?? null,
            at: Date.now(),
        });
        mostAtOnce = Math.max(mostAtOnce, ++active);
        let isAnswered = false;
        const finish = () => {
            if (!isAnswered) active--;
            isAnswered = true;
        };
        response.once('finish', finish).once('close', finish);
        const fault = takeFault(path);
        if (!(await answerInstead(fault, response)))
            await sendFile(
                join(directory, normalize(decodeURIComponent(path))),
                request,
                response,
                fault,
            );
    };
    const listener = (request: IncomingMessage, response: ServerResponse) => {
        handle(request, response).catch((error: unknown) => {
            // the client went away, or asked for nonsense
            if (!response.headersSent) answer(response, 500, 'text/plain', `${String(error)}\n`);
            else response.destroy();
        });
    };

    const server = tls ? createTlsServer(tls, listener) : createServer(listener);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const {port: actualPort} = server.address() as AddressInfo;
    const close = async () => {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
    };
    return {
        url: `${tls ? 'https' : 'http'}://127.0.0.1:${actualPort}`,
        setFault: async (path, fault) => {
            if (fault) faults.set(path, fault);
            else faults.delete(path);
        },
        clearFaults: async () => faults.clear(),
        log: async () => ({requests: [...requests], mostAtOnce}),
        clearLog: async () => {
            requests = [];
            mostAtOnce = active;
        },
        close,
        [Symbol.asyncDispose]: close,
    };
}

async function sendFile(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
) {
    const file = await stat(path).catch(() => undefined);
    if (!file?.isFile()) {
        answer(response, 404, 'text/plain', 'not found\n');
        return;
    }
    const range =
        fault?.kind === 'ignore-range' ? null : parseRange(request.headers.range, file.size);
    if (range === 'unsatisfiable') {
        response.setHeader('Content-Range', `bytes */${file.size}`);
        answer(response, 416, 'text/plain', 'no such range\n');
        return;
    }
    const start = range?.start ?? 0;
    const length = (range?.end ?? file.size - 1) - start + 1;
    response.writeHead(range ? 206 : 200, {
        'Content-Type': 'application/octet-stream',
        'Content-Length': announcedLength(fault, length),
        'Accept-Ranges': 'bytes',
        'Last-Modified': file.mtime.toUTCString(),
        ETag: `"${file.size}-${file.mtimeMs}"`,
        ...(range ? {'Content-Range': `bytes ${start}-${start + length - 1}/${file.size}`} : {}),
    });
    if (request.method === 'HEAD' || length === 0) {
        response.end();
        return;
    }
    const highWaterMark = fault?.kind === 'throttle' ? 16 * 1024 : 1024 * 1024;
    const chunks = createReadStream(path, {start, end: start + length - 1, highWaterMark});
    await sendContent(fault, response, {start, length, chunks});
}

function parseRange(header: string | undefined, size: number) {
    const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
    if (!match || (match[1] === '' && match[2] === '')) return null;
    const start = match[1] === '' ? Math.max(0, size - Number(match[2])) : Number(match[1]);
    const end =
        match[1] === '' || match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
    return start > end || start >= size ? ('unsatisfiable' as const) : {start, end};
}
