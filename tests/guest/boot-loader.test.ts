// SPDX-License-Identifier: GPL-2.0-or-later
// What the native driver takes for granted of systemd-boot: that of two versions it starts the one
// that the driver chose by the names of their images. Real firmware (OVMF), systemd-boot, kernel and
// bootctl in QEMU; each image starts a shell script that says which one it is.
import {afterAll, beforeAll, expect, test} from 'vitest';

import {planNextBoot} from '../../helper/src/image/native/next-boot.ts';
import {importBootEntries} from '../../helper/src/image/native/sysupdate.ts';
import {type Uki, parseUki} from '../../helper/src/image/native/uki.ts';
import {Guest} from '../lab/guest.ts';

const OLD = '20260101000000';
const NEW = '20260201000000';
const WORK = '/var/tmp/computer';
const ESP = `${WORK}/disk@@1048576`;
const LINUX = '::/EFI/Linux';

let guest: Guest;

beforeAll(async () => {
    guest = await Guest.boot('firmware', {name: 'firmware'});
    await guest.putFile(`${WORK}/init`, init, {mode: 0o755});
    await guest.check(makeComputer, {timeout: 120_000});
}, 180_000);
afterAll(() => guest?.kill());

/** What the computer's script does: it says what there is, and does what it was told. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin SYSTEMD_RELAX_ESP_CHECKS=1 SYSTEMD_ESP_PATH=/esp SYSTEMD_XBOOTLDR_PATH=/esp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for name in nls_ascii nls_cp437 fat vfat efivarfs nvme-core nvme; do
    [ -f /modules/$name.ko ] && insmod /modules/$name.ko
done
mount -t efivarfs efivarfs /sys/firmware/efi/efivars
until [ -b /dev/nvme0n1p1 ]; do sleep 0.1; done
mount -t vfat -o iocharset=ascii /dev/nvme0n1p1 /esp
[ -f /esp/command ] && sh /esp/command
rm -f /esp/command
echo
echo "BOOTED $(sed 's/.*version=//; s/ .*//' /proc/cmdline)"
echo "ENTRIES $(bootctl --json=short --no-pager list)"
umount /esp
sync
poweroff -f
`;

const makeComputer = `set -e
cd ${WORK}
mkdir -p root/bin root/usr/bin root/dev root/proc root/sys root/esp root/tmp root/run root/etc root/modules
mv init root/init
cp /usr/bin/busybox root/bin/busybox
cp /usr/bin/bootctl root/usr/bin/
copy() { mkdir -p "root$(dirname "$1")"; cp -L "$1" "root$1"; }
for file in $(ldd /usr/bin/bootctl | grep -oE '/[^ ]+'); do copy "$file"; done
for name in libcrypto.so.3 libblkid.so.1 libmount.so.1; do
    file=/usr/lib/x86_64-linux-gnu/$name
    if [ -e "$file" ]; then
        copy "$file"
        for more in $(ldd "$file" | grep -oE '/[^ ]+'); do copy "$more"; done
    fi
done
for name in nls_ascii nls_cp437 fat vfat efivarfs nvme-core nvme; do
    file=$(find /usr/lib/modules -name "$name.ko*" | head -n1)
    case $file in
        *.xz) xz -dc "$file" >root/modules/$name.ko ;;
        *.zst) zstd -qdc "$file" >root/modules/$name.ko ;;
        *.ko) cp "$file" root/modules/ ;;
    esac
done
(cd root && find . | cpio --quiet -o -H newc | gzip -1 >../initrd)
for version in ${OLD} ${NEW}; do
    printf 'ID=debian\\nIMAGE_ID=snow\\nIMAGE_VERSION=%s\\n' $version >os-release
    ukify build --linux="$(ls /boot/vmlinuz-*)" --initrd=initrd --uname=6 --os-release=@os-release \\
        --cmdline="console=ttyS0 quiet panic=-1 version=$version" --output=$version.efi
done
truncate -s 320M disk
printf 'label: gpt\\nstart=2048, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B\\n' | sfdisk -q disk
mformat -i ${ESP} -F -T 640000 ::
mmd -i ${ESP} ::/EFI ::/EFI/BOOT ${LINUX} ::/loader
mcopy -i ${ESP} /usr/lib/systemd/boot/efi/systemd-bootx64.efi ::/EFI/BOOT/BOOTX64.EFI
echo 'timeout 0' >loader.conf
mcopy -i ${ESP} loader.conf ::/loader/
mcopy -i ${ESP} ${OLD}.efi ${LINUX}/snow-ab_${OLD}.efi
mcopy -i ${ESP} ${NEW}.efi ${LINUX}/snow-ab_${NEW}+3-0.efi
cp /usr/share/OVMF/OVMF_VARS_4M.fd variables
`;

interface Boot {
    readonly booted: string;
    /** What bootctl says that the next boot starts. */
    readonly next: string;
}

/** Switches it on, and waits until it has switched itself off. */
async function boot(command?: string): Promise<Boot> {
    if (command !== undefined) {
        await guest.putFile(`${WORK}/command`, `${command}\n`);
        await guest.check(`mcopy -o -i ${ESP} ${WORK}/command ::/command`);
    }
    const output = await guest.check(
        `qemu-system-x86_64 -machine q35 -accel tcg,thread=single -cpu max -m 1024 -nographic \\
            -no-reboot -nodefaults -net none -serial stdio \\
            -drive if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd \\
            -drive if=pflash,format=raw,file=${WORK}/variables \\
            -drive file=${WORK}/disk,if=none,id=disk,format=raw \\
            -device nvme,drive=disk,serial=snow,bootindex=1`,
        {timeout: 240_000},
    );
    const booted = /BOOTED (\d+)/.exec(output)?.[1];
    const entries = /ENTRIES (\[.*\])/.exec(output)?.[1];
    if (booted === undefined || entries === undefined)
        throw new Error(`it did not boot:\n${output.slice(-3000)}`);
    const path = importBootEntries(entries).find(({isDefault}) => isDefault)?.path ?? '';
    return {booted, next: /_(\d+)/.exec(path)?.[1] ?? path};
}

/** The images of the boot partition. */
async function images(): Promise<readonly {version: string; uki: Uki}[]> {
    const list = await guest.check(`mdir -b -i ${ESP} ${LINUX}`);
    return [...list.matchAll(/::(\/EFI\/Linux\/snow-ab_(\d{14})\S*\.efi)/g)].map(
        ([, path = '', version = '']) => ({version, uki: parseUki(path) ?? expect.unreachable()}),
    );
}

/** Renames as the driver does. */
async function choose(target: string, running: string) {
    for (const {from, to} of planNextBoot(await images(), target, running))
        await guest.check(`mren -i ${ESP} ::${from.path} ::${to.path}`);
}

/** What systemd-bless-boot.service does when all went well. */
async function bless() {
    for (const {uki} of await images())
        if (uki.attempts && uki.attempts.left > 0)
            await guest.check(`mren -i ${ESP} ::${uki.path} ${LINUX}/${uki.stem}.efi`);
}

test('an update, a rollback that stays, and the way back', async () => {
    expect(await boot()).toEqual({booted: NEW, next: NEW});
    expect((await images()).find(({version}) => version === NEW)?.uki.attempts).toEqual({
        left: 2,
        done: 1,
    });
    await bless();

    await choose(OLD, NEW);
    expect(await boot()).toEqual({booted: OLD, next: OLD});
    expect(await boot()).toEqual({booted: OLD, next: OLD});

    await choose(NEW, OLD);
    expect((await boot()).booted).toBe(NEW);
}, 600_000);

test('a default of its own goes before, until it is cleared', async () => {
    const pin = await boot(`bootctl set-default 'snow-ab_${OLD}*.efi'`);
    expect(pin).toEqual({booted: NEW, next: OLD});
    const cleared = await boot(`bootctl set-oneshot ''; bootctl set-default ''`);
    expect(cleared).toEqual({booted: OLD, next: NEW});
    expect((await boot()).booted).toBe(NEW);
}, 600_000);
