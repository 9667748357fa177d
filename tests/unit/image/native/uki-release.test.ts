// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import fc from 'fast-check';
import {afterAll, beforeAll, expect, test} from 'vitest';

import {localHost} from '../../../../helper/src/host/local-host.ts';
import {findSection, readUkiRelease} from '../../../../helper/src/image/native/uki-release.ts';

const RELEASE = 'ID=debian\nVERSION_ID=13\nIMAGE_VERSION=20260401000000\n';
const PE = 0x80;
const OPTIONAL_HEADER = 240;
const TABLE = PE + 24 + OPTIONAL_HEADER;

interface SectionOptions {
    readonly name: string;
    readonly content: Buffer;
    /** What the table says instead of the truth. */
    readonly sizeInMemory?: number;
    readonly sizeInFile?: number;
    readonly offset?: number;
}

/** A PE file of these sections, each of them rounded up to 512 bytes. */
function makePe(sections: readonly SectionOptions[], firstAt = 1024): Buffer {
    const headers = Buffer.alloc(firstAt);
    headers.write('MZ');
    headers.writeUInt32LE(PE, 0x3c);
    headers.write('PE\0\0', PE);
    headers.writeUInt16LE(sections.length, PE + 6);
    headers.writeUInt16LE(OPTIONAL_HEADER, PE + 20);
    const contents: Buffer[] = [];
    let end = firstAt;
    for (const [index, {name, content, ...lies}] of sections.entries()) {
        const at = TABLE + index * 40;
        const padded = Buffer.concat([content, Buffer.alloc(512 - (content.length % 512))]);
        headers.write(name, at);
        headers.writeUInt32LE(lies.sizeInMemory ?? content.length, at + 8);
        headers.writeUInt32LE(lies.sizeInFile ?? padded.length, at + 16);
        headers.writeUInt32LE(lies.offset ?? end, at + 20);
        contents.push(padded);
        end += padded.length;
    }
    return Buffer.concat([headers, ...contents]);
}

let root: string;
beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'uki-'));
});
afterAll(() => rm(root, {recursive: true, force: true}));

async function read(content: Buffer) {
    await writeFile(join(root, 'file.efi'), content);
    return readUkiRelease(localHost(root), '/file.efi');
}

const osrel = {name: '.osrel', content: Buffer.from(RELEASE)};
const linux = {name: '.linux', content: Buffer.alloc(100_000, 1)};

test('the os-release is read, wherever its section is', async () => {
    const release = {ID: 'debian', VERSION_ID: '13', IMAGE_VERSION: '20260401000000'};
    expect(await read(makePe([osrel, linux]))).toEqual(release);
    expect(await read(makePe([linux, osrel]))).toEqual(release);
});

test('a file that is none, or has none, has no os-release', async () => {
    expect(await readUkiRelease(localHost(root), '/nothing.efi')).toBeNull();
    for (const content of [Buffer.alloc(0), Buffer.from('MZ'), Buffer.from(RELEASE)])
        expect(await read(content)).toBeNull();
    expect(await read(makePe([linux]))).toBeNull();
    expect(await read(makePe([{...osrel, content: Buffer.alloc(0), sizeInFile: 0}]))).toBeNull();
});

test('what is in memory only, or beyond the end of the file, is not there', async () => {
    expect(await read(makePe([{...osrel, offset: 0xffff_f000}]))).toBeNull();
    expect(await read(makePe([{...osrel, offset: 50_000}]))).toBeNull();
    expect(await read(makePe([{...osrel, sizeInMemory: 2 ** 31, sizeInFile: 2 ** 31}]))).toBeNull();
});

test('a truncated file has none', async () => {
    const whole = makePe([linux, osrel]);
    expect(await read(whole.subarray(0, whole.length - 600))).toBeNull();
});

test('no file makes it crash, or read what is not in it', () => {
    const valid = makePe([osrel, linux]);
    const change = fc.record({at: fc.nat(TABLE + 80), byte: fc.integer({min: 0, max: 255})});
    const mutated = fc.array(change, {maxLength: 12}).map(changes => {
        const bytes = Buffer.from(valid);
        for (const {at, byte} of changes) bytes[at] = byte;
        return bytes;
    });
    const truncated = fc.nat(valid.length).map(length => valid.subarray(0, length));
    const random = fc.uint8Array({maxLength: 2000}).map(bytes => Buffer.from(bytes));
    fc.assert(
        fc.property(fc.oneof(mutated, truncated, random), bytes => {
            const section = findSection(bytes, '.osrel');
            if (section === null) return;
            expect(section.size).toBeGreaterThan(0);
            expect(section.offset).toBeGreaterThanOrEqual(0);
        }),
        {numRuns: 2000},
    );
});
