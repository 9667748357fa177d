// SPDX-License-Identifier: GPL-2.0-or-later
import {type ImageState, nextImage} from '../image/state.ts';
import {imageName} from '../image/view.ts';
import type {Finding} from './checks.ts';
import type {ImageFacts} from './image-facts.ts';

type ImageFinding = Omit<Finding, 'check'>;

/** What is wrong with the system image. Timers of its own programs are welcome beside ours. */
export function diagnoseImage(image: ImageFacts | null): readonly ImageFinding[] {
    if (!image) return [];
    const {driver, state, failure} = image;
    if (!state)
        return [
            problem(
                `The state of the system image (${driver}) cannot be read: ${failure}.`,
                '"journalctl -u snowd" says more.',
            ),
        ];
    if (!state.booted)
        return [
            problem(
                `The state of the system image cannot be read: ${state.problem || `${driver} says nothing of it`}.`,
                `See what ${driver} itself says as root, and "journalctl -u snowd".`,
            ),
        ];
    return [
        ...(state.problem === ''
            ? []
            : [problem(`System image: ${state.problem}.`, '"snowctl image status" says more.')]),
        ...checkLastCheck(state, image),
        ...checkStaged(state, image),
        ...checkExtensions(state),
    ].map(({message, ...rest}) => ({...rest, message: message.replace(/\.{2,}$/, '.')}));
}

function checkLastCheck(
    {lastOutcome}: ImageState,
    {checkFailure}: ImageFacts,
): readonly ImageFinding[] {
    switch (lastOutcome) {
        case 'failed':
            return [
                problem(
                    `The last check for a newer system image failed${checkFailure && `: ${checkFailure}`}.`,
                    'Once the cause is mended, run "snowctl image check".',
                ),
            ];
        case 'held-rollback':
            return [
                note(
                    'The newest system image is held back: it was rolled back from, or undone.',
                    'Wait for a newer one, or run "snowctl image rollback" to start it again.',
                ),
            ];
        default:
            return [];
    }
}

/** What was staged, and what is started all the same. */
function checkStaged(state: ImageState, {noted}: ImageFacts): readonly ImageFinding[] {
    const next = nextImage(state);
    if (state.rollbackQueued && state.staged)
        return [
            problem(
                `${imageName(state.staged)} is staged, but the next restart goes back to ${next ? imageName(next) : 'the image before'}.`,
                'Run "snowctl image unstage" to keep the running image, or "snowctl image update".',
            ),
        ];
    if (!noted) return [];
    const {key, value} = noted.identity;
    const isNext = next?.[key] === value;
    // What runs now was noted before it was started.
    const isRunning = state.booted?.[key] === value;
    return isNext || isRunning
        ? []
        : [
              problem(
                  `${value} was staged, but the next restart does not start it.`,
                  'Run "snowctl image update" to stage it again.',
              ),
          ];
}

function checkExtensions({extensions}: ImageState): readonly ImageFinding[] {
    return extensions
        .filter(({state}) => state === 'missing')
        .map(({feature, text}) =>
            problem(
                `${feature} will be missing after the restart${text && `: ${text}`}.`,
                `Run "snowctl image unstage" to keep the running image, or "snowctl features disable ${feature}".`,
            ),
        );
}

function problem(message: string, advice: string): ImageFinding {
    return {severity: 'problem', message, advice};
}

function note(message: string, advice: string): ImageFinding {
    return {severity: 'note', message, advice};
}
