// SPDX-License-Identifier: GPL-2.0-or-later
// Started by the user's service manager when a program in the Intune container asks for smart cards.

import {connectToSocket, passedServer} from '../host/local-sockets.ts';
import {Relay} from '../smart-cards/relay.ts';

const PCSCD = '/run/pcscd/pcscd.comm';
const IDLE_TIMEOUT = 30_000;

async function main(): Promise<void> {
    const connect = () => connectToSocket(PCSCD);
    await new Relay({connect, idleTimeout: IDLE_TIMEOUT}).run(passedServer());
}

main().then(
    () => process.exit(0),
    (error: unknown) => {
        console.error(
            `snow-smart-cards: ${error instanceof Error ? error.message : String(error)}`,
        );
        process.exit(1);
    },
);
