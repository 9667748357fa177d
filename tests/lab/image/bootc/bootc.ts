// SPDX-License-Identifier: GPL-2.0-or-later
// A stand-in for bootc, and for the one verb of ostree that is used beside it. It has no image and
// starts none, but keeps on disk what the real one would: which deployments there are, and which of
// them the next boot starts. Documents, options, messages and exit statuses are those of bootc.

import {execFileSync} from 'node:child_process';
import {appendFileSync, mkdirSync, readFileSync, rmSync} from 'node:fs';
import {basename} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

import {BOOTED, CALLS, type Fault, type StandInConfiguration} from './configuration.ts';
import {statusDocument} from './document.ts';
import {
    type ImageSpec,
    type State,
    deploymentOf,
    faultOf,
    readConfiguration,
    readState,
    writeState,
} from './machine.ts';
import {ProgressWriter} from './progress-writer.ts';
import {type SourceImage, lookUp} from './source.ts';
import {isAtLeast, options as knownOptions, verbsSince} from './versions.ts';

const NEXT_ROOT = '/run/nextroot';

type Options = ReadonlyMap<string, string>;

class Failure extends Error {
    readonly exitCode: number;

    constructor(message: string, exitCode = 1) {
        super(message);
        this.exitCode = exitCode;
    }
}

const faultTexts: Partial<Record<Fault, string>> = {
    network:
        'Creating importer: failed to invoke method OpenImage: pinging container registry ghcr.io: Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host',
    'no-space': 'Importing: Unencapsulating base: write: No space left on device (os error 28)',
    policy: 'Creating importer: failed to invoke method OpenImage: Source image rejected: A signature was required, but no signature exists',
};

async function main(program: string, args: readonly string[]): Promise<void> {
    appendFileSync(CALLS, `${[program, ...args].join(' ')}\n`);
    const configuration = readConfiguration();
    if (program === 'ostree') return undeploy(configuration, args);
    const [verb = '', ...rest] = args;
    if (verb === '--version') return print(`bootc ${configuration.version}`);
    if (verb === 'stand-in') return simulate(configuration, rest);
    const known = knownOptions[verb];
    const {version} = configuration;
    if (!known || !isAtLeast(version, verbsSince[verb] ?? '0'))
        throw new Failure(`unrecognized subcommand '${verb}'\n\nUsage: bootc <COMMAND>`, 2);
    const {given, target} = parseArguments(verb, rest, version);
    if ((target === null) === (verb === 'switch'))
        throw new Failure(`the following required arguments were not provided:\n  <TARGET>`, 2);
    requireRights();
    const fault = faultOf(given.has('--check') ? 'check' : verb);
    if (verb === 'status') return status(configuration, given, fault);
    if (configuration.store === 'none') throw new Failure('System not booted via bootc');
    const state = readState(configuration);
    if (verb === 'rollback') return rollback(configuration, state, fault);
    await change(verb, configuration, state, given, target, fault);
}

function parseArguments(
    verb: string,
    args: readonly string[],
    version: string,
): {given: Options; target: string | null} {
    const given = new Map<string, string>();
    let target: string | null = null;
    const rest = [...args];
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
        if (!word.startsWith('-') && verb === 'switch' && target === null) {
            target = word;
            continue;
        }
        const [name = '', value] = word.split(/=(.*)/s);
        const option = knownOptions[verb]?.[name];
        if (!option || !isAtLeast(version, option.since ?? '0'))
            throw new Failure(
                `unexpected argument '${name}' found\n\nUsage: bootc ${verb} [OPTIONS]\n\nFor more information, try '--help'.`,
                2,
            );
        const found = option.takes ? (value ?? rest.shift()) : '';
        if (found === undefined)
            throw new Failure(`a value is required for '${name} <VALUE>' but none was supplied`, 2);
        given.set(name, found);
    }
    for (const name of given.keys())
        for (const other of knownOptions[verb]?.[name]?.conflicts ?? [])
            if (given.has(other))
                throw new Failure(`the argument '${name}' cannot be used with '${other}'`, 2);
    return {given, target};
}

/** It mounts in a namespace of its own, which a sandbox does not allow. */
function requireRights(): void {
    if (process.getuid?.() !== 0)
        throw new Failure('This command must be executed as the root user');
    try {
        execFileSync('unshare', ['-m', 'true'], {stdio: 'ignore'});
    } catch {
        throw new Failure('This command requires full root privileges (CAP_SYS_ADMIN)');
    }
}

async function status(
    configuration: StandInConfiguration,
    given: Options,
    fault: Fault | null,
): Promise<void> {
    if (fault === 'hang' || fault === 'stubborn') await hang(fault);
    if (fault === 'killed') process.kill(process.pid, 'SIGKILL');
    if (fault === 'garbage') return print('{"apiVersion": "org.containers.bootc/v1", "kind');
    if (!['json', undefined].includes(given.get('--format')))
        throw new Failure('The stand-in knows JSON only');
    if (!['0', '1', undefined].includes(given.get('--format-version')))
        throw new Failure(`Unsupported format version: ${given.get('--format-version')}`);
    const isNone = configuration.store === 'none' || fault === 'spec-null';
    const state = isNone ? null : readState(configuration);
    print(JSON.stringify(statusDocument(configuration, state)));
}

function rollback(configuration: StandInConfiguration, state: State, fault: Fault | null): void {
    if (fault === 'silent') return;
    const isReverting = state.isRollbackQueued;
    if (isReverting) print('notice: Reverting queued rollback state');
    if (!state.rollback) throw new Failure('Rollback: No rollback available');
    writeState(configuration, {
        ...state,
        staged: null,
        isDownloadOnly: false,
        isRollbackQueued: !isReverting,
    });
    print(isReverting ? 'Next boot: current deployment' : 'Next boot: rollback deployment');
}

async function change(
    verb: string,
    configuration: StandInConfiguration,
    state: State,
    given: Options,
    target: string | null,
    fault: Fault | null,
): Promise<void> {
    const context = verb === 'switch' ? 'Switching' : 'Upgrading';
    const fail = (text: string): never => {
        throw new Failure(`${context}: ${text}`);
    };
    const progressFd = given.get('--progress-fd');
    const progress = new ProgressWriter(
        progressFd === undefined ? null : Number(progressFd),
        fault,
    );
    if (fault === 'hang' || fault === 'stubborn') await hang(fault);
    const text = fault && faultTexts[fault];
    if (text) fail(text);

    if (given.has('--from-downloaded')) {
        unlock(configuration, state, fault);
        return prepareSoftReboot(given, state.staged);
    }
    const spec = wantedSpec(state, given, target);
    if (verb === 'switch' && JSON.stringify(spec) === JSON.stringify(currentSpec(state)))
        return print('Image specification is unchanged.');
    if (given.has('--enforce-container-sigpolicy') && acceptsAnything())
        fail(
            'Creating importer: containers-policy.json specifies a default of `insecureAcceptAnything`; refusing usage',
        );

    let image: SourceImage;
    try {
        image = lookUp(configuration, spec);
    } catch (error) {
        return fail(`Creating importer: failed to invoke method OpenImage: ${messageOf(error)}`);
    }
    if (given.has('--check')) return check(configuration, state, spec, image, fault);
    const isDownloadOnly = given.has('--download-only');
    const name = `${spec.transport}:${spec.image}`;
    if (configuration.store === 'composefs') {
        if (state.staged?.digest === image.digest)
            return print('Update already staged. To apply update run `bootc update --apply`');
        const same =
            image.digest === state.booted.digest
                ? 'Booted'
                : image.digest === state.rollback?.digest
                  ? 'Rollback'
                  : null;
        if (same && verb === 'upgrade') return print(`No changes in: ${name}`);
        if (same)
            fail(
                `Target image has the same fs-verity digest as the existing Some(${same}) deployment.`,
            );
    } else if (verb === 'upgrade') {
        if (state.staged?.digest === image.digest)
            return setLock(configuration, state, isDownloadOnly);
        if (state.booted.digest === image.digest) return print('No update available.');
    }

    await download(configuration, progress, image, fault);
    if (fault === 'silent') return;
    progress.stage(image.digest);
    const staged = deploymentOf(spec, image);
    writeState(configuration, {...state, staged, isDownloadOnly});
    prepareSoftReboot(given, staged);
    print(`Queued for next boot: ${name}`);
    if (image.version !== null) print(`  Version: ${image.version}`);
    print(`  Digest: ${image.digest}`);
}

/** Of `--soft-reboot`: the tree is mounted where systemd-soft-reboot.service(8) goes on with it. */
function prepareSoftReboot(given: Options, staged: State['staged']): void {
    const mode = given.get('--soft-reboot');
    if (mode === undefined) return;
    if (!['auto', 'required'].includes(mode))
        throw new Failure(`invalid value '${mode}' for '--soft-reboot <SOFT_REBOOT>'`, 2);
    if (staged?.canSoftReboot) mkdirSync(`${NEXT_ROOT}/etc`, {recursive: true});
    else if (mode === 'required')
        throw new Failure(
            'Soft reboot was required but staged deployment is not soft-reboot capable',
        );
}

function currentSpec(state: State): ImageSpec {
    return (state.staged ?? state.booted).spec;
}

function wantedSpec(state: State, given: Options, target: string | null): ImageSpec {
    const current = currentSpec(state);
    if (target !== null) {
        const transport = given.get('--transport') ?? 'registry';
        return given.has('--enforce-container-sigpolicy')
            ? {image: target, transport, signature: 'containerPolicy'}
            : {image: target, transport};
    }
    const tag = given.get('--tag');
    return tag === undefined
        ? current
        : {...current, image: current.image.replace(/:[^:/]*$/, `:${tag}`)};
}

function acceptsAnything(): boolean {
    const policy = JSON.parse(readFileSync('/etc/containers/policy.json', 'utf8')) as {
        readonly default?: readonly {readonly type: string}[];
    };
    return policy.default?.[0]?.type === 'insecureAcceptAnything';
}

function check(
    configuration: StandInConfiguration,
    state: State,
    spec: ImageSpec,
    image: SourceImage,
    fault: Fault | null,
): void {
    const name = `${spec.transport}:${spec.image}`;
    const here = [state.booted, state.staged, state.rollback].map(one => one?.digest);
    if (fault === 'silent' || here.includes(image.digest)) return print(`No changes in: ${name}`);
    if (configuration.store === 'ostree') {
        writeState(configuration, {...state, cachedUpdate: image});
        print(`Update available for: ${name}`);
        if (image.version !== null) print(`  Version: ${image.version}`);
        print(`  Digest: ${image.digest}`);
    }
    print('Total new layers: 1     Size: 1.0 kB');
    print('Removed layers:   1     Size: 1.0 kB');
    print('Added layers:     1     Size: 1.0 kB');
}

async function download(
    configuration: StandInConfiguration,
    progress: ProgressWriter,
    image: SourceImage,
    fault: Fault | null,
): Promise<void> {
    const steps = 10;
    for (let step = 0; step <= steps; step++) {
        progress.pull(image, step / steps);
        if (fault === 'killed' && step === steps / 2) process.kill(process.pid, 'SIGKILL');
        await sleep(configuration.downloadTime / steps);
    }
}

function unlock(configuration: StandInConfiguration, state: State, fault: Fault | null): void {
    if (!state.staged) throw new Failure('Upgrading: No staged deployment found');
    if (fault !== 'silent') setLock(configuration, state, false);
}

function setLock(configuration: StandInConfiguration, state: State, isDownloadOnly: boolean): void {
    if (state.isDownloadOnly === isDownloadOnly) return print('Staged update present, not changed');
    writeState(configuration, {...state, isDownloadOnly});
    print(
        isDownloadOnly
            ? 'Image downloaded, but will not be applied on reboot'
            : 'Staged deployment will now be applied on reboot',
    );
}

/** `ostree admin undeploy INDEX`: the staged deployment comes first, then in the order of the boot menu. */
function undeploy(configuration: StandInConfiguration, args: readonly string[]): void {
    const [group, verb, index] = args;
    if (group !== 'admin' || verb !== 'undeploy' || !/^\d+$/.test(index ?? ''))
        throw new Failure('Unknown command');
    if (configuration.store !== 'ostree')
        throw new Failure('loading sysroot: Not currently booted into an OSTree system');
    if (faultOf('undeploy') === 'silent') return;
    const state = readState(configuration);
    const menu: readonly (keyof State)[] = state.isRollbackQueued
        ? ['staged', 'rollback', 'booted']
        : ['staged', 'booted', 'rollback'];
    const slot = menu.filter(name => state[name] !== null)[Number(index)];
    if (slot === undefined) throw new Failure(`Out of range deployment index ${index}`);
    if (slot === 'booted') throw new Failure('Cannot undeploy currently booted deployment');
    writeState(configuration, {
        ...state,
        [slot]: null,
        ...(slot === 'staged' ? {isDownloadOnly: false} : {isRollbackQueued: false}),
    });
    print(`Deleted deployment ${index}`);
}

/**
 * For tests: `bootc stand-in reboot` takes away what does not survive one, `bootc stand-in install`
 * has the system be what its image is now.
 */
function simulate(configuration: StandInConfiguration, [what]: readonly string[]): void {
    if (what === 'install') {
        const state = readState(configuration);
        const {spec} = state.booted;
        const booted = deploymentOf(spec, lookUp(configuration, spec));
        return writeState(configuration, {...state, booted, rollback: null, staged: null});
    }
    if (what !== 'reboot') throw new Failure(`The stand-in knows no ${what}`);
    rmSync(NEXT_ROOT, {recursive: true, force: true});
    rmSync(BOOTED, {force: true});
    rmSync('/run/snosi', {recursive: true, force: true});
    readState(configuration);
    rmSync('/run/composefs', {recursive: true, force: true});
}

async function hang(fault: Fault): Promise<void> {
    if (fault === 'stubborn') process.on('SIGTERM', () => undefined);
    for (;;) await sleep(1000);
}

function print(text: string): void {
    process.stdout.write(`${text}\n`);
}

function messageOf(error: unknown): string {
    const {stderr} = error as {stderr?: string};
    const text = stderr ?? (error instanceof Error ? error.message : String(error));
    // skopeo logs as logfmt does
    return (/msg="((?:[^"\\]|\\.)*)"\s*$/.exec(text.trim())?.[1] ?? text)
        .replaceAll('\\"', '"')
        .trim();
}

main(basename(process.argv[1] ?? ''), process.argv.slice(2)).catch((error: unknown) => {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = error instanceof Failure ? error.exitCode : 1;
});
