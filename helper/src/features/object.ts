// SPDX-License-Identifier: GPL-2.0-or-later
import {FeatureInterface, FeaturesInterface} from '../generated/dbus.ts';
import type {Domain, JobSpec, ObjectSnapshot, Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {loadDefinitions} from './definitions.ts';
import {
    type OperationResult,
    check,
    disable,
    enable,
    recover,
    rollback,
    setAutomatic,
    update,
} from './operations.ts';
import {isRecordStale} from './forgotten-systems.ts';
import {type FeatureState, readFeatures, readSummary} from './state.ts';
import {STATE_DIRECTORY, readInterrupted} from './transaction.ts';
import {isVersion} from '../host/versions.ts';

const ROOT = 'Features';

/** The features on the bus: one object for all of them, and one for each. */
export function featuresDomain(host: Host): Domain {
    return {
        name: 'features',
        async snapshot() {
            await recoverIfInterrupted(host);
            const definitions = loadDefinitions(host);
            const [summary, features] = await Promise.all([
                readSummary(host, definitions),
                readFeatures(host, definitions),
            ]);
            const objects = new Map<string, ObjectSnapshot>();
            objects.set(ROOT, {
                [FeaturesInterface.name]: {
                    ...summary,
                    RestartNeeded: features.some(({waitsForRestart}) => waitsForRestart),
                },
            });
            for (const feature of features)
                objects.set(featurePath(feature.id), {
                    [FeatureInterface.name]: properties(feature),
                });
            // Who looks may turn something on next; first the answer goes out.
            setImmediate(() => host.http.warmUp());
            return objects;
        },
        prepare: async (path, interfaceName, method, args, options) => {
            if (path === ROOT && interfaceName === FeaturesInterface.name)
                return prepareAll(host, method, args, options);
            if (interfaceName !== FeatureInterface.name)
                throw new SnowError('NotSupported', `${path} has no interface ${interfaceName}`);
            return prepareOne(host, featureId(path), method, args, options);
        },
    };
}

/** The path of a feature below /org/frostyard/Snow1, escaped as sd_bus_path_encode(3) does. */
export function featurePath(id: string): string {
    return `${ROOT}/${escapeLabel(id)}`;
}

/** The id of a feature with this path, as sd_bus_path_decode(3) has it. */
export function featureId(path: string): string {
    const label = path.slice(ROOT.length + 1);
    if (label === '_') return '';
    const bytes = label.replace(/_([0-9a-f]{2})/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return Buffer.from(bytes, 'latin1').toString('utf8');
}

function escapeLabel(label: string): string {
    if (label === '') return '_';
    return [...Buffer.from(label)]
        .map((byte, index) => {
            const character = String.fromCharCode(byte);
            const isPlain = /[A-Za-z]/.test(character) || (index > 0 && /[0-9]/.test(character));
            return isPlain ? character : `_${byte.toString(16).padStart(2, '0')}`;
        })
        .join('');
}

/**
 * A process that was killed, or an OS image that is gone, may have left something: the first look at
 * the features sets it right.
 */
async function recoverIfInterrupted(host: Host): Promise<void> {
    try {
        const names = await host.files.list(STATE_DIRECTORY);
        // Killed before its journal was whole, it had changed nothing, and left but that.
        const isUnfinished = names.some(name => name.startsWith('.#'));
        if (isUnfinished || (await readInterrupted(host)) || (await isRecordStale(host)))
            await recover(host);
    } catch (error) {
        // Somebody else is at it, or it cannot be done: then it shows as a Problem.
        if (!(error instanceof SnowError)) throw error;
    }
}

function properties(feature: FeatureState): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
        Object.keys(FeatureInterface.properties).map(name => [
            name,
            feature[name as keyof FeatureState],
        ]),
    );
}

function prepareAll(
    host: Host,
    method: string,
    args: readonly unknown[],
    options: Readonly<Record<string, unknown>>,
): JobSpec {
    const merge = flag(options, 'merge', true);
    const automatic = flag(options, 'automatic', false);
    switch (method) {
        case 'Check':
            return job('check', '', false, (progress, signal) => check(host, progress, signal));
        case 'UpdateAll':
            return job('update', '', true, (progress, signal) =>
                update(host, null, {merge, automatic}, progress, signal),
            );
        case 'SetAutomatic': {
            const [on] = args;
            if (typeof on !== 'boolean')
                throw new SnowError('InvalidArgs', 'SetAutomatic takes a boolean');
            return job('automatic', '', true, () => setAutomatic(host, on));
        }
        default:
            throw new SnowError('NotSupported', `There is no method ${method}`);
    }
}

function prepareOne(
    host: Host,
    id: string,
    method: string,
    args: readonly unknown[],
    options: Readonly<Record<string, unknown>>,
): JobSpec {
    const merge = flag(options, 'merge', true);
    switch (method) {
        case 'Enable':
            return job('enable', id, true, (progress, signal) =>
                enable(host, id, {merge}, progress, signal),
            );
        case 'Disable':
            return job('disable', id, true, (progress, signal) =>
                disable(host, id, progress, signal),
            );
        case 'Update':
            return job('update', id, true, (progress, signal) =>
                update(host, [id], {merge}, progress, signal),
            );
        case 'Rollback': {
            const [version] = args;
            if (typeof version !== 'string' || (version !== '' && !isVersion(version)))
                throw new SnowError('InvalidArgs', 'Rollback takes a version, or an empty string');
            return job('rollback', id, true, (progress, signal) =>
                rollback(host, id, version, {merge}, progress, signal),
            );
        }
        default:
            throw new SnowError('NotSupported', `There is no method ${method}`);
    }
}

function job(
    verb: string,
    target: string,
    isWriter: boolean,
    run: (progress: Progress, signal: AbortSignal) => Promise<OperationResult>,
): JobSpec {
    return {
        operation: `features.${verb}`,
        target,
        isWriter,
        run: async (progress, signal) => ({...(await run(progress, signal))}),
    };
}

function flag(options: Readonly<Record<string, unknown>>, name: string, preset: boolean): boolean {
    const value = options[name] ?? preset;
    if (typeof value !== 'boolean')
        throw new SnowError('InvalidArgs', `The option ${name} takes a boolean`);
    return value;
}
