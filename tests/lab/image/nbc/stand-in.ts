// SPDX-License-Identifier: GPL-2.0-or-later
// A guest that looks as if nbc had installed it: two slots with images, a boot loader, a registry. nbc
// itself, bootctl and the firmware are stand-ins, the small programs beside this file.
import {createHash} from 'node:crypto';
import {mkdtemp, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';

import {build} from 'esbuild';
import {execa} from 'execa';

import type {Guest} from '../../guest.ts';
import {
    CONFIG,
    type Config,
    DISK,
    FAULTS,
    type FaultName,
    REGISTRY,
    type RegistryImage,
    UUIDS,
    osRelease,
} from './disk.ts';

export type {FaultName} from './disk.ts';
export {faultNames} from './disk.ts';

const repository = resolve(import.meta.dirname, '../../../..');
const FIRMWARE = '/usr/lib/snow-stand-in/firmware';
const UNIT = 'snow-stand-in-firmware.service';

export const SNOW = 'ghcr.io/frostyard/snow:latest';

/** A digest that is nobody else's. */
export function digestOf(text: string): string {
    return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** An image of a version; the same one each time. */
export function imageOf(version: string, release: RegistryImage['release'] = {}): RegistryImage {
    return {version, digest: digestOf(version), release};
}

export interface NbcOptions extends Partial<Config> {
    /** What slot A has and is booted. */
    readonly installed?: RegistryImage;
    /** What the registry has, by reference. */
    readonly registry?: Readonly<Record<string, RegistryImage>>;
}

async function program(name: string) {
    const {outputFiles} = await build({
        absWorkingDir: repository,
        entryPoints: [`tests/lab/image/nbc/${name}-program.ts`],
        bundle: true,
        write: false,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        banner: {js: '#!/usr/bin/node'},
        logLevel: 'warning',
    });
    return {content: outputFiles[0]?.text ?? '', mode: 0o755};
}

/** For the files of a guest: the programs, and what starts the firmware's before all else. */
export async function nbcPrograms() {
    const unit = [
        '[Unit]',
        'DefaultDependencies=no',
        'After=local-fs.target',
        'Before=sysinit.target',
        'ConditionPathExists=/etc/snow-stand-in/nbc.json',
        '[Service]',
        'Type=oneshot',
        'RemainAfterExit=yes',
        `ExecStart=${FIRMWARE}`,
    ];
    return {
        '/usr/bin/nbc': await program('nbc'),
        '/usr/bin/bootctl': await program('bootctl'),
        [FIRMWARE]: await program('firmware'),
        [`/usr/lib/systemd/system/${UNIT}`]: `${unit.join('\n')}\n`,
        '/usr/lib/systemd/system/nbc-update-download.service':
            '[Service]\nType=oneshot\nExecStart=/usr/bin/nbc update --download-only\n',
    };
}

export class NbcMachine {
    #config: Config;
    #registry: Record<string, RegistryImage>;

    private constructor(
        readonly guest: Guest,
        config: Config,
        registry: Readonly<Record<string, RegistryImage>>,
    ) {
        this.#config = config;
        this.#registry = {...registry};
    }

    /** Installs what nbcPrograms() is for, and starts it. */
    static async install(guest: Guest, options: NbcOptions = {}): Promise<NbcMachine> {
        const {installed = imageOf('20260101000000'), registry = {[SNOW]: installed}} = options;
        const config: Config = {
            version: options.version ?? '0.17.1',
            bootLoader: options.bootLoader ?? 'systemd-boot',
            stepTime: options.stepTime ?? 0,
        };
        const machine = new NbcMachine(guest, config, registry);
        await machine.#writeDisk(installed);
        await machine.configure({});
        await machine.setFaults();
        await machine.publish(registry);
        await guest.check([FIRMWARE]);
        const wants = '/etc/systemd/system/sysinit.target.wants';
        await guest.check(['mkdir', '-p', wants]);
        await guest.check(['ln', '-s', `/usr/lib/systemd/system/${UNIT}`, `${wants}/${UNIT}`]);
        return machine;
    }

    async #writeDisk(installed: RegistryImage) {
        const {guest} = this;
        const directory = await mkdtemp(join(tmpdir(), 'nbc-'));
        try {
            const tree = join(directory, 'tree');
            await mkdir(join(tree, 'usr/lib'), {recursive: true});
            await writeFile(join(tree, 'usr/lib/os-release'), osRelease(installed));
            for (const name of ['rootA', 'rootB', 'var']) {
                const image = join(directory, `${name}.img`);
                const content = name === 'rootA' ? ['-d', tree] : [];
                await execa('mkfs.ext4', ['-q', ...content, image, '4M']);
                await guest.putFile(`${DISK}/${name}.img`, await readFile(image));
            }
        } finally {
            await rm(directory, {recursive: true});
        }
        const {bootLoader} = this.#config;
        const state = {
            image_ref: SNOW,
            image_digest: installed.digest,
            device: '/dev/vda',
            install_date: '2026-01-01T00:00:00Z',
            kernel_args: ['quiet'],
            bootloader_type: bootLoader,
            filesystem_type: 'ext4',
        };
        await guest.putFile('/var/lib/nbc/state/config.json', JSON.stringify(state, null, 2));
        const options = `root=UUID=${UUIDS.A} ro rd.etc.overlay=1`;
        if (bootLoader === 'grub2')
            await guest.putFile(
                '/boot/grub/grub.cfg',
                `set timeout=5\nset default=0\n\nmenuentry 'Snow Linux' {\n    linux /vmlinuz-6.12 ${options}\n}\n`,
            );
        else {
            await guest.putFile('/boot/loader/loader.conf', 'default bootc\ntimeout 5\n');
            await guest.putFile(
                '/boot/loader/entries/bootc.conf',
                `title   Snow Linux\nlinux   /vmlinuz-6.12\noptions ${options}\n`,
            );
        }
    }

    async configure(changes: Partial<Config>) {
        this.#config = {...this.#config, ...changes};
        await this.guest.putFile(CONFIG, JSON.stringify(this.#config));
    }

    /** What the registry has from now on, beside what it had. */
    async publish(images: Readonly<Record<string, RegistryImage>>) {
        Object.assign(this.#registry, images);
        await this.guest.putFile(REGISTRY, JSON.stringify(this.#registry));
    }

    async setFaults(...faults: readonly FaultName[]) {
        await this.guest.putFile(FAULTS, JSON.stringify(faults));
    }

    /** As if the machine was started anew, but for what is in memory and not nbc's. */
    async restart() {
        await this.guest.check(['systemctl', 'stop', 'snowd.service']);
        await this.guest.check(['umount', '/proc/cmdline', '/sys/firmware/efi/efivars']);
        await this.guest.check(['rm', '-f', '/run/nbc-reboot-required']);
        await this.guest.check([FIRMWARE]);
    }

    /** Of the booted system. */
    async bootedVersion() {
        const release = await this.guest.check(['cat', '/etc/os-release']);
        return /IMAGE_VERSION="(.*)"/.exec(release)?.[1];
    }

    /** All that must be as before when something failed, but for times. */
    async snapshot() {
        return this.guest.check(
            `cat /var/lib/nbc/state/config.json; grep -rH . /boot --include='*.conf' --include=grub.cfg | sort; ls /run/nbc-reboot-required ${'/tmp/nbc-update /tmp/nbc-boot'} 2>/dev/null; grep ' /tmp/nbc-' /proc/self/mountinfo; ls -A /var/cache/nbc/staged-update 2>/dev/null; true`,
        );
    }

    /** What the menu of GRUB is told by a person at the next boot. */
    async chooseInMenu(index: number) {
        await this.guest.putFile(`${DISK}/menu-choice`, String(index));
    }
}
