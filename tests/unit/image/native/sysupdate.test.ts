// SPDX-License-Identifier: GPL-2.0-or-later
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {SnowError} from '../../../../helper/src/host/error.ts';
import {
    importBootEntries,
    importInstalled,
    importNewest,
    importOffered,
    importVersions,
} from '../../../../helper/src/image/native/sysupdate.ts';

const VERSION = '20260401000000';

/** As systemd 262 prints it. */
const installed = {
    version: VERSION,
    newest: true,
    available: false,
    installed: true,
    partial: false,
    pending: false,
    obsolete: false,
    protected: true,
    incomplete: false,
    changelogUrls: [],
    contents: [
        {type: 'partition', path: '/proc/self/fd/3p2', ptuuid: 'B53B4234', ptflags: 0, mtime: null},
        {type: 'partition', path: '/proc/self/fd/3p3', ptuuid: '5c277396', ptflags: 0, ro: false},
        {
            type: 'regular-file',
            path: `/boot/EFI/Linux/snow-ab_${VERSION}+3-0.efi`,
            ptuuid: null,
            ptflags: null,
            mtime: 1795393711159841,
            mode: 420,
            'tries-left': 3,
        },
    ],
};

const offered = {
    version: VERSION,
    available: true,
    installed: false,
    contents: [
        {type: 'url-file', path: `https://example.org/${VERSION}.root.raw.xz`, ptuuid: 'AB-CD'},
        {type: 'url-file', path: `https://example.org/${VERSION}.efi`, ptuuid: null},
    ],
};

const entries = [
    {
        type: 'type2',
        id: `snow-ab_${VERSION}.efi`,
        path: `/boot/EFI/Linux/snow-ab_${VERSION}+3-0.efi`,
        title: 'Snow',
        showTitle: 'Snow 1',
        isReported: false,
        triesLeft: 3,
        isDefault: true,
        addons: null,
    },
    {type: 'auto', id: 'auto-reboot-to-firmware-setup', path: null, isDefault: false},
];

function read(change: object) {
    return importInstalled(JSON.stringify({...installed, ...change}));
}

describe('a version on this machine', () => {
    test('with all of its parts', () => {
        expect(read({})).toEqual({
            version: VERSION,
            state: 'whole',
            uki: {
                path: `/boot/EFI/Linux/snow-ab_${VERSION}+3-0.efi`,
                stem: `snow-ab_${VERSION}`,
                attempts: {left: 3, done: 0},
            },
            partitions: ['b53b4234', '5c277396'],
        });
    });

    test.for([
        [{partial: true, pending: true}, 'partial'],
        [{pending: true}, 'downloaded'],
        [{pending: true, incomplete: true}, 'partial'],
        [{pending: true, contents: installed.contents.slice(0, 2)}, 'partial'],
        [{incomplete: true}, 'incomplete'],
        [{contents: installed.contents.slice(0, 2)}, 'incomplete'],
    ] as const)('%j is %s', ([change, state]) => {
        expect(read(change)?.state).toBe(state);
    });

    test('of a downloaded one the boot image is none that could be started', () => {
        const path = `/boot/EFI/Linux/.sysupdate.pending.snow-ab_${VERSION}+3-0.efi`;
        const contents = [...installed.contents.slice(0, 2), {type: 'regular-file', path}];
        expect(read({pending: true, contents})).toMatchObject({state: 'downloaded', uki: null});
    });

    test('an older systemd says less of it', () => {
        const {version, contents} = installed;
        const text = JSON.stringify({version, installed: true, contents});
        expect(importInstalled(text)?.state).toBe('whole');
    });

    test('one that is only at the source is none', () => {
        expect(importInstalled(JSON.stringify(offered))).toBeNull();
    });
});

test('a version at the source', () => {
    expect(importOffered(JSON.stringify(offered))).toEqual({
        version: VERSION,
        urls: offered.contents.map(({path}) => path),
        partitions: ['ab-cd'],
    });
});

test('lists, and whether there is something newer', () => {
    expect(importVersions(`{"current":"2","all":["2","1"],"appstreamUrls":[]}`)).toEqual([
        '2',
        '1',
    ]);
    expect(importVersions('{"current+pending":"2"}')).toEqual([]);
    expect(importNewest('{"available":null}')).toBeNull();
    expect(importNewest(`{"available":"${VERSION}"}`)).toBe(VERSION);
});

test('what the boot menu has', () => {
    expect(importBootEntries(JSON.stringify(entries))).toEqual([
        {title: 'Snow 1', path: entries[0]?.path, isDefault: true},
        {title: 'auto-reboot-to-firmware-setup', path: null, isDefault: false},
    ]);
});

test.for([
    [importNewest, {available: '../../etc'}, 'available is no version'],
    [importNewest, {available: '--root=/'}, null],
    [importNewest, {}, 'available'],
    [importVersions, {all: ['1', 2]}, 'all[1] is no string'],
    [importVersions, {all: ['1 2']}, 'all[0] is no version'],
    [importInstalled, {...installed, installed: 'yes'}, 'installed is no boolean'],
    [importInstalled, {...installed, contents: [{path: 1}]}, 'contents[0].type'],
    [importInstalled, {...installed, version: undefined}, 'version is no string'],
    [importBootEntries, [{isDefault: 1}], '[0].isDefault is no boolean'],
    [importBootEntries, {}, 'is no list'],
] as const)('%o of %j names what is wrong', ([importer, value, text]) => {
    const read = () => importer(JSON.stringify(value));
    if (text === null) return void expect(read).toThrow('no version');
    expect(read).toThrow(text);
});

test('whatever a document has become, it is understood or refused', () => {
    const whole = fc.constantFrom<readonly [(text: string) => unknown, unknown]>(
        [importInstalled, installed],
        [importOffered, offered],
        [importBootEntries, entries],
        [importVersions, {all: ['1', '2'], current: '2'}],
        [importNewest, {available: VERSION}],
    );
    const value = fc.oneof(fc.jsonValue({maxDepth: 2}), fc.constantFrom(null, '', 'a\nb', -1));
    fc.assert(
        fc.property(whole, fc.nat(), value, fc.nat(), ([importer, document], at, other, cut) => {
            const places: (readonly (string | number)[])[] = [];
            collect(document, [], places);
            const changed = replaced(document, places[at % places.length] ?? [], other);
            const text = JSON.stringify(changed);
            for (const input of [text, text.slice(0, cut % (text.length + 1))]) {
                try {
                    importer(input);
                } catch (error) {
                    expect(error).toBeInstanceOf(SnowError);
                    expect((error as SnowError).message.length).toBeGreaterThan(20);
                }
            }
        }),
        {numRuns: 1000},
    );
});

function collect(
    value: unknown,
    path: readonly (string | number)[],
    places: (readonly (string | number)[])[],
) {
    places.push(path);
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) collect(inner, [...path, key], places);
}

function replaced(
    value: unknown,
    [key, ...rest]: readonly (string | number)[],
    by: unknown,
): unknown {
    if (key === undefined) return by;
    if (Array.isArray(value))
        return value.map((item: unknown, index) =>
            String(index) === String(key) ? replaced(item, rest, by) : item,
        );
    const fields = value as Record<string, unknown>;
    return {...fields, [key]: replaced(fields[key], rest, by)};
}
