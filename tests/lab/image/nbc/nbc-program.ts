// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for nbc v0.17.1 (or another version that its configuration names): the options, the JSON,
// the files, locks, mounts and exit codes of the real one, on a disk of files and a registry of one
// file. Not nbc: nothing of it is here.
import {spawnSync} from 'node:child_process';
import {
    closeSync,
    existsSync,
    mkdirSync,
    openSync,
    readFileSync,
    readdirSync,
    readlinkSync,
    rmSync,
    writeFileSync,
    writeSync,
} from 'node:fs';

import {
    CONFIG,
    type Config,
    DEVICE,
    type FaultName,
    REGISTRY,
    ROOTS,
    type RegistryImage,
    type SlotName,
    UUIDS,
    VAR,
    hasFault,
    osRelease,
    readJson,
    writeFile,
} from './disk.ts';

const STATE = '/var/lib/nbc/state/config.json';
const MARKER = '/run/nbc-reboot-required';
const CACHE = '/var/cache/nbc/staged-update';
const LOCKS = '/run/nbc';
const TARGET = '/tmp/nbc-update';

interface State {
    image_ref: string;
    image_digest: string;
    device: string;
    install_date: string;
    kernel_args: readonly string[];
    bootloader_type: string;
    filesystem_type: string;
    disk_id?: string;
}

interface Cached {
    image_ref: string;
    image_digest: string;
    download_date: string;
    architecture: string;
    labels: Record<string, string>;
    os_release_pretty_name: string;
    os_release_version_id: string;
    os_release_id: string;
    size_bytes: number;
    image: RegistryImage;
}

const config = readJson<Config>(CONFIG, {
    version: '0.17.1',
    bootLoader: 'systemd-boot',
    stepTime: 0,
});
const [, minorText = '17'] = config.version.split('.');
const minor = Number(minorText);

class Failure extends Error {}

let stopped = false;
const undo: (() => void)[] = [];

// ---- options -----------------------------------------------------------------------------------

type Options = ReadonlyMap<string, string | true>;

const common = {json: '', verbose: 'v', 'dry-run': 'n', silent: 's', help: 'h'};
const valued = ['image', 'device', 'karg', 'cosign-key', 'type'];
const signed = minor >= 17 ? {'insecure-skip-verify': '', 'cosign-key': ''} : {};

const verbs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    status: {},
    update: {
        image: 'i',
        device: 'd',
        'skip-pull': '',
        check: 'c',
        karg: 'k',
        force: 'f',
        ...(minor >= 16 ? {yes: ''} : {}),
        'download-only': '',
        'local-image': '',
        auto: '',
        ...signed,
    },
    download: {image: 'i', 'for-install': '', 'for-update': '', ...signed},
    'cache list': {'install-images': '', 'update-images': ''},
    'cache clear': {install: '', update: ''},
    'cache remove': {type: ''},
};
const aliases: Readonly<Record<string, string>> = {
    stat: 'status',
    info: 'status',
    upgrade: 'update',
    up: 'update',
    dl: 'download',
};

/** As cobra and pflag read them. */
function parse(args: readonly string[]): {verb: string; options: Options; rest: string[]} {
    const words = [...args];
    let verb = words.shift() ?? '';
    verb = aliases[verb] ?? verb;
    if (verb === 'cache') verb = `cache ${words.shift() ?? ''}`;
    const known = verbs[verb];
    if (!known) throw new Failure(`unknown command "${verb}" for "nbc"`);
    const flags: Readonly<Record<string, string>> = {...common, ...known};
    const options = new Map<string, string | true>();
    const rest: string[] = [];
    for (let word = words.shift(); word !== undefined; word = words.shift()) {
        if (!word.startsWith('-') || word === '-') {
            rest.push(word);
            continue;
        }
        if (word === '--') {
            rest.push(...words.splice(0));
            continue;
        }
        const [, long, inline] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
        const name = long ?? Object.keys(flags).find(key => flags[key] === word?.slice(1));
        if (name === undefined)
            throw new Failure(`unknown shorthand flag: '${word[1]}' in ${word}`);
        if (!(name in flags)) throw new Failure(`unknown flag: --${name}`);
        if (!valued.includes(name)) options.set(name, true);
        else {
            const value = inline ?? words.shift();
            if (value === undefined) throw new Failure(`flag needs an argument: --${name}`);
            options.set(name, value);
        }
    }
    return {verb, options, rest};
}

// ---- output ------------------------------------------------------------------------------------

let isJson = false;
let isQuiet = false;

function print(text: string): void {
    writeSync(1, text);
}

function printDocument(value: unknown): void {
    print(`${JSON.stringify(value, null, 2)}\n`);
}

function emit(type: string, fields: Readonly<Record<string, unknown>>): void {
    if (isQuiet) return;
    if (!isJson) return void process.stderr.write(`${type}: ${JSON.stringify(fields)}\n`);
    const timestamp = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    const shown = hasFault('missing-fields') ? {} : {timestamp};
    print(`${JSON.stringify({type, ...shown, ...fields})}\n`);
}

const message = (text: string) => emit('message', {message: text});
const warning = (text: string) => emit('warning', {message: text});

function failWithEvent(summary: string, detail: string): never {
    if (isJson) emit('error', {message: summary, details: {error: detail}});
    throw new Failure(detail);
}

function failWithDocument(summary: string, detail: string): never {
    if (isJson) printDocument({details: detail, error: true, message: summary});
    throw new Failure(`${summary}: ${detail}`);
}

async function step(number: number, name: string): Promise<void> {
    if (stopped) throw new Failure('context canceled');
    const fields = {step: number, total_steps: 7, step_name: name};
    if (hasFault('missing-fields')) emit('step', {step: number});
    else emit('step', fields);
    if (hasFault('huge-lines')) message('x'.repeat(1024 * 1024));
    if (hasFault('unknown-events')) {
        emit('telemetry', {level: 3, nested: {a: [1, 2]}});
        print('panic: not JSON at all {"type":\n');
        print('{"type":7}\n[]\nnull\n');
        emit('progress', {percent: 'half', message: 'Half'});
    }
    emit('progress', {percent: Math.floor((number / 7) * 100), message: `${name}...`});
    await pause(config.stepTime);
    if (number === 3 && hasFault('hang')) await pause(3_600_000);
    if (number === 3 && hasFault('stubborn-hang')) {
        process.removeAllListeners('SIGTERM');
        process.on('SIGTERM', () => undefined);
        for (;;) await new Promise(resolve => setTimeout(resolve, 1000));
    }
}

async function pause(milliseconds: number): Promise<void> {
    const end = Date.now() + milliseconds;
    while (Date.now() < end) {
        if (stopped) throw new Failure('context canceled');
        await new Promise(resolve => setTimeout(resolve, Math.min(20, milliseconds)));
    }
}

// ---- machine -----------------------------------------------------------------------------------

function lock(name: 'cache' | 'system', text: string): () => void {
    mkdirSync(LOCKS, {recursive: true});
    const fd = openSync(`${LOCKS}/${name}.lock`, 'a+');
    const {status} = spawnSync('flock', ['-n', '-x', '3'], {
        stdio: ['ignore', 'ignore', 'ignore', fd],
    });
    if (status !== 0) throw new Failure(`another nbc process is currently ${text}`);
    return () => closeSync(fd);
}

function mount(device: string, directory: string): void {
    mkdirSync(directory, {recursive: true});
    const {status, stderr} = spawnSync('mount', ['-o', 'loop', device, directory], {
        encoding: 'utf8',
    });
    if (status !== 0)
        throw new Failure(`failed to mount target partition: exit status 32\nOutput: ${stderr}`);
    undo.push(() => void spawnSync('umount', [directory]));
}

function readState(): State {
    for (const path of [STATE, '/etc/nbc/config.json'])
        if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as State;
    throw new Failure(
        `system configuration not found at ${STATE} or /etc/nbc/config.json (system may not be installed with nbc)`,
    );
}

function activeSlot(): SlotName {
    return readFileSync('/run/snow-stand-in/slot', 'utf8').trim() as SlotName;
}

function ask(reference: string): RegistryImage {
    const isAlone = readlinkSync('/proc/self/ns/net') !== readlinkSync('/proc/1/ns/net');
    const host = reference.split('/')[0] ?? '';
    if (isAlone || hasFault('lost-network'))
        throw new Failure(
            `failed to get image descriptor: Get "https://${host}/v2/": dial tcp: lookup ${host}: no such host`,
        );
    const image = readJson<Record<string, RegistryImage>>(REGISTRY, {})[reference];
    if (!image || hasFault('no-such-image'))
        throw new Failure(
            `failed to get image descriptor: HEAD https://${host}/v2/manifests/latest: unexpected status code 404 Not Found (HEAD responses have no body, use GET for details)`,
        );
    return image;
}

function cached(): Cached[] {
    const names = existsSync(CACHE) ? readdirSync(CACHE).filter(name => !name.startsWith('.')) : [];
    return names.map(
        name => JSON.parse(readFileSync(`${CACHE}/${name}/metadata.json`, 'utf8')) as Cached,
    );
}

function textOf(error: unknown): string {
    return error instanceof Error ? error.message : String(error);
}

function crash(name: FaultName): void {
    if (hasFault(name)) process.kill(process.pid, 'SIGKILL');
}

// ---- verbs -------------------------------------------------------------------------------------

function status(): void {
    let state: State;
    try {
        state = readState();
    } catch (error) {
        return failWithDocument('failed to read system config', textOf(error));
    }
    if (hasFault('garbage')) return print('Segmentation fault\n');
    const slot = activeSlot();
    const update: Record<string, unknown> = {available: false};
    try {
        const {digest} = ask(state.image_ref);
        Object.assign(update, {
            available: digest !== state.image_digest,
            remote_digest: digest,
            current_digest: state.image_digest,
        });
    } catch (error) {
        update['error'] = textOf(error);
    }
    const [staged] = cached();
    const isSparse = hasFault('missing-fields');
    const all: Record<string, unknown> = {
        image: state.image_ref,
        ...(state.image_digest && {digest: state.image_digest}),
        device: DEVICE,
        active_root: ROOTS[slot],
        active_slot: slot === 'A' ? 'A (root1)' : 'B (root2)',
        ...(!isSparse && {root_mount_mode: 'ro'}),
        bootloader_type: state.bootloader_type,
        filesystem_type: 'ext4',
        ...(!isSparse && {install_date: state.install_date, kernel_args: state.kernel_args}),
        ...(!isSparse && {update_check: update}),
        ...(staged && {
            staged_update: {
                image_ref: staged.image_ref,
                image_digest: staged.image_digest,
                size_bytes: staged.size_bytes,
                ready: staged.image_digest !== state.image_digest,
            },
        }),
        ...(minor >= 15 && existsSync(MARKER)
            ? {reboot_pending: JSON.parse(readFileSync(MARKER, 'utf8')) as unknown}
            : {}),
    };
    if (hasFault('malformed-status')) all['digest'] = {sha256: 'abc'};
    if (!isJson) return print(`Image: ${state.image_ref}\n`);
    printDocument(all);
}

async function update(options: Options): Promise<void> {
    const flag = (name: string) => options.get(name) === true;
    const value = (name: string) => {
        const found = options.get(name);
        return typeof found === 'string' ? found : '';
    };
    if (hasFault('silent-no-op')) return;
    isQuiet = flag('check') && isJson;
    if (flag('download-only') && flag('local-image'))
        failWithEvent(
            'Invalid options',
            '--download-only and --local-image are mutually exclusive',
        );
    if (/(^|\s)composefs=/.test(readFileSync('/proc/cmdline', 'utf8'))) {
        const text = 'System is not nbc-managed (bootc/composefs detected), nothing to do';
        if (isJson && flag('check'))
            printDocument({update_needed: false, image: '', device: '', message: text});
        else if (isJson) printDocument({message: text, skipped: true, success: true});
        else print(`${text}\n`);
        return;
    }
    const state = readState();
    let reference = value('image') || state.image_ref;
    let local: Cached | null = null;
    if (flag('local-image')) {
        const found = cached();
        if (found.length > 1)
            failWithEvent(
                'Failed to read staged update',
                'multiple images found in cache, expected at most one',
            );
        local = found[0] ?? null;
        if (!local) failWithEvent('No staged update', `no staged update found in ${CACHE}`);
        reference = local.image_ref;
    }
    if (flag('check')) {
        let image: RegistryImage;
        try {
            image = ask(reference);
        } catch (error) {
            throw new Failure(
                `failed to check for updates: failed to get remote image digest: ${textOf(error)}`,
            );
        }
        const needed = image.digest !== state.image_digest;
        return printDocument({
            update_needed: needed,
            image: reference,
            device: DEVICE,
            ...(state.image_digest && {current_digest: state.image_digest}),
            new_digest: image.digest,
            message: needed ? 'Update available' : 'System is up-to-date',
        });
    }
    if (flag('download-only')) return download(reference, state, flag('force'), true);

    try {
        await perform(reference, local, state, flag('force'), Boolean(local));
    } catch (error) {
        failWithEvent('Update failed', textOf(error));
    }
    if (local) rmSync(CACHE, {recursive: true, force: true});
    if (hasFault('error-and-success'))
        emit('error', {message: 'Update failed', details: {error: 'the disk is on fire'}});
}

async function perform(
    reference: string,
    local: Cached | null,
    state: State,
    force: boolean,
    skipPull: boolean,
): Promise<void> {
    const unlock = lock('system', 'performing a system operation');
    undo.push(unlock);
    message('Preparing for system update...');
    const active = activeSlot();
    const target: SlotName = active === 'A' ? 'B' : 'A';
    message(`Currently booted from: ${ROOTS[active]} (root${active === 'A' ? 1 : 2})`);
    message(`Update target: ${ROOTS[target]} (root${target === 'A' ? 1 : 2})`);
    let image: RegistryImage;
    if (local) image = local.image;
    else {
        if (!skipPull) message(`Validating image reference: ${reference}`);
        image = ask(reference);
    }
    if (hasFault('other-image'))
        image = {digest: `sha256:${'f'.repeat(64)}`, version: '19700101000000'};
    if (image.digest === state.image_digest && !force) {
        message('No update needed - system is already running the latest version.');
        message('Use --force to reinstall anyway.');
        return;
    }
    message('Starting system update...');
    const complete = () =>
        emit('complete', {
            message: 'System update complete! Reboot to activate the new version.',
            details: {
                image: reference,
                device: DEVICE,
                target: ROOTS[target],
                image_digest: image.digest,
            },
        });
    if (hasFault('nothing-staged')) {
        await step(1, 'Mounting target partition');
        complete();
        return;
    }

    await step(1, 'Mounting target partition');
    // what a status at the same time must not do
    undo.push(() => rmSync(TARGET, {recursive: true, force: true}));
    mount(ROOTS[target], TARGET);
    await step(2, 'Clearing old content from target partition');
    for (const name of readdirSync(TARGET)) rmSync(`${TARGET}/${name}`, {recursive: true});
    await step(3, 'Extracting new container filesystem');
    crash('crash-early');
    const wrap = (text: string) =>
        new Failure(
            `failed to extract container: ${text}\n\nThe target partition may be in an inconsistent state.\nThe previous installation is still bootable - do NOT reboot.\nRe-run the update to try again`,
        );
    if (hasFault('bad-signature'))
        throw wrap('image signature verification failed: no valid signature for image');
    if (hasFault('no-space')) throw wrap(`write ${TARGET}/usr/bin/bash: no space left on device`);
    writeFile(`${TARGET}/usr/lib/os-release`, osRelease(image));
    mkdirSync(`${TARGET}/var`);
    await step(4, 'Preserving user configuration');
    mount(VAR, `${TARGET}/var`);
    await step(5, 'Setting up target system');
    writeFile(
        STATE,
        JSON.stringify({...state, image_ref: reference, image_digest: image.digest}, null, 2),
    );
    warning('could not determine disk ID: no such device');
    await step(6, 'Checking for new kernel and initramfs');
    crash('crash-late');
    await step(7, 'Updating bootloader configuration');
    updateBootLoader(target, active, image);
    if (minor >= 15)
        writeFileSync(
            MARKER,
            JSON.stringify({
                pending_image_ref: reference,
                pending_image_digest: image.digest,
                update_time: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
                target_partition: ROOTS[target],
            }),
        );
    message('Cleaning up...');
    complete();
}

function updateBootLoader(target: SlotName, active: SlotName, image: RegistryImage): void {
    const options = (slot: SlotName) =>
        `root=UUID=${UUIDS[slot]} ro systemd.mount-extra=UUID=0000-0001:/boot:vfat:defaults rd.etc.overlay=1`;
    const name = `Snow Linux ${image.version}`;
    if (config.bootLoader === 'grub2') {
        const entry = (title: string, slot: SlotName) =>
            `menuentry '${title}' {\n    linux /vmlinuz-6.12 ${options(slot)}\n    initrd /initramfs-6.12.img\n}\n`;
        writeFile(
            '/boot/grub/grub.cfg',
            `set timeout=5\nset default=0\n\n${entry(name, target)}\n${entry(`${name} (Previous)`, active)}`,
        );
        return;
    }
    const entry = (title: string, slot: SlotName) =>
        `title   ${title}\nlinux   /vmlinuz-6.12\ninitrd  /initramfs-6.12.img\noptions ${options(slot)}\n`;
    writeFile('/boot/loader/entries/bootc.conf', entry(name, target));
    writeFile('/boot/loader/entries/bootc-previous.conf', entry(`${name} (Previous)`, active));
}

async function download(
    reference: string,
    state: State,
    force: boolean,
    isOfUpdate: boolean,
): Promise<void> {
    const fail = (summary: string, detail: string): never =>
        isOfUpdate ? failWithEvent(summary, detail) : failWithDocument(summary, detail);
    let image: RegistryImage;
    try {
        image = ask(reference);
    } catch (error) {
        return fail('failed to get remote image digest', textOf(error));
    }
    if (image.digest === state.image_digest && !force) {
        if (!isOfUpdate)
            failWithDocument('no update available', 'image digest matches installed version');
        return printDocument({
            update_needed: false,
            image: reference,
            device: DEVICE,
            current_digest: state.image_digest,
            new_digest: image.digest,
            message: 'System is up-to-date, no download needed',
        });
    }
    rmSync(CACHE, {recursive: true, force: true});
    message('Downloading image...');
    const staging = `${CACHE}/.download-${process.pid}`;
    mkdirSync(staging, {recursive: true});
    writeFileSync(`${staging}/blob`, 'x'.repeat(4096));
    // the real one is deaf while it fetches
    const isStopped = () => stopped;
    const end = Date.now() + config.stepTime;
    while (Date.now() < end) await new Promise(resolve => setTimeout(resolve, 10));
    if (hasFault('hang')) {
        process.removeAllListeners('SIGTERM');
        process.on('SIGTERM', () => undefined);
        for (;;) await new Promise(resolve => setTimeout(resolve, 1000));
    }
    crash('crash-early');
    if (hasFault('nothing-staged')) {
        rmSync(staging, {recursive: true});
        return printDocument({image_ref: reference, image_digest: image.digest, cache_dir: CACHE});
    }
    if (isStopped() || hasFault('bad-signature') || hasFault('no-space')) {
        rmSync(staging, {recursive: true});
        const detail = hasFault('no-space')
            ? 'failed to write image to layout: no space left on device'
            : 'image signature verification failed: no cosign signature found';
        return fail('failed to download image', isStopped() ? 'context canceled' : detail);
    }
    const metadata: Cached = {
        image_ref: reference,
        image_digest: image.digest,
        download_date: new Date().toISOString(),
        architecture: 'amd64',
        labels: {'org.opencontainers.image.version': image.version},
        os_release_pretty_name: `Snow Linux ${image.version}`,
        os_release_version_id: '13',
        os_release_id: 'debian',
        size_bytes: 4096,
        image,
    };
    const unlock = lock('cache', 'operating on the cache');
    const directory = `${CACHE}/${image.digest.replace(':', '-')}`;
    rmSync(staging, {recursive: true});
    writeFile(`${directory}/metadata.json`, JSON.stringify(metadata));
    unlock();
    message(`Image cached successfully: ${image.digest}`);
    printDocument({
        image_ref: reference,
        image_digest: image.digest,
        cache_dir: CACHE,
        size_bytes: 4096,
        architecture: 'amd64',
        os_name: metadata.os_release_pretty_name,
    });
}

function cache(verb: string, options: Options): void {
    const [isInstall, isUpdate] = ['install', 'update'].map(
        name => options.has(name) || options.has(`${name}-images`),
    );
    if (isInstall === isUpdate) throw new Failure('must specify either --install or --update');
    if (verb === 'cache clear') {
        const unlock = lock('cache', 'operating on the cache');
        if (isUpdate) rmSync(CACHE, {recursive: true, force: true});
        unlock();
        return printDocument({cache_type: isUpdate ? 'update' : 'install', success: true});
    }
    printDocument({cache_type: 'update', cache_dir: CACHE, images: isUpdate ? cached() : []});
}

async function main(): Promise<void> {
    process.on('SIGTERM', () => (stopped = true));
    if (process.argv[2] === '--version') return print(`nbc version ${config.version}\n`);
    const {verb, options, rest} = parse(process.argv.slice(2));
    isJson = options.has('json');
    if (rest.length > 0) throw new Failure(`unknown command "${rest[0]}" for "nbc ${verb}"`);
    if (verb === 'status') return status();
    if (verb === 'update') return update(options);
    if (verb.startsWith('cache')) return cache(verb, options);
    const isForUpdate = options.has('for-update');
    if (isForUpdate === options.has('for-install'))
        throw new Failure('must specify either --for-install or --for-update');
    if (hasFault('silent-no-op')) return;
    const state = readState();
    const reference = options.get('image');
    await download(
        typeof reference === 'string' ? reference : state.image_ref,
        state,
        false,
        false,
    );
}

main()
    .catch((error: unknown) => {
        if (!(error instanceof Failure)) throw error;
        const [first = '', ...more] = error.message;
        // as fang shows errors
        process.stderr.write(`\n   ERROR  \n\n  ${first.toUpperCase()}${more.join('')}.\n\n`);
        process.stderr.write(`Error: ${error.message}\n`);
        process.exitCode = 1;
    })
    .finally(() => {
        for (const action of undo.reverse()) action();
    });
