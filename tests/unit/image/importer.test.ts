// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, test} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import * as importer from '../../../helper/src/host/importer.ts';

const status = importer.object({
    status: importer.object({
        booted: importer.nullable(
            importer.object({
                image: importer.object({imageDigest: importer.digest}),
                pinned: importer.optional(importer.boolean, false),
                slots: importer.optional(importer.array(importer.object({name: importer.string}))),
            }),
        ),
    }),
});

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

function read(value: unknown) {
    return importer.importJson('bootc', JSON.stringify(value), status);
}

function messageOf(action: () => unknown): string {
    try {
        action();
    } catch (error) {
        expect(error).toBeInstanceOf(SnowError);
        expect(error).toMatchObject({code: 'Failed'});
        return (error as SnowError).message;
    }
    throw new Error('It was understood');
}

describe('what is understood', () => {
    test('known fields are returned, others are not', () => {
        const booted = {image: {imageDigest: DIGEST, new: 1}, slots: [{name: 'A', x: []}]};
        expect(read({status: {booted, more: {}}, apiVersion: 'v1'})).toEqual({
            status: {booted: {image: {imageDigest: DIGEST}, pinned: false, slots: [{name: 'A'}]}},
        });
    });

    test('an optional field may be missing or null', () => {
        const booted = {image: {imageDigest: DIGEST}, pinned: null};
        expect(read({status: {booted}})).toMatchObject({status: {booted: {slots: null}}});
        expect(read({status: {booted: null}})).toEqual({status: {booted: null}});
    });

    test('Go writes what it does not have as an empty string', () => {
        const time = importer.emptyAsNull(importer.timestamp);
        expect(importer.importJson('nbc', '""', time)).toBeNull();
        expect(importer.importJson('nbc', '"2026-01-02T03:04:05.678Z"', time)).toBe(1767323045);
        expect(importer.importJson('nbc', '"2026-01-02T04:04:05+01:00"', time)).toBe(1767323045);
    });

    test('any names make a record, also those that every object has', () => {
        const labels = importer.importJson(
            'nbc',
            '{"__proto__":"a","constructor":"b"}',
            importer.record(importer.string),
        );
        expect([...labels]).toEqual([
            ['__proto__', 'a'],
            ['constructor', 'b'],
        ]);
    });
});

describe('what is wrong is named', () => {
    const good = {image: {imageDigest: DIGEST}};
    test.each([
        [{}, 'status is no object'],
        [[], 'it is no object'],
        ['text', 'it is no object'],
        [null, 'it is no object'],
        [{status: {}}, 'status.booted is no object'],
        [{status: {booted: {image: {}}}}, 'status.booted.image.imageDigest is no string'],
        [
            {status: {booted: {image: {imageDigest: 'sha256:abc'}}}},
            'status.booted.image.imageDigest is no digest',
        ],
        [{status: {booted: {...good, pinned: 'yes'}}}, 'status.booted.pinned is no boolean'],
        [
            {status: {booted: {...good, slots: [{name: 'A'}, {name: 2}]}}},
            'status.booted.slots[1].name is no string',
        ],
        [{status: {booted: {...good, slots: {}}}}, 'status.booted.slots is no list'],
    ])('%j', (value, message) => {
        expect(messageOf(() => read(value))).toBe(
            `bootc gave what cannot be understood: ${message}`,
        );
    });

    test.each([
        ['', 'nothing at all'],
        [' \n', 'nothing at all'],
        ['Error: no such thing', 'it is no JSON'],
        ['{"status":', 'it is no JSON'],
        ['NaN', 'it is no JSON'],
    ])('%j', (text, message) => {
        expect(messageOf(() => importer.importJson('nbc', text, status))).toContain(message);
    });

    test.each([
        [importer.count, -1],
        [importer.count, 1.5],
        [importer.count, 2 ** 53],
        [importer.number, '1'],
        [importer.line, 'two\nlines'],
        [importer.line, `bell\x07`],
        [importer.line, 'x'.repeat(4097)],
        [importer.timestamp, '2026-13-45T00:00:00Z'],
        [importer.timestamp, 'yesterday'],
        [importer.digest, `sha256:${'A'.repeat(64)}`],
        [importer.oneOf('a', 'b'), 'constructor'],
        [importer.array(importer.count), new Array(10_001).fill(0)],
    ])('no value: %#', (kind: importer.Importer<unknown>, value) => {
        messageOf(() => importer.importJson('nbc', JSON.stringify(value), kind));
    });

    test('a path with strange names stays one line, and short', () => {
        const key = `a\n"b${'x'.repeat(5000)}`;
        const message = messageOf(() =>
            importer.importJson(
                'nbc',
                JSON.stringify({[key]: 1}),
                importer.record(importer.string),
            ),
        );
        expect(message).toMatch(/^[^\n]{10,300}$/);
    });
});

describe('what is hostile is harmless', () => {
    test('__proto__ is a field like others, and not inherited from', () => {
        const text = `{"status":{"__proto__":{"booted":null}}}`;
        expect(messageOf(() => importer.importJson('bootc', text, status))).toContain(
            'status.booted is no object',
        );
        const proto = importer.object({__proto__x: importer.optional(importer.string)});
        expect(importer.importJson('x', '{"__proto__":{"__proto__x":"y"}}', proto)).toEqual({
            __proto__x: null,
        });
    });

    test('a fieldname of every object is no field', () => {
        const object = importer.object({toString: importer.optional(importer.string, 'none')});
        expect(importer.importJson('x', '{}', object)).toEqual({toString: 'none'});
    });

    test('nesting without end is refused, or passed by where it is not known', () => {
        const deep = `${'['.repeat(500_000)}${']'.repeat(500_000)}`;
        messageOf(() => importer.importJson('bootc', deep, status));
        const text = `{"status":{"booted":null,"other":${deep}}}`;
        expect(importer.importJson('bootc', text, status)).toEqual({status: {booted: null}});
    });

    test('more than the limit is not even parsed', () => {
        const text = `"${'x'.repeat(100)}"`;
        expect(importer.importJson('nbc', text, importer.string, {maxLength: 102})).toHaveLength(
            100,
        );
        expect(
            messageOf(() => importer.importJson('nbc', text, importer.string, {maxLength: 101})),
        ).toContain('more than 101 characters');
    });
});
