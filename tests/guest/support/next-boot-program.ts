// SPDX-License-Identifier: GPL-2.0-or-later
// Does to the extensions what a job of the image does once it has staged another system:
// next-boot-program fetch|assess OS-RELEASE
import {readFileSync} from 'node:fs';

import {extensionsOfNextBoot} from '../../../helper/src/features/next-boot.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {parseRelease} from '../../../helper/src/host/os-release.ts';

const [verb = '', file = ''] = process.argv.slice(2);
const host = localHost();
const system = {release: parseRelease(readFileSync(file, 'utf8')), tree: null};
const progress = {step: () => undefined, bytes: () => undefined};
const extensions = extensionsOfNextBoot(host);
const outlooks =
    verb === 'fetch'
        ? extensions.fetch(system, progress, new AbortController().signal)
        : extensions.assess(system);
outlooks
    .then(found => process.stdout.write(JSON.stringify(found)))
    .then(() => host.http.close())
    .then(
        () => process.exit(0),
        (error: unknown) => {
            console.error(error);
            process.exit(1);
        },
    );
