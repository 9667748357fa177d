// SPDX-License-Identifier: GPL-2.0-or-later
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm} from 'node:fs/promises';

import {afterAll, afterEach, beforeAll, beforeEach, describe, expect, it} from 'vitest';

import {DocumentReader, frameOf} from '../../helper/src/broker/browsers/frames.ts';
import {type BrokerStage, setBrokerStage} from './harness/broker/stage.ts';
import {bundle} from './harness/bundle.ts';

let programs: string;
let program: string;
let stage: BrokerStage;
let browser: ChildProcess;
let heard: unknown[];

beforeAll(async () => {
    programs = await mkdtemp('/tmp/snow-sso-programs-');
    const [broker, identityBroker, host] = await Promise.all([
        bundle('helper/src/main/snow-broker.ts', programs),
        bundle('tests/bus/harness/broker/identity-broker.ts', programs),
        bundle('helper/src/main/snow-sso-host.ts', programs),
    ]);
    program = host;
    stage = await setBrokerStage({
        broker: [process.execPath, broker],
        identityBroker: [process.execPath, identityBroker],
    });
});
afterAll(async () => {
    await stage[Symbol.asyncDispose]();
    await rm(programs, {recursive: true, force: true});
});

beforeEach(async () => {
    await stage.choose({});
    browser = spawn(process.execPath, [program, 'manifest.json', 'chrome-extension://x/'], {
        env: {
            ...process.env,
            DBUS_SESSION_BUS_ADDRESS: stage.host.address,
            XDG_CONFIG_HOME: stage.configDirectory,
        },
        stdio: ['pipe', 'pipe', 'inherit'],
    });
    heard = [];
    const reader = new DocumentReader();
    browser.stdout?.on('data', (chunk: Buffer) => heard.push(...reader.push(chunk)));
});
afterEach(() => browser.kill());

function say(message: unknown): void {
    browser.stdin?.write(frameOf(message));
}

describe('the program for extensions of browsers', () => {
    it('asks the broker in the container', async () => {
        say({command: 'getAccounts'});
        say({command: 'getVersion'});
        say({command: 'acquirePrtSsoCookie', account: {username: 'anna@example.com'}});
        await expect
            .poll(() => heard)
            .toEqual(
                expect.arrayContaining([
                    {command: 'brokerStateChanged', message: 'online'},
                    expect.objectContaining({
                        message: expect.objectContaining({method: 'getAccounts'}) as unknown,
                    }),
                    expect.objectContaining({
                        message: expect.objectContaining({native: '1.2.3'}) as unknown,
                    }),
                    expect.objectContaining({
                        message: expect.objectContaining({
                            method: 'acquirePrtSsoCookie',
                        }) as unknown,
                    }),
                ]) as unknown,
            );
    });

    it('says when single sign-on is turned off, and why nothing is answered then', async () => {
        await expect.poll(() => heard).toHaveLength(1);
        await stage.choose({isEnabled: false});
        await expect
            .poll(() => heard.at(-1))
            .toEqual({command: 'brokerStateChanged', message: 'offline'});
        await expect
            .poll(() => {
                say({command: 'getAccounts'});
                return heard.at(-1);
            })
            .toMatchObject({
                message: {error: expect.stringContaining('snowctl intune sso on') as unknown},
            });
    });

    it('ends with the browser', async () => {
        const ended = once(browser, 'exit');
        browser.stdin?.end();
        expect(await ended).toEqual([0, null]);
    });
});
