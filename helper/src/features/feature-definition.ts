// SPDX-License-Identifier: GPL-2.0-or-later
// sysupdate.features(5) and sysupdate.components(5).

import type {ComponentFiles, DefinitionFile} from './definition-files.ts';
import type {IniKeys} from '../host/ini.ts';
import type {MachineFacts} from './machine-facts.ts';
import type {Component, Feature} from './model.ts';
import {type Setting, Settings} from './settings.ts';

/** All keys but `Suggest...`, which ask for nothing here, are read by both kinds of definition. */
const KEYS: ReadonlySet<string> = new Set([
    'Description',
    'Documentation',
    'AppStream',
    'Enabled',
    'Suggest',
    ...[
        'Architecture',
        'Firmware',
        'Virtualization',
        'Host',
        'Fraction',
        'KernelCommandLine',
        'Version',
        'Credential',
        'Security',
        'OSRelease',
        'MachineTag',
    ].map(condition => `SuggestOn${condition}`),
]);

const FEATURE_KEYS: IniKeys = {Feature: KEYS};
const COMPONENT_KEYS: IniKeys = {Component: KEYS};

/** A feature by itself: what its component and transfers do to it is for definitions.ts to add. */
export function readFeature(
    component: string,
    file: DefinitionFile,
    facts: MachineFacts,
): Omit<Feature, 'id'> {
    const isMasked = file.maskedBy !== null;
    const settings = new Settings([file.main, ...file.dropIns], FEATURE_KEYS, facts);
    const {description, documentation, enabled, enabledBy} = readMetadata(settings);
    const origin = file.maskedBy ?? file.main.path;
    return {
        name: file.name,
        component,
        description,
        documentation,
        enabled: !isMasked && (enabled ?? false),
        enabledBy: isMasked || enabledBy === '' ? origin : enabledBy,
        masked: isMasked,
        origin,
        problem: isMasked
            ? `${file.name} is masked by ${origin}`
            : firstOf([...file.problems, ...settings.faults]),
        warnings: isMasked ? [] : settings.warnings,
    };
}

/** A component is on unless its definition says otherwise; it needs none. */
export function readComponent(files: ComponentFiles, facts: MachineFacts): Component {
    const settings = new Settings(files.own, COMPONENT_KEYS, facts);
    const {description, enabled, enabledBy} = readMetadata(settings);
    return {
        name: files.name,
        description,
        enabled: enabled ?? true,
        enabledBy,
        problem: firstOf([...files.problems, ...settings.faults]),
    };
}

interface Metadata {
    readonly description: string;
    readonly documentation: string;
    readonly enabled: boolean | null;
    /** Empty: no file says. */
    readonly enabledBy: string;
}

function readMetadata(settings: Settings): Metadata {
    let description = '';
    let documentation: readonly string[] = [];
    let enabled: boolean | null = null;
    let enabledBy = '';
    for (const setting of settings.all) {
        switch (setting.key) {
            case 'Description':
                description = visible(setting.value);
                break;
            case 'Documentation':
                documentation = addAddresses(settings, setting, documentation);
                break;
            case 'Enabled': {
                const value = settings.boolean(setting, null);
                if (value === null) break;
                enabled = value;
                enabledBy = setting.path;
                break;
            }
        }
    }
    return {description, documentation: documentation[0] ?? '', enabled, enabledBy};
}

function addAddresses(
    settings: Settings,
    setting: Setting,
    addresses: readonly string[],
): readonly string[] {
    if (setting.value === '') return [];
    const words = settings.expanded(setting)?.split(/[ \t]+/) ?? [];
    const valid = words.filter(word => /^https?:\/\/[\x21-\x7e]+$/.test(word));
    if (valid.length < words.length) settings.warn(setting, 'is no http(s) address, ignored');
    return [...addresses, ...valid];
}

/** Shown on terminals and in the shell: control characters have no place in it. */
function visible(text: string): string {
    // eslint-disable-next-line no-control-regex
    return text.replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ');
}

/** The first of some problems, and that there are more. */
export function firstOf(problems: readonly string[]): string {
    const [first = ''] = problems;
    return problems.length > 1 ? `${first} (and ${problems.length - 1} more)` : first;
}
