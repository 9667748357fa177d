// SPDX-License-Identifier: GPL-2.0-or-later
// Run by the unit of a container as root, outside of any sandbox: `UID` before it starts, `--clean UID`
// after it ended.
import {logError, logNotice} from '../bus/journal.ts';
import {SnowError} from '../host/error.ts';
import {fileHost} from '../host/file-host.ts';
import {forgetProblem, readSession, writeProblem} from '../intune/boot/machine-files.ts';
import {cleanMachine, prepareMachine} from '../intune/boot/prepare.ts';
import {writeDeviceRules} from '../intune/devices/rules.ts';
import {rootfsPath} from '../intune/model.ts';
import {canOwn} from '../intune/owner.ts';
import {readRecord} from '../intune/record.ts';
import {readSettings} from '../intune/settings.ts';

const host = fileHost();

async function main(args: readonly string[]): Promise<number> {
    const isEnd = args[0] === '--clean';
    const [text = '', ...others] = isEnd ? args.slice(1) : args;
    const uid = /^[1-9]\d{3,4}$/.test(text) ? Number(text) : 0;
    if (!canOwn(uid) || others.length > 0) {
        console.error('usage: snow-intune-prepare [--clean] UID');
        return 2;
    }
    try {
        if (isEnd) await cleanMachine(host, uid);
        else await prepare(uid);
        return 0;
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        logNotice(error.message);
        if (!isEnd) await writeProblem(host, uid, error);
        return 1;
    }
}

async function prepare(uid: number): Promise<void> {
    await forgetProblem(host, uid);
    const record = await readRecord(host, uid);
    if (!record) throw new SnowError('WrongState', `${rootfsPath(uid)} was not made here`);
    const {settings} = await readSettings(host, uid);
    await prepareMachine(host, record, settings, await readSession(host, uid), logNotice);
    await writeDeviceRules(host, record, settings);
}

main(process.argv.slice(2)).then(
    status => process.exit(status),
    (error: unknown) => {
        logError('snow-intune-prepare cannot go on', error);
        process.exit(1);
    },
);
