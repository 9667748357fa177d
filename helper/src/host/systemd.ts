// SPDX-License-Identifier: GPL-2.0-or-later
import {lstat, readdir} from 'node:fs/promises';

import {hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {ProgramOptions, Systemd} from './host.ts';
import {runProgram} from './programs.ts';

const UNIT_LINKS = '/etc/systemd/system';

/** The running system's service manager, through systemd-run(1) and systemctl(1). */
export const localSystemd: Systemd = {
    async runUnit(name, command, options: ProgramOptions = {}) {
        const stop = (): void => {
            // systemd-run itself is killed by the same signal; the unit would outlive it.
            void runProgram(['systemctl', 'stop', '--no-block', `${name}.service`]).catch(() => {
                // Nothing more can be done for a unit that cannot be stopped; the caller is told of the abort.
            });
        };
        options.signal?.addEventListener('abort', stop, {once: true});
        try {
            const result = await runProgram(
                [
                    'systemd-run',
                    '--quiet',
                    '--wait',
                    '--pipe',
                    '--collect',
                    '--service-type=exec',
                    `--unit=${name}`,
                    '--',
                    ...command,
                ],
                options,
            );
            if (result.exitCode === null) stop();
            return result;
        } finally {
            options.signal?.removeEventListener('abort', stop);
        }
    },
    async isUnitEnabled(unit) {
        // What `systemctl enable` makes and `disable` removes; asking systemctl takes a process.
        for (const name of await readdir(UNIT_LINKS).catch(() => [])) {
            if (!/\.(wants|requires)$/.test(name)) continue;
            try {
                await lstat(`${UNIT_LINKS}/${name}/${unit}`);
                return true;
            } catch (error) {
                if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
            }
        }
        return false;
    },
    async setUnitEnabled(unit, enabled) {
        const verb = enabled ? 'enable' : 'disable';
        const {exitCode, stderr} = await runProgram(['systemctl', verb, '--now', unit]);
        if (exitCode !== 0) throw new SnowError('Failed', `Cannot ${verb} ${unit}: ${stderr}`);
    },
};
