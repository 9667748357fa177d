// SPDX-License-Identifier: GPL-2.0-or-later
// What --dry-run says of containers.

import {ENROLMENT, HOME, INTUNEME} from '../../intune/home.ts';
import {previousRootfsPath, rootfsPath} from '../../intune/model.ts';
import {type ContainerSummary, isUp} from './state.ts';

export interface ContainerPlan {
    readonly operation: 'init' | 'recreate' | 'restore' | 'destroy' | 'adopt' | 'complete-adoption';
    readonly steps: readonly string[];
}

interface Source {
    readonly channel: string;
    readonly image: string;
}

const EXCHANGE = 'put it into place';

export function planInit(container: ContainerSummary | null, source: Source): ContainerPlan {
    return {
        operation: 'init',
        steps: [
            `fetch ${sourceText(source, container?.channel || 'stable')}`,
            `set up the user in it, with ~/${HOME} as the home directory`,
            EXCHANGE,
        ],
    };
}

export function planRecreate(container: ContainerSummary, source: Source): ContainerPlan {
    const {channel, image} = container;
    const isChange = source.channel !== '' || source.image !== '';
    return {
        operation: 'recreate',
        steps: [
            `fetch ${isChange || channel !== 'custom' ? sourceText(source, channel) : image}`,
            'set up the user in it, with the enrolment of the present container',
            ...exchange(container),
        ],
    };
}

export function planRestore(container: ContainerSummary): ContainerPlan {
    return {operation: 'restore', steps: exchange(container)};
}

export function planDestroy(
    uid: number,
    container: ContainerSummary | null,
    isEverything: boolean,
): ContainerPlan {
    const paths = [
        rootfsPath(uid),
        ...(container?.canRestore ? [previousRootfsPath(uid)] : []),
        ...ENROLMENT.map(path => `~/${HOME}/${path}`),
    ];
    return {
        operation: 'destroy',
        steps: [
            ...(container && isUp(container)
                ? ['stop the container, which closes its applications']
                : []),
            ...paths.map(path => `remove ${path}`),
            ...(isEverything ? ['remove the settings'] : []),
        ],
    };
}

export function planAdopt(container: ContainerSummary | null): ContainerPlan {
    return {
        operation: 'adopt',
        steps: [
            `read the enrolment of ~/${INTUNEME}`,
            ...planInit(container, {channel: '', image: ''}).steps.slice(1),
        ].toSpliced(1, 0, 'fetch the image of its channel'),
    };
}

export function planCompletion(): ContainerPlan {
    return {operation: 'complete-adoption', steps: [`remove ~/${INTUNEME}`]};
}

function exchange(container: ContainerSummary): readonly string[] {
    return [
        ...(isUp(container) ? ['stop the container, which closes its applications'] : []),
        'put the other one into its place, and keep it',
        ...(isUp(container) ? ['start the container'] : []),
    ];
}

function sourceText({channel, image}: Source, followed: string): string {
    return image !== '' ? image : `the newest image of the channel ${channel || followed}`;
}
