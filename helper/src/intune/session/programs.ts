// SPDX-License-Identifier: GPL-2.0-or-later
// Applications and other programs of a running container. The service itself may not enter it: what does is
// systemd-run(1), in a unit of the host of its own.

import {openCallersStreams, watchCallersFifo} from '../../host/caller-pipes.ts';
import {SnowError} from '../../host/error.ts';
import type {Host, Systemd} from '../../host/host.ts';
import type {ContainerRecord} from '../model.ts';
import type {Application, Launch, ProgramRequest} from '../ports.ts';
import {applicationTable, programOf} from './applications.ts';
import {commandInside, stopInside} from './inside.ts';
import {CONTAINER_FILES} from './set-up.ts';

/** Milliseconds in which an application is started, not in which it shows itself. */
const OPEN_TIMEOUT = 30_000;
const STOP_TIMEOUT = 120_000;
/** Of the program's terminal; the caller's may be another one, which nobody has told. */
const TERM = 'xterm-256color';

export function applications(_host: Host, _uid: number): Promise<readonly Application[]> {
    return Promise.resolve(applicationTable);
}

/**
 * Starts an application in a unit of the user's own service manager, and returns when it was started.
 * Throws SnowError InvalidArgs, NotFound, Failed, Cancelled.
 */
export async function openApplication(
    host: Host,
    record: ContainerRecord,
    {application, args, activationToken}: Launch,
    signal: AbortSignal,
): Promise<void> {
    const program = programOf(application);
    const systemd = requireSystemd(host);
    const name = `snow-intune-open-${crypto.randomUUID()}`;
    const unit = `app-snow-${crypto.randomUUID()}`;
    const start = [
        '/usr/bin/systemd-run',
        '--user',
        '--quiet',
        '--collect',
        '--service-type=exec',
        '--expand-environment=no',
        '--slice=app.slice',
        `--unit=${unit}`,
        ...tokenVariables(activationToken),
        '--',
        program,
        ...args,
    ] as const;
    const {exitCode, stderr} = await systemd.runUnit(
        name,
        commandInside(record, {command: start, unit: name, streams: 'pipe'}),
        {signal, timeout: OPEN_TIMEOUT},
    );
    if (exitCode === 0) return;
    if (/executable .*(No such file|not found)/i.test(stderr))
        throw new SnowError('NotFound', `The container has no program ${program}`);
    const why = lastLine(stderr) || 'the container’s systemd cannot execute it';
    throw new SnowError('Failed', `${application} cannot be started: ${why}`);
}

/** As the desktop entry specification has launchers hand them on. */
function tokenVariables(token: string): readonly string[] {
    const names = token === '' ? [] : ['XDG_ACTIVATION_TOKEN', 'DESKTOP_STARTUP_ID'];
    return names.map(name => `--setenv=${name}=${token}`);
}

/**
 * Runs a program to its end with the caller's standard streams, and returns its exit status. Throws
 * SnowError InvalidArgs, NotFound, NotAuthorized, WrongState, Failed, and Cancelled when it has ended.
 */
export async function runProgram(
    host: Host,
    record: ContainerRecord,
    {command, pipes, isTerminal, caller}: ProgramRequest,
    signal: AbortSignal,
): Promise<number> {
    const systemd = requireSystemd(host);
    await using streams = await openCallersStreams(pipes, caller, isTerminal);
    const name = `snow-intune-run-${crypto.randomUUID()}`;
    const inside = commandInside(record, {
        command: [`${CONTAINER_FILES}/snow-intune-run`, ...command],
        unit: name,
        streams: isTerminal ? 'pty' : 'pipe',
        variables: isTerminal ? {TERM} : {},
    });
    await using _resizes = isTerminal
        ? await watchCallersFifo(
              pipes,
              'resize',
              caller,
              oneAtATime(() => resize(host, name)),
          )
        : null;
    try {
        const {exitCode} = await systemd.runUnit(name, inside, {
            signal,
            timeout: Infinity,
            streams: streams.paths,
        });
        if (exitCode === null) throw new SnowError('Failed', 'The program was not waited for');
        return exitCode;
    } catch (error) {
        // What only waited for it is gone; it itself may not even have been started.
        if (signal.aborted) await stopProgram(systemd, record, name);
        throw error;
    }
}

async function stopProgram(systemd: Systemd, record: ContainerRecord, unit: string): Promise<void> {
    const name = unit.replace('-run-', '-stop-');
    // A unit that is not there, and a container that is not there any more, are as good as stopped.
    await systemd.runUnit(name, stopInside(record, unit), {timeout: STOP_TIMEOUT});
}

/** The terminal that the program has is to become as large as the caller's is now. */
async function resize({programs}: Host, unit: string): Promise<void> {
    const signal = ['--kill-whom=main', '--signal=SIGWINCH'];
    await programs.run(['systemctl', 'kill', ...signal, '--', `${unit}.service`]);
}

/** What is asked for while it is being done is done once more. */
function oneAtATime(work: () => Promise<void>): () => void {
    let isRunning = false;
    let isWanted = false;
    const run = async (): Promise<void> => {
        isRunning = true;
        while (isWanted) {
            isWanted = false;
            await work();
        }
        isRunning = false;
    };
    return () => {
        isWanted = true;
        if (!isRunning) void run();
    };
}

function requireSystemd({systemd}: Host): Systemd {
    if (systemd) return systemd;
    throw new SnowError('NotSupported', 'Containers are only of the running system');
}

function lastLine(text: string): string {
    return text.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
}
