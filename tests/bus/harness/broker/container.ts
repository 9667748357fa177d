// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for snowd and the container: runs what it is to run in there as a program of this machine,
// beside a bus of its own.

import {spawn} from 'node:child_process';

import {type BusConnection, Variant, connectToSystemBus} from '../../../../helper/src/host/dbus.ts';

const SERVICE = 'org.frostyard.Snow1';
const PROGRAM = 'systemd-stdio-bridge';
const uid = process.getuid?.() ?? 0;

interface RunOptions {
    readonly pipes: Variant<string>;
    readonly session: Variant<readonly string[]>;
}

export class StandInContainer implements AsyncDisposable {
    state: 'absent' | 'stopped' | 'running' = 'running';
    /** What is answered instead of running anything. */
    refusal: readonly [string, string] | null = null;
    /** The program in place of the bridge, in a shell. */
    program: string | null = null;
    /** How often something was run. */
    runs = 0;
    /** The session of the one who had it run. */
    session: readonly string[] = [];
    /** How often it was started for that. */
    starts = 0;
    readonly #bus: BusConnection;
    readonly #running = new Map<number, () => void>();
    /** Address of the bus of the session inside. */
    readonly #address: string;

    private constructor(bus: BusConnection, address: string) {
        this.#bus = bus;
        this.#address = address;
    }

    /** On the system bus of DBUS_SYSTEM_BUS_ADDRESS. */
    static async start(address: string): Promise<StandInContainer> {
        const bus = await connectToSystemBus();
        const container = new StandInContainer(bus, address);
        bus.handleCalls(call => {
            if (call.path !== `/org/frostyard/Snow1/Intune/u${uid}`)
                bus.replyError(call, `${SERVICE}.Error.NotFound`, `There is no ${call.path}`);
            else if (call.member === 'Get')
                bus.reply(call, 'v', [new Variant('s', container.state)]);
            else if (container.refusal) bus.replyError(call, ...container.refusal);
            else if (call.member === 'Run') bus.reply(call, 'o', [container.#run(call.body)]);
        });
        if (!(await bus.requestName(SERVICE))) throw new Error('The name has an owner');
        return container;
    }

    get isConnected(): boolean {
        return this.#running.size > 0;
    }

    /** What runs in it is killed. */
    stop(): void {
        for (const kill of this.#running.values()) kill();
        this.state = 'stopped';
    }

    async [Symbol.asyncDispose](): Promise<void> {
        this.stop();
        await this.#bus.close();
    }

    #run(body: readonly unknown[]): string {
        const [command, options] = body as [string[], RunOptions];
        if (command[0] !== PROGRAM || command[1] !== `--bus-path=unix:path=/run/user/${uid}/bus`)
            throw new Error(`Not what is to run: ${command.join(' ')}`);
        this.runs += 1;
        this.session = options.session.value;
        if (this.state !== 'running') this.starts += 1;
        this.state = 'running';
        const job = `/org/frostyard/Snow1/Jobs/${this.runs}`;
        const program = this.program ?? `exec ${PROGRAM} --bus-path=${this.#address}`;
        const child = spawn('sh', ['-c', `exec <stdin >stdout 2>stderr; ${program}`], {
            cwd: options.pipes.value,
            stdio: 'ignore',
        });
        const {pid = 0} = child;
        this.#running.set(pid, () => child.kill('SIGKILL'));
        child.once('close', code => {
            this.#running.delete(pid);
            const results = {'exit-status': new Variant('i', code ?? -1)};
            this.#bus.emit(job, `${SERVICE}.Job`, 'Finished', 's(ss)a{sv}', [
                'done',
                ['', ''],
                results,
            ]);
        });
        return job;
    }
}
