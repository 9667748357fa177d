// SPDX-License-Identifier: GPL-2.0-or-later
// The real domain of containers on a machine of functions, with one container that is stopped. Its
// workers run in the service's process, and its programs are those of this machine.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, rmSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

import {openCallersStreams} from '../../../helper/src/host/caller-pipes.ts';
import type {Domain} from '../../../helper/src/host/domain.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import type {Systemd} from '../../../helper/src/host/host.ts';
import {parseJobArguments} from '../../../helper/src/intune/job-request.ts';
import {intuneDomain} from '../../../helper/src/intune/object.ts';
import type {ServicePorts} from '../../../helper/src/intune/ports.ts';
import {UID, containerMachine} from '../../unit/intune/core/container-machine.ts';

/** How it goes. */
export interface ContainerManners {
    /** Version that the registry has. */
    readonly newest?: string;
    /** Milliseconds that a start takes. */
    readonly startTime?: number;
    /** Why no application can be opened. */
    readonly openFault?: string;
    /** What is found inside, as JSON. */
    readonly report?: unknown;
}

export async function makeContainerDomain(
    readManners: () => Promise<ContainerManners>,
): Promise<Domain> {
    const machine = await containerMachine();
    process.on('exit', () => rmSync(machine.root, {recursive: true, force: true}));
    mkdirSync(`${machine.root}/run/user/${UID}`, {recursive: true});
    await machine.run('init');
    machine.log.splice(0);
    const log = (): void => {
        for (const line of machine.log.splice(0)) process.stdout.write(`intune: ${line}\n`);
    };

    let worker: Promise<unknown> = Promise.resolve();
    const systemd: Partial<Systemd> = {
        ...machine.host.systemd,
        startUnit(unit, [, ...args]) {
            machine.activeStates.set(unit, 'activating');
            const request = parseJobArguments(args);
            worker = machine.run(request.operation, request).finally(() => {
                machine.activeStates.delete(unit);
                log();
            });
            return Promise.resolve();
        },
        waitForUnit: () => worker.then(() => undefined),
        stopUnit: () => Promise.resolve(),
    };
    const ports: ServicePorts = {
        ...machine.servicePorts,
        async startMachine(...call) {
            await sleep((await readManners()).startTime ?? 0);
            const session = Object.entries(call[3]).map(pair => pair.join('='));
            machine.log.push(`session ${session.join(' ')}`);
            await machine.servicePorts.startMachine(...call);
            log();
        },
        async stopMachine(...call) {
            await machine.servicePorts.stopMachine(...call);
            log();
        },
        async newestDigest(...call) {
            machine.newest = (await readManners()).newest ?? machine.newest;
            return machine.servicePorts.newestDigest(...call);
        },
        applications: () =>
            Promise.resolve([{id: 'edge', name: 'Microsoft Edge', icon: 'microsoft-edge'}]),
        bindings: () =>
            Promise.resolve([
                {
                    kind: 'wayland',
                    source: '/run/user/1001/wayland-0',
                    target: '/run/host-wayland',
                    isPresent: true,
                },
                {kind: 'pulse', source: '', target: '/run/host-pulse', isPresent: false},
            ]),
        async openApplication(_host, _record, {application, args, activationToken}) {
            const {openFault} = await readManners();
            if (openFault !== undefined) throw new SnowError('Failed', openFault);
            const token = activationToken === '' ? [] : [`as ${activationToken}`];
            machine.log.push(`open ${[application, ...args, ...token].join(' ')}`);
            log();
        },
        async runProgram(_host, _record, {command, pipes, isTerminal, caller}, signal) {
            await using streams = await openCallersStreams(pipes, caller, isTerminal);
            const {stdin, stdout, stderr} = streams.paths;
            // As systemd opens them: whoever comes first waits for the other.
            const script = 'exec <"$1" >"$2" 2>"$3"; shift 3; exec "$@"';
            const words = command.length > 0 ? command : ['sh'];
            const argv = ['-c', script, 'sh', stdin, stdout, stderr, ...words];
            const child = spawn('sh', argv, {stdio: 'ignore', detached: true});
            const stop = (): void => void (child.pid && process.kill(-child.pid, 'SIGTERM'));
            signal.addEventListener('abort', stop, {once: true});
            const [code] = (await once(child, 'close')) as [number | null];
            if (signal.aborted) throw new SnowError('Cancelled', 'The program was ended');
            return code ?? 1;
        },
        inspect: async () => JSON.stringify((await readManners()).report ?? {problems: []}),
    };
    return intuneDomain({...machine.host, systemd: systemd as Systemd}, ports);
}
