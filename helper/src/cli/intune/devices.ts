// SPDX-License-Identifier: GPL-2.0-or-later
// Cameras, security keys and other devices that a running container has, or may have.

import {SnowError} from '../../host/error.ts';
import type {CommandAction, Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {didYouMean} from '../suggestions.ts';
import {type TableStyle, fields, table} from '../table.ts';
import {quoted} from '../text.ts';
import {changeSettings} from './configure.ts';
import {findOwner} from './owner.ts';
import {connect, readContainer, runContainerJob} from './service.ts';
import type {ContainerDevice, ContainerSummary} from './state.ts';

export const deviceActions = ['list', 'attach', 'detach', 'policy'] as const;
/** As `configure` calls them. */
export const deviceClasses = ['cameras', 'security-keys', 'listed-devices'] as const;
export const devicePolicies = ['allow', 'ask', 'never'] as const;

export const manageDevices: CommandAction = async (context, [verb = '', ...words]) => {
    switch (verb) {
        case 'list':
            refuseMore(verb, words, 0);
            return listDevices(context);
        case 'attach':
        case 'detach':
            return chooseDevices(context, verb, words);
        case 'policy':
            refuseMore(verb, words, 2);
            return words.length < 2 ? showPolicy(context, words) : changePolicy(context, words);
        default:
            throw invalid(
                `"intune devices" takes ${deviceActions.join(', ')}, not ${quoted(verb)}${didYouMean(verb, deviceActions)}`,
            );
    }
};

async function listDevices(context: Context): Promise<number> {
    const {output} = context;
    const {uid, container} = await findContainer(context);
    const devices = wholeDevices(container?.devices ?? []);
    const state = container?.state ?? 'absent';
    output.result({uid, state, devices}, () => devicesText(state, devices, output.style));
    return SUCCESS;
}

async function chooseDevices(
    context: Context,
    verb: 'attach' | 'detach',
    words: readonly string[],
): Promise<number> {
    if (words.length === 0) throw invalid(`"intune devices ${verb}" needs NODE`);
    const nodes = words.map(nodePath);
    const owner = await findOwner(context);
    await using client = await connect(context);
    refuseUnknown(await readContainer(client, owner), nodes);
    const changed: string[] = [];
    for (const node of nodes) {
        // A device that was named by another node before.
        if (changed.includes(node)) continue;
        const results = await runContainerJob(context, client, owner, {
            operation: `${verb}-device`,
            method: verb === 'attach' ? 'AttachDevice' : 'DetachDevice',
            signature: 's',
            args: [node],
        });
        const all = results?.['nodes'];
        changed.push(...(Array.isArray(all) ? all.map(String) : []));
    }
    context.output.result({operation: `${verb}-device`, uid: owner.uid, nodes: changed}, () => {
        const done = verb === 'attach' ? 'The container has' : 'The container does not have';
        return `${done} ${changed.join(', ')}${verb === 'attach' ? '' : ' any more'}.\n`;
    });
    return SUCCESS;
}

async function showPolicy(context: Context, [name]: readonly string[]): Promise<number> {
    const {output} = context;
    const shown = name === undefined ? deviceClasses : [className(name)];
    const {uid, container} = await findContainer(context);
    if (!container)
        throw new SnowError('NotFound', 'There is neither a container nor a session to have one');
    const policies = shown.map(key => [key, String(container.settings[key] ?? '')] as const);
    output.result({uid, ...Object.fromEntries(policies)}, () =>
        name === undefined
            ? fields(
                  policies.map(([key, policy]) => [key, [policy]]),
                  output.style,
              )
            : `${policies[0]?.[1] ?? ''}\n`,
    );
    return SUCCESS;
}

function changePolicy(context: Context, [name = '', word = '']: readonly string[]) {
    const key = className(name);
    if (!devicePolicies.some(policy => policy === word))
        throw invalid(`${key} takes ${devicePolicies.join(', ')}, not ${quoted(word)}`);
    return changeSettings(context, {[key]: word}, `${key} is ${word}.`);
}

/** All of them, before one is changed; what else is wrong with one, the service says. */
function refuseUnknown(container: ContainerSummary | null, nodes: readonly string[]): void {
    if (container?.state !== 'running') return;
    for (const node of nodes)
        if (!container.devices.some(device => device.node === node))
            throw new SnowError(
                'NotFound',
                `${node} is no camera, security key or listed device that is plugged in`,
            );
}

async function findContainer(
    context: Context,
): Promise<{readonly uid: number; readonly container: ContainerSummary | null}> {
    const owner = await findOwner(context);
    await using client = await connect(context);
    return {uid: owner.uid, container: await readContainer(client, owner)};
}

/** `video0` is `/dev/video0`. Throws SnowError InvalidArgs. */
function nodePath(word: string): string {
    const path = word.startsWith('/') ? word : `/dev/${word}`;
    if (!/^\/dev\/[A-Za-z0-9/_-]{1,200}$/.test(path))
        throw invalid(`${quoted(word)} is not the path of a device`);
    return path;
}

function className(word: string): string {
    const name = deviceClasses.find(known => known === word);
    if (name === undefined)
        throw invalid(
            `There is no class ${quoted(word)} of devices, but ${deviceClasses.join(', ')}${didYouMean(word, deviceClasses)}`,
        );
    return name;
}

interface WholeDevice {
    readonly product: string;
    readonly class: string;
    readonly state: string;
    readonly nodes: readonly string[];
}

/** One for all nodes that are attached together. */
function wholeDevices(nodes: readonly ContainerDevice[]): readonly WholeDevice[] {
    const devices = new Map<string, WholeDevice>();
    for (const {node, class: kind, product, device, state} of nodes) {
        const key = JSON.stringify([device, kind]);
        const known = devices.get(key);
        // Nodes come and go one by one; what one of them has or waits for, the device does.
        const states = [known?.state ?? state, state];
        devices.set(key, {
            product,
            class: kind,
            state: ['attached', 'asked'].find(one => states.includes(one)) ?? state,
            nodes: [...(known?.nodes ?? []), node],
        });
    }
    return [...devices.values()];
}

const stateTexts: Readonly<Record<string, string>> = {
    attached: 'attached',
    asked: 'waits for an answer',
    detached: 'detached',
    never: 'kept out by the settings',
    elsewhere: 'of another session',
};

export function devicesText(
    state: string,
    devices: readonly WholeDevice[],
    style: TableStyle,
): string {
    if (state === 'absent') return 'There is no container; make one first (snowctl intune init).\n';
    if (state !== 'running')
        return 'The container does not run, and has no devices; start it first (snowctl intune start).\n';
    if (devices.length === 0) return 'No camera, security key or listed device is plugged in.\n';
    const rows = devices.map(({product, class: kind, nodes, ...device}) => [
        product,
        kind,
        stateTexts[device.state] ?? device.state,
        nodes.join(' '),
    ]);
    const asked = devices.find(device => device.state === 'asked')?.nodes[0];
    const hint =
        asked === undefined
            ? ''
            : `\nThe answer: snowctl intune devices attach ${asked}, or detach.\n`;
    return `${table(['DEVICE', 'CLASS', 'STATE', 'NODES'], rows, style)}${hint}`;
}

function refuseMore(verb: string, words: readonly string[], limit: number): void {
    const more = words[limit];
    if (more !== undefined)
        throw invalid(`"intune devices ${verb}" has no use for ${quoted(more)}`);
}

function invalid(text: string): SnowError {
    return new SnowError('InvalidArgs', text);
}
