// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {readAccount} from '../../host/passwd.ts';
import {MACHINES, stateDirectory} from '../../intune/model.ts';
import {canOwn} from '../../intune/owner.ts';
import {knownUids} from '../../intune/record.ts';
import {ADMINISTRATION, readAdministration} from '../../intune/settings.ts';
import type {Inspection} from '../intune/inspection.ts';
import type {ContainerSummary} from '../intune/state.ts';

/** What the checks of containers look at. */
export interface IntuneFacts {
    /** Of the caller; for root, of everybody. */
    readonly containers: readonly ContainerFacts[];
    /** What of the programs that can fetch an image is there. */
    readonly tools: readonly string[];
    readonly hasNspawn: boolean;
    /** Of the running kernel: `6.12.3-amd64`. */
    readonly kernel: string;
    /** File systems that are to be ID-mapped; empty type: not known. */
    readonly fileSystems: readonly {readonly path: string; readonly type: string}[];
    /** `PATH:LINE: ...` of the administrator's file. */
    readonly settingProblems: readonly string[];
    /** Files of Snow Control that are not installed. */
    readonly missingFiles: readonly string[];
}

export interface ContainerFacts {
    readonly uid: number;
    /** What the service says. Null: it does not answer. */
    readonly state: ContainerSummary | null;
    /** Why it does not answer; empty. */
    readonly failure: string;
    /** Null: it does not run, or the caller may not look. */
    readonly inspection: Inspection | null;
}

const TOOLS = ['skopeo', 'umoci', 'podman', 'docker'];

const installedFiles = [
    '/usr/lib/snow-control/snow-intune-job',
    '/usr/lib/snow-control/snow-intune-prepare',
    '/usr/lib/snow-control/snow-intune-device',
    '/usr/lib/snow-control/container/snow-intune-session',
    '/usr/lib/systemd/system/snow-intune-device@.service',
    '/usr/lib/systemd/system/snow-intune-seat.path',
    '/usr/lib/systemd/user-environment-generators/60-snow-control',
    '/usr/lib/udev/rules.d/70-snow-control.rules',
    '/usr/share/snow-control/applications',
];

/** Null for a tree, and where there is neither a container nor an administrator who has it in mind. */
export async function readIntuneFacts(host: Host, caller: number): Promise<IntuneFacts | null> {
    if (host.root !== '') return null;
    const uids = await ownUids(host, caller);
    if (uids.length === 0 && (await host.files.status(ADMINISTRATION)) === null) return null;
    const [containers, tools, hasNspawn, kernel, fileSystems, administration, missingFiles] =
        await Promise.all([
            readContainers(uids),
            filter(TOOLS, name => host.programs.isInstalled(name)),
            host.programs.isInstalled('systemd-nspawn'),
            host.files.readText('/proc/sys/kernel/osrelease'),
            readFileSystems(host, uids.length > 0 ? uids : [caller].filter(canOwn)),
            readAdministration(host),
            filter(installedFiles, async path => (await host.files.status(path)) === null),
        ]);
    return {
        containers,
        tools,
        hasNspawn,
        kernel: (kernel ?? '').trim(),
        fileSystems,
        settingProblems: administration.problems,
        missingFiles,
    };
}

/** Of those that are there: what is kept of one that was removed does not count. */
async function ownUids(host: Host, caller: number): Promise<readonly number[]> {
    const uids = (await knownUids(host)).filter(uid => caller === 0 || uid === caller);
    return filter(
        uids,
        async uid => (await host.files.status(`${stateDirectory(uid)}/share`)) !== null,
    );
}

async function readContainers(uids: readonly number[]): Promise<readonly ContainerFacts[]> {
    if (uids.length === 0) return [];
    try {
        const [{connectToService}, {readContainer}, {inspectContainer}] = await Promise.all([
            import('../client.ts'),
            import('../intune/service.ts'),
            import('../intune/read.ts'),
        ]);
        await using client = await connectToService({mayAskPassword: false, hasTerminal: false});
        const found: ContainerFacts[] = [];
        for (const uid of uids) {
            const owner = {uid, label: `User ${uid}`};
            const state = await readContainer(client, owner);
            const inspection = state ? await inspectContainer(client, owner, state) : null;
            found.push({uid, state, failure: '', inspection});
        }
        return found;
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        return uids.map(uid => ({uid, state: null, failure: error.message, inspection: null}));
    }
}

/** Where root directories are, and where the users' files are. */
async function readFileSystems(
    host: Host,
    uids: readonly number[],
): Promise<IntuneFacts['fileSystems']> {
    const accounts = await Promise.all(uids.map(uid => readAccount(host, uid)));
    const homes = accounts.flatMap(account => (account ? [account.home] : []));
    return Promise.all(
        [...new Set([MACHINES, ...homes])].map(async path => ({
            path,
            type: await fileSystemType(host, path),
        })),
    );
}

async function fileSystemType(host: Host, path: string): Promise<string> {
    // The place where something is going to be is on the file system of the nearest directory.
    const findmnt = ['findmnt', '--noheadings', '--output=FSTYPE', '--target'] as const;
    for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
        if ((await host.files.resolve(at)) === null) continue;
        const {stdout} = await host.programs.run([...findmnt, at]);
        return stdout.trim().split('\n').at(-1) ?? '';
    }
    return '';
}

async function filter<T>(
    items: readonly T[],
    holds: (item: T) => Promise<boolean>,
): Promise<readonly T[]> {
    const held = await Promise.all(items.map(holds));
    return items.filter((_, index) => held[index]);
}
