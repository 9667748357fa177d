// SPDX-License-Identifier: GPL-2.0-or-later
import {enumeration} from '../text.ts';
import {byteText} from '../units.ts';
import type {Facts} from './facts.ts';
import {diagnoseImage} from './image-checks.ts';
import {diagnoseIntune} from './intune-checks.ts';

export interface Finding {
    /** A problem keeps something from working; a note may be as it was meant. */
    readonly severity: 'problem' | 'note';
    readonly check: CheckName;
    /** What is wrong, a sentence. */
    readonly message: string;
    /** What to do about it, a sentence. */
    readonly advice: string;
}

export type CheckName =
    | 'definitions'
    | 'features'
    | 'merged'
    | 'keyring'
    | 'programs'
    | 'boot'
    | 'leftovers'
    | 'space'
    | 'installation'
    | 'automatic'
    | 'links'
    | 'image'
    | 'intune';

type Check = (facts: Facts) => readonly Omit<Finding, 'check'>[];

/** Bytes below which an extension of usual size does not fit. */
const LOW_SPACE = 1e9;

const checkDefinitions: Check = ({definitionProblems}) =>
    definitionProblems.map(message =>
        problem(message, 'Correct the file, or tell those who maintain it.'),
    );

const checkFeatures: Check = ({features}) =>
    features
        .filter(({Problem}) => Problem !== '')
        .map(({id, Problem}) =>
            problem(`${id}: ${Problem}`, `"snowctl features show ${id}" says more.`),
        );

const checkMerged: Check = ({features, isOffline}) =>
    features
        .filter(({Enabled, Problem}) => Enabled && Problem === '')
        .flatMap(({id, Installed, Active}) => {
            if (Installed === '')
                return problem(
                    `${id} is enabled, but not installed.`,
                    `Run "snowctl features update ${id}".`,
                );
            if (isOffline || Active === Installed) return [];
            return Active === ''
                ? problem(
                      `${id} ${Installed} is installed, but not merged.`,
                      `Restart, or run "snowctl features update ${id}".`,
                  )
                : note(
                      `${id} ${Installed} is installed, but ${Active} is still in use.`,
                      'Restart to use the new version.',
                  );
        });

const checkKeyring: Check = ({needsKeys, keyrings}) =>
    needsKeys && keyrings.length === 0
        ? [
              problem(
                  'There is no key that signatures of repositories could be verified with.',
                  'Put the public keys of the repositories into /etc/systemd/import-pubring.pgp.',
              ),
          ]
        : [];

const checkPrograms: Check = ({missingPrograms}) =>
    missingPrograms.map(({names, package: name, purpose}) =>
        problem(`${names.join(' or ')} is missing: ${purpose}.`, `Install the package ${name}.`),
    );

const checkBoot: Check = ({isSysextEnabled, features}) =>
    !isSysextEnabled && features.some(({Enabled}) => Enabled)
        ? [
              problem(
                  'Extensions are not merged when the system starts: systemd-sysext.service is off.',
                  'Run "systemctl enable systemd-sysext.service".',
              ),
          ]
        : [];

const checkLeftovers: Check = ({leftovers}) =>
    leftovers.length === 0
        ? []
        : [
              note(
                  `A run was interrupted and left ${enumeration(leftovers)}.`,
                  'The next change cleans up by itself.',
              ),
          ];

const checkSpace: Check = ({space}) =>
    space
        .filter(({freeBytes}) => freeBytes < LOW_SPACE)
        .map(({path, freeBytes}) =>
            problem(
                `Only ${byteText(freeBytes)} are left for ${path}.`,
                'Make room, or disable what you do not need.',
            ),
        );

const checkInstallation: Check = ({missingFiles, isOffline}) =>
    missingFiles.length === 0
        ? []
        : [
              (isOffline ? note : problem)(
                  `Snow Control is not installed completely: ${enumeration(missingFiles)} ${missingFiles.length === 1 ? 'is' : 'are'} missing.`,
                  'Install Snow Control again.',
              ),
          ];

const checkAutomatic: Check = ({isAutomatic, features}) =>
    isAutomatic && !features.some(({Enabled}) => Enabled)
        ? [
              note(
                  'Automatic updates are on, but nothing is enabled that they could update.',
                  'Run "snowctl features auto off" if you do not need them.',
              ),
          ]
        : [];

/** One image under two names, or two images under one: systemd-sysext takes what it finds first. */
const checkLinks: Check = ({extensions}) => [
    ...extensions
        .filter(({image}) => image === null)
        .map(({path}) => problem(`${path} leads nowhere.`, `Remove it: rm ${path}`)),
    ...groups(extensions, ({image}) => image).map(paths =>
        problem(
            `${enumeration(paths)} are the same image, which is merged twice.`,
            'Remove all but one of them.',
        ),
    ),
    ...groups(extensions, ({path}) => path.replace(/^.*\//, '').replace(/\.raw$/, '')).map(paths =>
        problem(
            `${enumeration(paths)} have the same name; only the first one is merged.`,
            'Remove all but one of them.',
        ),
    ),
];

const checks: Readonly<Record<CheckName, Check>> = {
    definitions: checkDefinitions,
    features: checkFeatures,
    merged: checkMerged,
    keyring: checkKeyring,
    programs: checkPrograms,
    boot: checkBoot,
    leftovers: checkLeftovers,
    space: checkSpace,
    installation: checkInstallation,
    automatic: checkAutomatic,
    links: checkLinks,
    image: ({image}) => diagnoseImage(image),
    intune: ({intune}) => diagnoseIntune(intune),
};

/** All that is wrong by these facts, problems first. */
export function diagnose(facts: Facts): readonly Finding[] {
    const findings = (Object.keys(checks) as CheckName[]).flatMap(check =>
        checks[check](facts).map(finding => ({...finding, check})),
    );
    return [
        ...findings.filter(({severity}) => severity === 'problem'),
        ...findings.filter(({severity}) => severity === 'note'),
    ];
}

function problem(message: string, advice: string): Omit<Finding, 'check'> {
    return {severity: 'problem', message, advice};
}

function note(message: string, advice: string): Omit<Finding, 'check'> {
    return {severity: 'note', message, advice};
}

/** Paths of the entries that share a key, where there are several. */
function groups(
    extensions: Facts['extensions'],
    keyOf: (entry: Facts['extensions'][number]) => string | null,
): readonly (readonly string[])[] {
    const found = new Map<string, string[]>();
    for (const entry of extensions) {
        const key = keyOf(entry);
        if (key !== null) found.set(key, [...(found.get(key) ?? []), entry.path]);
    }
    return [...found.values()].filter(paths => paths.length > 1);
}
