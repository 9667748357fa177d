// SPDX-License-Identifier: GPL-2.0-or-later
import {beforeEach, describe, expect, it} from 'vitest';

import type {ServiceClient} from '../../../helper/src/cli/client.ts';
import {restart} from '../../../helper/src/cli/image/restart.ts';
import {BusError, type MethodCall} from '../../../helper/src/host/dbus.ts';

let calls: Omit<MethodCall, 'allowInteraction'>[];
let failure: Error | null;
const client = {
    callOther(call: Omit<MethodCall, 'allowInteraction'>) {
        calls.push(call);
        return failure ? Promise.reject(failure) : Promise.resolve([]);
    },
} as unknown as ServiceClient;

beforeEach(() => {
    calls = [];
    failure = null;
});

describe('a restart', () => {
    it('is asked of logind', async () => {
        await restart(client, 'reboot', true);
        expect(calls).toMatchObject([
            {destination: 'org.freedesktop.login1', member: 'Reboot', signature: 'b', body: [true]},
        ]);
    });

    it('without the firmware is one where a next root is set up only', async () => {
        await restart(client, 'soft-reboot', false);
        expect(calls).toMatchObject([{member: 'RebootWithFlags', signature: 't', body: [8n]}]);
    });

    it.each([
        ['org.freedesktop.DBus.Error.AccessDenied', 'NotAuthorized'],
        ['org.freedesktop.DBus.Error.InteractiveAuthorizationRequired', 'NotAuthorized'],
        ['org.freedesktop.DBus.Error.ServiceUnknown', 'NotSupported'],
        ['org.freedesktop.login1.OperationInProgress', 'Failed'],
    ])('that is refused with %s is %s, in one line', async (name, code) => {
        failure = new BusError(name, 'Because\nof it');
        await expect(restart(client, 'reboot', false)).rejects.toMatchObject({
            code,
            message: 'The system is not restarted: Because of it',
        });
    });
});
