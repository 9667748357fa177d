// SPDX-License-Identifier: GPL-2.0-or-later
// Whatever the programs around us print, and whatever lies in the files that we share with them: it is
// understood, or refused with the name of the field that is wrong. Documents that are valid are changed
// in one place or in many, as values and as text.
import fc from 'fast-check';
import {describe, expect, test} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import {importCheck as importBootcCheck} from '../../../helper/src/image/bootc/check.ts';
import {PullProgress, importProgress} from '../../../helper/src/image/bootc/progress.ts';
import {importIndex, importInspected} from '../../../helper/src/image/bootc/registry.ts';
import {
    imageStatusOf,
    importStatus as importBootcStatus,
} from '../../../helper/src/image/bootc/status.ts';
import {matches, parseChannel} from '../../../helper/src/image/channels.ts';
import {parseHistory} from '../../../helper/src/image/history.ts';
import {parseJobState} from '../../../helper/src/image/job-state.ts';
import {
    parseEntry,
    parseGrubConfiguration,
    parseVariable,
} from '../../../helper/src/image/nbc/boot-menu.ts';
import {nbcMountPoints} from '../../../helper/src/image/nbc/leftovers.ts';
import {pictureOf} from '../../../helper/src/image/nbc/picture.ts';
import {NbcOutput, importEvent, importFailure} from '../../../helper/src/image/nbc/progress.ts';
import {emptyRecord} from '../../../helper/src/image/nbc/slots.ts';
import {importCheck, importDownload, importStatus} from '../../../helper/src/image/nbc/status.ts';
import {UpdateProgress} from '../../../helper/src/image/native/progress.ts';
import {
    importBootEntries,
    importInstalled,
    importNewest,
    importOffered,
    importVersions,
} from '../../../helper/src/image/native/sysupdate.ts';

const RUNS = 400;

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;
const REFERENCE = {image: 'ghcr.io/frostyard/snow:latest', transport: 'registry'};

const bootcImage = {
    image: {...REFERENCE, signature: null},
    version: '20260101000000',
    timestamp: '2026-01-01T00:00:00Z',
    imageDigest: DIGEST,
    architecture: 'amd64',
};
const bootcEntry = {
    image: bootcImage,
    cachedUpdate: bootcImage,
    incompatible: false,
    pinned: false,
    softRebootCapable: true,
    downloadOnly: false,
    store: 'ostreeContainer',
    ostree: {stateroot: 'default', checksum: 'abc123', deploySerial: 0},
    composefs: {verity: 'abc123', bootType: 'Uki'},
};

interface Case {
    readonly name: string;
    readonly valid: unknown;
    /** Reads it, and uses what it read. */
    read(text: string): unknown;
}

const ignored = {step: () => undefined, bytes: () => undefined};

const cases: readonly Case[] = [
    {
        name: 'bootc status',
        valid: {
            apiVersion: 'org.containers.bootc/v1',
            kind: 'BootcHost',
            metadata: {name: 'host'},
            spec: {image: REFERENCE, bootOrder: 'default'},
            status: {
                staged: bootcEntry,
                booted: bootcEntry,
                rollback: bootcEntry,
                otherDeployments: [bootcEntry],
                rollbackQueued: false,
                type: 'bootcHost',
            },
        },
        read(text) {
            const host = importBootcStatus(text);
            return imageStatusOf(host, {hasStageScript: true});
        },
    },
    {
        name: 'bootc progress in bytes',
        valid: {
            type: 'ProgressBytes',
            task: 'pulling',
            description: 'Pulling',
            id: 'x',
            bytesCached: 0,
            bytes: 10,
            bytesTotal: 100,
            stepsCached: 0,
            steps: 1,
            stepsTotal: 2,
            subtasks: [
                {
                    subtask: 'ostree_chunk',
                    description: 'a',
                    id: 'b',
                    bytesCached: 0,
                    bytes: 5,
                    bytesTotal: 50,
                },
            ],
        },
        read(text) {
            new PullProgress(ignored).take(text);
            return importProgress(text);
        },
    },
    {
        name: 'bootc progress in steps',
        valid: {
            type: 'ProgressSteps',
            task: 'staging',
            description: 'Staging',
            steps: 1,
            stepsTotal: 3,
            subtasks: [],
        },
        read(text) {
            new PullProgress(ignored).take(text);
            return importProgress(text);
        },
    },
    {
        name: 'skopeo inspect',
        valid: {
            Name: 'ghcr.io/frostyard/snow',
            Digest: DIGEST,
            Created: '2026-01-01T00:00:00.123456789Z',
            Architecture: 'amd64',
            Os: 'linux',
            Labels: {'org.opencontainers.image.version': '1'},
            LayersData: [{MIMEType: 'x', Digest: DIGEST, Size: 12}],
        },
        read: importInspected,
    },
    {
        name: 'an index of a registry',
        valid: {
            schemaVersion: 2,
            manifests: [{digest: DIGEST, size: 1, platform: {architecture: 'amd64', os: 'linux'}}],
        },
        read: text => importIndex(text, 'amd64'),
    },
    {
        name: 'nbc status',
        valid: {
            image: REFERENCE.image,
            digest: DIGEST,
            device: '/dev/sda',
            active_root: '/dev/sda2',
            active_slot: 'A (root1)',
            root_mount_mode: 'ro',
            bootloader_type: 'systemd-boot',
            filesystem_type: 'ext4',
            install_date: '2026-01-01T00:00:00Z',
            kernel_args: ['quiet'],
            update_check: {available: false, error: 'no such host'},
            staged_update: {
                image_ref: REFERENCE.image,
                image_digest: DIGEST,
                size_bytes: 1,
                ready: true,
            },
            reboot_pending: {
                pending_image_ref: REFERENCE.image,
                pending_image_digest: DIGEST,
                update_time: '2026-01-01T00:00:00Z',
                target_partition: '/dev/sda3',
            },
        },
        read: text =>
            pictureOf({
                nbc: importStatus(text),
                menu: {loader: 'grub', main: 'UUID=a', previous: 'UUID=b', isPreviousNext: false},
                bootedRoot: 'UUID=a',
                record: emptyRecord,
                bootedVersion: '1',
            }),
    },
    {
        name: 'nbc update --check',
        valid: {
            update_needed: true,
            image: REFERENCE.image,
            device: '/dev/sda',
            current_digest: DIGEST,
            new_digest: DIGEST,
            message: 'Update available',
        },
        read: importCheck,
    },
    {
        name: 'nbc download',
        valid: {
            image_ref: REFERENCE.image,
            image_digest: DIGEST,
            cache_dir: '/var/cache',
            size_bytes: 3,
        },
        read: importDownload,
    },
    ...[
        {
            type: 'step',
            timestamp: '2026-01-01T00:00:00Z',
            step: 1,
            total_steps: 7,
            step_name: 'Mounting',
        },
        {type: 'progress', percent: 45, message: 'Extracting layer 3/5'},
        {type: 'message', message: 'Hello'},
        {type: 'error', message: 'Update failed', details: {error: 'it is broken'}},
        {type: 'complete', message: 'Done', details: {image: 'x'}},
    ].map((valid): Case => ({
        name: `nbc event ${valid.type}`,
        valid,
        read(text) {
            new NbcOutput().add(text);
            return importEvent(text);
        },
    })),
    {
        name: 'nbc failure',
        valid: {error: true, message: 'failed to read system config', details: 'not there'},
        read: importFailure,
    },
    {
        name: 'sysupdate list',
        valid: {current: '1', all: ['1', '2'], appstream_urls: []},
        read: importVersions,
    },
    {name: 'sysupdate check-new', valid: {available: '2'}, read: importNewest},
    ...[importInstalled, importOffered].map((read): Case => ({
        name: `sysupdate list VERSION by ${read.name}`,
        valid: {
            version: '20260101000000',
            newest: true,
            available: true,
            installed: true,
            partial: false,
            pending: false,
            incomplete: false,
            contents: [
                {type: 'partition', path: '/dev/sda2', ptuuid: 'ABC'},
                {type: 'regular-file', path: '/efi/EFI/Linux/snow_20260101000000+3-0.efi'},
                {type: 'url-file', path: 'https://example.org/x', ptuuid: 'DEF'},
            ],
        },
        read,
    })),
    {
        name: 'bootctl list',
        valid: [{id: 'a.efi', title: 'A', showTitle: 'A', path: '/efi/a.efi', isDefault: true}],
        read: importBootEntries,
    },
    {
        name: 'state of a job',
        valid: {
            id: '5f87c03a-efee-49f7-a8ab-3418e807a2a1',
            operation: 'update',
            target: '',
            startedBy: 0,
            step: 'x',
            bytesDone: 1,
            bytesTotal: 2,
            fraction: 0.5,
            state: 'failed',
            error: ['Failed', 'text'],
            results: {outcome: 'staged', warnings: ['x'], 'soft-reboot': false, count: 3},
        },
        read: parseJobState,
    },
    {
        name: 'a line of the history',
        valid: {
            time: 1,
            operation: 'update',
            target: '',
            from: {image: 'x', version: '1', digest: DIGEST},
            to: null,
            uid: 0,
            outcome: 'done',
            error: '',
        },
        read: parseHistory,
    },
];

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): readonly Path[] {
    if (typeof value !== 'object' || value === null) return [path];
    const entries: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
        ? value.map((one: unknown, index) => [index, one] as const)
        : Object.entries(value);
    return [path, ...entries.flatMap(([key, one]) => pathsOf(one, [...path, key]))];
}

/** A copy with another value in one place; `undefined` takes it away. */
function changed(document: unknown, [key, ...rest]: Path, value: unknown): unknown {
    if (key === undefined) return value;
    if (typeof document !== 'object' || document === null) return document;
    const copy = (Array.isArray(document) ? [...(document as unknown[])] : {...document}) as Record<
        string | number,
        unknown
    >;
    const inner = changed(copy[key], rest, value);
    if (inner === undefined && !Array.isArray(copy)) Reflect.deleteProperty(copy, key);
    else copy[key] = inner;
    return copy;
}

const junk = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, true, 0, -1, 1.5, 2 ** 60, 1e308, '', [], {}),
    fc.constantFrom<unknown>('\0', 'two\nlines', '\u2028', '__proto__', '-'.repeat(5000), DIGEST),
    fc.constantFrom<unknown>([[[[[[]]]]]], {a: {b: {c: {}}}}, new Array(20).fill(null)),
    fc.string({unit: 'binary', maxLength: 30}),
    fc.jsonValue({maxDepth: 3}),
);

/** What an importer may do with a text: return, or refuse it in one line. */
function outcome(read: () => unknown): SnowError | null {
    try {
        read();
    } catch (error) {
        expect(error).toBeInstanceOf(SnowError);
        expect(error).toMatchObject({code: 'Failed'});
        expect((error as SnowError).message).toMatch(/^[^\n\r\0]{10,1000}$/);
        return error as SnowError;
    }
    return null;
}

function formatPath(path: Path): string {
    return path
        .map(key => {
            if (typeof key === 'number') return `[${key}]`;
            return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
        })
        .join('');
}

/** The field that an error names, as formatPath() has it; null: none. */
function namedField({message}: SnowError): string | null {
    const [, name] = /cannot be understood: (.+?) (?:is|has) /.exec(message) ?? [];
    if (name === undefined) return null;
    return name === 'it' ? '' : name.startsWith('[') ? name : `.${name}`;
}

describe.each(cases)('$name', ({valid, read}) => {
    test('is understood', () => {
        expect(outcome(() => read(JSON.stringify(valid)))).toBeNull();
    });

    test('with one thing wrong it is understood, or that one is named', () => {
        const one = fc.record({path: fc.constantFrom(...pathsOf(valid)), value: junk});
        fc.assert(
            fc.property(one, ({path, value}) => {
                const text = JSON.stringify(changed(valid, path, value)) as string | undefined;
                const error = outcome(() => read(text ?? ''));
                if (!error || text === undefined) return;
                const named = namedField(error);
                const meant = formatPath(path);
                expect(named).not.toBeNull();
                // The field itself, what is in it now, or the whole that it makes wrong.
                expect(`${meant}`.startsWith(named ?? '?') || named?.startsWith(meant)).toBe(true);
            }),
            {numRuns: RUNS},
        );
    });

    test('with many things wrong it is understood or refused', () => {
        const many = fc.array(fc.record({path: fc.constantFrom(...pathsOf(valid)), value: junk}), {
            minLength: 2,
            maxLength: 8,
        });
        fc.assert(
            fc.property(many, changes => {
                const document = changes.reduce<unknown>(
                    (made, {path, value}) => changed(made, path, value),
                    valid,
                );
                outcome(() => read(JSON.stringify(document) ?? ''));
            }),
            {numRuns: RUNS},
        );
    });

    test('as text that is cut, mixed up or doubled it is understood or refused', () => {
        const whole = JSON.stringify(valid);
        const position = fc.nat(whole.length);
        const edit = fc.record({
            from: position,
            to: position,
            text: fc.oneof(
                fc.string({unit: 'binary', maxLength: 5}),
                fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '\\', 'null', '1e999', '\ud800'),
                fc.constantFrom(
                    '{"__proto__":{"polluted":1}}',
                    '"__proto__":{"polluted":1},',
                    whole,
                ),
            ),
        });
        fc.assert(
            fc.property(fc.array(edit, {minLength: 1, maxLength: 3}), edits => {
                const text = edits.reduce(
                    (made, {from, to, text: inserted}) =>
                        `${made.slice(0, from)}${inserted}${made.slice(to)}`,
                    whole,
                );
                outcome(() => read(text));
                expect({}).not.toHaveProperty('polluted');
            }),
            {numRuns: RUNS},
        );
    });

    test.each(['', ' ', 'null', '[]', '{}', '0', '"x"', 'NaN', '\ufeff{}', '['.repeat(100_000)])(
        '%# of nothing is understood or refused',
        text => void outcome(() => read(text)),
    );
});

describe('texts that are no JSON', () => {
    const channel = [
        '[Channel]',
        'Name=snowfield',
        'Title=Snowfield',
        'Image=ghcr.io/frostyard/snowfield:latest',
        'Description=With the kernel for Microsoft Surface',
        'Drivers=bootc nbc',
        'Hardware=Surface* "Two Words"',
        'NativeChannel=snowfield-ab',
    ];
    const lines = (given: readonly string[]) =>
        fc
            .array(
                fc.oneof(
                    fc.constantFrom(...given),
                    fc.constantFrom('', '[', ']', '=', '[Other]', '# x', '; y', '\\', 'A=\\'),
                    fc.string({unit: 'binary', maxLength: 40}),
                ),
                {maxLength: 15},
            )
            .map(made => made.join('\n'));

    test('channel files', () => {
        const path = '/etc/snow-control/channels.d/x.conf';
        expect(outcome(() => parseChannel(path, Buffer.from(channel.join('\n'))))).toBeNull();
        fc.assert(
            fc.property(lines(channel), text => {
                const error = outcome(() => parseChannel(path, Buffer.from(text)));
                if (error) expect(error.message).toContain(path);
            }),
            {numRuns: 1500},
        );
    });

    test.each(channel.slice(1).map(line => line.replace(/=.*/, '')))(
        'a channel file with %s twice, or without it',
        key => {
            const path = '/etc/snow-control/channels.d/x.conf';
            const double = [...channel, channel.find(line => line.startsWith(`${key}=`)) ?? ''];
            const twice = outcome(() => parseChannel(path, Buffer.from(double.join('\n'))));
            expect(twice?.message).toContain(`${path}:9: ${key}= `);
            const less = channel.filter(line => !line.startsWith(`${key}=`)).join('\n');
            const without = outcome(() => parseChannel(path, Buffer.from(less)));
            const isNeeded = ['Name', 'Title', 'Image'].includes(key);
            expect(without?.message ?? null).toEqual(
                isNeeded ? expect.stringContaining(`no ${key}=`) : null,
            );
        },
    );

    test('patterns of hardware take no time', () => {
        expect(matches(`${'*a'.repeat(50)}b`, 'a'.repeat(5000))).toBe(false);
        fc.assert(
            fc.property(fc.string({maxLength: 50}), fc.string({maxLength: 50}), (pattern, name) => {
                expect(typeof matches(pattern, name)).toBe('boolean');
                expect(matches('*', name)).toBe(true);
            }),
        );
    });

    test('boot entries, grub.cfg, mounts and variables of nbc', () => {
        const given = [
            'title Snow',
            'options root=UUID=a ro',
            'set default=1',
            "menuentry 'Snow' {",
            '    linux /vmlinuz-6 root=UUID=a ro',
            '36 35 98:0 / /tmp/nbc-update rw - ext4 /dev/sda2 rw',
            '36 35 98:0 / /tmp/nbc-update/a\\040b rw - ext4 /dev/sda2 rw',
        ];
        fc.assert(
            fc.property(lines(given), fc.uint8Array({maxLength: 40}), (text, bytes) => {
                expect(parseEntry(text) ?? '').toBeTypeOf('string');
                const menu = parseGrubConfiguration(text);
                expect(menu?.main ?? '').toBeTypeOf('string');
                for (const path of nbcMountPoints(text)) expect(path).toMatch(/^\/tmp\/nbc-/);
                expect(parseVariable(Buffer.from(bytes))).toBeTypeOf('string');
            }),
            {numRuns: 1500},
        );
    });

    test('what bootc says of an update, and systemd-sysupdate of a download', () => {
        const given = [
            'Update available for: docker://ghcr.io/frostyard/snow:latest',
            '  Version: 20260101000000',
            `  Digest: ${DIGEST}`,
            'Downloading 1.2G for https://example.org/x.',
            'Got 57% of https://example.org/x.',
            'Got 999% of https://example.org/x.',
            "Successfully acquired 'https://example.org/x'.",
        ];
        fc.assert(
            fc.property(lines(given), text => {
                outcome(() => importBootcCheck(text));
                let before = 0;
                const progress = new UpdateProgress(
                    {
                        step: () => undefined,
                        bytes(done, total) {
                            expect(done).toBeGreaterThanOrEqual(before);
                            expect(done).toBeLessThanOrEqual(total);
                            before = done;
                        },
                    },
                    '1',
                    [{url: 'https://example.org/x', size: 100}],
                );
                for (const line of text.split('\n')) progress.read(line);
            }),
            {numRuns: 1500},
        );
    });
});
