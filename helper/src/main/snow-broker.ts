// SPDX-License-Identifier: GPL-2.0-or-later
import {parseArgs} from 'node:util';

import {MAX_BODY} from '../broker/forwarder.ts';
import {optionsPath} from '../broker/options.ts';
import {BrokerService} from '../broker/service.ts';
import {logError, logInfo, logNotice} from '../bus/journal.ts';
import {localFiles} from '../host/files.ts';
import {connectToSessionBus} from '../host/wire/session-bus.ts';
import {sessionIn} from '../intune/session-environment.ts';

/** Put in by the bundler from package.json. */
declare const __VERSION__: string;

const USAGE = `snow-broker [--idle-timeout=SECONDS]

Hands calls of com.microsoft.identity.broker1 on to the user's Intune container; started by the bus of
the session.`;

async function main(): Promise<number> {
    const {values} = parseArgs({
        options: {
            'idle-timeout': {type: 'string', default: '30'},
            help: {type: 'boolean', default: false},
            version: {type: 'boolean', default: false},
        },
    });
    if (values.help || values.version) {
        console.log(values.help ? USAGE : `snow-broker ${__VERSION__}`);
        return 0;
    }
    const idleSeconds = Number(values['idle-timeout']);
    if (!(idleSeconds > 0)) throw new TypeError('--idle-timeout takes a number of seconds');

    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort());
    process.stdout.on('error', () => undefined);

    const uid = process.getuid?.() ?? 0;
    const bus = await connectToSessionBus({maxBody: MAX_BODY});
    const service = new BrokerService({
        bus,
        files: localFiles(''),
        journal: {info: logInfo, notice: logNotice, error: logError},
        uid,
        session: sessionIn(process.env),
        optionsPath: optionsPath(process.env),
        runtimeDirectory: process.env['XDG_RUNTIME_DIR'] ?? `/run/user/${uid}`,
        idleTimeout: idleSeconds * 1000,
        stop: stop.signal,
    });
    const status = await service.run();
    await bus.close();
    return status;
}

main().then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snow-broker cannot go on', error);
        process.exit(1);
    },
);
