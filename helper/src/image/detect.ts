// SPDX-License-Identifier: GPL-2.0-or-later
import type {Host} from '../host/host.ts';
import type {ImageDriver} from './driver.ts';

/**
 * Who manages the image that this machine was booted from; null: nobody whom we know.
 *
 * @param drivers the most particular first
 */
export async function detectDriver(
    host: Host,
    drivers: readonly ImageDriver[],
): Promise<ImageDriver | null> {
    for (const driver of drivers) if (await driver.detect(host)) return driver;
    return null;
}
