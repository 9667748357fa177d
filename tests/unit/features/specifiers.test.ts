// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';

import fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';

import {type MachineFacts, readMachineFacts} from '../../../helper/src/features/machine-facts.ts';
import {expandSpecifiers} from '../../../helper/src/features/specifiers.ts';
import {SnowError} from '../../../helper/src/host/error.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';

const facts: MachineFacts = {
    architecture: 'x86-64',
    osRelease: {
        ID: 'debian',
        VERSION_ID: '13',
        IMAGE_ID: 'snow',
        IMAGE_VERSION: '20250601120000',
        BUILD_ID: 'b7',
        VARIANT_ID: 'desktop',
    },
    bootId: '0'.repeat(32),
    machineId: '1'.repeat(32),
    hostName: 'flake.example.org',
    prettyHostName: 'The Flake',
    kernelRelease: '6.12.30-amd64',
    temporaryDirectory: '/tmp',
    largeTemporaryDirectory: '/var/tmp',
};

describe('expandSpecifiers', () => {
    test.each([
        ['%a', 'x86-64'],
        ['%A', '20250601120000'],
        ['%b', '0'.repeat(32)],
        ['%B', 'b7'],
        ['%H', 'flake.example.org'],
        ['%l', 'flake'],
        ['%m', '1'.repeat(32)],
        ['%M', 'snow'],
        ['%o', 'debian'],
        ['%q', 'The Flake'],
        ['%T', '/tmp'],
        ['%v', '6.12.30-amd64'],
        ['%V', '/var/tmp'],
        ['%w', '13'],
        ['%W', 'desktop'],
        ['%%', '%'],
        ['docker_@v_%w_%a.raw', 'docker_@v_13_x86-64.raw'],
        ['%%a%%%a', '%a%x86-64'],
        ['100% of %-', '100% of %-'],
        ['stray %', 'stray %'],
    ])('%s is %s', (text, expanded) => {
        expect(expandSpecifiers(text, facts)).toBe(expanded);
    });

    test.each(['%z', '%S', '%1', 'a%%%n'])('refuses %s, which no one knows', text => {
        expect(() => expandSpecifiers(text, facts)).toThrow(/^Unknown specifier/);
    });

    test('a field that os-release does not set is empty', () => {
        expect(expandSpecifiers('[%A%B%w]', {...facts, osRelease: {ID: 'debian'}})).toBe('[]');
    });

    test('refuses what the machine does not say', () => {
        expect(() => expandSpecifiers('%w', {...facts, osRelease: null})).toThrow('os-release');
        expect(() => expandSpecifiers('%b', {...facts, bootId: null})).toThrow('boot ID');
    });

    test('does not look at what it put in', () => {
        const osRelease = {IMAGE_VERSION: '%a'};
        expect(expandSpecifiers('%A', {...facts, osRelease})).toBe('%a');
    });

    test('either expands a text or says why not', () => {
        fc.assert(
            fc.property(fc.string({unit: fc.constantFrom(...'%%aAzZ@ä')}), text => {
                try {
                    expect(typeof expandSpecifiers(text, facts)).toBe('string');
                } catch (error) {
                    expect(error).toBeInstanceOf(SnowError);
                }
            }),
        );
    });
});

describe('readMachineFacts', () => {
    let root = '';

    beforeEach(async () => {
        root = await mkdtemp(join(tmpdir(), 'snow-facts-'));
    });

    afterEach(async () => {
        vi.unstubAllEnvs();
        await rm(root, {recursive: true});
    });

    async function write(path: string, content: string): Promise<void> {
        await mkdir(dirname(join(root, path)), {recursive: true});
        await writeFile(join(root, path), content);
    }

    test('reads an offline tree, and nothing of the running system', async () => {
        vi.stubEnv('TMPDIR', '/elsewhere');
        await write('/usr/lib/os-release', 'ID=debian\nVERSION_ID="13"\n');
        await write('/etc/machine-id', `${'ab'.repeat(16)}\n`);
        const found = await readMachineFacts(localHost(root));
        expect(found).toMatchObject({
            osRelease: {ID: 'debian', VERSION_ID: '13'},
            machineId: 'ab'.repeat(16),
            bootId: null,
            hostName: null,
            kernelRelease: null,
            temporaryDirectory: '/tmp',
            largeTemporaryDirectory: '/var/tmp',
        });
    });

    test("the administrator's os-release comes before the vendor's", async () => {
        await write('/usr/lib/os-release', 'VERSION_ID=13\nIMAGE_ID=snow\n');
        await write('/etc/os-release', 'VERSION_ID=14\n');
        const {osRelease} = await readMachineFacts(localHost(root));
        expect(osRelease).toEqual({VERSION_ID: '14'});
    });

    test('an empty tree has neither os-release nor machine ID', async () => {
        await write('/etc/machine-id', 'uninitialized\n');
        const found = await readMachineFacts(localHost(root));
        expect(found.osRelease).toBeNull();
        expect(found.machineId).toBeNull();
    });

    test('knows the running system', async () => {
        vi.stubEnv('TMPDIR', '/elsewhere/');
        const found = await readMachineFacts(localHost());
        expect(found.bootId).toMatch(/^[0-9a-f]{32}$/);
        expect(found.kernelRelease).toMatch(/^[0-9]+\.[0-9]+/);
        expect(found.hostName).not.toBeNull();
        expect(found.temporaryDirectory).toBe('/elsewhere');
    });
});
