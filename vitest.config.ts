// SPDX-License-Identifier: GPL-2.0-or-later
import {defineConfig} from 'vitest/config';

/**
 * One project a tier. Those that time what a person sees, and those that share a bus, run their files
 * one after the other.
 */
function tier(name: string, testTimeout: number) {
    return {
        test: {
            name,
            include: [`tests/${name}/**/*.test.ts`],
            testTimeout,
            hookTimeout: Math.max(testTimeout, 30_000),
            expect: {poll: {timeout: 15_000}},
            ...(name === 'guest' || name === 'desktop' || name === 'hotplug'
                ? {globalSetup: 'tests/lab/install-once.ts'}
                : {}),
            fileParallelism: name === 'unit' || name === 'guest',
        },
    };
}

export default defineConfig({
    test: {
        maxWorkers: 2,
        projects: [
            tier('unit', 20_000),
            tier('bus', 120_000),
            tier('guest', 300_000),
            tier('desktop', 300_000),
            tier('hotplug', 1_300_000),
        ],
    },
});
