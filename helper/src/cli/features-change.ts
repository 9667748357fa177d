// SPDX-License-Identifier: GPL-2.0-or-later
// What changes the machine: by the service, or for an image tree in this process.

import {loadDefinitions} from '../features/definitions.ts';
import type {Feature} from '../features/model.ts';
import {planDisable, planEnable, planRollback, planUpdate} from '../features/planning.ts';
import {describePlan, type Plan} from '../features/plan.ts';
import {type FeatureState, readFeatures} from '../features/state.ts';
import {type ErrorCode, SnowError} from '../host/error.ts';
import type {CommandAction, Context} from './context.ts';
import {exitCodes, SUCCESS} from './exit-codes.ts';
import {findFeature} from './feature-names.ts';
import {featureSummary, isUpdateAvailable, listText} from './feature-view.ts';
import {showAutomatic} from './features-read.ts';
import {followJob} from './followed-job.ts';
import {type Outcome, outcomeOf, outcomeText} from './outcomes.ts';
import {planText} from './plan-text.ts';
import {
    automaticChange,
    type Change,
    checkChange,
    disableChange,
    enableChange,
    rollbackChange,
    updateAllChange,
    updateChange,
} from './requests.ts';
import type {Runner} from './runner.ts';

/** A check that ends with one of these has asked all repositories. */
const repositoryErrors: ReadonlySet<ErrorCode> = new Set([
    'Failed',
    'Network',
    'NotFound',
    'VerificationFailed',
]);

export const enableFeatures: CommandAction = async (context, names) => {
    const {isMerging: merge, isDryRun} = context.settings;
    if (isDryRun) {
        const ids = await findIds(context, names);
        return showPlans(context, signal =>
            inTurn(ids, id => planEnable(context.host, id, {merge}, signal)),
        );
    }
    return make(context, async () => {
        const ids = await findIds(context, names);
        return ids.map(id => enableChange(id, context.settings));
    });
};

export const disableFeatures: CommandAction = async (context, names) => {
    if (context.settings.isDryRun) {
        const ids = await findIds(context, names);
        return showPlans(context, () => inTurn(ids, id => planDisable(context.host, id)));
    }
    return make(context, async () => (await findIds(context, names)).map(disableChange));
};

export const updateFeatures: CommandAction = async (context, names) => {
    const {settings, host} = context;
    const find = (): Promise<readonly string[]> =>
        findIds(context, names, ({id, enabled}) => {
            if (!enabled) throw new SnowError('WrongState', `${id} is not enabled`);
        });
    if (settings.isDryRun) {
        const ids = await find();
        return showPlans(context, async signal => {
            const options = {merge: settings.isMerging, automatic: settings.isAutomatic};
            const wanted = ids.length === 0 ? null : ids;
            const {plan, failures} = await planUpdate(host, wanted, options, signal);
            for (const failure of failures.values()) throw failure;
            return [plan];
        });
    }
    return make(context, async () => {
        const ids = await find();
        return ids.length === 0
            ? [updateAllChange(settings)]
            : ids.map(id => updateChange(id, settings));
    });
};

export const rollBackFeature: CommandAction = async (context, [name = '', version = '']) => {
    const {isMerging: merge, isDryRun} = context.settings;
    if (isDryRun) {
        const [id = ''] = await findIds(context, [name]);
        return showPlans(context, async signal => [
            await planRollback(context.host, id, version, {merge}, signal),
        ]);
    }
    return make(context, async () => {
        const [id = ''] = await findIds(context, [name]);
        return [rollbackChange(id, version, context.settings)];
    });
};

/** Reading all states takes a tenth of a second, and most checks find nothing. */
const noUpdates = {document: {updates: []}, states: []} as const;

export const checkFeatures: CommandAction = async context => {
    const {output, host} = context;
    const readUpdates = async () => {
        const states = (await readFeatures(host)).filter(isUpdateAvailable);
        return {document: {updates: states.map(featureSummary)}, states};
    };
    const updatesText = (states: readonly FeatureState[]): string =>
        states.length === 0 ? '' : listText(states, output.style);
    try {
        return await make(
            context,
            () => Promise.resolve([checkChange()]),
            async ([outcome]) => {
                const isCurrent = outcome !== undefined && outcome.features.length === 0;
                const {document, states} = isCurrent ? noUpdates : await readUpdates();
                output.result(document, () => updatesText(states) || 'Everything is up to date.\n');
            },
        );
    } catch (error) {
        if (!(error instanceof SnowError) || !repositoryErrors.has(error.code)) throw error;
        // One repository that is away does not hide what the others have.
        const {document, states} = await readUpdates();
        output.error(error, document, () => updatesText(states));
        return exitCodes[error.code].status;
    }
};

export const switchAutomatic: CommandAction = async (context, [word]) => {
    if (word === 'status') return showAutomatic(context, []);
    const isOn = word === 'on';
    return make(
        context,
        () => Promise.resolve([automaticChange(isOn)]),
        () => {
            context.output.result(
                {automatic: isOn},
                () => `Automatic updates are ${isOn ? 'on' : 'off'}.\n`,
            );
            return Promise.resolve();
        },
    );
};

/** All names are looked at before anything is done. Throws SnowError NotFound, and what check throws. */
async function findIds(
    {host}: Context,
    names: readonly string[],
    check: (feature: Feature) => void = () => undefined,
): Promise<readonly string[]> {
    if (names.length === 0) return [];
    const {features} = await loadDefinitions(host);
    const named = features.map(feature => ({...feature, Name: feature.name}));
    const found = names.map(name => findFeature(named, name));
    found.forEach(check);
    return [...new Set(found.map(({id}) => id))];
}

/** Makes changes one after the other, and tells how it went. */
async function make(
    context: Context,
    findChanges: () => Promise<readonly Change[]>,
    tell: (outcomes: readonly Outcome[]) => Promise<void> = outcomes =>
        tellOutcomes(context, outcomes),
): Promise<number> {
    const {output, settings} = context;
    const outcomes: Outcome[] = [];
    // The service may start meanwhile; what is wrong with the names is said first.
    const connecting = runnerFor(context);
    connecting.catch(() => undefined);
    const changes = await findChanges().catch(async (error: unknown) => {
        await connecting.then(
            runner => runner[Symbol.asyncDispose](),
            () => undefined,
        );
        throw error;
    });
    await using runner = await connecting;
    for (const change of changes) {
        try {
            const outcome = await run(context, runner, change);
            if (outcome) outcomes.push(outcome);
        } catch (error) {
            if (!(error instanceof SnowError) || outcomes.length === 0) throw error;
            // What was done before the failure stays, and so it is told.
            output.error(error, {results: outcomes}, () => outcomesText(context, outcomes));
            return exitCodes[error.code].status;
        }
    }
    if (settings.isWaiting) await tell(outcomes);
    return SUCCESS;
}

/** Null: the job was only started. */
async function run(context: Context, runner: Runner, change: Change): Promise<Outcome | null> {
    const {output, settings} = context;
    const {feature, operation, request} = change;
    const job = await runner.start(request);
    if (job.number !== null)
        output.event({type: 'job', job: job.number, operation, target: feature});
    if (!settings.isWaiting) {
        output.result(
            {job: job.number, operation, feature},
            () => `Job ${job.number} is started.\n`,
        );
        return null;
    }

    const outcome = outcomeOf(change, await followJob(context, job, feature));
    for (const warning of outcome.warnings) output.note(`Note: ${warning}`);
    return outcome;
}

async function runnerFor({host, settings, canAskOnTerminal}: Context): Promise<Runner> {
    if (host.root !== '') {
        const {treeRunner} = await import('./tree-runner.ts');
        return treeRunner(host);
    }
    const {connectToService} = await import('./client.ts');
    const {mayAskPassword} = settings;
    return connectToService({
        mayAskPassword,
        hasTerminal: canAskOnTerminal,
        startsService: true,
    });
}

function tellOutcomes(context: Context, outcomes: readonly Outcome[]): Promise<void> {
    context.output.result({results: outcomes}, () => outcomesText(context, outcomes));
    return Promise.resolve();
}

function outcomesText({settings}: Context, outcomes: readonly Outcome[]): string {
    return outcomes.map(outcome => `${outcomeText(outcome, settings.root !== '')}\n`).join('');
}

async function showPlans(
    {output, interrupts, host}: Context,
    make: (signal: AbortSignal) => Promise<readonly Plan[]>,
): Promise<number> {
    const controller = new AbortController();
    using _cancelable = interrupts.duringWhich(() => controller.abort());
    try {
        const plans = await make(controller.signal);
        const described = plans.map(plan => ({
            operation: plan.operation,
            merge: plan.merge,
            features: plan.parts.map(({feature, version}) => ({feature, version})),
            steps: describePlan(plan),
        }));
        output.result({plans: described}, () => planText(described.flatMap(plan => plan.steps)));
        return SUCCESS;
    } finally {
        await host.http.close();
    }
}

async function inTurn<T, U>(
    items: readonly T[],
    each: (item: T) => Promise<U>,
): Promise<readonly U[]> {
    const results: U[] = [];
    for (const item of items) results.push(await each(item));
    return results;
}
