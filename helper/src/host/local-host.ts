// SPDX-License-Identifier: GPL-2.0-or-later
import {resolve} from 'node:path';

import {localFiles} from './files.ts';
import type {Host} from './host.ts';
import {localHttp} from './http.ts';
import {localLocks} from './locks.ts';
import {localPrograms} from './programs.ts';
import {localSystemd} from './systemd.ts';

/** This machine (empty root), or the tree of an image below root. */
export function localHost(root = ''): Host {
    const prefix = root === '' ? '' : resolve(root).replace(/\/+$/, '');
    return {
        root: prefix,
        files: localFiles(prefix),
        programs: localPrograms,
        http: localHttp(),
        systemd: prefix === '' ? localSystemd() : null,
        locks: localLocks(prefix),
    };
}
