// SPDX-License-Identifier: GPL-2.0-or-later
// Sets up the root directory of alice's container, and runs its programs, without the service: the argument
// is a file with a request as JSON, which is gone when it was read, and how it ended goes out as JSON.

import {readFileSync, rmSync} from 'node:fs';

import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import type {ContainerRecord} from '../../../helper/src/intune/model.ts';
import {readEnrolment} from '../../../helper/src/intune/session/enrolment.ts';
import {inspect} from '../../../helper/src/intune/session/inspect.ts';
import {openApplication, runProgram} from '../../../helper/src/intune/session/programs.ts';
import {provision} from '../../../helper/src/intune/session/provision.ts';
import {type Outcome, type Request, UID_BASE} from './intune-session-request.ts';

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
            const {application, args, activationToken = ''} = request;
            await openApplication(host, record, {application, args, activationToken}, signal);
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
    const [path = ''] = process.argv.slice(2);
    const request = JSON.parse(readFileSync(path, 'utf8')) as Request;
    rmSync(path);
    const record: ContainerRecord = {
        owner: {uid: 1001, gid: 1001, name: 'alice', home: '/home/alice'},
        uidBase: UID_BASE,
        channel: 'stable',
        image: '',
        digest: '',
        created: 0,
    };
    const start = performance.now();
    let result: unknown = null;
    let error: Outcome['error'] = null;
    try {
        result = await perform(request, record);
    } catch (failure) {
        if (!(failure instanceof SnowError)) throw failure;
        error = [failure.code, failure.message];
    }
    const outcome: Outcome = {result, error, took: performance.now() - start};
    process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));
}

void main();
