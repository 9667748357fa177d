// SPDX-License-Identifier: GPL-2.0-or-later
// A user's container as the service describes it.

export interface ContainerBinding {
    readonly kind: string;
    readonly source: string;
    readonly target: string;
    /** Whether the machine has it. */
    readonly present: boolean;
}

/** A node of something that is plugged in. */
export interface ContainerDevice {
    readonly node: string;
    /** camera, security-key or listed */
    readonly class: string;
    readonly product: string;
    /** The same for the nodes of one device. */
    readonly device: string;
    /** attached, asked, detached, never or elsewhere */
    readonly state: string;
}

export interface ContainerApplication {
    readonly id: string;
    readonly name: string;
    readonly icon: string;
}

/** JSON shows it as it is. */
export interface ContainerSummary {
    /** absent, stopped, starting, running, stopping or failed */
    readonly state: string;
    readonly image: string;
    readonly digest: string;
    readonly channel: string;
    /** Empty: the last check found no other one. */
    readonly newestDigest: string;
    /** Seconds since 1970; 0: never. */
    readonly lastCheck: number;
    readonly created: number;
    /** 0: it does not run. */
    readonly startedAt: number;
    /** As `configure` takes them. */
    readonly settings: Readonly<Record<string, string | boolean>>;
    readonly bindings: readonly ContainerBinding[];
    /** While it runs. */
    readonly devices: readonly ContainerDevice[];
    readonly canRestore: boolean;
    readonly applications: readonly ContainerApplication[];
    readonly problem: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** From the properties on the bus, without their variants. */
export function containerSummary(properties: Fields): ContainerSummary {
    const settings = Object.entries(fields(properties['Settings'])).filter(
        (entry): entry is [string, string | boolean] =>
            typeof entry[1] === 'string' || typeof entry[1] === 'boolean',
    );
    return {
        state: text(properties, 'State') || 'absent',
        image: text(properties, 'Image'),
        digest: text(properties, 'Digest'),
        channel: text(properties, 'Channel'),
        newestDigest: text(properties, 'NewestDigest'),
        lastCheck: number(properties, 'LastCheck'),
        created: number(properties, 'Created'),
        startedAt: number(properties, 'StartedAt'),
        settings: Object.fromEntries(settings),
        bindings: list(properties['Bindings']).map(binding => ({
            kind: text(binding, 'kind'),
            source: text(binding, 'source'),
            target: text(binding, 'target'),
            present: binding['present'] === true,
        })),
        devices: list(properties['Devices']).map(device => ({
            node: text(device, 'node'),
            class: text(device, 'class'),
            product: text(device, 'product'),
            device: text(device, 'device'),
            state: text(device, 'state'),
        })),
        canRestore: properties['CanRestore'] === true,
        applications: list(properties['Applications']).map(application => ({
            id: text(application, 'id'),
            name: text(application, 'name'),
            icon: text(application, 'icon'),
        })),
        problem: text(properties, 'Problem'),
    };
}

/** Whether applications of it may run. */
export function isUp({state}: ContainerSummary): boolean {
    return ['starting', 'running', 'stopping'].includes(state);
}

function text(from: Fields, key: string): string {
    const value = from[key];
    return typeof value === 'string' ? value : '';
}

function number(from: Fields, key: string): number {
    const value = from[key];
    return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function list(value: unknown): readonly Fields[] {
    return Array.isArray(value) ? value.map(fields) : [];
}

function fields(value: unknown): Fields {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? {...value} : {};
}
