// SPDX-License-Identifier: GPL-2.0-or-later
// Which version the next boot starts. systemd-boot takes the newest image that has attempts left, so
// that a version that is not to be started is one without: it is renamed, not deleted. That way
//
// - nothing is lost: any version can be started again, without a network;
// - whatever stages the next update, its image is started, since it has attempts and is the newest.
//   The boot loader's variable LoaderEntryDefault would hold on to the old one for ever;
// - systemd-sysupdate goes on counting the version as installed, and does not fetch it again.

import {compareVersions} from '../../host/versions.ts';
import {ASIDE, FRESH, type Uki, hasFailed, isExhausted, withAttempts} from './uki.ts';

/** A version that can be started. */
export interface Startable {
    readonly version: string;
    readonly uki: Uki;
}

export interface Renaming {
    readonly from: Uki;
    readonly to: Uki;
}

/** What systemd-boot starts when no variable says anything else; null: there is nothing. */
export function firstOf(startables: readonly Startable[]): Startable | null {
    const [first] = [...startables].sort(
        (one, other) =>
            Number(isExhausted(one.uki)) - Number(isExhausted(other.uki)) ||
            compareVersions(other.version, one.version),
    );
    return first ?? null;
}

/**
 * The renamings after which the next boot starts the target, in an order in which none of them
 * leaves a system that would not start.
 *
 * @param booted the version that runs
 */
export function planNextBoot(
    startables: readonly Startable[],
    target: string,
    booted: string,
): readonly Renaming[] {
    const renamings: Renaming[] = [];
    const give = ({uki}: Startable, attempts: Uki['attempts']): void => {
        renamings.push({from: uki, to: withAttempts(uki, attempts)});
    };
    for (const one of startables) {
        const isOlder = compareVersions(one.version, target) < 0;
        // What runs has proven itself, and is what to fall back to when the target fails.
        if (one.version === booted && (isOlder || one.version === target)) {
            if (isExhausted(one.uki)) give(one, null);
        } else if (one.version === target && isExhausted(one.uki)) {
            give(one, FRESH);
        }
    }
    for (const one of startables)
        if (compareVersions(one.version, target) > 0 && !isExhausted(one.uki)) give(one, ASIDE);
    return renamings;
}

/** Why the newest version is not started though it is there; null: it is, or there is no reason. */
export function failedVersion(startables: readonly Startable[], booted: string): Startable | null {
    return (
        startables.find(
            ({version, uki}) => compareVersions(version, booted) > 0 && hasFailed(uki),
        ) ?? null
    );
}
