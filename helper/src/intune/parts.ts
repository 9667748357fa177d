// SPDX-License-Identifier: GPL-2.0-or-later
// The modules behind the ports, each loaded by the first call that needs it.

import type {MachinePorts, MakingPorts, ServicePorts} from './ports.ts';

const fetch = () => import('./image/fetch.ts');
const machine = () => import('./boot/machine.ts');
const provision = () => import('./session/provision.ts');
const programs = () => import('./session/programs.ts');

const machines: MachinePorts = {
    startMachine: async (...call) => (await machine()).startMachine(...call),
    stopMachine: async (...call) => (await machine()).stopMachine(...call),
    rememberMachine: async (...call) => (await machine()).rememberMachine(...call),
    forgetMachine: async (...call) => (await machine()).forgetMachine(...call),
};

export const workerPorts: MakingPorts & MachinePorts = {
    ...machines,
    fetchRootfs: async (...call) => (await fetch()).fetchRootfs(...call),
    abandonFetch: async (...call) => (await fetch()).abandonFetch(...call),
    makeHome: async (...call) => (await import('./home.ts')).makeHome(...call),
    provision: async (...call) => (await provision()).provision(...call),
    abandonProvision: async (...call) => (await provision()).abandonProvision(...call),
    readEnrolment: async (...call) =>
        (await import('./session/enrolment.ts')).readEnrolment(...call),
};

export const servicePorts: ServicePorts = {
    ...machines,
    newestDigest: async (...call) => (await fetch()).newestDigest(...call),
    startedAt: async (...call) => (await machine()).startedAt(...call),
    bindings: async (...call) => (await machine()).bindings(...call),
    applications: async (...call) => (await programs()).applications(...call),
    openApplication: async (...call) => (await programs()).openApplication(...call),
    runProgram: async (...call) => (await programs()).runProgram(...call),
    inspect: async (...call) => (await import('./session/inspect.ts')).inspect(...call),
};
