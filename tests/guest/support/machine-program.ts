// SPDX-License-Identifier: GPL-2.0-or-later
// Starts and stops a container without the service: how it ended, as JSON.
//
// machine-program REQUEST, where REQUEST is a MachineRequest as JSON; SIGTERM cancels it.

import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {
    bindings,
    forgetMachine,
    startMachine,
    startedAt,
    stopMachine,
} from '../../../helper/src/intune/boot/machine.ts';
import {type SessionEnvironment, rootfsPath} from '../../../helper/src/intune/model.ts';
import {readRecord} from '../../../helper/src/intune/record.ts';
import {provision} from '../../../helper/src/intune/session/provision.ts';
import {readSettings} from '../../../helper/src/intune/settings.ts';

export interface MachineRequest {
    readonly verb: 'provision' | 'start' | 'stop' | 'forget' | 'look';
    readonly uid: number;
    readonly session?: SessionEnvironment;
    /** Milliseconds after which it is cancelled. */
    readonly abortAfter?: number;
}

export interface MachineAnswer {
    readonly error: readonly [code: string, text: string] | null;
    readonly milliseconds: number;
    readonly startedAt: number;
    readonly bindings: readonly {
        readonly kind: string;
        readonly source: string;
        readonly target: string;
        readonly isPresent: boolean;
    }[];
}

const request = JSON.parse(process.argv[2] ?? '') as MachineRequest;
const host = localHost();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());
if (request.abortAfter !== undefined) setTimeout(() => stop.abort(), request.abortAfter);

async function perform({verb, uid, session = {}}: MachineRequest): Promise<void> {
    const record = await readRecord(host, uid);
    if (!record) throw new SnowError('WrongState', 'There is no container');
    const progress = {step: () => undefined, bytes: () => undefined};
    const {settings} = await readSettings(host, uid);
    if (verb === 'provision')
        await provision(
            host,
            rootfsPath(uid),
            record,
            {password: null, keep: null},
            progress,
            stop.signal,
        );
    if (verb === 'start')
        await startMachine(host, record, settings, session, progress, stop.signal);
    if (verb === 'stop') await stopMachine(host, record, progress, stop.signal);
    if (verb === 'forget') await forgetMachine(host, uid);
}

async function run(): Promise<void> {
    let error: MachineAnswer['error'] = null;
    const start = performance.now();
    try {
        await perform(request);
    } catch (failure) {
        if (!(failure instanceof SnowError)) throw failure;
        error = [failure.code, failure.message];
    }
    const answer: MachineAnswer = {
        error,
        milliseconds: performance.now() - start,
        startedAt: await startedAt(host, request.uid),
        bindings: await bindings(host, request.uid),
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit(0));
}

void run();
