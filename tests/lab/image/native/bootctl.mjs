#!/usr/bin/node
// SPDX-License-Identifier: GPL-2.0-or-later
// A stand-in for bootctl in a guest, which has no firmware: the variables LoaderEntryDefault and
// LoaderEntryOneShot are a file. Everything else is asked of the real bootctl, whose list is only
// changed where one of the variables would change it. What it does not know it refuses.
import {spawnSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';

const REAL = '/usr/bin/bootctl';
const STATE = '/var/lib/snow-stand-in/loader.json';

function readState() {
    try {
        return JSON.parse(readFileSync(STATE, 'utf8'));
    } catch {
        return {};
    }
}

function setVariable(name, id) {
    mkdirSync('/var/lib/snow-stand-in', {recursive: true});
    writeFileSync(STATE, JSON.stringify({...readState(), [name]: id}));
}

function real(args) {
    const {status, stdout, stderr} = spawnSync(REAL, args, {encoding: 'utf8'});
    process.stderr.write(stderr.replace(/^.*skipping EFI variable modifications.*\n/m, ''));
    return {status: status ?? 1, stdout};
}

/** As fnmatch(3), which the boot loader has, too; stars and question marks only. */
function matches(id, pattern) {
    const source = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
    return new RegExp(`^${source.replaceAll('*', '.*').replaceAll('?', '.')}$`, 'i').test(id);
}

function fail(text) {
    process.stderr.write(`${text}\n`);
    process.exit(1);
}

const args = process.argv.slice(2);
const options = args.filter(arg => arg.startsWith('--'));
const [verb, id, ...more] = args.filter(arg => !arg.startsWith('--'));
for (const option of options)
    if (!['--json=short', '--no-pager'].includes(option)) fail(`unrecognized option '${option}'`);
if (more.length > 0) fail('Too many arguments.');

switch (verb) {
    case 'set-default':
    case 'set-oneshot':
        if (id === undefined) fail('Too few arguments.');
        setVariable(verb.slice(4), id);
        break;
    case 'is-installed': {
        const {status, stdout} = real(args);
        process.stdout.write(stdout);
        process.exit(status);
        break;
    }
    case 'list': {
        const {status, stdout} = real(args);
        if (status !== 0) process.exit(status);
        const entries = JSON.parse(stdout);
        const state = readState();
        const chosen = [state.oneshot, state.default]
            .filter(Boolean)
            .map(pattern => entries.find(entry => matches(entry.id, pattern)))
            .find(Boolean);
        if (chosen) for (const entry of entries) entry.isDefault = entry === chosen;
        process.stdout.write(`${JSON.stringify(entries)}\n`);
        break;
    }
    default:
        fail(`Unknown command verb '${verb}'.`);
}
