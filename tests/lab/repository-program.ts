// SPDX-License-Identifier: GPL-2.0-or-later
// The repository as a program: `repository-program.mjs '{"directory": ..., "socket": ...}'`. Prints one
// line of JSON when it listens, takes commands on the control socket, ends with its standard input.
import {createServer} from 'node:http';
import {text} from 'node:stream/consumers';

import {type Fault, type RepositoryOptions, serveRepository} from './repository.ts';

/** A command on the control socket. */
export type Command =
    | {readonly do: 'setFault'; readonly path: string; readonly fault: Fault | null}
    | {readonly do: 'clearFaults' | 'log' | 'clearLog'};

/** The line printed at the start. */
export interface Started {
    readonly url: string;
}

const options = JSON.parse(process.argv[2] ?? '') as RepositoryOptions & {readonly socket: string};
const repository = await serveRepository(options);

const control = createServer((request, response) => {
    void (async () => {
        const command = JSON.parse(await text(request)) as Command;
        const result =
            command.do === 'setFault'
                ? await repository.setFault(command.path, command.fault)
                : await repository[command.do]();
        response.end(JSON.stringify(result ?? null));
    })();
});
control.listen(options.socket, () => {
    console.log(JSON.stringify({url: repository.url} satisfies Started));
});
process.stdin.resume().once('end', () => process.exit());
