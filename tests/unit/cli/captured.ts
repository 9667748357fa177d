// SPDX-License-Identifier: GPL-2.0-or-later
import {Output} from '../../../helper/src/cli/output.ts';
import type {JsonMode} from '../../../helper/src/cli/parse.ts';

export interface CaptureOptions {
    readonly json?: JsonMode;
    readonly isQuiet?: boolean;
    /** Columns of the terminal; none: files. */
    readonly terminal?: number;
    readonly environment?: Readonly<Record<string, string>>;
}

/** An Output with what was printed so far. */
export function captured({
    json = 'none',
    isQuiet = false,
    terminal,
    environment = {},
}: CaptureOptions = {}) {
    const texts = {out: '', err: ''};
    const sink = (name: keyof typeof texts) => ({
        write: (text: string) => (texts[name] += text),
        ...(terminal !== undefined && {isTTY: true, columns: terminal}),
    });
    return {
        output: new Output(sink('out'), sink('err'), {json, isQuiet, environment}),
        out: () => texts.out,
        err: () => texts.err,
    };
}
