// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {createReadStream, existsSync} from 'node:fs';
import {open, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {basename, join} from 'node:path';
import type {Readable} from 'node:stream';
import {setTimeout as sleep} from 'node:timers/promises';

import {execa} from 'execa';

import {launcherScript} from './guest-launcher.ts';
import {type GuestFile, layFiles, makeScratch} from './scratch.ts';
import {type Session, openSession} from './session.ts';
import {Terminal, inTerminal} from './terminal.ts';
import {type TreeName, tree as treeDirectory} from './trees.ts';

export interface GuestOptions {
    /** Shows in process lists and in the guest's directory. */
    readonly name?: string;
    /** A directory laid over the tree: what `npm run install:system` made with DESTDIR. */
    readonly install?: string;
    /** More directories to be laid over the tree, below `install`. */
    readonly layers?: readonly string[];
    /** /usr read-only, as on a snow desktop (default). /etc and /var are the guest's own and writable. */
    readonly immutableUsr?: boolean;
    /** More files, by their path in the guest; the way to put anything below an immutable /usr. */
    readonly files?: Readonly<Record<string, GuestFile>>;
    /** `private` (default): loopback only, its own; `host`: the host's network. */
    readonly network?: 'private' | 'host';
    /**
     * /var/lib/machines and /home are directories of a disk, as on a real system, not of the overlay
     * that the rest is on, whose mounts cannot be ID-mapped.
     */
    readonly machines?: boolean;
}

export interface RunOptions {
    /** root by default. */
    readonly user?: string;
    /** Runs inside this login session, so that polkit and logind see the caller there. */
    readonly session?: Session;
    /** On a terminal of its own, 100 columns wide; standard error then comes with standard output. */
    readonly tty?: boolean;
    readonly input?: string | Buffer | Readable;
    readonly env?: Readonly<Record<string, string>>;
    readonly cwd?: string;
    /** Milliseconds after which it is killed, 60 s by default; Infinity: never. Then exitCode is 124. */
    readonly timeout?: number;
}

export interface RunResult {
    readonly stdout: string;
    readonly stderr: string;
    readonly exitCode: number;
}

let count = 0;

/** A Debian system of its own: systemd as PID 1 under cgroup v2, logind, polkit; boots in 2 s. */
export class Guest implements AsyncDisposable {
    readonly #launcher: ChildProcess;
    readonly #ended: Promise<void>;
    readonly #scratch: string;
    #leader = 0;

    private constructor(
        readonly name: string,
        launcher: ChildProcess,
        scratch: string,
    ) {
        this.#launcher = launcher;
        this.#scratch = scratch;
        this.#ended = new Promise(resolve => launcher.once('close', () => resolve()));
    }

    /** Boots and waits until systemd says that all is running. Throws with the failed units otherwise. */
    static async boot(
        tree: TreeName | {readonly root: string},
        options: GuestOptions = {},
    ): Promise<Guest> {
        const root = typeof tree === 'string' ? await treeDirectory(tree) : tree.root;
        const kind = typeof tree === 'string' ? tree : basename(root);
        const name = `lab-${options.name ?? kind}-${process.pid}-${++count}`;
        const scratch = await makeScratch(name);
        const layers = [
            ...(options.install ? [options.install] : []),
            ...(options.layers ?? []),
            root,
        ];
        await layFiles(join(scratch, 'files'), layers, {
            '/etc/machine-id': `${randomBytes(16).toString('hex')}\n`,
            // the kernel of a small machine has none; an empty unit is a masked one
            '/etc/systemd/system/dev-hugepages.mount': '',
            ...options.files,
        });
        layers.unshift(join(scratch, 'files'));

        // a file, not a pipe: the launcher must not die of a reader that went away
        const consoleLog = await open(join(scratch, 'console.log'), 'w');
        const launcher = spawn(
            'unshare',
            ['--mount', '--propagation', 'private', 'sh', '-c', launcherScript],
            {
                stdio: ['pipe', consoleLog.fd, consoleLog.fd],
                // a Ctrl-C on the terminal is for the program, which then ends the guest in order
                detached: true,
                env: {
                    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
                    NAME: name,
                    SCRATCH: scratch,
                    LOWER: layers.join(':'),
                    USR: layers
                        .map(layer => join(layer, 'usr'))
                        .filter(existsSync)
                        .join(':'),
                    IMMUTABLE: (options.immutableUsr ?? true) ? '1' : '',
                    MACHINES: options.machines ? '1' : '',
                    NETWORK:
                        (options.network ?? 'private') === 'private' ? '--private-network' : '',
                },
            },
        );
        await consoleLog.close();
        const guest = new Guest(name, launcher, scratch);
        try {
            await guest.#waitUntilRunning(0);
        } catch (error) {
            const text = await readFile(join(scratch, 'console.log'), 'utf8').catch(() => '');
            await guest.kill();
            throw new Error(`${name} did not boot:\n${text.slice(-3000)}`, {cause: error});
        }
        return guest;
    }

    /** The guest's PID 1, as a process of the host. */
    get leader(): number {
        return this.#leader;
    }

    async #waitUntilRunning(previousLeader: number) {
        const deadline = Date.now() + 60_000;
        for (;;) {
            if (this.#launcher.exitCode !== null) throw new Error('nspawn ended');
            if (Date.now() > deadline) throw new Error('no systemd after 60 s');
            this.#leader = await this.#findLeader();
            if (this.#leader && this.#leader !== previousLeader) break;
            await sleep(30);
        }
        for (;;) {
            const {stdout} = await this.run(['systemctl', 'is-system-running', '--wait']);
            const state = stdout.trim();
            if (state === 'running') return;
            if (state === 'degraded') {
                const failed = await this.run(['systemctl', '--failed', '--no-legend', '--plain']);
                throw new Error(`failed units:\n${failed.stdout}`);
            }
            if (Date.now() > deadline) throw new Error(`still ${state || 'silent'} after 60 s`);
            await sleep(50);
        }
    }

    async #findLeader(): Promise<number> {
        const procs = await readFile(this.#groupFile('init.scope'), 'utf8').catch(() => '');
        for (const pid of procs.split('\n').filter(Boolean)) {
            const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
            if (/^NSpid:.*\t1$/m.test(status)) return Number(pid);
        }
        return 0;
    }

    /** The launcher's mount namespace is the one that sees the guest's cgroups by one name on every host. */
    #groupFile(group: string) {
        return `/proc/${this.#launcher.pid}/root/sys/fs/cgroup/${this.name}/payload/${group}/cgroup.procs`;
    }

    /** The host's command line that runs a program of the guest, inside all of the guest's namespaces. */
    commandLine(command: readonly string[], options: RunOptions = {}): readonly string[] {
        const {user, session} = options;
        const id = user ?? session?.user;
        const environment = {
            PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
            LANG: 'C.UTF-8',
            HOME: id && id !== 'root' ? `/home/${id}` : '/root',
            USER: id ?? 'root',
            LOGNAME: id ?? 'root',
            ...(options.tty ? {TERM: 'xterm-256color'} : {}),
            ...session?.environment,
            ...options.env,
        };
        const {timeout = 60_000} = options;
        const limit = [
            ...['timeout', '--kill-after=2', ...(options.tty ? ['--foreground'] : [])],
            `${Math.ceil(timeout / 1000)}`,
        ];
        return [
            'sh',
            '-c',
            'echo $$ >"$1" && shift && exec "$@"',
            'enter',
            this.#groupFile(session?.controlGroup ?? 'init.scope'),
            'nsenter',
            `--target=${this.#leader}`,
            '--all',
            `--wdns=${options.cwd ?? '/'}`,
            'env',
            '-i',
            ...Object.entries(environment).map(([key, value]) => `${key}=${value}`),
            ...(id && id !== 'root'
                ? ['setpriv', `--reuid=${id}`, `--regid=${id}`, '--init-groups']
                : []),
            ...(timeout === Infinity ? [] : limit),
            ...(options.tty ? inTerminal(command) : command),
        ];
    }

    /** Runs a program to its end. A failing one does not throw: look at exitCode, or use `check`. */
    async run(command: string | readonly string[], options: RunOptions = {}): Promise<RunResult> {
        const [file = '', ...rest] = this.commandLine(
            typeof command === 'string' ? ['sh', '-c', command] : command,
            options,
        );
        const {input} = options;
        const result = await execa(file, rest, {
            reject: false,
            stripFinalNewline: false,
            maxBuffer: 64 * 1024 * 1024,
            ...(input === undefined
                ? {stdin: 'ignore' as const}
                : typeof input === 'string' || Buffer.isBuffer(input)
                  ? {input}
                  : {stdin: input}),
        });
        return {
            stdout: result.stdout,
            stderr: result.stderr,
            exitCode: result.exitCode ?? 128,
        };
    }

    /** Like `run`, but throws with what the program printed when it fails. Its standard output. */
    async check(command: string | readonly string[], options: RunOptions = {}): Promise<string> {
        const {stdout, stderr, exitCode} = await this.run(command, options);
        if (exitCode === 0) return stdout;
        const shown = typeof command === 'string' ? command : command.join(' ');
        throw new Error(`${this.name}: "${shown}" ended with ${exitCode}\n${stdout}${stderr}`);
    }

    /** Starts a program on a terminal of its own, to be typed at. */
    startTerminal(command: readonly string[], options: Omit<RunOptions, 'tty' | 'input'> = {}) {
        return new Terminal(this.commandLine(command, {timeout: 120_000, ...options, tty: true}));
    }

    /** Starts a program in the background and hands out the host's process. */
    start(command: readonly string[], options: RunOptions = {}): ChildProcess {
        const [file = '', ...rest] = this.commandLine(command, {timeout: Infinity, ...options});
        return spawn(file, rest, {stdio: ['ignore', 'pipe', 'pipe']});
    }

    /** A login session of this user on seat0; the newest one is the active one. */
    openSession(user: string): Promise<Session> {
        return openSession(this, user);
    }

    async putFile(path: string, content: string | Buffer, {mode = 0o644, owner = 'root'} = {}) {
        await this.check(
            'mkdir -p "$(dirname "$P")" && cat >"$P" && chmod "$M" "$P" && chown "$O:" "$P"',
            {input: content, env: {P: path, M: mode.toString(8), O: owner}},
        );
    }

    /** Copies a file of the host into the guest. */
    async copyIn(from: string, to: string) {
        const input = createReadStream(from);
        await new Promise((resolve, reject) => input.once('open', resolve).once('error', reject));
        await this.check('mkdir -p "$(dirname "$P")" && cat >"$P"', {input, env: {P: to}});
    }

    async getFile(path: string): Promise<Buffer> {
        const [file = '', ...rest] = this.commandLine(['cat', path]);
        const {stdout} = await execa(file, rest, {encoding: 'buffer', stdin: 'ignore'});
        return Buffer.from(stdout);
    }

    /** The journal of one unit, or of all, message texts only. */
    async journal(unit?: string): Promise<string> {
        const which = unit === undefined ? [] : ['-u', unit];
        await this.check(['journalctl', '--sync']);
        return this.check(['journalctl', '--no-pager', '-o', 'cat', ...which]);
    }

    /**
     * Changes a file below /usr that was among `files`, as another OS image has another one; to be
     * done right before a reboot.
     */
    async putVendorFile(path: string, content: string) {
        const file = join(this.#scratch, 'files', path);
        // the same inode, which is what the guest's overlay has open
        await stat(file);
        await writeFile(file, content);
    }

    /** Reboots it: /etc and /var stay, /run and all processes go. The command is what asks for it. */
    async reboot(command: readonly string[] = ['systemctl', 'reboot'], options: RunOptions = {}) {
        const previous = this.#leader;
        const result = await this.run(command, options);
        await this.#waitUntilRunning(previous);
        return result;
    }

    /** Shuts it down in order, as `poweroff` does, and forgets it. */
    async shutdown() {
        await this.run(['systemctl', 'poweroff']);
        await Promise.race([this.#ended, sleep(15_000, undefined, {ref: false})]);
        await this.kill();
    }

    /** Ends it at once, as a power cut does, and removes all it had. */
    async kill() {
        this.#launcher.stdin?.end();
        await this.#ended;
        await rm(this.#scratch, {recursive: true, force: true, maxRetries: 5});
    }

    async [Symbol.asyncDispose]() {
        await this.kill();
    }
}
