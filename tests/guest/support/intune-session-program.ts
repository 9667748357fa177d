// SPDX-License-Identifier: GPL-2.0-or-later
// Sets up the root directory of a container, and runs its programs, without the service: JSON comes in as
// the argument, and how it ended goes out as JSON.

import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import type {ContainerRecord} from '../../../helper/src/intune/model.ts';
import {readEnrolment} from '../../../helper/src/intune/session/enrolment.ts';
import {inspect} from '../../../helper/src/intune/session/inspect.ts';
import {openApplication, runProgram} from '../../../helper/src/intune/session/programs.ts';
import {provision} from '../../../helper/src/intune/session/provision.ts';

export type Request =
    | {
          readonly verb: 'provision';
          readonly rootfs: string;
          readonly password: string | null;
          /** Root directory that it is kept from, or null. */
          readonly keepFrom: string | null;
      }
    | {readonly verb: 'open'; readonly application: string; readonly args: readonly string[]}
    | {
          readonly verb: 'run';
          readonly command: readonly string[];
          readonly pipes: string;
          readonly isTerminal: boolean;
      }
    | {readonly verb: 'inspect'};

export interface Outcome {
    readonly result: unknown;
    readonly error: readonly [code: string, text: string] | null;
    /** Milliseconds. */
    readonly took: number;
}

const host = localHost();
const stop = new AbortController();
process.once('SIGTERM', () => stop.abort());

async function perform(request: Request, record: ContainerRecord): Promise<unknown> {
    const {signal} = stop;
    switch (request.verb) {
        case 'provision': {
            const {rootfs, password, keepFrom} = request;
            const keep = keepFrom === null ? null : await readEnrolment(host, keepFrom, record);
            const progress = {step: () => undefined, bytes: () => undefined};
            await provision(host, rootfs, record, {password, keep}, progress, signal);
            return null;
        }
        case 'open': {
            const {application, args} = request;
            await openApplication(host, record, application, args, signal);
            return null;
        }
        case 'run': {
            const {command, pipes, isTerminal} = request;
            const caller = record.owner.uid;
            return runProgram(host, record, {command, pipes, isTerminal, caller}, signal);
        }
        case 'inspect':
            return JSON.parse(await inspect(host, record, signal)) as unknown;
    }
}

async function main(): Promise<void> {
    const [request = '', uid = ''] = process.argv.slice(2);
    const names: Readonly<Record<string, string>> = {1001: 'alice', 1002: 'bob'};
    const name = names[uid] ?? '';
    const record: ContainerRecord = {
        owner: {uid: Number(uid), gid: Number(uid), name, home: `/home/${name}`},
        uidBase: 0x4000_0000 + Number(uid) * 65_536,
        channel: 'stable',
        image: '',
        digest: '',
        created: 0,
    };
    const start = performance.now();
    let result: unknown = null;
    let error: Outcome['error'] = null;
    try {
        result = await perform(JSON.parse(request) as Request, record);
    } catch (failure) {
        if (!(failure instanceof SnowError)) throw failure;
        error = [failure.code, failure.message];
    }
    const outcome: Outcome = {result, error, took: performance.now() - start};
    process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
}

void main();
