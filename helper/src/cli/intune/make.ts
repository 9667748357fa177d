// SPDX-License-Identifier: GPL-2.0-or-later
// What changes the container on the disk.

import {SnowError} from '../../host/error.ts';
import {GivenPipes} from '../../host/given-pipes.ts';
import type {CommandAction, Context} from '../context.ts';
import {SUCCESS} from '../exit-codes.ts';
import {shortDigest} from '../image/view.ts';
import {planText} from '../plan-text.ts';
import {printable} from '../text.ts';
import {tell} from './machine.ts';
import {callersUid, findOwner} from './owner.ts';
import {obtainPassword} from './password.ts';
import {
    type ContainerPlan,
    planAdopt,
    planCompletion,
    planDestroy,
    planInit,
    planRecreate,
    planRestore,
} from './plan.ts';
import {type ContainerRequest, connect, readContainer, runContainerJob} from './service.ts';
import {sessionOption} from './session.ts';
import {type ContainerSummary, isUp} from './state.ts';

export const initContainer: CommandAction = async context => {
    const {settings, openSecretPrompt} = context;
    const owner = await findOwner(context);
    if (settings.isDryRun) {
        await using client = await connect(context);
        const container = await readContainer(client, owner);
        if (isThere(container))
            throw new SnowError(
                'WrongState',
                'There is a container already; "snowctl intune recreate" makes it anew',
            );
        return showPlan(context, planInit(container, settings.intune));
    }
    const hasPassword = settings.intune.passwordFile !== '' || openSecretPrompt !== null;
    if (!settings.isWaiting && hasPassword && !settings.intune.isWithoutPassword)
        throw new SnowError(
            'InvalidArgs',
            'Nobody is there to hand over a password with --no-wait; add --no-password',
        );
    // Before anything else uses the terminal, and before gigabytes are fetched.
    const password = await obtainPassword(context, owner.uid);
    await using pipes = password === null ? null : await GivenPipes.create(callersUid());
    if (pipes && password !== null) await pipes.writeLine('password', password);
    await using client = await connect(context);
    const results = await runContainerJob(context, client, owner, {
        operation: 'init',
        method: 'Init',
        options: {...sourceOptions(context), ...(pipes && {pipes: pipes.directory})},
        goesOn: true,
    });
    return tell(
        context,
        owner,
        'init',
        results,
        ({image, digest}) =>
            `The container is made from ${String(image)} (${shortDigest(String(digest))}); "snowctl intune start" starts it.`,
    );
};

export const recreateContainer: CommandAction = async context => {
    const {settings, environment} = context;
    const {isUndone} = settings.intune;
    const owner = await findOwner(context);
    await using client = await connect(context);
    const container = await readContainer(client, owner);
    if (!isThere(container)) throw noContainer();
    if (isUndone && !container.canRestore)
        throw new SnowError('NotFound', 'There is no container before this one');
    if (settings.isDryRun)
        return showPlan(
            context,
            isUndone ? planRestore(container) : planRecreate(container, settings.intune),
        );
    const what = isUndone
        ? 'The container before this one comes back; this one can be brought back in turn.'
        : 'The container is made anew from the newest image. Its enrolment and the files in ~/Intune stay; other changes in it are lost.';
    await refuseUnlessMeant(context, [
        what,
        ...(isUp(container) ? ['At the end it is restarted, which closes its applications.'] : []),
        'Go on?',
    ]);
    const session = sessionOption(environment, owner.uid);
    const request: ContainerRequest = isUndone
        ? {operation: 'restore', method: 'Restore', options: session, goesOn: true}
        : {
              operation: 'recreate',
              method: 'Recreate',
              options: {...sourceOptions(context), ...session},
              goesOn: true,
          };
    const results = await runContainerJob(context, client, owner, request);
    return tell(context, owner, request.operation, results, ({image, digest}) => {
        const name = `${String(image)} (${shortDigest(String(digest))})`;
        return isUndone
            ? `The container before is back: ${name}.`
            : `The container is made anew from ${name}; "snowctl intune recreate --undo" takes it back.`;
    });
};

export const destroyContainer: CommandAction = async context => {
    const {settings} = context;
    const {isEverything} = settings.intune;
    const owner = await findOwner(context);
    await using client = await connect(context);
    const container = await readContainer(client, owner);
    const plan = planDestroy(owner.uid, container, isEverything);
    if (settings.isDryRun) return showPlan(context, plan);
    await refuseUnlessMeant(context, [
        'This would be done:',
        ...plan.steps.map(step => `  ${step}`),
        'The other files in ~/Intune stay. The device is no longer enrolled then.',
        'Remove it?',
    ]);
    const results = await runContainerJob(context, client, owner, {
        operation: 'destroy',
        method: 'Destroy',
        options: isEverything ? {everything: true} : {},
        goesOn: true,
    });
    return tell(
        context,
        owner,
        'destroy',
        results,
        () => 'The container is removed; your own files in ~/Intune are still there.',
    );
};

export const adoptContainer: CommandAction = async context => {
    const {settings} = context;
    const {isCompleting} = settings.intune;
    const owner = await findOwner(context);
    await using client = await connect(context);
    if (settings.isDryRun) {
        const container = await readContainer(client, owner);
        return showPlan(context, isCompleting ? planCompletion() : planAdopt(container));
    }
    if (isCompleting)
        await refuseUnlessMeant(context, [
            'The installation of intuneme in ~/.local/share/intuneme is removed, with its container.',
            'Remove it?',
        ]);
    const operation = isCompleting ? 'complete-adoption' : 'adopt';
    const results = await runContainerJob(context, client, owner, {
        operation,
        method: 'Adopt',
        options: isCompleting ? {complete: true} : {},
        goesOn: true,
    });
    return tell(context, owner, operation, results, () =>
        isCompleting
            ? 'The installation of intuneme is removed.'
            : 'The installation of intuneme is taken over, and still there. Once the new container has worked ("snowctl intune start"), "snowctl intune adopt --complete" removes it.',
    );
};

function sourceOptions({settings}: Context): Readonly<Record<string, string>> {
    const {channel, image} = settings.intune;
    return {...(channel !== '' && {channel}), ...(image !== '' && {image})};
}

function isThere(container: ContainerSummary | null): container is ContainerSummary {
    return container !== null && container.state !== 'absent';
}

function noContainer(): SnowError {
    return new SnowError(
        'WrongState',
        'There is no container; make one first (snowctl intune init)',
    );
}

function showPlan({output}: Context, plan: ContainerPlan): number {
    output.result({plans: [plan]}, () => planText(plan.steps));
    return SUCCESS;
}

/** Asked only where somebody reads it. Throws SnowError Cancelled. */
async function refuseUnlessMeant(
    {output, settings, confirm}: Context,
    question: readonly string[],
): Promise<void> {
    if (settings.isConfirmed || !output.isHuman || !confirm) return;
    if (!(await confirm(question.map(printable).join('\n'))))
        throw new SnowError('Cancelled', 'Nothing was changed');
}
