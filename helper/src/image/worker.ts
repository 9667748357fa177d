// SPDX-License-Identifier: GPL-2.0-or-later
// One operation on the OS image, in a unit of its own: it goes on when the service that asked for it
// is gone, and what it says stays in a file for the next one.

import type {ExtensionsOfNextBoot, Results} from '../host/domain.ts';
import {type ErrorCode, SnowError} from '../host/error.ts';
import type {Host} from '../host/host.ts';
import {JobReport} from '../host/worker-job/job-report.ts';
import {detectDriver} from './detect.ts';
import type {ImageDriver, Work} from './driver.ts';
import {addToHistory, historyImage} from './history.ts';
import type {ImageOperation, JobRequest} from './job-request.ts';
import {JOB_STATE, type JobState} from './job-state.ts';
import {recordCheck, recordFailedCheck} from './last-check.ts';
import {
    type CheckResult,
    type ImageStatus,
    type Offer,
    isSameImage,
    nextDeployment,
} from './model.ts';
import {fetchNextExtensions, lookAhead} from './next-extensions.ts';
import {recordNextSystem} from './next-system.ts';
import {type Task, prepareOperation} from './operations.ts';
import {writeUpdateStaged} from './snosi-files.ts';

export interface WorkerParts {
    readonly host: Host;
    readonly drivers: readonly ImageDriver[];
    readonly extensions: ExtensionsOfNextBoot;
    readonly request: JobRequest;
    /** Aborted by who wants the unit to stop. */
    readonly signal: AbortSignal;
    readonly journal: WorkerJournal;
}

export interface WorkerJournal {
    info(text: string): void;
    notice(text: string): void;
    /** What nobody foresaw. */
    error(doing: string, error: unknown): void;
}

/** What a soft reboot goes on with; see systemd-soft-reboot.service(8). */
const NEXT_ROOT = '/run/nextroot';

/** States of a unit that is at work. */
const AT_WORK = ['active', 'activating', 'deactivating', 'reloading'];

/** Errors that say nothing of the source, or of the update that it has. */
const NOT_OF_THE_SOURCE: readonly ErrorCode[] = ['Busy', 'Cancelled', 'NotSupported', 'WrongState'];

/** Does what was asked for, to its end, and returns what was reported last. Never throws. */
export async function runImageJob(parts: WorkerParts): Promise<JobState> {
    const {request, journal} = parts;
    const start = performance.now();
    const host = withJournal(parts.host, journal);
    const report = new JobReport(host, JOB_STATE, request, error => {
        journal.error('The state of the job cannot be written', error);
    });
    const job = new ImageJob({...parts, host}, report);
    const end = await job.run().then(
        (results): Ending => ({state: 'done', error: null, results}),
        (error: unknown) => endingOf(error, request, journal),
    );
    await remember(host, request, job, end, journal);
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const what = `${request.operation} ${request.target}`.trim();
    const line = `image.${what} for uid ${request.startedBy}: ${end.state} in ${seconds} s`;
    if (end.error) journal.notice(`${line}: ${end.error[0]}: ${end.error[1]}`);
    else journal.info(line);
    return report.end(end);
}

type Ending = Pick<JobState, 'state' | 'error' | 'results'>;

/** The steps of a job, and what is known of the machine on the way. */
class ImageJob {
    before: ImageStatus | null = null;
    after: ImageStatus | null = null;
    readonly #parts: WorkerParts;
    readonly #report: JobReport<ImageOperation>;
    readonly #warnings: string[] = [];

    constructor(parts: WorkerParts, report: JobReport<ImageOperation>) {
        this.#parts = parts;
        this.#report = report;
    }

    async run(): Promise<Results> {
        const {host, drivers, request, signal} = this.#parts;
        this.#report.step('Looking at the system');
        const driver = await detectDriver(host, drivers);
        if (!driver)
            throw new SnowError('NotSupported', 'No program that is known manages this system');
        await refuseBesideOthers(host, driver);
        // What a job that was killed left, too.
        await driver.cleanUp(host);
        const before = await driver.status(host);
        this.before = before;
        // One that was killed had no time to say what it staged.
        await this.#settle(driver, before);
        refuseCancelled(signal);

        const work: Work = {
            host,
            signal,
            before,
            progress: this.#report,
            maySoftReboot: request.maySoftReboot,
            warn: text => void this.#warnings.push(text),
        };
        const check = (): Promise<CheckResult> => this.#check(driver, work);
        const task = await prepareOperation({driver, work, request, check});
        refuseCancelled(signal);
        const after = task.kind === 'nothing' ? before : await this.#change(driver, before, task);
        this.after = after;
        await this.#settle(driver, after);
        if (task.kind === 'change') await this.#noteUpdate(after);
        const features = await this.#followByExtensions(driver, after, task);
        return this.#results(after, task, features, await this.#isSoftRebootPrepared(after));
    }

    /** Has the driver do it, and looks whether it did. */
    async #change(
        driver: ImageDriver,
        before: ImageStatus,
        task: Extract<Task, {kind: 'change'}>,
    ): Promise<ImageStatus> {
        const {host, signal, journal} = this.#parts;
        let failure: unknown = null;
        try {
            await task.change();
        } catch (error) {
            failure = error ?? new SnowError('Failed', 'It failed');
            await driver.cleanUp(host).catch((inner: unknown) => {
                journal.error('What was left of it cannot be taken away', inner);
            });
        }
        const after = await driver.status(host);
        this.after = after;
        const shortcoming = task.shortcoming(after);
        // It was done already when it was to be cancelled.
        if (shortcoming === null && (failure === null || signal.aborted)) return after;

        await this.#settle(driver, after);
        const error = signal.aborted
            ? new SnowError('Cancelled', cancelledText(before, after))
            : (failure ?? new SnowError('Failed', shortcoming ?? ''));
        await this.#noteFailure(before, error);
        throw error;
    }

    async #check(driver: ImageDriver, work: Work): Promise<CheckResult> {
        try {
            const result = await driver.check(work);
            await recordCheck(this.#parts.host, work.before, result, now());
            return result;
        } catch (error) {
            await this.#noteFailure(work.before, error);
            throw error;
        }
    }

    async #noteFailure(before: ImageStatus, error: unknown): Promise<void> {
        const {host, request, signal} = this.#parts;
        const isOfSource = ['check', 'update', 'download'].includes(request.operation);
        const code = error instanceof SnowError ? error.code : 'Failed';
        if (!isOfSource || signal.aborted || NOT_OF_THE_SOURCE.includes(code)) return;
        await recordFailedCheck(host, before, now());
    }

    /** The image that is staged now is what the source has. */
    async #noteUpdate(after: ImageStatus): Promise<void> {
        const {host, request} = this.#parts;
        if (!['update', 'switch'].includes(request.operation) || !after.staged) return;
        const {version, digest, timestamp} = after.staged;
        const offer: Offer = {version, digest, timestamp, size: null};
        await recordCheck(host, after, {outcome: 'staged', offer}, now());
    }

    /** What others read of the next boot. */
    async #settle(driver: ImageDriver, after: ImageStatus): Promise<void> {
        const {host} = this.#parts;
        await writeUpdateStaged(host, driver.name, after.staged, now());
        if (!nextDeployment(after)) await recordNextSystem(host, null, null);
    }

    /** Sees to the extensions that the next boot needs. No reason to undo what was staged. */
    async #followByExtensions(
        driver: ImageDriver,
        after: ImageStatus,
        task: Task,
    ): Promise<readonly string[]> {
        const {host, request, extensions, signal, journal} = this.#parts;
        if (!nextDeployment(after)) return [];
        try {
            await lookAhead({host, driver}, after);
            const isStaging = task.kind === 'change' || request.operation === 'update';
            if (!isStaging || request.operation === 'download') return [];
            refuseCancelled(signal);
            const parts = {host, driver, extensions, progress: this.#report, signal};
            const {ready, warnings} = await fetchNextExtensions(parts, after);
            this.#warnings.push(...warnings);
            return ready;
        } catch (error) {
            if (!(error instanceof SnowError))
                journal.error('The extensions cannot follow the image', error);
            const reason = error instanceof SnowError ? error.message : 'the journal says why';
            this.#warnings.push(
                signal.aborted
                    ? 'It was too late to cancel; extensions for the new image were not fetched'
                    : `Extensions for the new image were not fetched: ${reason}`,
            );
            return [];
        }
    }

    async #isSoftRebootPrepared(after: ImageStatus): Promise<boolean> {
        const {host, request} = this.#parts;
        if (!request.maySoftReboot || !nextDeployment(after)?.canSoftReboot) return false;
        return (await host.files.list(NEXT_ROOT)).length > 0;
    }

    #results(
        after: ImageStatus,
        task: Task,
        features: readonly string[],
        isSoftRebootPrepared: boolean,
    ): Results {
        const {operation} = this.#parts.request;
        const next = operation === 'download' ? after.downloaded : nextDeployment(after);
        const offer = task.kind === 'nothing' ? task.offer : null;
        const shown = offer ?? next ?? after.booted;
        return {
            outcome: task.kind === 'nothing' ? task.outcome : outcomes[operation],
            image: next?.image ?? after.followed,
            version: shown?.version ?? '',
            digest: shown?.digest ?? '',
            'soft-reboot': isSoftRebootPrepared,
            features,
            warnings: [...new Set(this.#warnings)],
        };
    }
}

/** Of operations that changed something. */
const outcomes: Readonly<Record<JobRequest['operation'], string>> = {
    check: 'current',
    update: 'staged',
    download: 'available',
    switch: 'staged',
    rollback: 'staged',
    unstage: 'current',
};

/** Throws SnowError Busy. From here on, such a unit waits for the end of ours. */
async function refuseBesideOthers({systemd}: Host, driver: ImageDriver): Promise<void> {
    for (const unit of driver.otherUnits) {
        const state = (await systemd?.activeState(unit)) ?? 'inactive';
        if (AT_WORK.includes(state))
            throw new SnowError(
                'Busy',
                `${unit} is changing the system; try again when it is done`,
            );
    }
}

function refuseCancelled(signal: AbortSignal): void {
    if (signal.aborted) throw new SnowError('Cancelled', 'Cancelled before anything was changed');
}

function cancelledText(before: ImageStatus, after: ImageStatus): string {
    const [was, is] = [nextDeployment(before), nextDeployment(after)];
    const isAsBefore = was && is ? isSameImage(was, is) : was === is;
    if (isAsBefore) return 'Cancelled; the next restart starts what it would have before';
    return is
        ? `Cancelled; the next restart starts ${is.version ?? is.image}`
        : 'Cancelled; the next restart starts the running image';
}

function endingOf(error: unknown, {operation}: JobRequest, journal: WorkerJournal): Ending {
    if (!(error instanceof SnowError)) {
        journal.error(`image.${operation}`, error);
        const text = `image.${operation} failed; the journal of snow-image-job says why`;
        return {state: 'failed', error: ['Failed', text], results: {}};
    }
    const state = error.code === 'Cancelled' ? 'cancelled' : 'failed';
    return {state, error: [error.code, error.message], results: {}};
}

async function remember(
    host: Host,
    {operation, target, startedBy}: JobRequest,
    {before, after}: ImageJob,
    {state, error}: Ending,
    journal: WorkerJournal,
): Promise<void> {
    if (state === 'running') return;
    const starts = (status: ImageStatus | null) =>
        historyImage(status && (nextDeployment(status) ?? status.booted));
    try {
        await addToHistory(host, {
            time: now(),
            operation,
            target,
            from: starts(before),
            to: starts(after ?? before),
            uid: startedBy,
            outcome: state,
            error: error?.[1] ?? '',
        });
    } catch (inner) {
        journal.error('The history cannot be written', inner);
    }
}

/** What a bar is drawn from, several times a second, by a program that has no pipe for it. */
const PROGRESS = /^\{.*"type":\s*"progress"/;

/** What the tools say goes to the journal as well. */
function withJournal(host: Host, journal: WorkerJournal): Host {
    return {
        ...host,
        programs: {
            ...host.programs,
            follow(command, options) {
                journal.info(`Running ${command.join(' ')}`);
                return host.programs.follow(command, {
                    ...options,
                    onLine(line, from) {
                        if (from !== 'progress' && !PROGRESS.test(line))
                            journal.info(`${command[0]}: ${line}`);
                        options.onLine(line, from);
                    },
                });
            },
        },
    };
}

/** Seconds since 1970. */
function now(): number {
    return Math.floor(Date.now() / 1000);
}
