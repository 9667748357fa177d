// SPDX-License-Identifier: GPL-2.0-or-later
// Snow Control beside the systemd-sysupdate of systemd 262, on the same definitions, the same
// repository and the same disk: where they agree, and where they differ on purpose.
import {writeFile} from 'node:fs/promises';
import {join} from 'node:path';

import {afterAll, beforeAll, beforeEach, describe, expect, test} from 'vitest';

import {definitionFiles} from '../lab/definitions.ts';
import {makeImage} from '../lab/images.ts';
import {componentDirectory} from '../lab/publication.ts';
import {makeKey} from '../lab/signing.ts';
import {REPOSITORY, SnowGuest, imageName} from './support/snow-guest.ts';

const IMAGES = '/var/lib/extensions.d';
const LINKS = '/var/lib/extensions';
const OWN_SWITCH = '00-updex.conf';
const NO_SUM = '0'.repeat(64);
const PEERS_SWITCH = '50-systemd-sysupdate-enabled.conf';

let snow: SnowGuest;

beforeAll(async () => {
    snow = await SnowGuest.boot('peer', {
        components: ['figlet', 'jq', 'order', 'tomorrow'].map(name => ({name})),
        files: {
            // forky's has no VERSION_ID
            '/etc/os-release': 'ID=debian\nVERSION_ID=13\nPRETTY_NAME="Debian GNU/Linux 13"\n',
            ...inDefaultComponent('extra'),
        },
    });
    await snow.offer('tomorrow', ['1.0']);
    for (const version of ['1.9', '1.10', '1.9~rc1', '1.9-2', '1.9+git', '1.10~beta'])
        await makeImage(componentDirectory(snow.directory, 'order'), {name: 'order', version});
    await snow.publish('order');
    await makeImage(componentDirectory(snow.directory, 'extra'), {name: 'extra', version: '1'});
    await snow.publish('extra');
});
afterAll(() => snow?.[Symbol.asyncDispose]());

beforeEach(async () => {
    await snow.guest.check(`rm -rf ${LINKS} ${IMAGES} /etc/sysupdate.*.d /var/lib/snow-control/*
        systemd-sysext refresh 2>/dev/null`);
    await snow.offer('figlet', ['1.0']);
    await snow.offer('jq', ['1.7']);
});

/** The definitions of a feature that is in no component. */
function inDefaultComponent(name: string) {
    const files = Object.entries(definitionFiles({name, url: REPOSITORY}));
    return Object.fromEntries(
        files.map(([path, text]) => [path.replace(`sysupdate.${name}.d`, 'sysupdate.d'), text]),
    );
}

/** systemd-sysupdate of one component, as root. */
function peer(component: string, ...words: string[]) {
    const program = '/usr/lib/systemd/systemd-sysupdate';
    return snow.guest.run([program, `--component=${component}`, '--json=short', ...words]);
}

async function peersAnswer<Answer>(component: string, ...words: string[]): Promise<Answer> {
    const {stdout, stderr, exitCode} = await peer(component, ...words);
    if (stdout === '') throw new Error(`systemd-sysupdate ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as Answer;
}

async function isOnForPeer(name: string) {
    const {enabled} = await peersAnswer<{enabled: boolean}>(name, 'features', name);
    return enabled;
}

async function isOnForUs(name: string) {
    return (await snow.feature(name)).enabled;
}

/** The newest version that the peer would install, null when there is none. */
async function peersNewest(component: string) {
    const {available} = await peersAnswer<{available: string | null}>(component, 'check-new');
    return available;
}

interface PeersVersion {
    readonly installed: boolean;
    readonly available: boolean;
    readonly contents: readonly {readonly path: string}[];
}

function peersVersion(component: string, version: string) {
    return peersAnswer<PeersVersion>(component, 'list', version);
}

async function files(directory: string) {
    const {stdout} = await snow.guest.run(['ls', '-A', directory]);
    return stdout.split('\n').filter(Boolean);
}

/** What the drop-ins of a feature say, by their names. */
async function switches(name: string): Promise<Readonly<Record<string, string>>> {
    const directory = `/etc/sysupdate.${name}.d/${name}.feature.d`;
    const {stdout} = await snow.guest.run(`cd ${directory} && grep -H Enabled= *`);
    return Object.fromEntries(
        stdout
            .split('\n')
            .filter(Boolean)
            .map(line => line.split(':Enabled=') as [string, string]),
    );
}

describe('both see', () => {
    test('the same components and features', async () => {
        const {components} = await peersAnswer<{components: string[]}>('', 'components');
        const seen: string[] = [];
        for (const component of components) {
            const {features} = await peersAnswer<{features: string[]}>(component, 'features');
            seen.push(...features);
        }
        const byDefault = await snow.guest.check([
            '/usr/lib/systemd/systemd-sysupdate',
            ...['--json=short', 'features'],
        ]);
        seen.push(...(JSON.parse(byDefault) as {features: string[]}).features);
        const ours = [...(await snow.features()).keys()];
        expect(ours.sort()).toEqual(seen.sort());
        expect(ours).toEqual(['extra', 'figlet', 'jq', 'order', 'tomorrow']);
        const described = await peersAnswer<{description: string; documentation: string[]}>(
            'figlet',
            ...['features', 'figlet'],
        );
        const shown = JSON.parse(await snow.ok('features show figlet --json')) as object;
        expect(shown).toMatchObject({
            description: described.description,
            documentation: described.documentation[0],
        });
    });

    test('the same masked features and components that are turned off', async () => {
        await snow.guest.check(`mkdir -p /etc/sysupdate.figlet.d
            ln -s /dev/null /etc/sysupdate.figlet.d/figlet.feature`);
        const {features} = await peersAnswer<{features: string[]}>('figlet', 'features');
        expect(features).toEqual([]);
        expect((await snow.feature('figlet')).problem).toContain('is masked by');
        await snow.guest.check('rm /etc/sysupdate.figlet.d/figlet.feature');
        await snow.guest.check(['/usr/lib/systemd/systemd-sysupdate', 'disable-component', 'jq']);
        expect((await snow.feature('jq')).problem).toContain('The component jq is turned off by');
        await snow.guest.check(['/usr/lib/systemd/systemd-sysupdate', 'enable-component', 'jq']);
        expect((await snow.feature('jq')).problem).toBe('');
        await snow.guest.check('rm -r /etc/sysupdate.*component*');
    });

    test('the same newest version, in every order that versions have', async () => {
        await snow.offer('jq', ['1.7', '1.8~rc1']);
        await snow.offer('figlet', ['1.0', '1.1']);
        const names = ['figlet', 'jq', 'order'];
        for (const name of names) await peer(name, 'enable-feature', name);
        await snow.ok('features check');
        const ours = await snow.features();
        for (const name of names) expect(ours.get(name)?.newest).toBe(await peersNewest(name));
        expect(names.map(name => ours.get(name)?.newest)).toEqual(['1.1', '1.8~rc1', '1.10']);
    });

    test('the switch that the other one has turned', async () => {
        await peer('figlet', 'enable-feature', 'figlet');
        expect([await isOnForUs('figlet'), await isOnForPeer('figlet')]).toEqual([true, true]);
        await snow.ok('features disable figlet');
        expect([await isOnForUs('figlet'), await isOnForPeer('figlet')]).toEqual([false, false]);
        await snow.ok('features enable figlet');
        expect([await isOnForUs('figlet'), await isOnForPeer('figlet')]).toEqual([true, true]);
        await peer('figlet', 'disable-feature', 'figlet');
        expect([await isOnForUs('figlet'), await isOnForPeer('figlet')]).toEqual([false, false]);
    });

    test("updex's switch, and theirs brought in line with it when Snow Control writes", async () => {
        const path = `/etc/sysupdate.jq.d/jq.feature.d/${OWN_SWITCH}`;
        await snow.guest.putFile(path, '[Feature]\nEnabled=true\n');
        expect([await isOnForUs('jq'), await isOnForPeer('jq')]).toEqual([true, true]);
        await snow.guest.putFile(path, '[Feature]\nEnabled=false\n');
        expect([await isOnForUs('jq'), await isOnForPeer('jq')]).toEqual([false, false]);

        await snow.ok('features enable jq');
        expect(await switches('jq')).toEqual({[OWN_SWITCH]: 'true'});
        await peer('jq', 'disable-feature', 'jq');
        expect(await switches('jq')).toEqual({[OWN_SWITCH]: 'true', [PEERS_SWITCH]: 'no'});
        expect([await isOnForUs('jq'), await isOnForPeer('jq')]).toEqual([false, false]);
        await snow.ok('features enable jq');
        expect(await switches('jq')).toEqual({[OWN_SWITCH]: 'true', [PEERS_SWITCH]: 'true'});
        expect([await isOnForUs('jq'), await isOnForPeer('jq')]).toEqual([true, true]);
    });

    test('what Snow Control installed, and that there is nothing newer then', async () => {
        await snow.ok('features enable figlet');
        const path = `${IMAGES}/${imageName('figlet', '1.0')}`;
        expect(await peersVersion('figlet', '1.0')).toMatchObject({
            installed: true,
            available: true,
            contents: [{path}],
        });
        expect(await peersNewest('figlet')).toBeNull();
        await snow.offer('figlet', ['1.0', '1.1']);
        expect(await peersNewest('figlet')).toBe('1.1');
        await snow.ok('features update');
        expect(await peersNewest('figlet')).toBeNull();
        expect(await peersAnswer('figlet', 'list')).toMatchObject({all: ['1.1', '1.0']});
        expect(await snow.guest.check(['cat', '/usr/share/snow-lab/figlet.version'])).toBe('1.1\n');
    });

    test('what systemd-sysupdate installed: Snow Control links and merges it without a download', async () => {
        await peer('figlet', 'enable-feature', 'figlet');
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 0});
        expect(await snow.feature('figlet')).toMatchObject({
            versions: ['1.0'],
            problem: 'It is on, but not installed: snowctl features update figlet',
        });
        await snow.repository.clearLog();
        await snow.ok('features update figlet');
        const {requests} = await snow.repository.log();
        expect(requests.filter(({path}) => path.includes('.raw'))).toEqual([]);
        expect(await snow.feature('figlet')).toMatchObject({installed: '1.0', active: '1.0'});
        expect(await snow.merged()).toEqual(['figlet']);

        await snow.offer('figlet', ['1.0', '1.1']);
        await peer('figlet', 'update');
        expect((await snow.feature('figlet')).versions).toEqual(['1.1', '1.0']);
        await snow.ok('features update figlet');
        expect(await snow.guest.check(['cat', '/usr/share/snow-lab/figlet.version'])).toBe('1.1\n');
        await snow.ok('features disable figlet');
        expect(await files(IMAGES)).toEqual([]);
    });

    test('that there is nothing to do where only an older version is offered', async () => {
        await snow.offer('figlet', ['1.1']);
        await snow.ok('features enable figlet');
        await snow.offer('figlet', ['1.0']);
        expect(await peersNewest('figlet')).toBeNull();
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 0});
        await snow.ok('features update');
        expect(await snow.feature('figlet')).toMatchObject({versions: ['1.1'], active: '1.1'});
    });
});

describe('both refuse', () => {
    test.each([
        ['half a line', 'half a line'],
        ['a name that leaves the folder', `${NO_SUM}  ../figlet`],
        ['a name with a percent sign', `${NO_SUM}  %2e%2e`],
        ['a day that has passed', `${NO_SUM}  BEST-BEFORE-2020-01-01`],
    ])('a list with %s', async (_title, line) => {
        await snow.publish('figlet', {extraLines: [line]});
        await peer('figlet', 'enable-feature', 'figlet');
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 1});
        expect(await snow.snowctl('features update figlet')).toMatchObject({exitCode: 7});
        expect([...(await files(IMAGES)), ...(await files(LINKS))]).toEqual([]);
    });

    test.each([
        ['without a signature', {signatures: {}}],
        ['with a signature of something else', {manifest: 'x'}],
    ])('a list %s', async (_title, options) => {
        const text = await snow.publish('figlet', options);
        if (text === 'x')
            await writeFile(
                join(componentDirectory(snow.directory, 'figlet'), 'SHA256SUMS'),
                `${NO_SUM}  ${imageName('figlet', '2.0')}.zst\n`,
            );
        await peer('figlet', 'enable-feature', 'figlet');
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 1});
        expect(await snow.snowctl('features update figlet')).toMatchObject({exitCode: 7});
    });
});

describe('on purpose, Snow Control', () => {
    test('turns the switch last: what cannot be installed stays off', async () => {
        await snow.publish('figlet', {signatures: {}});
        await peer('figlet', 'enable-feature', 'figlet');
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 1});
        expect(await isOnForPeer('figlet')).toBe(true);
        await peer('figlet', 'disable-feature', 'figlet');

        expect(await snow.snowctl('features enable figlet')).toMatchObject({exitCode: 7});
        expect([await isOnForUs('figlet'), await isOnForPeer('figlet')]).toEqual([false, false]);
    });

    test('merges what it installs, and unmerges and removes what is turned off', async () => {
        await peer('figlet', 'enable-feature', 'figlet');
        await peer('figlet', 'update');
        expect(await snow.merged()).toEqual([]);
        await peer('figlet', 'disable-feature', 'figlet');
        expect(await files(IMAGES)).toContain(`${imageName('figlet', '1.0')}.zst`);

        await snow.ok('features enable figlet');
        expect(await snow.merged()).toEqual(['figlet']);
        await snow.ok('features disable figlet');
        expect(await snow.merged()).toEqual([]);
        expect(await files(IMAGES)).toEqual([]);
    });

    test('names an image for what it is, where the peer gives it the ending of the download', async () => {
        await peer('figlet', 'enable-feature', 'figlet');
        await peer('figlet', 'update');
        expect(await files(IMAGES)).toEqual(['figlet.raw', `${imageName('figlet', '1.0')}.zst`]);
        expect(await files(LINKS)).toEqual([]);
        await snow.ok('features enable jq');
        expect(await files(IMAGES)).toContain(imageName('jq', '1.7'));
        expect(await files(LINKS)).toEqual(['jq.raw']);
        // and keeps CurrentSymlink= beside the images, where nothing merges it a second time
        const link = await snow.guest.check(['readlink', `${IMAGES}/jq.raw`]);
        expect(link).toBe(`${imageName('jq', '1.7')}\n`);
    });

    test('refuses an image for another system, where the peer installs it', async () => {
        expect(await snow.snowctl('features enable tomorrow')).toMatchObject({exitCode: 10});
        expect(await files(IMAGES)).toEqual([]);
        await peer('tomorrow', 'enable-feature', 'tomorrow');
        expect(await peer('tomorrow', 'update')).toMatchObject({exitCode: 0});
        expect(await files(IMAGES)).toContain(`${imageName('tomorrow', '1.0')}.zst`);
        // and what is there nevertheless it does not leave linked, for it would never be merged
        const {exitCode} = await snow.snowctl('features update tomorrow');
        expect(exitCode).not.toBe(0);
        expect(await files(LINKS)).toEqual([]);
    });

    test('knows the versions of features that are off, and the peer does not', async () => {
        await snow.ok('features check');
        expect((await snow.feature('figlet')).newest).toBe('1.0');
        const {exitCode, stderr} = await peer('figlet', 'check-new');
        expect(exitCode).toBe(1);
        expect(stderr).toContain("No transfer definitions for component 'figlet' found.");
    });

    test('takes one good signature of several, so that keys can be changed', async () => {
        await using other = await makeKey();
        const text = await snow.publish('figlet');
        const both = [await other.sign(text, 'binary'), await snow.key.sign(text, 'binary')];
        const path = join(componentDirectory(snow.directory, 'figlet'), 'SHA256SUMS.gpg');
        await writeFile(path, Buffer.concat(both));
        await snow.ok('features enable figlet');
        await snow.ok('features disable figlet');
        await peer('figlet', 'enable-feature', 'figlet');
        expect(await peer('figlet', 'update')).toMatchObject({exitCode: 1});
    });

    test('refuses a list with one name and two hashes before it fetches anything', async () => {
        const extraLines = [`${NO_SUM}  ${imageName('figlet', '1.0')}.zst`];
        await snow.publish('figlet', {extraLines});
        await peer('figlet', 'enable-feature', 'figlet');
        const imagesFetchedBy = async (run: () => Promise<unknown>) => {
            await snow.repository.clearLog();
            await run();
            const {requests} = await snow.repository.log();
            return requests.filter(({path}) => path.includes('.raw')).length;
        };
        expect(await imagesFetchedBy(() => peer('figlet', 'update'))).toBe(1);
        expect(await imagesFetchedBy(() => snow.snowctl('features update figlet'))).toBe(0);
    });

    test('takes comments in a list, which the peer calls corrupt', async () => {
        await snow.publish('figlet', {extraLines: ['# of today']});
        await peer('figlet', 'enable-feature', 'figlet');
        expect((await peer('figlet', 'update')).stderr).toContain('Corrupt manifest at line 2');
        await snow.ok('features update figlet');
        expect(await snow.merged()).toEqual(['figlet']);
    });

    test('reads InstancesMax= in [Transfer] too, as updex does, and says where it belongs', async () => {
        await snow.guest.putFile(
            '/etc/sysupdate.order.d/order.transfer.d/max.conf',
            '[Transfer]\nInstancesMax=2\n',
        );
        const shown = JSON.parse(await snow.ok('features show order --json')) as {
            warnings: string[];
            transfers: {instancesMax: number}[];
        };
        expect(shown.transfers.map(({instancesMax}) => instancesMax)).toEqual([2]);
        expect(shown.warnings.join('\n')).toContain('belongs into [Target]');
        await peer('order', 'enable-feature', 'order');
        const {stderr} = await peer('order', 'check-new');
        expect(stderr).toMatch(/Unknown key (name )?'InstancesMax'/);
    });

    test('takes an unfinished download of either for nothing', async () => {
        await snow.guest.check(`mkdir -p ${IMAGES} && cd ${IMAGES} &&
            head -c 1000 /dev/urandom | tee .sysupdate.partial.${imageName('figlet', '1.0')}.zst >'.#snow-control.${imageName('figlet', '1.0')}.0123456789abcdef'`);
        expect((await snow.feature('figlet')).versions).toEqual([]);
        await snow.ok('features enable figlet');
        expect(await snow.merged()).toEqual(['figlet']);
    });
});
