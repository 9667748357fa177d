// SPDX-License-Identifier: GPL-2.0-or-later
import {spawn} from 'node:child_process';
import {mkdtemp, rm} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {type ByteWay, WireConnection} from '../helper/src/host/wire/connection.ts';
import {envelope, messageTypes} from '../helper/src/host/wire/message.ts';
import {stringBody} from '../helper/src/host/wire/values.ts';
import {
    type BrokerStage,
    INTERFACE,
    NAME,
    PATH,
    setBrokerStage,
} from '../tests/bus/harness/broker/stage.ts';
import {bundle} from '../tests/bus/harness/bundle.ts';
import {interleave} from './measure.ts';
import type {Row} from './row.ts';

const MAX_BODY = 32 * 1024 * 1024;
const BATCH = 20;
const ROUNDS = 50;
const WARM_UP = 300;

/**
 * What a call from the host takes against one in the container itself, and, as the peer, over nothing
 * but systemd's own way to a bus elsewhere; all on buses of this machine, with a stand-in broker.
 */
export async function benchBroker(): Promise<readonly Row[]> {
    const programs = await mkdtemp(join(tmpdir(), 'snow-bench-broker-'));
    try {
        return await benchPrograms(programs);
    } finally {
        await rm(programs, {recursive: true});
    }
}

async function benchPrograms(programs: string): Promise<readonly Row[]> {
    // What is in dist/ is built anew for the guests.
    const [broker, identityBroker] = await Promise.all([
        bundle('helper/src/main/snow-broker.ts', programs, process.cwd()),
        bundle('tests/bus/harness/broker/identity-broker.ts', programs, process.cwd()),
    ]);
    await using stage = await setBrokerStage({
        broker: [process.execPath, broker],
        identityBroker: [process.execPath, identityBroker],
    });
    const connections = [
        await open(socketOf(stage.inside.socket)),
        await open(socketOf(stage.host.socket)),
        await open(bridgeTo(stage)),
    ] as const;
    const [inside, host, bridge] = connections;
    const rows = [
        await measure('a call of the broker from the host', '{}', inside, host, bridge, 1),
        await measure(
            'a call of the broker from the host, with 1 MiB',
            large(),
            inside,
            host,
            bridge,
            20,
        ),
    ];
    for (const connection of connections) connection.drop();
    return rows;
}

async function measure(
    name: string,
    request: string,
    inside: WireConnection,
    host: WireConnection,
    bridge: WireConnection,
    limit: number,
): Promise<Row> {
    const body = Buffer.concat([argument('0.0'), argument('c'), stringBody(request, false)]);
    const batch = request.length > 1000 ? 2 : BATCH;
    const ask = async (connection: WireConnection): Promise<void> => {
        const reply = await connection.request(
            envelope({
                type: messageTypes.call,
                destination: NAME,
                path: PATH,
                interface: INTERFACE,
                member: 'acquireTokenSilently',
                signature: 'sss',
            }),
            body,
        );
        if (reply.type !== messageTypes.return) throw new Error(`${name}: ${reply.errorName}`);
    };
    /** Milliseconds a call, of some one after the other. */
    const timed = async (connection: WireConnection): Promise<number> => {
        const start = performance.now();
        for (let i = 0; i < batch; i++) await ask(connection);
        return (performance.now() - start) / batch;
    };
    for (const connection of [inside, host, bridge])
        for (let i = 0; i < (batch === BATCH ? WARM_UP : 10); i++) await ask(connection);
    const times = await interleave(
        {
            inside: () => timed(inside),
            host: () => timed(host),
            bridge: () => timed(bridge),
        },
        ROUNDS,
    );
    return {
        name,
        unit: 'ms',
        ours: times.host,
        floor: times.inside,
        peers: {'systemd-stdio-bridge alone': times.bridge},
        goal: `at most ${limit} ms more than the floor`,
        holds: times.host - times.inside <= limit,
    };
}

function large(): string {
    return JSON.stringify({note: 'x'.repeat(1024 * 1024)});
}

/** A string that another one follows. */
function argument(text: string): Buffer {
    const body = stringBody(text, false);
    return Buffer.concat([body, Buffer.alloc(-body.length & 3)]);
}

function open(way: ByteWay): Promise<WireConnection> {
    return WireConnection.open(way, {maxBody: MAX_BODY});
}

function socketOf(path: string): ByteWay {
    const socket = connect(path);
    return {input: socket, output: socket};
}

function bridgeTo(stage: BrokerStage): ByteWay {
    const program = ['systemd-stdio-bridge', `--bus-path=${stage.inside.address}`] as const;
    const {stdin, stdout} = spawn(program[0], [program[1]], {stdio: ['pipe', 'pipe', 'inherit']});
    return {input: stdout, output: stdin};
}
