// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {commands} from '../../../helper/src/cli/commands.ts';
import {jsonModeOf, parseCommandLine} from '../../../helper/src/cli/parse.ts';
import {SnowError} from '../../../helper/src/host/error.ts';

const parse = (line: string) => parseCommandLine(line.split(' ').filter(Boolean));

function run(line: string) {
    const request = parse(line);
    if (request.kind !== 'run') throw new Error(`${line} is ${request.kind}`);
    return request;
}

function failure(args: string | readonly string[]): SnowError {
    try {
        parseCommandLine(typeof args === 'string' ? args.split(' ').filter(Boolean) : args);
    } catch (error) {
        if (error instanceof SnowError) return error;
        throw error;
    }
    throw new Error('It was understood');
}

describe('commands', () => {
    it.each([
        ['features list', 'features list', []],
        ['features show docker', 'features show', ['docker']],
        ['features enable a b c', 'features enable', ['a', 'b', 'c']],
        ['features update', 'features update', []],
        ['features rollback docker 1.0', 'features rollback', ['docker', '1.0']],
        ['features rollback 1 1', 'features rollback', ['1', '1']],
        ['--json features --quiet list', 'features list', []],
        ['features show -- --odd', 'features show', ['--odd']],
        ['image status', 'image status', []],
        ['image switch snowfield', 'image switch', ['snowfield']],
        ['image switch -- --odd', 'image switch', ['--odd']],
        ['cancel 3', 'cancel', ['3']],
    ])('understands "%s"', (line, name, operands) => {
        expect(run(line)).toMatchObject({command: {name}, operands});
    });

    it.each([
        ['help', ''],
        ['--help', ''],
        ['features --help', 'features'],
        ['help features', 'features'],
        ['help features enable', 'features enable'],
        ['features enable -h', 'features enable'],
        ['features enable docker --help', 'features enable'],
    ])('gives help for "%s"', (line, topic) => {
        expect(parse(line)).toMatchObject({kind: 'help', topic});
    });

    it('leaves everything after the hidden word to the completion', () => {
        expect(parse('__complete version --odd')).toMatchObject({
            kind: 'complete',
            words: ['version', '--odd'],
        });
    });
});

describe('options', () => {
    it('has defaults', () => {
        expect(run('features update').settings).toEqual({
            json: 'none',
            isQuiet: false,
            isDryRun: false,
            isMerging: true,
            isWaiting: true,
            mayAskPassword: true,
            isAutomatic: false,
            isDownloadOnly: false,
            isApplying: false,
            maySoftReboot: false,
            isConfirmed: false,
            root: '',
            intune: expect.objectContaining({user: '', channel: '', isUndone: false}) as unknown,
        });
    });

    it.each([
        ['features list --json', {json: 'document'}],
        ['features list --json=document', {json: 'document'}],
        ['features list --json=stream', {json: 'stream'}],
        ['features list -q', {isQuiet: true}],
        [
            'features enable x --no-merge --no-ask-password',
            {isMerging: false, mayAskPassword: false},
        ],
        ['features enable --no-wait x', {isWaiting: false}],
        ['features enable x --root /mnt', {root: '/mnt'}],
        ['features list --root=/mnt', {root: '/mnt'}],
        ['features list --root=/', {root: ''}],
        ['features update --automatic', {isAutomatic: true, isMerging: false}],
        ['features disable x --dry-run', {isDryRun: true}],
        ['image update --download-only', {isDownloadOnly: true, isApplying: false}],
        ['image update --apply --soft-reboot', {isApplying: true, maySoftReboot: true}],
        ['image update --apply --dry-run', {isApplying: true, isDryRun: true}],
        ['image switch x -y', {isConfirmed: true}],
    ])('understands "%s"', (line, settings) => {
        expect(run(line).settings).toMatchObject(settings);
    });

    it('knows how errors are to be printed before it understands the rest', () => {
        expect(jsonModeOf(['nonsense', '--json'])).toBe('document');
        expect(jsonModeOf(['--json=stream', '--nonsense'])).toBe('stream');
        expect(jsonModeOf(['features', 'show', '--', '--json'])).toBe('none');
    });
});

describe('mistakes', () => {
    it.each([
        ['', 'No command is given; "snowctl help" lists them'],
        ['features', '"features" needs one more word: list, show,'],
        ['feature list', 'There is no command "feature"; did you mean "features"?'],
        ['features lsit', 'There is no command "features lsit"; did you mean "list"?'],
        ['enable docker', 'There is no command "enable"; did you mean "features enable"?'],
        ['zzzzzz', 'There is no command "zzzzzz"'],
        ['features show', '"features show" needs NAME'],
        ['features rollback', '"features rollback" needs NAME'],
        ['features show a b', '"features show" has no use for "b"'],
        ['features list --jsno', 'There is no option "--jsno"; did you mean "--json"?'],
        ['features list --json=yaml', '--json takes document or stream, not "yaml"'],
        ['features list --quiet=yes', '--quiet takes no value'],
        ['features list --root', '--root needs a value: --root=DIR'],
        ['features list --root=', '--root needs a value: --root=DIR'],
        ['features list --dry-run', '"features list" takes no option --dry-run'],
        ['features disable x --no-merge', '"features disable" takes no option --no-merge'],
        ['features enable a b --no-wait', '--no-wait takes one name at a time'],
        ['features enable a --no-wait --root=/mnt', '--no-wait and --root exclude each other'],
        ['features enable a --no-wait --dry-run', '--no-wait and --dry-run exclude each other'],
        ['features update a --automatic', '--automatic updates all, and takes no name'],
        ['features auto maybe', '"features auto" takes on, off, status, not "maybe"'],
        ['image', '"image" needs one more word: status, check,'],
        ['unstage', 'There is no command "unstage"; did you mean "image unstage"?'],
        ['image switch', '"image switch" needs CHANNEL|REFERENCE'],
        ['image switch --option', 'There is no option "--option"'],
        ['image switch a b', '"image switch" has no use for "b"'],
        ['image status --root=/mnt', 'The image commands work on the running system only'],
        ['image update --root=/', 'The image commands work on the running system only'],
        ['image update --apply --no-wait', '--apply and --no-wait exclude each other'],
        ['image update --apply --download-only', '--apply and --download-only exclude each other'],
        ['image update --soft-reboot', '--soft-reboot is of use with --apply only'],
        ['image rollback --no-wait --dry-run', '--no-wait and --dry-run exclude each other'],
        ['image check --dry-run', '"image check" takes no option --dry-run'],
        ['help nonsense', 'There is no command "nonsense"'],
    ])('names what is wrong with "%s"', (line, message) => {
        const error = failure(line);
        expect(error.code).toBe('InvalidArgs');
        expect(error.message).toContain(message);
    });

    it.each([
        ['a control character', ['features', 'show', 'a\u001b[2J']],
        ['a line break', ['features', 'show', 'a\nb']],
        ['what is no UTF-8', ['features', 'show', '\ufffd']],
    ])('refuses %s in one plain line', (_, args) => {
        const {code, message} = failure(args);
        expect(code).toBe('InvalidArgs');
        expect(message).toMatch(/^Argument 3 is not plain text[\x20-\x7e]*$/);
    });

    it('refuses an empty name', () => {
        expect(failure(['features', 'show', '']).message).toContain('empty name');
    });

    it('shortens what is endless', () => {
        expect(failure(['features', 'x'.repeat(100_000)]).message.length).toBeLessThan(200);
    });
});

it('has operands that can be told apart: only the last one repeats or is optional', () => {
    for (const {operands} of commands)
        for (const operand of operands.slice(0, -1))
            expect(operand.isOptional ?? operand.repeats).toBeUndefined();
});
