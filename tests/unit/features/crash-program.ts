// SPDX-License-Identifier: GPL-2.0-or-later
// Runs one operation on a tree, and kills itself right before its n-th change of the disk, counted
// in system calls. Every such call is written to a log, so that their order can be looked at.
// crash-program ROOT OPERATION N LOG
import {appendFileSync} from 'node:fs';
import promises, {type FileHandle} from 'node:fs/promises';

import {followAtBoot} from '../../../helper/src/features/boot.ts';
import {extensionsOfNextBoot} from '../../../helper/src/features/next-boot.ts';
import {
    disable,
    enable,
    recover,
    rollback,
    update,
} from '../../../helper/src/features/operations.ts';
import type {Host} from '../../../helper/src/host/host.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {noUnits, refreshTree} from './sysext-tree.ts';

const [root = '', operation = '', count = '', log = ''] = process.argv.slice(2);
let left = Number(count);
/** What systemd-sysext does is not ours to interrupt: it runs in its own unit. */
let isOurs = true;

/** One more change is about to happen. */
function step(what: string): void {
    if (!isOurs) return;
    if (left-- === 0) process.kill(process.pid, 'SIGKILL');
    appendFileSync(log, `${what.replaceAll(root, '').replaceAll(/[0-9a-f]{16}/g, 'RANDOM')}\n`);
}

type Call = (...args: unknown[]) => Promise<unknown>;
const calls = promises as unknown as Record<string, Call>;
for (const name of ['rename', 'unlink', 'symlink', 'mkdir', 'rmdir', 'open', 'writeFile']) {
    const original = calls[name];
    if (!original) throw new Error(name);
    calls[name] = async (...args) => {
        const paths = args.slice(0, 2).map(String);
        const path = (name === 'symlink' ? paths[1] : paths[0]) ?? '';
        const isRead = name === 'open' && (Number(args[1]) & 0o3) === 0;
        if (!isRead && path.startsWith(root))
            step(name === 'rename' ? `rename ${paths.join(' ')}` : `${name} ${path}`);
        const result = await original(...args);
        if (name === 'open') watch(result as FileHandle, path);
        return result;
    };
}

function watch(handle: FileHandle, path: string): void {
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
        step(`fsync ${path}`);
        await sync();
    };
}

const host: Host = {
    ...localHost(root),
    systemd: {
        async runUnit(_name, command) {
            if (command[0] !== 'systemd-sysext') return localHost(root).programs.run(command);
            step('before the refresh');
            isOurs = false;
            await refreshTree(root, {ignored: new Set(), tellsOrigin: false});
            isOurs = true;
            step('after the refresh');
            return {exitCode: 0, signal: null, stdout: '', stderr: ''};
        },
        ...noUnits,
    },
};
const progress = {step: () => undefined, bytes: () => undefined};
const {signal} = new AbortController();
const debian14 = {release: {ID: 'debian', VERSION_ID: '14'}, tree: null};

async function run(): Promise<void> {
    if (operation === 'enable') await enable(host, 'hello', {}, progress, signal);
    else if (operation === 'disable') await disable(host, 'hello', progress, signal);
    else if (operation === 'update') await update(host, null, {}, progress, signal);
    else if (operation === 'recover') await recover(host);
    else if (operation === 'fetch')
        await extensionsOfNextBoot(host).fetch(debian14, progress, signal);
    else if (operation === 'boot') await followAtBoot({...host, systemd: null});
    else await rollback(host, 'hello', '', {}, progress, signal);
    await host.http.close();
}

run().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
});
