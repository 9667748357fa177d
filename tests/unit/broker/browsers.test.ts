// SPDX-License-Identifier: GPL-2.0-or-later
import {mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {PassThrough} from 'node:stream';

import fc from 'fast-check';
import {afterEach, beforeEach, describe, expect, it} from 'vitest';

import {DocumentReader, frameOf} from '../../../helper/src/broker/browsers/frames.ts';
import {installManifests, removeManifests} from '../../../helper/src/broker/browsers/manifests.ts';
import {serveExtension} from '../../../helper/src/broker/browsers/native-host.ts';
import {brokerRequest} from '../../../helper/src/broker/browsers/requests.ts';
import {localFiles} from '../../../helper/src/host/files.ts';

const files = localFiles('');
const account = {username: 'anna@example.com', homeAccountId: 'h1'};

describe('a message of a browser', () => {
    it('is read as it was sent, in any pieces', () => {
        fc.assert(
            fc.property(fc.array(fc.jsonValue()), fc.integer({min: 1, max: 50}), (all, size) => {
                const bytes = Buffer.concat(all.map(frameOf));
                const reader = new DocumentReader();
                const read: unknown[] = [];
                for (let at = 0; at < bytes.length; at += size)
                    read.push(...reader.push(bytes.subarray(at, at + size)));
                expect(read).toEqual(all.map(one => JSON.parse(JSON.stringify(one)) as unknown));
            }),
        );
    });

    it('that no browser would send ends it', () => {
        expect(() => [...new DocumentReader().push(Buffer.alloc(8, 0xff))]).toThrow(RangeError);
        const broken = frameOf('x');
        broken[4] = 0;
        expect(() => [...new DocumentReader().push(broken)]).toThrow(SyntaxError);
    });
});

describe('a request of an extension', () => {
    const ask = (message: Readonly<Record<string, unknown>>) => brokerRequest(message, 's1', '1.2');

    it('for a cookie names the page and the account', () => {
        const url = 'https://login.microsoftonline.com/x';
        expect(ask({command: 'acquirePrtSsoCookie', account, ssoUrl: url})).toMatchObject({
            method: 'acquirePrtSsoCookie',
            request: {
                account,
                ssoUrl: url,
                mamEnrollment: false,
                authParameters: {authorizationType: 8, ssoUrl: url, username: account.username},
            },
        });
        expect(ask({command: 'acquirePrtSsoCookie', account})).toMatchObject({
            request: {ssoUrl: 'https://login.microsoftonline.com/'},
        });
    });

    it('for a token names what it is for', () => {
        const command = 'acquireTokenSilently';
        const scopes = ['https://graph.microsoft.com/User.Read'];
        expect(ask({command, account, scopes})).toMatchObject({
            method: command,
            request: {authParameters: {authorizationType: 1, requestedScopes: scopes}},
        });
        expect(ask({command, account})).toMatchObject({
            request: {
                authParameters: {requestedScopes: ['https://graph.microsoft.com/.default']},
            },
        });
    });

    it('for accounts and the version are the broker’s own', () => {
        expect(ask({command: 'getAccounts'})).toMatchObject({
            method: 'getAccounts',
            request: {redirectUri: 's1'},
        });
        expect(ask({command: 'getVersion'})).toEqual({
            method: 'getLinuxBrokerVersion',
            request: {msalCppVersion: '1.2'},
        });
    });

    it.each([
        {command: 'removeAccount', account},
        {command: 'acquireTokenSilently'},
        {command: 'acquireTokenSilently', account: 'anna'},
        {command: 'acquireTokenSilently', account, scopes: 'all'},
        {command: 'acquirePrtSsoCookie', account, ssoUrl: 1},
    ])('that makes no sense is refused: %j', message => {
        expect(() => ask(message)).toThrow(TypeError);
    });
});

describe('an extension', () => {
    async function serve(
        messages: readonly unknown[],
        answer: (method: string, request: string) => Promise<string>,
        states: readonly boolean[] = [],
    ): Promise<readonly unknown[]> {
        const input = new PassThrough();
        const sent: unknown[] = [];
        const serving = serveExtension({
            input,
            send: document => void sent.push(document),
            ask: (method, _, request) => answer(method, request),
            states: (async function* () {
                await Promise.resolve();
                yield* states;
            })(),
            version: '1.2',
        });
        for (const message of messages) input.write(frameOf(message));
        input.end();
        await serving;
        return sent;
    }

    it('is given answers to the same command in their order', async () => {
        let left = 3;
        const sent = await serve(
            ['a', 'b', 'c'].map(username => ({
                command: 'acquireTokenSilently',
                account: {username},
            })),
            async (_, request) => {
                await new Promise(resolve => setTimeout(resolve, 20 * left--));
                return request;
            },
        );
        expect(sent).toMatchObject(
            ['a', 'b', 'c'].map(username => ({
                command: 'acquireTokenSilently',
                message: {authParameters: {username}},
            })),
        );
    });

    it('is told what went wrong, and nothing of what was answered', async () => {
        expect(
            await serve([{command: 'getAccounts'}], () => Promise.reject(new Error('It is off'))),
        ).toEqual([{command: 'getAccounts', message: {error: 'It is off'}}]);
        expect(
            await serve([{command: 'getAccounts'}], () => Promise.resolve('token=secret')),
        ).toEqual([{command: 'getAccounts', message: {error: 'The broker answers no JSON'}}]);
        expect(await serve([{command: 'x'}], () => Promise.reject(new Error()))).toEqual([
            {command: 'x', message: {error: 'There is no such command'}},
        ]);
    });

    it('is told when single sign-on is turned on or off', async () => {
        const sent = await serve([], () => Promise.resolve('{}'), [false, false, true]);
        expect(sent).toEqual([
            {command: 'brokerStateChanged', message: 'offline'},
            {command: 'brokerStateChanged', message: 'online'},
        ]);
    });

    it('that sends something else is left without an answer', async () => {
        expect(await serve([1, null, [], {}], () => Promise.resolve('{}'))).toEqual([]);
    });
});

describe('the browsers of a user', () => {
    let home: string;
    beforeEach(async () => {
        home = await mkdtemp(join(tmpdir(), 'browsers-'));
    });
    afterEach(() => rm(home, {recursive: true}));

    it('find the program, those that there are, until it is taken away', async () => {
        await mkdir(join(home, '.mozilla'));
        await mkdir(join(home, '.config/microsoft-edge'), {recursive: true});
        expect(await installManifests(files, home)).toEqual({
            installed: ['Firefox', 'Edge'],
            foreign: [],
        });
        const path = join(home, '.mozilla/native-messaging-hosts/linux_entra_sso.json');
        expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
            name: 'linux_entra_sso',
            path: '/usr/lib/snow-control/snow-sso-host',
            allowed_extensions: ['linux-entra-sso@example.com'],
        });
        await removeManifests(files, home);
        await expect(readFile(path)).rejects.toThrow('ENOENT');
    });

    it('keep what others have put there', async () => {
        const directory = join(home, '.mozilla/native-messaging-hosts');
        await mkdir(directory, {recursive: true});
        const path = join(directory, 'linux_entra_sso.json');
        await writeFile(path, '{"path":"/usr/local/lib/linux-entra-sso/linux-entra-sso"}');
        expect(await installManifests(files, home)).toEqual({installed: [], foreign: [path]});
        await removeManifests(files, home);
        expect(await readFile(path, 'utf8')).toContain('/usr/local/lib');
    });
});
