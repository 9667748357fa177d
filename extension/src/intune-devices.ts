// SPDX-License-Identifier: GPL-2.0-or-later
// The cameras, security keys and listed devices that there are for the user's container, from its cached
// properties. Pure, so that it says nothing in any language.
import type {Refusal} from './feature-view.js';
import type {IntuneProperties} from './generated/dbus.js';
import {type Job, attaches, intunePath, isRunning} from './snow-objects.js';

/** Of several nodes of one device, the first that any of them has counts. */
const STATES = ['asked', 'attached', 'elsewhere', 'detached', 'never'] as const;
export type DeviceState = (typeof STATES)[number];

/** What is plugged in as one, and attached as one. */
export interface IntuneDevice {
    readonly id: string;
    /** Any of its nodes stands for it. */
    readonly node: string;
    readonly nodes: readonly string[];
    /** Of the product, in its own words. */
    readonly name: string;
    readonly state: DeviceState;
}

export interface DeviceView extends IntuneDevice {
    readonly isOn: boolean;
    /** It is being attached or detached. */
    readonly isBusy: boolean;
    readonly canSwitch: boolean;
    /** Another one has the same name. */
    readonly isAmbiguous: boolean;
    /** Why it could not be switched, in the service's words; empty: it could. */
    readonly problem: string;
}

export interface DeviceSurroundings {
    /** Those of the container. */
    readonly jobs: readonly Job[];
    /** The switch that a call asks for which waits for its answer. */
    readonly askedOf: (node: string) => boolean | undefined;
    readonly refusalOf: (node: string) => Refusal | null;
    /** By node: what jobs failed with. */
    readonly failures: ReadonlyMap<string, string>;
}

/** What calls for a device are about: less than the container. */
export function deviceSubject(uid: number, node: string): string {
    return `${intunePath(uid)}${node}`;
}

/** Those that are plugged in, while the container runs. */
export function readDevices({State, Devices}: IntuneProperties): readonly IntuneDevice[] {
    if (State !== 'running') return [];
    const devices = new Map<string, IntuneDevice>();
    for (const values of Devices) {
        const [node, name, state] = [values.node, values.product, values.state];
        const known = STATES.find(one => one === state);
        if (typeof node !== 'string' || !node || !known) continue;
        // The service takes those of one class together.
        const id = `${String(values.class)} ${String(values.device ?? node)}`;
        const device = devices.get(id);
        devices.set(id, {
            id,
            node: device?.node ?? node,
            nodes: [...(device?.nodes ?? []), node],
            name: device?.name || (typeof name === 'string' && name ? name : node),
            state: STATES.find(one => one === device?.state || one === known) ?? known,
        });
    }
    return [...devices.values()];
}

export function viewDevices(
    intune: IntuneProperties,
    around: DeviceSurroundings,
): readonly DeviceView[] {
    const devices = readDevices(intune);
    return devices.map(device => {
        const {nodes, name, state} = device;
        const job = around.jobs.findLast(
            one => isRunning(one) && attaches(one) !== null && nodes.includes(one.Target),
        );
        const asked = first(nodes, node => around.askedOf(node));
        const isBusy = job !== undefined || asked !== undefined;
        const problem =
            first(nodes, node => around.refusalOf(node)?.message) ??
            first(nodes, node => around.failures.get(node));
        return {
            ...device,
            isOn: (job && attaches(job)) ?? asked ?? state === 'attached',
            isBusy,
            canSwitch: state !== 'never' && state !== 'elsewhere',
            isAmbiguous: devices.some(other => other.id !== device.id && other.name === name),
            problem: isBusy ? '' : (problem ?? ''),
        };
    });
}

function first<T>(nodes: readonly string[], find: (node: string) => T | undefined): T | undefined {
    return nodes.map(find).find(found => found !== undefined);
}
