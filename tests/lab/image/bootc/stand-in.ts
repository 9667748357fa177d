// SPDX-License-Identifier: GPL-2.0-or-later
// A guest whose image bootc manages, as far as anybody can tell who asks bootc.
//
//     const files = await bootcFiles({version: '1.16.3', store: 'ostree'});
//     await using guest = await Guest.boot('desktop', {files});
//     const bootc = new BootcStandIn(guest);
//     await bootc.offer({version: '2'});
//     await bootc.setFaults({upgrade: 'network'});

import {createHash} from 'node:crypto';
import {join} from 'node:path';

import {build} from 'esbuild';

import type {Guest} from '../../guest.ts';
import type {GuestFile} from '../../scratch.ts';
import {
    CALLS,
    CONFIGURATION,
    FAULTS,
    type Faults,
    IMAGES,
    type ListedImage,
    STATE,
    type StandInConfiguration,
} from './configuration.ts';
import {type State, deploymentOf} from './machine.ts';

export interface BootcOptions extends Partial<StandInConfiguration> {
    /** The image that is booted; default: version 1. */
    readonly booted?: Partial<ListedImage>;
    /** Whether snow's script is there that stages updates; default: on a composefs store. */
    readonly hasStageScript?: boolean;
}

export const IMAGE = 'ghcr.io/frostyard/snow:latest';

/** An image of the list; its digest follows from the reference and the version. */
export function listedImage(of: Partial<ListedImage> = {}, reference = IMAGE): ListedImage {
    const version = of.version === undefined ? '1' : of.version;
    return {
        digest: `sha256:${createHash('sha256').update(`${reference} ${version}`).digest('hex')}`,
        version,
        timestamp: '2026-07-03T17:43:38Z',
        size: 50_000_000,
        osRelease: `ID=debian\nVERSION_ID=13\nIMAGE_ID=snow\nIMAGE_VERSION=${version}\n`,
        ...of,
    };
}

/** What makes a guest one of bootc's, for `files` of Guest.boot(). */
export async function bootcFiles(options: BootcOptions = {}): Promise<Record<string, GuestFile>> {
    const {booted, hasStageScript, ...given} = options;
    const configuration: StandInConfiguration = {
        version: '1.16.3',
        store: 'ostree',
        source: 'list',
        transport: given.store === 'composefs' ? 'containers-storage' : 'registry',
        image: IMAGE,
        downloadTime: 300,
        ...given,
    };
    const {store, image, transport} = configuration;
    const listed = listedImage(booted, image);
    const state: State = {
        booted: deploymentOf({image, transport}, {canSoftReboot: false, ...listed}),
        staged: null,
        isDownloadOnly: false,
        rollback: null,
        isRollbackQueued: false,
        cachedUpdate: null,
    };
    const bootc = {content: await bundle('bootc'), mode: 0o755};
    const isStaging = hasStageScript ?? store === 'composefs';
    return {
        '/usr/bin/bootc': bootc,
        ...(store === 'ostree' ? {'/usr/bin/ostree': bootc} : {}),
        ...(isStaging
            ? {
                  '/usr/libexec/bootc-update-stage': {
                      content: await bundle('bootc-update-stage'),
                      mode: 0o755,
                  },
              }
            : {}),
        [CONFIGURATION]: JSON.stringify(configuration),
        [IMAGES]: JSON.stringify({[image]: listed}),
        [STATE]: JSON.stringify(state),
        [CALLS]: '',
        ...(store === 'composefs' ? composefsFiles : {}),
        ...(store === 'ostree' ? {'/etc/tmpfiles.d/ostree.conf': 'f /run/ostree-booted\n'} : {}),
    };
}

/** The kernel's command line of a container is that of its host. */
const composefsFiles: Readonly<Record<string, GuestFile>> = {
    '/etc/snow-stand-in/cmdline': `root=UUID=0 composefs=${'ab'.repeat(64)} quiet\n`,
    '/etc/systemd/system/snow-stand-in-cmdline.service': `[Unit]
DefaultDependencies=no
Before=sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/mount --bind /etc/snow-stand-in/cmdline /proc/cmdline
`,
    '/etc/systemd/system/sysinit.target.d/snow-stand-in.conf':
        '[Unit]\nRequires=snow-stand-in-cmdline.service\n',
};

async function bundle(program: string): Promise<Buffer> {
    const {outputFiles} = await build({
        entryPoints: [join(import.meta.dirname, `${program}.ts`)],
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        write: false,
        banner: {js: '#!/usr/bin/node'},
        logLevel: 'warning',
    });
    return Buffer.from(outputFiles[0]?.contents ?? []);
}

/** What a test does to the stand-in of a guest that has bootcFiles(). */
export class BootcStandIn {
    constructor(readonly guest: Guest) {}

    /** The registries of the list have this image as the newest one. */
    async offer(of: Partial<ListedImage>, reference = IMAGE): Promise<ListedImage> {
        const image = listedImage(of, reference);
        const images = JSON.parse((await this.guest.getFile(IMAGES)).toString()) as object;
        await this.guest.putFile(IMAGES, JSON.stringify({...images, [reference]: image}));
        return image;
    }

    async setFaults(faults: Faults): Promise<void> {
        await this.guest.putFile(FAULTS, JSON.stringify(faults));
    }

    async configure(change: Partial<StandInConfiguration>): Promise<void> {
        const text = (await this.guest.getFile(CONFIGURATION)).toString();
        const configuration = JSON.parse(text) as StandInConfiguration;
        await this.guest.putFile(CONFIGURATION, JSON.stringify({...configuration, ...change}));
    }

    /** As if the machine was started anew; nothing but its image knows. */
    async reboot(): Promise<void> {
        await this.guest.check(['bootc', 'stand-in', 'reboot']);
    }

    /** Has the system be what its image is now, and forget all others. */
    async install(): Promise<void> {
        await this.guest.check(['bootc', 'stand-in', 'install']);
    }

    async status(): Promise<BootcStatus> {
        const text = await this.guest.check(['bootc', 'status', '--format=json']);
        return JSON.parse(text) as BootcStatus;
    }

    /** Every call since the last one of this method, without those that only look. */
    async calls(): Promise<readonly string[]> {
        const text = (await this.guest.getFile(CALLS)).toString();
        await this.guest.putFile(CALLS, '');
        return text
            .split('\n')
            .filter(line => line !== '' && !/^bootc (status|--version)/.test(line));
    }
}

interface Entry {
    readonly image: {readonly imageDigest: string; readonly version: string | null};
    readonly downloadOnly?: boolean;
}

export interface BootcStatus {
    readonly spec: {readonly image: {readonly image: string; readonly transport: string} | null};
    readonly status: {
        readonly booted: Entry | null;
        readonly staged: Entry | null;
        readonly rollback: Entry | null;
        readonly rollbackQueued?: boolean;
    };
}
