// SPDX-License-Identifier: GPL-2.0-or-later
// Starting and stopping containers, as services of systemd that it can start and stop without us, too.

import {dirname} from 'node:path/posix';

import {directoriesOf} from '../../host/directories.ts';
import type {Progress} from '../../host/domain.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {type Services, servicesOf} from '../../host/services.ts';
import {
    type Binding,
    type ContainerRecord,
    type SessionEnvironment,
    type Settings,
    machineName,
    machineUnit,
    runtimeDirectory,
} from '../model.ts';
import {allowedDevices} from './graphics.ts';
import {
    forgetProblem,
    forgetSession,
    readBindings,
    readProblem,
    writeSession,
} from './machine-files.ts';
import {unitDropIn, unitDropInPath} from './nspawn-settings.ts';
import {cleanMachine} from './prepare.ts';

/** Of the log, in a message. */
const LINES = 4;
const LINE_LENGTH = 160;

/**
 * Starts a container with what a session has, and returns when all that it starts has been started.
 * Nothing where it runs already. Aborted, it is stopped again.
 *
 * Throws SnowError WrongState where a machine of its name runs that is none of ours, or its home
 * directory cannot be used; Failed with the end of its log where it does not get ready; Cancelled.
 */
export async function startMachine(
    host: Host,
    {owner: {uid}}: ContainerRecord,
    settings: Settings,
    session: SessionEnvironment,
    _progress: Progress,
    signal: AbortSignal,
    services: Services = servicesOf(host),
): Promise<void> {
    const unit = machineUnit(uid);
    if ((await services.activeState(unit)) === 'active') return;
    await refuseForeign(host, uid);
    await forgetProblem(host, uid);
    await writeSession(host, uid, session);
    await rememberMachine(host, uid, settings, services);
    try {
        const result = await services.start(unit, signal);
        if (result !== 'done') throw await failureOf(host, uid, result, services);
    } catch (error) {
        // To be stopped halfway is no failure of its.
        if (signal.aborted) await services.resetFailed(unit);
        throw error;
    }
}

/** Stops a container in order, or by force when it takes too long for that; a failed one is one that is stopped. */
export async function stopMachine(
    host: Host,
    {owner: {uid}}: ContainerRecord,
    _progress: Progress,
    signal: AbortSignal,
    services: Services = servicesOf(host),
): Promise<void> {
    const unit = machineUnit(uid);
    await services.stop(unit, signal);
    if ((await services.activeState(unit)) === 'failed') await services.resetFailed(unit);
    await forgetSession(host, uid);
}

/** Has whoever starts the container's unit start it as these settings say. */
export async function rememberMachine(
    host: Host,
    uid: number,
    settings: Settings,
    services: Services = servicesOf(host),
): Promise<void> {
    const path = unitDropInPath(uid);
    const text = unitDropIn(uid, settings, await allowedDevices(host, settings));
    if ((await host.files.readText(path)) === text) return;
    await host.files.writeWhole(path, text, 0o644);
    await services.reload();
}

/** Removes what is left of a container that is stopped. */
export async function forgetMachine(
    host: Host,
    uid: number,
    services: Services = servicesOf(host),
): Promise<void> {
    const path = unitDropInPath(uid);
    const wasThere = (await host.files.status(path)) !== null;
    await host.files.remove(path);
    await host.files.removeEmptyDirectory(dirname(path));
    await cleanMachine(host, uid);
    await directoriesOf(host).removeTree(runtimeDirectory(uid));
    if (wasThere) await services.reload();
}

/** Seconds since 1970; 0: it does not run. */
export async function startedAt(
    host: Host,
    uid: number,
    services: Services = servicesOf(host),
): Promise<number> {
    const unit = machineUnit(uid);
    const isActive = (await services.activeState(unit)) === 'active';
    return isActive ? services.activeSince(unit) : 0;
}

/** What of the host is in the container since it was started. */
export function bindings(host: Host, uid: number): Promise<readonly Binding[]> {
    return readBindings(host, uid);
}

/** machined has one machine of a name, whoever started it. */
async function refuseForeign(host: Host, uid: number): Promise<void> {
    const name = machineName(uid);
    // As sd_machine_get_class(3) looks for one, without a process.
    if ((await host.files.status(`/run/systemd/machines/${name}`)) === null) return;
    const {exitCode, stdout} = await host.programs.run([
        'machinectl',
        'show',
        '--property=Unit',
        '--value',
        '--',
        name,
    ]);
    const unit = stdout.trim();
    if (exitCode !== 0 || unit === machineUnit(uid)) return;
    throw new SnowError(
        'WrongState',
        `A machine ${name} runs that was not started here${unit === '' ? '' : `, by ${unit}`}; stop it first (machinectl poweroff ${name})`,
    );
}

async function failureOf(
    host: Host,
    uid: number,
    result: string,
    services: Services,
): Promise<SnowError> {
    const problem = await readProblem(host, uid);
    if (problem) return problem;
    const unit = machineUnit(uid);
    if (result === 'canceled')
        return new SnowError('WrongState', 'The container was stopped while it started');
    const isLate = (await services.result(unit)) === 'timeout';
    const lines = (await services.lastLines(unit, LINES)).map(excerpt).filter(line => line !== '');
    const log = lines.length > 0 ? `, having said: ${lines.join(' | ')}` : '';
    return new SnowError(
        'Failed',
        `The container ${isLate ? 'did not become ready in time' : 'cannot be started'}${log} (journalctl -u ${unit})`,
    );
}

/** It is the container that writes them: no control sequences. */
function excerpt(line: string): string {
    const text = line
        // eslint-disable-next-line no-control-regex
        .replace(/\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])/g, '')
        .replace(/\p{C}+/gu, ' ')
        .trim();
    return text.length > LINE_LENGTH ? `${text.slice(0, LINE_LENGTH)}…` : text;
}
