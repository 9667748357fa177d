// SPDX-License-Identifier: GPL-2.0-or-later
// Between programs of a container and the computer's pcscd, which takes only those that say the very
// version of its protocol: pcsc-lite 2.3 and 2.4.0 refuse those made for 2.2 and before.

import {once} from 'node:events';
import type {Server, Socket} from 'node:net';

/** Length of what follows, and which command it is for. */
const HEADER_LENGTH = 8;
/** Major version, minor version, and what the other side says of them. */
const VERSION_LENGTH = 12;
const VERSION_COMMAND = 0x11;
const SUCCESS = 0;
/** Of another version. */
const STOPPED = 0x8010_001e;
const NO_SERVICE = 0x8010_001d;
const SECURITY_VIOLATION = 0x8010_006a;
/** Each answers all that is asked in the one before. Of 6, pcscd itself takes all of them. */
const COMPATIBLE_MINORS: readonly number[] = [4, 5];
const MAJOR = 4;

/** Of one container; pcscd has 200 for all who ask it. */
const MAX_CONNECTIONS = 64;

interface Version {
    readonly major: number;
    readonly minor: number;
    readonly result: number;
}

export interface RelayOptions {
    /** Connects to pcscd. */
    readonly connect: () => Socket;
    /** Milliseconds without a connection until it ends. */
    readonly idleTimeout: number;
}

export class Relay {
    readonly #options: RelayOptions;
    readonly #open = new Set<Socket>();
    /** What pcscd said last: it complains in its log about each other one. */
    #minorOfServer: number | null = null;

    constructor(options: RelayOptions) {
        this.#options = options;
    }

    /** Until nobody has been connected for a while. */
    async run(server: Server): Promise<void> {
        server.maxConnections = MAX_CONNECTIONS;
        let timer = setTimeout(() => server.close(), this.#options.idleTimeout);
        server.on('connection', (client: Socket) => {
            clearTimeout(timer);
            this.#open.add(client);
            client.on('error', () => client.destroy());
            client.once('close', () => {
                this.#open.delete(client);
                if (this.#open.size > 0) return;
                clearTimeout(timer);
                timer = setTimeout(() => server.close(), this.#options.idleTimeout);
            });
            void this.#serve(client);
        });
        await once(server, 'close');
    }

    async #serve(client: Socket): Promise<void> {
        const hello = await take(client, HEADER_LENGTH + VERSION_LENGTH);
        if (
            hello?.readUInt32LE(0) !== VERSION_LENGTH ||
            hello.readUInt32LE(4) !== VERSION_COMMAND
        ) {
            client.destroy();
            return;
        }
        const {server, answer} = await this.#greet(versionIn(hello.subarray(HEADER_LENGTH)));
        if (client.destroyed || server.destroyed) {
            server.destroy();
            client.end(bytesOf(answer));
            return;
        }
        client.once('close', () => server.destroy());
        server.once('close', () => client.end());
        client.write(bytesOf(answer));
        client.pipe(server);
        server.pipe(client);
    }

    /** Says the version that pcscd wants to hear, where the client is content with it. */
    async #greet(asked: Version) {
        const known = this.#minorOfServer;
        const first = known !== null && isContent(asked, known) ? known : asked.minor;
        let greeted = await this.#greetAs({...asked, minor: first});
        const {major, minor, result} = greeted.answer;
        if (result === SUCCESS || result === STOPPED) this.#minorOfServer = minor;
        if (result === STOPPED && major === asked.major && isContent(asked, minor)) {
            greeted.server.destroy();
            greeted = await this.#greetAs({...asked, minor});
        }
        const {server, answer} = greeted;
        return {server, answer: answer.result === SUCCESS ? {...asked, result: SUCCESS} : answer};
    }

    async #greetAs(version: Version) {
        const server = this.#options.connect();
        let isConnected = false;
        server.once('connect', () => (isConnected = true));
        server.on('error', error => {
            if (!isConnected) console.error(`pcscd cannot be asked: ${error.message}`);
            server.destroy();
        });
        const header = Buffer.alloc(HEADER_LENGTH);
        header.writeUInt32LE(VERSION_LENGTH, 0);
        header.writeUInt32LE(VERSION_COMMAND, 4);
        server.write(Buffer.concat([header, bytesOf(version)]));
        const answer = await take(server, VERSION_LENGTH);
        if (answer) return {server, answer: versionIn(answer)};
        server.destroy();
        // It says nothing to whom polkit refuses.
        const result = isConnected ? SECURITY_VIOLATION : NO_SERVICE;
        return {server, answer: {...version, result}};
    }
}

function isContent({major, minor}: Version, other: number): boolean {
    return major === MAJOR && minor < other && [minor, other].every(isCompatible);
}

function isCompatible(minor: number): boolean {
    return COMPATIBLE_MINORS.includes(minor);
}

function versionIn(bytes: Buffer): Version {
    return {
        major: bytes.readInt32LE(0),
        minor: bytes.readInt32LE(4),
        result: bytes.readUInt32LE(8),
    };
}

function bytesOf({major, minor, result}: Version): Buffer {
    const bytes = Buffer.alloc(VERSION_LENGTH);
    bytes.writeInt32LE(major, 0);
    bytes.writeInt32LE(minor, 4);
    bytes.writeUInt32LE(result, 8);
    return bytes;
}

/** The next bytes that come; null: it ends before there are so many. */
function take(socket: Socket, length: number): Promise<Buffer | null> {
    return new Promise(resolve => {
        const end = (bytes: Buffer | null) => {
            socket.off('readable', look).off('end', stop).off('close', stop);
            resolve(bytes);
        };
        const look = () => {
            const bytes = socket.read(length) as Buffer | null;
            if (bytes) end(bytes.length === length ? bytes : null);
        };
        const stop = () => end(null);
        socket.on('readable', look).once('end', stop).once('close', stop);
        look();
    });
}
