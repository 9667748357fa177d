// SPDX-License-Identifier: GPL-2.0-or-later
import {displayWidth, fitted, printable} from './text.ts';
import {byteProgressText, byteText, durationText} from './units.ts';

export interface ProgressState {
    /** What the job works on; empty: nothing in particular. */
    readonly target: string;
    readonly step: string;
    readonly done: number;
    /** 0 while it is not known. */
    readonly total: number;
    /** How much is done, 0 to 1, where bytes do not say it; null: nothing does. */
    readonly share: number | null;
    /** Bytes per second. */
    readonly speed: number | null;
    readonly secondsLeft: number | null;
}

const MAX_BAR = 30;
const MIN_BAR = 8;
const GAP = '  ';

/**
 * `Downloading docker 5.4.2  [######----]  45%  43.1 of 95.0 MB  12.3 MB/s  0:04`, in at most so many
 * columns: a terminal that is too narrow gets less of it, the least important first.
 */
export function progressLine(state: ProgressState, columns: number): string {
    const label = stepText(state);
    const {done, total, speed, secondsLeft} = state;
    const known = total > 0 && done < total ? done / total : total <= 0 ? state.share : null;
    if (known === null) {
        const count = total <= 0 && done > 0 ? `${GAP}${byteText(done)}` : '';
        return fitted(`${label}${count}`, columns);
    }
    const share = Math.min(1, Math.max(0, known));
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    const details = [
        total <= 0 ? '' : byteProgressText(done, total),
        speed === null ? '' : `${byteText(speed)}/s`,
        secondsLeft === null ? '' : durationText(secondsLeft),
    ].filter(Boolean);

    for (let kept = details.length; kept >= 0; kept--) {
        const right = [percent, ...details.slice(0, kept)].join(GAP);
        const room = columns - displayWidth(label) - displayWidth(right) - 2 * GAP.length - 2;
        if (room >= MIN_BAR) return [label, bar(share, Math.min(MAX_BAR, room)), right].join(GAP);
    }
    const room = columns - displayWidth(percent) - GAP.length;
    return room < MIN_BAR ? fitted(percent, columns) : [fitted(label, room), percent].join(GAP);
}

/** What goes on, with what it works on where the step does not name it. */
export function stepText({target, step}: Pick<ProgressState, 'target' | 'step'>): string {
    const text = printable(step);
    return target === '' || text.includes(target) ? text : `${target}: ${text}`;
}

function bar(share: number, width: number): string {
    const full = Math.floor(share * width);
    return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}
