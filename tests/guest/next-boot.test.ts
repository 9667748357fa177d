// SPDX-License-Identifier: GPL-2.0-or-later
// The extensions of a real system whose OS image changes from Debian 13 to 14 and back: real images,
// real boots, the real systemd-sysext of Debian 13 and the newest one, and our unit before it.
import {copyFile, mkdtemp, rename, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {execa} from 'execa';
import {afterAll, beforeAll, describe, expect, test} from 'vitest';

import type {ExtensionOutlook} from '../../helper/src/host/domain.ts';
import {bundle} from '../bus/harness/bundle.ts';
import {builtExtensions} from '../lab/extensions.ts';
import {imageFileName} from '../lab/images.ts';
import {componentDirectory} from '../lab/publication.ts';
import {SnowGuest, imageName} from './support/snow-guest.ts';

const PROGRAM = '/run/lab/next-boot.cjs';
const RECORD = '/var/lib/snow-control/next-boot.json';
const UNIT = 'snow-features-next-boot.service';
const NEXT = '/run/snow-control/next-system/os-release';

function osRelease(version: string): string {
    return `PRETTY_NAME="Debian GNU/Linux ${version}"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="${version}"\n`;
}

describe.each(['desktop', 'peer'] as const)(
    'on the tree %s, extensions follow the OS image',
    tree => {
        let snow: SnowGuest;
        let work: string;

        beforeAll(async () => {
            work = await mkdtemp(join(tmpdir(), 'next-boot-'));
            snow = await SnowGuest.boot(tree, {
                components: [{name: 'podman'}, {name: 'figlet'}, {name: 'jq'}],
                files: {'/usr/lib/os-release': osRelease('13')},
            });
            await snow.offer('podman', ['5.4.0', '5.4.2']);
            await snow.offer('figlet', ['1.0']);
            await snow.offer('jq', ['1.7']);
            for (const [name, version] of [
                ['podman', '5.4.2'],
                ['figlet', '1.0'],
            ] as const) {
                await makeFourteen(name, version);
                await snow.publish(name);
            }
        }, 300_000);
        afterAll(async () => {
            await snow?.[Symbol.asyncDispose]();
            await rm(work, {recursive: true, force: true});
        });

        /** The same extension of Debian 14: its files, and a release that says so. */
        async function makeFourteen(name: string, version: string): Promise<void> {
            const [built, raw] = [join(await builtExtensions(), name), join(work, 'image.raw')];
            const tree = join(work, 'tree');
            await execa('zstd', [
                '-dqf',
                join(built, `${imageName(name, version)}.zst`),
                '-o',
                raw,
            ]);
            await rm(tree, {recursive: true, force: true});
            await execa('fsck.erofs', [`--extract=${tree}`, raw]);
            const release = join(tree, `usr/lib/extension-release.d/extension-release.${name}`);
            await writeFile(release, `ID=debian\nVERSION_ID=14\nARCHITECTURE=x86-64\n`);
            await writeFile(join(tree, `usr/share/snow-lab/${name}.version`), `${version} of 14\n`);
            await rm(raw);
            await execa('mkfs.erofs', ['--quiet', raw, tree]);
            await execa('zstd', ['-q', '-1', '-T0', '--rm', raw]);
            const target = join(
                componentDirectory(snow.directory, name),
                imageFileName(name, version, 'zst', '14'),
            );
            await rename(`${raw}.zst`, target).catch(() => copyFile(`${raw}.zst`, target));
        }

        async function ask(
            verb: 'fetch' | 'assess',
            version: string,
        ): Promise<readonly ExtensionOutlook[]> {
            await snow.guest.copyIn(
                await bundle('tests/guest/support/next-boot-program.ts', work),
                PROGRAM,
            );
            await snow.guest.putFile(NEXT, osRelease(version));
            const text = await snow.guest.check(['node', PROGRAM, verb, NEXT], {timeout: 120_000});
            return JSON.parse(text) as readonly ExtensionOutlook[];
        }

        /** Restarts into another OS image. */
        async function bootInto(version: string): Promise<void> {
            await snow.guest.putVendorFile('/usr/lib/os-release', osRelease(version));
            await snow.reboot();
            expect(
                await snow.guest.check(['sh', '-c', '. /etc/os-release; echo $VERSION_ID']),
            ).toBe(`${version}\n`);
        }

        async function versionInUse(name: string): Promise<string> {
            const {stdout} = await snow.guest.run(['cat', `/usr/share/snow-lab/${name}.version`]);
            return stdout.trim();
        }

        async function isThere(path: string): Promise<boolean> {
            return (await snow.guest.run(['test', '-e', path])).exitCode === 0;
        }

        test('to the next one: what fits is fetched, and what does not is told', async () => {
            await snow.ok('features enable podman figlet jq');
            expect(await ask('fetch', '14')).toEqual([
                {feature: 'figlet', state: 'ready', version: '1.0', text: ''},
                {
                    feature: 'jq',
                    state: 'missing',
                    version: '',
                    text: 'jq has no version for debian 14',
                },
                {feature: 'podman', state: 'ready', version: '5.4.2', text: ''},
            ]);
            expect(await versionInUse('podman')).toBe('5.4.2');
            expect(await snow.merged()).toEqual(['figlet', 'jq', 'podman']);
            expect((await ask('assess', '14')).map(({state}) => state)).toEqual([
                'ready',
                'missing',
                'ready',
            ]);
        });

        test('at boot, before systemd-sysext merges', async () => {
            await bootInto('14');
            expect(await snow.merged()).toEqual(['figlet', 'podman']);
            expect(await versionInUse('podman')).toBe('5.4.2 of 14');
            expect(await snow.guest.check(['figlet', 'x'])).not.toBe('');
            // Debian 13's libraries, which the other tree has not
            if (tree === 'desktop') await snow.guest.check(['podman', '--version']);
            expect(await snow.guest.journal(UNIT)).toContain(
                'Linked for this OS image: figlet, podman',
            );
            const times = await snow.guest.check(
                `systemctl show -P ExecMainExitTimestampMonotonic ${UNIT} &&
             systemctl show -P ExecMainStartTimestampMonotonic systemd-sysext.service &&
             systemctl is-system-running`,
            );
            const [end = 0, start = 0] = times.split('\n').map(Number);
            expect(end).toBeGreaterThan(0);
            expect(start).toBeGreaterThan(end);
            expect(times).toContain('running');
        });

        test('and are kept for both while either may be booted', async () => {
            await snow.ok('features update figlet');
            const images = await snow.guest.check(['ls', '/var/lib/extensions.d']);
            for (const name of ['podman_5.4.2', 'figlet_1.0']) {
                expect(images).toContain(`${name}_13_x86-64.raw`);
                expect(images).toContain(`${name}_14_x86-64.raw`);
            }
            expect((await snow.feature('podman')).problem).toBe('');
            expect((await snow.feature('jq')).problem).not.toBe('');
        });

        test('back when the OS is rolled back', async () => {
            await bootInto('13');
            expect(await snow.merged()).toEqual(['figlet', 'jq', 'podman']);
            expect(await versionInUse('podman')).toBe('5.4.2');
            await bootInto('14');
            expect(await versionInUse('podman')).toBe('5.4.2 of 14');
            await bootInto('13');
            expect(await versionInUse('podman')).toBe('5.4.2');
        });

        test('when the record is broken, the boot goes on, and the next operation helps', async () => {
            await snow.guest.putFile(RECORD, '{"format": 1, "current"');
            await bootInto('14');
            expect(await snow.merged()).toEqual([]);
            expect(await snow.guest.journal(UNIT)).toMatch(/stay linked as they were: .*malformed/);
            expect((await snow.guest.run(['systemctl', 'is-system-running'])).stdout).toBe(
                'running\n',
            );
            await snow.snowctl('features update podman figlet');
            expect(await snow.merged()).toEqual(['figlet', 'podman']);
            expect(await isThere(RECORD)).toBe(false);
        });

        test('when it takes too long, the boot goes on', async () => {
            const dropIn = `/etc/systemd/system/${UNIT}.d/slow.conf`;
            await snow.guest.putFile(
                dropIn,
                '[Service]\nTimeoutStartSec=1s\nExecStart=\nExecStart=/usr/bin/sleep 60\n',
            );
            await snow.guest.putFile(RECORD, '{}');
            await snow.repository.close();
            await expect(snow.guest.reboot()).rejects.toThrow(UNIT);
            expect(await snow.merged()).toEqual(['figlet', 'podman']);
            await snow.guest.check(['rm', dropIn, RECORD]);
            await snow.guest.reboot();
            await snow.serve();
        });

        test('and cost the boot nothing where there is one system only', async () => {
            await bootInto('14');
            const state = await snow.guest.check(`systemctl show -P ConditionResult ${UNIT}`);
            expect(state).toBe('no\n');
        });

        test('also those that are turned on once the image is staged', async () => {
            await snow.ok('features disable podman figlet jq');
            await bootInto('13');
            await ask('assess', '14');
            const {stdout, stderr} = await snow.snowctl('features enable figlet jq');
            expect(`${stdout}${stderr}`).toContain(
                'After the next boot, jq will not be merged: jq has no version for debian 14',
            );
            expect(await snow.merged()).toEqual(['figlet', 'jq']);
            await bootInto('14');
            expect(await snow.merged()).toEqual(['figlet']);
            await bootInto('13');
            expect(await snow.merged()).toEqual(['figlet', 'jq']);
        });
    },
);
