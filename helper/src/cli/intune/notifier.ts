// SPDX-License-Identifier: GPL-2.0-or-later
// What the desktop shows of a start without a terminal: see the Desktop Notifications Specification.

import {SnowError} from '../../host/error.ts';
import type {Host} from '../../host/host.ts';

/** Milliseconds after which somebody wonders. */
const PATIENCE = 1000;
/** Milliseconds. */
const TIMEOUT = 5000;

const NOTIFICATIONS = 'org.freedesktop.Notifications';
const OBJECT = [NOTIFICATIONS, '/org/freedesktop/Notifications', NOTIFICATIONS] as const;

interface Message {
    readonly title: string;
    readonly body: string;
    readonly icon: string;
    /** Whether it goes by itself, and is not kept. */
    readonly isTransient: boolean;
}

/** Starts something, and shows it where somebody waits for it, or it fails. @param host null: it is not shown */
export async function withNotifier<T>(
    host: Host | null,
    title: string,
    start: () => Promise<T>,
): Promise<T> {
    if (!host) return await start();
    await using notifier = new Notifier(host);
    notifier.expectSlow(title);
    try {
        return await start();
    } catch (error) {
        if (error instanceof SnowError && error.code !== 'Cancelled')
            await notifier.fail(title, error.message);
        throw error;
    }
}

class Notifier implements AsyncDisposable {
    readonly #host: Host;
    #timer: NodeJS.Timeout | undefined;
    /** The last message; 0: there is none. */
    #id: Promise<number> = Promise.resolve(0);

    constructor(host: Host) {
        this.#host = host;
    }

    /** Says that something is being started, unless it is over before that is worth a word. */
    expectSlow(title: string): void {
        const show = (): void => {
            this.#id = this.#notify({
                title,
                body: 'The container is being started…',
                icon: 'content-loading-symbolic',
                isTransient: true,
            });
        };
        this.#timer = setTimeout(show, PATIENCE);
    }

    /** Says why it was not started. */
    async fail(title: string, reason: string): Promise<void> {
        clearTimeout(this.#timer);
        const before = await this.#id;
        this.#id = Promise.resolve(0);
        await this.#notify(
            {
                title: `${title} could not be started`,
                body: reason,
                icon: 'dialog-error-symbolic',
                isTransient: false,
            },
            before,
        );
    }

    /** What was said of the start is taken away. */
    async [Symbol.asyncDispose](): Promise<void> {
        clearTimeout(this.#timer);
        const id = await this.#id;
        if (id !== 0) await this.#call('CloseNotification', 'u', [String(id)]);
    }

    /** Returns its number; 0: nobody shows it. */
    async #notify({title, body, icon, isTransient}: Message, replaces = 0): Promise<number> {
        const answer = await this.#call('Notify', 'susssasa{sv}i', [
            'Snow Control',
            String(replaces),
            icon,
            title,
            escaped(body),
            '0',
            ...['1', 'transient', 'b', String(isTransient)],
            '-1',
        ]);
        return Number(/^u (\d{1,10})$/m.exec(answer)?.[1] ?? 0);
    }

    async #call(member: string, signature: string, args: readonly string[]): Promise<string> {
        const command = ['busctl', '--user', '--expect-reply=yes', '--', 'call'] as const;
        try {
            const call = [...command, ...OBJECT, member, signature, ...args] as const;
            const {stdout} = await this.#host.programs.run(call, {timeout: TIMEOUT});
            return stdout;
        } catch (error) {
            // A desktop that shows nothing is no reason not to start what was asked for.
            if (error instanceof SnowError) return '';
            throw error;
        }
    }
}

/** The body may have markup, and nobody's error is to be taken for that. */
function escaped(text: string): string {
    return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
