// SPDX-License-Identifier: GPL-2.0-or-later
import {interleave} from './measure.ts';
import {type Row, comparedToLimit} from './row.ts';
import type {Subject} from './subject.ts';

const LIMIT = 120;

/** The most memory that snowd ever has while it enables an image of 250 MB, and one of 1.5 GB. */
export async function benchMemory(subject: Subject): Promise<readonly Row[]> {
    const sizes = await interleave({
        big: () => peakOf(subject, 'big'),
        huge: () => peakOf(subject, 'huge'),
    });
    const name = (size: string) => `snowd's peak memory (VmHWM), image of ${size}`;
    return [
        comparedToLimit({name: name('250 MB'), unit: 'MiB', ours: sizes.big}, LIMIT),
        comparedToLimit({name: name('1.5 GB'), unit: 'MiB', ours: sizes.huge}, LIMIT),
    ];
}

async function peakOf(subject: Subject, component: string): Promise<number> {
    await subject.reset();
    const {guest} = subject;
    await guest.check(['snowctl', '--quiet', 'features', 'enable', component], {timeout: 120_000});
    const pid = (await guest.check('systemctl show --value -p MainPID snowd.service')).trim();
    const status = await guest.check(['cat', `/proc/${pid}/status`]);
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}
