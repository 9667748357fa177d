// SPDX-License-Identifier: GPL-2.0-or-later
// The one place that asks polkit, org.freedesktop.PolicyKit1(5).

import {type BusConnection, Variant, isBusError} from '../host/dbus.ts';
import {SnowError} from '../host/error.ts';
import {logError} from './journal.ts';

const POLKIT = 'org.freedesktop.PolicyKit1';
const POLKIT_OBJECT = {
    path: '/org/freedesktop/PolicyKit1/Authority',
    interface: 'org.freedesktop.PolicyKit1.Authority',
} as const;
const ALLOW_USER_INTERACTION = 0x1;

export interface Question {
    readonly action: string;
    /** Unique name of the caller. */
    readonly sender: string;
    /** Whether a password may be asked for. */
    readonly allowsInteraction: boolean;
    /** Shown in the prompt: polkit.message and what it refers to. */
    readonly details: Readonly<Record<string, string>>;
}

/** Decides whether a caller may do something. Anything but a clear yes of polkit is a no. */
export class Authority {
    readonly #bus: BusConnection;
    readonly #stop: AbortSignal;
    #checks = 0;

    /** Prompts are closed when stop is aborted. */
    constructor(bus: BusConnection, stop: AbortSignal) {
        this.#bus = bus;
        this.#stop = stop;
    }

    /** Throws SnowError NotAuthorized. A prompt whose caller leaves the bus is closed. */
    async authorize(question: Question): Promise<void> {
        let result: CheckResult;
        try {
            result = await this.#check(question);
        } catch (error) {
            if (error instanceof SnowError) throw error;
            logError(`polkit did not answer about ${question.action}`, error);
            throw new SnowError('NotAuthorized', 'polkit cannot be asked, so nobody is authorized');
        }
        if (result.isAuthorized) return;
        if (result.details['polkit.dismissed'] !== undefined)
            throw new SnowError('NotAuthorized', 'The authentication was dismissed');
        if (result.isChallenge)
            throw new SnowError(
                'NotAuthorized',
                question.allowsInteraction
                    ? 'Authentication is required, but there is no agent that could ask for it'
                    : 'Authentication is required, but the caller does not want to be asked',
            );
        throw new SnowError('NotAuthorized', `polkit does not authorize ${question.action}`);
    }

    async #check(question: Question): Promise<CheckResult> {
        const destination = await this.#findPolkit();
        const cancellation = `snowd-${++this.#checks}`;
        const check = async (): Promise<CheckResult> => {
            const [result] = await this.#bus.call({
                ...POLKIT_OBJECT,
                destination,
                member: 'CheckAuthorization',
                signature: '(sa{sv})sa{ss}us',
                body: [
                    ['system-bus-name', {name: new Variant('s', question.sender)}],
                    question.action,
                    question.details,
                    question.allowsInteraction ? ALLOW_USER_INTERACTION : 0,
                    cancellation,
                ],
            });
            return parseResult(result);
        };
        if (!question.allowsInteraction) return check();

        let isTakenBack = false;
        const cancel = (): void => {
            isTakenBack = true;
            this.#cancel(destination, cancellation);
        };
        const unwatch = await this.#bus.watchOwner(question.sender, owner => {
            if (owner === '') cancel();
        });
        this.#stop.addEventListener('abort', cancel, {once: true});
        try {
            return await check();
        } catch (error) {
            if (!isTakenBack) throw error;
            throw new SnowError('NotAuthorized', 'The question to polkit was taken back');
        } finally {
            this.#stop.removeEventListener('abort', cancel);
            await unwatch();
        }
    }

    /** polkit's unique name: a reply to a call of that can be told from a stranger's. */
    async #findPolkit(): Promise<string> {
        const bus = {
            destination: 'org.freedesktop.DBus',
            path: '/org/freedesktop/DBus',
            interface: 'org.freedesktop.DBus',
        };
        const find = async (): Promise<string> => {
            const call = {...bus, member: 'GetNameOwner', signature: 's', body: [POLKIT]};
            const [owner] = await this.#bus.call(call);
            return String(owner);
        };
        try {
            return await find();
        } catch (error) {
            if (!isBusError(error, 'NameHasNoOwner')) throw error;
            const start = {...bus, member: 'StartServiceByName', signature: 'su'};
            await this.#bus.call({...start, body: [POLKIT, 0]});
            return find();
        }
    }

    /** polkit then answers the check with an error. */
    #cancel(destination: string, cancellation: string): void {
        this.#bus
            .call({
                ...POLKIT_OBJECT,
                destination,
                member: 'CancelCheckAuthorization',
                signature: 's',
                body: [cancellation],
            })
            .catch(() => {
                // The answer came first, or polkit is gone: there is no prompt any more.
            });
    }
}

interface CheckResult {
    readonly isAuthorized: boolean;
    readonly isChallenge: boolean;
    readonly details: Readonly<Record<string, unknown>>;
}

function parseResult(result: unknown): CheckResult {
    if (!Array.isArray(result)) throw new TypeError('polkit answers with another type');
    const [isAuthorized, isChallenge, details] = result as readonly unknown[];
    return {
        isAuthorized: isAuthorized === true,
        isChallenge: isChallenge === true,
        details: typeof details === 'object' && details !== null ? {...details} : {},
    };
}
