// SPDX-License-Identifier: GPL-2.0-or-later
// The transfers of sysupdate.d(5) that fetch or copy a file into a file.

import {SnowError} from '../host/error.ts';
import type {DefinitionFile} from './definition-files.ts';
import {firstOf} from './feature-definition.ts';
import {type IniKeys, splitEscapedWords, splitWords} from '../host/ini.ts';
import {isAddress, isNormalised, withoutSlash} from './locations.ts';
import type {MachineFacts} from './machine-facts.ts';
import type {Transfer} from './model.ts';
import {type Pattern, imageTargetPattern, parsePattern} from './patterns.ts';
import {type Setting, Settings} from './settings.ts';
import {isVersion} from '../host/versions.ts';

export type TransferDefinition =
    | {readonly kind: 'transfer'; readonly transfer: Transfer}
    /** A partition, a directory, a file of the boot loader: nothing of the features domain. */
    | {readonly kind: 'foreign'}
    | {
          readonly kind: 'broken';
          readonly problem: string;
          /** As far as they could be read. */
          readonly features: readonly string[];
      };

const DEFAULT_INSTANCES = 3;
const MIN_INSTANCES = 2;
const MAX_PATH = 4095;

const TRANSFER_KEYS: IniKeys = {
    Transfer: new Set([
        'MinVersion',
        'ProtectVersion',
        'Verify',
        'ChangeLog',
        'AppStream',
        'Features',
        'RequisiteFeatures',
        'InstancesMax',
    ]),
    Source: new Set(['Type', 'Path', 'PathRelativeTo', 'MatchPattern']),
    Target: new Set([
        'Type',
        'Path',
        'PathRelativeTo',
        'MatchPattern',
        'MatchPartitionType',
        'PartitionUUID',
        'PartitionFlags',
        'PartitionNoAuto',
        'PartitionGrowFileSystem',
        'ReadOnly',
        'Mode',
        'TriesLeft',
        'TriesDone',
        'InstancesMax',
        'RemoveTemporary',
        'CurrentSymlink',
    ]),
};

export function readTransfer(
    component: string,
    file: DefinitionFile,
    facts: MachineFacts,
): TransferDefinition {
    const settings = new Settings([file.main, ...file.dropIns], TRANSFER_KEYS, facts);
    const draft = newDraft();
    for (const setting of settings.all)
        readers[`${setting.section}.${setting.key}`]?.(draft, setting, settings);
    if (isForeign(draft)) return {kind: 'foreign'};

    // Nothing that is missing may be in what could not be read.
    const incomplete = (what: string): void => {
        if (settings.faults.length === 0) settings.faults.push(`${file.main.path}:1: ${what}`);
    };
    const {source, target} = draft;
    const sourceType = source.type;
    if (sourceType !== 'url-file' && sourceType !== 'regular-file')
        incomplete('[Source] lacks Type=');
    if (!source.pathSetting) incomplete('[Source] lacks Path=');
    else if (sourceType === 'url-file' && !isAddress(source.path))
        settings.fault(source.pathSetting, 'is no http or https address');
    else if (sourceType !== 'url-file' && !isNormalised(source.path))
        settings.fault(source.pathSetting, 'is no absolute, normalised path');
    if (source.patterns.length === 0) incomplete('[Source] lacks MatchPattern=');
    if (!target.pathSetting) incomplete('[Target] lacks Path=');
    else if (!isNormalised(target.path))
        settings.fault(target.pathSetting, 'is no absolute, normalised path');

    const problems = [...file.problems, ...settings.faults];
    if (problems.length > 0 || (sourceType !== 'url-file' && sourceType !== 'regular-file'))
        return {kind: 'broken', problem: firstOf(problems), features: featuresOf(draft)};

    if (file.main.path.endsWith('.conf'))
        settings.warnings.push(
            `${file.main.path}: This file should be named ${file.name}.transfer`,
        );
    const {transferInstancesMax, ...rest} = draft;
    return {
        kind: 'transfer',
        transfer: {
            ...rest,
            name: file.name,
            component,
            origin: file.main.path,
            source: {
                type: sourceType,
                path: withoutSlash(source.path),
                patterns: source.patterns,
            },
            target: {
                path: withoutSlash(target.path),
                patterns: withImage(target.patterns.length > 0 ? target.patterns : source.patterns),
                currentSymlink: target.currentSymlink,
                instancesMax: target.instancesMax ?? transferInstancesMax ?? DEFAULT_INSTANCES,
                mode: target.mode,
                readOnly: target.readOnly,
            },
            warnings: settings.warnings,
        },
    };
}

/** A transfer while its settings are read. */
interface Draft {
    features: readonly string[];
    requisiteFeatures: readonly string[];
    minVersion: string;
    protectVersions: readonly string[];
    verify: boolean;
    transferInstancesMax: number | null;
    readonly source: ResourceDraft;
    readonly target: ResourceDraft & {
        currentSymlink: string;
        instancesMax: number | null;
        mode: number | null;
        readOnly: boolean | null;
    };
}

interface ResourceDraft {
    type: string;
    path: string;
    /** Where `path` is from. */
    pathSetting: Setting | null;
    relativeTo: string;
    patterns: readonly Pattern[];
}

function newDraft(): Draft {
    const resource = {type: '', path: '', pathSetting: null, relativeTo: 'root', patterns: []};
    return {
        features: [],
        requisiteFeatures: [],
        minVersion: '',
        protectVersions: [],
        verify: true,
        transferInstancesMax: null,
        source: {...resource},
        target: {...resource, currentSymlink: '', instancesMax: null, mode: null, readOnly: null},
    };
}

type Reader = (draft: Draft, setting: Setting, settings: Settings) => void;

const TYPES = new Set([
    'url-file',
    'url-tar',
    'tar',
    'partition',
    'regular-file',
    'directory',
    'subvolume',
]);
const ANCHORS = new Set(['root', 'esp', 'xbootldr', 'boot', 'explicit']);

/** By section and key; settings of other kinds of transfers are known, and do nothing here. */
const readers: Readonly<Record<string, Reader>> = {
    'Transfer.Features': (draft, setting, settings) => {
        draft.features = addNames(draft.features, setting, settings);
    },
    'Transfer.RequisiteFeatures': (draft, setting, settings) => {
        draft.requisiteFeatures = addNames(draft.requisiteFeatures, setting, settings);
    },
    'Transfer.MinVersion': (draft, setting, settings) => {
        const [version = '', ...others] = readVersions(setting, settings);
        if (others.length > 0) settings.fault(setting, 'is more than one version');
        draft.minVersion = version;
    },
    'Transfer.ProtectVersion': (draft, setting, settings) => {
        draft.protectVersions =
            setting.value === ''
                ? []
                : unique([...draft.protectVersions, ...readVersions(setting, settings)]);
    },
    'Transfer.Verify': (draft, setting, settings) => {
        draft.verify = settings.boolean(setting, draft.verify);
    },
    'Transfer.InstancesMax': (draft, setting, settings) => {
        settings.warn(setting, 'belongs into [Target], where systemd-sysupdate reads it');
        draft.transferInstancesMax = readInstances(setting, settings, draft.transferInstancesMax);
    },
    'Source.Type': (draft, setting, settings) => readType(draft.source, setting, settings),
    'Source.Path': (draft, setting, settings) => readPath(draft.source, setting, settings),
    'Source.PathRelativeTo': (draft, setting, settings) =>
        readAnchor(draft.source, setting, settings),
    'Source.MatchPattern': (draft, setting, settings) =>
        readPatterns(draft.source, setting, settings),
    'Target.Type': (draft, setting, settings) => readType(draft.target, setting, settings),
    'Target.Path': (draft, setting, settings) => readPath(draft.target, setting, settings),
    'Target.PathRelativeTo': (draft, setting, settings) =>
        readAnchor(draft.target, setting, settings),
    'Target.MatchPattern': (draft, setting, settings) =>
        readPatterns(draft.target, setting, settings),
    'Target.CurrentSymlink': ({target}, setting, settings) => {
        const link = settings.expanded(setting);
        if (link === null) return;
        if (link !== '' && !isNormalised(link.startsWith('/') ? link : `/${link}`))
            settings.fault(setting, 'is no name of a link');
        else target.currentSymlink = link;
    },
    'Target.InstancesMax': ({target}, setting, settings) => {
        target.instancesMax = readInstances(setting, settings, target.instancesMax);
    },
    'Target.Mode': ({target}, setting, settings) => {
        if (/^0?[0-7]{0,4}$/.test(setting.value))
            target.mode = setting.value === '' ? null : parseInt(setting.value, 8);
        else settings.fault(setting, 'is no octal access mode');
    },
    'Target.ReadOnly': ({target}, setting, settings) => {
        target.readOnly = setting.value === '' ? null : settings.boolean(setting, target.readOnly);
    },
};

function addNames(
    names: readonly string[],
    setting: Setting,
    settings: Settings,
): readonly string[] {
    if (setting.value === '') return [];
    const words = splitWords(setting.value);
    if (words) return unique([...names, ...words]);
    settings.fault(setting, 'has a quote that is not closed');
    return names;
}

/** A specifier may stand for nothing, as %A where the image has no version. */
function readVersions(setting: Setting, settings: Settings): readonly string[] {
    const words = settings.expanded(setting)?.split(/[ \t]+/) ?? [];
    const versions = words.filter(word => word !== '');
    if (versions.every(isVersion)) return versions;
    settings.fault(setting, 'is no version');
    return [];
}

function readInstances(setting: Setting, settings: Settings, before: number | null): number | null {
    if (setting.value === '') return null;
    if (!/^[0-9]{1,15}$/.test(setting.value)) {
        settings.fault(setting, 'is no number');
        return before;
    }
    const count = Number(setting.value);
    if (count < MIN_INSTANCES) settings.warn(setting, `is too few, ${MIN_INSTANCES} are kept`);
    return Math.max(count, MIN_INSTANCES);
}

function readType(resource: ResourceDraft, setting: Setting, settings: Settings): void {
    if (TYPES.has(setting.value)) resource.type = setting.value;
    else settings.fault(setting, 'is no type of resource');
}

function readAnchor(resource: ResourceDraft, setting: Setting, settings: Settings): void {
    if (setting.value === '' || ANCHORS.has(setting.value))
        resource.relativeTo = setting.value || 'root';
    else settings.fault(setting, 'is nothing a path can be relative to');
}

function readPath(resource: ResourceDraft, setting: Setting, settings: Settings): void {
    const path = settings.expanded(setting);
    if (path === null) return;
    if (path.length > MAX_PATH) {
        settings.fault(setting, 'is too long');
        return;
    }
    resource.path = path;
    resource.pathSetting = setting;
}

function readPatterns(resource: ResourceDraft, setting: Setting, settings: Settings): void {
    if (setting.value === '') {
        resource.patterns = [];
        return;
    }
    for (const word of splitEscapedWords(setting.value)) {
        const text = settings.expanded(setting, word);
        if (text === null) return;
        // Any directory below the source: here there is only the one that the manifest lists.
        const isAnywhere = text.startsWith('**/') && setting.section === 'Source';
        try {
            const pattern = parsePattern(isAnywhere ? text.slice(3) : text);
            if (!resource.patterns.some(other => other.text === pattern.text))
                resource.patterns = [...resource.patterns, pattern];
        } catch (error) {
            if (!(error instanceof SnowError)) throw error;
            settings.faults.push(`${setting.where}: ${error.message}`);
        }
    }
}

/** Whether the transfer is one of the operating system's or of a container's, whatever else is wrong with it. */
function isForeign({source, target}: Draft): boolean {
    const isFile = (type: string): boolean => type === '' || type.endsWith('-file');
    if (!isFile(source.type) || !isFile(target.type)) return true;
    if (target.type === '' && target.path.startsWith('/dev/')) return true;
    return source.relativeTo !== 'root' || target.relativeTo !== 'root';
}

/** Images are installed uncompressed, and so a pattern for their names is always among the target's. */
function withImage(patterns: readonly Pattern[]): readonly Pattern[] {
    const image = imageTargetPattern(patterns);
    return patterns.some(({text}) => text === image.text) ? patterns : [...patterns, image];
}

function featuresOf({features, requisiteFeatures}: Draft): readonly string[] {
    return unique([...features, ...requisiteFeatures]);
}

function unique(names: readonly string[]): readonly string[] {
    return [...new Set(names)];
}
