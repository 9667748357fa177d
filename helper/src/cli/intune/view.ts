// SPDX-License-Identifier: GPL-2.0-or-later
// What people and programs are shown of a container.

import {shortDigest} from '../image/view.ts';
import {type TableStyle, fields} from '../table.ts';
import {durationText, timeText} from '../units.ts';
import type {Inspection, InspectionProblem} from './inspection.ts';
import type {ContainerBinding, ContainerSummary} from './state.ts';

/** Labels for the parts of a report, in the order in which they are shown. */
const parts: readonly (readonly [key: string, label: string])[] = [
    ['sessionBus', 'Session bus'],
    ['keyring', 'Keyring'],
    ['broker', 'Broker'],
    ['agentTimer', 'Agent timer'],
    ['lastCompliance', 'Last compliance run'],
];

/** What `intune status --json` prints. */
export function statusDocument(
    uid: number,
    container: ContainerSummary,
    inspection: Inspection | null,
    now: number,
) {
    return {
        uid,
        ...container,
        newerAvailable: container.newestDigest !== '',
        uptime: container.startedAt === 0 ? 0 : Math.max(0, now - container.startedAt),
        session: inspection?.report ?? null,
        problems: problemsOf(container, inspection),
    };
}

export function statusText(
    container: ContainerSummary,
    inspection: Inspection | null,
    now: number,
    style: TableStyle,
): string {
    const {state, image, digest, channel, created, startedAt, lastCheck, newestDigest} = container;
    const problems = problemsOf(container, inspection).flatMap(({problem, remedy}) =>
        remedy === '' ? [problem] : [problem, `  ${remedy}`],
    );
    if (state === 'absent')
        return fields(
            [
                ['State', ['absent; "snowctl intune init" makes a container']],
                ['Problem', problems],
            ],
            style,
        );
    return fields(
        [
            ['State', [stateText(state, startedAt, now)]],
            ['Image', [`${image} (${channel}, ${shortDigest(digest)})`]],
            [
                'Newer image',
                newestDigest === ''
                    ? []
                    : [
                          `${shortDigest(newestDigest)}; "snowctl intune recreate" makes the container anew from it`,
                      ],
            ],
            ['Last check', [timeText(lastCheck)]],
            ['Made', [timeText(created)]],
            ['Can go back', container.canRestore ? ['snowctl intune recreate --undo'] : []],
            ['Settings', [settingsText(container.settings)]],
            ['From this machine', container.bindings.map(bindingText)],
            ...parts.map(([key, label]) => [label, reportTexts(inspection?.report[key])] as const),
            ['Problem', problems],
        ],
        style,
    );
}

function problemsOf(
    {problem}: ContainerSummary,
    inspection: Inspection | null,
): readonly InspectionProblem[] {
    const own = problem === '' ? [] : [{problem, remedy: ''}];
    return [...own, ...(inspection?.problems ?? [])];
}

function stateText(state: string, startedAt: number, now: number): string {
    return startedAt === 0
        ? state
        : `${state} since ${timeText(startedAt)} (${durationText(now - startedAt)})`;
}

/** `autostart gpu audio memory-max=4G`: what is on, and what is limited. */
function settingsText(settings: ContainerSummary['settings']): string {
    return Object.entries(settings)
        .filter(([key, value]) => value !== false && value !== '' && key !== 'channel')
        .map(([key, value]) => (value === true ? key : `${key}=${String(value)}`))
        .join(' ');
}

function bindingText({kind, source, target, present}: ContainerBinding): string {
    if (!present) return `${kind}: not there`;
    return source === '' || source === target
        ? `${kind}: ${target}`
        : `${kind}: ${source} at ${target}`;
}

/** Of a part of a report: a text, a time, or more of them by name. */
function reportTexts(value: unknown): readonly string[] {
    if (value === undefined || value === null || value === '') return [];
    if (typeof value === 'string') return [value];
    if (typeof value === 'boolean') return [value ? 'yes' : 'no'];
    if (typeof value === 'number') return [timeText(value)];
    if (Array.isArray(value)) return value.flatMap(reportTexts);
    if (typeof value !== 'object') return [];
    return [
        Object.entries(value)
            .flatMap(([key, part]) => reportTexts(part).map(text => `${key}: ${text}`))
            .join(', '),
    ];
}
