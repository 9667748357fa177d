// SPDX-License-Identifier: GPL-2.0-or-later
// The names that a shell offers, for the hidden command that the completions call:
// `__complete KIND` by the kind of an operand, and `__complete version NAME`.

import {type FeatureState, readFeatures} from '../features/state.ts';
import type {Host} from '../host/host.ts';
import {printable} from './text.ts';

/** Lines of name, tab, description. Whatever goes wrong, a shell is only offered less. */
export async function completions(host: Host, [kind, name]: readonly string[]): Promise<string> {
    try {
        const rows = await findRows(host, kind, name);
        return rows.map(row => `${row.map(printable).join('\t')}\n`).join('');
    } catch {
        // A message would end up in the middle of what somebody types.
        return '';
    }
}

async function findRows(
    host: Host,
    kind: string | undefined,
    name: string | undefined,
): Promise<readonly Row[]> {
    switch (kind) {
        case 'job':
            return jobRows();
        case 'channel':
            return channelRows(host);
        case 'application':
            return [
                ['edge', 'Microsoft Edge'],
                ['portal', 'Intune Portal'],
            ];
        case 'setting': {
            const {presetSettings} = await import('../intune/settings.ts');
            return Object.keys(presetSettings()).map(key => [`${key}=`, '']);
        }
        case 'device-action':
            return (await import('./intune/devices.ts')).deviceActions.map(action => [action, '']);
        case 'device':
            return deviceRows(host);
        default:
            return featureRows(kind, name, await readFeatures(host));
    }
}

type Row = readonly [name: string, description: string];

function featureRows(
    kind: string | undefined,
    name: string | undefined,
    states: readonly FeatureState[],
): readonly Row[] {
    const named = ({id, Description}: FeatureState): Row => [id, Description];
    switch (kind) {
        case 'feature':
            return states.map(named);
        case 'enabled':
            return states.filter(({Enabled}) => Enabled).map(named);
        case 'disabled':
            return states.filter(({Enabled}) => !Enabled).map(named);
        case 'version': {
            const state = states.find(({id}) => id === name);
            return (state?.Versions ?? []).map(version => [
                version,
                version === state?.Installed ? 'installed' : '',
            ]);
        }
        default:
            return [];
    }
}

/** Those that this machine is offered; nobody is asked for a password, or started, to complete a word. */
async function channelRows(host: Host): Promise<readonly Row[]> {
    const [{offeredChannels, readChannels}, {detectDriver}, {drivers}] = await Promise.all([
        import('../image/channels.ts'),
        import('../image/detect.ts'),
        import('../image/drivers.ts'),
    ]);
    const driver = await detectDriver(host, drivers);
    if (!driver) return [];
    const {channels} = await readChannels(host);
    const offered = await offeredChannels(host, channels, driver.name, '', true);
    return offered.map(({name, title}) => [name, title]);
}

/** Nodes of what is plugged in, and the words of a policy. */
async function deviceRows(host: Host): Promise<readonly Row[]> {
    const [{pluggedDevices}, {deviceClasses, devicePolicies}] = await Promise.all([
        import('../intune/devices/devices.ts'),
        import('./intune/devices.ts'),
    ]);
    return [
        ...(await pluggedDevices(host)).map(({node, product}): Row => [node, product]),
        ...[...deviceClasses, ...devicePolicies].map((word): Row => [word, '']),
    ];
}

async function jobRows(): Promise<readonly Row[]> {
    const {connectToService} = await import('./client.ts');
    await using service = await connectToService({mayAskPassword: false, hasTerminal: false});
    const jobs = await service.listJobs();
    return jobs
        .filter(({state}) => state === 'running')
        .map(({number, operation, target}) => [number, `${operation} ${target}`.trim()]);
}
