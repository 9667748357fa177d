// SPDX-License-Identifier: GPL-2.0-or-later
// Builders of what the service tells.
import type {ImageProperties} from '../../../extension/src/generated/dbus.ts';
import type {Feature, Interfaces, Job, Values} from '../../../extension/src/snow-objects.ts';
import {
    FEATURE,
    FEATURES,
    FEATURES_PATH,
    JOB,
    featurePath,
} from '../../../extension/src/snow-objects.ts';

export function feature(name: string, values: Partial<Feature> = {}): Feature {
    return {
        path: featurePath(name),
        Name: name,
        Description: `The ${name} extension`,
        Documentation: '',
        Enabled: false,
        Installed: '',
        Newest: '',
        Versions: [],
        Active: '',
        Component: name,
        Origin: `/usr/lib/sysupdate.${name}.d/${name}.feature`,
        Problem: '',
        ...values,
    };
}

/** A feature that is on, with its version merged. */
export function activeFeature(
    name: string,
    version: string,
    values: Partial<Feature> = {},
): Feature {
    return feature(name, {
        Enabled: true,
        Installed: version,
        Active: version,
        Newest: version,
        Versions: [version],
        ...values,
    });
}

export function job(number: number, values: Partial<Job> = {}): Job {
    return {
        path: `/org/frostyard/Snow1/Jobs/${number}`,
        Operation: 'features.enable',
        Target: 'podman',
        Step: 'Downloading podman 5.4.2',
        Progress: 0.5,
        BytesDone: 0,
        BytesTotal: 0,
        StartedByUID: 1000,
        State: 'running',
        Error: ['', ''],
        ...values,
    };
}

/** What bootc can do, with nothing to be done. */
export function image(values: Partial<ImageProperties> = {}): ImageProperties {
    return {
        Driver: 'bootc',
        Followed: 'ghcr.io/frostyard/snow:latest',
        Booted: deployment('20261105'),
        Staged: {},
        Rollback: deployment('20261029'),
        RollbackQueued: false,
        Downloaded: {},
        Available: {},
        Channels: [
            {name: 'snow', title: 'Snow', description: '', image: 'x/snow', followed: true},
            {name: 'cayo', title: 'Cayo', description: '', image: 'x/cayo', followed: false},
        ],
        Capabilities: ['check', 'update', 'download-only', 'switch', 'rollback', 'unstage'],
        Extensions: [],
        RestartNeeded: false,
        LastCheck: 1700000000,
        LastOutcome: 'current',
        Problem: '',
        ...values,
    };
}

export function deployment(version: string, values: Values = {}): Values {
    return {
        version,
        image: 'ghcr.io/frostyard/snow:latest',
        digest: `sha256:${version}`,
        timestamp: 1700000000,
        ...values,
    };
}

/** The answer to GetManagedObjects. */
export function managedObjects(
    features: readonly Feature[],
    jobs: readonly Job[] = [],
): Record<string, Interfaces> {
    return Object.fromEntries<Interfaces>([
        [FEATURES_PATH, {[FEATURES]: {LastCheck: 1700000000, Automatic: true, Problem: ''}}],
        ...features.map(({path, ...values}) => [path, {[FEATURE]: values}] as const),
        ...jobs.map(({path, ...values}) => [path, {[JOB]: values}] as const),
    ]);
}
