// SPDX-License-Identifier: GPL-2.0-or-later
// A native A/B machine in a guest: a disk with two slots behind a loop device, that the real
// systemd-sysupdate writes; unified kernel images that ukify made; a signed repository.

import {randomBytes, randomUUID} from 'node:crypto';
import {mkdir, mkdtemp, readFile, readdir, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {build} from 'esbuild';
import {execa} from 'execa';

import {serveInGuest} from '../../guest-repository.ts';
import {Guest, type GuestOptions} from '../../guest.ts';
import {type ManifestOptions, componentDirectory, publish} from '../../publication.ts';
import type {Repository} from '../../repository.ts';
import {type SigningKey, makeKey} from '../../signing.ts';
import type {TreeName} from '../../trees.ts';
import type {Driven} from './drive-program.ts';

export const CHANNEL = 'snow-ab';
export const FIRST = '20260101000000';
export const BOOT = '/boot/EFI/Linux';
const PORT = 8080;
const DISK = '/var/lib/lab-disk.raw';
const MIB = 1024 * 1024;

const types = {
    esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
    verity: '2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5',
} as const;

export type Part = 'root' | 'root-verity' | 'uki';

export interface OfferOptions extends ManifestOptions {
    /** Parts that are not published. */
    readonly without?: readonly Part[];
    /** Bytes of the system before its compression; a slot has 8 MiB. */
    readonly size?: number;
}

export interface MachineOptions {
    /** Of systemd 257 or later, with what makes disks and images: `native` by default. */
    readonly tree?: TreeName;
    readonly install?: string;
    /** More files, as of Guest.boot(). */
    readonly files?: GuestOptions['files'];
    /** Whether it has snow's way to stage an update; a stand-in of it. */
    readonly hasStageScript?: boolean;
}

export interface GptPartition {
    readonly name: string;
    readonly uuid: string;
    readonly type: string;
}

export class NativeMachine implements AsyncDisposable {
    private constructor(
        readonly guest: Guest,
        readonly key: SigningKey,
        /** What the repository serves, on the host. */
        readonly directory: string,
        readonly repository: Repository,
        readonly loop: string,
    ) {}

    /** Runs FIRST, in the first slot; the other one is empty, and nothing is published. */
    static async boot({
        tree = 'native',
        install,
        files = {},
        hasStageScript = false,
    }: MachineOptions = {}) {
        const key = await makeKey();
        const directory = await mkdtemp(join(tmpdir(), 'native-'));
        const keyring = await key.exportKeyring('binary');
        const guest = await Guest.boot(tree, {
            name: 'native',
            ...(install === undefined ? {} : {install}),
            files: {
                ...files,
                '/usr/lib/snosi/native-ab': '',
                '/etc/os-release': osRelease(FIRST),
                '/etc/systemd/import-pubring.pgp': keyring,
                '/etc/systemd/import-pubring.gpg': keyring,
                // a guest's boot partition is a directory, and its firmware is a file
                '/etc/systemd/system.conf.d/boot.conf': `[Manager]\nDefaultEnvironment=${Object.entries(
                    environment,
                )
                    .map(([name, value]) => `${name}=${value}`)
                    .join(' ')}\n`,
                '/usr/local/bin/bootctl': {
                    content: await readFile(join(import.meta.dirname, 'bootctl.mjs'), 'utf8'),
                    mode: 0o755,
                },
                ...(hasStageScript
                    ? {
                          '/usr/libexec/snosi-sysupdate-stage': {
                              content: await readFile(
                                  join(import.meta.dirname, 'stage-script.sh'),
                                  'utf8',
                              ),
                              mode: 0o755,
                          },
                      }
                    : {}),
            },
        });
        try {
            const loop = await makeDisk(guest);
            for (const [name, text] of Object.entries(transfers(loop)))
                await guest.putFile(`/etc/sysupdate.d/${name}`, text);
            await guest.putFile('/var/lib/lab/drive.mjs', await driveProgram());
            await guest.check(`mkdir -p /boot/EFI/systemd ${BOOT}
                cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi /boot/EFI/systemd/`);
            const repository = await serveInGuest(guest, {directory, port: PORT});
            const machine = new NativeMachine(guest, key, directory, repository, loop);
            await guest.putFile(`${BOOT}/${CHANNEL}_${FIRST}.efi`, await machine.makeUki(FIRST));
            return machine;
        } catch (error) {
            await guest.kill();
            throw error;
        }
    }

    /** Publishes this version, beside those that are there, and signs the list of all. */
    async offer(version: string, {without = [], size = 3 * MIB, ...manifest}: OfferOptions = {}) {
        const directory = componentDirectory(this.directory, CHANNEL);
        await mkdir(directory, {recursive: true});
        const parts: Readonly<Record<Part, () => Promise<readonly [string, Buffer]>>> = {
            root: async () => [`_${randomUUID()}.root.raw.xz`, await compress(randomBytes(size))],
            'root-verity': async () => [
                `_${randomUUID()}.root-verity.raw.xz`,
                await compress(randomBytes(100_000)),
            ],
            uki: async () => ['.efi', await this.makeUki(version)],
        };
        for (const [part, make] of Object.entries(parts)) {
            if (without.some(one => one === part)) continue;
            const [ending, content] = await make();
            await writeFile(join(directory, `${CHANNEL}_${version}${ending}`), content);
        }
        await publish(this.directory, CHANNEL, {key: this.key, ...manifest});
    }

    /** The path of a part in the repository's URL. */
    async pathOf(version: string, part: Part): Promise<string> {
        const ending = part === 'uki' ? '.efi' : `.${part}.raw.xz`;
        const names = await readdir(componentDirectory(this.directory, CHANNEL));
        const name = names.find(
            one => one.startsWith(`${CHANNEL}_${version}`) && one.endsWith(ending),
        );
        return `/ext/${CHANNEL}/${name}`;
    }

    /** A real one, whose os-release is of this version. */
    async makeUki(version: string): Promise<Buffer> {
        const stub = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';
        await this.guest.putFile('/tmp/os-release', osRelease(version));
        await this.guest.check([
            ...['ukify', 'build', `--stub=${stub}`, `--linux=${stub}`, '--uname=6.12.0'],
            ...['--os-release=@/tmp/os-release', '--cmdline=quiet', '--output=/tmp/uki.efi'],
        ]);
        return this.guest.getFile('/tmp/uki.efi');
    }

    /** Runs one operation of the driver. */
    async drive(verb: string): Promise<Driven> {
        const {stdout, stderr} = await this.guest.run(['node', '/var/lib/lab/drive.mjs', verb], {
            env: environment,
        });
        if (stdout === '') throw new Error(`the driver crashed: ${stderr}`);
        return JSON.parse(stdout) as Driven;
    }

    sysupdate(...words: readonly string[]) {
        return this.guest.run(['/usr/lib/systemd/systemd-sysupdate', ...words], {env: environment});
    }

    /** Names in the boot directory. */
    async bootFiles(): Promise<readonly string[]> {
        return (await this.guest.check(['ls', '-A', BOOT])).split('\n').filter(Boolean).sort();
    }

    /** The partition table as it is on the disk. */
    async partitions(): Promise<readonly GptPartition[]> {
        const text = await this.guest.check(['sfdisk', '--json', this.loop]);
        const {partitiontable} = JSON.parse(text) as {
            partitiontable: {partitions: readonly GptPartition[]};
        };
        return partitiontable.partitions.filter(({name}) => name !== 'esp');
    }

    /**
     * Does to the files what systemd-boot and systemd-bless-boot.service do: starts the entry that is
     * the default, which takes its counter away, or not.
     *
     * @param fails a version that cannot be started
     * @returns the version that runs then
     */
    async restart({fails}: {readonly fails?: string} = {}): Promise<string> {
        for (;;) {
            const list = await this.guest.check(['bootctl', '--json=short', 'list'], {
                env: environment,
            });
            const entries = JSON.parse(list) as readonly {path: string; isDefault: boolean}[];
            const path = entries.find(({isDefault}) => isDefault)?.path ?? '';
            const [, version = '', left, done] =
                /_(\d{14})(?:\+(\d+)-(\d+))?\.efi$/.exec(path) ?? [];
            const to = `${BOOT}/${CHANNEL}_${version}`;
            if (version === fails && Number(left ?? 0) > 0) {
                const counter = `+${Number(left) - 1}-${Number(done) + 1}`;
                await this.guest.check(['mv', path, `${to}${counter}.efi`]);
                continue;
            }
            if (left !== undefined) await this.guest.check(['mv', path, `${to}.efi`]);
            await this.guest.putFile('/etc/os-release', osRelease(version));
            return version;
        }
    }

    async [Symbol.asyncDispose]() {
        await this.repository.close();
        await this.guest.kill();
        await this.key.dispose();
        await rm(this.directory, {recursive: true, force: true});
    }
}

export const environment = {
    SYSTEMD_ESP_PATH: '/boot',
    SYSTEMD_XBOOTLDR_PATH: '/boot',
    SYSTEMD_RELAX_ESP_CHECKS: '1',
    SYSTEMD_RELAX_XBOOTLDR_CHECKS: '1',
} as const;

function osRelease(version: string) {
    return `ID=debian
VERSION_ID=13
PRETTY_NAME="Snow ${version}"
IMAGE_ID=snow
IMAGE_VERSION=${version}
`;
}

async function makeDisk(guest: Guest): Promise<string> {
    const slot = (name: string, type: keyof typeof types, size: string) =>
        `size=${size}, type=${types[type]}, name=${name}\n`;
    await guest.check(`truncate -s 32M ${DISK} && sfdisk --quiet ${DISK}`, {
        input: [
            'label: gpt\n',
            slot('esp', 'esp', '1M'),
            slot(`snow_${FIRST}_v`, 'verity', '1M'),
            slot(`snow_${FIRST}_r`, 'root', '8M'),
            slot('_empty', 'verity', '1M'),
            slot('_empty', 'root', '8M'),
        ].join(''),
    });
    const loop = (await guest.check(['losetup', '--find', '--show', DISK])).trim();
    // whoever holds it open keeps it, and it goes with the guest
    await guest.check(`systemd-run --quiet --unit=lab-disk sh -c 'exec sleep infinity <>${loop}'
        sleep 0.2; losetup --detach ${loop}`);
    return loop;
}

/** As snow's images have them, but for the path of the disk and of the repository. */
function transfers(loop: string): Readonly<Record<string, string>> {
    const partition = (part: string, suffix: string) => `[Transfer]
ProtectVersion=%A
Verify=yes
[Source]
Type=url-file
Path=http://127.0.0.1:${PORT}/ext/${CHANNEL}/
MatchPattern=${CHANNEL}_@v_@u.${part}.raw.xz
[Target]
Type=partition
Path=${loop}
MatchPattern=snow_@v_${suffix}
MatchPartitionType=${part}
PartitionFlags=0
ReadOnly=yes
InstancesMax=2
`;
    return {
        '10-root-verity.transfer': partition('root-verity', 'v'),
        '20-root.transfer': partition('root', 'r'),
        '90-uki.transfer': `[Transfer]
ProtectVersion=%A
Verify=yes
[Source]
Type=url-file
Path=http://127.0.0.1:${PORT}/ext/${CHANNEL}/
MatchPattern=${CHANNEL}_@v.efi
[Target]
Type=regular-file
Path=/EFI/Linux
PathRelativeTo=boot
MatchPattern=${CHANNEL}_@v+@l-@d.efi
MatchPattern=${CHANNEL}_@v+@l.efi
MatchPattern=${CHANNEL}_@v.efi
Mode=0444
TriesLeft=3
TriesDone=0
InstancesMax=2
`,
    };
}

async function compress(content: Buffer): Promise<Buffer> {
    const {stdout} = await execa('xz', ['-0', '--stdout'], {input: content, encoding: 'buffer'});
    return Buffer.from(stdout);
}

async function driveProgram(): Promise<string> {
    const {outputFiles} = await build({
        entryPoints: [join(import.meta.dirname, 'drive-program.ts')],
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        write: false,
        banner: {
            js: "import {createRequire} from 'node:module';const require = createRequire(import.meta.url);",
        },
        define: {__VERSION__: '"lab"'},
    });
    return outputFiles[0]?.text ?? '';
}
