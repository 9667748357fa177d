// SPDX-License-Identifier: GPL-2.0-or-later
import {existsSync} from 'node:fs';
import {chmod, chown, copyFile, mkdir, readdir, rm, stat, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';

/** A file to be in a guest from its first moment. */
export type GuestFile =
    | string
    | Buffer
    | {
          readonly content?: string | Buffer;
          /** A file of the host to copy. */
          readonly from?: string;
          readonly mode?: number;
          /** Numeric owner and group; alice is 1001. */
          readonly uid?: number;
      };

const guestsDirectory = process.env['SNOW_LAB_GUESTS'] ?? '/var/tmp/snow-control-lab';

/** A new guest's directory, with its parts. */
export async function makeScratch(name: string): Promise<string> {
    const scratch = await makeOwnDirectory(name);
    for (const part of ['upper', 'work', 'root', 'usr', 'files'])
        await mkdir(join(scratch, part), {mode: 0o755});
    return scratch;
}

/**
 * A directory on disk whose name ends with `-PID-NUMBER` of the process that it belongs to. Those of
 * processes that no longer run are removed on the way.
 */
export async function makeOwnDirectory(name: string): Promise<string> {
    await mkdir(guestsDirectory, {recursive: true});
    for (const entry of await readdir(guestsDirectory)) {
        const owner = /-(\d+)-\d+$/.exec(entry)?.[1];
        if (owner && !existsSync(`/proc/${owner}`))
            await rm(join(guestsDirectory, entry), {recursive: true, force: true});
    }
    const directory = join(guestsDirectory, name);
    await mkdir(directory, {recursive: true, mode: 0o755});
    return directory;
}

/** Lays files into a directory that will lie over `below`, with the modes and owners that directories have there. */
export async function layFiles(
    directory: string,
    below: readonly string[],
    files: Readonly<Record<string, GuestFile>>,
) {
    for (const [path, file] of Object.entries(files)) {
        await layDirectories(directory, below, dirname(path));
        const target = join(directory, path);
        const described =
            typeof file === 'string' || Buffer.isBuffer(file) ? {content: file} : file;
        if (described.from === undefined) await writeFile(target, described.content ?? '');
        else await copyFile(described.from, target);
        if (described.mode !== undefined || described.from === undefined)
            await chmod(target, described.mode ?? 0o644);
        if (described.uid !== undefined) await chown(target, described.uid, described.uid);
    }
}

async function layDirectories(directory: string, below: readonly string[], path: string) {
    if (path === '/' || path === '.') return;
    await layDirectories(directory, below, dirname(path));
    const target = join(directory, path);
    if (existsSync(target)) return;
    await mkdir(target);
    for (const layer of below) {
        const known = await stat(join(layer, path)).catch(() => undefined);
        if (!known) continue;
        await chmod(target, known.mode & 0o7777);
        await chown(target, known.uid, known.gid);
        return;
    }
    await chmod(target, 0o755);
}
