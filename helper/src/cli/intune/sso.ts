// SPDX-License-Identifier: GPL-2.0-or-later
// Single sign-on for programs of this machine: what the user chose, and who has used it.

import {type CallerRecord, callersPath, readCallers} from '../../broker/caller-list.ts';
import {
    type ManifestChanges,
    installManifests,
    removeManifests,
} from '../../broker/browsers/manifests.ts';
import {type BrokerOptions, formatOptions, optionsPath, readOptions} from '../../broker/options.ts';
import {SnowError} from '../../host/error.ts';
import type {CommandAction, Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {type TableStyle, fields, table} from '../table.ts';
import {printable} from '../text.ts';
import {timeText} from '../units.ts';
import {callersUid} from './owner.ts';

export const switchSingleSignOn: CommandAction = async (context, [word = '']) => {
    const {host, settings, environment} = context;
    const {isStartingContainer, isAdmittingSandboxed, isForBrowsers} = settings.intune;
    if (word !== 'on' && (isStartingContainer || isAdmittingSandboxed || isForBrowsers))
        throw new SnowError(
            'InvalidArgs',
            '--start-container, --sandboxed and --browsers go with "intune sso on"',
        );
    if (word === 'status') return showSingleSignOn(context);
    const path = optionsPath(environment);
    const {options} = await readOptions(host.files, path);
    const isEnabled = word === 'on';
    const chosen: BrokerOptions = isEnabled
        ? {
              isEnabled,
              startsContainer: isStartingContainer,
              admitsSandboxed: isAdmittingSandboxed,
          }
        : {...options, isEnabled};
    await host.files.writeWhole(path, formatOptions(chosen));
    const {installed, foreign} = await setManifests(context, isEnabled && isForBrowsers);
    const document = {...optionsDocument(chosen), browsers: installed, foreign};
    context.output.result(document, () => {
        if (!isEnabled) return 'Programs of this machine cannot sign in with the container.\n';
        const lines = [
            `Programs of this machine can sign in with the container${admittedText(chosen)}.`,
            ...(isForBrowsers ? [browsersText(installed)] : []),
            ...foreign.map(file => `${printable(file)} is not of Snow Control, and stays.`),
        ];
        return `${lines.join('\n')}\n`;
    });
    return SUCCESS;
};

async function setManifests(
    {host, environment}: Context,
    isWanted: boolean,
): Promise<ManifestChanges> {
    const home = environment['HOME'] ?? '';
    if (!home.startsWith('/')) throw new SnowError('InvalidArgs', 'HOME is no directory');
    if (isWanted) return installManifests(host.files, home);
    await removeManifests(host.files, home);
    return {installed: [], foreign: []};
}

function browsersText(names: readonly string[]): string {
    return names.length === 0
        ? 'There is no browser here whose extensions could.'
        : `Extensions can in ${names.join(', ')}, once restarted.`;
}

async function showSingleSignOn({host, output, environment}: Context): Promise<number> {
    const {options, faults} = await readOptions(host.files, optionsPath(environment));
    const runtime = environment['XDG_RUNTIME_DIR'] ?? `/run/user/${callersUid()}`;
    const callers = await readCallers(host.files, callersPath(runtime));
    output.result({...optionsDocument(options), faults, callers}, () =>
        singleSignOnText(options, faults, callers, output.style),
    );
    return SUCCESS;
}

function optionsDocument({isEnabled, startsContainer, admitsSandboxed}: BrokerOptions) {
    return {enabled: isEnabled, startContainer: startsContainer, sandboxed: admitsSandboxed};
}

export function singleSignOnText(
    options: BrokerOptions,
    faults: readonly string[],
    callers: readonly CallerRecord[],
    style: TableStyle,
): string {
    const {isEnabled, startsContainer, admitsSandboxed} = options;
    const head = fields(
        [
            ['Single sign-on', [isEnabled ? 'on' : 'off; "snowctl intune sso on" turns it on']],
            ['Starts the container', isEnabled ? [startsContainer ? 'yes' : 'no'] : []],
            ['Sandboxed programs', isEnabled ? [admitsSandboxed ? 'yes' : 'no'] : []],
            ['Problem', faults],
        ],
        style,
    );
    if (callers.length === 0) return `${head}Nobody has asked since the login.\n`;
    const rows = callers.map(({sandbox, application, executable, unit, ...call}) => [
        sandbox === 'none'
            ? executable || 'not known'
            : `${application || executable} (${sandbox})`,
        String(call.calls),
        String(call.refused),
        timeText(call.lastCall),
        unit === '' ? '-' : unit,
    ]);
    return `${head}\n${table(['PROGRAM', 'CALLS', 'REFUSED', 'LAST CALL', 'UNIT'], rows, style)}`;
}

function admittedText({admitsSandboxed}: BrokerOptions): string {
    return admitsSandboxed ? '' : ', but those in a sandbox';
}
