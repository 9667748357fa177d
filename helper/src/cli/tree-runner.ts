// SPDX-License-Identifier: GPL-2.0-or-later
import {featuresDomain} from '../features/object.ts';
import type {Host} from '../host/host.ts';
import type {Runner} from './runner.ts';

/** Works on an image tree in this process, by the same code as the service. */
export function treeRunner(host: Host): Runner {
    const domain = featuresDomain(host);
    return {
        async start({path, interfaceName, method, args, options}) {
            const job = await domain.prepare(path, interfaceName, method, args, options, 0);
            const controller = new AbortController();
            return {
                number: null,
                follow: progress => job.run(progress, controller.signal, process.getuid?.() ?? 0),
                cancel: () => Promise.resolve(controller.abort()),
            };
        },
        [Symbol.asyncDispose]: () => host.http.close(),
    };
}
