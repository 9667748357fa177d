// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from './error.ts';
import {localFiles} from './files.ts';
import type {Host, Http} from './host.ts';
import {localLocks} from './locks.ts';
import {localPrograms} from './programs.ts';

/** This machine without a network and without systemd, for a program that is to be quick: a fifth to load. */
export function fileHost(): Host {
    return {
        root: '',
        files: localFiles(''),
        programs: localPrograms,
        http: noHttp,
        systemd: null,
        locks: localLocks(''),
    };
}

const refuse = (): Promise<never> =>
    Promise.reject(new SnowError('NotSupported', 'This program fetches nothing'));

const noHttp: Http = {
    open: refuse,
    size: refuse,
    readBytes: refuse,
    warmUp: () => undefined,
    close: () => Promise.resolve(),
};
