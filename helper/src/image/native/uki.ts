// SPDX-License-Identifier: GPL-2.0-or-later
// Names of unified kernel images in the boot partition, in which systemd-boot(7) counts the attempts
// to start them (systemd.io/AUTOMATIC_BOOT_ASSESSMENT):
//
//     snow-ab_20260401000000+3-0.efi    3 attempts are left, none was made
//     snow-ab_20260401000000+0-3.efi    none is left: it comes last of all
//     snow-ab_20260401000000.efi        it was started well, or is not counted
//     snow-ab_20260401000000+0-0.efi    never tried and none left: that is how we set one aside

import {basename, dirname} from 'node:path';

export interface Attempts {
    readonly left: number;
    readonly done: number;
}

/** A file that the boot loader starts. */
export interface Uki {
    /** Absolute path. */
    readonly path: string;
    /** Its name without attempts and `.efi`. */
    readonly stem: string;
    /** Null: not counted. */
    readonly attempts: Attempts | null;
}

/** What is given to one that is to prove itself. */
export const FRESH: Attempts = {left: 3, done: 0};
/** For one that is not to be started, though nothing is wrong with it. */
export const ASIDE: Attempts = {left: 0, done: 0};

const NAME = /^([A-Za-z0-9._~^-][A-Za-z0-9._~^+-]{0,200}?)(?:\+(\d{1,9})(?:-(\d{1,9}))?)?\.efi$/;

/** Null: the path is none of a boot loader's file that we would touch. */
export function parseUki(path: string): Uki | null {
    const name = basename(path);
    const [, stem, left, done] = NAME.exec(name) ?? [];
    if (stem === undefined || stem.startsWith('.') || path !== `${dirname(path)}/${name}`)
        return null;
    if (!path.startsWith('/') || path.split('/').includes('..')) return null;
    const attempts = left === undefined ? null : {left: Number(left), done: Number(done ?? 0)};
    return {path, stem, attempts};
}

export function withAttempts({path, stem}: Uki, attempts: Attempts | null): Uki {
    const counter = attempts ? `+${attempts.left}-${attempts.done}` : '';
    return {path: `${dirname(path)}/${stem}${counter}.efi`, stem, attempts};
}

/** Whether the boot loader starts it only when there is nothing else. */
export function isExhausted({attempts}: Uki): boolean {
    return attempts?.left === 0;
}

/** Whether it was started as often as it could be, and never well. */
export function hasFailed({attempts}: Uki): boolean {
    return attempts?.left === 0 && attempts.done > 0;
}
