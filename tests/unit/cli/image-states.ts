// SPDX-License-Identifier: GPL-2.0-or-later
import type {ImageState, ImageSummary} from '../../../helper/src/cli/image/state.ts';

export const SNOW = 'ghcr.io/frostyard/snow:latest';
export const SNOWFIELD = 'ghcr.io/frostyard/snowfield:latest';

/** An image, all of which is known. */
export function imageOf(version: string, known: Partial<ImageSummary> = {}): ImageSummary {
    return {
        version,
        image: SNOW,
        transport: 'registry',
        digest: `sha256:${version.padEnd(64, 'a')}`,
        timestamp: null,
        size: null,
        slot: null,
        pinned: false,
        softReboot: false,
        ...known,
    };
}

/** A machine that runs 1 and could go back to 0, but for what is said of it. */
export function stateOf(known: Partial<ImageState> = {}): ImageState {
    return {
        driver: 'bootc',
        followed: SNOW,
        booted: imageOf('1'),
        staged: null,
        rollback: imageOf('0'),
        rollbackQueued: false,
        downloaded: null,
        available: null,
        restartNeeded: false,
        extensions: [],
        channels: [
            {name: 'snow', title: 'Snow', description: '', image: SNOW, followed: true},
            {
                name: 'snowfield',
                title: 'Snowfield',
                description: 'For Surface',
                image: SNOWFIELD,
                followed: false,
            },
        ],
        capabilities: ['check', 'update', 'download-only', 'switch', 'rollback', 'unstage'],
        lastCheck: 0,
        lastOutcome: '',
        problem: '',
        ...known,
    };
}
