// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, test} from 'vitest';

import {
    FEATURE,
    IMAGE,
    IMAGE_PATH,
    JOB,
    SnowObjects,
    VANISHED,
    domainOf,
    featurePath,
} from '../../../extension/src/snow-objects.ts';
import {activeFeature, feature, image, job, managedObjects} from './objects.ts';

function show(...args: Parameters<typeof managedObjects>): SnowObjects {
    const objects = new SnowObjects();
    objects.replace(managedObjects(...args));
    return objects;
}

test('lists the features by name, whatever their order on the bus', () => {
    const objects = show([feature('zfs'), feature('1password'), feature('Docker')]);
    expect(objects.features.map(({Name}) => Name)).toEqual(['1password', 'Docker', 'zfs']);
});

test('knows nothing before it was told', () => {
    const objects = new SnowObjects();
    expect([objects.features, objects.jobs, objects.summary, objects.version]).toEqual([
        [],
        [],
        null,
        '',
    ]);
});

test('takes changed properties and keeps the others', () => {
    const objects = show([feature('podman')]);
    expect(objects.change(featurePath('podman'), FEATURE, {Enabled: true, Active: '5.4.2'})).toBe(
        true,
    );
    expect(objects.features[0]).toEqual(feature('podman', {Enabled: true, Active: '5.4.2'}));
});

test('says that it is out of date when an unknown object changes', () => {
    expect(show([]).change(featurePath('podman'), FEATURE, {Enabled: true})).toBe(false);
});

test('adds and removes objects', () => {
    const objects = show([]);
    const {path, ...values} = job(3);
    objects.add(path, {[JOB]: values});
    expect(objects.job(path)).toEqual(job(3));
    objects.remove(path, [JOB]);
    expect(objects.job(path)).toBeNull();
});

test('orders jobs by their number', () => {
    const objects = show([], [job(10), job(9), job(1)]);
    expect(objects.jobs.map(({path}) => path.split('/').at(-1))).toEqual(['1', '9', '10']);
});

test('fails the running jobs of a service that went away, and no others', () => {
    const objects = show([activeFeature('docker', '27')], [job(1, {State: 'done'}), job(2)]);
    const failed = job(2, {State: 'failed', Error: [VANISHED, 'It stopped']});
    expect(objects.abandonJobs('It stopped')).toEqual([failed]);
    expect(objects.jobs).toEqual([job(1, {State: 'done'}), failed]);
    expect(objects.features).toHaveLength(1);
});

test('puts a default in the place of what a service of another version does not tell', () => {
    const objects = new SnowObjects();
    objects.replace({[featurePath('podman')]: {[FEATURE]: {Name: 'podman', Enabled: 'yes'}}});
    expect(objects.features[0]).toMatchObject({Name: 'podman', Enabled: false, Versions: []});
});

test('knows an image where a driver manages it, and none where there is no driver', () => {
    const objects = show([]);
    expect(objects.image).toBeNull();
    objects.add(IMAGE_PATH, {[IMAGE]: {...image()}});
    expect(objects.image).toEqual(image());
    objects.change(IMAGE_PATH, IMAGE, {Driver: ''});
    expect(objects.image).toBeNull();
});

test.each([
    ['features.enable', 'features'],
    ['image.update', 'image'],
])('takes %s for work on the %s', (operation, domain) => {
    expect(domainOf(operation)).toBe(domain);
});

test.each([
    ['podman', 'podman'],
    ['code-server', 'code_2dserver'],
    ['1password', '_31password'],
    ['dev/docker', 'dev_2fdocker'],
    ['', '_'],
])('escapes the name %j in a path as %s', (name, escaped) => {
    expect(featurePath(name)).toBe(`/org/frostyard/Snow1/Features/${escaped}`);
});
