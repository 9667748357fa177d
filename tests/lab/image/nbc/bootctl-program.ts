// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for bootctl(1) of systemd 257, which does nothing where no firmware is: set-default and
// set-oneshot write the variables that it would write, to where the firmware's stand-in reads them.
import {existsSync, rmSync, writeFileSync} from 'node:fs';

import {EFI_VARIABLES, encodeVariable, variable} from './disk.ts';

const names: Readonly<Record<string, string>> = {
    'set-default': 'LoaderEntryDefault',
    'set-oneshot': 'LoaderEntryOneShot',
};

const [verb = '', entry, ...rest] = process.argv.slice(2);
const name = names[verb];
if (name === undefined || entry === undefined || rest.length > 0) {
    process.stderr.write(`Unknown command verb '${verb}' or wrong number of arguments.\n`);
    process.exit(1);
}
if (!existsSync(EFI_VARIABLES)) {
    process.stderr.write('Not booted with UEFI.\n');
    process.exit(1);
}
if (entry === '') rmSync(variable(name), {force: true});
else writeFileSync(variable(name), encodeVariable(entry));
