// SPDX-License-Identifier: GPL-2.0-or-later
// What is done by root right before systemd-nspawn starts a container, and after it ended. What the
// user controls is opened once, and bound by its descriptor to a place that is root's.

import {type DeviceNode, makeNode} from '../../host/device-nodes.ts';
import {directoriesOf} from '../../host/directories.ts';
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {type OpenedThing, openSafely} from '../../host/safe-open.ts';
import {
    type Binding,
    type ContainerRecord,
    type SessionEnvironment,
    type Settings,
    machineName,
    runtimeDirectory,
} from '../model.ts';
import {type Driver, graphicsNodes, nvidiaDriver} from './graphics.ts';
import {forgetBindings, writeBindings} from './machine-files.ts';
import {type Bind, nspawnSettings} from './nspawn-settings.ts';
import {type Source, findSession, sessionSources} from './session-sources.ts';

/** Ours for every container, of the package; and where it is there. */
const CONTAINER_FILES = ['/usr/lib/snow-control/container', '/usr/lib/snow-control'] as const;
const SESSION_ENVIRONMENT = '/run/snow-control/session.env';
/** Where device nodes can be added while it runs. */
const DEVICES = '/run/host-dev';

function settingsPath(uid: number): string {
    return `/run/systemd/nspawn/${machineName(uid)}.nspawn`;
}

/** Nobody but root enters it: what is bound there is not protected by the directories above it any more. */
function bindDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/host`;
}

function deviceDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/dev`;
}

function environmentPath(uid: number): string {
    return `${runtimeDirectory(uid)}/session.env`;
}

/** Throws SnowError WrongState where the container's home directory is missing or something else. */
export async function prepareMachine(
    host: Host,
    record: ContainerRecord,
    settings: Settings,
    session: SessionEnvironment,
    warn: (text: string) => void,
): Promise<void> {
    await cleanMachine(host, record.owner.uid);
    await new Preparation(host, record, settings, warn).run(session);
}

/** Also of what a start that was killed left. */
export async function cleanMachine(host: Host, uid: number): Promise<void> {
    await host.files.remove(settingsPath(uid));
    await forgetBindings(host, uid);
    const mounts = await mountsBelow(host, [
        `${runtimeDirectory(uid)}/`,
        ...(await unregisteredExport(host, uid)),
    ]);
    if (mounts.length > 0)
        await run(host, ['umount', '--lazy', '--no-canonicalize', '--', ...mounts]);
    for (const name of await host.files.list(bindDirectory(uid))) {
        const place = `${bindDirectory(uid)}/${name}`;
        if ((await host.files.status(place))?.type === 'directory')
            await host.files.removeEmptyDirectory(place);
        else await host.files.remove(place);
    }
}

/** What a source is, and where it is to be bound to. */
interface OpenedSource {
    readonly source: Source;
    readonly thing: OpenedThing;
    readonly place: string;
}

class Preparation {
    readonly #host: Host;
    readonly #record: ContainerRecord;
    readonly #settings: Settings;
    readonly #warn: (text: string) => void;
    readonly #binds: Bind[] = [];
    readonly #bindings: Binding[] = [];
    readonly #environment: Record<string, string> = {};

    constructor(
        host: Host,
        record: ContainerRecord,
        settings: Settings,
        warn: (text: string) => void,
    ) {
        this.#host = host;
        this.#record = record;
        this.#settings = settings;
        this.#warn = warn;
    }

    async run(session: SessionEnvironment): Promise<void> {
        const {uid} = this.#record.owner;
        const directories = directoriesOf(this.#host);
        await directories.make(runtimeDirectory(uid), 0o755);
        await directories.make(bindDirectory(uid), 0o700);
        await directories.make(deviceDirectory(uid), 0o755);
        await this.#bindSession(session);
        await this.#bindDevices();
        if (session.LANG !== undefined) this.#environment.LANG = session.LANG;
        await this.#bindOurs();
        await writeBindings(this.#host, uid, this.#bindings);
        const text = nspawnSettings(this.#record, this.#binds);
        await this.#host.files.writeWhole(settingsPath(uid), text, 0o644);
    }

    async #bindSession(session: SessionEnvironment): Promise<void> {
        const findings = await findSession(this.#host, this.#record.owner);
        const sources = sessionSources(this.#record, this.#settings, session, findings);
        const opened: OpenedSource[] = [];
        let mounted: readonly OpenedSource[] = [];
        try {
            for (const source of sources) {
                const one = await this.#openFirst(source);
                if (one) opened.push(one);
                else if (source.isNeeded)
                    throw new SnowError('WrongState', `There is no ${source.paths.join(' or ')}`);
            }
            mounted = await this.#mount(opened);
        } finally {
            for (const {thing} of opened) await thing[Symbol.asyncDispose]();
        }
        for (const source of sources) {
            const found = mounted.find(one => one.source === source);
            const {kind, paths, target, mapping, isReadOnly} = source;
            const path = found?.thing.path ?? paths[0] ?? '';
            this.#bindings.push({kind, source: path, target, isPresent: found !== undefined});
            if (!found) continue;
            this.#binds.push({source: found.place, target, mapping, isReadOnly});
            Object.assign(this.#environment, source.environment);
        }
    }

    async #openFirst(source: Source): Promise<OpenedSource | null> {
        const {kind, paths, type, mayBeRoots, isNeeded} = source;
        const {uid} = this.#record.owner;
        for (const path of paths) {
            try {
                const thing = await openSafely(path, {type, owner: uid, orRoots: mayBeRoots});
                if (thing) return {source, thing, place: `${bindDirectory(uid)}/${kind}`};
            } catch (error) {
                if (isNeeded || !(error instanceof SnowError)) throw error;
                this.#warn(`The container does without ${kind}: ${error.message}`);
            }
        }
        return null;
    }

    /**
     * All by one process: most of the time of a start that is ours is that of processes. Returns those
     * that could be mounted: what was removed since it was opened cannot.
     */
    async #mount(opened: readonly OpenedSource[]): Promise<readonly OpenedSource[]> {
        const {uid} = this.#record.owner;
        // Its nodes are to be opened, and nothing else: no nodev here.
        const options = 'mode=755,nosuid,noexec,size=1m,nr_inodes=4096';
        const table = [
            `snow-control ${deviceDirectory(uid)} tmpfs ${options} 0 0`,
            ...opened.map(({thing, place}) => `${thing.descriptorPath} ${place} none bind 0 0`),
        ];
        const path = `${runtimeDirectory(uid)}/fstab`;
        await Promise.all([
            this.#host.files.writeWhole(path, `${table.join('\n')}\n`, 0o600),
            ...opened.map(({source, place}) =>
                source.type === 'directory'
                    ? directoriesOf(this.#host).make(place, 0o700)
                    : this.#host.files.writeWhole(place, '', 0o600),
            ),
        ]);
        const command = ['mount', '--no-canonicalize', '--all', '--fstab', path] as const;
        const {exitCode, stderr} = await this.#host.programs.run(command);
        if (exitCode === 0) return opened;
        const points = await mountsBelow(this.#host, [`${runtimeDirectory(uid)}/`]);
        const missing = opened.filter(({place}) => !points.includes(place));
        if (!points.includes(deviceDirectory(uid)) || missing.some(({source}) => source.isNeeded))
            throw new SnowError('Failed', `mount did not succeed: ${stderr || exitCode}`);
        for (const {source, thing} of missing)
            this.#warn(`The container does without ${source.kind}: ${thing.path} is gone`);
        return opened.filter(one => !missing.includes(one));
    }

    async #bindDevices(): Promise<void> {
        this.#binds.push(ours(deviceDirectory(this.#record.owner.uid), DEVICES));
        for (const [directory, nodes] of Object.entries(
            await graphicsNodes(this.#host, this.#settings),
        ))
            await this.#bindNodes(directory, nodes);
        if (this.#bindings.some(({kind, isPresent}) => isPresent && kind === 'nvidia'))
            this.#bindDriver(await nvidiaDriver(this.#host));
    }

    /** Makes nodes for the container; those of a directory of their own are bound by it. */
    async #bindNodes(directory: string, nodes: readonly DeviceNode[]): Promise<void> {
        if (nodes.length === 0) return;
        const {uid} = this.#record.owner;
        const place = `${deviceDirectory(uid)}${directory.slice('/dev'.length)}`;
        await directoriesOf(this.#host).make(place, 0o755);
        for (const node of nodes) {
            const name = node.path.slice(directory.length + 1);
            const isPresent = await this.#makeNode(`${place}/${name}`, node);
            if (isPresent && directory === '/dev')
                this.#binds.push(ours(`${place}/${name}`, node.path));
            const kind = node.path.includes('nvidia') ? 'nvidia' : 'gpu';
            this.#bindings.push({kind, source: node.path, target: node.path, isPresent});
        }
        if (directory !== '/dev') this.#binds.push(ours(place, directory));
    }

    async #makeNode(path: string, node: DeviceNode): Promise<boolean> {
        const {uidBase} = this.#record;
        // The group has the number in the container that it has here.
        const owner = {uid: uidBase, gid: uidBase + (node.gid < 65_534 ? node.gid : 0)};
        try {
            await makeNode(this.#host, path, node, owner);
            return true;
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            this.#warn(`The container does without ${node.path}: ${error.message}`);
            return false;
        }
    }

    #bindDriver(driver: Driver | null): void {
        if (!driver) return;
        this.#binds.push(...driver.binds);
        Object.assign(this.#environment, driver.environment);
    }

    async #bindOurs(): Promise<void> {
        const {uid} = this.#record.owner;
        const text = Object.entries(this.#environment)
            .map(([name, value]) => `${name}=${value}\n`)
            .join('');
        await this.#host.files.writeWhole(environmentPath(uid), text, 0o644);
        this.#binds.push({
            source: environmentPath(uid),
            target: SESSION_ENVIRONMENT,
            mapping: 'idmap',
            isReadOnly: true,
        });
        const [source, target] = CONTAINER_FILES;
        if (await this.#host.files.status(source))
            this.#binds.push({source, target, mapping: 'none', isReadOnly: true});
    }
}

/** Of root's, with the owners that it is to have in the container. */
function ours(source: string, target: string): Bind {
    return {source, target, mapping: 'none', isReadOnly: false};
}

/**
 * What a systemd-nspawn that was killed leaves, and the next one of systemd 257 refuses to find; none
 * while there is a machine of that name, whosever it is.
 */
async function unregisteredExport(host: Host, uid: number): Promise<readonly string[]> {
    const name = machineName(uid);
    // As sd_machine_get_class(3) looks for one.
    const isRegistered = (await host.files.status(`/run/systemd/machines/${name}`)) !== null;
    return isRegistered ? [] : [`/run/systemd/nspawn/unix-export/${name}`];
}

/** Mount points that begin with one of these, the last one first. */
async function mountsBelow(host: Host, places: readonly string[]): Promise<readonly string[]> {
    const table = (await host.files.readText('/proc/self/mountinfo', MAX_TABLE)) ?? '';
    return table
        .split('\n')
        .map(line => line.split(' ')[4] ?? '')
        .filter(point => places.some(place => point.startsWith(place)))
        .reverse();
}

const MAX_TABLE = 16 * 1024 * 1024;

async function run(host: Host, command: readonly [string, ...string[]]): Promise<void> {
    const {exitCode, stderr} = await host.programs.run(command);
    if (exitCode !== 0)
        throw new SnowError('Failed', `${command[0]} did not succeed: ${stderr || exitCode}`);
}
