// SPDX-License-Identifier: GPL-2.0-or-later
// What an nbc that was stopped leaves: mounted slots, which keep it from ever mounting them again, a
// note of an image that is nowhere, and half of a download.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {removeTreeCommand, unmountCommand} from './commands.ts';
import {finishWriting, giveUpWriting} from './writing.ts';
import {readRecord, writeRecord} from './slots.ts';

/** nbc holds it as long as it changes the system. */
const SYSTEM_LOCK = '/run/nbc/system.lock';
const MOUNT_POINTS = ['/tmp/nbc-update', '/tmp/nbc-boot', '/tmp/nbc-boot-mount'];
const DOWNLOADS = '/var/cache/nbc/staged-update';
const UNFINISHED_DOWNLOAD = '.download-';
const MAX_MOUNTS = 1024 * 1024;

/** Takes it away, unless an nbc is at work. Throws SnowError. */
export async function takeAwayLeftovers(host: Host): Promise<void> {
    const lock = await acquire(host);
    if (!lock) return;
    // Released before anything asks nbc.
    try {
        await unmountAll(host);
        await removeUnfinishedDownloads(host);
    } finally {
        await lock[Symbol.asyncDispose]();
    }
    const {writing} = await readRecord(host);
    if (writing && !(await finishWriting(host))) await giveUpWriting(host);
}

async function acquire(host: Host): Promise<AsyncDisposable | null> {
    try {
        return await host.locks.acquire(SYSTEM_LOCK);
    } catch (error) {
        if (error instanceof SnowError && error.code === 'Busy') return null;
        throw error;
    }
}

async function unmountAll(host: Host): Promise<void> {
    const mounts = await host.files.readText('/proc/self/mountinfo', MAX_MOUNTS);
    // The last ones first: what is mounted inside of another, or over it, came later.
    for (const mountPoint of nbcMountPoints(mounts ?? '').reverse()) {
        const {exitCode, stderr} = await host.programs.run(unmountCommand(mountPoint));
        if (exitCode !== 0)
            throw new SnowError('Failed', `Cannot unmount ${mountPoint}: ${stderr}`);
    }
    for (const mountPoint of MOUNT_POINTS) await host.files.removeEmptyDirectory(mountPoint);
}

/** See proc_pid_mountinfo(5). */
export function nbcMountPoints(mountinfo: string): string[] {
    return mountinfo.split('\n').flatMap(entry => {
        const [, , , , path = ''] = entry.split(' ');
        const isOurs = MOUNT_POINTS.some(one => path === one || path.startsWith(`${one}/`));
        return isOurs ? [unescape(path)] : [];
    });
}

function unescape(path: string): string {
    return path.replace(/\\([0-7]{3})/g, (_all, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
    );
}

/** Only ours: one that somebody started by hand may still go on. */
async function removeUnfinishedDownloads(host: Host): Promise<void> {
    const record = await readRecord(host);
    if (!record.isDownloading) return;
    for (const name of await host.files.list(DOWNLOADS)) {
        if (!name.startsWith(UNFINISHED_DOWNLOAD)) continue;
        const path = `${DOWNLOADS}/${name}`;
        const {exitCode, stderr} = await host.programs.run(removeTreeCommand(path));
        if (exitCode !== 0) throw new SnowError('Failed', `Cannot remove ${path}: ${stderr}`);
    }
    await writeRecord(host, {...record, isDownloading: false});
}
