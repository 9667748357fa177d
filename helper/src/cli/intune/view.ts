// SPDX-License-Identifier: GPL-2.0-or-later
// What people and programs are shown of a container.

import {shortDigest} from '../image/view.ts';
import {type TableStyle, fields} from '../table.ts';
import {durationText, timeText} from '../units.ts';
import type {Inspection, InspectionProblem} from './inspection.ts';
import type {ContainerBinding, ContainerSummary} from './state.ts';

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
        session: inspection?.session ?? null,
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
        return filled(
            [
                ['State', ['absent; "snowctl intune init" makes a container']],
                ['Problem', problems],
            ],
            style,
        );
    return filled(
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
            ['Devices', attachedProducts(container)],
            ...(inspection ? sessionRows(inspection) : []),
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

function attachedProducts({devices}: ContainerSummary): readonly string[] {
    const attached = devices.filter(({state}) => state === 'attached');
    return [...new Map(attached.map(({device, product}) => [device, product])).values()];
}

function bindingText({kind, source, target, present}: ContainerBinding): string {
    if (!present) return `${kind}: not there`;
    return source === '' || source === target
        ? `${kind}: ${target}`
        : `${kind}: ${source} at ${target}`;
}

type Row = readonly [label: string, values: readonly string[]];

/** As wide as those that have something to say. */
function filled(rows: readonly Row[], style: TableStyle): string {
    return fields(
        rows.filter(([, values]) => values.length > 0),
        style,
    );
}

/** The session in the container; nothing of what is not told. */
function sessionRows({session}: Inspection): readonly Row[] {
    const {sessionBus, keyring, broker, deviceBroker, agentTimer, lastCompliance} = session;
    const either = (value: boolean | null, yes: string, no: string): readonly string[] =>
        value === null ? [] : [value ? yes : no];
    return [
        ['Session bus', either(sessionBus, 'answers', 'does not answer')],
        ['Keyring', keyring === '' ? [] : [keyring]],
        ['Identity broker', broker === '' ? [] : [broker]],
        ['Device broker', either(deviceBroker, 'running', 'not running')],
        ['Agent timer', either(agentTimer, 'on', 'off')],
        [
            'Last compliance run',
            lastCompliance
                ? [`${timeText(lastCompliance.time)}${lastCompliance.succeeded ? '' : ', failed'}`]
                : ['none since the start'],
        ],
    ];
}
