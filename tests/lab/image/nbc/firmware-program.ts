// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for the firmware, the boot loader and the initrd of a machine of nbc's: chooses an entry as
// they do, and has the system look as if that had been started, in a unit before all others.
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';

import {
    CONFIG,
    type Config,
    DISK,
    EFI_VARIABLES,
    ROOTS,
    type SlotName,
    UUIDS,
    VAR,
    decodeVariable,
    readJson,
    variable,
    writeFile,
} from './disk.ts';

const {bootLoader} = readJson<Config>(CONFIG, {
    version: '',
    bootLoader: 'systemd-boot',
    stepTime: 0,
});

// a container's /sys has none
run('mount', '-o', 'remount,bind,rw', '/sys');
mkdirSync(EFI_VARIABLES, {recursive: true});
mkdirSync(`${DISK}/efivars`, {recursive: true});
run('mount', '--bind', `${DISK}/efivars`, EFI_VARIABLES);
for (const [slot, device] of Object.entries(ROOTS)) link(`${DISK}/root${slot}.img`, device);
link(`${DISK}/var.img`, VAR);
link(`${DISK}/esp`, '/dev/vda1');

const cmdline = bootLoader === 'grub2' ? startGrub() : startSystemdBoot();
const booted = Object.entries(UUIDS).find(([, uuid]) => cmdline.includes(`root=UUID=${uuid}`));
if (!booted) throw new Error(`No slot is started by ${cmdline}`);
const slot = booted[0] as SlotName;
const root = '/run/snow-stand-in/root';
mkdirSync(root, {recursive: true});
run('mount', '-o', 'loop,ro', ROOTS[slot], root);
const release = readFileSync(`${root}/usr/lib/os-release`, 'utf8');
run('umount', root);
if (!release.includes('IMAGE_VERSION='))
    throw new Error(`Kernel panic: slot ${slot} has no system`);
rmSync('/etc/os-release', {force: true});
writeFileSync('/etc/os-release', release);

writeFile('/run/snow-stand-in/slot', slot);
writeFile('/run/snow-stand-in/cmdline', `${cmdline}\n`);
run('mount', '--bind', '/run/snow-stand-in/cmdline', '/proc/cmdline');
// tmpfiles.d does this on a real one
writeFile('/run/nbc-booted', 'nbc');

/** As systemd-boot(7): once, else what was chosen, else what loader.conf says. */
function startSystemdBoot(): string {
    const once = variable('LoaderEntryOneShot');
    const chosen = [decodeVariable(once), decodeVariable(variable('LoaderEntryDefault'))];
    rmSync(once, {force: true});
    const entries = [...chosen, 'bootc.conf', 'bootc-previous.conf'].filter(Boolean);
    for (const entry of entries) {
        const path = `/boot/loader/entries/${entry}`;
        if (!existsSync(path)) continue;
        const options = /^options\s+(.*)$/m.exec(readFileSync(path, 'utf8'))?.[1];
        if (options !== undefined) return options;
    }
    throw new Error('There is no boot entry');
}

/** The first entry, or the one that a person chose in the menu. */
function startGrub(): string {
    const text = readFileSync('/boot/grub/grub.cfg', 'utf8');
    const kernels = [...text.matchAll(/^\s*linux \S+ (.*)$/gm)].map(([, options = '']) => options);
    const choice = '/var/lib/snow-stand-in/menu-choice';
    const index = existsSync(choice) ? Number(readFileSync(choice, 'utf8')) : 0;
    rmSync(choice, {force: true});
    return kernels[index] ?? '';
}

function link(target: string, path: string): void {
    rmSync(path, {force: true});
    symlinkSync(target, path);
}

function run(program: string, ...args: readonly string[]): void {
    const {status, stderr} = spawnSync(program, args, {encoding: 'utf8'});
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
}
