// SPDX-License-Identifier: GPL-2.0-or-later
import {once} from 'node:events';
import type {ServerResponse} from 'node:http';
import {setTimeout as sleep} from 'node:timers/promises';

/** What the repository does wrong when a path is asked for. `times`: only so many times, then all is well. */
export type Fault = {readonly times?: number} & (
    | {readonly kind: 'latency'; readonly ms: number}
    /** Accepts the request and never answers. */
    | {readonly kind: 'hang'}
    /** Sends the headers and so many bytes, then nothing more. */
    | {readonly kind: 'stall'; readonly afterBytes: number}
    /** Resets the connection after so many bytes. */
    | {readonly kind: 'reset'; readonly afterBytes: number}
    | {readonly kind: 'status'; readonly status: number}
    /** To the same path: a loop. */
    | {readonly kind: 'redirect'; readonly to: string; readonly status?: number}
    /** A page of HTML with status 200, as a captive portal gives. */
    | {readonly kind: 'html'}
    /** The file and so many bytes more, announced in Content-Length. */
    | {readonly kind: 'longer'; readonly bytes: number}
    /** Bytes without an announced length, until the client has enough or so many are sent. */
    | {readonly kind: 'endless'; readonly bytes: number}
    /** Announces the whole file, closes so many bytes before its end. */
    | {readonly kind: 'shorter'; readonly bytes: number}
    /** Flips one bit of the byte at this offset, so that the hash is wrong. */
    | {readonly kind: 'flip'; readonly at: number}
    | {readonly kind: 'body'; readonly text: string}
    | {readonly kind: 'throttle'; readonly bytesPerSecond: number}
    /** Answers a range request with the whole file. */
    | {readonly kind: 'ignore-range'}
);

/** A stretch of a file, from its byte `start`, on its way to the client. */
export interface Content {
    readonly start: number;
    readonly length: number;
    readonly chunks: AsyncIterable<Buffer>;
}

/** Answers without the file for the faults that need none; false: the file is wanted. */
export async function answerInstead(
    fault: Fault | undefined,
    response: ServerResponse,
): Promise<boolean> {
    switch (fault?.kind) {
        case 'hang':
            await once(response, 'close');
            return true;
        case 'status':
            answer(response, fault.status, 'text/plain', `status ${fault.status}\n`);
            return true;
        case 'redirect':
            response.setHeader('Location', fault.to);
            answer(response, fault.status ?? 302, 'text/plain', '');
            return true;
        case 'html':
            answer(
                response,
                200,
                'text/html',
                '<!doctype html>\n<title>Welcome</title>\n<p>Log in\n',
            );
            return true;
        case 'body':
            answer(response, 200, 'text/plain', fault.text);
            return true;
        case 'endless':
            response.writeHead(200, {'Content-Type': 'application/octet-stream'});
            await sendFiller(response, fault.bytes);
            response.end();
            return true;
        case 'latency':
            await sleep(fault.ms);
            return false;
        default:
            return false;
    }
}

export function answer(response: ServerResponse, status: number, type: string, text: string) {
    response.writeHead(status, {'Content-Type': type, 'Content-Length': Buffer.byteLength(text)});
    response.end(text);
}

/** The length to announce under this fault. */
export function announcedLength(fault: Fault | undefined, length: number) {
    return fault?.kind === 'longer' ? length + fault.bytes : length;
}

/** Sends the content, wrongly where the fault says so. */
export async function sendContent(
    fault: Fault | undefined,
    response: ServerResponse,
    {start, length, chunks}: Content,
) {
    const limit = bytesToSend(fault, length);
    let sent = 0;
    for await (const chunk of chunks) {
        const part = chunk.subarray(0, limit - sent);
        if (fault?.kind === 'flip') {
            const at = fault.at - start - sent;
            if (at >= 0 && at < part.length) part[at] = (part[at] ?? 0) ^ 1;
        }
        if (fault?.kind === 'throttle') await sleep((part.length / fault.bytesPerSecond) * 1000);
        if (!(await write(response, part))) return;
        sent += part.length;
        if (sent >= limit) break;
    }
    switch (fault?.kind) {
        case 'stall':
            await once(response, 'close');
            return;
        case 'reset':
            response.socket?.resetAndDestroy();
            return;
        case 'shorter':
            response.socket?.end();
            return;
        case 'longer':
            await sendFiller(response, fault.bytes);
    }
    response.end();
}

function bytesToSend(fault: Fault | undefined, length: number) {
    if (fault?.kind === 'stall' || fault?.kind === 'reset')
        return Math.min(length, fault.afterBytes);
    if (fault?.kind === 'shorter') return Math.max(0, length - fault.bytes);
    return length;
}

async function sendFiller(response: ServerResponse, bytes: number) {
    const block = Buffer.alloc(64 * 1024, 'x');
    for (let left = bytes; left > 0; left -= block.length)
        if (!(await write(response, block.subarray(0, left)))) return;
}

/** False when the client has gone. */
async function write(response: ServerResponse, data: Buffer): Promise<boolean> {
    if (response.destroyed) return false;
    if (response.write(data)) return true;
    const gone = new AbortController();
    try {
        await Promise.race([
            once(response, 'drain', {signal: gone.signal}),
            once(response, 'close', {signal: gone.signal}),
        ]);
    } finally {
        gone.abort();
    }
    return !response.destroyed;
}
