// SPDX-License-Identifier: GPL-2.0-or-later
// What the rest of the program can do to the machine. Each part is implemented in its own file of
// this folder; a test builds a Host on a temporary tree.

export interface Host {
    /** Prefix of every path: empty for the running system, else an absolute directory. */
    readonly root: string;
    readonly files: Files;
    readonly programs: Programs;
    readonly http: Http;
    /** Only the running system has one; offline trees have none. */
    readonly systemd: Systemd | null;
    readonly locks: Locks;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'other';

export interface FileStatus {
    readonly type: FileType;
    /** Bytes. */
    readonly size: number;
    /** Permission bits. */
    readonly mode: number;
    readonly uid: number;
    /** Seconds since 1970. */
    readonly mtime: number;
}

/** A file under a temporary name in its final directory; it is nothing until it is committed. */
export interface PendingFile {
    readonly fd: number;
    /** Absolute path of the temporary name, without the root prefix. */
    readonly path: string;
    /**
     * Has what there is so far written to the disk, without waiting for it, so that sync() has less
     * left to do. Errors are sync()'s to report.
     */
    startWriteback(): void;
    /** Sets mode (default 0644) and time stamp (seconds) and waits until the content is on the disk. */
    sync(options?: {readonly mode?: number; readonly mtime?: number}): Promise<void>;
    /** sync() unless that was done, rename to the final name, fsync of the directory. */
    commit(): Promise<void>;
    /** Removes the temporary file. Harmless after commit(). */
    discard(): Promise<void>;
}

export interface Scratch extends AsyncDisposable {
    /** Of the directory, as a program sees it. */
    readonly path: string;
    /** Writes a file and returns its path, as a program sees it. */
    write(name: string, content: Uint8Array): Promise<string>;
    /** Reads what a program wrote there; at most 1 MiB. */
    read(name: string): Promise<Buffer>;
}

export interface SizedStream {
    /** Bytes; null when that is not known. */
    readonly totalBytes: number | null;
    readonly stream: ByteStream;
}

/** A piece of it is valid until the next one is asked for: its buffer may be used again. */
export interface ByteStream extends AsyncIterable<Uint8Array> {
    destroy(): unknown;
}

/** Every path is absolute and inside the root; "not there" is null, [] or false and never an error. */
export interface Files {
    /** Bounded by maxBytes (default 1 MiB); follows symbolic links inside the root. */
    readText(path: string, maxBytes?: number): Promise<string | null>;
    readBytes(path: string, maxBytes?: number): Promise<Buffer | null>;
    /** The first bytes of a file, at most count. */
    readStart(path: string, count: number): Promise<Buffer | null>;
    /** A large file, piece by piece; null when it is not there. */
    openRead(path: string): Promise<SizedStream | null>;
    /** Names in a directory, in byte order. */
    list(path: string): Promise<readonly string[]>;
    /** lstat(2), where nothing but directories on the way is followed. */
    status(path: string): Promise<FileStatus | null>;
    /** Where the path leads, without symbolic links. */
    resolve(path: string): Promise<string | null>;
    /** Target of a symbolic link, as written in it. */
    readLink(path: string): Promise<string | null>;
    /** Rule: temporary file in the same directory, fsync, rename, fsync the directory. Makes parents (0755). */
    writeWhole(path: string, content: string | Uint8Array, mode?: number): Promise<void>;
    /** Replaces a symbolic link in one rename. */
    linkWhole(path: string, target: string): Promise<void>;
    /** unlink(2) and fsync of the directory; nothing there is fine. */
    remove(path: string): Promise<void>;
    /** rmdir(2) while it is empty; anything else is left alone. */
    removeEmptyDirectory(path: string): Promise<void>;
    createPending(finalPath: string): Promise<PendingFile>;
    /**
     * Removes what createPending() of a process that was killed left in a directory. Without a
     * minimum age (seconds) only for who holds the lock of all that is written there.
     */
    removePending(directory: string, minimumAge?: number): Promise<void>;
    /**
     * Yields at once, and whenever the file was changed, replaced, made or removed since; changes
     * that come before the next step are one. Ends when it is aborted. Throws SnowError NotFound
     * when its directory is not there.
     */
    watch(path: string, signal: AbortSignal): AsyncIterable<void>;
    /** A private directory of this machine, not of the root, for files that a program wants by name. */
    createScratch(): Promise<Scratch>;
    /** Bytes that an unprivileged program could still write beside path. */
    freeBytes(path: string): Promise<number>;
    /** Files that could still be made beside path; infinite where the file system does not count them. */
    freeFiles(path: string): Promise<number>;
}

export interface ProgramOptions {
    readonly input?: string | Uint8Array;
    readonly signal?: AbortSignal;
    /** Milliseconds; default 60 000. */
    readonly timeout?: number;
    /** Bytes of stdout and stderr each; default 4 MiB. */
    readonly maxBuffer?: number;
}

export interface ProgramResult {
    /** Exit status; null when a signal or the time limit ended it. */
    readonly exitCode: number | null;
    readonly signal: string | null;
    readonly stdout: string;
    readonly stderr: string;
}

/** Where a program printed a line; progress: on the pipe that it was given for that. */
export type LineSource = 'stdout' | 'stderr' | 'progress';

export interface FollowOptions {
    /** Stops the program, and whatever it started: SIGTERM, and SIGKILL after stopGrace. */
    readonly signal?: AbortSignal;
    /** Each line as it comes. What it throws stops the program, and is thrown. */
    onLine(line: string, from: LineSource): void;
    /** Gives the program a pipe; `{progress-fd}` in an argument becomes its number. */
    readonly progressPipe?: boolean;
    /** Bytes of a line that are handed over; default 64 KiB. */
    readonly maxLine?: number;
    readonly environment?: Readonly<Record<string, string>>;
    /** Milliseconds; default 10 000. */
    readonly stopGrace?: number;
}

export interface Programs {
    /** Runs a program by its argument vector, never a shell. Only a missing program or an abort throws. */
    run(command: readonly [string, ...string[]], options?: ProgramOptions): Promise<ProgramResult>;
    /**
     * Runs a program without a time limit, and tells what it prints. Of stdout and stderr the result
     * has the last 64 KiB. Throws SnowError NotSupported, Cancelled, and what onLine() throws.
     */
    follow(command: readonly [string, ...string[]], options: FollowOptions): Promise<ProgramResult>;
    /** Starts a program that answers lines, in a directory of this machine. It ends with its standard input. */
    startCoprocess(command: readonly [string, ...string[]], directory: string): Promise<Coprocess>;
    /** Whether a program of that name can be run. */
    isInstalled(name: string): Promise<boolean>;
    /**
     * Feeds bytes to a decompressor that runs without privileges, whose standard output is the file.
     * RLIMIT_FSIZE stops it at maxBytes. Throws SnowError: NoSpace, VerificationFailed, Cancelled,
     * and whatever the input throws.
     */
    decompress(
        format: Compression,
        input: AsyncIterable<Uint8Array>,
        output: PendingFile,
        options: DecompressOptions,
    ): Promise<void>;
}

/** A program that answers every line with one line. */
export interface Coprocess extends AsyncDisposable {
    /** More than one may be asked at a time. Throws SnowError Failed when it has ended, Cancelled. */
    ask(line: string, signal?: AbortSignal): Promise<string>;
}

export interface DecompressOptions {
    /** Bytes of what comes out, at most. */
    readonly maxBytes: number;
    readonly signal?: AbortSignal;
    /** Is shown what comes in, before it is unpacked. */
    readonly onChunk?: (chunk: Uint8Array) => void;
}

export type Compression = 'none' | 'gz' | 'xz' | 'zst' | 'bz2';

export interface HttpOptions {
    readonly signal?: AbortSignal;
    /** Bytes of the body at most. */
    readonly maxBytes: number;
    /** Continue a download from this byte. */
    readonly offset?: number;
}

/** Bounded in size, time and redirects; https stays https. Throws SnowError Network or NotFound, Cancelled. */
export interface Http {
    open(url: string, options: HttpOptions): Promise<SizedStream>;
    /** What Content-Length says, without the body; null when it says nothing. */
    size(url: string, options?: {readonly signal?: AbortSignal}): Promise<number | null>;
    readBytes(url: string, options: HttpOptions): Promise<Buffer>;
    /** Loads what fetching needs, for a caller who may want to fetch soon. */
    warmUp(): void;
    close(): Promise<void>;
}

/** What a unit may not have that others may. */
export interface UnitProperties {
    /** No network but a loopback of its own. */
    readonly privateNetwork?: boolean;
}

export interface RunUnitOptions extends ProgramOptions {
    /** Milliseconds; default 60 000, Infinity: no limit. */
    readonly timeout?: number;
    readonly properties?: UnitProperties;
    /** In place of input and of what the result says was printed. */
    readonly streams?: StreamPaths;
}

/** Absolute paths of what are a program's standard streams. */
export interface StreamPaths {
    readonly stdin: string;
    readonly stdout: string;
    readonly stderr: string;
}

/** For work that goes on without the process that started it. */
export interface StartUnitOptions {
    /** Shown by systemctl(1), and by whoever shuts the machine down meanwhile. */
    readonly description: string;
    /** As Before= of systemd.unit(5). */
    readonly before?: readonly string[];
    readonly environment?: Readonly<Record<string, string>>;
    /** Seconds that it may take to stop before it is killed. */
    readonly stopTimeout?: number;
}

/** Names are those of services, with or without `.service`. */
export interface Systemd {
    /**
     * Runs a program as its own transient unit, in the host's namespaces. Aborting stops the unit, and
     * waits for its end. Throws SnowError Cancelled, and Busy when there is a unit of that name.
     */
    runUnit(
        name: string,
        command: readonly [string, ...string[]],
        options?: RunUnitOptions,
    ): Promise<ProgramResult>;
    /**
     * Has a program run as a transient unit of Type=oneshot, logged in the journal, that outlives
     * this process. Returns when it is queued. Throws SnowError Busy when there is a unit of that name.
     */
    startUnit(
        name: string,
        command: readonly [string, ...string[]],
        options: StartUnitOptions,
    ): Promise<void>;
    /** Waits until a unit is inactive, failed or gone; told by systemd. Throws SnowError Cancelled. */
    waitForUnit(name: string, signal?: AbortSignal): Promise<void>;
    /** Asks a unit to stop, and waits for nothing; none of that name is fine. */
    stopUnit(name: string): Promise<void>;
    /** ActiveState of systemctl(1); `inactive` when there is no such unit. */
    activeState(name: string): Promise<string>;
    isUnitEnabled(unit: string): Promise<boolean>;
    /** Enables and starts, or disables and stops. */
    setUnitEnabled(unit: string, enabled: boolean): Promise<void>;
}

export interface Locks {
    /**
     * Locks a file for writing; bound to the open file description, so that it ends with the process.
     * Throws SnowError Busy when another process holds it.
     */
    acquire(path: string): Promise<AsyncDisposable>;
    /** Names this process until the next boot, also after its number was given to another one. */
    processIdentity(): Promise<string>;
    /** Whether the process that was given this identity still runs. Anybody may ask. */
    isProcessAlive(identity: string): Promise<boolean>;
}
