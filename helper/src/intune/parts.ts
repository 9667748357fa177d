// SPDX-License-Identifier: GPL-2.0-or-later
// The modules behind the ports, each loaded by the first call that needs it.

import {SnowError} from '../host/error.ts';
import type {MachinePorts, MakingPorts, ServicePorts} from './ports.ts';

const machines: MachinePorts = {
    startMachine: () => notYet('Containers cannot be started'),
    stopMachine: () => notYet('Containers cannot be stopped'),
};

export const workerPorts: MakingPorts & MachinePorts = {
    ...machines,
    // With ./image/fetch.ts, as soon as what it fetches can be set up: nobody waits for gigabytes in vain.
    fetchRootfs: () => notYet('This version cannot make containers'),
    abandonFetch: async (...call) => (await import('./image/fetch.ts')).abandonFetch(...call),
    makeHome: async (...call) => (await import('./home.ts')).makeHome(...call),
    provision: () => notYet('Containers cannot be set up'),
    readEnrolment: () => notYet('Enrolments cannot be kept'),
};

export const servicePorts: ServicePorts = {
    ...machines,
    newestDigest: async (...call) => (await import('./image/fetch.ts')).newestDigest(...call),
    startedAt: () => Promise.resolve(0),
    bindings: () => Promise.resolve([]),
    applications: () => Promise.resolve([]),
    openApplication: () => notYet('Applications cannot be opened'),
    runProgram: () => notYet('Programs cannot be run'),
    inspect: () => notYet('Containers cannot be looked into'),
};

function notYet(text: string): Promise<never> {
    return Promise.reject(new SnowError('NotSupported', text));
}
