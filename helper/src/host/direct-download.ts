// SPDX-License-Identifier: GPL-2.0-or-later
// One GET over a connection of its own (RFC 9112), for bodies so large that the client library's
// buffers take as much of the processor as their decompression does: here, one is used again and again
// where there is no TLS.
import {type Socket, connect, isIP} from 'node:net';

import {SnowError} from './error.ts';

export interface DirectLimits {
    /** Milliseconds until there is a connection, until the headers are there, between two pieces of the body. */
    readonly connect: number;
    readonly headers: number;
    readonly stall: number;
}

export interface DirectResponse {
    readonly statusCode: number;
    /** By lower-case name; of several with one name the last. */
    readonly headers: Readonly<Record<string, string>>;
    /**
     * As it was sent, so that it is the body only without Transfer-Encoding. A piece is valid until
     * the next one is asked for. Ends with the connection.
     */
    readonly pieces: AsyncIterable<Uint8Array>;
    /** Whoever waits for a piece is told the error. */
    destroy(error?: Error): void;
}

const BUFFER_BYTES = 512 * 1024;
const MAX_HEAD_BYTES = 32 * 1024;

/** Sends the request and reads the head of the answer. Throws errors of the system, and SnowError Network. */
export async function requestDirectly(
    url: URL,
    headers: Readonly<Record<string, string>>,
    limits: DirectLimits,
    signal?: AbortSignal,
): Promise<DirectResponse> {
    const reader = new SocketReader(url, signal);
    try {
        await reader.connect(limits.connect);
        reader.write(requestHead(url, headers));
        let received: Buffer = Buffer.alloc(0);
        for (;;) {
            const end = received.indexOf('\r\n\r\n');
            if (end < 0) {
                if (received.length > MAX_HEAD_BYTES) throw malformed(url);
                const piece = await reader.next(limits.headers, 'the server does not answer');
                if (!piece) throw closedEarly(url);
                received = Buffer.concat([received, piece]);
                continue;
            }
            const head = parseHead(url, received.toString('latin1', 0, end));
            received = received.subarray(end + 4);
            // Not the answer yet, as 103 Early Hints.
            if (head.statusCode < 200) continue;
            return {
                ...head,
                pieces: piecesOf(reader, received, limits.stall),
                destroy: error => reader.destroy(error),
            };
        }
    } catch (error) {
        reader.destroy();
        throw error;
    }
}

async function* piecesOf(
    reader: SocketReader,
    first: Buffer,
    stall: number,
): AsyncGenerator<Uint8Array> {
    if (first.length > 0) yield first;
    for (;;) {
        const piece = await reader.next(stall, 'the server stopped sending');
        if (!piece) return;
        yield piece;
    }
}

function requestHead(url: URL, headers: Readonly<Record<string, string>>): string {
    // What a URL object hands out has neither spaces nor line ends.
    const lines = [
        `GET ${url.pathname}${url.search} HTTP/1.1`,
        `Host: ${url.host}`,
        'Connection: close',
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return `${lines.join('\r\n')}\r\n\r\n`;
}

function parseHead(url: URL, text: string): Pick<DirectResponse, 'statusCode' | 'headers'> {
    const [statusLine = '', ...lines] = text.split('\r\n');
    const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(statusLine)?.[1];
    if (status === undefined) throw malformed(url);
    const headers: Record<string, string> = Object.create(null) as Record<string, string>;
    for (const line of lines) {
        // eslint-disable-next-line no-control-regex -- they are what must not be there
        const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\n-\x1f\x7f]*)$/.exec(line);
        if (!match) throw malformed(url);
        const [, name = '', value = ''] = match;
        const key = name.toLowerCase();
        if (key === 'content-length' && key in headers) throw malformed(url);
        headers[key] = value.trimEnd();
    }
    return {statusCode: Number(status), headers};
}

/** Reads a socket piece by piece; without TLS, into one buffer. */
class SocketReader {
    readonly #url: URL;
    readonly #signal: AbortSignal | undefined;
    #socket: Socket | null = null;
    #piece: Buffer | null = null;
    #isEnded = false;
    #error: Error | null = null;
    #wake: () => void = () => undefined;

    constructor(url: URL, signal: AbortSignal | undefined) {
        this.#url = url;
        this.#signal = signal;
    }

    async connect(timeout: number): Promise<void> {
        const {protocol, hostname, port} = this.#url;
        const host = hostname.replace(/^\[(.*)\]$/, '$1');
        let isConnected = false;
        const connected = (): void => {
            isConnected = true;
            this.#wake();
        };
        if (protocol === 'https:') {
            const tls = await import('node:tls');
            const options = {host, port: Number(port) || 443, ALPNProtocols: ['http/1.1']};
            const servername = isIP(host) ? {} : {servername: host};
            this.#socket = tls.connect({...options, ...servername}, connected);
            // What was decrypted together comes together: one buffer would have its pieces over each other.
            this.#socket.on('data', piece => {
                this.#socket?.pause();
                this.#take(piece);
            });
        } else {
            const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
            const callback = (length: number): boolean => {
                this.#take(buffer.subarray(0, length));
                // Nothing more until this piece is done with.
                return false;
            };
            const options = {host, port: Number(port) || 80, onread: {buffer, callback}};
            this.#socket = connect(options, connected);
        }
        this.#socket.on('error', error => this.#fail(error));
        this.#socket.on('end', () => {
            this.#isEnded = true;
            this.#wake();
        });
        this.#socket.on('close', () => this.#fail(closedEarly(this.#url)));
        this.#socket.setNoDelay();
        this.#signal?.addEventListener('abort', this.#abort, {once: true});
        if (this.#signal?.aborted) this.#abort();
        await this.#until(() => isConnected, timeout, 'the server does not answer');
    }

    write(text: string): void {
        this.#socket?.write(text, 'latin1');
    }

    /** The next piece, valid until the one after it is asked for; null: there are no more. */
    async next(timeout: number, late: string): Promise<Buffer | null> {
        this.#piece = null;
        this.#socket?.resume();
        await this.#until(() => this.#piece !== null || this.#isEnded, timeout, late);
        return this.#piece;
    }

    destroy(error?: Error): void {
        if (error) this.#fail(error);
        this.#signal?.removeEventListener('abort', this.#abort);
        this.#socket?.destroy();
    }

    readonly #abort = (): void => {
        this.destroy(new SnowError('Cancelled', `Fetching ${this.#url} was stopped`));
    };

    #take(piece: Buffer): void {
        this.#piece = piece;
        this.#wake();
    }

    #fail(error: Error): void {
        this.#error ??= error;
        this.#wake();
    }

    async #until(isDone: () => boolean, timeout: number, late: string): Promise<void> {
        if (isDone()) return;
        const timer = setTimeout(() => {
            this.#fail(new SnowError('Network', `Cannot fetch ${this.#url}: ${late}`));
        }, timeout);
        try {
            while (!isDone()) {
                if (this.#error) throw this.#error;
                await new Promise<void>(resolve => (this.#wake = resolve));
            }
        } finally {
            clearTimeout(timer);
        }
    }
}

function malformed(url: URL): SnowError {
    return new SnowError('Network', `Cannot fetch ${url}: the answer is malformed`);
}

function closedEarly(url: URL): SnowError {
    return new SnowError('Network', `Cannot fetch ${url}: the connection was closed early`);
}
