// SPDX-License-Identifier: GPL-2.0-or-later
import {afterAll, beforeAll, describe, expect, it} from 'vitest';

import {users} from './harness/polkit.ts';
import {type Stage, setStage} from './harness/stage.ts';

const FEATURE = 'org.frostyard.Snow1.Feature';
const FEATURES = 'org.frostyard.Snow1.Features';
const NOT_AUTHORIZED = 'org.frostyard.Snow1.Error.NotAuthorized';

let stage: Stage;

beforeAll(async () => {
    stage = await setStage();
    await stage.startService();
});

afterAll(async () => {
    await stage[Symbol.asyncDispose]();
});

describe('with the defaults of the policy', () => {
    const calls = [
        ['check', 'Features', `${FEATURES}.Check`],
        ['update', 'Features/quick', `${FEATURE}.Update`],
        ['manage', 'Features/quick', `${FEATURE}.Enable`],
    ] as const;
    const allowed = {
        active: ['check', 'update'],
        inactive: [],
        sessionless: [],
    } as const;

    for (const kind of ['active', 'inactive', 'sessionless'] as const) {
        for (const [action, path, method] of calls) {
            const isAllowed = (allowed[kind] as readonly string[]).includes(action);
            it(`${isAllowed ? 'lets' : 'does not let'} ${kind} callers ${action}`, async () => {
                await using caller = await stage.startCaller(users[kind]);
                const outcome = await caller.call(path, method, 'a{sv}', [{}]);
                if (isAllowed) expect(outcome).toHaveProperty('body');
                else expect(outcome).toMatchObject({error: [NOT_AUTHORIZED, expect.anything()]});
            });
        }
    }
});
