// SPDX-License-Identifier: GPL-2.0-or-later
import {expect, it} from 'vitest';

import {exitCodes} from '../../../helper/src/cli/exit-codes.ts';

it('gives every error a status of its own, which no shell takes for something else', () => {
    const statuses = Object.values(exitCodes).map(({status}) => status);
    expect(new Set(statuses).size).toBe(statuses.length);
    for (const status of statuses) {
        expect(status).toBeGreaterThan(0);
        // 126, 127: not found; above 128: signals, of which 130 is Ctrl+C.
        expect(status < 126 || status === 130).toBe(true);
    }
});

it('keeps the statuses that scripts rely on', () => {
    const table = Object.entries(exitCodes).map(([code, {status}]) => [code, status]);
    expect(Object.fromEntries(table)).toEqual({
        Failed: 1,
        InvalidArgs: 2,
        NotAuthorized: 3,
        NotFound: 4,
        Busy: 5,
        Network: 6,
        VerificationFailed: 7,
        NoSpace: 8,
        NotSupported: 9,
        WrongState: 10,
        Cancelled: 130,
    });
});
