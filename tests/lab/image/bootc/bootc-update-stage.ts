// SPDX-License-Identifier: GPL-2.0-or-later
// A stand-in for snow's script that stages the newest image: the same steps in the same order, the
// same files and messages. podman and bootc are what the guest has.

import {execFileSync} from 'node:child_process';
import {appendFileSync, readFileSync, rmSync} from 'node:fs';
import {setTimeout as sleep} from 'node:timers/promises';

import {CALLS} from './configuration.ts';
import {faultOf, readConfiguration, writeWhole} from './machine.ts';
import {lookUp} from './source.ts';

const CHECK = '/run/snosi/update-check';
const STAGED = '/run/snosi/update-staged';

interface Entry {
    readonly image: {readonly imageDigest: string} | null;
}

interface Document {
    readonly spec: {readonly image: {readonly image: string; readonly transport: string} | null};
    readonly status: Readonly<Record<'staged' | 'booted' | 'rollback', Entry | null>>;
}

let image = '';
let remoteVersion = '';

function writeCheck(outcome: string): void {
    const running = /^IMAGE_VERSION="?([^"\n]*)/m.exec(
        readFileSync('/usr/lib/os-release', 'utf8'),
    )?.[1];
    writeWhole(
        CHECK,
        `outcome=${outcome}\nchecked_at=${now()}\nimage=${image}\nrunning_version=${running ?? ''}\nremote_version=${remoteVersion}\n`,
    );
}

function writeStaged(digest: string): void {
    writeWhole(STAGED, `image=${image}\ndigest=${digest}\nstaged_at=${now()}\n`);
}

/** As `date --iso-8601=seconds`. */
function now(): string {
    return new Date().toISOString().replace(/\.\d+Z$/, '+00:00');
}

function run(program: string, ...args: string[]): string {
    return execFileSync(program, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
}

function status(): Document {
    return JSON.parse(run('bootc', 'status', '--format', 'json')) as Document;
}

function digestOf(entry: Entry | null): string {
    return entry?.image?.imageDigest ?? '';
}

/** Fetches the image. Throws when it cannot be had. */
async function pull(): Promise<{digest: string; version: string}> {
    const configuration = readConfiguration();
    const fault = faultOf('pull');
    if (fault === 'network')
        throw new Error(
            `Error: initializing source docker://${image}: pinging container registry ghcr.io: Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host`,
        );
    if (configuration.source === 'list') {
        const {digest, version} = lookUp(configuration, {image, transport: 'registry'});
        await sleep(configuration.downloadTime);
        return {digest, version: version ?? ''};
    }
    run('podman', 'image', 'prune', '-f');
    run('podman', 'pull', '--quiet', image);
    const digest = run('podman', 'image', 'inspect', '--format', '{{.Digest}}', image).trim();
    const label = '{{index .Config.Labels "org.opencontainers.image.version"}}';
    const version = run('podman', 'image', 'inspect', '--format', label, image).trim();
    return {digest, version};
}

async function stage(): Promise<void> {
    const {spec, status: before} = status();
    if (!spec.image) {
        console.log('No bootc image spec; not a bootc-managed system. Nothing to do.');
        return;
    }
    ({image} = spec.image);
    let pulled;
    try {
        pulled = await pull();
    } catch (error) {
        if (error instanceof Error && error.message.startsWith('Error: '))
            console.error(error.message);
        const staged = digestOf(before.staged);
        if (staged === '') rmSync(STAGED, {force: true});
        else writeStaged(staged);
        throw error;
    }
    const {digest} = pulled;
    remoteVersion = pulled.version;
    if (digest === digestOf(before.booted)) {
        console.log(`Already running ${image} (${digest}); nothing to stage.`);
        return writeCheck('current');
    }
    if (digest === digestOf(before.staged)) {
        console.log(`${image} (${digest}) is already staged; will apply at next reboot.`);
        writeStaged(digest);
        return writeCheck('staged');
    }
    if (digest === digestOf(before.rollback)) {
        console.log(
            `${image} (${digest}) equals the rollback deployment; not re-staging automatically.`,
        );
        return writeCheck('held-rollback');
    }
    console.log(`Staging update: ${image} (${digest})`);
    if (faultOf('stage') === 'silent') return writeCheck('staged');
    if (spec.image.transport === 'containers-storage') run('bootc', 'upgrade', '--quiet');
    else run('bootc', 'switch', '--quiet', '--transport', 'containers-storage', image);
    const staged = digestOf(status().status.staged);
    if (staged !== digest) {
        console.error(
            `ERROR: staging silently failed: staged deployment is '${staged || 'none'}', expected ${digest}`,
        );
        throw new Error('silently failed');
    }
    if (readConfiguration().source === 'containers') run('podman', 'image', 'prune', '-f');
    writeStaged(digest);
    writeCheck('staged');
    console.log('Update staged; it will apply at the next reboot.');
}

appendFileSync(CALLS, 'bootc-update-stage\n');
process.on('SIGTERM', () => {
    writeCheck('failed');
    process.exit(143);
});
stage().catch(() => {
    writeCheck('failed');
    process.exitCode = 1;
});
