// SPDX-License-Identifier: GPL-2.0-or-later
// What the service found in a running container.

export interface InspectionProblem {
    /** One line. */
    readonly problem: string;
    /** What to do about it. */
    readonly remedy: string;
}

export interface Inspection {
    /** As the service tells it, for programs. */
    readonly report: Readonly<Record<string, unknown>>;
    readonly problems: readonly InspectionProblem[];
}

/** What is no such document is a problem itself. */
export function parseInspection(text: string): Inspection {
    const {problems, ...report} = fields(parse(text));
    return {
        report,
        problems: (Array.isArray(problems) ? problems : []).map(fields).map(found => ({
            problem: String(found['problem'] ?? ''),
            remedy: String(found['remedy'] ?? ''),
        })),
    };
}

function parse(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        const problem = 'What is in the container cannot be understood';
        return {problems: [{problem, remedy: 'Restart it: snowctl intune restart'}]};
    }
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? {...value} : {};
}
