// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {
    CallerList,
    type CallerRecord,
    mergeCallers,
    readCallers,
} from '../../../helper/src/broker/caller-list.ts';
import {localFiles} from '../../../helper/src/host/files.ts';
import {identifyProcess, snapOf, unitOf} from '../../../helper/src/host/process-identity.ts';

const edge: CallerRecord = {
    executable: '/opt/microsoft/msedge/msedge',
    application: '',
    sandbox: 'none',
    unit: 'app-gnome-microsoft\\x2dedge-4711.scope',
    calls: 3,
    refused: 0,
    lastCall: 1000,
};

describe('the list of callers', () => {
    let path: string;
    let directory: string;
    beforeEach(async () => {
        directory = await mkdtemp(join(tmpdir(), 'callers-'));
        path = join(directory, 'snow-control/broker-callers.json');
    });
    afterEach(() => rm(directory, {recursive: true}));

    it('counts a program however often it was started', () => {
        const again = {...edge, unit: 'app-gnome-microsoft\\x2dedge-4712.scope', lastCall: 2000};
        const code = {...edge, executable: '/usr/bin/code', lastCall: 1500};
        expect(mergeCallers([edge], [again, code])).toEqual([{...again, calls: 6}, code]);
    });

    it('counts an application in a sandbox as one, wherever its program seems to be', () => {
        const here = {...edge, sandbox: 'flatpak', application: 'com.example.App'} as const;
        expect(mergeCallers([here], [{...here, executable: '/newroot/app/bin/x'}])).toHaveLength(1);
        expect(mergeCallers([here], [edge])).toHaveLength(2);
    });

    it('forgets who has not called for longest', () => {
        const many = Array.from({length: 100}, (_, i) => ({
            ...edge,
            executable: `/usr/bin/${i}`,
            lastCall: i,
        }));
        const kept = mergeCallers(many, []);
        expect(kept).toHaveLength(64);
        expect(kept.at(-1)?.lastCall).toBe(36);
    });

    it('goes on where the service before ended, and is the user’s alone', async () => {
        const identity = {executable: '/usr/bin/code', unit: '', sandbox: 'none', application: ''};
        for (let life = 0; life < 2; life++) {
            const list = new CallerList(localFiles(''), path, error => {
                throw error;
            });
            list.note(identity as Parameters<CallerList['note']>[0], false);
            await list.write();
        }
        expect(await readCallers(localFiles(''), path)).toMatchObject([{calls: 2, refused: 0}]);
        expect(JSON.parse(await readFile(path, 'utf8'))).toHaveLength(1);
    });

    it('that is no list is begun anew', async () => {
        const file = join(directory, 'broken.json');
        for (const text of ['', '{', '{}', '[1]', '[{"calls":-1,"sandbox":"x"}]']) {
            await writeFile(file, text);
            for (const caller of await readCallers(localFiles(''), file))
                expect(caller).toMatchObject({calls: 0, sandbox: 'unknown'});
        }
        expect(await readCallers(localFiles(''), join(directory, 'none'))).toEqual([]);
    });
});

describe('who a process is', () => {
    it('is said of this one', async () => {
        expect(await identifyProcess(process.pid, '')).toMatchObject({
            executable: process.execPath,
            sandbox: 'none',
            application: '',
        });
    });

    it('is not said of one that is gone', async () => {
        expect(await identifyProcess(4_194_305, '')).toBeNull();
    });

    it.each([
        [
            '0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-code-12.scope\n',
            'app-code-12.scope',
        ],
        ['12:cpu:/x.service\n0::/system.slice/cron.service\n', 'cron.service'],
        ['0::/\n', ''],
        ['', ''],
    ])('with its unit out of %j', (cgroup, unit) => {
        expect(unitOf(cgroup)).toBe(unit);
    });

    it.each([
        ['snap.firefox.firefox (enforce)', '', 'firefox'],
        ['snap.code.code (complain)', '0::/app.slice/snap.code.code-12.scope\n', null],
        ['unconfined', '0::/app.slice/snap.code.code-12.scope\n', null],
        ['', '0::/app.slice/snap.firefox.firefox-12.scope\n', 'firefox'],
        ['', '0::/app.slice/app-snap.scope\n', null],
    ])('in a snap, by the label %j and the cgroup %j', (label, cgroup, snap) => {
        expect(snapOf(label, cgroup)).toBe(snap);
    });
});
