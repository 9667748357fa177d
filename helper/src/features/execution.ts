// SPDX-License-Identifier: GPL-2.0-or-later
import type {Progress} from '../host/domain.ts';
import {SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {mapBounded} from './concurrency.ts';
import {installImage} from './installer.ts';
import {findHiding} from './obstacles.ts';
import {LINK_DIRECTORY, mergedImage, prepareRefresh, readMerged, refresh} from './sysext.ts';
import {type Fetch, type Plan, type PlanPart, isEmptyPart, needsMerge} from './plan.ts';
import {
    type Transaction,
    beginTransaction,
    commitTransaction,
    finishTransaction,
    undoTransaction,
} from './transaction.ts';

export interface OperationResult {
    /** Of the feature, afterwards; empty: none, or more than one feature. */
    readonly version: string;
    /** Whether the running system has it. */
    readonly merged: boolean;
    readonly warnings: readonly string[];
    /** Ids of those that were changed. */
    readonly features: readonly string[];
}

const MAX_SIZE_REQUESTS = 8;

/**
 * Carries out a plan: fetch, link, merge, write, and only when all that held, remove. Where a map
 * of failures is given, one feature that fails is left as it was, and the others go on.
 */
export async function executePlan(
    host: Host,
    plan: Plan,
    progress: Progress,
    signal: AbortSignal,
    failures?: Map<string, SnowError>,
): Promise<OperationResult> {
    const parts = plan.parts.filter(part => !isEmptyPart(part, plan.merge));
    if (parts.length === 0 && plan.writes.length === 0) return resultOf(plan, []);

    const transaction = await beginTransaction(host, {
        operation: plan.operation,
        features: parts.map(part => part.feature),
        merge: plan.merge,
        links: parts.flatMap(part => part.links.map(({path}) => path)),
        files: [...parts.flatMap(part => part.writes), ...plan.writes].map(({path}) => path),
        images: parts.flatMap(part => part.fetches.map(({to}) => to)),
    });
    let done: readonly PlanPart[];
    let committed: Transaction;
    const warnings: string[] = [];
    try {
        const fetching = fetchParts(host, parts, {progress, signal, failures, warnings});
        if (plan.merge && parts.some(needsMerge)) prepareRefresh(host);
        done = await fetching;
        throwIfStopped(signal);
        await switchLinks(host, done);
        if (plan.merge)
            done = await mergeParts(host, done, transaction, progress, signal, failures);
        if (done.length === 0 && parts.length > 0) {
            await undoTransaction(host, transaction);
            return resultOf(plan, []);
        }
        for (const {path, content} of [...done.flatMap(part => part.writes), ...plan.writes])
            await host.files.writeWhole(path, content);
        committed = await commitTransaction(
            host,
            transaction,
            done.flatMap(part => part.removals),
        );
    } catch (error) {
        progress.step('Undoing');
        await undoAfter(host, transaction, error);
        throw error;
    }
    warnings.push(...(await finish(host, committed)));
    return resultOf(plan, done, warnings);
}

interface FetchContext {
    readonly progress: Progress;
    readonly signal: AbortSignal;
    readonly failures: Map<string, SnowError> | undefined;
    /** Gets what is to be said afterwards. */
    readonly warnings: string[];
}

/** The images of all parts. Returns the parts that have theirs. */
async function fetchParts(
    host: Host,
    parts: readonly PlanPart[],
    {progress, signal, failures, warnings}: FetchContext,
): Promise<readonly PlanPart[]> {
    const fetches = parts.flatMap(part => part.fetches);
    const total = await totalSize(host, fetches, signal);
    let before = 0;
    const fetchPart = async (part: PlanPart): Promise<void> => {
        for (const fetch of part.fetches) {
            let last = 0;
            const count = (done: number, size: number): void => {
                last = done;
                progress.bytes(before + done, fetches.length === 1 ? size : total);
            };
            warnings.push(...(await installImage(host, fetch, count, progress, signal)));
            before += last;
        }
    };
    const fetched: PlanPart[] = [];
    for (const part of parts) {
        try {
            await fetchPart(part);
            fetched.push(part);
        } catch (error) {
            if (!isOfOnePart(error, failures)) throw error;
            failures?.set(part.feature, error);
            for (const {to} of part.fetches) await host.files.remove(to);
        }
    }
    return fetched;
}

/** Bytes of several downloads; 0: not known. One download tells its size by itself. */
async function totalSize(
    host: Host,
    fetches: readonly Fetch[],
    signal: AbortSignal,
): Promise<number> {
    if (fetches.length < 2) return 0;
    const sizes = await mapBounded(fetches, MAX_SIZE_REQUESTS, async ({transfer, from}) => {
        if (transfer.source.type === 'regular-file')
            return (await host.files.status(from))?.size ?? null;
        try {
            return await host.http.size(from, {signal});
        } catch (error) {
            // The download itself will tell.
            if (error instanceof SnowError) return null;
            throw error;
        }
    });
    return sizes.reduce<number>((sum, size) => sum + (size ?? Number.NaN), 0) || 0;
}

async function switchLinks(host: Host, parts: readonly PlanPart[]): Promise<void> {
    for (const {path, target} of parts.flatMap(part => part.links)) {
        if (target === null) await host.files.remove(path);
        else await host.files.linkWhole(path, target);
    }
}

/** One refresh for all parts. Returns the parts that are merged as they should be. */
async function mergeParts(
    host: Host,
    parts: readonly PlanPart[],
    transaction: Transaction,
    progress: Progress,
    signal: AbortSignal,
    failures: Map<string, SnowError> | undefined,
): Promise<readonly PlanPart[]> {
    if (!parts.some(needsMerge)) return parts;
    progress.step('Merging');
    await refresh(host, signal);
    const wrong = await findUnmerged(host, parts);
    const [first] = wrong.values();
    if (!first) return parts;
    if (!failures || wrong.size === parts.length) throw first;

    const paths = new Set([...wrong.keys()].flatMap(part => part.links.map(({path}) => path)));
    for (const {path, target} of transaction.undo.links.filter(link => paths.has(link.path))) {
        if (target === null) await host.files.remove(path);
        else await host.files.linkWhole(path, target);
    }
    await refresh(host, signal);
    for (const [part, error] of wrong) {
        failures.set(part.feature, error);
        for (const {to} of part.fetches) await host.files.remove(to);
    }
    return parts.filter(part => !wrong.has(part));
}

/** systemd-sysext leaves out what does not fit, and says nothing. */
async function findUnmerged(
    host: Host,
    parts: readonly PlanPart[],
): Promise<ReadonlyMap<PlanPart, SnowError>> {
    const merged = await readMerged(host);
    const wrong = new Map<PlanPart, SnowError>();
    for (const part of parts) {
        for (const {name, image} of part.extensions) {
            if (image === null) {
                if (merged.names.has(name)) wrong.set(part, notMerged(`${name} is still merged`));
                continue;
            }
            const other = await findHiding(host, name);
            if (other !== null) {
                wrong.set(part, notMerged(`${other} is merged instead of ${name} ${part.version}`));
                continue;
            }
            const link = await host.files.status(`${LINK_DIRECTORY}/${name}.raw`);
            const target = {target: image, since: link?.mtime ?? 0};
            if (mergedImage(merged, name, [image], target) !== image)
                wrong.set(part, notMerged(`systemd-sysext did not merge ${name} ${part.version}`));
        }
    }
    return wrong;
}

function notMerged(message: string): SnowError {
    return new SnowError('Failed', message);
}

async function undoAfter(host: Host, transaction: Transaction, error: unknown): Promise<void> {
    try {
        await undoTransaction(host, transaction);
    } catch (second) {
        const reason = second instanceof Error ? second.message : String(second);
        const first = error instanceof Error ? error.message : String(error);
        throw new SnowError(
            error instanceof SnowError ? error.code : 'Failed',
            `${first}; the next operation will undo the rest, since now: ${reason}`,
            {cause: second},
        );
    }
}

/** Returns what is to be said of it. */
async function finish(host: Host, committed: Transaction): Promise<readonly string[]> {
    try {
        await finishTransaction(host, committed);
        return [];
    } catch (error) {
        if (!(error instanceof SnowError)) throw error;
        return [`Old images will be removed by the next operation: ${error.message}`];
    }
}

function isOfOnePart(
    error: unknown,
    failures: Map<string, SnowError> | undefined,
): error is SnowError {
    return failures !== undefined && error instanceof SnowError && error.code !== 'Cancelled';
}

function throwIfStopped(signal: AbortSignal): void {
    if (signal.aborted) throw new SnowError('Cancelled', 'The operation was stopped');
}

function resultOf(
    plan: Plan,
    done: readonly PlanPart[],
    warnings: readonly string[] = [],
): OperationResult {
    const [only] = plan.parts.length === 1 ? plan.parts : [];
    return {
        version: only?.version ?? '',
        merged: plan.merge,
        warnings: [...plan.parts.flatMap(part => part.warnings), ...warnings],
        features: done.map(part => part.feature),
    };
}
