// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {
    incompatibility,
    readExtensionRelease,
    readStagedOsRelease,
    readStagedSystem,
} from '../../../helper/src/features/compatibility.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {parseRelease} from '../../../helper/src/host/os-release.ts';
import {writeTree} from '../../lab/definitions.ts';
import {makeImage} from '../../lab/images.ts';

const trixie = {ID: 'debian', VERSION_ID: '13'};

describe('an extension', () => {
    it.each([
        [trixie],
        [{ID: '_any'}],
        [{...trixie, ARCHITECTURE: 'x86-64'}],
        [{...trixie, ARCHITECTURE: '_any'}],
    ])('with %o fits Debian 13', release => {
        expect(incompatibility(release, trixie, 'x86-64')).toBeNull();
    });

    it.each([
        [{}, /unnamed/],
        [{ID: 'fedora', VERSION_ID: '13'}, /fedora.*debian 13/],
        [{ID: 'debian'}, /no version/],
        [{ID: 'debian', VERSION_ID: '12'}, /debian 12.*debian 13/],
        [{...trixie, ARCHITECTURE: 'arm64'}, /arm64.*x86-64/],
        [{ID: '_any', ARCHITECTURE: 'arm64'}, /arm64/],
    ])('with %o does not', (release, why) => {
        expect(incompatibility(release, trixie, 'x86-64')).toMatch(why);
    });

    it('is compared by its level before its version', () => {
        const os = {...trixie, SYSEXT_LEVEL: '2'};
        expect(incompatibility({ID: 'debian', SYSEXT_LEVEL: '2'}, os, '')).toBeNull();
        expect(incompatibility({...trixie, SYSEXT_LEVEL: '1'}, os, '')).toMatch(/level 1/);
        expect(incompatibility(trixie, os, '')).toBeNull();
    });

    it('needs no version where the system has none', () => {
        expect(incompatibility({ID: 'arch'}, {ID: 'arch'}, '')).toBeNull();
    });
});

it('reads quoted values', () => {
    expect(parseRelease('ID="debian"\n# no\nNAME=\'a b\'\nX="\\$5"\nbad line\n')).toEqual({
        ID: 'debian',
        NAME: 'a b',
        X: '$5',
    });
});

describe('in a tree', () => {
    let root: string;

    beforeEach(async () => {
        root = await mkdtemp(join(tmpdir(), 'snow-compatibility-'));
    });
    afterEach(() => rm(root, {recursive: true, force: true}));

    // The guests' extensions are erofs, which Debian 12 can look into as root only.
    it('looks into an image of any name', async () => {
        const [path = ''] = await makeImage(root, {name: 'hello', version: '1'}, ['raw']);
        const host = localHost(root);
        const image = path.slice(root.length);
        expect(await readExtensionRelease(host, image, 'hello')).toMatchObject({ID: 'debian'});
        await expect(readExtensionRelease(host, image, 'other')).rejects.toMatchObject({
            code: 'VerificationFailed',
        });
    });

    it('does without systemd-dissect', async () => {
        const host = localHost(root);
        const isInstalled = (name: string) => Promise.resolve(name !== 'systemd-dissect');
        const less = {...host, programs: {...host.programs, isInstalled}};
        const [path = ''] = await makeImage(root, {name: 'hello', version: '1'}, ['raw']);
        const image = path.slice(root.length);
        expect(await readExtensionRelease(less, image, 'hello')).toMatchObject(trixie);
        await expect(readExtensionRelease(less, image, 'other')).rejects.toMatchObject({
            code: 'VerificationFailed',
        });
    });

    it('says nothing of an image that no program can look into', async () => {
        const host = localHost(root);
        const programs = {...host.programs, isInstalled: () => Promise.resolve(false)};
        await makeImage(root, {name: 'hello', version: '1'}, ['raw']);
        expect(
            await readExtensionRelease({...host, programs}, '/hello_1_13_x86-64.raw', 'hello'),
        ).toBeNull();
    });

    it('knows what was left of an image that nobody else can look into', async () => {
        const host = localHost(root);
        const directory = '/run/snow-control/next-system';
        await writeTree(root, {[`${directory}/os-release`]: 'ID="debian"\nVERSION_ID="14"\n'});
        const release = {ID: 'debian', VERSION_ID: '14'};
        expect(await readStagedSystem(host)).toEqual({release, tree: null});
        for (const [text, tree] of [
            ['{"tree": "/mnt"}', '/mnt'],
            ['{"tree": null}', null],
            ['{"tree": "mnt"}', null],
            ['{', null],
        ] as const) {
            await writeTree(root, {[`${directory}/image.json`]: text});
            expect(await readStagedSystem(host)).toEqual({release, tree});
        }
    });

    it('knows the image that is staged for the next boot', async () => {
        const host = localHost(root);
        const old = '/ostree/deploy/snow/deploy/abc.0/usr/lib/os-release';
        await writeTree(root, {[old]: 'ID=debian\nVERSION_ID=13\n'});
        expect(await readStagedOsRelease(host)).toBeNull();
        await new Promise(resolve => setTimeout(resolve, 20));
        await writeTree(root, {
            '/ostree/deploy/snow/deploy/def.0/usr/lib/os-release': 'ID=debian\nVERSION_ID=14\n',
            '/run/ostree/staged-deployment': '',
        });
        expect(await readStagedOsRelease(host)).toMatchObject({VERSION_ID: '14'});
    });
});
