// SPDX-License-Identifier: GPL-2.0-or-later
// An update of the OS image to the next Debian, by the stand-in for bootc, and what it means for real
// extensions of a real repository.
import {afterAll, afterEach, beforeAll, expect, test} from 'vitest';

import {definitionFiles} from '../lab/definitions.ts';
import {BootcStandIn, bootcFiles} from '../lab/image/bootc/stand-in.ts';
import {imageFileName, makeImage} from '../lab/images.ts';
import {componentDirectory} from '../lab/publication.ts';
import {SnowBus} from './support/snow-bus.ts';
import {REPOSITORY, SnowGuest} from './support/snow-guest.ts';
import {until} from './support/waiting.ts';

const components = [{name: 'figlet'}, {name: 'jq'}];
const SYSTEM = 'ID=debian\nIMAGE_ID=snow\n';

let snow: SnowGuest;
let bus: SnowBus;
let bootc: BootcStandIn;

beforeAll(async () => {
    snow = await SnowGuest.boot('desktop', {
        name: 'image-extensions',
        components,
        files: {
            ...(await bootcFiles({downloadTime: 300})),
            // The image that is staged has no /usr but its os-release; /etc comes along.
            ...Object.fromEntries(
                Object.entries(
                    definitionFiles(...components.map(each => ({...each, url: REPOSITORY}))),
                ).map(([path, content]) => [path.replace(/^\/usr\/lib\//, '/etc/'), content]),
            ),
        },
    });
    bus = new SnowBus(snow.guest);
    bootc = new BootcStandIn(snow.guest);
    for (const [name, version] of [
        ['figlet', '1.0'],
        ['jq', '1.7'],
    ] as const)
        await snow.offer(name, [version]);
    for (const system of ['14', '15'])
        await makeImage(componentDirectory(snow.directory, 'figlet'), {
            name: 'figlet',
            version: '1.0',
            system,
        });
    await snow.publish('figlet');
    await snow.ok('features enable figlet jq');
});
afterAll(() => snow?.[Symbol.asyncDispose]());

afterEach(async () => {
    await bus.end(await bus.start('Unstage'));
});

async function offerSystem(version: string): Promise<void> {
    await bootc.offer({version, osRelease: `${SYSTEM}VERSION_ID=${version}\n`});
}

async function isOnDisk(system: string): Promise<boolean> {
    const path = `/var/lib/extensions.d/${imageFileName('figlet', '1.0', 'raw', system)}`;
    return (await snow.guest.run(['test', '-e', path])).exitCode === 0;
}

const outlooks = [
    {feature: 'figlet', state: 'ready', version: '1.0', text: ''},
    {feature: 'jq', state: 'missing', version: '', text: expect.stringContaining('jq') as unknown},
];

test('an update fetches what fits the new system, and says what will be missing', async () => {
    await offerSystem('14');
    const {stderr, exitCode} = await snow.guest.run(['snowctl', 'image', 'update'], {
        timeout: 120_000,
    });
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('jq')]);
    expect(await isOnDisk('14')).toBe(true);
    expect(await bus.imageProperties()).toMatchObject({
        Staged: {version: '14'},
        Extensions: outlooks,
        RestartNeeded: true,
    });
    // What runs is what ran.
    expect(await snow.merged()).toEqual(['figlet', 'jq']);
});

test('what is taken back again means nothing for them', async () => {
    await offerSystem('14');
    await bus.end(await bus.start('Update'));
    await bus.end(await bus.start('Unstage'));
    expect(await bus.imageProperties()).toMatchObject({
        Staged: {},
        Extensions: [],
        RestartNeeded: false,
    });
    await bus.end(await bus.start('Update'));
});

test('a repository that is away keeps nobody from the update', async () => {
    await offerSystem('15');
    await snow.repository.setFault('*', {kind: 'status', status: 503});
    const path = await bus.start('Update');
    expect(await bus.end(path, 60_000)).toMatchObject({state: 'done'});
    await snow.repository.clearFaults();
    expect(await isOnDisk('15')).toBe(false);
    expect(await bus.imageProperties()).toMatchObject({
        Extensions: [{feature: 'figlet', state: 'missing'}, {feature: 'jq'}],
    });
    // The next try, with nothing to stage any more, gets them.
    expect(await bus.end(await bus.start('Update'), 60_000)).toMatchObject({state: 'done'});
    expect(await isOnDisk('15')).toBe(true);
});

test('extensions follow also what another program stages', async () => {
    await snow.guest.check('rm -f /var/lib/extensions.d/figlet_1.0_14_*');
    await offerSystem('14');
    await snow.guest.check(['bootc', 'upgrade']);
    const digest = (await bootc.status()).status.staged?.image.imageDigest;
    await snow.guest.check(
        `mkdir -p /run/snosi; printf 'image=ghcr.io/frostyard/snow:latest\\ndigest=${digest}\\nstaged_at=%s\\n' "$(date --iso-8601=seconds)" >/run/snosi/update-staged`,
    );
    await until('they are fetched', () => isOnDisk('14'), {timeout: 60_000});
    await until('it is known', async () => {
        const {Extensions} = await bus.imageProperties();
        return Array.isArray(Extensions) && Extensions.length === 2;
    });
    expect(await bus.imageProperties()).toMatchObject({Extensions: outlooks});
});
