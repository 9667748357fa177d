// SPDX-License-Identifier: GPL-2.0-or-later
// What the service found in a running container.

export interface InspectionProblem {
    /** One line. */
    readonly problem: string;
    /** What to do about it. */
    readonly remedy: string;
}

/** The session in it. Null, or an empty text: it is not told. */
export interface SessionSummary {
    readonly sessionBus: boolean | null;
    /** unlocked, locked or absent */
    readonly keyring: string;
    /** running or failed */
    readonly broker: string;
    readonly deviceBroker: boolean | null;
    readonly agentTimer: boolean | null;
    /** Null: the agent has not run since the start. */
    readonly lastCompliance: {readonly time: number; readonly succeeded: boolean} | null;
}

export interface Inspection {
    /** JSON shows it as it is. */
    readonly session: SessionSummary;
    readonly problems: readonly InspectionProblem[];
}

/** What is no such document is a problem itself. */
export function parseInspection(text: string): Inspection {
    const {problems, ...report} = fields(parse(text));
    const run = fields(report['lastCompliance']);
    return {
        session: {
            sessionBus: flag(report['sessionBus']),
            keyring: string(report['keyring']),
            broker: string(report['broker']),
            deviceBroker: flag(report['deviceBroker']),
            agentTimer: flag(report['agentTimer']),
            lastCompliance:
                typeof run['time'] === 'number'
                    ? {time: run['time'], succeeded: run['succeeded'] === true}
                    : null,
        },
        problems: (Array.isArray(problems) ? problems : []).map(fields).map(found => ({
            problem: string(found['problem']),
            remedy: string(found['remedy']),
        })),
    };
}

/** Of a container that nobody can look into. */
export function failedInspection(reason: string): Inspection {
    const problem = `The container cannot be looked into: ${reason}`;
    return parseInspection(JSON.stringify({problems: [{problem, remedy: REMEDY}]}));
}

const REMEDY = 'Restart the container (snowctl intune restart)';

function parse(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        const problem = 'What is in the container cannot be understood';
        return {problems: [{problem, remedy: REMEDY}]};
    }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? {...value} : {};
}

function flag(value: unknown): boolean | null {
    return typeof value === 'boolean' ? value : null;
}

function string(value: unknown): string {
    return typeof value === 'string' ? value : '';
}
