// SPDX-License-Identifier: GPL-2.0-or-later
// Builders of what the service tells.
import type {Feature, Interfaces, Job} from '../../../extension/src/snow-objects.ts';
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
