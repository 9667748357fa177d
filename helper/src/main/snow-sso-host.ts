// SPDX-License-Identifier: GPL-2.0-or-later
// Started by a browser for an extension that signs its user in.

import {brokerClient} from '../broker/browsers/broker-client.ts';
import {frameOf} from '../broker/browsers/frames.ts';
import {serveExtension} from '../broker/browsers/native-host.ts';
import {MAX_BODY} from '../broker/forwarder.ts';
import {optionsPath, readOptions} from '../broker/options.ts';
import {localFiles} from '../host/files.ts';
import {connectToSessionBus} from '../host/wire/session-bus.ts';

/** Put in by the bundler from package.json. */
declare const __VERSION__: string;

const files = localFiles('');

async function* states(signal: AbortSignal): AsyncGenerator<boolean> {
    const path = optionsPath(process.env);
    yield (await readOptions(files, path)).options.isEnabled;
    try {
        for await (const change of files.watch(path, signal)) {
            void change;
            yield (await readOptions(files, path)).options.isEnabled;
        }
    } catch {
        // There is no directory for the options yet: the browser's next start sees what is in it then.
    }
}

async function main(): Promise<void> {
    const end = new AbortController();
    // The browser is gone.
    process.stdout.on('error', () => process.exit(0));
    await serveExtension({
        input: process.stdin,
        send: document => void process.stdout.write(frameOf(document)),
        ask: brokerClient(() => connectToSessionBus({maxBody: MAX_BODY})),
        states: states(end.signal),
        version: __VERSION__,
    });
    end.abort();
    await new Promise(resolve => process.stdout.write('', resolve));
}

main().then(
    () => process.exit(0),
    (error: unknown) => {
        console.error(`snow-sso-host: ${error instanceof Error ? error.message : String(error)}`);
        process.exit(1);
    },
);
