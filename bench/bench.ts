// SPDX-License-Identifier: GPL-2.0-or-later
// `npm run bench`: what Snow Control takes, against the least it could take and against its peers,
// all measured in the same run. `--json`: one JSON array; names of benchmarks: only those.
import {parseArgs} from 'node:util';

import {Desktop} from '../tests/lab/desktop.ts';
import {benchBroker} from './broker.ts';
import {benchCheck} from './check.ts';
import {benchDevice} from './device.ts';
import {benchEnable} from './enable.ts';
import {benchIdle} from './idle.ts';
import {benchIntune} from './intune.ts';
import {benchList} from './list.ts';
import {benchMemory} from './memory.ts';
import {type Row, tableOf} from './row.ts';
import {benchShell} from './shell.ts';
import {benchStartup} from './startup.ts';
import {bootSubject, publishComponents} from './subject.ts';

const {values, positionals} = parseArgs({
    options: {json: {type: 'boolean', default: false}},
    allowPositionals: true,
});

await using published = await publishComponents();
await using desktop = await bootSubject('desktop', published);
await using peer = await bootSubject('peer', published);
const benchmarks: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
    startup: () => benchStartup(desktop),
    list: () => benchList(desktop, peer),
    check: () => benchCheck(desktop, peer),
    enable: () => benchEnable(desktop, peer),
    memory: () => benchMemory(desktop),
    broker: benchBroker,
    device: benchDevice,
    intune: benchIntune,
    shell: () => withDesktop(benchShell),
    idle: () => withDesktop(benchIdle),
};

const rows: Row[] = [];
for (const [name, run] of Object.entries(benchmarks)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    console.error(`bench: ${name}`);
    rows.push(...(await run()));
}
/** Someone who is logged in, with a shell that has the extension and does not use it yet. */
async function withDesktop(
    run: (screen: Desktop) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
    await using screen = await Desktop.start(desktop.guest);
    return await run(screen);
}

process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : tableOf(rows));
