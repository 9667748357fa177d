// SPDX-License-Identifier: GPL-2.0-or-later
import type {Results} from '../../host/domain.ts';
import {shortDigest} from './view.ts';

export type ImageOperation = 'check' | 'update' | 'download' | 'switch' | 'rollback' | 'unstage';

/** How an operation ended, as JSON shows it. */
export interface ImageOutcome {
    readonly operation: ImageOperation;
    /** Channel or reference of a switch; empty. */
    readonly target: string;
    /** current, available, staged or held-rollback */
    readonly outcome: string;
    readonly image: string;
    readonly version: string;
    readonly digest: string;
    /** Whether a restart without the firmware is prepared. */
    readonly softReboot: boolean;
    /** Extensions that are ready for it. */
    readonly features: readonly string[];
    readonly warnings: readonly string[];
}

export function outcomeOf(
    operation: ImageOperation,
    target: string,
    results: Results,
): ImageOutcome {
    return {
        operation,
        target,
        outcome: String(results['outcome'] ?? ''),
        image: String(results['image'] ?? ''),
        version: String(results['version'] ?? ''),
        digest: String(results['digest'] ?? ''),
        softReboot: results['soft-reboot'] === true,
        features: strings(results['features']),
        warnings: strings(results['warnings']),
    };
}

/** A sentence about it. */
export function outcomeText(outcome: ImageOutcome): string {
    const {operation, version, digest, image} = outcome;
    const name = version || (digest === '' ? '' : shortDigest(digest));
    const named = name || 'the newest image';
    switch (operation) {
        case 'rollback':
            return `The next restart starts ${name || 'the image before this one'} again.`;
        case 'unstage':
            return `The next restart starts the running image${name && `, ${name}`}.`;
        case 'switch':
            return `${capital(name || 'the image')} of ${image} is staged; restart to use it. "snowctl image unstage" takes it back.`;
        case 'check':
        case 'update':
        case 'download':
            break;
    }
    switch (outcome.outcome) {
        case 'current':
            return `The system is up to date${name && ` (${name})`}.`;
        case 'held-rollback':
            return `The newest image${name && `, ${name},`} is one that was rolled back from or undone, and is not staged again.`;
        case 'available':
            return operation === 'download'
                ? `${capital(named)} is downloaded; "snowctl image update" stages it.`
                : `An update is available${name && `: ${name}`}; "snowctl image update" stages it.`;
        default:
            return `${capital(named)} is staged; restart to use it.`;
    }
}

function capital(text: string): string {
    return text.replace(/^[a-z]+(?= )/, word => word[0]?.toUpperCase() + word.slice(1));
}

function strings(value: Results[string] | undefined): readonly string[] {
    return Array.isArray(value) ? value.map(String) : [];
}
