// SPDX-License-Identifier: GPL-2.0-or-later
// The state of the session in a running container, as a program of ours says it from within. It is the
// container's word: shown to its user, and never acted upon.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import type {ContainerRecord} from '../model.ts';
import {commandInside} from './inside.ts';
import {CONTAINER_FILES} from './set-up.ts';

/** Milliseconds. The broker may have to be started. */
const TIMEOUT = 60_000;
const MAX_VALUE = 200;

export interface Problem {
    readonly problem: string;
    readonly remedy: string;
}

export interface SessionReport {
    /** Whether it answers. */
    readonly sessionBus: boolean;
    readonly keyring: 'unlocked' | 'locked' | 'absent';
    /** running (it answers), or failed. */
    readonly broker: 'running' | 'failed';
    readonly deviceBroker: boolean;
    readonly agentTimer: boolean;
    /** Of the agent’s last run since the start; null: it had none. */
    readonly lastCompliance: {
        /** Seconds since 1970. */
        readonly time: number;
        readonly succeeded: boolean;
    } | null;
    readonly problems: readonly Problem[];
}

/** A SessionReport as JSON. Throws SnowError Failed, Cancelled. */
export async function inspect(
    host: Host,
    record: ContainerRecord,
    signal: AbortSignal,
): Promise<string> {
    const name = `snow-intune-inspect-${crypto.randomUUID()}`;
    const command = commandInside(record, {
        command: [`${CONTAINER_FILES}/snow-intune-inspect`],
        unit: name,
        streams: 'pipe',
    });
    const result = await host.systemd?.runUnit(name, command, {signal, timeout: TIMEOUT});
    if (result?.exitCode !== 0)
        throw new SnowError(
            'Failed',
            `Cannot look into the container: ${(result?.stderr ?? '').slice(0, MAX_VALUE)}`,
        );
    return JSON.stringify(parseReport(result.stdout));
}

/** Of the lines that snow-intune-inspect prints; what is missing is not well. */
export function parseReport(text: string): SessionReport {
    const found = new Map(
        text.split('\n').map(line => {
            const [name = ''] = line.split(' ', 1);
            return [
                name,
                line
                    .slice(name.length + 1)
                    .trim()
                    .slice(0, MAX_VALUE),
            ] as const;
        }),
    );
    const is = (name: string, value: string): boolean => found.get(name) === value;
    const ended = Number(/^@(\d{1,12})$/.exec(found.get('agent-ended') ?? '')?.[1] ?? 0);
    const report: Omit<SessionReport, 'problems'> = {
        sessionBus: is('session-bus', 'answers'),
        keyring: !is('keyring', 'active')
            ? 'absent'
            : is('keyring-locked', 'b false')
              ? 'unlocked'
              : 'locked',
        broker: found.get('broker')?.startsWith('s ') ? 'running' : 'failed',
        deviceBroker: is('device-broker', 'active'),
        agentTimer: is('agent-timer', 'active'),
        lastCompliance: ended > 0 ? {time: ended, succeeded: is('agent-result', 'success')} : null,
    };
    return {...report, problems: problemsOf(report, found)};
}

const RESTART = 'Restart the container (snowctl intune restart)';

function problemsOf(
    report: Omit<SessionReport, 'problems'>,
    found: ReadonlyMap<string, string>,
): readonly Problem[] {
    const daemons = Number(found.get('keyring-daemons'));
    const checks: readonly (readonly [isFine: boolean, problem: string, remedy: string])[] = [
        [report.sessionBus, 'The session bus does not answer', RESTART],
        [
            found.get('session-set-up') === 'active',
            'The session was not set up to its end',
            `${RESTART}; its journal says why (snowctl intune shell, then journalctl -b)`,
        ],
        [report.keyring !== 'absent', 'There is no keyring', RESTART],
        [
            report.keyring !== 'locked',
            'The keyring is locked, with a password that is not the container’s',
            'Move ~/Intune/.local/share/keyrings away, restart the container, and sign in again',
        ],
        [daemons <= 1, `${daemons} keyring daemons run, and only one is unlocked`, RESTART],
        [
            Number(found.get('display')) > 0,
            'The container has no display, so that nobody can sign in',
            'Start the container from a desktop session (snowctl intune restart)',
        ],
        [
            report.broker === 'running',
            `The identity broker does not answer: ${found.get('broker') ?? ''}`,
            RESTART,
        ],
        [
            report.deviceBroker,
            'The device broker does not run',
            `${RESTART}, or make it anew (snowctl intune recreate)`,
        ],
        [report.agentTimer, 'The agent’s timer does not run, so that compliance lapses', RESTART],
        [
            report.lastCompliance?.succeeded !== false,
            'The agent’s last run failed',
            'Open the Intune Portal, which says what is missing (snowctl intune open portal)',
        ],
    ];
    return checks.filter(([isFine]) => !isFine).map(([, problem, remedy]) => ({problem, remedy}));
}
