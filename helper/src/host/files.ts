// SPDX-License-Identifier: GPL-2.0-or-later
import {
    type Stats,
    type StatsFs,
    closeSync,
    constants,
    fstatSync,
    lstatSync,
    mkdtempSync,
    openSync,
    readSync,
    readdirSync,
    readlinkSync,
    realpathSync,
    rmSync,
    write,
    writeFileSync,
} from 'node:fs';
import {
    type FileHandle,
    lstat,
    mkdir,
    open,
    readdir,
    rename,
    rm,
    rmdir,
    statfs,
    symlink,
    unlink,
} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';

import {asSnowError, hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {FileStatus, Files, PendingFile, Scratch} from './host.ts';
import {pathResolver} from './paths.ts';
import {watchFile} from './watch-file.ts';

const DEFAULT_MAX_BYTES = 1024 * 1024;
const PSEUDO_FILE_BYTES = 64 * 1024;

/** Where a root process keeps what lives as long as itself; a file system in memory. */
const RUNTIME_DIRECTORY = '/run/snow-control';
const SCRATCH_PREFIX = 'scratch-';

/** Pieces in which a large file is read. */
const READ_BYTES = 256 * 1024;

/** `.#` starts the temporary names of systemd's own tools, which all tools around us ignore. */
const PENDING_PREFIX = '.#snow-control.';

/** Whether a name in a directory is that of an unfinished file that this program made. */
function isPendingName(name: string): boolean {
    return name.startsWith(PENDING_PREFIX) && /\.[0-9a-f]{16}$/.test(name);
}

/** Another one each time. Whoever takes it fails where it is taken, so that it need not be hard to guess. */
function pendingName(finalName: string): string {
    const half = (): string =>
        Math.floor(Math.random() * 2 ** 32)
            .toString(16)
            .padStart(8, '0');
    // NAME_MAX is 255 bytes; the final name is only there for people who look.
    return `${PENDING_PREFIX}${finalName.slice(0, 200)}.${half()}${half()}`;
}

/** The files below a root; see host.ts for what each does. */
export function localFiles(root: string): Files {
    const paths = pathResolver(root);
    const belowRoot = (path: string): string => path.slice(root.length) || '/';

    // Whoever shows the features reads hundreds of small files and links. Such a call takes some
    // microseconds; handing it to a thread and back takes ten times as long. So these do not wait
    // for anything, and only what writes, or may be large, does.
    function readWhole(path: string, maxBytes: number): Buffer | null {
        const fd = openExisting(path);
        if (fd === null) return null;
        try {
            const status = fstatSync(fd);
            if (!status.isFile()) throw new SnowError('Failed', `${path} is not a regular file`);
            // One byte more, to see a file that grows; those of /proc and /sys say that they are empty.
            const expected = status.size === 0 ? PSEUDO_FILE_BYTES : status.size;
            const content = readUpTo(fd, Math.min(expected, maxBytes) + 1);
            if (content.length > maxBytes || status.size > maxBytes)
                throw new SnowError('Failed', `${path} is larger than ${maxBytes} bytes`);
            return content;
        } catch (error) {
            throw asSnowError(error, `Cannot read ${path}`);
        } finally {
            closeSync(fd);
        }
    }

    function openExisting(path: string): number | null {
        try {
            // O_NONBLOCK: a FIFO in place of a file must not hang us.
            return openSync(paths.target(path), constants.O_RDONLY | constants.O_NONBLOCK);
        } catch (error) {
            if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
            throw asSnowError(error, `Cannot read ${path}`);
        }
    }

    async function list(path: string): Promise<readonly string[]> {
        try {
            const found = readdirSync(paths.target(path));
            return found.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        } catch (error) {
            if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
            throw asSnowError(error, `Cannot read ${path}`);
        }
    }

    async function makeParent(path: string): Promise<string> {
        const real = paths.entry(path);
        await makeDirectory(dirname(real));
        return real;
    }

    async function createPending(finalPath: string): Promise<PendingFile> {
        let temporary: string;
        let finalReal: string;
        let handle: FileHandle;
        try {
            finalReal = await makeParent(finalPath);
            temporary = join(dirname(finalReal), pendingName(basename(finalReal)));
            handle = await open(
                temporary,
                constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
                0o600,
            );
        } catch (error) {
            throw asSnowError(error, `Cannot write ${finalPath}`);
        }
        let isOpen = true;
        let isThere = true;
        let isSynced = false;
        const sync: PendingFile['sync'] = async ({mode = 0o644, mtime} = {}) => {
            try {
                await handle.chmod(mode);
                if (mtime !== undefined) await handle.utimes(mtime, mtime);
                await handle.sync();
                isSynced = true;
            } catch (error) {
                throw asSnowError(error, `Cannot write ${finalPath}`);
            }
        };
        let writeback: Promise<void> | null = null;
        const close = async (): Promise<void> => {
            if (!isOpen) return;
            isOpen = false;
            await writeback;
            await handle.close();
        };
        return {
            fd: handle.fd,
            path: belowRoot(temporary),
            startWriteback() {
                if (!isOpen) return;
                writeback ??= handle
                    .datasync()
                    .catch(() => {
                        // The sync() that follows finds the same.
                    })
                    .then(() => {
                        writeback = null;
                    });
            },
            sync,
            async commit() {
                try {
                    if (!isSynced) await sync();
                    await close();
                    await rename(temporary, finalReal);
                    isThere = false;
                    await syncDirectory(dirname(finalReal));
                } catch (error) {
                    throw asSnowError(error, `Cannot write ${finalPath}`);
                }
            },
            async discard() {
                await close();
                if (!isThere) return;
                isThere = false;
                await unlinkIfThere(temporary);
            },
        };
    }

    /** A directory may not be there yet; its file system is that of the nearest one. */
    async function fileSystemOf(path: string): Promise<StatsFs> {
        for (let at = dirname(paths.entry(path)); ; at = dirname(at)) {
            try {
                return await statfs(at);
            } catch (error) {
                if (!hasErrno(error, 'ENOENT', 'ENOTDIR') || at === dirname(at))
                    throw asSnowError(error, `Cannot look at the disk of ${path}`);
            }
        }
    }

    return {
        async readBytes(path, maxBytes = DEFAULT_MAX_BYTES) {
            return readWhole(path, maxBytes);
        },
        async readText(path, maxBytes = DEFAULT_MAX_BYTES) {
            return readWhole(path, maxBytes)?.toString('utf8') ?? null;
        },
        async readStart(path, count) {
            const fd = openExisting(path);
            if (fd === null) return null;
            try {
                return readUpTo(fd, count);
            } catch (error) {
                throw asSnowError(error, `Cannot read ${path}`);
            } finally {
                closeSync(fd);
            }
        },
        async openRead(path) {
            if ((await this.status(path)) === null) return null;
            try {
                const handle = await open(
                    paths.target(path),
                    constants.O_RDONLY | constants.O_NONBLOCK,
                );
                const status = await handle.stat();
                if (status.isFile()) {
                    return {
                        totalBytes: status.size,
                        stream: handle.createReadStream({highWaterMark: READ_BYTES}),
                    };
                }
                await handle.close();
            } catch (error) {
                throw asSnowError(error, `Cannot read ${path}`);
            }
            throw new SnowError('Failed', `${path} is not a regular file`);
        },
        list,
        async status(path) {
            try {
                return fileStatus(lstatSync(paths.entry(path)));
            } catch (error) {
                if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return null;
                throw asSnowError(error, `Cannot read ${path}`);
            }
        },
        async resolve(path) {
            try {
                return belowRoot(realpathSync.native(paths.target(path)));
            } catch (error) {
                if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return null;
                throw asSnowError(error, `Cannot read ${path}`);
            }
        },
        async readLink(path) {
            try {
                return readlinkSync(paths.entry(path));
            } catch (error) {
                if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EINVAL')) return null;
                throw asSnowError(error, `Cannot read ${path}`);
            }
        },
        createPending,
        async removePending(directory, minimumAge = 0) {
            for (const name of (await list(directory)).filter(isPendingName)) {
                const path = join(paths.target(directory), name);
                if (minimumAge === 0 || (await ageOf(path)) >= minimumAge)
                    await unlinkIfThere(path);
            }
        },
        watch: (path, signal) => watchFile(paths.entry(path), signal),
        createScratch,
        async writeWhole(path, content, mode = 0o644) {
            const pending = await createPending(path);
            try {
                await writeAll(pending.fd, content);
                await pending.sync({mode});
                await pending.commit();
            } catch (error) {
                throw asSnowError(error, `Cannot write ${path}`);
            } finally {
                await pending.discard();
            }
        },
        async linkWhole(path, target) {
            try {
                const real = await makeParent(path);
                const temporary = join(dirname(real), pendingName(basename(real)));
                await symlink(target, temporary);
                try {
                    await rename(temporary, real);
                } catch (error) {
                    await unlinkIfThere(temporary);
                    throw error;
                }
                await syncDirectory(dirname(real));
            } catch (error) {
                throw asSnowError(error, `Cannot link ${path}`);
            }
        },
        async remove(path) {
            try {
                const real = paths.entry(path);
                if (await unlinkIfThere(real)) await syncDirectory(dirname(real));
            } catch (error) {
                throw asSnowError(error, `Cannot remove ${path}`);
            }
        },
        async removeEmptyDirectory(path) {
            try {
                await rmdir(paths.entry(path));
            } catch (error) {
                if (!hasErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY'))
                    throw asSnowError(error, `Cannot remove ${path}`);
            }
        },
        async freeBytes(path) {
            const {bavail, bsize} = await fileSystemOf(path);
            return bavail * bsize;
        },
        async freeFiles(path) {
            const {files, ffree} = await fileSystemOf(path);
            return files === 0 ? Number.POSITIVE_INFINITY : ffree;
        },
    };
}

export async function createScratch(): Promise<Scratch> {
    let base = process.env['TMPDIR'] || '/tmp';
    if (process.getuid?.() === 0) {
        base = RUNTIME_DIRECTORY;
        await mkdir(base, {recursive: true, mode: 0o755});
        await removeOrphanedScratch(base);
    }
    // In memory, and small: a thread for each would take ten times as long.
    const directory = mkdtempSync(join(base, `${SCRATCH_PREFIX}${process.pid}-`));
    return {
        path: directory,
        async write(name, content) {
            const path = join(directory, name);
            writeFileSync(path, content, {flag: 'wx', mode: 0o600});
            return path;
        },
        async read(name) {
            const fd = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
            try {
                return readUpTo(fd, DEFAULT_MAX_BYTES);
            } finally {
                closeSync(fd);
            }
        },
        async [Symbol.asyncDispose]() {
            rmSync(directory, {recursive: true, force: true});
        },
    };
}

/** Those of processes that were killed. */
async function removeOrphanedScratch(base: string): Promise<void> {
    for (const name of await readdir(base)) {
        const pid = /^scratch-(\d+)-/.exec(name)?.[1];
        if (pid === undefined || Number(pid) === process.pid) continue;
        const isAlive = await lstat(`/proc/${pid}`).then(
            () => true,
            () => false,
        );
        if (!isAlive) await rm(join(base, name), {recursive: true, force: true});
    }
}

function fileStatus(found: Stats): FileStatus {
    return {
        type: found.isFile()
            ? 'file'
            : found.isDirectory()
              ? 'directory'
              : found.isSymbolicLink()
                ? 'symlink'
                : 'other',
        size: Number(found.size),
        mode: Number(found.mode) & 0o7777,
        uid: Number(found.uid),
        mtime: Number(found.mtimeMs) / 1000,
    };
}

function readUpTo(fd: number, count: number): Buffer {
    const buffer = Buffer.allocUnsafe(count);
    let length = 0;
    while (length < count) {
        const bytesRead = readSync(fd, buffer, length, count - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
    }
    return buffer.subarray(0, length);
}

async function writeAll(fd: number, content: string | Uint8Array): Promise<void> {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let done = 0; done < bytes.length;) {
        done += await new Promise<number>((resolve, reject) => {
            write(fd, bytes, done, bytes.length - done, null, (error, written) =>
                error ? reject(error) : resolve(written),
            );
        });
    }
}

/**
 * Directories that are made are themselves synced into their parents. One by one: Node's own
 * recursive mkdir says ENOENT where the disk is full.
 */
async function makeDirectory(path: string): Promise<void> {
    const make = (): Promise<unknown> => mkdir(path, {mode: 0o755});
    try {
        await make().catch(async (error: unknown) => {
            if (!hasErrno(error, 'ENOENT') || path === dirname(path)) throw error;
            await makeDirectory(dirname(path));
            await make();
        });
    } catch (error) {
        if (hasErrno(error, 'EEXIST')) return;
        throw error;
    }
    await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
        await handle.sync();
    } finally {
        await handle.close();
    }
}

/** Seconds since it was changed; 0 when it is gone. */
async function ageOf(path: string): Promise<number> {
    try {
        return (Date.now() - (await lstat(path)).mtimeMs) / 1000;
    } catch (error) {
        if (hasErrno(error, 'ENOENT')) return 0;
        throw error;
    }
}

async function unlinkIfThere(path: string): Promise<boolean> {
    try {
        await unlink(path);
        return true;
    } catch (error) {
        if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
        throw error;
    }
}
