// SPDX-License-Identifier: GPL-2.0-or-later
// What there is of bootc on a machine.

import {randomUUID} from 'node:crypto';

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';
import {STAGE_SCRIPT, statusCommand, versionCommand} from './commands.ts';
import {failureOf} from './failures.ts';
import {type BootcHost, importStatus} from './status.ts';

const BOOTC = '/usr/bin/bootc';
const OSTREE_BOOTED = '/run/ostree-booted';
const CMDLINE = '/proc/cmdline';
/** Milliseconds. */
const TIMEOUT = 30_000;

/** Whether the running system is one that bootc may manage; its status has the last word. */
export async function isBooted(host: Host): Promise<boolean> {
    const {files} = host;
    if (!(await files.status(BOOTC))) return false;
    if (await files.status(OSTREE_BOOTED)) return true;
    return hasKernelOption(host, ['composefs', 'ostree']);
}

/** Whether deployments are in a composefs store, not in one of ostree. */
export async function isComposefs(host: Host): Promise<boolean> {
    if (await host.files.status(OSTREE_BOOTED)) return false;
    return hasKernelOption(host, ['composefs']);
}

async function hasKernelOption({files}: Host, names: readonly string[]): Promise<boolean> {
    const words = ((await files.readText(CMDLINE)) ?? '').split(/\s+/);
    return words.some(word => names.some(name => word.startsWith(`${name}=`)));
}

export async function hasStageScript({files}: Host): Promise<boolean> {
    return (await files.status(STAGE_SCRIPT)) !== null;
}

/**
 * Asks bootc, which makes a mount namespace of its own, as the service must not. Throws SnowError
 * Failed that names the field which is wrong.
 */
export async function readBootcHost({systemd}: Host): Promise<BootcHost> {
    if (!systemd) throw new SnowError('NotSupported', 'Only a running system has a state of bootc');
    // The service and the worker may both ask at once.
    const name = `snow-bootc-status-${randomUUID()}`;
    const result = await systemd.runUnit(name, statusCommand, {timeout: TIMEOUT});
    if (result.exitCode !== 0) throw failureOf('bootc status', result);
    return importStatus(result.stdout);
}

/** Null: it does not say it. */
export async function readVersion({programs}: Host, signal: AbortSignal): Promise<string | null> {
    const {exitCode, stdout} = await programs.run(versionCommand, {signal});
    return exitCode === 0 ? (/^bootc (\d+(?:\.\d+)+)/.exec(stdout)?.[1] ?? null) : null;
}
