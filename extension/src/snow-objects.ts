// SPDX-License-Identifier: GPL-2.0-or-later
// The cached view of org.frostyard.Snow1: its objects as ObjectManager and PropertiesChanged tell them.

import type {
    FeatureProperties,
    FeaturesProperties,
    ImageProperties,
    IntuneProperties,
    JobProperties,
    ManagerProperties,
} from './generated/dbus.js';

export const ROOT_PATH = '/org/frostyard/Snow1';
export const FEATURES_PATH = `${ROOT_PATH}/Features`;
export const IMAGE_PATH = `${ROOT_PATH}/Image`;

export const MANAGER = 'org.frostyard.Snow1.Manager';
export const FEATURES = 'org.frostyard.Snow1.Features';
export const FEATURE = 'org.frostyard.Snow1.Feature';
export const IMAGE = 'org.frostyard.Snow1.Image';
export const INTUNE = 'org.frostyard.Snow1.Intune';
export const JOB = 'org.frostyard.Snow1.Job';

export type Values = Readonly<Record<string, unknown>>;
/** Properties by interface. */
export type Interfaces = Readonly<Record<string, Values>>;

export interface Feature extends FeatureProperties {
    readonly path: string;
}

export interface Job extends JobProperties {
    readonly path: string;
}

const NO_FEATURE: FeatureProperties = {
    Name: '',
    Description: '',
    Documentation: '',
    Enabled: false,
    Installed: '',
    Newest: '',
    Versions: [],
    Active: '',
    Component: '',
    Origin: '',
    Problem: '',
};

const NO_JOB: JobProperties = {
    Operation: '',
    Target: '',
    Step: '',
    Progress: -1,
    BytesDone: 0,
    BytesTotal: 0,
    StartedByUID: 0,
    State: '',
    Error: ['', ''],
};

const NO_FEATURES: FeaturesProperties = {
    LastCheck: 0,
    Automatic: false,
    RestartNeeded: false,
    Problem: '',
};

const NO_IMAGE: ImageProperties = {
    Driver: '',
    Followed: '',
    Booted: {},
    Staged: {},
    Rollback: {},
    RollbackQueued: false,
    Downloaded: {},
    Available: {},
    Channels: [],
    Capabilities: [],
    Extensions: [],
    RestartNeeded: false,
    LastCheck: 0,
    LastOutcome: '',
    Problem: '',
};

const NO_INTUNE: IntuneProperties = {
    State: '',
    Image: '',
    Digest: '',
    Channel: '',
    NewestDigest: '',
    LastCheck: 0,
    Created: 0,
    StartedAt: 0,
    Settings: {},
    Bindings: [],
    Devices: [],
    CanRestore: false,
    Applications: [],
    Problem: '',
};

const NO_MANAGER: ManagerProperties = {Version: '', ImageDriver: ''};

/** What a job is said to have failed with whose service went away. */
export const VANISHED = 'org.frostyard.Snow1.Error.Vanished';

export class SnowObjects {
    #objects = new Map<string, Map<string, Values>>();

    /** Takes the answer to GetManagedObjects. */
    replace(objects: Readonly<Record<string, Interfaces>>): void {
        this.#objects = new Map(
            Object.entries(objects).map(([path, interfaces]) => [
                path,
                new Map(Object.entries(interfaces)),
            ]),
        );
    }

    add(path: string, interfaces: Interfaces): void {
        const object = this.#objects.get(path) ?? new Map<string, Values>();
        for (const [name, values] of Object.entries(interfaces)) object.set(name, values);
        this.#objects.set(path, object);
    }

    remove(path: string, interfaces: readonly string[]): void {
        const object = this.#objects.get(path);
        if (!object) return;
        for (const name of interfaces) object.delete(name);
        if (object.size === 0) this.#objects.delete(path);
    }

    /** False: the object is not known, the view is out of date. */
    change(path: string, interfaceName: string, changed: Values): boolean {
        const object = this.#objects.get(path);
        const values = object?.get(interfaceName);
        if (!object || !values) return false;
        object.set(interfaceName, {...values, ...changed});
        return true;
    }

    /** The service went away: what it was doing has failed, and the message says so. Returns those jobs. */
    abandonJobs(message: string): readonly Job[] {
        const running = this.jobs.filter(isRunning);
        return running.map(job => {
            const end = {State: 'failed', Error: [VANISHED, message] as const};
            this.change(job.path, JOB, end);
            return {...job, ...end};
        });
    }

    /** By name. */
    get features(): readonly Feature[] {
        return this.#all(FEATURE, NO_FEATURE).sort((a, b) => a.Name.localeCompare(b.Name));
    }

    /** Oldest first, those that ended too. */
    get jobs(): readonly Job[] {
        return this.#all(JOB, NO_JOB).sort((a, b) => jobNumber(a) - jobNumber(b));
    }

    job(path: string): Job | null {
        const values = this.#objects.get(path)?.get(JOB);
        return values ? {path, ...complete(NO_JOB, values)} : null;
    }

    /** Null: nothing is known. */
    get summary(): FeaturesProperties | null {
        const values = this.#objects.get(FEATURES_PATH)?.get(FEATURES);
        return values ? complete(NO_FEATURES, values) : null;
    }

    /** Null: no driver manages the image of this system. */
    get image(): ImageProperties | null {
        const values = this.#objects.get(IMAGE_PATH)?.get(IMAGE);
        const image = complete(NO_IMAGE, values ?? {});
        return image.Driver ? image : null;
    }

    /** Null: the service has no container of this user, and cannot make one. */
    intune(uid: number): IntuneProperties | null {
        const values = this.#objects.get(intunePath(uid))?.get(INTUNE);
        return values ? complete(NO_INTUNE, values) : null;
    }

    /** Of the service; empty: not known. */
    get version(): string {
        return complete(NO_MANAGER, this.#objects.get(ROOT_PATH)?.get(MANAGER) ?? {}).Version;
    }

    #all<T extends object>(interfaceName: string, defaults: T): (T & {readonly path: string})[] {
        const found = [];
        for (const [path, interfaces] of this.#objects) {
            const values = interfaces.get(interfaceName);
            if (values) found.push({path, ...complete(defaults, values)});
        }
        return found;
    }
}

export function isRunning(job: Job): boolean {
    return job.State === 'running';
}

/** The part of the system that a job works on. */
export type Domain = 'features' | 'image' | 'intune';

export function domainOf(operation: string): string {
    return operation.slice(0, operation.indexOf('.'));
}

/** Programs that run in a container: whoever started them sees to them. */
const ATTENDED = ['intune.run', 'intune.inspect'];

/** Of a device in the user's container, whose node is the target. */
const DEVICE_JOBS: Readonly<Record<string, boolean>> = {
    'intune.attach-device': true,
    'intune.detach-device': false,
};

/** Whether a job attaches a device, or detaches it; null: it is another one. */
export function attaches({Operation}: Job): boolean | null {
    return DEVICE_JOBS[Operation] ?? null;
}

/** Whether a job is one to tell this user of: not one of the container of another user. */
export function isOfUser({Operation, Target, StartedByUID}: Job, uid: number): boolean {
    if (domainOf(Operation) !== 'intune') return true;
    const [, target] = /^intune-u([0-9]+)$/.exec(Target) ?? [];
    return !ATTENDED.includes(Operation) && Number(target ?? StartedByUID) === uid;
}

/** Path of the object of a user's container. */
export function intunePath(uid: number): string {
    return `${ROOT_PATH}/Intune/u${uid}`;
}

/** What the last of the jobs failed with; empty: it did not. */
export function failure(jobs: readonly Job[]): string {
    const last = jobs.at(-1);
    return last?.State === 'failed' ? last.Error[1] : '';
}

/** Path of the object of a feature, escaped as sd_bus_path_encode(3) does. */
export function featurePath(id: string): string {
    const bytes = [...new TextEncoder().encode(id)];
    const escaped = bytes.map((byte, index) => {
        const character = String.fromCharCode(byte);
        const isPlain = index === 0 ? /[a-z]/i : /[a-z0-9]/i;
        return isPlain.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`;
    });
    return `${FEATURES_PATH}/${escaped.join('') || '_'}`;
}

function jobNumber(job: Job): number {
    return Number(job.path.slice(job.path.lastIndexOf('/') + 1));
}

/** The values that have the type of their default, and the default for the others. */
function complete<T extends object>(defaults: T, values: Values): T {
    const known = Object.entries(defaults).map(([key, fallback]) => {
        const value = values[key];
        const fits =
            typeof value === typeof fallback && Array.isArray(value) === Array.isArray(fallback);
        return [key, fits ? value : fallback];
    });
    return Object.fromEntries(known) as T;
}
