// SPDX-License-Identifier: GPL-2.0-or-later
import {parseArgs} from 'node:util';

import {serve} from '../bus/service.ts';
import {logError} from '../bus/journal.ts';
import type {Domain} from '../host/domain.ts';
import {localHost} from '../host/local-host.ts';
import {refuseStranger} from '../intune/object-path.ts';

/** Put in by the bundler from package.json. */
declare const __VERSION__: string;

/** What is bound into every Intune container. */
const CONTAINER_FILES = '/usr/lib/snow-control/container';

const USAGE = `snowd [--idle-timeout=SECONDS]

The service org.frostyard.Snow1, started by the system bus.`;

async function main(): Promise<number> {
    const {values} = parseArgs({
        options: {
            'idle-timeout': {type: 'string', default: '30'},
            help: {type: 'boolean', default: false},
            version: {type: 'boolean', default: false},
        },
    });
    if (values.help || values.version) {
        console.log(values.help ? USAGE : `snowd ${__VERSION__}`);
        return 0;
    }
    const idleSeconds = Number(values['idle-timeout']);
    if (!(idleSeconds > 0)) throw new TypeError('--idle-timeout takes a number of seconds');

    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    // The journal may restart while a job runs; that is no reason to end it.
    process.stdout.on('error', () => undefined);

    const host = localHost();
    return serve({
        version: __VERSION__,
        domains: [features(), image(), intune()],
        imageDriver,
        idleTimeout: idleSeconds * 1000,
        machineId: async () => (await host.files.readText('/etc/machine-id'))?.trim() ?? '',
        stop: stop.signal,
    });

    /** The engine is loaded by the first call that needs it, when the name is already owned. */
    function features(): Domain {
        const domain = lazily(async () => {
            const {featuresDomain} = await import('../features/object.ts');
            return featuresDomain(host);
        });
        return {
            name: 'features',
            snapshot: async () => (await domain()).snapshot(),
            prepare: async (...call) => (await domain()).prepare(...call),
        };
    }

    function image(): Domain {
        const domain = lazily(async () => {
            const [{imageDomain}, {drivers}, {extensionsOfNextBoot}] = await Promise.all([
                import('../image/object.ts'),
                import('../image/drivers.ts'),
                import('../features/next-boot.ts'),
            ]);
            return imageDomain(host, drivers, extensionsOfNextBoot(host));
        });
        return {
            name: 'image',
            snapshot: async () => (await domain()).snapshot(),
            prepare: async (...call) => (await domain()).prepare(...call),
            async running() {
                const {JOB_STATE} = await import('../image/job-state.ts');
                // Most machines have had no job since they were booted.
                if ((await host.files.status(JOB_STATE)) === null) return [];
                return (await domain()).running?.() ?? [];
            },
        };
    }

    function intune(): Domain {
        const domain = lazily(async () => {
            const [{intuneDomain}, {servicePorts}] = await Promise.all([
                import('../intune/object.ts'),
                import('../intune/parts.ts'),
            ]);
            return intuneDomain(host, servicePorts);
        });
        return {
            name: 'intune',
            async snapshot() {
                // A system without them, such as a server, offers none.
                if ((await host.files.status(CONTAINER_FILES)) === null) return new Map();
                return (await domain()).snapshot();
            },
            prepare: async (...call) => (await domain()).prepare(...call),
            refuseStranger,
            async running() {
                const names = await host.files.list('/run/snow-control');
                // Hardly any machine is making a container.
                if (!names.some(name => name.startsWith('intune-job-'))) return [];
                return (await domain()).running?.() ?? [];
            },
        };
    }

    async function imageDriver(): Promise<string> {
        const [{detectDriver}, {drivers}] = await Promise.all([
            import('../image/detect.ts'),
            import('../image/drivers.ts'),
        ]);
        return (await detectDriver(host, drivers))?.name ?? '';
    }
}

function lazily<T>(load: () => Promise<T>): () => Promise<T> {
    let loaded: Promise<T> | null = null;
    return () => (loaded ??= load());
}

main().then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snowd cannot go on', error);
        process.exit(1);
    },
);
