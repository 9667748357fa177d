// SPDX-License-Identifier: GPL-2.0-or-later
// How esbuild makes one file of a program below helper/src/main, for build.mjs and for tests.
import {resolve} from 'node:path';

/** @param {string} version of package.json, or of a test */
export function programOptions(version) {
    return {
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'cjs',
        // Names stay, since they show in the journal when something goes wrong.
        minifySyntax: true,
        minifyWhitespace: true,
        plugins: [leaveOut],
        define: {__VERSION__: JSON.stringify(version)},
        logLevel: 'warning',
    };
}

/** See helper/src/host/left-out.ts. */
const leaveOut = {
    name: 'leave-out',
    setup(builder) {
        const filter = /^(fast-xml-(parser|builder)|node:crypto|node:child_process)$/;
        const {absWorkingDir = resolve(import.meta.dirname, '..')} = builder.initialOptions;
        const path = resolve(absWorkingDir, 'helper/src/host/left-out.ts');
        builder.onResolve({filter}, ({importer}) =>
            importer.includes('/@jellybrick/dbus-next/') ? {path} : undefined,
        );
    },
};
