// SPDX-License-Identifier: GPL-2.0-or-later
// The extensions of a machine whose OS is staged, booted and rolled back.
import {copyFile, mkdir, readdir, rm, symlink} from 'node:fs/promises';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {followAtBoot} from '../../../helper/src/features/boot.ts';
import {extensionsOfNextBoot} from '../../../helper/src/features/next-boot.ts';
import {NEXT_BOOT_RECORD} from '../../../helper/src/features/next-boot-record.ts';
import {featuresDomain} from '../../../helper/src/features/object.ts';
import {
    disable,
    enable,
    recover,
    rollback,
    update,
} from '../../../helper/src/features/operations.ts';
import {readFeatures} from '../../../helper/src/features/state.ts';
import type {ExtensionOutlook, StagedSystem} from '../../../helper/src/host/domain.ts';
import {definitionFiles} from '../../lab/definitions.ts';
import {type FakeImage, imageFileName, makeImage} from '../../lab/images.ts';
import {componentDirectory, publish} from '../../lab/publication.ts';
import {type Machine, makeMachine, quiet, unstopped} from './machine.ts';
import {refreshTree} from './sysext-tree.ts';

const IMAGES = '/var/lib/extensions.d';
const NEXT_RELEASE = '/run/snow-control/next-system/os-release';

let machine: Machine;

beforeEach(async () => {
    machine = await makeMachine();
});
afterEach(() => machine.dispose());

function osRelease(version: string, image = ''): string {
    return `ID=debian\nVERSION_ID=${version}\n${image && `IMAGE_VERSION=${image}\n`}`;
}

function system(version: string, tree: string | null = null): StagedSystem {
    return {release: {ID: 'debian', VERSION_ID: version}, tree};
}

/** Images of Debian 13 and 14. */
function both(name: string, version: string): readonly FakeImage[] {
    return [
        {name, version},
        {name, version, system: '14'},
    ];
}

async function stage(version: string): Promise<readonly ExtensionOutlook[]> {
    await machine.write({[NEXT_RELEASE]: osRelease(version)});
    return extensionsOfNextBoot(machine.host).fetch(system(version), quiet, unstopped);
}

async function unstage(): Promise<void> {
    await rm(join(machine.root, NEXT_RELEASE));
}

/** Restarts into a system: what was in /run is gone, the links are seen to, and then all is merged. */
async function boot(version: string, {isSeenTo = true} = {}): Promise<void> {
    await rm(join(machine.root, 'run'), {recursive: true, force: true});
    await machine.write({
        '/usr/lib/os-release': osRelease(version),
        '/etc/os-release': osRelease(version),
    });
    if (isSeenTo) await followAtBoot(machine.offline());
    await merge();
}

/** As systemd-sysext does: what is for another system is left out. */
async function merge(): Promise<void> {
    const running = /VERSION_ID=(\d+)/.exec((await machine.read('/usr/lib/os-release')) ?? '')?.[1];
    const names = (await machine.list('/var/lib/extensions')).map(name => name.replace('.raw', ''));
    machine.sysext.ignored.clear();
    for (const name of names) {
        const target = (await machine.link(`/var/lib/extensions/${name}.raw`)) ?? '';
        const of =
            versionOf.get(target.split('/').at(-1) ?? '') ?? /_(\d+)_x86-64/.exec(target)?.[1];
        if (of !== running) machine.sysext.ignored.add(name);
    }
    await refreshTree(machine.root, machine.sysext);
}

/** Images whose name does not say what they are for. */
const versionOf = new Map<string, string>();

async function mergedNames(): Promise<readonly string[]> {
    return Object.values(await machine.merged()).map(path => path.slice(IMAGES.length + 1));
}

function image(name: string, version: string, of = '13'): string {
    return imageFileName(name, version, 'raw', of);
}

async function turnOn(...names: readonly string[]): Promise<void> {
    for (const name of names) await enable(machine.host, name, {}, quiet, unstopped);
}

describe('when another OS image is staged', () => {
    it('fetches what the enabled features need there, and leaves what runs alone', async () => {
        await machine.define({name: 'hello'}, {name: 'other'}, {name: 'off'});
        await machine.offer([...both('hello', '1.0'), ...both('other', '3'), ...both('off', '1')]);
        await turnOn('hello', 'other');
        const link = await machine.link('/var/lib/extensions/hello.raw');
        const refreshes = machine.refreshes();

        expect(await stage('14')).toEqual([
            {feature: 'hello', state: 'ready', version: '1.0', text: ''},
            {feature: 'other', state: 'ready', version: '3', text: ''},
        ]);
        expect((await machine.list(IMAGES)).filter(name => name.includes('_14_'))).toEqual([
            image('hello', '1.0', '14'),
            image('other', '3', '14'),
        ]);
        expect(await machine.link('/var/lib/extensions/hello.raw')).toBe(link);
        expect(machine.refreshes()).toBe(refreshes);
        expect(await mergedNames()).toEqual([image('hello', '1.0'), image('other', '3')]);
    });

    it('asks nobody for what is there', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        await stage('14');
        await machine.repository.clearLog();
        expect(await stage('14')).toMatchObject([{state: 'ready', version: '1.0'}]);
        expect((await machine.repository.log()).requests).toEqual([]);
    });

    it('leaves no trace when the same extensions fit the next system', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        const before = await machine.snapshot();
        await machine.repository.clearLog();
        expect(await stage('13')).toEqual([
            {feature: 'hello', state: 'ready', version: '1.0', text: ''},
        ]);
        expect(await machine.snapshot()).toEqual(before);
        expect((await machine.repository.log()).requests).toEqual([]);
    });

    it('says which features will not be there, and fetches the others', async () => {
        await machine.define({name: 'hello'}, {name: 'old'}, {name: 'gone'});
        await machine.offer([
            ...both('hello', '1.0'),
            {name: 'old', version: '1'},
            {name: 'gone', version: '1'},
        ]);
        await turnOn('hello', 'old', 'gone');
        await machine.repository.setFault('/ext/gone/SHA256SUMS', {kind: 'status', status: 404});
        const outlooks = await stage('14');
        expect(outlooks).toMatchObject([
            {feature: 'gone', state: 'missing', version: ''},
            {feature: 'hello', state: 'ready', version: '1.0'},
            {feature: 'old', state: 'missing', text: 'old has no version for debian 14'},
        ]);
        expect(outlooks[0]?.text).toMatch(/^gone for debian 14 could not be fetched: .*404/);
        expect(await extensionsOfNextBoot(machine.host).assess(system('14'))).toEqual(outlooks);
    });

    it('takes an older version where the newest turns out to be for another system', async () => {
        const patterns = {MatchPattern: 'hello_@v_x.raw.zst hello_@v_x.raw'};
        await machine.define({name: 'hello', source: patterns, target: patterns});
        await offerUnnamed({'1.0': '13', '1.1': '14', '1.2': '15'}, ['1.0']);
        await turnOn('hello');
        await offerUnnamed({}, ['1.0', '1.1', '1.2']);
        expect(await stage('14')).toMatchObject([{state: 'ready', version: '1.1'}]);
        expect(await machine.list(IMAGES)).toEqual([
            'hello.raw',
            'hello_1.0_x.raw',
            'hello_1.1_x.raw',
        ]);
        await boot('14');
        expect(await mergedNames()).toEqual(['hello_1.1_x.raw']);
        // What is on disk for the system that can be gone back to is neither taken nor removed.
        await update(machine.host, ['hello'], {}, quiet, unstopped).catch(() => undefined);
        expect(await machine.list(IMAGES)).toContain('hello_1.0_x.raw');
        await boot('13');
        expect(await mergedNames()).toEqual(['hello_1.0_x.raw']);
    });

    it('reads the definitions of that system, under the switches of this one', async () => {
        await machine.define({name: 'hello'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await turnOn('hello');
        await machine.offer([{name: 'moved', version: '2.0', system: '14'}]);
        const url = machine.repository.url;
        const patterns = {MatchPattern: 'moved_@v_%w_%a.raw.zst', Path: `${url}/ext/moved/`};
        const files = definitionFiles({name: 'hello', url, source: patterns});
        const unmounted = await extensionsOfNextBoot(machine.host).fetch(
            system('14', '/next'),
            quiet,
            unstopped,
        );
        expect(unmounted).toMatchObject([{text: 'hello has no version for debian 14'}]);
        await machine.write({'/next/usr/lib/os-release': osRelease('14')});
        await machine.write(
            Object.fromEntries(Object.entries(files).map(([path, text]) => [`/next${path}`, text])),
        );
        // An image under another name is no extension of this one; here only the source counts.
        const outlooks = await extensionsOfNextBoot(machine.host).fetch(
            system('14', '/next'),
            quiet,
            unstopped,
        );
        expect(outlooks).toMatchObject([{feature: 'hello', state: 'missing'}]);
        const {requests} = await machine.repository.log();
        expect(requests.map(({path}) => path)).toContain('/ext/moved/moved_2.0_14_x86-64.raw.zst');
    });

    it('says that it does not know what depends on the kernel', async () => {
        await machine.define({name: 'hello', source: {MatchPattern: 'hello_@v_%v.raw'}});
        await machine.write({
            '/etc/sysupdate.hello.d/hello.feature.d/on.conf': '[Feature]\nEnabled=yes\n',
            '/proc/sys/kernel/osrelease': '6.12.0\n',
        });
        const [outlook] = await stage('14');
        expect(outlook).toMatchObject({feature: 'hello', state: 'unknown'});
        expect(outlook?.text).toContain('%v has no value here: no kernel is known');
    });

    it('does not take a version that was rolled back from, if there is another', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        await machine.offer(both('hello', '1.1'));
        await update(machine.host, ['hello'], {}, quiet, unstopped);
        await rollback(machine.host, 'hello', '', {}, quiet, unstopped);
        expect(await stage('14')).toMatchObject([{state: 'ready', version: '1.0'}]);
    });

    it.each([
        [
            'a manifest that somebody changed',
            {manifest: `${'0'.repeat(64)}  hello_1.0_14_x86-64.raw.zst\n`},
        ],
        ['a manifest without a signature', {key: undefined}],
    ])('installs nothing from %s', async (_what, options) => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        const before = await machine.list(IMAGES);
        await machine.offer(both('hello', '1.0'), options as object);
        const [outlook] = await stage('14');
        expect(outlook).toMatchObject({state: 'missing'});
        expect(outlook?.text).toContain('hello for debian 14 could not be fetched: ');
        expect(await machine.list(IMAGES)).toEqual(before);
    });

    it('stops when it is told to, and leaves what was there', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        const before = await machine.list(IMAGES);
        await machine.repository.setFault(
            `/ext/hello/${imageFileName('hello', '1.0', 'zst', '14')}`,
            {
                kind: 'stall',
                afterBytes: 10,
            },
        );
        const controller = new AbortController();
        const progress = {
            ...quiet,
            step: (text: string) => {
                if (text.startsWith('Downloading')) setTimeout(() => controller.abort(), 50);
            },
        };
        await expect(
            extensionsOfNextBoot(machine.host).fetch(system('14'), progress, controller.signal),
        ).rejects.toMatchObject({code: 'Cancelled'});
        expect(await machine.list(IMAGES)).toEqual(before);
        expect(await mergedNames()).toEqual([image('hello', '1.0')]);
    });

    it('waits for another operation to end', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
        const lock = await machine.another().locks.acquire('/run/snow-control/features.lock');
        const staging = stage('14');
        setTimeout(() => void lock[Symbol.asyncDispose](), 300);
        expect(await staging).toMatchObject([{state: 'ready'}]);
    });
});

describe('the next boot', () => {
    beforeEach(async () => {
        await machine.define({name: 'hello'}, {name: 'old'});
        await machine.offer([...both('hello', '1.0'), {name: 'old', version: '1'}]);
        await turnOn('hello', 'old');
    });

    it('merges what fits the system that was staged', async () => {
        await stage('14');
        await boot('14');
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
        expect(await machine.link(`${IMAGES}/hello.raw`)).toBe(image('hello', '1.0', '14'));
    });

    it('merges what was there before when the OS is rolled back, and again', async () => {
        await stage('14');
        for (let count = 0; count < 2; count++) {
            await boot('14');
            expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
            await boot('13');
            expect(await mergedNames()).toEqual([image('hello', '1.0'), image('old', '1')]);
        }
    });

    it('is seen to, too, when the system before it is staged again', async () => {
        await stage('14');
        await boot('14');
        await machine.repository.clearLog();
        expect(await stage('13')).toEqual([
            {feature: 'hello', state: 'ready', version: '1.0', text: ''},
            {feature: 'old', state: 'ready', version: '1', text: ''},
        ]);
        expect((await machine.repository.log()).requests).toEqual([]);
        await unstage();
        await recover(machine.host);
        await boot('13');
        expect(await mergedNames()).toEqual([image('hello', '1.0'), image('old', '1')]);
    });

    it('ends what was staged where /run outlives it', async () => {
        await stage('14');
        await machine.write({'/etc/os-release': osRelease('14')});
        await followAtBoot(machine.offline());
        expect(await machine.read(NEXT_RELEASE)).toBeNull();
    });

    it('goes back to the version that a system had, not to its newest', async () => {
        await machine.offer(both('hello', '1.1'));
        await update(machine.host, ['hello'], {}, quiet, unstopped);
        await rollback(machine.host, 'hello', '1.0', {}, quiet, unstopped);
        await stage('14');
        await boot('14');
        await boot('13');
        expect(await mergedNames()).toContain(image('hello', '1.0'));
    });

    it('merges what fits though what was staged was not booted', async () => {
        await stage('14');
        await boot('13');
        expect(await mergedNames()).toEqual([image('hello', '1.0'), image('old', '1')]);
        await boot('14');
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
    });

    it('leaves the links as they are on a system that nobody staged', async () => {
        await stage('14');
        const link = await machine.link('/var/lib/extensions/hello.raw');
        await boot('15');
        expect(await machine.link('/var/lib/extensions/hello.raw')).toBe(link);
        await boot('14');
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
    });

    it.each(['', '{', '{"format":2}', '{"format":1,"current":{},"systems":[{}]}', 'null'])(
        'leaves the links as they are when the record is %j',
        async text => {
            await stage('14');
            const link = await machine.link('/var/lib/extensions/hello.raw');
            await machine.write({[NEXT_BOOT_RECORD]: text});
            await expect(boot('14')).rejects.toMatchObject({code: 'WrongState'});
            expect(await machine.link('/var/lib/extensions/hello.raw')).toBe(link);
            machine.sysext.ignored = new Set(['old']);
            await update(machine.host, ['hello'], {}, quiet, unstopped);
            expect(await machine.merged()).toMatchObject({
                hello: `${IMAGES}/${image('hello', '1.0', '14')}`,
            });
            expect(await machine.read(NEXT_BOOT_RECORD)).toBeNull();
        },
    );

    it('leaves a file of the administrator alone', async () => {
        await stage('14');
        await rm(join(machine.root, 'var/lib/extensions/hello.raw'));
        await machine.write({'/var/lib/extensions/hello.raw': 'mine'});
        await boot('14');
        expect(await machine.read('/var/lib/extensions/hello.raw')).toBe('mine');
    });

    it('is made up for by the next operation where it was not seen to', async () => {
        await stage('14');
        await boot('14', {isSeenTo: false});
        expect(await mergedNames()).toEqual([]);
        machine.sysext.ignored = new Set(['old']);
        await recover(machine.host);
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
        await boot('13');
        expect(await mergedNames()).toEqual([image('hello', '1.0'), image('old', '1')]);
    });

    it('first undoes what the end of the last boot interrupted', async () => {
        await stage('14');
        await machine.offer(both('hello', '1.1'));
        const journal = '/var/lib/snow-control/transaction.json';
        const target = await machine.link('/var/lib/extensions/hello.raw');
        await machine.write({
            [journal]: JSON.stringify({
                phase: 'undo',
                process: '1:1',
                operation: 'update',
                features: ['hello'],
                merge: true,
                undo: {
                    links: [{path: '/var/lib/extensions/hello.raw', target}],
                    files: [],
                    images: [],
                    directories: [],
                },
                finish: {removals: []},
            }),
        });
        await rm(join(machine.root, 'var/lib/extensions/hello.raw'));
        await symlink(
            '../extensions.d/half.raw',
            join(machine.root, 'var/lib/extensions/hello.raw'),
        );
        await boot('14');
        expect(await machine.read(journal)).toBeNull();
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
        await boot('13');
        expect(await mergedNames()).toContain(image('hello', '1.0'));
    });
});

describe('what several systems have on one disk', () => {
    beforeEach(async () => {
        await machine.define({name: 'hello', target: {InstancesMax: '2'}});
        await machine.offer(both('hello', '1.0'));
        await turnOn('hello');
    });

    it('keeps what the other system needs, however many versions there are', async () => {
        await stage('14');
        for (const version of ['1.1', '1.2', '1.3']) {
            await machine.offer(both('hello', version));
            await update(machine.host, ['hello'], {}, quiet, unstopped);
        }
        // An update sees to the staged system, too.
        expect(await machine.list(IMAGES)).toEqual([
            'hello.raw',
            image('hello', '1.0', '14'),
            image('hello', '1.1', '14'),
            image('hello', '1.2'),
            image('hello', '1.2', '14'),
            image('hello', '1.3'),
            image('hello', '1.3', '14'),
        ]);
        await boot('14');
        expect(await mergedNames()).toEqual([image('hello', '1.3', '14')]);
        await machine.offer(both('hello', '1.4'));
        await update(machine.host, ['hello'], {}, quiet, unstopped);
        expect(await machine.list(IMAGES)).toEqual([
            'hello.raw',
            image('hello', '1.2'),
            image('hello', '1.3'),
            image('hello', '1.3', '14'),
            image('hello', '1.4', '14'),
        ]);
    });

    it('keeps an image whose name does not say what it is for', async () => {
        const patterns = {MatchPattern: 'plain_@v.raw.zst plain_@v.raw'};
        const target = {...patterns, InstancesMax: '2'};
        await machine.define({name: 'plain', source: patterns, target});
        await offerPlain({'1': '13'});
        await turnOn('plain');
        await offerPlain({'1': '13', '2': '14'});
        await stage('14');
        await offerPlain({'1': '13', '2': '14', '3': '13'});
        await update(machine.host, ['plain'], {}, quiet, unstopped);
        await offerPlain({'1': '13', '2': '14', '3': '13', '4': '13'});
        await update(machine.host, ['plain'], {}, quiet, unstopped);
        expect((await machine.list(IMAGES)).filter(name => name.startsWith('plain_'))).toEqual([
            'plain_2.raw',
            'plain_3.raw',
            'plain_4.raw',
        ]);
    });

    it('forgets what was staged once it is not staged any more', async () => {
        const before = await machine.snapshot();
        await stage('14');
        await unstage();
        await recover(machine.host);
        expect(await machine.snapshot()).toEqual(before);
    });

    it('forgets it when the service is next looked at', async () => {
        const before = await machine.snapshot();
        await stage('14');
        await featuresDomain(machine.host).snapshot();
        expect(await machine.list(IMAGES)).toContain(image('hello', '1.0', '14'));
        await unstage();
        await featuresDomain(machine.host).snapshot();
        expect(await machine.snapshot()).toEqual(before);
    });

    it('forgets what was staged once something else is', async () => {
        await machine.offer([{name: 'hello', version: '1.0', system: '15'}]);
        await stage('14');
        await stage('15');
        expect(await machine.list(IMAGES)).toEqual([
            'hello.raw',
            image('hello', '1.0'),
            image('hello', '1.0', '15'),
        ]);
    });

    it('forgets a system that can be booted no more', async () => {
        await stage('14');
        await boot('14');
        await recover(machine.host);
        expect(await machine.list(IMAGES)).toContain(image('hello', '1.0'));
        // Two images of 14 now: the one before is what can be gone back to.
        await stage('14');
        await boot('14');
        await recover(machine.host);
        expect(await machine.list(IMAGES)).toEqual(['hello.raw', image('hello', '1.0', '14')]);
        expect(await machine.read(NEXT_BOOT_RECORD)).toBeNull();
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
    });

    it('has nothing left of a feature that is turned off, on any of them', async () => {
        await stage('14');
        await disable(machine.host, 'hello', quiet, unstopped);
        expect(await machine.list(IMAGES)).toEqual([]);
        await boot('14');
        expect(await machine.link('/var/lib/extensions/hello.raw')).toBeNull();
        expect(await mergedNames()).toEqual([]);
    });

    it('leaves an extension that another feature needs as well', async () => {
        await machine.define({name: 'both', transfer: {Features: 'both also'}});
        await machine.write({
            '/usr/lib/sysupdate.both.d/also.feature': '[Feature]\nDescription=Also\n',
        });
        await machine.offer(both('both', '1'));
        await turnOn('both', 'also');
        await stage('14');
        await disable(machine.host, 'both', quiet, unstopped);
        await boot('14');
        expect(await mergedNames()).toContain(image('both', '1', '14'));
        await boot('13');
        expect(await mergedNames()).toContain(image('both', '1'));
    });

    it('gives each system what was turned on there', async () => {
        await stage('14');
        await boot('14');
        await machine.define({name: 'late'});
        await machine.offer(both('late', '1'));
        await turnOn('late');
        expect(await mergedNames()).toContain(image('late', '1', '14'));
        await boot('13');
        expect(await mergedNames()).toEqual([image('hello', '1.0')]);
        machine.sysext.ignored.clear();
        await update(machine.host, ['late'], {}, quiet, unstopped);
        expect(await mergedNames()).toContain(image('late', '1'));
        await boot('14');
        expect(await mergedNames()).toContain(image('late', '1', '14'));
        await boot('13');
        expect(await mergedNames()).toContain(image('late', '1'));
    });

    it('says that the disk is full, and leaves what runs', async () => {
        const before = await machine.list(IMAGES);
        const {host} = machine;
        const full = {...host, files: {...host.files, freeBytes: () => Promise.resolve(0)}};
        const [outlook] = await extensionsOfNextBoot(full).fetch(system('14'), quiet, unstopped);
        expect(outlook).toMatchObject({state: 'missing'});
        expect(outlook?.text).toMatch(
            /could not be fetched: There is not enough space on the disk/,
        );
        expect(await machine.list(IMAGES)).toEqual(before);
    });
});

describe('features that are changed while another system is staged', () => {
    it('are fetched for it, too, when they are turned on', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await machine.write({[NEXT_RELEASE]: osRelease('14')});
        expect(await enable(machine.host, 'hello', {}, quiet, unstopped)).toMatchObject({
            warnings: [],
            merged: true,
        });
        await boot('14');
        expect(await mergedNames()).toEqual([image('hello', '1.0', '14')]);
        await boot('13');
        expect(await mergedNames()).toEqual([image('hello', '1.0')]);
    });

    it('are turned on with a warning when they do not fit it', async () => {
        await machine.define({name: 'hello'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
        await machine.write({[NEXT_RELEASE]: osRelease('14')});
        expect(await enable(machine.host, 'hello', {}, quiet, unstopped)).toMatchObject({
            warnings: [
                'After the next boot, hello will not be merged: hello has no version for debian 14',
            ],
            merged: true,
        });
        expect(await mergedNames()).toEqual([image('hello', '1.0')]);
    });

    it('are turned on with a warning when what the other system needs cannot be had', async () => {
        await machine.define({name: 'hello'});
        await machine.offer(both('hello', '1.0'));
        await machine.write({[NEXT_RELEASE]: osRelease('14')});
        await machine.repository.setFault(
            `/ext/hello/${imageFileName('hello', '1.0', 'zst', '14')}`,
            {
                kind: 'status',
                status: 500,
            },
        );
        const {warnings} = await enable(machine.host, 'hello', {}, quiet, unstopped);
        expect(warnings).toHaveLength(1);
        expect(warnings[0]).toMatch(/^After the next boot, hello will not be merged: .*500/);
    });
});

describe('an image on disk that is for another system', () => {
    beforeEach(async () => {
        const patterns = {MatchPattern: 'plain_@v.raw.zst plain_@v.raw'};
        await machine.define({name: 'plain', source: patterns, target: patterns});
        await offerPlain({'1': '13'});
        await turnOn('plain');
        await offerPlain({'1': '13', '2': '14'});
        await stage('14');
    });

    it('is refused before anything is changed, when it is asked for', async () => {
        const before = await machine.snapshot();
        const refreshes = machine.refreshes();
        await expect(
            rollback(machine.host, 'plain', '2', {}, quiet, unstopped),
        ).rejects.toMatchObject({
            code: 'WrongState',
            message: 'plain 2 is for debian 14, and this is debian 13',
        });
        expect(await machine.snapshot()).toEqual(before);
        expect(machine.refreshes()).toBe(refreshes);
    });

    it('is left alone by an update', async () => {
        const refreshes = machine.refreshes();
        const {version, features} = await update(machine.host, ['plain'], {}, quiet, unstopped);
        expect({version, features}).toEqual({version: '1', features: []});
        expect(machine.refreshes()).toBe(refreshes);
    });
});

describe('a restart is needed', () => {
    const needed = async (): Promise<unknown> => {
        const objects = await featuresDomain(machine.host).snapshot();
        return objects.get('Features')?.['org.frostyard.Snow1.Features']?.['RestartNeeded'];
    };
    const problem = async (): Promise<string> => {
        const [feature] = await readFeatures(machine.host);
        return feature?.Problem ?? '';
    };

    beforeEach(async () => {
        await machine.define({name: 'hello'});
        await machine.offer([{name: 'hello', version: '1.0'}]);
    });

    it('not by what is merged', async () => {
        expect(await needed()).toBe(false);
        await turnOn('hello');
        expect(await needed()).toBe(false);
    });

    it('by what was installed for the next boot', async () => {
        await enable(machine.host, 'hello', {merge: false}, quiet, unstopped);
        expect(await needed()).toBe(true);
        await boot('13');
        expect(await needed()).toBe(false);
        await machine.offer([{name: 'hello', version: '1.1'}]);
        await update(machine.host, ['hello'], {merge: false}, quiet, unstopped);
        expect(await needed()).toBe(true);
    });

    it('not by what another image hides', async () => {
        await enable(machine.host, 'hello', {merge: false}, quiet, unstopped);
        await machine.write({'/etc/extensions/hello.raw': 'mine'});
        expect(await needed()).toBe(false);
        expect(await problem()).toContain(
            '/etc/extensions/hello.raw is merged instead of hello 1.0',
        );
    });

    it('not by what is for another system', async () => {
        await enable(machine.host, 'hello', {merge: false}, quiet, unstopped);
        await machine.write({'/etc/os-release': 'ID=other\nVERSION_ID=13\n'});
        expect(await needed()).toBe(false);
        expect(await problem()).toBe(
            'hello 1.0 is for debian, and this is other 13: snowctl features update hello',
        );
    });
});

/** Offers images of a name without the system; by version, what they are for. */
async function offerPlain(versions: Readonly<Record<string, string>>): Promise<void> {
    await offerAs('plain', version => `plain_${version}.raw.zst`, versions);
}

async function offerUnnamed(
    versions: Readonly<Record<string, string>>,
    offered: readonly string[],
): Promise<void> {
    await offerAs('hello', version => `hello_${version}_x.raw.zst`, versions, offered);
}

async function offerAs(
    name: string,
    fileName: (version: string) => string,
    versions: Readonly<Record<string, string>>,
    offered: readonly string[] = Object.keys(versions),
): Promise<void> {
    const directory = componentDirectory(machine.directory, name);
    const store = `${machine.directory}/store-${name}`;
    await mkdir(store, {recursive: true});
    for (const [version, of] of Object.entries(versions)) {
        versionOf.set(fileName(version).replace('.zst', ''), of);
        const made = join(store, fileName(version));
        if ((await readdir(store)).includes(fileName(version))) continue;
        const [path = ''] = await makeImage(join(store, 'work'), {name, version, system: of});
        await copyFile(path, made);
    }
    await rm(directory, {recursive: true, force: true});
    await mkdir(directory, {recursive: true});
    for (const version of offered)
        await copyFile(join(store, fileName(version)), join(directory, fileName(version)));
    await publish(machine.directory, name, {key: machine.key});
}
