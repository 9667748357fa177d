// SPDX-License-Identifier: GPL-2.0-or-later
import {lstat, readdir} from 'node:fs/promises';

import {hasErrno} from './errno.ts';
import {SnowError} from './error.ts';
import type {Systemd} from './host.ts';
import {runProgram} from './programs.ts';
import type {Units} from './units.ts';

const UNIT_LINKS = '/etc/systemd/system';

/** The running system's service manager. Its connection is made when something is asked of it. */
export function localSystemd(): Systemd {
    let loading: Promise<Units> | undefined;
    /** Loaded late: who only reads has no use for a bus. */
    const units = (): Promise<Units> =>
        (loading ??= import('./units.ts').then(({localUnits}) => localUnits()));
    return {
        runUnit: async (...args) => (await units()).runUnit(...args),
        startUnit: async (...args) => (await units()).startUnit(...args),
        waitForUnit: async (...args) => (await units()).waitForUnit(...args),
        stopUnit: async name => (await units()).stopUnit(name),
        activeState: async name => (await units()).activeState(name),
        isUnitEnabled,
        setUnitEnabled,
    };
}

/** Looks for what `systemctl enable` makes and `disable` removes; asking systemctl takes a process. */
async function isUnitEnabled(unit: string): Promise<boolean> {
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
}

async function setUnitEnabled(unit: string, enabled: boolean): Promise<void> {
    const verb = enabled ? 'enable' : 'disable';
    const {exitCode, stderr} = await runProgram(['systemctl', verb, '--now', unit]);
    if (exitCode !== 0) throw new SnowError('Failed', `Cannot ${verb} ${unit}: ${stderr}`);
}
