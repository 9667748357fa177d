// SPDX-License-Identifier: GPL-2.0-or-later
import {rmSync} from 'node:fs';

import {execa} from 'execa';

import {makeOwnDirectory} from './scratch.ts';

let made: Promise<string> | undefined;

/**
 * The directory that `npm run install:system` fills, for `Guest.boot({install})`; made once a process,
 * or by the caller of this process, who names it in SNOW_LAB_INSTALL.
 */
export function installedSystem(): Promise<string> {
    made ??= install();
    return made;
}

async function install(): Promise<string> {
    const given = process.env['SNOW_LAB_INSTALL'];
    if (given) return given;
    const directory = await makeOwnDirectory(`installed-${process.pid}-0`);
    process.once('exit', () => rmSync(directory, {recursive: true, force: true}));
    await execa('npm', ['run', '--silent', 'install:system'], {
        env: {DESTDIR: directory},
        stdin: 'ignore',
        all: true,
    });
    return directory;
}
