// SPDX-License-Identifier: GPL-2.0-or-later
// A machine for the tests of containers: a temporary tree, root directories of one file, and a systemd
// that knows whether they run.
import {mkdir, mkdtemp, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {SnowError} from '../../../../helper/src/host/error.ts';
import type {Host, Systemd} from '../../../../helper/src/host/host.ts';
import {localHost} from '../../../../helper/src/host/local-host.ts';
import type {JobState} from '../../../../helper/src/host/worker-job/job-state.ts';
import {ContainerDisk} from '../../../../helper/src/intune/disk.ts';
import type {
    IntuneJobRequest,
    IntuneOperation,
    IntuneRequest,
} from '../../../../helper/src/intune/job-request.ts';
import {
    machineUnit,
    newRootfsPath,
    previousRootfsPath,
    rootfsPath,
} from '../../../../helper/src/intune/model.ts';
import type {MachinePorts, ServicePorts} from '../../../../helper/src/intune/ports.ts';
import {type Directories, directoriesOf} from '../../../../helper/src/host/directories.ts';
import {runIntuneJob} from '../../../../helper/src/intune/worker.ts';

export const UID = 1001;
export const STABLE = 'ghcr.io/frostyard/ubuntu-intune:latest';

export function digestOf(version: string): string {
    return `sha256:${version.padStart(64, '0')}`;
}

export interface ContainerMachine extends AsyncDisposable {
    readonly root: string;
    readonly host: Host;
    /** Version that the registry has. */
    newest: string;
    /** Thrown by the named port. */
    readonly faults: Partial<Record<'fetch' | 'provision' | 'start' | 'stop', unknown>>;
    /** What was done, in order. */
    readonly log: string[];
    readonly activeStates: Map<string, string>;
    readonly servicePorts: ServicePorts;
    run(operation: IntuneOperation, more?: Partial<IntuneRequest>): Promise<JobState>;
    /** Content of the root directories. */
    content(): Promise<{current: string; previous: string; next: string}>;
    directories(): Directories;
}

export async function containerMachine(): Promise<ContainerMachine> {
    const root = await mkdtemp(join(tmpdir(), 'snow-intune-'));
    await mkdir(join(root, 'var/lib/machines'), {recursive: true, mode: 0o700});
    const local = localHost(root);
    const activeStates = new Map<string, string>();
    const log: string[] = [];
    const systemd = {
        activeState: (name: string) => Promise.resolve(activeStates.get(name) ?? 'inactive'),
    } as unknown as Systemd;
    const result = (exitCode: number, stdout = '') => ({
        exitCode,
        signal: null,
        stdout,
        stderr: '',
    });
    const host: Host = {
        ...local,
        systemd,
        programs: {
            ...local.programs,
            run(command, options) {
                switch (command[0]) {
                    case 'getent':
                        return Promise.resolve(
                            result(0, `alice:x:${UID}:${UID}::/home/alice:/bin/sh\n`),
                        );
                    case 'machinectl':
                        return Promise.resolve(result(1));
                    default:
                        return local.programs.run(command, options);
                }
            },
        },
    };
    const fail = (name: keyof ContainerMachine['faults']): void => {
        if (machine.faults[name] !== undefined) throw machine.faults[name];
    };
    const machines: MachinePorts = {
        async startMachine() {
            log.push('start');
            fail('start');
            activeStates.set(machineUnit(UID), 'active');
        },
        async stopMachine() {
            log.push('stop');
            fail('stop');
            activeStates.delete(machineUnit(UID));
        },
    };
    const machine: ContainerMachine = {
        root,
        host,
        newest: '1',
        faults: {},
        log,
        activeStates,
        servicePorts: {
            ...machines,
            newestDigest: () => Promise.resolve(digestOf(machine.newest)),
            startedAt: () => Promise.resolve(1_760_000_000),
            bindings: () => Promise.resolve([]),
            applications: () => Promise.resolve([]),
            openApplication: (_host, _record, {application}) => {
                log.push(`open ${application}`);
                return Promise.resolve();
            },
            runProgram: () => Promise.resolve(3),
            inspect: () => Promise.resolve('{}'),
        },
        run: (operation, more = {}) =>
            runIntuneJob({
                host,
                ports: {
                    ...machines,
                    makeHome: () => Promise.resolve(),
                    async fetchRootfs(_host, {destination}) {
                        log.push('fetch');
                        await mkdir(join(root, destination), {mode: 0o755});
                        fail('fetch');
                        await writeFile(join(root, destination, 'version'), machine.newest);
                        return {digest: digestOf(machine.newest)};
                    },
                    async provision(_host, rootfs, _record, {password, keep}) {
                        log.push(`provision ${String(password)} ${String(keep)}`);
                        await writeFile(join(root, rootfs, 'home'), 'alice');
                        fail('provision');
                    },
                    readEnrolment: async (_host, rootfs) =>
                        `enrolment of ${await versionIn(rootfs.startsWith('/proc/') ? rootfs : join(root, rootfs))}`,
                },
                request: {...noRequest, ...more, operation} satisfies IntuneJobRequest,
                signal: new AbortController().signal,
                journal: {info: () => undefined, notice: () => undefined, error: () => undefined},
                disk: new ContainerDisk(host, UID, machine.directories()),
            }),
        async content() {
            const [current, previous, next] = await Promise.all(
                [rootfsPath(UID), previousRootfsPath(UID), newRootfsPath(UID)].map(path =>
                    versionIn(join(root, path)),
                ),
            );
            return {current: current ?? '', previous: previous ?? '', next: next ?? ''};
        },
        directories: () => ({
            ...directoriesOf(host),
            // mv(1) of the machine that runs the tests may not know --exchange.
            async exchange(one, other) {
                await rename(join(root, one), join(root, `${one}.exchange`));
                await rename(join(root, other), join(root, one));
                await rename(join(root, `${one}.exchange`), join(root, other));
            },
        }),
        [Symbol.asyncDispose]: () => rm(root, {recursive: true, force: true}),
    };
    return machine;
}

const noRequest = {
    id: '6b8e5d3a-0000-4000-8000-000000000000',
    startedBy: UID,
    target: `intune-u${UID}`,
    uid: UID,
    channel: '',
    image: '',
    pipes: '',
    everything: false,
    session: {},
} as const;

async function versionIn(path: string): Promise<string> {
    return readFile(join(path, 'version'), 'utf8').catch(() => '');
}

export const fault = new SnowError('Network', 'The registry is gone');
