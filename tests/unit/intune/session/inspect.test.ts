// SPDX-License-Identifier: GPL-2.0-or-later
import {describe, expect, it} from 'vitest';

import {parseReport} from '../../../../helper/src/intune/session/inspect.ts';

const lines = {
    'session-bus': 'answers',
    keyring: 'active',
    'keyring-locked': 'b false',
    'keyring-daemons': '1',
    'session-set-up': 'active',
    'device-broker': 'active',
    broker: 's "{\\"linuxBrokerVersion\\": \\"2.0.1\\"}"',
    display: '1',
    'agent-timer': 'active',
    'agent-result': 'success',
    'agent-status': '0',
    'agent-ended': '@1800000000',
};

function report(changes: Partial<Record<keyof typeof lines, string>> = {}) {
    const text = Object.entries({...lines, ...changes}).map(
        ([name, value]) => `${name} ${value}\n`,
    );
    return parseReport(text.join(''));
}

describe('parseReport', () => {
    it('finds no problem where there is none', () => {
        expect(report()).toEqual({
            sessionBus: true,
            keyring: 'unlocked',
            broker: 'running',
            deviceBroker: true,
            agentTimer: true,
            lastCompliance: {time: 1_800_000_000, succeeded: true},
            problems: [],
        });
    });

    it.each([
        [{'session-bus': ''}, /session bus/],
        [{keyring: 'failed'}, /no keyring/],
        [{'keyring-locked': 'b true'}, /locked/],
        [{'keyring-daemons': '2'}, /2 keyring daemons/],
        [{'session-set-up': 'failed'}, /set up/],
        [{broker: 'Call failed: No display'}, /broker does not answer: Call failed: No display/],
        [{'device-broker': 'inactive'}, /device broker/],
        [{display: '0'}, /no display/],
        [{'agent-timer': 'inactive'}, /timer/],
        [{'agent-result': 'exit-code'}, /last run failed/],
    ])('names one problem, with its remedy, in %j', (changes, text) => {
        const {problems} = report(changes);
        expect(problems.map(({problem}) => problem)).toEqual([expect.stringMatching(text)]);
        expect(problems[0]?.remedy).toMatch(/snowctl|~\/Intune/);
    });

    it('knows of no compliance before the agent has run', () => {
        expect(report({'agent-ended': ''}).lastCompliance).toBeNull();
    });

    it('takes nothing for well in what it does not understand', () => {
        for (const text of ['', 'nonsense', '\0\n\n=\n', 'keyring\n'])
            expect(parseReport(text)).toMatchObject({keyring: 'absent', broker: 'failed'});
        expect(report({broker: 'x'.repeat(10_000)}).problems[0]?.problem.length).toBeLessThan(300);
    });
});
