// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {SnowError} from '../../../helper/src/host/error.ts';
import {captured} from './captured.ts';

describe('result', () => {
    const tell = (options: Parameters<typeof captured>[0]) => {
        const all = captured(options);
        all.output.note('By the way');
        all.output.event({type: 'step', step: 'Something'});
        all.output.result({answer: 42}, () => 'The answer is 42.\n');
        return all;
    };

    it('is text for people', () => {
        const {out, err} = tell({});
        expect(out()).toBe('The answer is 42.\n');
        expect(err()).toBe('By the way\n');
    });

    it('is one document with --json, and nothing else', () => {
        const {out, err} = tell({json: 'document'});
        expect(JSON.parse(out())).toEqual({answer: 42});
        expect(err()).toBe('');
    });

    it('is the last line with --json=stream', () => {
        const lines = tell({json: 'stream'}).out().split('\n');
        expect(lines.slice(0, 2).map(line => JSON.parse(line) as unknown)).toEqual([
            {type: 'step', step: 'Something'},
            {type: 'result', result: {answer: 42}},
        ]);
        expect(lines.slice(2)).toEqual(['']);
    });

    it('is not printed with --quiet', () => {
        const {out, err} = tell({isQuiet: true});
        expect(out() + err()).toBe('');
    });
});

describe('error', () => {
    const error = new SnowError('Network', 'No\nanswer \u001b[2J');

    it('is one line on standard error, even with --quiet', () => {
        for (const options of [{}, {isQuiet: true}]) {
            const {output, out, err} = captured(options);
            output.error(error);
            expect(err()).toBe('snowctl: No answer \ufffd[2J\n');
            expect(out()).toBe('');
        }
    });

    it('is a document, too, with what was done before', () => {
        const {output, out} = captured({json: 'document'});
        output.error(error, {results: []});
        expect(JSON.parse(out())).toEqual({
            error: {code: 'Network', message: error.message},
            results: [],
        });
    });
});

it.each([
    [{terminal: 80}, true],
    [{terminal: 80, environment: {NO_COLOR: '1'}}, false],
    [{terminal: 80, environment: {NO_COLOR: ''}}, true],
    [{terminal: 80, environment: {TERM: 'dumb'}}, false],
    [{}, false],
])('with %j a header is bold: %j', (options, isBold) => {
    expect(captured(options).output.style.isBold).toBe(isBold);
});

it('draws no line over on a terminal that cannot', () => {
    expect(captured({terminal: 80, environment: {TERM: 'dumb'}}).output.progressColumns).toBeNull();
    expect(captured({terminal: 80}).output.progressColumns).toBe(80);
});
