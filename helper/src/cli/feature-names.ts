// SPDX-License-Identifier: GPL-2.0-or-later
import {SnowError} from '../host/error.ts';
import {didYouMean} from './suggestions.ts';
import {enumeration, quoted} from './text.ts';

/**
 * The feature that a person means: by its id, or by its name where only one has it.
 * Throws SnowError NotFound, InvalidArgs.
 */
export function findFeature<Kind extends {readonly id: string; readonly Name: string}>(
    features: readonly Kind[],
    word: string,
): Kind {
    const exact = features.find(({id}) => id === word);
    if (exact) return exact;
    const [first, ...others] = features.filter(({Name}) => Name === word);
    if (first && others.length === 0) return first;
    if (first) {
        const ids = [first, ...others].map(({id}) => id);
        throw new SnowError(
            'InvalidArgs',
            `There are several features ${quoted(word)}: ${enumeration(ids)}`,
        );
    }
    const hint = didYouMean(
        word,
        features.map(({id}) => id),
    );
    throw new SnowError('NotFound', `There is no feature ${quoted(word)}${hint}`);
}
