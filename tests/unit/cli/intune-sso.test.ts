// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdtemp, mkdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import type {Context} from '../../../helper/src/cli/context.ts';
import {switchSingleSignOn} from '../../../helper/src/cli/intune/sso.ts';
import {parseCommandLine} from '../../../helper/src/cli/parse.ts';
import {localHost} from '../../../helper/src/host/local-host.ts';
import {type CaptureOptions, captured} from './captured.ts';

let home: string;

beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'sso-'));
});
afterEach(() => rm(home, {recursive: true}));

/** What snowctl prints for these words. */
async function run(words: string, options: CaptureOptions = {}): Promise<string> {
    const request = parseCommandLine(['intune', 'sso', ...words.split(' ')]);
    if (request.kind !== 'run') throw new Error(request.kind);
    const {output, out} = captured(options);
    const environment = {HOME: home, XDG_RUNTIME_DIR: join(home, 'run')};
    const context = {host: localHost(), output, settings: request.settings, environment};
    await switchSingleSignOn(context as unknown as Context, request.operands);
    return out();
}

const file = (): Promise<string> =>
    readFile(join(home, '.config/snow-control/broker.conf'), 'utf8');

describe('snowctl intune sso', () => {
    it('is off until it is turned on', async () => {
        expect(await run('status')).toContain('off; "snowctl intune sso on" turns it on');
        expect(await run('on')).toContain('can sign in with the container, but those in a sandbox');
        expect(await file()).toContain('Enabled=yes\nStartContainer=no\nSandboxed=no\n');
        expect(await run('status')).toMatch(/^Single sign-on: +on$/m);
    });

    it('on says again what else is wanted, and off leaves that', async () => {
        await run('on --start-container --sandboxed');
        await run('off');
        expect(await file()).toContain('Enabled=no\nStartContainer=yes\nSandboxed=yes\n');
        await run('on');
        expect(await file()).toContain('Enabled=yes\nStartContainer=no\nSandboxed=no\n');
    });

    it('off takes no options', async () => {
        await expect(run('off --sandboxed')).rejects.toMatchObject({code: 'InvalidArgs'});
    });

    it('status lists who has called', async () => {
        await mkdir(join(home, 'run/snow-control'), {recursive: true});
        const edge = {executable: '/opt/edge/msedge', sandbox: 'none', unit: '', application: ''};
        const app = {...edge, sandbox: 'flatpak', application: 'com.example.App'};
        await writeFile(
            join(home, 'run/snow-control/broker-callers.json'),
            JSON.stringify([
                {...edge, calls: 4, refused: 0, lastCall: 1_760_000_000},
                {...app, calls: 0, refused: 2, lastCall: 1_750_000_000},
            ]),
        );
        await run('on');
        const text = await run('status');
        expect(text).toMatch(/\/opt\/edge\/msedge +4 +0 +2025-10-09/);
        expect(text).toMatch(/com\.example\.App \(flatpak\) +0 +2 +2025-06-15/);
        expect(JSON.parse(await run('status', {json: 'document'}))).toMatchObject({
            enabled: true,
            startContainer: false,
            sandboxed: false,
            callers: [{executable: '/opt/edge/msedge', calls: 4}, {refused: 2}],
        });
    });

    it('on lets extensions of browsers in if that is wanted, and off takes that back', async () => {
        await mkdir(join(home, '.mozilla'));
        expect(await run('on --browsers')).toContain('Extensions can in Firefox');
        const path = join(home, '.mozilla/native-messaging-hosts/linux_entra_sso.json');
        expect(await readFile(path, 'utf8')).toContain('snow-sso-host');
        await run('off');
        await expect(readFile(path)).rejects.toThrow('ENOENT');
        await writeFile(path, '{}');
        expect(await run('on --browsers')).toContain('is not of Snow Control, and stays');
    });

    it('names what in the file is no option', async () => {
        await run('on');
        await writeFile(join(home, '.config/snow-control/broker.conf'), '[Broker]\nEnabeld=yes\n');
        expect(await run('status')).toMatch(/broker\.conf:2: .*Enabeld/);
    });
});
