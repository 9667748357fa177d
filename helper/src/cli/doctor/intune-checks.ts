// SPDX-License-Identifier: GPL-2.0-or-later
import {enumeration} from '../text.ts';
import type {Finding} from './checks.ts';
import type {ContainerFacts, IntuneFacts} from './intune-facts.ts';

type IntuneFinding = Omit<Finding, 'check'>;

/** The kernel that ID-maps mounts of ext4 and xfs; btrfs has followed with 5.15. */
const KERNEL = [5, 12] as const;
/** File systems whose mounts the kernel does not ID-map. */
const NOT_MAPPED = /^(overlay|nfs4?|cifs|smb3|9p|afs|autofs|ecryptfs|fuse(\..*)?|fuseblk)$/;

/** What is wrong with containers; where there is none, only what would keep one from being made. */
export function diagnoseIntune(facts: IntuneFacts | null): readonly IntuneFinding[] {
    if (!facts) return [];
    const {containers} = facts;
    // Who has no container may not want one.
    const severity = containers.length > 0 ? 'problem' : 'note';
    const means = (message: string, advice: string): IntuneFinding => ({severity, message, advice});
    return [
        ...checkMachine(facts, means),
        ...facts.settingProblems.map(text =>
            problem(`${text}.`, 'Correct the line, which counts for nothing now.'),
        ),
        ...containers.flatMap(container => checkContainer(container, containers.length > 1)),
    ];
}

function checkMachine(
    {tools, hasNspawn, kernel, fileSystems, missingFiles}: IntuneFacts,
    means: (message: string, advice: string) => IntuneFinding,
): readonly IntuneFinding[] {
    const has = (...names: readonly string[]): boolean => names.every(name => tools.includes(name));
    const [major = 0, minor = 0] = kernel.split('.').map(part => Number.parseInt(part, 10));
    const isOld = major < KERNEL[0] || (major === KERNEL[0] && minor < KERNEL[1]);
    const findings: IntuneFinding[] = [];
    if (!hasNspawn)
        findings.push(
            means(
                'Intune: systemd-nspawn is missing, which containers are run with.',
                'Install the package systemd-container.',
            ),
        );
    if (!has('skopeo', 'umoci'))
        findings.push(
            has('podman') || has('docker')
                ? note(
                      `Intune: images are fetched with ${has('podman') ? 'podman' : 'docker'}, which keeps a copy of its own meanwhile.`,
                      'Install the packages skopeo and umoci, which need less space and time.',
                  )
                : means(
                      'Intune: there is no program that images are fetched with.',
                      'Install the packages skopeo and umoci.',
                  ),
        );
    if (kernel !== '' && isOld)
        findings.push(
            means(
                `Intune: the kernel ${kernel} cannot ID-map mounts.`,
                `Start one from ${KERNEL.join('.')} on.`,
            ),
        );
    for (const {path, type} of fileSystems)
        if (NOT_MAPPED.test(type))
            findings.push(
                means(
                    `Intune: ${path} is on ${type}, which the kernel cannot ID-map for a container.`,
                    'Have it on ext4, xfs or btrfs.',
                ),
            );
    if (missingFiles.length > 0)
        findings.push(
            means(
                `Intune: ${enumeration(missingFiles)} ${missingFiles.length === 1 ? 'is' : 'are'} missing.`,
                'Install Snow Control again.',
            ),
        );
    return findings;
}

function checkContainer(
    {uid, state, failure, inspection}: ContainerFacts,
    isOneOfMany: boolean,
): readonly IntuneFinding[] {
    const name = isOneOfMany ? `Intune of user ${uid}` : 'Intune';
    if (!state)
        return [
            problem(
                `${name}: the state of the container cannot be read${failure && `: ${failure}`}.`,
                '"journalctl -u snowd" says more.',
            ),
        ];
    return [
        ...(state.problem === ''
            ? []
            : [problem(`${name}: ${state.problem}.`, '"snowctl intune status" says more.')]),
        ...(inspection?.problems ?? []).map(found =>
            problem(`${name}: ${found.problem}.`, `${found.remedy}.`),
        ),
        ...(state.newestDigest === ''
            ? []
            : [
                  note(
                      `${name}: there is a newer image.`,
                      'Run "snowctl intune recreate" to make the container anew from it.',
                  ),
              ]),
    ];
}

function problem(message: string, advice: string): IntuneFinding {
    return {severity: 'problem', message, advice};
}

function note(message: string, advice: string): IntuneFinding {
    return {severity: 'note', message, advice};
}
