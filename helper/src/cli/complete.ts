// SPDX-License-Identifier: GPL-2.0-or-later
// The names that a shell offers, for the hidden command that the completions call:
// `__complete KIND` by the kind of an operand, and `__complete version NAME`.

import {type FeatureState, readFeatures} from '../features/state.ts';
import type {Host} from '../host/host.ts';
import {printable} from './text.ts';

/** Lines of name, tab, description. Whatever goes wrong, a shell is only offered less. */
export async function completions(host: Host, [kind, name]: readonly string[]): Promise<string> {
    try {
        const rows =
            kind === 'job' ? await jobRows() : featureRows(kind, name, await readFeatures(host));
        return rows.map(row => `${row.map(printable).join('\t')}\n`).join('');
    } catch {
        // A message would end up in the middle of what somebody types.
        return '';
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

async function jobRows(): Promise<readonly Row[]> {
    const {connectToService} = await import('./client.ts');
    await using service = await connectToService({mayAskPassword: false, hasTerminal: false});
    const jobs = await service.listJobs();
    return jobs
        .filter(({state}) => state === 'running')
        .map(({number, operation, target}) => [number, `${operation} ${target}`]);
}
