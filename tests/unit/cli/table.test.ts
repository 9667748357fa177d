// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {fields, table} from '../../../helper/src/cli/table.ts';

const plain = {columns: null, isBold: false};

describe('table', () => {
    const header = ['NAME', 'STATE', 'DESCRIPTION'];
    const rows = [
        ['docker', 'enabled, merged', 'Containers'],
        ['k3s', 'disabled', 'A cluster of one'],
    ];

    it('aligns its columns, and leaves no spaces at the end', () => {
        expect(table(header, rows, plain)).toBe(
            [
                'NAME    STATE            DESCRIPTION\n',
                'docker  enabled, merged  Containers\n',
                'k3s     disabled         A cluster of one\n',
            ].join(''),
        );
    });

    it('makes only the header bold, and only where it is wanted', () => {
        const lines = table(header, rows, {columns: null, isBold: true}).split('\n');
        expect(lines[0]).toBe('\u001b[1mNAME    STATE            DESCRIPTION\u001b[0m');
        expect(lines[1]).toBe('docker  enabled, merged  Containers');
        expect(table(header, rows, plain)).not.toContain('\u001b');
    });

    it('cuts the last column to the width of the terminal', () => {
        const lines = table(header, rows, {columns: 38, isBold: false}).split('\n');
        expect(lines[2]).toBe('k3s     disabled         A cluster of…');
        expect(Math.max(...lines.map(line => line.length))).toBe(38);
    });

    it('counts columns and not characters', () => {
        const wide = table(
            ['A', 'B'],
            [
                ['日本', 'x'],
                ['e\u0301', 'y'],
            ],
            plain,
        );
        expect(wide).toBe('A     B\n日本  x\ne\u0301     y\n');
    });

    it('does not let data drive the terminal', () => {
        const text = table(['A'], [['\u001b]0;title\u0007\n\u009b2J\u202e']], plain);
        expect(text.split('\n')).toHaveLength(3);
        expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
    });
});

it('shows several values of a field below each other', () => {
    expect(
        fields(
            [
                ['Name', ['docker']],
                ['Nothing', []],
                ['On disk', ['1.0', '1.1']],
            ],
            plain,
        ),
    ).toBe('Name:    docker\nOn disk: 1.0\n         1.1\n');
});
