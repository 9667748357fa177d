// SPDX-License-Identifier: GPL-2.0-or-later
// snowd with a features domain that has no machine behind it: a file says which features there are,
// and the name of each how its jobs go. The image is that of a machine in memory, and so is the
// container of one user. For tests of the protocol.
import {rmSync} from 'node:fs';
import {readFile, rename, writeFile} from 'node:fs/promises';
import {setTimeout as sleep} from 'node:timers/promises';

import {serve} from '../../../helper/src/bus/service.ts';
import {FeatureInterface, FeaturesInterface} from '../../../helper/src/generated/dbus.ts';
import type {Domain, JobSpec, ObjectSnapshot, Progress} from '../../../helper/src/host/domain.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import {initialState, writeJobState} from '../../../helper/src/image/job-state.ts';
import {imageDomain} from '../../../helper/src/image/object.ts';
import {type Manners, SNOW, SNOWFIELD, makeImageMachine} from '../../unit/image/image-machine.ts';
import {type ContainerManners, makeContainerDomain} from './intune-machine.ts';

/** What the file holds. */
export interface StandInState {
    /** Enabled or not, by name. */
    readonly features: Readonly<Record<string, boolean>>;
    /** Milliseconds that a read takes. */
    readonly readTime?: number;
    /** Whether reading fails, in a way that nobody foresaw. */
    readonly isBroken?: boolean;
    /** How changes of the image go. */
    readonly image?: Partial<Manners>;
    /** How the container goes. */
    readonly container?: ContainerManners;
    /** Whether a job of an earlier service still runs when this one starts, for a second. */
    readonly isImageChanging?: boolean;
}

const [statePath = '', idleTimeout = '30000'] = process.argv.slice(2);
let reads = 0;

async function readState(): Promise<StandInState> {
    return JSON.parse(await readFile(statePath, 'utf8')) as StandInState;
}

async function setEnabled(name: string, isEnabled: boolean): Promise<void> {
    const state = await readState();
    const after = {...state, features: {...state.features, [name]: isEnabled}};
    await writeFile(`${statePath}.new`, JSON.stringify(after));
    await rename(`${statePath}.new`, statePath);
}

const domain: Domain = {
    name: 'features',
    async snapshot() {
        reads += 1;
        process.stdout.write(`read ${reads}\n`);
        const state = await readState();
        if (state.isBroken) throw new TypeError('The stand-in is broken');
        await sleep(state.readTime ?? 0);
        const objects = new Map<string, ObjectSnapshot>();
        const summary = {LastCheck: 1_700_000_000, Automatic: false, Problem: ''};
        objects.set('Features', {[FeaturesInterface.name]: summary});
        for (const [name, isEnabled] of Object.entries(state.features)) {
            const feature = {
                Name: name,
                Description: `The ${name} feature`,
                Documentation: '',
                Enabled: isEnabled,
                Installed: isEnabled ? '1.0' : '',
                Newest: '1.0',
                Versions: isEnabled ? ['1.0'] : [],
                Active: isEnabled ? '1.0' : '',
                Component: name,
                Origin: `/usr/lib/sysupdate.${name}.d/${name}.feature`,
                Problem: '',
            };
            objects.set(`Features/${name}`, {[FeatureInterface.name]: feature});
        }
        return objects;
    },
    async prepare(path, _interfaceName, method, args) {
        process.stdout.write(`prepare ${method}\n`);
        const target = path === 'Features' ? '' : path.slice('Features/'.length);
        if (method === 'Rollback' && !/^[0-9.]*$/.test(String(args[0])))
            throw new SnowError('InvalidArgs', `${JSON.stringify(args[0])} is no version`);
        return {
            operation: `features.${method.toLowerCase()}`,
            target,
            isWriter: method !== 'Check',
            run: (progress, signal) => run(target, method, progress, signal),
        } satisfies JobSpec;
    },
};

async function run(target: string, method: string, progress: Progress, signal: AbortSignal) {
    progress.step(`Working on ${target || 'everything'}`);
    switch (target) {
        case 'slow':
            for (let done = 0; !signal.aborted; done += 1) {
                progress.bytes(done % 700, 1000);
                await sleep(2);
            }
            throw new SnowError('Cancelled', 'Cancelled by its owner');
        case 'brief':
            await sleep(1500);
            break;
        case 'failing':
            throw new SnowError('Network', 'The server\n does not answer');
        case 'crashing':
            throw new TypeError('A secret of the stack');
        case 'strange':
            return {version: Number.NaN};
    }
    if (method === 'Check') {
        process.stdout.write('check begins\n');
        await sleep(250);
        process.stdout.write('check ends\n');
    }
    if (target !== '') await setEnabled(target, method !== 'Disable');
    return {version: '1.0', merged: true, warnings: [], features: target === '' ? [] : [target]};
}

/** The real domain of the image, on a machine whose programs are functions. */
async function makeImageDomain(): Promise<Domain> {
    const machine = await makeImageMachine();
    process.on('exit', () => rmSync(machine.root, {recursive: true, force: true}));
    const channels = {snow: SNOW, snowfield: SNOWFIELD};
    for (const [name, image] of Object.entries(channels))
        await machine.write({
            [`/usr/lib/snow-control/channels.d/${name}.conf`]: `[Channel]\nName=${name}\nTitle=${name}\nImage=${image}\n`,
        });
    if ((await readState()).isImageChanging) {
        const unit = 'snow-image-job.service';
        const request = {
            operation: 'switch',
            target: 'snowfield',
            reference: SNOWFIELD,
            maySoftReboot: false,
        } as const;
        const state = initialState({...request, id: crypto.randomUUID(), startedBy: 1234});
        await writeJobState(machine.host, {...state, step: 'Pulling snowfield'});
        machine.units.set(unit, 'activating');
        setTimeout(() => {
            const done = {...state, state: 'done', results: {image: SNOWFIELD}} as const;
            void writeJobState(machine.host, done).then(() => machine.units.delete(unit));
        }, 1000);
    }
    const domain = imageDomain(machine.host, [machine.driver], machine.extensions);
    return {
        ...domain,
        async snapshot() {
            Object.assign(machine.manners, {newest: '2', ...(await readState()).image});
            return domain.snapshot();
        },
    };
}

const makeContainers = (): Promise<Domain> =>
    makeContainerDomain(async () => (await readState()).container ?? {});

async function main(): Promise<number> {
    const stop = new AbortController();
    process.on('SIGTERM', () => stop.abort());
    return serve({
        version: '1.2.3',
        domains: [domain, await makeImageDomain(), await makeContainers()],
        imageDriver: () => Promise.resolve('bootc'),
        idleTimeout: Number(idleTimeout),
        machineId: () => Promise.resolve('0123456789abcdef0123456789abcdef'),
        stop: stop.signal,
    });
}

main().then(
    status => process.exit(status),
    (error: unknown) => {
        console.error(error);
        process.exit(1);
    },
);
