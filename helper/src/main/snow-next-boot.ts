// SPDX-License-Identifier: GPL-2.0-or-later
// Run by snow-features-next-boot.service. Whatever goes wrong, the boot goes on, and the extensions
// stay as they were.
import {followAtBoot} from '../features/boot.ts';
import {localHost} from '../host/local-host.ts';

async function main(): Promise<void> {
    try {
        const followed = await followAtBoot({...localHost(), systemd: null});
        const names = followed?.changed ?? [];
        if (names.length > 0) console.log(`Linked for this OS image: ${names.join(', ')}`);
    } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        console.error(`The extensions stay linked as they were: ${reason}`);
    }
}

void main().then(() => process.exit(0));
