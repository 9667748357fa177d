// SPDX-License-Identifier: GPL-2.0-or-later
// eslint-disable-next-line @typescript-eslint/triple-slash-reference -- a declaration of other modules cannot be imported
/// <reference path="./undici-parts.d.ts" />
import {setMaxListeners} from 'node:events';
import {Readable} from 'node:stream';

import type {Dispatcher, EnvHttpProxyAgent} from 'undici';

import {bufferCounter} from './buffers.ts';
import {SnowError} from './error.ts';
import type {Http, HttpOptions, SizedStream} from './host.ts';

/** Milliseconds and bytes; a test makes them shorter. */
export interface HttpLimits {
    readonly connect: number;
    /** Until the headers are there. */
    readonly headers: number;
    /** Between two pieces of a body. */
    readonly stall: number;
    /** For a whole small file, as a manifest is. */
    readonly whole: number;
    /** A body that brings fewer than minimumBytes in this time is given up. */
    readonly slow: number;
    readonly minimumBytes: number;
}

export const httpLimits: HttpLimits = {
    connect: 10_000,
    headers: 20_000,
    stall: 30_000,
    whole: 60_000,
    slow: 60_000,
    minimumBytes: 64 * 1024,
};

/** Bytes of a body that wait here for whoever reads it. */
const BODY_BUFFER = 256 * 1024;

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const NOT_THERE = new Set([404, 410]);

interface HttpClient {
    readonly agent: EnvHttpProxyAgent;
    readonly request: (
        this: Dispatcher,
        options: Dispatcher.RequestOptions<null>,
    ) => Promise<Dispatcher.ResponseData<null>>;
}

/**
 * Only when something is fetched, and only what fetches: all of undici takes longer to load than
 * the rest of a program that lists features.
 */
async function loadClient(options: EnvHttpProxyAgent.Options): Promise<HttpClient> {
    const {setFlagsFromString} = await import('node:v8');
    // The parser of undici is WebAssembly; optimising it takes 30 MiB and wins nothing on bodies.
    setFlagsFromString('--no-wasm-dynamic-tiering');
    setFlagsFromString('--liftoff-only');
    const [{default: Agent}, {default: request}] = await Promise.all([
        import('undici/lib/dispatcher/env-http-proxy-agent.js'),
        import('undici/lib/api/api-request.js'),
    ]);
    return {agent: new Agent(options), request};
}

/** A piece of it is valid until the next one is asked for. */
interface Body extends AsyncIterable<Uint8Array> {
    destroy(error?: Error): unknown;
}

interface Answer {
    readonly statusCode: number;
    readonly headers: Readonly<Record<string, string | string[] | undefined>>;
    readonly body: Body;
}

const requestHeaders = {'accept-encoding': 'identity', 'user-agent': 'snow-control'} as const;

interface RequestOptions {
    readonly signal?: AbortSignal;
    readonly offset?: number;
}

/** HTTP by undici, with the proxies of the environment; see host.ts. */
export function localHttp(limits: HttpLimits = httpLimits): Http {
    let loaded: Promise<HttpClient> | undefined;

    const client = (): Promise<HttpClient> =>
        (loaded ??= loadClient({
            connect: {timeout: limits.connect},
            headersTimeout: limits.headers,
            bodyTimeout: limits.stall,
            maxHeaderSize: 32 * 1024,
        }));

    /** Small files come over connections that are kept, large ones over one of their own. */
    async function open(
        address: string,
        options: HttpOptions,
        isLarge = true,
    ): Promise<SizedStream> {
        const get = (url: URL): Promise<Answer> =>
            isLarge && !options.offset && !hasProxy()
                ? getDirectly(url, options)
                : request('GET', url, options);
        const {url, answer} = await follow(get, address, options.offset ? 206 : 200);
        return accept(url, answer, options);
    }

    /** The answer that the redirects lead to. */
    async function follow<Kind extends Answer>(
        send: (url: URL) => Promise<Kind>,
        address: string,
        expected = 200,
    ): Promise<{readonly url: URL; readonly answer: Kind}> {
        let url = parseUrl(address);
        for (let redirects = 0; ; redirects++) {
            const answer = await send(url);
            const {statusCode, headers, body} = answer;
            const location = headers['location'];
            if (REDIRECTS.has(statusCode) && typeof location === 'string') {
                body.destroy();
                if (redirects === MAX_REDIRECTS)
                    throw new SnowError('Network', `${address} redirects too often`);
                url = redirected(url, location);
                continue;
            }
            if (statusCode === expected) return {url, answer};
            body.destroy();
            throw NOT_THERE.has(statusCode)
                ? new SnowError('NotFound', `${url} is not there (HTTP status ${statusCode})`)
                : new SnowError('Network', `${url} answers with HTTP status ${statusCode}`);
        }
    }

    async function request(
        method: 'GET' | 'HEAD',
        url: URL,
        {signal, offset}: RequestOptions,
    ): Promise<Dispatcher.ResponseData> {
        // Many requests of one operation end with the same signal; that is no leak.
        if (signal) setMaxListeners(0, signal);
        if (signal?.aborted) throw new SnowError('Cancelled', `${url} was not fetched`);
        try {
            const {agent, request: send} = await client();
            const response = await send.call(agent, {
                origin: url.origin,
                path: url.pathname + url.search,
                method,
                highWaterMark: BODY_BUFFER,
                headers: {...requestHeaders, ...(offset ? {range: `bytes=${offset}-`} : {})},
                ...(signal ? {signal} : {}),
            });
            // Without a listener an error that comes after we lost interest would end the process.
            response.body.on('error', () => undefined);
            return response;
        } catch (error) {
            throw networkError(url, error, signal);
        }
    }

    async function getDirectly(url: URL, options: RequestOptions): Promise<Answer> {
        const {signal} = options;
        if (signal) setMaxListeners(0, signal);
        const {requestDirectly} = await import('./direct-download.ts');
        try {
            const response = await requestDirectly(url, requestHeaders, limits, signal);
            const {statusCode, headers, pieces} = response;
            const destroy = (error?: Error): void => response.destroy(error);
            const isPlain = 'content-length' in headers && !('transfer-encoding' in headers);
            if (isPlain || statusCode !== 200)
                return {
                    statusCode,
                    headers,
                    body: {[Symbol.asyncIterator]: () => pieces[Symbol.asyncIterator](), destroy},
                };
            // Whatever else there is in HTTP, the library knows.
            destroy();
        } catch (error) {
            throw networkError(url, error, signal);
        }
        return request('GET', url, options);
    }

    function accept(url: URL, answer: Answer, {maxBytes, signal}: HttpOptions): SizedStream {
        const {headers, body} = answer;
        const totalBytes = contentLength(headers);
        if (totalBytes !== null && totalBytes > maxBytes) {
            body.destroy();
            throw new SnowError('Network', `${url} is larger than ${maxBytes} bytes`);
        }
        const pieces = bounded(url, body, {totalBytes, maxBytes, limits, signal});
        return {
            totalBytes,
            stream: {
                [Symbol.asyncIterator]: () => pieces,
                destroy: () => void body.destroy(),
            },
        };
    }

    return {
        open: (address, options) => open(address, options),
        async size(address, options = {}) {
            const {answer} = await follow(url => request('HEAD', url, options), address);
            await answer.body.dump();
            return contentLength(answer.headers);
        },
        async readBytes(url, options) {
            const timeout = AbortSignal.timeout(limits.whole);
            const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
            const chunks: Uint8Array[] = [];
            try {
                const {stream} = await open(url, {...options, signal}, false);
                for await (const chunk of stream) chunks.push(chunk);
            } catch (error) {
                if (timeout.aborted && !options.signal?.aborted)
                    throw new SnowError('Network', `${url} takes too long`, {cause: error});
                throw error;
            }
            return Buffer.concat(chunks);
        },
        warmUp() {
            Promise.all([
                client(),
                import('./direct-download.ts'),
                // Of what is done with a download.
                import('node:child_process'),
                import('node:crypto'),
            ]).catch(() => {
                // Whoever fetches is told.
            });
        },
        async close() {
            if (loaded) await (await loaded).agent.destroy();
            loaded = undefined;
        },
    };
}

function contentLength(headers: Answer['headers']): number | null {
    const length = headers['content-length'];
    return typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : null;
}

interface Bounds {
    readonly totalBytes: number | null;
    readonly maxBytes: number;
    readonly limits: HttpLimits;
    readonly signal: AbortSignal | undefined;
}

/** The body, as long as it keeps to its bounds. */
async function* bounded(
    url: URL,
    body: Body,
    {totalBytes, maxBytes, limits, signal}: Bounds,
): AsyncGenerator<Uint8Array> {
    const countBuffer = body instanceof Readable ? bufferCounter() : null;
    let received = 0;
    let before = 0;
    const watch = setInterval(() => {
        if (received - before < limits.minimumBytes)
            body.destroy(new SnowError('Network', `${url} is too slow`));
        before = received;
    }, limits.slow);
    try {
        for await (const chunk of body) {
            received += chunk.length;
            if (received > (totalBytes ?? maxBytes))
                throw new SnowError(
                    'Network',
                    `${url} is larger than ${totalBytes ?? maxBytes} bytes`,
                );
            yield chunk;
            countBuffer?.(chunk.length);
            // A connection that is kept is given back by the library, when it has seen the end.
            if (received === totalBytes && !countBuffer) break;
        }
    } catch (error) {
        throw networkError(url, error, signal);
    } finally {
        clearInterval(watch);
        body.destroy();
    }
    if (totalBytes !== null && received !== totalBytes)
        throw new SnowError(
            'Network',
            `Cannot fetch ${url}: the connection was closed early, after ${received} of ${totalBytes} bytes`,
        );
}

/** Proxies are the library's business. */
function hasProxy(): boolean {
    return ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY'].some(
        name => (process.env[name] ?? '') !== '',
    );
}

function parseUrl(text: string): URL {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
        throw new SnowError('InvalidArgs', `${text} is not an http or https address`);
    return url;
}

function redirected(from: URL, location: string): URL {
    if (!URL.canParse(location, from.href))
        throw new SnowError('Network', `${from} redirects to a malformed address`);
    const to = new URL(location, from);
    if (to.protocol !== 'https:' && (to.protocol !== 'http:' || from.protocol === 'https:'))
        throw new SnowError('Network', `${from} redirects to an insecure address`);
    return to;
}

/** What undici and Node call it, and what a user should read. */
const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'the server refuses the connection',
    ECONNRESET: 'the connection was reset',
    EPIPE: 'the connection was reset',
    ENOTFOUND: 'the name of the server is unknown',
    EAI_AGAIN: 'the name of the server cannot be looked up',
    ENETUNREACH: 'the network is unreachable',
    EHOSTUNREACH: 'the server is unreachable',
    ETIMEDOUT: 'the server does not answer',
    UND_ERR_CONNECT_TIMEOUT: 'the server does not answer',
    UND_ERR_HEADERS_TIMEOUT: 'the server does not answer',
    UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
    UND_ERR_SOCKET: 'the connection was closed early',
    UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the length is not the announced one',
    UND_ERR_HEADERS_OVERFLOW: 'the answer is malformed',
};

function networkError(url: URL, error: unknown, signal: AbortSignal | undefined): SnowError {
    if (signal?.aborted)
        return new SnowError('Cancelled', `Fetching ${url} was stopped`, {cause: error});
    if (error instanceof SnowError) return error;
    return new SnowError('Network', `Cannot fetch ${url}: ${reasonOf(error)}`, {cause: error});
}

function reasonOf(error: unknown): string {
    for (let at = error; at instanceof Error; at = at.cause) {
        const code = 'code' in at ? String(at.code) : '';
        const known = reasons[code];
        if (known) return known;
        if (code.startsWith('HPE_')) return 'the answer is malformed';
        if (at instanceof AggregateError && at.errors.length > 0) return reasonOf(at.errors[0]);
    }
    return error instanceof Error ? error.message : String(error);
}
