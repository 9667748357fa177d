// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, readFile, readdir, rm, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {
    type OfferedChannel,
    matches,
    offeredChannels,
    parseChannel,
    readChannels,
} from '../../../helper/src/image/channels.ts';
import {writeTree} from '../../lab/definitions.ts';

const USR = '/usr/lib/snow-control/channels.d';
const ETC = '/etc/snow-control/channels.d';
const RUN = '/run/snow-control/channels.d';

let root: string;
let host: Host;

beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'snow-channels-'));
    host = localHost(root);
});
afterEach(() => rm(root, {recursive: true, force: true}));

function channelFile(name: string, ...more: readonly string[]): string {
    return [
        '[Channel]',
        `Name=${name}`,
        `Title=The ${name}`,
        `Image=ghcr.io/frostyard/${name}:latest`,
        ...more,
        '',
    ].join('\n');
}

function parse(...lines: readonly string[]) {
    return parseChannel('/c.conf', Buffer.from(['[Channel]', ...lines].join('\n')));
}

function faultOf(...lines: readonly string[]): string {
    try {
        parse(...lines);
    } catch (error) {
        if (error instanceof SnowError) return error.message;
        throw error;
    }
    return 'none';
}

async function names(): Promise<readonly string[]> {
    return (await readChannels(host)).channels.map(({name}) => name);
}

function offered(followed: string, driver: 'bootc' | 'native' = 'bootc', canSwitch = true) {
    return readChannels(host).then(({channels}) =>
        offeredChannels(host, channels, driver, followed, canSwitch),
    );
}

const briefly = ({name, isFollowed}: OfferedChannel): string => (isFollowed ? `${name}*` : name);

describe('the files of channels', () => {
    it('are read in the order of their names', async () => {
        await writeTree(root, {
            [`${USR}/b.conf`]: channelFile('snow'),
            [`${USR}/a.conf`]: channelFile('cayo'),
            [`${USR}/a.conf.bak`]: channelFile('other'),
        });
        expect(await names()).toEqual(['cayo', 'snow']);
    });

    it('of /etc count before those of /run, and these before those of /usr', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('usr'),
            [`${RUN}/a.conf`]: channelFile('run'),
        });
        expect(await names()).toEqual(['run']);
        await writeTree(root, {[`${ETC}/a.conf`]: channelFile('etc')});
        expect(await names()).toEqual(['etc']);
    });

    it('are masked by an empty file and by a link to /dev/null', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('one'),
            [`${USR}/b.conf`]: channelFile('two'),
            [`${USR}/c.conf`]: channelFile('three'),
            [`${ETC}/a.conf`]: '',
        });
        await mkdir(join(root, RUN), {recursive: true});
        await symlink('/dev/null', join(root, RUN, 'b.conf'));
        expect(await readChannels(host)).toMatchObject({
            channels: [{name: 'three'}],
            problems: [],
        });
    });

    it('hide but their own channel when they are wrong', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('good'),
            [`${USR}/b.conf`]: channelFile('double', 'Title=Again'),
            [`${USR}/c.conf`]: '[Channel]\nName=none\n',
            [`${USR}/d.conf`]: Buffer.from([0xff, 0xfe, 0x00]).toString('latin1'),
        });
        const {channels, problems} = await readChannels(host);
        expect(channels.map(({name}) => name)).toEqual(['good']);
        expect(problems).toEqual([
            `${USR}/b.conf:5: Title= is in line 3 already`,
            `${USR}/c.conf: [Channel] has no Title=`,
            expect.stringContaining(`${USR}/d.conf:1: `),
        ]);
    });

    it('of the same channel are not two channels', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('snow'),
            [`${USR}/b.conf`]: channelFile('snow'),
        });
        expect(await readChannels(host)).toMatchObject({
            channels: [{name: 'snow'}],
            problems: [`${USR}/b.conf: ${USR}/a.conf is the channel snow already`],
        });
    });

    it('that are shipped are right', async () => {
        const directory = new URL('../../../data/channels.d/', import.meta.url);
        for (const file of await readdir(directory)) {
            const channel = parseChannel(file, await readFile(new URL(file, directory)));
            expect(file).toBe(`${channel.name}.conf`);
            expect(channel.image).toBe(`ghcr.io/frostyard/${channel.name}:latest`);
            expect(channel.description).not.toBe('');
        }
    });
});

describe('a channel', () => {
    const least = ['Name=snow', 'Title=Snow', 'Image=ghcr.io/frostyard/snow:latest'];

    it('needs a name, a title and an image', () => {
        expect(parse(...least)).toEqual({
            name: 'snow',
            title: 'Snow',
            description: '',
            image: 'ghcr.io/frostyard/snow:latest',
            nativeChannel: null,
            drivers: null,
            hardware: null,
        });
        for (const missing of ['Name', 'Title', 'Image'])
            expect(faultOf(...least.filter(line => !line.startsWith(missing)))).toBe(
                `/c.conf: [Channel] has no ${missing}=`,
            );
    });

    it('may say who and what it is for', () => {
        const more = ['Drivers=bootc nbc', 'Hardware="Surface Pro*" Surface?', 'X-Own=1', 'New=1'];
        expect(parse(...least, ...more)).toMatchObject({
            drivers: ['bootc', 'nbc'],
            hardware: ['Surface Pro*', 'Surface?'],
        });
    });

    it.each([
        ['Name=', 2],
        ['Name=--option', 2],
        ['Name=a b', 2],
        ['Name=../x', 2],
        [`Name=${'x'.repeat(65)}`, 2],
        ['Title=', 2],
        ['Title=a\u0007b', 2],
        ['Image=', 2],
        ['Image=--option', 2],
        ['Image=ghcr.io/a;reboot', 2],
        ['Image=oci:/tmp/x', 2],
        ['Image=snow', 2],
        ['Drivers=rpm-ostree', 2],
        ['Hardware="Surface', 2],
        ['no setting', 2],
    ])('with %j is refused, naming the line', (line, number) => {
        const [key = ''] = line.split('=');
        const others = least.filter(other => !other.startsWith(`${key}=`));
        expect(faultOf(line, ...others)).toMatch(new RegExp(`^/c\\.conf:${number}: `));
    });

    it('never brings down whoever reads it', () => {
        const anyText = fc.oneof(
            fc.string(),
            fc.constantFrom('[Channel]', 'Name=snow', 'Title=x', 'Image=ghcr.io/a/b', '\\', '\0'),
        );
        fc.assert(
            fc.property(fc.array(anyText, {maxLength: 8}), lines => {
                try {
                    parseChannel('/c.conf', Buffer.from(lines.join('\n')));
                } catch (error) {
                    expect(error).toBeInstanceOf(SnowError);
                    expect((error as SnowError).message).toMatch(/^\/c\.conf/);
                }
            }),
        );
    });
});

describe('the channels of a machine', () => {
    it('have the one that is followed, whatever the spelling', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('cayo'),
            [`${USR}/b.conf`]: channelFile('snow'),
        });
        expect((await offered('ghcr.io/frostyard/snow')).map(briefly)).toEqual(['cayo', 'snow*']);
    });

    it('have the one that is followed also when no file names it', async () => {
        await writeTree(root, {[`${USR}/a.conf`]: channelFile('snow')});
        expect(await offered('quay.io/own/desktop:13')).toEqual([
            expect.objectContaining({name: 'snow', isFollowed: false}),
            {
                name: 'quay.io/own/desktop:13',
                title: 'quay.io/own/desktop:13',
                description: '',
                image: 'quay.io/own/desktop:13',
                isFollowed: true,
            },
        ]);
    });

    it('are those for its hardware and its driver', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('snow'),
            [`${USR}/b.conf`]: channelFile('snowfield', 'Hardware=Surface*'),
            [`${USR}/c.conf`]: channelFile('old', 'Drivers=nbc'),
            [`${USR}/d.conf`]: channelFile('native', 'NativeChannel=native-ab'),
        });
        const snow = 'ghcr.io/frostyard/snow:latest';
        expect((await offered(snow)).map(briefly)).toEqual(['snow*', 'native']);
        await writeTree(root, {
            '/sys/class/dmi/id/sys_vendor': 'Microsoft Corporation\n',
            '/sys/class/dmi/id/product_family': 'Surface\n',
            '/sys/class/dmi/id/product_name': 'Surface Laptop 5\n',
        });
        expect((await offered(snow)).map(briefly)).toEqual(['snow*', 'snowfield', 'native']);
        expect((await offered('native-ab', 'native')).map(briefly)).toEqual(['native*']);
    });

    it('have the followed one on any hardware', async () => {
        await writeTree(root, {
            [`${USR}/b.conf`]: channelFile('snowfield', 'Hardware=Surface*'),
        });
        const followed = await offered('ghcr.io/frostyard/snowfield:latest');
        expect(followed.map(briefly)).toEqual(['snowfield*']);
    });

    it('are just the followed one where none can be switched to', async () => {
        await writeTree(root, {
            [`${USR}/a.conf`]: channelFile('cayo', 'NativeChannel=cayo-ab'),
            [`${USR}/b.conf`]: channelFile('snow', 'NativeChannel=snow-ab'),
        });
        expect((await offered('snow-ab', 'native', false)).map(briefly)).toEqual(['snow*']);
    });
});

describe('a pattern of hardware', () => {
    it.each([
        ['Surface*', 'Surface Pro 7', true],
        ['surface*', 'SURFACE', true],
        ['*Pro*', 'Surface Pro 7', true],
        ['Surface ?ro*', 'Surface Pro 7', true],
        ['Surface', 'Surface Pro 7', false],
        ['*7', 'Surface Pro 7', true],
        ['[S]urface', 'Surface', false],
        ['', '', true],
        ['*', '', true],
    ])('%j and %j', (pattern, name, expected) => {
        expect(matches(pattern, name)).toBe(expected);
    });

    it('takes no long time for many stars', () => {
        const start = performance.now();
        expect(matches('*a'.repeat(500) + 'b', 'a'.repeat(2000))).toBe(false);
        expect(performance.now() - start).toBeLessThan(10_000);
    });
});
