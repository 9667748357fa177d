// SPDX-License-Identifier: GPL-2.0-or-later
// Before the first file of a tier: one installation for all the processes that boot guests.
import {installedSystem} from './installation.ts';

export default async function installOnce(): Promise<void> {
    process.env['SNOW_LAB_INSTALL'] = await installedSystem();
}
