// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import {formatReference, parseReference} from '../host/image-reference.ts';

/** Whether two texts mean the same image, or the same native channel. */
export function isSameReference(one: string, other: string): boolean {
    return one === other || canonical(one) === canonical(other);
}

/** As far as it can be taken for a reference: what a tool follows need not be one. */
function canonical(text: string): string {
    try {
        return formatReference(parseReference(text));
    } catch (error) {
        if (error instanceof SnowError) return text;
        throw error;
    }
}
