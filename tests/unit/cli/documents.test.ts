// SPDX-License-Identifier: GPL-2.0-or-later
import {execFile} from 'node:child_process';
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';

import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {commands, options} from '../../../helper/src/cli/commands.ts';
import {documents} from '../../../helper/src/cli/documents/documents.ts';
import {exitCodes} from '../../../helper/src/cli/exit-codes.ts';
import {helpText} from '../../../helper/src/cli/help.ts';

const execute = promisify(execFile);
const template = await readFile(
    join(import.meta.dirname, '../../../data/man/snowctl.1.in'),
    'utf8',
);
const made = documents(template, '1.2.3');
const man = made['man/snowctl.1'] ?? '';

describe('help', () => {
    it('has a line for every command', () => {
        for (const {name, summary} of commands) {
            expect(helpText('')).toContain(`  ${name}`);
            expect(helpText('')).toContain(summary);
        }
        expect(
            Math.max(
                ...helpText('')
                    .split('\n')
                    .map(line => line.length),
            ),
        ).toBeLessThan(90);
    });

    it('has a line for every option of a command', () => {
        for (const command of commands)
            for (const name of command.options)
                expect(helpText(command.name)).toContain(`--${name}`);
    });

    it('lists only the commands of a group', () => {
        expect(helpText('features')).toContain('features rollback');
        expect(helpText('features')).not.toContain('doctor');
    });
});

describe('the manual page', () => {
    it('has every command, option and exit status', () => {
        for (const {name} of commands) expect(man).toContain(`.It Cm ${name}`);
        for (const {name} of options) expect(man).toContain(`Fl -${name}`);
        for (const [code, {status}] of Object.entries(exitCodes)) {
            expect(man).toContain(`.It ${code}\n`);
            expect(man).toContain(`.It ${status}\n`);
        }
    });

    it('has nothing left of the template', () => {
        expect(man).not.toMatch(/@[A-Z-]+@/);
        expect(man).toContain('1.2.3');
    });
});

describe.each(['completions/snowctl.bash', 'completions/_snowctl', 'completions/snowctl.fish'])(
    '%s',
    path => {
        it('has every word and option', () => {
            for (const {name} of commands)
                for (const word of name.split(' ')) expect(made[path]).toContain(word);
            for (const {name} of options) expect(made[path]).toMatch(new RegExp(`(--|-l )${name}`));
        });
    },
);

describe('the completion of bash', () => {
    let directory: string;

    beforeAll(async () => {
        directory = await mkdtemp(join(tmpdir(), 'snow-completion-'));
        await writeFile(join(directory, 'snowctl.bash'), made['completions/snowctl.bash'] ?? '');
    });
    afterAll(() => rm(directory, {recursive: true, force: true}));

    /** What is offered for the last word, which bash has split at `=`. */
    async function offered(...words: readonly string[]): Promise<readonly string[]> {
        const script = `
            source "$1"; shift
            snowctl() {
                case "$*" in
                    '__complete disabled') printf 'podman\\tContainers\\n$(touch hacked)\\tHostile\\n' ;;
                    '__complete enabled') printf 'docker\\tThe engine\\n' ;;
                    '__complete version docker') printf '1.1\\tinstalled\\n1.0\\t\\n' ;;
                    '__complete channel') printf 'snow\\tSnow\\nsnowfield\\tSnowfield\\n' ;;
                    '__complete job') printf '7\\tfeatures.enable x\\n' ;;
                esac
            }
            compopt() { :; }
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
            _snowctl
            printf '%s\\n' "\${COMPREPLY[@]}"`;
        const {stdout} = await execute(
            'bash',
            ['--norc', '-uc', script, 'bash', join(directory, 'snowctl.bash'), 'snowctl', ...words],
            {cwd: directory},
        );
        return stdout.split('\n').filter(Boolean);
    }

    it.each([
        [[''], ['features', 'image', 'intune', 'jobs', 'cancel', 'doctor', 'help']],
        [['fe'], ['features']],
        [['features', 'e'], ['enable']],
        [
            ['features', 'enable', ''],
            ['podman', '$(touch hacked)'],
        ],
        [['features', 'enable', 'podman', 'p'], ['podman']],
        [['features', 'disable', '--no-wait', ''], ['docker']],
        [
            ['features', 'rollback', 'docker', ''],
            ['1.1', '1.0'],
        ],
        [['features', 'rollback', 'docker', '1.0', ''], []],
        [
            ['features', 'auto', 'o'],
            ['on', 'off'],
        ],
        [['features', 'list', ''], []],
        [['features', 'list', '--json', '=', 's'], ['stream']],
        [
            ['features', 'list', '--json', '='],
            ['document', 'stream'],
        ],
        [
            ['features', 'enable', '--no-'],
            ['--no-merge', '--no-wait', '--no-ask-password'],
        ],
        [['features', 'list', '--r'], ['--root=']],
        [['features', '--root', '=', '/mnt', 'd'], ['disable']],
        [['features', '--root', '/mnt', 'd'], ['disable']],
        [
            ['image', 'switch', 's'],
            ['snow', 'snowfield'],
        ],
        [['image', 'switch', 'snow', ''], []],
        [
            ['image', 'update', '--d'],
            ['--dry-run', '--download-only'],
        ],
        [['image', 'un'], ['unstage']],
        [
            ['intune', 'r'],
            ['restart', 'run', 'recreate'],
        ],
        [
            ['intune', 'recreate', '--channel', '=', ''],
            ['stable', 'insiders'],
        ],
        [
            ['intune', 'autostart', 'o'],
            ['on', 'off'],
        ],
        [['intune', 'start', '--user', '=', 'roo'], ['root']],
        [['intune', 'run', ''], []],
        [['cancel', ''], ['7']],
        [['help', 'features', 'c'], ['check']],
        [['nonsense', ''], []],
    ])('after %j offers %j', async (words, names) => {
        expect(await offered(...words)).toEqual(names);
    });
});
