// SPDX-License-Identifier: GPL-2.0-or-later
// What is done by root right before systemd-nspawn starts a container, and after it ended. What the
// user controls is opened once, and bound by its descriptor to a place that is root's.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {openSafely} from '../../host/safe-open.ts';
import {
    type ContainerRecord,
    type SessionEnvironment,
    type Settings,
    machineName,
    runtimeDirectory,
} from '../model.ts';
import {type Bind, nspawnSettings} from './nspawn-settings.ts';
import {type Source, sessionSources} from './session-sources.ts';

function settingsPath(uid: number): string {
    return `/run/systemd/nspawn/${machineName(uid)}.nspawn`;
}

function bindDirectory(uid: number): string {
    return `${runtimeDirectory(uid)}/host`;
}

/** Throws SnowError WrongState where the container's home directory is missing or something else. */
export async function prepareMachine(
    host: Host,
    record: ContainerRecord,
    settings: Settings,
    session: SessionEnvironment,
    warn: (text: string) => void,
): Promise<void> {
    const {uid} = record.owner;
    await cleanMachine(host, uid);
    const binds: Bind[] = [];
    for (const source of sessionSources(record, settings, session)) {
        try {
            const bind = await bindSource(host, uid, source);
            if (bind) binds.push(bind);
            else if (source.isNeeded)
                throw new SnowError('WrongState', `There is no ${source.path}`);
        } catch (error) {
            if (source.isNeeded || !(error instanceof SnowError)) throw error;
            warn(`The container does without ${source.kind}: ${error.message}`);
        }
    }
    await host.files.writeWhole(settingsPath(uid), nspawnSettings(record, binds), 0o644);
}

/** Null: it is not there. A function of its own: in a loop, the bundler's using repeats an earlier error. */
async function bindSource(
    host: Host,
    uid: number,
    {kind, path, type, target, mapping, isReadOnly}: Source,
): Promise<Bind | null> {
    await using opened = await openSafely(path, {type, owner: uid});
    if (!opened) return null;
    const place = `${bindDirectory(uid)}/${kind}`;
    if (type === 'directory') await run(host, ['mkdir', '-p', place]);
    else await host.files.writeWhole(place, '', 0o644);
    await run(host, ['mount', '--no-canonicalize', '--bind', opened.descriptorPath, place]);
    return {source: place, target, mapping, isReadOnly};
}

/** Also of what a start that was killed left. */
export async function cleanMachine(host: Host, uid: number): Promise<void> {
    await host.files.remove(settingsPath(uid));
    for (const name of await host.files.list(bindDirectory(uid))) {
        const place = `${bindDirectory(uid)}/${name}`;
        const isBound = (await host.programs.run(['mountpoint', '-q', place])).exitCode === 0;
        if (isBound) await run(host, ['umount', '--lazy', '--no-canonicalize', place]);
        if ((await host.files.status(place))?.type === 'directory')
            await host.files.removeEmptyDirectory(place);
        else await host.files.remove(place);
    }
}

async function run(host: Host, command: readonly [string, ...string[]]): Promise<void> {
    const {exitCode, stderr} = await host.programs.run(command);
    if (exitCode !== 0)
        throw new SnowError('Failed', `${command[0]} did not succeed: ${stderr || exitCode}`);
}
